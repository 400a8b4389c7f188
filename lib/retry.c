#include "retry.h"

uint64_t
retry_backoff(uint64_t min, uint64_t max, uint32_t nth, uint64_t random)
{
	uint64_t wait = min > 0 ? min : 1;

	if (max > UINT64_MAX / 2) /* a quarter more must not wrap */
		max = UINT64_MAX / 2;
	while (nth > 1 && wait < max) {
		wait = wait > max / 2 ? max : wait * 2;
		nth--;
	}
	if (wait > max)
		wait = max > 0 ? max : 1;
	/* Jitter: what failed together would come back together. */
	wait = wait - wait / 4 + random % (wait / 2 + 1);
	return wait > 0 ? wait : 1;
}

uint64_t
retry_wait(const struct retry_policy *p, uint32_t attempts, uint64_t hint_s, uint64_t random)
{
	uint64_t wait = retry_backoff(p->min_s, p->max_s, attempts, random);

	if (hint_s > RETRY_HINT_MAX_S)
		hint_s = RETRY_HINT_MAX_S;
	return hint_s > wait ? hint_s : wait;
}

bool
retry_expired(const struct retry_policy *p, uint64_t born_s, uint64_t now_s)
{
	return now_s >= born_s && now_s - born_s >= p->lifetime_s;
}

/* One more than the waits, none of them jittered, that fill a lifetime. */
static uint64_t
attempts_of_a_lifetime(const struct retry_policy *p)
{
	uint64_t wait = p->min_s > 0 ? p->min_s : 1, left = p->lifetime_s, n = 1;

	while (wait < p->max_s && left > wait) {
		left -= wait;
		wait = wait > p->max_s / 2 ? p->max_s : wait * 2;
		n++;
	}
	return n + left / wait + (left % wait > 0);
}

bool
retry_born_ok(uint64_t born_s, uint64_t now_s)
{
	return born_s >= RETRY_EPOCH_S && born_s <= now_s;
}

bool
retry_over(const struct retry_policy *p, uint64_t born_s, uint32_t attempts, uint64_t now_s)
{
	if (retry_born_ok(born_s, now_s))
		return retry_expired(p, born_s, now_s);
	return attempts >= attempts_of_a_lifetime(p);
}
