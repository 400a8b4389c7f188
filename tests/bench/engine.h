/* engine.h - a deliverer without threads, sockets and files, for the simulated world.
 *
 * It drives the real schedule, pace, retry and clock the way smtp-deliver does: runs that
 * begin every minute and end when nothing is left or after ten minutes (days that are even), or
 * one that stays all day (odd); every domain a site of its own until it is resolved; a closed
 * site's items moved by name to the time it opens, without an attempt spent; expiry after a
 * failure of this run only, and only by a clock that is believed; what was learned of a site
 * written down and read again as text.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include "schedule.h"
#include "world.h"

#define RUN_TIME (10 * MINUTE)
#define IDLE 2000              /* a connection with nothing to do */
#define MESSAGES_EACH 100      /* a connection */
#define CONNECTION_AGE (300 * SECOND)
#define SHORT_CLOSURE MINUTE   /* waited for; items of longer ones move */
#define DUE_MOST_S 86400       /* no due of ours is further ahead, but for a clock that was wrong */

enum event_kind { ARRIVAL, SWEEP, WAKE, RESOLVED, CONNECTED, ANSWERED, IDLED };

struct event {
	int64_t at_ms;
	uint32_t order, worker, generation;
	enum event_kind kind;
};

struct worker { /* a thread: free, or on its way with a message, or with an idle connection */
	uint32_t site, stream, msg, generation, used;
	int64_t since_ms, idle_until_ms;
	bool busy;
};

struct local { /* what a run knows of a site of its scheduler */
	uint32_t domain;  /* unresolved: this one; NONE: a peer */
	uint32_t peer;
	uint32_t idle;    /* a worker that idles there, or NONE */
	bool refused;     /* it has turned us away in this run */
};

struct hour {
	uint32_t *msgs;
	uint32_t n, room;
};

struct engine {
	struct world *w;
	struct sched *s;
	struct hour *hours;   /* cur/HOUR; the last is all that is further ahead */
	uint32_t n_hours, from_hour;
	uint64_t queued;
	struct event *heap;
	uint32_t n_heap, heap_room, order;
	struct worker workers[TOTAL_CONNECTIONS];
	uint32_t free[TOTAL_CONNECTIONS], n_free;
	struct local *locals;
	uint32_t n_locals, locals_room;
	uint32_t *site_of_domain, *site_of_peer; /* in this run's scheduler, or NONE */
	uint32_t next_arrival;
	int64_t wake_ms;
	bool stopping, stay;
	uint64_t random;
	struct buf clock_memory;
	enum clock_trust trust;
};

/* --- events in order of time, then of making */

static bool
event_less(const struct event *a, const struct event *b)
{
	return a->at_ms < b->at_ms || (a->at_ms == b->at_ms && (int32_t)(a->order - b->order) < 0);
}

static void
event_add(struct engine *g, int64_t at_ms, enum event_kind kind, uint32_t worker)
{
	struct event v = {at_ms, g->order++, worker, 0, kind};
	uint32_t i = g->n_heap++;

	if (worker != NONE)
		v.generation = g->workers[worker].generation;
	if (i == g->heap_room) {
		g->heap_room = g->heap_room ? g->heap_room * 2 : 256;
		g->heap = mem_grow(g->heap, g->heap_room, sizeof *g->heap);
	}
	for (; i > 0 && event_less(&v, &g->heap[(i - 1) / 2]); i = (i - 1) / 2)
		g->heap[i] = g->heap[(i - 1) / 2];
	g->heap[i] = v;
}

static struct event
event_take(struct engine *g)
{
	struct event top = g->heap[0], last = g->heap[--g->n_heap];
	uint32_t i = 0, child;

	while ((child = i * 2 + 1) < g->n_heap) {
		if (child + 1 < g->n_heap && event_less(&g->heap[child + 1], &g->heap[child]))
			child++;
		if (!event_less(&g->heap[child], &last))
			break;
		g->heap[i] = g->heap[child];
		i = child;
	}
	g->heap[i] = last;
	return top;
}

/* --- the queue: hours of what is due */

static void
enqueue(struct engine *g, uint32_t msg, enum place from, uint64_t due_s)
{
	uint64_t hour = due_s < EPOCH_S ? 0 : (due_s - EPOCH_S) / 3600;
	struct hour *h;

	if (hour >= g->n_hours)
		hour = g->n_hours - 1;
	h = &g->hours[hour];
	if (h->n == h->room) {
		h->room = h->room ? h->room * 2 : 64;
		h->msgs = mem_grow(h->msgs, h->room, sizeof *h->msgs);
	}
	h->msgs[h->n++] = msg;
	g->w->messages[msg].due_s = due_s;
	g->queued++;
	if (hour < g->from_hour)
		g->from_hour = (uint32_t)hour;
	world_move(g->w, msg, from, QUEUED);
}

static uint64_t
wall_of(const struct engine *g, int64_t t_ms) /* as the wall clock counts now */
{
	return wall_s(g->w, g->w->now_ms) - (uint64_t)(g->w->now_ms / SECOND) +
	    (uint64_t)(t_ms / SECOND);
}

/* --- sites */

static uint32_t
site_new(struct engine *g, uint32_t domain, uint32_t peer)
{
	struct peer *p = &g->w->peers[peer];
	bool real = domain == NONE;
	struct pace_limits l = {real ? SITE_CONNECTIONS : 1, real ? p->our_rate : 0,
	    g->w->policy.min_s * SECOND, g->w->policy.max_s * SECOND, 0};
	uint32_t site = sched_add_site(g->s, &l, false, g->w->now_ms);

	if (domain == NONE && p->memory_len > 0 && !pace_parse(sched_pace(g->s, site),
	    (struct span){p->memory, p->memory_len}, p->memory_ms))
		broken(g->w, "pace forgot: %.*s", p->memory_len, p->memory);
	if (g->n_locals == g->locals_room) {
		g->locals_room = g->locals_room ? g->locals_room * 2 : 256;
		g->locals = mem_grow(g->locals, g->locals_room, sizeof *g->locals);
	}
	g->locals[g->n_locals++] = (struct local){domain, peer, NONE, false};
	return site;
}

static uint32_t
site_for(struct engine *g, uint32_t domain)
{
	uint32_t *site = &g->site_of_domain[domain];

	if (*site == NONE)
		*site = site_new(g, domain, domain / 2);
	return *site;
}

/* A failure told at this site: the message waits, or has had its time. */
static void
put_off(struct engine *g, uint32_t msg, enum place from, uint64_t due_s, bool failed)
{
	struct world *w = g->w;
	struct message *m = &w->messages[msg];

	if (failed && g->trust == CLOCK_OK &&
	    retry_over(&w->policy, m->born_s, m->attempts, wall_s(w, w->now_ms)))
		world_ends(w, msg, from, EXPIRED);
	else
		enqueue(g, msg, from, due_s);
}

static void
failed(struct engine *g, uint32_t msg, uint32_t hint_s)
{
	struct message *m = &g->w->messages[msg];
	uint64_t wait;

	m->attempts++;
	m->failed_ms = g->w->now_ms;
	wait = retry_wait(&g->w->policy, m->attempts, hint_s, draw(&g->random, UINT64_MAX));
	put_off(g, msg, IN_FLIGHT, wall_s(g->w, g->w->now_ms) + wait, true);
}

/* Closed for long: what waits there moves to the time it opens, by name and without an attempt.
 * All to the same second, also what came a moment before: so one run sees them all when the site
 * fails again, and those that have had their time end then.  (What kept waiting in the run that
 * was there would always be the first to try, and the others would find it closed for ever.) */
static void
move_closed(struct engine *g, uint32_t site)
{
	const struct pace *p = sched_pace(g->s, site);
	int64_t until;
	uint32_t stream, msg;

	if (!pace_closed(p, g->w->now_ms, &until) ||
	    until - g->w->now_ms <= (p->failures > 0 ? SECOND : SHORT_CLOSURE))
		return;
	while (sched_take(g->s, site, &stream, &msg)) {
		uint64_t born_s = g->w->messages[msg].born_s;

		if (g->locals[site].refused && !retry_born_ok(born_s, wall_s(g->w, g->w->now_ms))) {
			world_move(g->w, msg, WAITING, IN_FLIGHT);
			failed(g, msg, 0);
			continue;
		}
		g->w->res->moves++;
		put_off(g, msg, WAITING, wall_of(g, until), g->locals[site].refused);
	}
}

static void
report(struct engine *g, uint32_t site, enum pace_event what, uint32_t hint_s)
{
	sched_report(g->s, site, what, hint_s, g->w->now_ms);
	if (what == PACE_SLOW_DOWN || what == PACE_UNREACHABLE) {
		g->locals[site].refused = true;
		move_closed(g, site);
	}
}

/* --- workers */

static void step(struct engine *g, uint32_t k);

static void
leave(struct engine *g, uint32_t k)
{
	struct worker *u = &g->workers[k];
	struct local *l = &g->locals[u->site];

	if (l->domain == NONE)
		g->w->peers[l->peer].connections--;
	if (l->idle == k)
		l->idle = NONE;
	sched_left(g->s, u->site);
	u->generation++;
	u->busy = false;
	g->free[g->n_free++] = k;
}

static void
attempt(struct engine *g, uint32_t k)
{
	struct worker *u = &g->workers[k];
	const struct message *m = &g->w->messages[u->msg];
	const struct peer *p = peer_of(g->w, m->domain);

	g->w->res->attempts++;
	world_attempt_begins(g->w, u->msg);
	note(g->w, 'a', u->msg, k);
	event_add(g, g->w->now_ms + p->reply_ms + m->size / 10000, ANSWERED, k);
}

static void
set_out(struct engine *g, uint32_t k, const struct sched_order *o)
{
	struct worker *u = &g->workers[k];
	struct peer *p = &g->w->peers[g->locals[o->site].peer];

	u->site = o->site;
	u->stream = o->stream;
	u->msg = o->item;
	u->used = 0;
	u->since_ms = g->w->now_ms;
	u->busy = true;
	world_move(g->w, o->item, WAITING, IN_FLIGHT);
	if (g->locals[o->site].domain != NONE) {
		event_add(g, g->w->now_ms + 5 + (int64_t)draw(&g->random, 50), RESOLVED, k);
		return;
	}
	note(g->w, 'c', o->site, k);
	world_connect_begins(g->w, p);
	if (sched_connections(g->s, o->site) != p->connections)
		broken(g->w, "%u connections, the site sees %u", sched_connections(g->s, o->site),
		    p->connections);
	event_add(g, g->w->now_ms + p->connect_ms, CONNECTED, k);
}

static void
dispatch(struct engine *g)
{
	struct sched_order o;

	while (g->n_free > 0 && !g->stopping) {
		o = sched_start(g->s, g->w->now_ms);
		if (o.what != SCHED_SEND) {
			if (o.until_ms < g->wake_ms) {
				g->wake_ms = o.until_ms;
				event_add(g, o.until_ms, WAKE, NONE);
			}
			return;
		}
		set_out(g, g->free[--g->n_free], &o);
	}
}

static void
resolved(struct engine *g, uint32_t k)
{
	struct worker *u = &g->workers[k];
	uint32_t from = u->site, domain = g->locals[from].domain, peer = g->locals[from].peer;
	uint32_t into = g->site_of_peer[peer], msg = u->msg;

	if (into == NONE)
		into = g->site_of_peer[peer] = site_new(g, NONE, peer);
	g->site_of_domain[domain] = into;
	g->w->res->merges++;
	world_move(g->w, msg, IN_FLIGHT, WAITING);
	sched_return(g->s, from, u->stream, msg, g->w->messages[msg].size);
	sched_merge(g->s, from, SCHED_ALL, into);
	leave(g, k);
	move_closed(g, into);
}

static void
connected(struct engine *g, uint32_t k)
{
	struct worker *u = &g->workers[k];
	uint32_t hint_s, site = u->site, msg = u->msg;
	enum answer a = world_connect(g->w, &g->w->peers[g->locals[site].peer], &hint_s);

	if (a == OK) {
		report(g, site, PACE_CONNECTED, 0);
		attempt(g, k);
		return;
	}
	if (a == UNREACHABLE) {
		g->w->res->attempts++;
		world_attempt_begins(g->w, msg);
		failed(g, msg, 0);
	} else { /* 421: it is the connection that is not wanted, not the message */
		world_move(g->w, msg, IN_FLIGHT, WAITING);
		sched_return(g->s, site, u->stream, msg, g->w->messages[msg].size);
	}
	report(g, site, a == UNREACHABLE ? PACE_UNREACHABLE : PACE_SLOW_DOWN, hint_s);
	leave(g, k);
}

static void
answered(struct engine *g, uint32_t k)
{
	struct worker *u = &g->workers[k];
	struct message *m = &g->w->messages[u->msg];
	uint32_t hint_s;
	enum answer a = world_attempt(g->w, u->msg, &hint_s);

	note(g->w, 'r', u->msg, a);
	if (a == OK || a == NO_SUCH_USER) {
		m->attempts++;
		world_ends(g->w, u->msg, IN_FLIGHT, a == OK ? DELIVERED : REFUSED);
	} else {
		failed(g, u->msg, hint_s);
	}
	report(g, u->site, a == TOO_FAST ? PACE_SLOW_DOWN : PACE_DELIVERED,
	    a == TOO_FAST ? hint_s : 0);
	u->used++;
	u->idle_until_ms = g->w->now_ms + IDLE;
	step(g, k);
}

/* The connection is free: what now? */
static void
step(struct engine *g, uint32_t k)
{
	struct worker *u = &g->workers[k];
	struct local *l = &g->locals[u->site];
	int64_t now = g->w->now_ms;
	struct sched_order o;

	if (l->idle == k)
		l->idle = NONE;
	if (g->stopping || u->used >= MESSAGES_EACH || now - u->since_ms >= CONNECTION_AGE) {
		leave(g, k);
		return;
	}
	o = sched_more(g->s, u->site, now);
	if (o.what == SCHED_SEND) {
		u->generation++;
		u->stream = o.stream;
		u->msg = o.item;
		world_move(g->w, o.item, WAITING, IN_FLIGHT);
		attempt(g, k);
	} else if (o.what == SCHED_CLOSE || now >= u->idle_until_ms) {
		leave(g, k);
	} else {
		l->idle = k;
		u->generation++;
		event_add(g, o.until_ms < u->idle_until_ms ? o.until_ms : u->idle_until_ms, IDLED,
		    k);
	}
}

/* --- runs */

static void
push(struct engine *g, uint32_t msg, enum place from)
{
	struct message *m = &g->w->messages[msg];
	uint32_t site = site_for(g, m->domain);

	world_move(g->w, msg, from, WAITING);
	sched_push(g->s, site, m->stream, msg, m->size);
	if (g->locals[site].idle != NONE)
		step(g, g->locals[site].idle);
	move_closed(g, site);
}

static void
arrivals(struct engine *g)
{
	struct world *w = g->w;

	while (g->next_arrival < w->opt.messages &&
	    w->messages[g->next_arrival].born_ms <= w->now_ms) {
		struct message *m = &w->messages[g->next_arrival];

		m->born_s = wall_s(w, m->born_ms);
		w->arrived++;
		push(g, g->next_arrival++, UNBORN);
	}
	if (g->stay && g->next_arrival < w->opt.messages)
		event_add(g, w->messages[g->next_arrival].born_ms, ARRIVAL, NONE);
}

/* Of one hour what is due.  What is due later than we ever chose was named by a clock that was
 * wrong, and so it is due. */
static void
sweep_hour(struct engine *g, struct hour *h, uint64_t now_s)
{
	uint32_t n = h->n, kept = 0;
	uint32_t *msgs = h->msgs;

	*h = (struct hour){0}; /* what moves may come back to this hour */
	for (uint32_t i = 0; i < n; i++) {
		uint64_t due_s = g->w->messages[msgs[i]].due_s;

		if (due_s <= now_s || due_s > now_s + DUE_MOST_S) {
			g->queued--;
			push(g, msgs[i], QUEUED);
		} else {
			msgs[kept++] = msgs[i];
		}
	}
	if (h->n == 0) {
		free(h->msgs);
		*h = (struct hour){msgs, kept, n};
		return;
	}
	h->msgs = mem_grow(h->msgs, h->n + kept, sizeof *h->msgs);
	memcpy(h->msgs + h->n, msgs, kept * sizeof *msgs);
	h->n += kept;
	h->room = h->n;
	free(msgs);
}

static void
sweep(struct engine *g)
{
	struct world *w = g->w;
	uint64_t now_s = wall_s(w, w->now_ms);
	uint64_t hour = now_s < EPOCH_S ? 0 : (now_s - EPOCH_S) / 3600;
	struct clock_state c = CLOCK_INIT;
	uint32_t from = g->from_hour;

	if (g->clock_memory.len > 0 &&
	    !clock_parse(&c, (struct span){g->clock_memory.s, g->clock_memory.len}))
		broken(w, "clock forgot: %s", g->clock_memory.s);
	g->trust = clock_judge(&c, now_s);
	buf_cut(&g->clock_memory, 0);
	clock_text(&c, &g->clock_memory);
	if (hour >= g->n_hours)
		hour = g->n_hours - 1;
	g->from_hour = (uint32_t)hour;
	for (uint32_t i = from; i <= hour; i++) {
		sweep_hour(g, &g->hours[i], now_s);
		if (g->hours[i].n > 0 && i < g->from_hour)
			g->from_hour = i;
	}
	if (g->trust == CLOCK_OK)
		sweep_hour(g, &g->hours[g->n_hours - 1], now_s);
}

static void
happen(struct engine *g, const struct event *v)
{
	if (v->worker != NONE && v->generation != g->workers[v->worker].generation)
		return;
	switch (v->kind) {
	case ARRIVAL: arrivals(g); break;
	case SWEEP:
		sweep(g);
		event_add(g, g->w->now_ms + MINUTE, SWEEP, NONE);
		break;
	case WAKE: g->wake_ms = INT64_MAX; break;
	case RESOLVED: resolved(g, v->worker); break;
	case CONNECTED: connected(g, v->worker); break;
	case ANSWERED: answered(g, v->worker); break;
	case IDLED: step(g, v->worker); break;
	}
}

static void
run_begins(struct engine *g, bool stay)
{
	struct world *w = g->w;

	w->res->runs++;
	g->s = sched_new(TOTAL_CONNECTIONS, mix(w->opt.seed + w->res->runs));
	for (int i = 0; i < STREAMS; i++)
		sched_add_stream(g->s, weights[i]);
	g->n_heap = g->n_locals = g->n_free = 0;
	for (uint32_t k = TOTAL_CONNECTIONS; k-- > 0;) {
		g->workers[k] = (struct worker){.site = NONE};
		g->free[g->n_free++] = k;
	}
	g->wake_ms = INT64_MAX;
	g->stopping = false;
	g->stay = stay;
	sweep(g);
	arrivals(g);
	if (stay)
		event_add(g, w->now_ms + MINUTE, SWEEP, NONE);
}

static void
run_ends(struct engine *g)
{
	struct world *w = g->w;
	struct buf b = BUF_INIT;
	uint32_t site, stream, msg;

	while (sched_take_any(g->s, &site, &stream, &msg)) /* they stay where and when they are */
		enqueue(g, msg, WAITING, w->messages[msg].due_s);
	for (uint32_t i = 0; i < g->n_locals; i++) {
		struct peer *p = &w->peers[g->locals[i].peer];

		if (sched_connections(g->s, i) != 0 || sched_waiting_at(g->s, i) != 0)
			broken(w, "site %u has not ended", i);
		if (g->locals[i].domain != NONE) {
			g->site_of_domain[g->locals[i].domain] = NONE;
			continue;
		}
		g->site_of_peer[g->locals[i].peer] = NONE;
		buf_cut(&b, 0);
		pace_text(sched_pace(g->s, i), w->now_ms, &b);
		if (b.len > sizeof p->memory)
			broken(w, "pace says too much: %s", b.s);
		else
			memcpy(p->memory, b.s, b.len);
		p->memory_len = (uint8_t)b.len;
		p->memory_ms = w->now_ms;
	}
	if (sched_waiting(g->s) != 0 || g->queued + w->done != w->arrived)
		broken(w, "%" PRIu64 " queued, %u done, %u came", g->queued, w->done, w->arrived);
	buf_free(&b);
	sched_del(g->s);
}

static void
run(struct engine *g, int64_t until_ms, bool stay)
{
	struct world *w = g->w;

	run_begins(g, stay);
	dispatch(g);
	while (g->n_heap > 0 && !w->res->broken[0]) {
		struct event v = event_take(g);

		if (!g->stopping && v.at_ms >= until_ms) { /* SIGTERM, or time is over */
			g->stopping = true;
			w->now_ms = until_ms > w->now_ms ? until_ms : w->now_ms;
			for (uint32_t i = 0; i < g->n_locals; i++)
				while (g->locals[i].idle != NONE)
					leave(g, g->locals[i].idle);
		}
		if (g->stopping && g->n_free == TOTAL_CONNECTIONS)
			break;
		if (v.kind == SWEEP && g->stopping)
			continue;
		w->now_ms = v.at_ms > w->now_ms ? v.at_ms : w->now_ms;
		happen(g, &v);
		dispatch(g);
		if (!stay && g->n_free == TOTAL_CONNECTIONS && sched_waiting(g->s) == 0)
			break;
	}
	run_ends(g);
}

static void
engine_free(struct engine *g)
{
	for (uint32_t i = 0; i < g->n_hours; i++)
		free(g->hours[i].msgs);
	free(g->hours);
	free(g->heap);
	free(g->locals);
	free(g->site_of_domain);
	free(g->site_of_peer);
	buf_free(&g->clock_memory);
}

static void
simulate(const struct sim_options *opt, struct sim_result *res)
{
	struct world w;
	struct engine g = {.w = &w, .n_hours = opt->days * 24 + 24, .random = mix(~opt->seed),
	    .clock_memory = BUF_INIT};

	*res = (struct sim_result){0};
	world_init(&w, opt, res);
	g.hours = mem_alloc(g.n_hours * sizeof *g.hours);
	g.site_of_domain = mem_grow(NULL, opt->sites * 2, sizeof *g.site_of_domain);
	g.site_of_peer = mem_grow(NULL, opt->sites, sizeof *g.site_of_peer);
	memset(g.site_of_domain, 0xff, opt->sites * 2 * sizeof *g.site_of_domain);
	memset(g.site_of_peer, 0xff, opt->sites * sizeof *g.site_of_peer);
	while (w.now_ms < w.end_ms && !res->broken[0]) {
		int64_t day = w.now_ms / DAY;

		if (day % 2 == 0 && !opt->overtake) {
			run(&g, w.now_ms + RUN_TIME, false);
			w.now_ms = (w.now_ms / MINUTE + 1) * MINUTE; /* cron */
		} else {
			run(&g, (day + 1) * DAY, true);
		}
	}
	if (w.done != opt->messages || w.arrived != opt->messages)
		broken(&w, "%u of %u came, %u came to an end", w.arrived, opt->messages, w.done);
	engine_free(&g);
	world_free(&w);
}

#endif
