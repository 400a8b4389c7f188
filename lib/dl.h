/* dl.h - a shared library that is loaded by name, when somebody first wants something of it; one that is not there
 * is missed by him alone.
 *
 *     #define CALLS(f) f(idn2_to_ascii_8z) f(idn2_free)      what is called; the types are its header's
 *     static struct { CALLS(DL_POINTER) } lib;
 *     static struct dl library = DL_INIT(lib, CALLS, SYS_LIBIDN2);
 *
 *     if (dl_need(&library, EX_UNAVAILABLE, e))
 *             return e->code;
 *     lib.idn2_free(text);
 *
 * It saves more than the start of a program: what is mapped is paid for again by each process that fork makes.
 */
#ifndef DL_H
#define DL_H

#include "err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define DL_FILES 2
struct dl {
	const char *files[DL_FILES]; /* names that it may have, tried in turn */
	const char *const *names;    /* of what is called, */
	size_t n;
	void *pointers;              /* n of them, side by side, in the order of names */
	pthread_mutex_t lock;        /* over all that follows */
	_Atomic bool tried;
	void *handle;
	char *why;                   /* there is none */
};

/* NOLINTNEXTLINE(bugprone-macro-parentheses): it declares */
#define DL_POINTER(name) __typeof__(&name) name;
#define DL_NAME(name) #name,
/* ...: the names of its file. */
#define DL_INIT(lib, calls, ...)                                                                   \
	{                                                                                          \
		.files = {__VA_ARGS__}, .names = (const char *const[]){calls(DL_NAME)},            \
		.n = sizeof(lib) / sizeof(void *), .pointers = &(lib),                             \
		.lock = PTHREAD_MUTEX_INITIALIZER                                                  \
	}

/* By any thread; again costs nothing.  A confined process can load nothing.  `code` where it is not there:
 * "libx.so.1 cannot be loaded", "libx.so.1 lacks f". */
int dl_need(struct dl *d, int code, struct err *e);
/* Nobody is in it, nobody keeps anything of it, and nobody will want it soon. */
void dl_close(struct dl *d);

#endif
