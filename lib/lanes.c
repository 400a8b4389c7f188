#include "lanes.h"

static uint32_t
item_new(struct sched *s)
{
	uint32_t i = s->free_item;

	if (i == LANES_NONE)
		return pool_add(&s->items);
	s->free_item = item_at(s, i)->next;
	return i;
}

static uint32_t
lane_new(struct sched *s)
{
	uint32_t i = s->free_lane;

	if (i == LANES_NONE)
		return pool_add(&s->lanes);
	s->free_lane = lane_at(s, i)->sibling;
	return i;
}

static uint32_t
share_new(struct sched *s)
{
	uint32_t i = s->free_share;

	if (i == LANES_NONE)
		return pool_add(&s->shares);
	s->free_share = share_at(s, i)->sibling;
	return i;
}

/* --- rings of lanes, shares and parts: each begins with its link */

static void
ring_leave(const struct pool *of, struct ring *r, uint32_t i)
{
	struct link *l = pool_at(of, i);

	if (!l->in)
		return;
	l->in = false;
	if (l->before == LANES_NONE)
		r->first = l->after;
	else
		((struct link *)pool_at(of, l->before))->after = l->after;
	if (l->after == LANES_NONE)
		r->last = l->before;
	else
		((struct link *)pool_at(of, l->after))->before = l->before;
}

static void
ring_join(const struct pool *of, struct ring *r, uint32_t i)
{
	struct link *l = pool_at(of, i);

	if (l->in)
		return;
	*l = (struct link){r->last, LANES_NONE, true};
	if (r->last == LANES_NONE)
		r->first = i;
	else
		((struct link *)pool_at(of, r->last))->after = i;
	r->last = i;
}

static void
ring_join_first(const struct pool *of, struct ring *r, uint32_t i)
{
	struct link *l = pool_at(of, i);

	if (l->in)
		return;
	*l = (struct link){LANES_NONE, r->first, true};
	if (r->first == LANES_NONE)
		r->last = i;
	else
		((struct link *)pool_at(of, r->first))->before = i;
	r->first = i;
}

void
lanes_turn(const struct pool *of, struct ring *r, uint32_t i)
{
	ring_leave(of, r, i);
	ring_join(of, r, i);
}

/* --- who is ready */

static void
share_stands(struct sched *s, uint32_t share, bool ready)
{
	struct share *h = share_at(s, share);
	struct stream *m = &s->streams[h->stream];

	if (!ready || h->lanes.first == LANES_NONE) {
		ring_leave(&s->shares, &m->round, share);
		return;
	}
	if (!h->link.in && m->round.first == LANES_NONE)
		m->forced = false;
	ring_join(&s->shares, &m->round, share);
}

void
lanes_update_site(struct sched *s, uint32_t id)
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
		timers_clear(&s->site_timers, id);
	else
		timers_set(&s->site_timers, id, when);
	for (uint32_t h = t->shares; h != LANES_NONE; h = share_at(s, h)->sibling)
		share_stands(s, h, t->ready);
}

/* A lane whose part may have a connection is one of its share's. */
static void
lane_stands(struct sched *s, uint32_t lane, bool ready, bool first)
{
	struct lane *l = lane_at(s, lane);
	struct share *h = share_at(s, l->share);

	if (!ready || l->n == 0) {
		ring_leave(&s->lanes, &h->lanes, lane);
		return;
	}
	if (h->lanes.first == LANES_NONE)
		h->forced = false;
	if (first)
		ring_join_first(&s->lanes, &h->lanes, lane);
	else
		ring_join(&s->lanes, &h->lanes, lane);
}

void
lanes_update_part(struct sched *s, uint32_t id, bool first)
{
	struct part *p = part_at(s, id);
	int64_t when = INT64_MAX;

	p->ready = p->waiting > 0 && (!site_at(s, p->site)->many ||
	    pace_may_connect(&p->health, p->connections, s->now_ms, &when));
	if (p->waiting == 0 || p->ready || when == INT64_MAX)
		timers_clear(&s->part_timers, id);
	else
		timers_set(&s->part_timers, id, when);
	for (uint32_t l = p->lanes; l != LANES_NONE; l = lane_at(s, l)->sibling)
		lane_stands(s, l, p->ready, first);
	lanes_update_site(s, p->site);
}

void
lanes_tick(struct sched *s, int64_t now_ms)
{
	int64_t when;
	uint32_t id;

	if (now_ms > s->now_ms)
		s->now_ms = now_ms;
	while (timers_first(&s->part_timers, &id, &when) && when <= s->now_ms)
		lanes_update_part(s, id, false);
	while (timers_first(&s->site_timers, &id, &when) && when <= s->now_ms)
		lanes_update_site(s, id);
}

/* --- counting what waits */

static void
part_gains(struct sched *s, uint32_t id, uint32_t n)
{
	struct part *p = part_at(s, id);

	if (n > 0)
		ring_join_first(&s->parts, &s->busy, id);
	p->waiting += n;
	site_at(s, p->site)->waiting += n;
}

static void
part_loses(struct sched *s, uint32_t id, uint32_t n)
{
	struct part *p = part_at(s, id);

	p->waiting -= n;
	site_at(s, p->site)->waiting -= n;
	if (p->waiting == 0)
		ring_leave(&s->parts, &s->busy, id);
}

static uint32_t
share_of(struct sched *s, uint32_t site, uint32_t stream)
{
	struct site *t = site_at(s, site);
	uint32_t h;

	for (h = t->shares; h != LANES_NONE; h = share_at(s, h)->sibling)
		if (share_at(s, h)->stream == stream)
			return h;
	h = share_new(s);
	*share_at(s, h) = (struct share){.site = site, .stream = stream, .sibling = t->shares,
	    .lanes = {LANES_NONE, LANES_NONE}};
	t->shares = h;
	return h;
}

static uint32_t
lane_of(struct sched *s, uint32_t part, uint32_t stream)
{
	struct part *p = part_at(s, part);
	uint32_t l, h;

	for (l = p->lanes; l != LANES_NONE; l = lane_at(s, l)->sibling)
		if (share_at(s, lane_at(s, l)->share)->stream == stream)
			return l;
	h = share_of(s, p->site, stream);
	l = lane_new(s);
	*lane_at(s, l) = (struct lane){.part = part, .share = h, .first = LANES_NONE, .last = LANES_NONE,
	    .sibling = p->lanes};
	p->lanes = l;
	share_at(s, h)->n_lanes++;
	return l;
}

/* The lane had nothing, nor perhaps its share: that goes next at its site, and a turn lies before both. */
static void
lane_wakes(struct sched *s, struct lane *l)
{
	struct share *h = share_at(s, l->share);
	uint64_t vt = site_at(s, h->site)->vt;

	l->deficit = LANES_QUANTUM;
	if (h->lanes.first != LANES_NONE)
		return;
	if (h->vt < vt)
		h->vt = vt;
	h->deficit = LANES_QUANTUM;
}

struct item
lanes_pop(struct sched *s, struct lane *l)
{
	uint32_t i = l->first;
	struct item *it = item_at(s, i), copy = *it;

	l->first = it->next;
	if (--l->n == 0)
		l->last = LANES_NONE;
	it->next = s->free_item;
	s->free_item = i;
	s->waiting--;
	part_loses(s, l->part, 1);
	return copy;
}

/* --- filling and emptying */

void
lanes_put(struct sched *s, uint32_t part, uint32_t stream, struct item it, bool first)
{
	struct lane *l = lane_at(s, lane_of(s, part, stream));
	uint32_t i = item_new(s);

	it.next = first && l->n > 0 ? l->first : LANES_NONE;
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
	part_gains(s, part, 1);
	if (l->n++ == 0)
		lanes_update_part(s, part, first);
}

static void
lane_free(struct sched *s, uint32_t lane)
{
	struct lane *l = lane_at(s, lane);
	struct share *h = share_at(s, l->share);
	uint32_t *at;

	l->sibling = s->free_lane;
	s->free_lane = lane;
	if (--h->n_lanes > 0)
		return;
	share_stands(s, l->share, false);
	for (at = &site_at(s, h->site)->shares; *at != l->share; at = &share_at(s, *at)->sibling)
		;
	*at = h->sibling;
	h->sibling = s->free_share;
	s->free_share = l->share;
}

static void
move_lane(struct sched *s, uint32_t lane, uint32_t into)
{
	struct lane *l = lane_at(s, lane), *to;
	uint32_t n = l->n;

	if (n > 0) {
		to = lane_at(s, lane_of(s, into, share_at(s, l->share)->stream));
		if (to->n == 0) {
			lane_wakes(s, to);
			to->first = l->first;
		} else {
			item_at(s, to->last)->next = l->first;
		}
		to->last = l->last;
		to->n += n;
		part_gains(s, into, n);
		part_loses(s, l->part, n);
		l->n = 0;
	}
	lane_stands(s, lane, false, false);
	lane_free(s, lane);
}

void
lanes_merge(struct sched *s, uint32_t from, uint32_t stream, uint32_t into)
{
	struct part *f = part_at(s, from);
	uint32_t *at = &f->lanes;

	while (*at != LANES_NONE) {
		uint32_t lane = *at;
		struct lane *l = lane_at(s, lane);

		if (stream == LANES_ALL || share_at(s, l->share)->stream == stream) {
			*at = l->sibling;
			move_lane(s, lane, into);
		} else {
			at = &l->sibling;
		}
	}
	lanes_update_part(s, from, false);
	lanes_update_part(s, into, false);
}

struct lane *
lanes_of(struct sched *s, uint32_t part, uint32_t stream)
{
	return lane_at(s, lane_of(s, part, stream));
}
