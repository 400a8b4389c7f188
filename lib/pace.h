/* pace.h - how hard one site may be driven.  Pure: events and time in, permission out.
 *
 * Connections: additive increase, multiplicative decrease.  A new site starts at
 * PACE_START connections.  Until it first says slow down (421, or 4xx that speak of rate or
 * load) every message that goes well allows one more, so that a site with room is used in
 * a few round trips; from then on it takes as many messages as there are connections.
 * Slow down halves them, once in PACE_SETTLE_MS: what the other connections are told at
 * the same moment is the same news.
 * Before any connection has worked there are at most `untried`: a site that says nothing must
 * not hold all connections of a run until its timeout is over.
 * Rate: a token bucket of `rate` messages a minute, 0 for no limit; at most one second's worth
 * (or one message) goes at once, so any minute sees at most rate + max(1, rate / 60).
 * Health: a connection that cannot be made, or slow down said to the only one allowed, closes
 * the site for a backoff that doubles until a message gets through; meanwhile one connection
 * at a time is tried, when it is open again.  What is told while it is closed comes from
 * connections begun before and counts once.  A connection that works opens what failures closed.
 * A hint of the peer ("try again in 300 seconds") closes the site for that long, at most
 * PACE_HINT_MAX_S, and stands for the first backoff.  A wait chosen here never costs a message
 * an attempt.
 *
 * Times are milliseconds on any clock that does not jump (the caller converts for storage).
 */
#ifndef PACE_H
#define PACE_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>
#include <stdint.h>

#define PACE_START 8
#define PACE_SETTLE_MS 1000
#define PACE_HINT_MAX_S 86400
#define PACE_RATE_MAX 4000000 /* messages a minute; more is no limit one could notice */

struct pace_limits {
	uint32_t connections;     /* never more than this; 0 is taken as 1 */
	uint32_t rate_per_min;    /* 0: no limit */
	uint64_t retry_min_ms, retry_max_ms; /* closing a dead site: first and longest */
	uint32_t untried;         /* connections before one has ever worked; 0: as many as ever */
};

struct pace {
	struct pace_limits limits;
	uint32_t allowed;     /* connections at present, 1 to limits.connections */
	uint32_t good;        /* messages gone well since the last change */
	uint32_t failures;    /* since a message last got through */
	uint32_t tokens;      /* 60,000ths of a message that may go: a millisecond adds `rate` */
	int64_t tokens_at_ms; /* when the token bucket was last filled */
	int64_t closed_until_ms; /* open where this is not in the future */
	int64_t settle_ms;    /* until then a slow down is old news */
	bool slowed;          /* it has said slow down: grow with care */
	bool met;             /* a connection has worked, now or in an earlier run */
	bool asked;           /* closed at its wish: connections that work must end too */
};

enum pace_event {
	PACE_DELIVERED,  /* a message went through, or was refused for its own sake */
	PACE_CONNECTED,  /* a connection reached the point of MAIL */
	PACE_SLOW_DOWN,  /* the site asks for less: 421, "too many connections", "rate" */
	PACE_UNREACHABLE /* no host of the site could be talked to */
};

void pace_init(struct pace *p, const struct pace_limits *limits, int64_t now_ms);

/* hint_s: what the peer asked us to wait, 0 where it said nothing.  random: any 64 bits. */
void pace_event(struct pace *p, enum pace_event what, uint64_t hint_s, int64_t now_ms,
    uint64_t random);

/* Whether one more connection (of `have` now) and one more message may start at now_ms; if not,
 * *when_ms says when to ask again (INT64_MAX: when a connection ends). */
bool pace_may_connect(const struct pace *p, uint32_t have, int64_t now_ms, int64_t *when_ms);
bool pace_may_send(struct pace *p, int64_t now_ms, int64_t *when_ms); /* takes a token when true */
bool pace_closed(const struct pace *p, int64_t now_ms, int64_t *until_ms);

/* Others have used the rate up: no message may start before when_ms, which is at most the time of
 * one message away. */
void pace_spent(struct pace *p, int64_t when_ms);

/* One line "allowed=8 slowed=0 failures=2 closed_for=300", without its LF, to keep between runs,
 * and back (one LF at the end is let pass).  closed_for is in seconds from now_ms, rounded up; to
 * pace_parse give the time of writing on the present clock, that is now less the line's age, lest
 * each run close the site anew.  A line that is not one of ours leaves p as it was and returns
 * false; numbers over the limits of p are cut to them. */
void pace_text(const struct pace *p, int64_t now_ms, struct buf *out);
bool pace_parse(struct pace *p, struct span line, int64_t written_ms);

#endif
