/* schedule.h - which message goes next, over which site's connection.  Pure; not thread-safe.
 *
 * A site may have parts: sets of hosts, or ways to them, between which a connection is of no use.  What
 * waits for a part and its connections are its own; pace, rate, tokens and the streams' shares are the
 * site's; and that its hosts cannot be reached is its own trouble.  Parts of a site take turns.  A part has
 * a number, which all functions below take for a site's; a site that was made without parts is its own.
 *
 * Two questions, one structure.  Between streams (traffic classes) weighted fair queueing:
 * each stream has a virtual time that advances by cost/weight, the stream that is furthest
 * behind goes first, and a stream that was idle starts at the present (less a credit of one
 * SCHED_QUANTUM, lest a moment's lead count against it), so a password reset overtakes 100,000
 * newsletters.  Between the sites of one stream deficit round robin by cost.  Within a (site,
 * stream) first come, first served.  At one site its streams share by weight again, by a
 * virtual time of the site's own: what arrives in a stream that had nothing waiting there is
 * the next to go over any of its connections, and a slow site starves none of its streams.
 *
 * While the total of connections is used up they move between streams and sites one at a
 * time, at most one for each SCHED_QUANTUM sent, so connections stay worth their making.  A
 * stream that has just got something to send is given the first one at once.
 *
 * The caller owns the threads and the clock.  It gives items (handles it chose), asks for
 * orders, and reports outcomes; the scheduler holds a struct pace a site and obeys it.  Items
 * are 32-bit handles; memory is at most 16 bytes a queued item beside the per-site and
 * per-stream parts (about 200 bytes a site with one stream).  Each call costs O(log sites +
 * streams), amortized; a site that may not be used now is not looked at again before the event or
 * the time that can change it.  All times are milliseconds as in pace.h.
 */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "pace.h"

#include <stdbool.h>
#include <stdint.h>

struct sched;

#define SCHED_WEIGHT_MAX 1000
#define SCHED_OVERHEAD 4096      /* what a message costs beside its bytes: its round trips */
#define SCHED_QUANTUM 262144     /* cost a turn: 32 messages of 4 KiB */
#define SCHED_PATIENCE_MS 1000   /* a connection is kept for a wait this long */
#define SCHED_GRACE_MS 100       /* a new token is for the connections there are, before new ones */

struct sched *sched_new(uint32_t connections, uint64_t seed); /* of all sites together */
void sched_del(struct sched *s);

uint32_t sched_add_stream(struct sched *s, uint32_t weight); /* 1 to SCHED_WEIGHT_MAX */
/* many: it may get parts; the number is the first one's. */
uint32_t sched_add_site(struct sched *s, const struct pace_limits *limits, bool many, int64_t now_ms);
uint32_t sched_add_part(struct sched *s, uint32_t of, int64_t now_ms); /* another of that one's site */
/* To load what was learned (before the first push to the site) and to save it; stays where it is
 * as long as s.  Events go through sched_report. */
struct pace *sched_pace(struct sched *s, uint32_t site);
/* Whether the part's own hosts can be reached: the site's pace where it has no parts. */
struct pace *sched_health(struct sched *s, uint32_t site);

/* cost: bytes of content; SCHED_OVERHEAD is added. */
void sched_push(struct sched *s, uint32_t site, uint32_t stream, uint32_t item, uint32_t cost);

/* An item that was sent to a worker and comes back as if it had not been: the next of its lane.
 * For a start that led to no connection, a name that had to be resolved first. */
void sched_return(struct sched *s, uint32_t site, uint32_t stream, uint32_t item, uint32_t cost);

/* Items of `from`, of one stream or of all, move behind those of `into`, keeping their order; `from`
 * stays.  Connections counted at `from` stay counted there.  O(streams). */
#define SCHED_ALL UINT32_MAX
void sched_merge(struct sched *s, uint32_t from, uint32_t stream, uint32_t into);

enum sched_what {
	SCHED_SEND,  /* item is the caller's now; a connection (and a token) is counted for it */
	SCHED_WAIT,  /* nothing may start before until_ms, or before the next push or report */
	SCHED_CLOSE  /* only from sched_more: end this connection, then sched_left */
};
struct sched_order {
	enum sched_what what;
	uint32_t site, stream, item;
	int64_t until_ms; /* INT64_MAX: no timer, only an event can change it */
};

/* For a worker without a connection: SEND counts a new connection at order.site. */
struct sched_order sched_start(struct sched *s, int64_t now_ms);

/* For a worker whose connection to site is free again: SEND on the same connection; WAIT keeps
 * it (the caller's idle limit is the caller's); CLOSE where
 * - the site allows fewer connections than it has, or asked for a pause over SCHED_PATIENCE_MS,
 * - the site has nothing more and others wait, or the part has nothing more and others of its site do,
 * - the site has all the connections it may have, and a stream that is further behind at it waits for another
 *   part, or this part's turn is over and another one waits,
 * - no connection of the total is left and a stream that is further behind waits elsewhere, or
 *   this site's turn is over and another of its stream waits, or its rate lets nothing go within
 *   SCHED_PATIENCE_MS and others wait. */
struct sched_order sched_more(struct sched *s, uint32_t site, int64_t now_ms);

/* A connection to site has ended (or a start did not lead to one). */
void sched_left(struct sched *s, uint32_t site);

/* No new connections to the site before until_ms, for a reason that is not the site's: its slots
 * are another process's.  Connections that exist go on.  A time in the past ends it. */
void sched_hold(struct sched *s, uint32_t site, int64_t until_ms);

void sched_report(struct sched *s, uint32_t site, enum pace_event what, uint64_t hint_s,
    int64_t now_ms);

/* Takes one waiting item of the site, the one pushed first of all streams; false where none is
 * left.  For a site that is closed (its messages move to a later hour) and for what a run leaves
 * over. */
bool sched_take(struct sched *s, uint32_t site, uint32_t *stream, uint32_t *item);
bool sched_take_any(struct sched *s, uint32_t *site, uint32_t *stream, uint32_t *item);

int64_t sched_now(const struct sched *s); /* the latest time that it was told */
uint64_t sched_waiting(const struct sched *s);                     /* items in all */
uint64_t sched_waiting_at(const struct sched *s, uint32_t site);
uint32_t sched_connections(const struct sched *s, uint32_t site);  /* in use, of all parts */

#endif
