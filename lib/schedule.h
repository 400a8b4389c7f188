/* schedule.h - which message goes next, over which site's connection.  Pure; not thread-safe.
 *
 * Two questions, one structure.  Between streams (traffic classes) weighted fair queueing:
 * each stream has a virtual time that advances by cost/weight, the stream that is furthest
 * behind goes first, and a stream that was idle starts at the present, so a password reset
 * overtakes 100,000 newsletters.  Between the sites of one stream deficit round robin by
 * cost.  Within a (site, stream) first come, first served.
 *
 * The caller owns the threads and the clock.  It gives items (handles it chose), asks for
 * orders, and reports outcomes; the scheduler holds a struct pace a site and obeys it.  Items
 * are 32-bit handles; memory is at most 16 bytes a queued item beside the per-site and
 * per-stream parts.  All times are milliseconds as in pace.h.
 */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "pace.h"

#include <stdbool.h>
#include <stdint.h>

struct sched;

struct sched *sched_new(uint32_t connections, uint64_t seed); /* of all sites together */
void sched_del(struct sched *s);

uint32_t sched_add_stream(struct sched *s, uint32_t weight);
uint32_t sched_add_site(struct sched *s, const struct pace_limits *limits, int64_t now_ms);
struct pace *sched_pace(struct sched *s, uint32_t site); /* to load and save what was learned */

/* cost: bytes of content, at least 1 is counted. */
void sched_push(struct sched *s, uint32_t site, uint32_t stream, uint32_t item, uint32_t cost);

/* Items of `from` move behind those of `into`, keeping their order; `from` stays, empty. */
void sched_merge(struct sched *s, uint32_t from, uint32_t into);

enum sched_what {
	SCHED_SEND,  /* item is the caller's now; a connection (and a token) is counted for it */
	SCHED_WAIT,  /* nothing may start before until_ms, or before the next push or report */
	SCHED_CLOSE  /* only from sched_more: end this connection, others need it more */
};
struct sched_order {
	enum sched_what what;
	uint32_t site, stream, item;
	int64_t until_ms; /* INT64_MAX: no timer, only an event can change it */
};

/* For a worker without a connection: SEND counts a new connection at order.site. */
struct sched_order sched_start(struct sched *s, int64_t now_ms);

/* For a worker whose connection to site is free again: SEND on the same connection; WAIT keeps
 * it; CLOSE where the site has nothing more and others wait, or where a stream that is further
 * behind waits elsewhere and no connection of the total is left for it. */
struct sched_order sched_more(struct sched *s, uint32_t site, int64_t now_ms);

/* A connection to site has ended (or a start did not lead to one). */
void sched_left(struct sched *s, uint32_t site);

void sched_report(struct sched *s, uint32_t site, enum pace_event what, uint64_t hint_s,
    int64_t now_ms);

/* Takes one waiting item of the site, any stream, oldest first; false where none is left.  For a site that is
 * closed (its messages move to a later hour) and for what a run leaves over. */
bool sched_take(struct sched *s, uint32_t site, uint32_t *stream, uint32_t *item);
bool sched_take_any(struct sched *s, uint32_t *site, uint32_t *stream, uint32_t *item);

uint64_t sched_waiting(const struct sched *s);                     /* items in all */
uint64_t sched_waiting_at(const struct sched *s, uint32_t site);
uint32_t sched_connections(const struct sched *s, uint32_t site);  /* in use */

#endif
