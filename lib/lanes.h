/* lanes.h - what waits in the scheduler, and who of it could go: the structures behind schedule.h.
 *
 * Everything is an index into a pool: nothing moves (sched_pace hands out addresses), and an item is
 * 16 bytes.
 *
 *   site   one receiving operation; owns its shares
 *   part   of a site: what connections are made to; owns its lanes
 *   lane   what waits for one (part, stream): a FIFO of items.  While its part is ready and it has
 *          items it stands in its share's ring
 *   share  what waits for one (site, stream).  While its site is ready and it has lanes in its ring
 *          it stands in its stream's round
 *   stream its round, and how far it has come
 *   timers the sites and the parts that wait for a time
 *
 * A site is ready when it has items, may have one more connection and is not known to be out of
 * tokens; a part when it has items and its own health does not speak against a connection.
 * lanes_update_site() and lanes_update_part() are the only places that decide this; every operation
 * that could change it ends there.
 */
#ifndef LANES_H
#define LANES_H

#include "pace.h"
#include "pool.h"
#include "timers.h"

#define LANES_NONE UINT32_MAX
#define LANES_ALL UINT32_MAX /* streams */
#define LANES_QUANTUM 262144 /* cost a turn */
/* Virtual time is cost << LANES_VT_BITS / weight, so that weights up to 1000 matter. */
#define LANES_VT_BITS 10

struct item {
	uint32_t next, handle, cost;
	uint32_t age; /* order of pushing, compared modulo 2^32 */
};

struct link {
	uint32_t before, after;
	bool in;
};
struct ring {
	uint32_t first, last;
};

struct lane {
	struct link link;        /* in the share's ring */
	uint32_t part, share;
	uint32_t first, last, n; /* items */
	uint32_t sibling;        /* next lane of the part, or free lane */
	int64_t deficit;         /* of its turn among the lanes of the share */
};

struct share {
	struct link link;        /* in the stream's round */
	struct ring lanes;       /* those that could go */
	uint32_t site, stream;
	uint32_t n_lanes;        /* that are its, with items or without */
	uint32_t sibling;        /* next share of the site, or free share */
	bool forced;             /* it has taken another's connection since it last had nothing to start */
	uint64_t vt;             /* within the site */
	int64_t deficit;
};

struct part {
	struct link link;        /* in the list of those with items */
	struct pace health;      /* of a site with several: this one's failures */
	uint32_t site, lanes, waiting, connections;
	bool ready;
};

struct site {
	struct pace pace;
	uint64_t vt;           /* where the one served last began */
	int64_t hold_start_ms; /* no new connections before: out of tokens, or as told */
	uint32_t shares, waiting;
	uint32_t connections, closing; /* of connections, `closing` were told to CLOSE */
	bool many;             /* it has several parts, or may get them */
	bool ready;
};

struct stream {
	uint32_t weight;
	struct ring round;
	uint64_t vt;
	uint64_t forced_vt;   /* sched.lead when it last took a connection from another */
	bool forced;          /* it did since it last had nothing to start */
};

struct sched {
	struct pool items, lanes, shares, parts, sites;
	uint32_t free_item, free_lane, free_share;
	struct stream *streams;
	uint32_t n_streams;
	struct timers site_timers, part_timers;
	struct ring busy; /* parts with items */
	uint32_t limit, connections, closing; /* sums of the sites' */
	uint32_t age;
	uint64_t waiting;
	uint64_t lead;   /* the furthest virtual time at which a stream was served */
	uint64_t credit; /* no stream is further behind the lead than this */
	uint64_t random;
	int64_t now_ms;
};

/* --- by number */

static inline struct item *
item_at(const struct sched *s, uint32_t i)
{
	return pool_at(&s->items, i);
}

static inline struct lane *
lane_at(const struct sched *s, uint32_t i)
{
	return pool_at(&s->lanes, i);
}

static inline struct share *
share_at(const struct sched *s, uint32_t i)
{
	return pool_at(&s->shares, i);
}

static inline struct part *
part_at(const struct sched *s, uint32_t i)
{
	return pool_at(&s->parts, i);
}

static inline struct site *
site_at(const struct sched *s, uint32_t i)
{
	return pool_at(&s->sites, i);
}

static inline struct site *
site_of(const struct sched *s, uint32_t part)
{
	return site_at(s, part_at(s, part)->site);
}

/* --- what changes who could go */

void lanes_update_site(struct sched *s, uint32_t site);
/* first: its lanes go before the others of their shares. */
void lanes_update_part(struct sched *s, uint32_t part, bool first);
void lanes_tick(struct sched *s, int64_t now_ms);

void lanes_put(struct sched *s, uint32_t part, uint32_t stream, struct item it, bool first);
struct item lanes_pop(struct sched *s, struct lane *l); /* without an update */
void lanes_merge(struct sched *s, uint32_t from, uint32_t stream, uint32_t into);
/* The lane that items of the stream would be put into. */
struct lane *lanes_of(struct sched *s, uint32_t part, uint32_t stream);

/* To the end of the ring that it stands in. */
void lanes_turn(const struct pool *of, struct ring *r, uint32_t i);

#endif
