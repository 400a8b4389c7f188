/* mallocfail - LD_PRELOAD: the N-th allocation fails.
 *
 *   MALLOCFAIL=N       allocation N (1 is the first after the start) fails; "N+": and all later ones
 *   MALLOCFAIL_COUNT   set: "mallocfail: allocations N" on stderr at exit
 *   MALLOCFAIL_SAY     set: "mallocfail: in FILE" on stderr, the first time one fails: the program's
 *                      or the library's that asked for it
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

static bool
is_early(const void *p)
{
	return (const char *)p >= early && (const char *)p < early + sizeof early;
}

static void
find(void *function, const char *name)
{
	void *p = dlsym(RTLD_NEXT, name);

	memcpy(function, &p, sizeof p); /* ISO C has no cast from object to function */
}

/* Libraries begin before us, and what they cannot have then they lack until the end. */
static void
find_all(void)
{
	static bool asked;

	if (asked)
		return;
	asked = true;
	find(&real_free, "free");
	find(&real_realloc, "realloc");
	find(&real_calloc, "calloc");
	find(&real_malloc, "malloc");
}

__attribute__((constructor)) static void
begin(void)
{
	const char *at = getenv("MALLOCFAIL");

	find_all();
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

static void
say(const void *caller)
{
	Dl_info at = {0};
	const char *name;
	char text[128];
	int n;

	if (!getenv("MALLOCFAIL_SAY") || !dladdr(caller, &at) || !at.dli_fname)
		return;
	name = strrchr(at.dli_fname, '/');
	n = snprintf(text, sizeof text, "mallocfail: in %.80s\n", name ? name + 1 : at.dli_fname);
	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		return;
}

static bool
fails(const void *caller)
{
	static bool said;
	long i;

	if (!ready)
		return false;
	i = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
	if (!fail_at || (i != fail_at && !(later_too && i > fail_at)))
		return false;
	if (!__atomic_exchange_n(&said, true, __ATOMIC_RELAXED))
		say(caller);
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
	find_all();
	if (!real_malloc)
		return early_alloc(n);
	return fails(__builtin_return_address(0)) ? NULL : real_malloc(n);
}

void *
calloc(size_t n, size_t each)
{
	find_all();
	if (!real_calloc)
		return early_alloc(n * each);
	return fails(__builtin_return_address(0)) ? NULL : real_calloc(n, each);
}

void *
realloc(void *p, size_t n)
{
	find_all();
	if (!real_realloc || is_early(p)) {
		void *q = malloc(n);
		size_t had = is_early(p) ? (size_t)(early + sizeof early - (char *)p) : 0;

		return q && had ? memcpy(q, p, had < n ? had : n) : q;
	}
	return fails(__builtin_return_address(0)) ? NULL : real_realloc(p, n);
}

void
free(void *p)
{
	if (is_early(p) || !real_free)
		return;
	real_free(p);
}
