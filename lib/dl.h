/* dl.h - a shared library that is loaded by name, when somebody first wants something of it; one that is not there
 * is missed by him alone.
 *
 *     #define CALLS(f) f(idn2_to_ascii_8z) f(idn2_free)      what is called; the types are its header's
 *     static struct { CALLS(DL_POINTER) } lib;
 *
 *     static const char *const names[] = {CALLS(DL_NAME)};
 *     lib_error = dl_load(SYS_LIBIDN2, names, sizeof names / sizeof *names, &lib);
 *
 * Once loaded it stays.
 */
#ifndef DL_H
#define DL_H

#include <stddef.h>

/* NOLINTNEXTLINE(bugprone-macro-parentheses): it declares */
#define DL_POINTER(name) __typeof__(&name) name;
#define DL_NAME(name) #name,

/* pointers: n of them, side by side, in the order of names.  NULL: all are there; else why not:
 * "libx.so.1 cannot be loaded", "libx.so.1 lacks f". */
char *dl_load(const char *library, const char *const *names, size_t n, void *pointers);

#endif
