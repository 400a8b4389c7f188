/* world.h - the mail world of the simulation: sites that behave and misbehave, messages to them,
 * a wall clock that jumps, and the judge that watches what the deliverer does to them.
 *
 * Everything follows from the seed.  Times are milliseconds from the start of the simulation,
 * which is true time; the wall clock is wall_s() of it.  The judge knows nothing of the
 * scheduler: it sees connections, attempts and ends, as the sites and the senders would.
 */
#ifndef WORLD_H
#define WORLD_H

#include "buf.h"
#include "clock.h"
#include "pace.h"
#include "retry.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH_S 1763769600U /* 2025-11-22 */
#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * (int64_t)HOUR)
#define NONE UINT32_MAX

#define SITE_CONNECTIONS 20 /* our limit for one site */
#define TOTAL_CONNECTIONS 200

enum { MAIL, LIST, BULK, STREAMS };
static const uint32_t weights[STREAMS] = {10, 3, 1};

struct sim_options {
	uint64_t seed;
	uint32_t days, sites, messages;
	bool overtake; /* healthy sites, all bulk at once, one mail a minute later */
};

struct sim_result {
	uint64_t hash; /* of everything that happened, in order */
	uint64_t attempts, connections, moves, merges, runs, jumps;
	uint64_t delivered, refused, expired;
	uint32_t most_attempts;
	int64_t mail_wait_ms; /* longest from arrival to the first attempt in overtake */
	char broken[200];     /* the first promise broken, "" if none */
};

/* --- numbers */

static inline uint64_t
mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15U;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

static inline uint64_t
draw(uint64_t *state, uint64_t n) /* 0 to n - 1 */
{
	*state += 0x9e3779b97f4a7c15U;
	return mix(*state) % n;
}

/* --- sites and messages */

enum kind { HEALTHY, OUTAGES, DEAD, GREYLIST, CROWDED, RATED, OUR_RATE, FLAKY, MUTE };

struct peer {
	enum kind kind;
	uint32_t connect_ms, reply_ms;
	uint32_t room;          /* CROWDED: connections it takes; RATED: messages a minute */
	uint32_t hint_s;        /* what it says with a slow down; 0 nothing */
	uint32_t our_rate;      /* our limit, messages a minute; 0 none */
	int64_t period_ms, down_ms; /* OUTAGES: down at the beginning of each period */
	/* the judge's notes */
	uint32_t connections, minute_sent;
	int64_t minute;
	int64_t not_before_ms;  /* it asked to be left alone, or could not be reached */
	bool asked;             /* the former */
	uint32_t *sent;         /* OUR_RATE: seconds of the last sends, a ring */
	uint32_t sent_n, sent_at;
	char memory[100];       /* what the deliverer keeps of it between runs */
	uint8_t memory_len;
	int64_t memory_ms;
};

enum place { UNBORN, QUEUED, WAITING, IN_FLIGHT, DELIVERED, REFUSED, EXPIRED };

struct message {
	int64_t born_ms, failed_ms; /* last failed attempt, 0 none */
	uint64_t born_s, due_s;     /* by the wall clock */
	uint32_t domain, size;
	uint16_t attempts;
	uint8_t stream, place;
	bool doomed;                /* its recipient does not exist */
};

struct world {
	struct sim_options opt;
	struct sim_result *res;
	struct retry_policy policy;
	struct peer *peers;
	struct message *messages; /* by birth */
	uint32_t arrived, done, most_attempts;
	int64_t now_ms, end_ms;
	int64_t jump_ms[4];       /* the wall clock jumps at these: ahead, back, to 1970, back */
};

static void __attribute__((format(printf, 2, 3)))
broken(struct world *w, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (w->res->broken[0])
		return;
	n = snprintf(w->res->broken, sizeof w->res->broken, "at %" PRId64 " ms: ", w->now_ms);
	va_start(ap, fmt);
	vsnprintf(w->res->broken + n, sizeof w->res->broken - (size_t)n, fmt, ap);
	va_end(ap);
}

static inline void
note(struct world *w, char what, uint64_t a, uint64_t b)
{
	w->res->hash = mix(w->res->hash ^ mix((uint64_t)w->now_ms << 8 | (unsigned char)what) ^
	    (a << 32) ^ b);
}

/* Five years ahead for three hours, later 1970 for two: each time it is set right again. */
static inline uint64_t
wall_s(const struct world *w, int64_t t_ms)
{
	uint64_t s = EPOCH_S + (uint64_t)t_ms / SECOND;

	if (t_ms >= w->jump_ms[0] && t_ms < w->jump_ms[1])
		return s + 5 * 365 * 86400;
	if (t_ms >= w->jump_ms[2] && t_ms < w->jump_ms[3])
		return s - EPOCH_S;
	return s;
}

static inline bool
jumped_between(const struct world *w, int64_t from_ms, int64_t to_ms)
{
	for (int i = 0; i < 4; i++)
		if (from_ms < w->jump_ms[i] && to_ms >= w->jump_ms[i])
			return true;
	return false;
}

static inline struct peer *
peer_of(struct world *w, uint32_t domain) /* two domains a site */
{
	return &w->peers[domain / 2];
}

static enum kind
peer_kind(uint32_t i, uint64_t dice)
{
	static const struct { enum kind kind; uint32_t percent; } t[] = {{OUTAGES, 10}, {DEAD, 2},
	    {GREYLIST, 8}, {CROWDED, 5}, {RATED, 4}, {OUR_RATE, 5}, {FLAKY, 5}, {MUTE, 1}};

	/* The busiest sites are run by people who are good at it. */
	for (size_t k = 0; i >= 20 && k < sizeof t / sizeof t[0]; k++) {
		if (dice < t[k].percent)
			return t[k].kind;
		dice -= t[k].percent;
	}
	return HEALTHY;
}

static void
world_peers(struct world *w, uint64_t *r)
{
	for (uint32_t i = 0; i < w->opt.sites; i++) {
		struct peer *p = &w->peers[i];

		p->kind = w->opt.overtake ? HEALTHY : peer_kind(i, draw(r, 100));
		p->connect_ms = 20 + (uint32_t)draw(r, 180);
		p->reply_ms = 20 + (uint32_t)draw(r, draw(r, 20) ? 200 : 5000);
		if (w->opt.overtake)
			p->reply_ms = 200;
		p->period_ms = w->end_ms / 10 + (int64_t)draw(r, (uint64_t)w->end_ms / 3);
		p->down_ms = HOUR + (int64_t)draw(r, (uint64_t)p->period_ms / 2);
		p->hint_s = draw(r, 2) ? 30 + (uint32_t)draw(r, 570) : 0;
		p->room = (uint32_t)(p->kind == CROWDED ? 1 + draw(r, 8) : 20 + draw(r, 100));
		p->not_before_ms = INT64_MIN;
		p->minute = -1;
		if (p->kind != OUR_RATE)
			continue;
		p->our_rate = 30 + (uint32_t)draw(r, 570);
		/* A minute's and what each of three starts of a deliverer finds in its bucket. */
		p->sent_n = p->our_rate + (p->our_rate + 59) / 60 * 3;
		p->sent = mem_alloc(p->sent_n * sizeof *p->sent);
	}
}

static int
by_birth(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	return x->born_ms < y->born_ms ? -1 : x->born_ms > y->born_ms;
}

static void
world_messages(struct world *w, uint64_t *r)
{
	uint32_t campaigns = 1 + w->opt.messages / 100000;
	/* The last fifth of the time is for what is retried to its end. */
	uint64_t window = (uint64_t)w->end_ms / 5 * 4;

	for (uint32_t i = 0; i < w->opt.messages; i++) {
		struct message *m = &w->messages[i];
		uint64_t u = draw(r, 1000), dice = draw(r, 10);

		m->stream = dice < 2 ? MAIL : dice < 4 ? LIST : BULK;
		m->born_ms = (int64_t)draw(r, window);
		if (m->stream == BULK) /* in campaigns, each within a minute */
			m->born_ms = (int64_t)(window / campaigns * draw(r, campaigns) +
			    draw(r, MINUTE));
		if (w->opt.overtake) {
			m->stream = i ? BULK : MAIL;
			m->born_ms = i ? (int64_t)draw(r, SECOND) : MINUTE;
		}
		/* Cubes: one of 10,000 sites gets 4.6 % of the mail, 1,000 get 46 %. */
		m->domain = (uint32_t)(u * u * u * (2 * w->opt.sites) / 1000000000U +
		    draw(r, 2 * w->opt.sites / 100 + 1)) % (2 * w->opt.sites);
		m->size = 2000 + (uint32_t)draw(r, m->stream == MAIL ? 60000 : 100000);
		m->doomed = !w->opt.overtake && draw(r, 50) == 0;
	}
	qsort(w->messages, w->opt.messages, sizeof *w->messages, by_birth);
}

static void
world_init(struct world *w, const struct sim_options *opt, struct sim_result *res)
{
	uint64_t r = mix(opt->seed);

	*w = (struct world){.opt = *opt, .res = res, .end_ms = opt->days * DAY};
	/* A sixth of the time: five days of thirty, and the other numbers with it. */
	w->policy.lifetime_s = opt->days * 14400U;
	w->policy.max_s = w->policy.lifetime_s / 30;
	w->policy.min_s = w->policy.max_s >= 1200 ? 300 : w->policy.max_s / 4;
	for (int i = 0; i < 4; i++)
		w->jump_ms[i] = opt->overtake ? INT64_MAX :
		    (i < 2 ? w->end_ms / 3 : w->end_ms / 2) + (i % 2) * (i < 2 ? 3 : 2) * HOUR;
	w->peers = mem_alloc(opt->sites * sizeof *w->peers);
	w->messages = mem_alloc(opt->messages * sizeof *w->messages);
	world_peers(w, &r);
	world_messages(w, &r);
}

static void
world_free(struct world *w)
{
	for (uint32_t i = 0; i < w->opt.sites; i++)
		free(w->peers[i].sent);
	free(w->peers);
	free(w->messages);
}

/* --- what a site does, and whether it was treated well */

enum answer { OK, GREY, BUSY, TOO_FAST, NO_SUCH_USER, UNREACHABLE };

static void
world_connect_begins(struct world *w, struct peer *p)
{
	p->connections++;
	w->res->connections++;
	if (p->connections > SITE_CONNECTIONS)
		broken(w, "%u connections to one site", p->connections);
	if (w->now_ms >= p->not_before_ms)
		p->asked = false;
	else
		broken(w, "site %td disturbed %" PRId64 " ms too early", p - w->peers,
		    p->not_before_ms - w->now_ms);
}

static void
world_hint(struct world *w, struct peer *p, uint32_t *hint_s)
{
	*hint_s = p->hint_s;
	if (p->hint_s == 0)
		return;
	p->asked = true;
	if (w->now_ms + p->hint_s * SECOND > p->not_before_ms)
		p->not_before_ms = w->now_ms + p->hint_s * SECOND;
}

static enum answer
world_connect(struct world *w, struct peer *p, uint32_t *hint_s)
{
	uint64_t shortest_ms = w->policy.min_s * SECOND * 3 / 4;
	bool down = p->kind == DEAD ||
	    (p->kind == OUTAGES && w->now_ms % p->period_ms < p->down_ms);

	*hint_s = 0;
	if (down) {
		if (w->now_ms + (int64_t)shortest_ms > p->not_before_ms)
			p->not_before_ms = w->now_ms + (int64_t)shortest_ms;
		return UNREACHABLE;
	}
	if (p->kind == MUTE || (p->kind == CROWDED && p->connections > p->room)) {
		world_hint(w, p, hint_s);
		return BUSY;
	}
	if (!p->asked) /* a connection that works says that others will */
		p->not_before_ms = INT64_MIN;
	return OK;
}

static void
world_attempt_begins(struct world *w, uint32_t msg)
{
	struct message *m = &w->messages[msg];
	struct peer *p = peer_of(w, m->domain);
	uint64_t wait = w->policy.min_s;

	for (uint32_t n = 1; n < m->attempts && wait < w->policy.max_s; n++)
		wait = wait * 2 < w->policy.max_s ? wait * 2 : w->policy.max_s;
	if (m->attempts > 0 && w->now_ms < m->failed_ms + (int64_t)wait * 750 - SECOND &&
	    !jumped_between(w, m->failed_ms, w->now_ms))
		broken(w, "message %u tried again %" PRId64 " ms after attempt %u", msg,
		    w->now_ms - m->failed_ms, m->attempts);
	if (w->opt.overtake && m->stream == MAIL)
		w->res->mail_wait_ms = w->now_ms - m->born_ms;
	if (!p->our_rate)
		return;
	if (p->sent[p->sent_at] > 0 && p->sent[p->sent_at] + 60 > w->now_ms / SECOND)
		broken(w, "over %u messages a minute", p->our_rate);
	p->sent[p->sent_at] = (uint32_t)(w->now_ms / SECOND);
	p->sent_at = (p->sent_at + 1) % p->sent_n;
}

static enum answer
world_attempt(struct world *w, uint32_t msg, uint32_t *hint_s)
{
	struct message *m = &w->messages[msg];
	struct peer *p = peer_of(w, m->domain);
	uint64_t dice = mix(w->opt.seed ^ (uint64_t)msg << 20 ^ m->attempts) % 100;

	*hint_s = 0;
	if (p->kind == GREYLIST && m->attempts == 0) {
		*hint_s = p->hint_s / 10;
		return GREY;
	}
	if (p->minute != w->now_ms / MINUTE) {
		p->minute = w->now_ms / MINUTE;
		p->minute_sent = 0;
	}
	if (p->kind == RATED && ++p->minute_sent > p->room) {
		world_hint(w, p, hint_s);
		return TOO_FAST;
	}
	if (p->kind == FLAKY && dice < 20)
		return GREY;
	return m->doomed ? NO_SUCH_USER : OK;
}

/* --- from place to place */

static void
world_move(struct world *w, uint32_t msg, enum place from, enum place to)
{
	struct message *m = &w->messages[msg];

	if (m->place != from)
		broken(w, "message %u: from %d to %d, but it was at %d", msg, from, to, m->place);
	m->place = (uint8_t)to;
	w->done += to >= DELIVERED;
}

static void
world_ends(struct world *w, uint32_t msg, enum place from, enum place to)
{
	struct message *m = &w->messages[msg];
	int64_t age = w->now_ms - m->born_ms, lifetime = (int64_t)w->policy.lifetime_s * SECOND;
	/* The last wait may have begun just before the end, and the site be closed after it; each
	 * time the run that finds the message may be the one after a long run. */
	int64_t most = lifetime + (int64_t)w->policy.max_s * 2500 + 3 * 11 * MINUTE;

	world_move(w, msg, from, to);
	if (to == EXPIRED && age < lifetime - SECOND &&
	    m->born_s == EPOCH_S + (uint64_t)m->born_ms / SECOND)
		broken(w, "message %u expired after %" PRId64 " ms", msg, age);
	if (to == EXPIRED && age < lifetime / 2)
		broken(w, "message %u of a wrong clock expired after %" PRId64 " ms", msg, age);
	if (age > most && !jumped_between(w, m->born_ms, w->now_ms))
		broken(w, "message %u kept for %" PRId64 " ms, site %u of kind %d", msg, age,
		    m->domain / 2, peer_of(w, m->domain)->kind);
	w->res->delivered += to == DELIVERED;
	w->res->refused += to == REFUSED;
	w->res->expired += to == EXPIRED;
	if (m->attempts > w->res->most_attempts)
		w->res->most_attempts = m->attempts;
	note(w, "UQWFDRX"[to], msg, m->attempts);
}

#endif
