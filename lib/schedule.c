#include "schedule.h"

#include "lanes.h"

#include <stdlib.h>

#define NONE LANES_NONE
#define VT_BITS LANES_VT_BITS

_Static_assert(SCHED_QUANTUM == LANES_QUANTUM && SCHED_ALL == LANES_ALL, "the same");

/* --- choosing */

static bool
goes_before(const struct sched *s, const struct share *a, const struct share *b)
{
	return a->vt < b->vt ||
	    (a->vt == b->vt && s->streams[a->stream].weight > s->streams[b->stream].weight);
}

/* Of the site's shares that could start something the one that goes next there; NULL: none. */
static struct share *
site_next(const struct sched *s, const struct site *t)
{
	struct share *best = NULL;

	for (uint32_t i = t->shares; i != NONE; i = share_at(s, i)->sibling) {
		struct share *h = share_at(s, i);

		if (h->lanes.first != NONE && (!best || goes_before(s, h, best)))
			best = h;
	}
	return best;
}

/* Of the part's lanes with items the one that goes next over a connection to it; it has items. */
static uint32_t
part_next(const struct sched *s, const struct part *p)
{
	uint32_t best = NONE;

	for (uint32_t i = p->lanes; i != NONE; i = lane_at(s, i)->sibling)
		if (lane_at(s, i)->n > 0 && (best == NONE ||
		    goes_before(s, share_at(s, lane_at(s, i)->share), share_at(s, lane_at(s, best)->share))))
			best = i;
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
	const struct share *h;

	if (m->round.first == NONE)
		return false;
	h = share_at(s, m->round.first);
	return h->site != site || h->link.after != NONE;
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

/* The ready share whose turn it is in this stream's round; the round is not empty.  One that
 * has used more than its turns waits until they have come round again. */
static uint32_t
round_next(struct sched *s, struct stream *m)
{
	uint32_t i = m->round.first;

	while (share_at(s, i)->deficit <= 0) {
		share_at(s, i)->deficit += SCHED_QUANTUM;
		lanes_turn(&s->shares, &m->round, i);
		i = m->round.first;
	}
	return i;
}

/* Takes the lane's next item and charges for it. */
static struct sched_order
send(struct sched *s, uint32_t lane)
{
	struct lane *l = lane_at(s, lane);
	struct share *h = share_at(s, l->share);
	struct stream *m = &s->streams[h->stream];
	struct item it = lanes_pop(s, l);
	uint64_t cost = (uint64_t)it.cost + SCHED_OVERHEAD;
	uint64_t share = (cost << VT_BITS) / m->weight;

	site_at(s, h->site)->vt = h->vt;
	h->vt += share;
	h->deficit -= (int64_t)cost;
	l->deficit -= (int64_t)cost;
	m->vt = stream_vt(s, m);
	if (m->vt > s->lead)
		s->lead = m->vt;
	m->vt += share;
	lanes_update_part(s, l->part, false);
	return (struct sched_order){.what = SCHED_SEND, .site = l->part, .stream = h->stream,
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
	lanes_update_site(s, id);
	return false;
}

/* A new connection to the part of the site's that goes next; false where the caller has touched a pace. */
static bool
connect_next(struct sched *s, uint32_t site, uint32_t *lane)
{
	struct site *t = site_at(s, site);
	struct share *h = site_next(s, t);
	struct part *p;
	int64_t when;

	*lane = h->lanes.first;
	p = part_at(s, lane_at(s, *lane)->part);
	if (!pace_may_connect(&t->pace, t->connections, s->now_ms, &when)) {
		lanes_update_site(s, site);
		return false;
	}
	if (t->many && !pace_may_connect(&p->health, p->connections, s->now_ms, &when)) {
		lanes_update_part(s, lane_at(s, *lane)->part, false);
		return false;
	}
	if (!token(s, site, &when))
		return false;
	lanes_turn(&s->lanes, &h->lanes, *lane);
	p->connections++;
	t->connections++;
	s->connections++;
	return true;
}

struct sched_order
sched_start(struct sched *s, int64_t now_ms)
{
	struct sched_order none = {.what = SCHED_WAIT, .site = NONE, .stream = NONE, .item = NONE,
	    .until_ms = INT64_MAX};
	struct stream *m;
	int64_t when;
	uint32_t id, lane;

	lanes_tick(s, now_ms);
	if (s->connections >= s->limit)
		return none;
	while ((m = furthest_behind(s, NONE))) {
		uint32_t share = round_next(s, m);

		if (!connect_next(s, share_at(s, share)->site, &lane))
			continue;
		lanes_turn(&s->shares, &m->round, share); /* the next start is the next site's */
		return send(s, lane);
	}
	if (timers_first(&s->site_timers, &id, &when))
		none.until_ms = when;
	if (timers_first(&s->part_timers, &id, &when) && when < none.until_ms)
		none.until_ms = when;
	return none;
}

/* Whether, with no connection left, this one should go to another stream than the share's. */
static bool
overtaken(struct sched *s, const struct share *h)
{
	struct stream *mine = &s->streams[h->stream];
	struct stream *m = furthest_behind(s, h->site);

	if (!m || m == mine || stream_vt(s, m) >= stream_vt(s, mine))
		return false;
	if (m->forced && s->lead - m->forced_vt < ((uint64_t)SCHED_QUANTUM << VT_BITS) / m->weight)
		return false;
	m->forced = true;
	m->forced_vt = s->lead;
	return true;
}

/* Whether, with no connection left, this one should go to another site of the share's stream. */
static bool
turn_over(struct sched *s, struct share *h, bool full)
{
	if (h->deficit > 0)
		return false;
	if (full && stream_waits(s, &s->streams[h->stream], h->site)) {
		h->deficit += SCHED_QUANTUM; /* this connection was the price of the next turn */
		return true;
	}
	h->deficit = SCHED_QUANTUM;
	return false;
}

/* The site has all the connections it may have: whether this one should go to another of its parts, for
 * another stream that is further behind, or because the lane's turn is over. */
static bool
passes_on(struct sched *s, uint32_t lane)
{
	struct lane *l = lane_at(s, lane);
	struct share *mine = share_at(s, l->share), *best = site_next(s, site_at(s, mine->site));
	uint64_t apart = ((uint64_t)SCHED_QUANTUM << VT_BITS) / s->streams[mine->stream].weight;

	if (best && best != mine && goes_before(s, best, mine) &&
	    (!best->forced || mine->vt - best->vt >= apart)) {
		best->forced = true;
		return true;
	}
	if (l->deficit > 0)
		return false;
	l->deficit = SCHED_QUANTUM;
	if (mine->lanes.first == NONE || (mine->lanes.first == lane && mine->lanes.last == lane))
		return false;
	if (l->link.in)
		lanes_turn(&s->lanes, &mine->lanes, lane);
	return true;
}

/* What becomes of a free connection of the part; SCHED_SEND has taken the token for *lane. */
static enum sched_what
free_connection(struct sched *s, uint32_t id, uint32_t *lane, int64_t *wait_ms)
{
	struct part *p = part_at(s, id);
	struct site *t = site_at(s, p->site);
	bool full = s->connections - s->closing >= s->limit;
	struct share *h;

	if (t->connections - t->closing > t->pace.allowed)
		return SCHED_CLOSE;
	/* What failures closed, this connection proves to be alive. */
	if (t->pace.asked && pace_closed(&t->pace, s->now_ms, wait_ms))
		return *wait_ms - s->now_ms > SCHED_PATIENCE_MS ? SCHED_CLOSE : SCHED_WAIT;
	if (p->waiting == 0)
		return site_next(s, t) || furthest_behind(s, p->site) ? SCHED_CLOSE : SCHED_WAIT;
	*lane = part_next(s, p);
	h = share_at(s, lane_at(s, *lane)->share);
	if (t->many && t->connections - t->closing >= t->pace.allowed && passes_on(s, *lane))
		return SCHED_CLOSE;
	if ((full && overtaken(s, h)) || turn_over(s, h, full))
		return SCHED_CLOSE;
	if (token(s, p->site, wait_ms))
		return SCHED_SEND;
	return full && *wait_ms - s->now_ms > SCHED_PATIENCE_MS && furthest_behind(s, p->site) ?
	    SCHED_CLOSE : SCHED_WAIT;
}

struct sched_order
sched_more(struct sched *s, uint32_t site, int64_t now_ms)
{
	struct sched_order o = {.site = site, .stream = NONE, .item = NONE, .until_ms = INT64_MAX};
	uint32_t lane = NONE;

	lanes_tick(s, now_ms);
	o.what = free_connection(s, site, &lane, &o.until_ms);
	if (o.what == SCHED_SEND)
		return send(s, lane);
	if (o.what == SCHED_CLOSE) {
		site_of(s, site)->closing++;
		s->closing++;
		o.until_ms = INT64_MAX;
	}
	return o;
}

void
sched_left(struct sched *s, uint32_t site)
{
	struct part *p = part_at(s, site);
	struct site *t = site_at(s, p->site);

	p->connections--;
	t->connections--;
	s->connections--;
	if (t->closing > 0) { /* perhaps another: then we think one fewer is on its way out */
		t->closing--;
		s->closing--;
	}
	lanes_update_part(s, site, false);
}

void
sched_hold(struct sched *s, uint32_t site, int64_t until_ms)
{
	site_of(s, site)->hold_start_ms = until_ms;
	lanes_update_site(s, part_at(s, site)->site);
}

/* What one part's hosts do is no reason to keep away from the others, unless they ask for it. */
void
sched_report(struct sched *s, uint32_t site, enum pace_event what, uint64_t hint_s, int64_t now_ms)
{
	struct part *p = part_at(s, site);
	struct site *t = site_at(s, p->site);
	uint64_t z;

	lanes_tick(s, now_ms);
	z = s->random += 0x9e3779b97f4a7c15U; /* splitmix64 */
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	z ^= z >> 31;
	if (t->many && what != PACE_SLOW_DOWN)
		pace_event(&p->health, what, what == PACE_UNREACHABLE ? hint_s : 0, s->now_ms, z);
	if (!t->many || what != PACE_UNREACHABLE)
		pace_event(&t->pace, what, hint_s, s->now_ms, z);
	lanes_update_part(s, site, false);
}

/* --- filling and emptying */

void
sched_push(struct sched *s, uint32_t site, uint32_t stream, uint32_t item, uint32_t cost)
{
	lanes_put(s, site, stream, (struct item){.handle = item, .cost = cost, .age = s->age++}, false);
}

void
sched_return(struct sched *s, uint32_t site, uint32_t stream, uint32_t item, uint32_t cost)
{
	struct lane *l = lanes_of(s, site, stream);
	/* As old as what it goes before, so that sched_take keeps their order. */
	uint32_t age = l->n > 0 ? item_at(s, l->first)->age : s->age++;

	lanes_put(s, site, stream, (struct item){.handle = item, .cost = cost, .age = age}, true);
}

void
sched_merge(struct sched *s, uint32_t from, uint32_t stream, uint32_t into)
{
	if (from != into)
		lanes_merge(s, from, stream, into);
}

bool
sched_take(struct sched *s, uint32_t site, uint32_t *stream, uint32_t *item)
{
	struct part *p = part_at(s, site);
	struct lane *best = NULL;
	uint32_t age = 0;

	for (uint32_t i = p->lanes; i != NONE; i = lane_at(s, i)->sibling) {
		struct lane *l = lane_at(s, i);

		if (l->n > 0 && (!best || (int32_t)(item_at(s, l->first)->age - age) < 0)) {
			best = l;
			age = item_at(s, l->first)->age;
		}
	}
	if (!best)
		return false;
	*stream = share_at(s, best->share)->stream;
	*item = lanes_pop(s, best).handle;
	if (best->n == 0)
		lanes_update_part(s, site, false);
	return true;
}

bool
sched_take_any(struct sched *s, uint32_t *site, uint32_t *stream, uint32_t *item)
{
	*site = s->busy.first;
	return *site != NONE && sched_take(s, *site, stream, item);
}

/* --- making and asking */

struct sched *
sched_new(uint32_t connections, uint64_t seed)
{
	struct sched *s = mem_alloc(sizeof *s);

	s->items.size = sizeof(struct item);
	s->lanes.size = sizeof(struct lane);
	s->shares.size = sizeof(struct share);
	s->parts.size = sizeof(struct part);
	s->sites.size = sizeof(struct site);
	s->free_item = s->free_lane = s->free_share = NONE;
	s->busy = (struct ring){NONE, NONE};
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
	pool_free(&s->shares);
	pool_free(&s->parts);
	pool_free(&s->sites);
	free(s->streams);
	timers_free(&s->site_timers);
	timers_free(&s->part_timers);
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
	s->streams[s->n_streams] = (struct stream){.weight = weight, .round = {NONE, NONE}};
	return s->n_streams++;
}

static uint32_t
add_part(struct sched *s, uint32_t site, int64_t now_ms)
{
	const struct pace_limits *l = &site_at(s, site)->pace.limits;
	struct pace_limits own = {UINT32_MAX, 0, l->retry_min_ms, l->retry_max_ms, 0};
	uint32_t id = pool_add(&s->parts);
	struct part *p = part_at(s, id);

	*p = (struct part){.site = site, .lanes = NONE};
	pace_init(&p->health, &own, now_ms);
	p->health.allowed = UINT32_MAX; /* how many there may be is the site's affair */
	return id;
}

uint32_t
sched_add_site(struct sched *s, const struct pace_limits *limits, bool many, int64_t now_ms)
{
	uint32_t id = pool_add(&s->sites);
	struct site *t = site_at(s, id);

	*t = (struct site){.shares = NONE, .hold_start_ms = INT64_MIN, .many = many};
	pace_init(&t->pace, limits, now_ms);
	return add_part(s, id, now_ms);
}

uint32_t
sched_add_part(struct sched *s, uint32_t of, int64_t now_ms)
{
	return add_part(s, part_at(s, of)->site, now_ms);
}

struct pace *
sched_pace(struct sched *s, uint32_t site)
{
	return &site_of(s, site)->pace;
}

struct pace *
sched_health(struct sched *s, uint32_t site)
{
	return site_of(s, site)->many ? &part_at(s, site)->health : &site_of(s, site)->pace;
}

int64_t
sched_now(const struct sched *s)
{
	return s->now_ms;
}

uint64_t
sched_waiting(const struct sched *s)
{
	return s->waiting;
}

uint64_t
sched_waiting_at(const struct sched *s, uint32_t site)
{
	return part_at(s, site)->waiting;
}

uint32_t
sched_connections(const struct sched *s, uint32_t site)
{
	return site_of(s, site)->connections;
}
