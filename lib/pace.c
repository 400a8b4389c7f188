#include "pace.h"

#include "retry.h"

#define TOKEN 60000U /* one message: a minute's milliseconds, so that filling is exact */

void
pace_init(struct pace *p, const struct pace_limits *limits, int64_t now_ms)
{
	*p = (struct pace){.limits = *limits, .tokens_at_ms = now_ms, .closed_until_ms = INT64_MIN,
	    .settle_ms = INT64_MIN};
	if (p->limits.connections == 0)
		p->limits.connections = 1;
	if (p->limits.rate_per_min > PACE_RATE_MAX)
		p->limits.rate_per_min = PACE_RATE_MAX;
	p->allowed = PACE_START < p->limits.connections ? PACE_START : p->limits.connections;
	p->tokens = UINT32_MAX; /* full: cut to the bucket at the first use */
}

static int64_t
later(int64_t now_ms, uint64_t wait_ms)
{
	return wait_ms > (uint64_t)INT64_MAX / 2 || now_ms > INT64_MAX / 2 ?
	    INT64_MAX - 1 : now_ms + (int64_t)wait_ms;
}

static void
close_for(struct pace *p, uint64_t wait_ms, int64_t now_ms)
{
	int64_t until = later(now_ms, wait_ms);

	if (until > p->closed_until_ms)
		p->closed_until_ms = until;
}

/* One more failure in a row: closes for the n-th backoff, from the one after `spared`. */
static void
fail(struct pace *p, uint32_t spared, int64_t now_ms, uint64_t random)
{
	if (p->failures < UINT32_MAX)
		p->failures++;
	if (p->failures > spared)
		close_for(p, retry_backoff(p->limits.retry_min_ms, p->limits.retry_max_ms,
		    p->failures - spared, random), now_ms);
}

/* Evidence that the site lives undoes what failures closed, not what the site asked for. */
static void
alive(struct pace *p)
{
	if (!p->asked)
		p->closed_until_ms = INT64_MIN;
}

static void
delivered(struct pace *p)
{
	uint32_t window = p->slowed ? p->allowed : 1;

	alive(p);
	p->met = true;
	p->failures = 0;
	if (p->allowed >= p->limits.connections)
		return;
	if (++p->good >= window) {
		p->allowed++;
		p->good = 0;
	}
}

static void
slow_down(struct pace *p, uint64_t hint_s, int64_t now_ms, uint64_t random)
{
	bool closed = now_ms < p->closed_until_ms;

	if (now_ms >= p->settle_ms) {
		if (p->allowed == 1 && !closed) {
			fail(p, hint_s > 0, now_ms, random);
			p->asked = true;
		}
		if (p->allowed > 1)
			p->allowed /= 2;
		p->settle_ms = later(now_ms, PACE_SETTLE_MS);
	}
	p->good = 0;
	p->slowed = true;
}

void
pace_event(struct pace *p, enum pace_event what, uint64_t hint_s, int64_t now_ms, uint64_t random)
{
	if (now_ms >= p->closed_until_ms)
		p->asked = false;
	switch (what) {
	case PACE_DELIVERED: delivered(p); break;
	case PACE_CONNECTED:
		alive(p);
		p->met = true;
		break;
	case PACE_SLOW_DOWN: slow_down(p, hint_s, now_ms, random); break;
	case PACE_UNREACHABLE:
		if (now_ms >= p->closed_until_ms)
			fail(p, 0, now_ms, random);
		break;
	}
	if (hint_s > PACE_HINT_MAX_S)
		hint_s = PACE_HINT_MAX_S;
	if (hint_s > 0) {
		close_for(p, hint_s * 1000, now_ms);
		p->asked = true;
	}
}

bool
pace_closed(const struct pace *p, int64_t now_ms, int64_t *until_ms)
{
	if (now_ms >= p->closed_until_ms)
		return false;
	*until_ms = p->closed_until_ms;
	return true;
}

bool
pace_may_connect(const struct pace *p, uint32_t have, int64_t now_ms, int64_t *when_ms)
{
	uint32_t most = p->failures > 0 ? 1 : p->allowed;

	if (!p->met && p->limits.untried > 0 && most > p->limits.untried)
		most = p->limits.untried;
	if (pace_closed(p, now_ms, when_ms))
		return false;
	if (have < most)
		return true;
	*when_ms = INT64_MAX;
	return false;
}

bool
pace_may_send(struct pace *p, int64_t now_ms, int64_t *when_ms)
{
	uint32_t rate = p->limits.rate_per_min;
	uint64_t bucket = rate > 60 ? (uint64_t)rate * 1000 : TOKEN;
	uint64_t have = p->tokens;

	if (rate == 0)
		return true;
	if (now_ms > p->tokens_at_ms) {
		uint64_t passed = (uint64_t)now_ms - (uint64_t)p->tokens_at_ms;

		/* The bucket is full after a minute at the latest. */
		have += (passed < TOKEN ? passed : TOKEN) * rate;
		p->tokens_at_ms = now_ms;
	}
	if (have > bucket)
		have = bucket;
	if (have < TOKEN)
		*when_ms = later(p->tokens_at_ms, (TOKEN - have + rate - 1) / rate);
	p->tokens = (uint32_t)(have < TOKEN ? have : have - TOKEN);
	return have >= TOKEN;
}

void
pace_spent(struct pace *p, int64_t when_ms)
{
	uint32_t rate = p->limits.rate_per_min;

	if (rate == 0)
		return;
	p->tokens = 0;
	p->tokens_at_ms = when_ms - (int64_t)((TOKEN + rate - 1) / rate);
}

void
pace_text(const struct pace *p, int64_t now_ms, struct buf *out)
{
	int64_t until = now_ms;

	pace_closed(p, now_ms, &until);
	buf_fmt(out, "allowed=%u slowed=%d failures=%u closed_for=%llu", p->allowed, p->slowed,
	    p->failures, ((unsigned long long)until - (unsigned long long)now_ms + 999) / 1000);
}

bool
pace_parse(struct pace *p, struct span line, int64_t written_ms)
{
	struct cur c = cur_span(line);
	uint64_t allowed, slowed, failures, closed_s;
	uint64_t most_ms = p->limits.retry_max_ms;

	if (!cur_lit(&c, "allowed=") || !cur_u64(&c, UINT32_MAX, &allowed) || allowed == 0 ||
	    !cur_lit(&c, " slowed=") || !cur_u64(&c, 1, &slowed) ||
	    !cur_lit(&c, " failures=") || !cur_u64(&c, UINT32_MAX, &failures) ||
	    !cur_lit(&c, " closed_for=") || !cur_u64(&c, UINT32_MAX, &closed_s))
		return false;
	cur_ch(&c, '\n');
	if (!cur_end(&c))
		return false;
	/* What we would never have chosen comes from other limits or a spoilt file. */
	most_ms = most_ms > UINT64_MAX / 5 * 4 ? UINT64_MAX : most_ms + most_ms / 4;
	if (most_ms < PACE_HINT_MAX_S * 1000)
		most_ms = PACE_HINT_MAX_S * 1000;
	if (closed_s * 1000 < most_ms)
		most_ms = closed_s * 1000;
	p->allowed = allowed < p->limits.connections ? (uint32_t)allowed : p->limits.connections;
	p->slowed = slowed == 1;
	p->failures = (uint32_t)failures;
	p->met = failures == 0;
	p->closed_until_ms = most_ms > 0 ? later(written_ms, most_ms) : INT64_MIN;
	p->asked = failures == 0; /* closed without a failure: by a hint */
	p->good = 0;
	return true;
}
