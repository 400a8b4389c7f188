/* tap.h - the Test Anything Protocol for unit tests: ok() and friends, tap_done() at the end. */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define B(lit) lit, sizeof lit - 1 /* bytes with their length: NULs count */

static int tap_count, tap_failed;

static inline bool __attribute__((format(printf, 2, 3)))
ok(bool good, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", good ? "" : "not ", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout); /* so that a child which ends has nothing of ours to print again */
	if (!good)
		tap_failed++;
	return good;
}

static inline bool
is_num(long long got, long long want, const char *what)
{
	bool good = ok(got == want, "%s", what);

	if (!good)
		printf("#  got %lld\n# want %lld\n", got, want);
	return good;
}

static inline bool
is_mem(const void *got, size_t got_n, const void *want, size_t want_n, const char *what)
{
	bool good = ok(got_n == want_n && (want_n == 0 || memcmp(got, want, want_n) == 0), "%s", what);

	if (!good)
		printf("#  got (%zu) %.*s\n# want (%zu) %.*s\n", got_n, (int)got_n, (const char *)got,
		    want_n, (int)want_n, (const char *)want);
	return good;
}

static inline bool
is_str(const char *got, const char *want, const char *what)
{
	return is_mem(got ? got : "(null)", got ? strlen(got) : 6, want, strlen(want), what);
}

static inline int
tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}

#endif
