/* pace.h - how hard one site may be driven.  Pure: events and time in, permission out.
 *
 * Connections: additive increase, multiplicative decrease.  A new site starts at
 * PACE_START connections, gains one for every `window` messages that went well, and
 * loses half when the site says slow down (421, or 4xx that speak of rate or load).
 * Rate: a token bucket of `rate` messages a minute, 0 for no limit.
 * Health: a connection that cannot be made closes the site for a backoff that doubles
 * with each failure in a row; one that works opens it again.  A hint of the peer ("try again
 * in 300 seconds") closes it for that long.  A wait chosen here never costs a message an attempt.
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

struct pace_limits {
	uint32_t connections;     /* never more than this */
	uint32_t rate_per_min;    /* 0: no limit */
	uint64_t retry_min_ms, retry_max_ms; /* closing a dead site: first and longest */
};

struct pace {
	struct pace_limits limits;
	uint32_t allowed;     /* connections at present, 1 to limits.connections */
	uint32_t good;        /* messages gone well since the last change */
	uint32_t failures;    /* connections in a row that could not be made */
	int64_t closed_until_ms; /* 0: open */
	int64_t tokens_at_ms; /* when the token bucket was last filled */
	uint32_t tokens_milli; /* thousandths of a message that may go at once */
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

/* One line "allowed=8 failures=2 closed_for=300" to keep between runs, and back.  closed_for is
 * in seconds from now_ms.  A line that is not one of ours leaves p as it was and returns false. */
void pace_text(const struct pace *p, int64_t now_ms, struct buf *out);
bool pace_parse(struct pace *p, struct span line, int64_t now_ms);

#endif
