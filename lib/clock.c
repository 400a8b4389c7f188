#include "clock.h"

static enum clock_trust
believe(struct clock_state *c, uint64_t now_s)
{
	*c = (struct clock_state){.latest_s = now_s};
	return CLOCK_OK;
}

enum clock_trust
clock_judge(struct clock_state *c, uint64_t now_s)
{
	bool ahead, known; /* known: this epoch is the candidate */

	if (now_s == 0) /* 1970 to the second: 0 is "none" in the state */
		now_s = 1;
	if (c->latest_s == 0)
		return believe(c, now_s);
	ahead = now_s > c->latest_s && now_s - c->latest_s > CLOCK_JUMP_S;
	if (!ahead && (now_s >= c->latest_s || c->latest_s - now_s <= CLOCK_SLACK_S))
		return believe(c, now_s > c->latest_s ? now_s : c->latest_s);

	known = c->candidate_s > 0 && (c->candidate_last_s > c->latest_s) == ahead;
	if (!known || (now_s < c->candidate_last_s && c->candidate_last_s - now_s > CLOCK_SLACK_S))
		c->candidate_s = c->candidate_last_s = now_s;
	if (now_s > c->candidate_last_s) {
		if (now_s - c->candidate_last_s > CLOCK_JUMP_S) /* a pause: keep what was seen */
			c->candidate_s += now_s - c->candidate_last_s;
		c->candidate_last_s = now_s;
	}
	if (c->candidate_last_s - c->candidate_s >= CLOCK_TRUST_S)
		return believe(c, now_s);
	return ahead ? CLOCK_AHEAD : CLOCK_BEHIND;
}

void
clock_text(const struct clock_state *c, struct buf *out)
{
	buf_fmt(out, "latest=%llu candidate=%llu last=%llu", (unsigned long long)c->latest_s,
	    (unsigned long long)c->candidate_s, (unsigned long long)c->candidate_last_s);
}

bool
clock_parse(struct clock_state *c, struct span line)
{
	struct cur t = cur_span(line);
	struct clock_state s;

	if (!cur_lit(&t, "latest=") || !cur_u64(&t, UINT64_MAX, &s.latest_s) ||
	    !cur_lit(&t, " candidate=") || !cur_u64(&t, UINT64_MAX, &s.candidate_s) ||
	    !cur_lit(&t, " last=") || !cur_u64(&t, UINT64_MAX, &s.candidate_last_s))
		return false;
	cur_ch(&t, '\n');
	if (!cur_end(&t) || s.candidate_s > s.candidate_last_s)
		return false;
	*c = s;
	return true;
}
