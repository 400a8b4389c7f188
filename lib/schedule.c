#include "schedule.h"

#include "pool.h"

#include <stdlib.h>

/* Everything is an index into a pool: nothing moves (sched_pace hands out addresses), and an item
 * is 16 bytes.
 *
 *   site   one receiving operation; owns its lanes
 *   lane   what waits for one (site, stream): a FIFO of items.  While its site is ready and it
 *          has items it stands in its stream's round of ready lanes.
 *   stream its round, and how far it has come
 *   timer  heap of the sites that wait for a time, the earliest on top
 *
 * A site is ready when it has items, may have one more connection and is not known to be out of
 * tokens.  update() is the only place that decides this; every operation that could change it
 * ends there. */

#define NONE UINT32_MAX
#define VT_BITS 10 /* virtual time: cost << VT_BITS / weight, so that weights up to 1000 matter */

struct item {
	uint32_t next, handle, cost;
	uint32_t age; /* order of pushing, compared modulo 2^32 */
};

struct lane {
	uint32_t site, stream;
	uint32_t first, last, n; /* items */
	uint32_t sibling;        /* next lane of the site, or free lane */
	uint32_t before, after;  /* in the stream's round */
	bool in_round;
	uint64_t vt;             /* within the site */
	int64_t deficit;
};

struct site {
	struct pace pace;
	uint64_t vt;           /* where the one served last began */
	int64_t timer_ms;
	int64_t hold_start_ms; /* no new connections before: out of tokens, or as told */
	uint32_t lanes, waiting;
	uint32_t connections, closing; /* of connections, `closing` were told to CLOSE */
	uint32_t heap_at;      /* NONE: waits for no time */
	uint32_t before, after; /* in the list of sites with items */
	bool ready;
};

struct stream {
	uint32_t weight;
	uint32_t first, last; /* its round */
	uint64_t vt;
	uint64_t forced_vt;   /* sched.lead when it last took a connection from another */
	bool forced;          /* it did since it last had nothing to start */
};

struct sched {
	struct pool items, lanes, sites;
	uint32_t free_item, free_lane;
	struct stream *streams;
	uint32_t n_streams;
	uint32_t *heap, n_heap, heap_room;
	uint32_t busy_first; /* sites with items */
	uint32_t limit, connections, closing; /* sums of the sites' */
	uint32_t age;
	uint64_t waiting;
	uint64_t lead;   /* the furthest virtual time at which a stream was served */
	uint64_t credit; /* no stream is further behind the lead than this */
	uint64_t random;
	int64_t now_ms;
};

/* --- by number */

static struct item *
item_at(const struct sched *s, uint32_t i)
{
	return pool_at(&s->items, i);
}

static struct lane *
lane_at(const struct sched *s, uint32_t i)
{
	return pool_at(&s->lanes, i);
}

static struct site *
site_at(const struct sched *s, uint32_t i)
{
	return pool_at(&s->sites, i);
}

static uint32_t
item_new(struct sched *s)
{
	uint32_t i = s->free_item;

	if (i == NONE)
		return pool_add(&s->items);
	s->free_item = item_at(s, i)->next;
	return i;
}

static uint32_t
lane_new(struct sched *s)
{
	uint32_t i = s->free_lane;

	if (i == NONE)
		return pool_add(&s->lanes);
	s->free_lane = lane_at(s, i)->sibling;
	return i;
}

/* --- the timer heap */

static bool
heap_less(const struct sched *s, uint32_t a, uint32_t b)
{
	const struct site *x = site_at(s, a), *y = site_at(s, b);

	return x->timer_ms < y->timer_ms || (x->timer_ms == y->timer_ms && a < b);
}

static void
heap_put(struct sched *s, uint32_t at, uint32_t site)
{
	s->heap[at] = site;
	site_at(s, site)->heap_at = at;
}

static void
heap_sift(struct sched *s, uint32_t at, uint32_t site)
{
	uint32_t child;

	while (at > 0 && heap_less(s, site, s->heap[(at - 1) / 2])) {
		heap_put(s, at, s->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	while ((child = at * 2 + 1) < s->n_heap) {
		if (child + 1 < s->n_heap && heap_less(s, s->heap[child + 1], s->heap[child]))
			child++;
		if (!heap_less(s, s->heap[child], site))
			break;
		heap_put(s, at, s->heap[child]);
		at = child;
	}
	heap_put(s, at, site);
}

static void
timer_clear(struct sched *s, uint32_t site)
{
	struct site *t = site_at(s, site);
	uint32_t at = t->heap_at;

	if (at == NONE)
		return;
	t->heap_at = NONE;
	s->n_heap--;
	if (at < s->n_heap)
		heap_sift(s, at, s->heap[s->n_heap]);
}

static void
timer_set(struct sched *s, uint32_t site, int64_t when_ms)
{
	struct site *t = site_at(s, site);

	if (t->heap_at != NONE && t->timer_ms == when_ms)
		return;
	timer_clear(s, site);
	t->timer_ms = when_ms;
	if (s->n_heap == s->heap_room) {
		s->heap_room = s->heap_room ? s->heap_room * 2 : 64;
		s->heap = mem_grow(s->heap, s->heap_room, sizeof *s->heap);
	}
	heap_sift(s, s->n_heap++, site);
}

/* --- who is ready */

static void
round_leave(struct sched *s, uint32_t lane)
{
	struct lane *l = lane_at(s, lane);
	struct stream *m = &s->streams[l->stream];

	if (!l->in_round)
		return;
	l->in_round = false;
	if (l->before == NONE)
		m->first = l->after;
	else
		lane_at(s, l->before)->after = l->after;
	if (l->after == NONE)
		m->last = l->before;
	else
		lane_at(s, l->after)->before = l->before;
}

static void
round_join(struct sched *s, uint32_t lane)
{
	struct lane *l = lane_at(s, lane);
	struct stream *m = &s->streams[l->stream];

	if (l->in_round)
		return;
	if (m->first == NONE)
		m->forced = false;
	l->in_round = true;
	l->before = m->last;
	l->after = NONE;
	if (m->last == NONE)
		m->first = lane;
	else
		lane_at(s, m->last)->after = lane;
	m->last = lane;
}

static void
update(struct sched *s, uint32_t id)
{
	struct site *t = site_at(s, id);
	int64_t when = INT64_MAX;

	t->ready = t->waiting > 0 &&
	    pace_may_connect(&t->pace, t->connections, s->now_ms, &when);
	if (t->ready && t->hold_start_ms > s->now_ms) {
		t->ready = false;
		when = t->hold_start_ms;
	}
	if (t->waiting == 0 || t->ready || when == INT64_MAX)
		timer_clear(s, id);
	else
		timer_set(s, id, when);
	for (uint32_t l = t->lanes; l != NONE; l = lane_at(s, l)->sibling)
		if (t->ready && lane_at(s, l)->n > 0)
			round_join(s, l);
		else
			round_leave(s, l);
}

static void
tick(struct sched *s, int64_t now_ms)
{
	if (now_ms > s->now_ms)
		s->now_ms = now_ms;
	while (s->n_heap > 0 && site_at(s, s->heap[0])->timer_ms <= s->now_ms)
		update(s, s->heap[0]);
}

/* --- counting what waits */

static void
site_gains(struct sched *s, uint32_t id, uint32_t n)
{
	struct site *t = site_at(s, id);

	if (t->waiting == 0) {
		t->before = NONE;
		t->after = s->busy_first;
		if (s->busy_first != NONE)
			site_at(s, s->busy_first)->before = id;
		s->busy_first = id;
	}
	t->waiting += n;
}

static void
site_loses(struct sched *s, uint32_t id, uint32_t n)
{
	struct site *t = site_at(s, id);

	t->waiting -= n;
	if (t->waiting > 0)
		return;
	if (t->before == NONE)
		s->busy_first = t->after;
	else
		site_at(s, t->before)->after = t->after;
	if (t->after != NONE)
		site_at(s, t->after)->before = t->before;
}

static uint32_t
lane_of(struct sched *s, uint32_t site, uint32_t stream)
{
	struct site *t = site_at(s, site);
	uint32_t l;

	for (l = t->lanes; l != NONE; l = lane_at(s, l)->sibling)
		if (lane_at(s, l)->stream == stream)
			return l;
	l = lane_new(s);
	*lane_at(s, l) = (struct lane){.site = site, .stream = stream, .first = NONE, .last = NONE,
	    .sibling = t->lanes, .before = NONE, .after = NONE};
	t->lanes = l;
	return l;
}

/* The lane had nothing: at its site it goes next, and a turn lies before it. */
static void
lane_wakes(struct sched *s, struct lane *l)
{
	uint64_t vt = site_at(s, l->site)->vt;

	if (l->vt < vt)
		l->vt = vt;
	l->deficit = SCHED_QUANTUM;
}

static struct item
lane_pop(struct sched *s, struct lane *l)
{
	uint32_t i = l->first;
	struct item *it = item_at(s, i), copy = *it;

	l->first = it->next;
	if (--l->n == 0)
		l->last = NONE;
	it->next = s->free_item;
	s->free_item = i;
	s->waiting--;
	site_loses(s, l->site, 1);
	return copy;
}

/* --- choosing */

/* Of the site's lanes with items the one that goes next there; the site has items. */
static struct lane *
site_next(const struct sched *s, const struct site *t)
{
	struct lane *best = NULL;

	for (uint32_t i = t->lanes; i != NONE; i = lane_at(s, i)->sibling) {
		struct lane *l = lane_at(s, i);

		if (l->n > 0 && (!best || l->vt < best->vt || (l->vt == best->vt &&
		    s->streams[l->stream].weight > s->streams[best->stream].weight)))
			best = l;
	}
	return best;
}

static uint64_t
stream_vt(const struct sched *s, const struct stream *m)
{
	uint64_t least = s->lead > s->credit ? s->lead - s->credit : 0;

	return m->vt > least ? m->vt : least;
}

/* Whether the stream could start a connection to another site than this (NONE: to any). */
static bool
stream_waits(const struct sched *s, const struct stream *m, uint32_t site)
{
	if (m->first == NONE)
		return false;
	return lane_at(s, m->first)->site != site || lane_at(s, m->first)->after != NONE;
}

/* The stream furthest behind of those that could start elsewhere; NULL if there is none. */
static struct stream *
furthest_behind(const struct sched *s, uint32_t site)
{
	struct stream *best = NULL;

	for (uint32_t i = 0; i < s->n_streams; i++) {
		struct stream *m = &s->streams[i];
		uint64_t a, b;

		if (!stream_waits(s, m, site))
			continue;
		if (best) {
			a = stream_vt(s, m);
			b = stream_vt(s, best);
			if (a > b || (a == b && m->weight <= best->weight))
				continue;
		}
		best = m;
	}
	return best;
}

/* The ready lane whose turn it is in this stream's round; the round is not empty.  A lane that
 * has used more than its turns waits until they have come round again. */
static uint32_t
round_next(struct sched *s, struct stream *m)
{
	uint32_t i = m->first;

	while (lane_at(s, i)->deficit <= 0) {
		lane_at(s, i)->deficit += SCHED_QUANTUM;
		round_leave(s, i);
		round_join(s, i);
		i = m->first;
	}
	return i;
}

/* Takes the site's next item and charges for it. */
static struct sched_order
send(struct sched *s, uint32_t id)
{
	struct site *t = site_at(s, id);
	struct lane *l = site_next(s, t);
	struct stream *m = &s->streams[l->stream];
	struct item it = lane_pop(s, l);
	uint64_t cost = (uint64_t)it.cost + SCHED_OVERHEAD;
	uint64_t share = (cost << VT_BITS) / m->weight;

	t->vt = l->vt;
	l->vt += share;
	l->deficit -= (int64_t)cost;
	m->vt = stream_vt(s, m);
	if (m->vt > s->lead)
		s->lead = m->vt;
	m->vt += share;
	update(s, id);
	return (struct sched_order){.what = SCHED_SEND, .site = id, .stream = l->stream,
	    .item = it.handle, .until_ms = INT64_MAX};
}

/* Takes a token.  Without one the site is not started before the next token, and a while later
 * where connections to it are waiting for that token too. */
static bool
token(struct sched *s, uint32_t id, int64_t *when_ms)
{
	struct site *t = site_at(s, id);

	if (pace_may_send(&t->pace, s->now_ms, when_ms))
		return true;
	if (t->hold_start_ms <= s->now_ms)
		t->hold_start_ms = *when_ms + (t->connections > 0 ? SCHED_GRACE_MS : 0);
	update(s, id);
	return false;
}

struct sched_order
sched_start(struct sched *s, int64_t now_ms)
{
	struct sched_order none = {.what = SCHED_WAIT, .site = NONE, .stream = NONE, .item = NONE,
	    .until_ms = INT64_MAX};
	struct stream *m;
	int64_t when;

	tick(s, now_ms);
	if (s->connections >= s->limit)
		return none;
	while ((m = furthest_behind(s, NONE))) {
		uint32_t lane = round_next(s, m);
		uint32_t id = lane_at(s, lane)->site;
		struct site *t = site_at(s, id);

		if (!pace_may_connect(&t->pace, t->connections, s->now_ms, &when)) {
			update(s, id); /* the caller has touched its pace */
			continue;
		}
		if (!token(s, id, &when))
			continue;
		round_leave(s, lane); /* the next start is the next site's */
		round_join(s, lane);
		t->connections++;
		s->connections++;
		return send(s, id);
	}
	if (s->n_heap > 0)
		none.until_ms = site_at(s, s->heap[0])->timer_ms;
	return none;
}

/* Whether, with no connection left, this one should go to another stream than the lane's. */
static bool
overtaken(struct sched *s, const struct lane *l)
{
	struct stream *mine = &s->streams[l->stream];
	struct stream *m = furthest_behind(s, l->site);

	if (!m || m == mine || stream_vt(s, m) >= stream_vt(s, mine))
		return false;
	if (m->forced && s->lead - m->forced_vt < ((uint64_t)SCHED_QUANTUM << VT_BITS) / m->weight)
		return false;
	m->forced = true;
	m->forced_vt = s->lead;
	return true;
}

/* Whether, with no connection left, this one should go to another site of the lane's stream. */
static bool
turn_over(struct sched *s, struct lane *l, bool full)
{
	if (l->deficit > 0)
		return false;
	if (full && stream_waits(s, &s->streams[l->stream], l->site)) {
		l->deficit += SCHED_QUANTUM; /* this connection was the price of the next turn */
		return true;
	}
	l->deficit = SCHED_QUANTUM;
	return false;
}

/* What becomes of a free connection of the site; SCHED_SEND has taken the token. */
static enum sched_what
free_connection(struct sched *s, uint32_t id, int64_t *wait_ms)
{
	struct site *t = site_at(s, id);
	bool full = s->connections - s->closing >= s->limit;
	struct lane *l;

	if (t->connections - t->closing > t->pace.allowed)
		return SCHED_CLOSE;
	/* What failures closed, this connection proves to be alive. */
	if (t->pace.asked && pace_closed(&t->pace, s->now_ms, wait_ms))
		return *wait_ms - s->now_ms > SCHED_PATIENCE_MS ? SCHED_CLOSE : SCHED_WAIT;
	if (t->waiting == 0)
		return furthest_behind(s, id) ? SCHED_CLOSE : SCHED_WAIT;
	l = site_next(s, t);
	if ((full && overtaken(s, l)) || turn_over(s, l, full))
		return SCHED_CLOSE;
	if (token(s, id, wait_ms))
		return SCHED_SEND;
	return full && *wait_ms - s->now_ms > SCHED_PATIENCE_MS && furthest_behind(s, id) ?
	    SCHED_CLOSE : SCHED_WAIT;
}

struct sched_order
sched_more(struct sched *s, uint32_t site, int64_t now_ms)
{
	struct sched_order o = {.site = site, .stream = NONE, .item = NONE, .until_ms = INT64_MAX};

	tick(s, now_ms);
	o.what = free_connection(s, site, &o.until_ms);
	if (o.what == SCHED_SEND)
		return send(s, site);
	if (o.what == SCHED_CLOSE) {
		site_at(s, site)->closing++;
		s->closing++;
		o.until_ms = INT64_MAX;
	}
	return o;
}

void
sched_left(struct sched *s, uint32_t site)
{
	struct site *t = site_at(s, site);

	t->connections--;
	s->connections--;
	if (t->closing > 0) { /* perhaps another: then we think one fewer is on its way out */
		t->closing--;
		s->closing--;
	}
	update(s, site);
}

void
sched_hold(struct sched *s, uint32_t site, int64_t until_ms)
{
	site_at(s, site)->hold_start_ms = until_ms;
	update(s, site);
}

void
sched_report(struct sched *s, uint32_t site, enum pace_event what, uint64_t hint_s, int64_t now_ms)
{
	uint64_t z;

	tick(s, now_ms);
	z = s->random += 0x9e3779b97f4a7c15U; /* splitmix64 */
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	pace_event(&site_at(s, site)->pace, what, hint_s, s->now_ms, z ^ z >> 31);
	update(s, site);
}

/* --- filling and emptying */

static void
put(struct sched *s, uint32_t site, uint32_t stream, struct item it, bool first)
{
	struct lane *l = lane_at(s, lane_of(s, site, stream));
	uint32_t i = item_new(s);

	it.next = first && l->n > 0 ? l->first : NONE;
	*item_at(s, i) = it;
	if (l->n == 0) {
		lane_wakes(s, l);
		l->first = l->last = i;
	} else if (first) {
		l->first = i;
	} else {
		item_at(s, l->last)->next = i;
		l->last = i;
	}
	s->waiting++;
	site_gains(s, site, 1);
	if (l->n++ == 0)
		update(s, site);
}

void
sched_push(struct sched *s, uint32_t site, uint32_t stream, uint32_t item, uint32_t cost)
{
	put(s, site, stream, (struct item){.handle = item, .cost = cost, .age = s->age++}, false);
}

void
sched_return(struct sched *s, uint32_t site, uint32_t stream, uint32_t item, uint32_t cost)
{
	struct lane *l = lane_at(s, lane_of(s, site, stream));
	/* As old as what it goes before, so that sched_take keeps their order. */
	uint32_t age = l->n > 0 ? item_at(s, l->first)->age : s->age++;

	put(s, site, stream, (struct item){.handle = item, .cost = cost, .age = age}, true);
}

void
sched_merge(struct sched *s, uint32_t from, uint32_t into)
{
	struct site *f = site_at(s, from);
	uint32_t i, next;

	if (from == into)
		return;
	for (i = f->lanes; i != NONE; i = next) {
		struct lane *l = lane_at(s, i), *to;

		next = l->sibling;
		round_leave(s, i);
		if (l->n > 0) {
			to = lane_at(s, lane_of(s, into, l->stream));
			if (to->n == 0) {
				lane_wakes(s, to);
				to->first = l->first;
			} else {
				item_at(s, to->last)->next = l->first;
			}
			to->last = l->last;
			to->n += l->n;
			site_gains(s, into, l->n);
			site_loses(s, from, l->n);
		}
		l->sibling = s->free_lane;
		s->free_lane = i;
	}
	f->lanes = NONE;
	update(s, from);
	update(s, into);
}

bool
sched_take(struct sched *s, uint32_t site, uint32_t *stream, uint32_t *item)
{
	struct site *t = site_at(s, site);
	struct lane *best = NULL;
	uint32_t age = 0;

	for (uint32_t i = t->lanes; i != NONE; i = lane_at(s, i)->sibling) {
		struct lane *l = lane_at(s, i);

		if (l->n > 0 && (!best || (int32_t)(item_at(s, l->first)->age - age) < 0)) {
			best = l;
			age = item_at(s, l->first)->age;
		}
	}
	if (!best)
		return false;
	*stream = best->stream;
	*item = lane_pop(s, best).handle;
	if (best->n == 0)
		update(s, site);
	return true;
}

bool
sched_take_any(struct sched *s, uint32_t *site, uint32_t *stream, uint32_t *item)
{
	*site = s->busy_first;
	return *site != NONE && sched_take(s, *site, stream, item);
}

/* --- making and asking */

struct sched *
sched_new(uint32_t connections, uint64_t seed)
{
	struct sched *s = mem_alloc(sizeof *s);

	s->items.size = sizeof(struct item);
	s->lanes.size = sizeof(struct lane);
	s->sites.size = sizeof(struct site);
	s->free_item = s->free_lane = s->busy_first = NONE;
	s->limit = connections;
	s->random = seed;
	s->now_ms = INT64_MIN;
	return s;
}

void
sched_del(struct sched *s)
{
	if (!s)
		return;
	pool_free(&s->items);
	pool_free(&s->lanes);
	pool_free(&s->sites);
	free(s->streams);
	free(s->heap);
	free(s);
}

uint32_t
sched_add_stream(struct sched *s, uint32_t weight)
{
	uint64_t credit;

	if (weight < 1)
		weight = 1;
	if (weight > SCHED_WEIGHT_MAX)
		weight = SCHED_WEIGHT_MAX;
	credit = ((uint64_t)SCHED_QUANTUM << VT_BITS) / weight;
	if (credit > s->credit)
		s->credit = credit;
	s->streams = mem_grow(s->streams, s->n_streams + (size_t)1, sizeof *s->streams);
	s->streams[s->n_streams] = (struct stream){.weight = weight, .first = NONE, .last = NONE};
	return s->n_streams++;
}

uint32_t
sched_add_site(struct sched *s, const struct pace_limits *limits, int64_t now_ms)
{
	uint32_t id = pool_add(&s->sites);
	struct site *t = site_at(s, id);

	*t = (struct site){.lanes = NONE, .heap_at = NONE, .before = NONE, .after = NONE,
	    .hold_start_ms = INT64_MIN};
	pace_init(&t->pace, limits, now_ms);
	return id;
}

struct pace *
sched_pace(struct sched *s, uint32_t site)
{
	return &site_at(s, site)->pace;
}

uint64_t
sched_waiting(const struct sched *s)
{
	return s->waiting;
}

uint64_t
sched_waiting_at(const struct sched *s, uint32_t site)
{
	return site_at(s, site)->waiting;
}

uint32_t
sched_connections(const struct sched *s, uint32_t site)
{
	return site_at(s, site)->connections;
}
