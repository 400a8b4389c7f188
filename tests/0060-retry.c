/* The backoff of retry.h: expected values are computed by hand from its definition. */
#include "retry.h"

#include "tap.h"

static const struct retry_policy policy = {300, 14400, 432000}; /* 5 min, 4 h, 5 days */

static void
bounds(void)
{
	/* base of the n-th wait: 300 * 2^(n-1), at most 14400 */
	static const struct { uint32_t n; uint64_t base; } t[] = {
		{0, 300}, {1, 300}, {2, 600}, {3, 1200}, {4, 2400}, {5, 4800}, {6, 9600},
		{7, 14400}, {8, 14400}, {1000, 14400}, {UINT32_MAX, 14400},
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		uint64_t low = UINT64_MAX, high = 0;

		for (uint64_t r = 0; r < 20000; r++) {
			uint64_t w = retry_wait(&policy, t[i].n, 0, r);

			low = w < low ? w : low;
			high = w > high ? w : high;
		}
		is_num((long long)low, (long long)(t[i].base * 3 / 4), "shortest: 0.75 of it");
		is_num((long long)high, (long long)(t[i].base * 5 / 4), "longest: 1.25 of it");
	}
}

static void
hints(void)
{
	is_num((long long)retry_wait(&policy, 1, 3600, 7), 3600, "a later hint is obeyed");
	ok(retry_wait(&policy, 1, 60, 0) == 225, "an earlier one is not");
	is_num((long long)retry_wait(&policy, 1, RETRY_HINT_MAX_S, 7), 86400, "a day is obeyed");
	is_num((long long)retry_wait(&policy, 1, RETRY_HINT_MAX_S + 1, 7), 86400, "and no more");
	is_num((long long)retry_wait(&policy, 1, UINT64_MAX, 7), 86400, "nor the largest number");
}

static void
odd_policies(void)
{
	struct retry_policy zero = {0, 0, 0}, crossed = {600, 60, 0};
	struct retry_policy huge = {UINT64_MAX, UINT64_MAX, 0}, one = {1, 1, 0};

	for (uint64_t r = 0; r < 3; r++) {
		is_num((long long)retry_wait(&zero, 1, 0, r), 1, "zero waits are one second");
		is_num((long long)retry_wait(&one, 5, 0, r), 1, "one second stays one second");
	}
	ok(retry_wait(&crossed, 1, 0, 0) == 45, "the longest wait wins over the first");
	ok(retry_wait(&huge, 64, 0, UINT64_MAX) > UINT64_MAX / 4, "nothing wraps");
}

static void
expiry(void)
{
	ok(!retry_expired(&policy, 1000, 1000 + 431999), "a second before the end");
	ok(retry_expired(&policy, 1000, 1000 + 432000), "at the end");
	ok(!retry_expired(&policy, 2000, 1000), "born in the future is young");
	ok(!retry_expired(&policy, UINT64_MAX, 0), "very far in the future");
	ok(retry_expired(&policy, 0, UINT64_MAX), "very old");
}

/* Default waits: 300+600+1200+2400+4800+9600 = 18900 s in 6, then 413100 / 14400 = 28.7. */
static void
wrong_births(void)
{
	struct retry_policy odd = {0, 0, 0}, quick = {1, 1, 432000};
	const uint64_t now = 1763769600;

	ok(!retry_over(&policy, now - 431999, 1000, now), "believable: attempts do not count");
	ok(retry_over(&policy, now - 432000, 1, now), "believable: the clock does");
	ok(!retry_over(&policy, 10, 35, now), "born in 1970: 35 attempts");
	ok(retry_over(&policy, 10, 36, now), "born in 1970: 36 attempts");
	ok(!retry_over(&policy, now + 1, 35, now), "born in the future: 35 attempts");
	ok(retry_over(&policy, now + 1, 36, now), "born in the future: 36 attempts");
	ok(!retry_over(&quick, 10, 432000, now) && retry_over(&quick, 10, 432001, now),
	    "every second");
	ok(retry_over(&odd, 10, 1, now), "no lifetime at all");
}

int
main(void)
{
	bounds();
	hints();
	odd_policies();
	expiry();
	wrong_births();
	return tap_done();
}
