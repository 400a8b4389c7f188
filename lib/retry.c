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
