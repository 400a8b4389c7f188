/* mallocfail - LD_PRELOAD: the N-th allocation fails.
 *
 *   MALLOCFAIL=N       allocation N (1 is the first after the start) fails; "N+": and all later ones
 *   MALLOCFAIL_COUNT   set: "mallocfail: allocations N" on stderr at exit
 *
 * malloc, calloc and realloc are counted, and with them all of libc that uses them (strdup,
 * fopen, getline).  A program that ends by _exit tells no count.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);

/* dlsym itself allocates, before we know whom to ask. */
static _Alignas(16) char early[65536];
static size_t early_used;

static long count, fail_at;
static bool later_too, ready;

static void
find(void *function, const char *name)
{
	void *p = dlsym(RTLD_NEXT, name);

	memcpy(function, &p, sizeof p); /* ISO C has no cast from object to function */
}

__attribute__((constructor)) static void
begin(void)
{
	const char *at = getenv("MALLOCFAIL");

	find(&real_malloc, "malloc");
	find(&real_calloc, "calloc");
	find(&real_realloc, "realloc");
	find(&real_free, "free");
	if (at) {
		fail_at = strtol(at, NULL, 10);
		later_too = strchr(at, '+') != NULL;
	}
	count = 0;
	ready = true;
}

__attribute__((destructor)) static void
end(void)
{
	char text[64];
	int n;

	if (!getenv("MALLOCFAIL_COUNT"))
		return;
	n = snprintf(text, sizeof text, "mallocfail: allocations %ld\n", count);
	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		return;
}

static bool
fails(void)
{
	long i;

	if (!ready)
		return false;
	i = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
	if (!fail_at || (i != fail_at && !(later_too && i > fail_at)))
		return false;
	errno = ENOMEM;
	return true;
}

static void *
early_alloc(size_t n)
{
	char *p = early + early_used;

	n = (n + 15) & ~(size_t)15;
	if (n > sizeof early - early_used)
		return NULL;
	early_used += n;
	return p;
}

void *
malloc(size_t n)
{
	if (!real_malloc)
		return early_alloc(n);
	return fails() ? NULL : real_malloc(n);
}

void *
calloc(size_t n, size_t each)
{
	if (!real_calloc)
		return early_alloc(n * each);
	return fails() ? NULL : real_calloc(n, each);
}

void *
realloc(void *p, size_t n)
{
	if (!real_realloc)
		return NULL;
	return fails() ? NULL : real_realloc(p, n);
}

void
free(void *p)
{
	if (((char *)p >= early && (char *)p < early + sizeof early) || !real_free)
		return;
	real_free(p);
}
