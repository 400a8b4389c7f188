#include "worker.h"

#include "io.h"
#include "local.h"
#include "reach.h"
#include "sorting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES (256 * 1024)
#define SLOT_WAIT_MS 100     /* another run holds all connections the site may have */
#define LOST_IN_A_ROW 2      /* connections lost in the middle of a message, that tell of the site */
#define STS_WAIT_MS 100      /* before asking again for a policy that is being fetched */
#define MIN_ROUTE_TTL_S 60

struct worker {
	struct run_state *r;
	pthread_t thread;
	pthread_cond_t wake;
	bool woken;
	struct worker *next_idle, *next_all;
	struct reach c;
	uint32_t site, slot; /* of the connection */
	struct load ahead;   /* the next message, taken while the peer works on this one */
	bool has_ahead, told_to_close;
};

static void *work(void *arg);

/* --- sleeping and waking, all with the lock held */

static void
unlist(struct worker **list, const struct worker *w)
{
	while (*list && *list != w)
		list = &(*list)->next_idle;
	if (*list)
		*list = w->next_idle;
}

static bool
wake_first(struct worker **list)
{
	struct worker *w = *list;

	if (!w)
		return false;
	*list = w->next_idle;
	w->woken = true;
	pthread_cond_signal(&w->wake);
	return true;
}

static void
start_thread(struct run_state *r)
{
	struct worker *w = mem_alloc(sizeof *w);
	pthread_condattr_t ca;
	pthread_attr_t ta;

	w->r = r;
	reach_init(&w->c, &r->env);
	pthread_condattr_init(&ca);
	pthread_condattr_setclock(&ca, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &ca);
	pthread_condattr_destroy(&ca);
	pthread_attr_init(&ta);
	pthread_attr_setstacksize(&ta, STACK_BYTES);
	r->busy++; /* until it has looked for itself */
	if (pthread_create(&w->thread, &ta, work, w) == 0) {
		r->threads++;
		w->next_all = r->all;
		r->all = w;
	} else {
		struct err e = ERR_INIT;

		err_set(&e, EX_TEMPFAIL, "cannot start a thread");
		if (r->threads == 0) /* with some the run goes on, only slower */
			deliver_trouble(&r->d, &e);
		err_free(&e);
		r->busy--;
		pthread_cond_destroy(&w->wake);
		reach_free(&w->c);
		free(w);
	}
	pthread_attr_destroy(&ta);
}

/* No thread is left: one that only keeps a connection may be asked to give it up. */
static void
wake_keeper(struct run_state *r)
{
	for (uint32_t i = 0; i < r->plan.n_sites; i++)
		if (wake_first(&r->plan.sites[i]->idle))
			return;
}

void
worker_nudge(struct run_state *r, uint32_t site)
{
	if (sched_waiting(r->plan.s) == 0 || r->stop)
		return;
	if (site < r->plan.n_sites && wake_first(&r->plan.sites[site]->idle))
		return;
	if (wake_first(&r->idle))
		return;
	if (r->threads < r->d.conf->connections)
		start_thread(r);
	else
		wake_keeper(r);
}

/* Sleeps on a list until woken, until the time, or until the run stops. */
static void
sleep_on(struct worker *w, struct worker **list, int64_t until_ms)
{
	struct timespec t = {until_ms / 1000, until_ms % 1000 * 1000000};

	w->woken = false;
	w->next_idle = *list;
	*list = w;
	while (!w->woken && !w->r->stop) {
		if (until_ms == INT64_MAX)
			pthread_cond_wait(&w->wake, &w->r->lock);
		else if (pthread_cond_timedwait(&w->wake, &w->r->lock, &t) == ETIMEDOUT)
			break;
	}
	if (!w->woken)
		unlist(list, w);
}

void
worker_stop_all(struct run_state *r)
{
	r->stop = true;
	for (struct worker *w = r->all; w; w = w->next_all) {
		pthread_cond_signal(&w->wake);
		reach_cut(&w->c);
	}
}

void
worker_join_all(struct run_state *r)
{
	while (r->all) {
		struct worker *w = r->all;

		r->all = w->next_all;
		pthread_join(w->thread, NULL);
		pthread_cond_destroy(&w->wake);
		reach_free(&w->c);
		free(w);
	}
}

/* --- routes */

/* --site: whether this one was not asked for. */
static bool
unwanted(struct run_state *r, uint32_t site)
{
	return r->o->site && strcmp(load_site(r, site)->name, r->o->site) != 0;
}

static void
drop_site(struct run_state *r, uint32_t site, struct load *l)
{
	do
		load_drop(r, l);
	while (load_next(r, site, l));
}

/* Somebody fetches the policy, or nobody can now: this thread is not to wait for that. */
static void
put_back(struct run_state *r, uint32_t own, uint32_t item)
{
	pthread_mutex_lock(&r->lock);
	plan_return(&r->plan, item);
	sched_left(r->plan.s, own);
	sched_hold(r->plan.s, own, io_now_ms() + STS_WAIT_MS);
	pthread_mutex_unlock(&r->lock);
}

/* What the domain's policy makes of the route; false: it is not known yet, and the route is freed. */
static bool
find_sts(struct worker *w, const char *domain, struct route *route, struct stsfile **sts, bool *held,
    bool *old)
{
	int64_t until = io_now_ms() + (int64_t)w->r->d.conf->timeouts.dns * 1000;
	const struct stsfile *valid;

	if (route->configured || !route_heeds_sts(route))
		return true;
	if (stskeep_find(w->r->env.sts, domain, w->c.dns, until, sts, old) == STSKEEP_BUSY) {
		route_free(route);
		return false;
	}
	valid = stskeep_valid(*sts);
	*held = valid != NULL;
	if (valid)
		route_hold(route, &valid->policy);
	return true;
}

static void
no_route(struct run_state *r, uint32_t own, struct load *l, const char *domain, const char *status,
    const struct err *e)
{
	struct plan_site *s;

	if (r->stop || r->d.trouble) {
		load_drop(r, l); /* nobody has waited for the answer */
		return;
	}
	if (r->o->site) {
		drop_site(r, own, l); /* whatever its site is, it is not known to be the one */
		return;
	}
	if (e->code == EX_NOHOST || e->code == EX_UNAVAILABLE || e->code == EX_DATAERR) {
		load_fail_all(r, own, l, 0, status, err_text(e));
		return;
	}
	s = load_site(r, own);
	pthread_mutex_lock(&r->lock);
	plan_why(s, status, err_text(e));
	s->failed = true;
	load_report(r, own, PACE_UNREACHABLE, 0);
	pthread_mutex_unlock(&r->lock);
	load_verdict(r, l, JOURNAL_DEFERRED, 0, s->status, err_text(e), domain);
	load_drain_closed(r, own);
}

/* The site, where everything that waits for this destination goes with the message. */
static uint32_t
take_route(struct run_state *r, uint32_t own, struct load *l, struct route *route, struct stsfile *sts,
    bool held)
{
	int64_t ttl = route->ttl_s < MIN_ROUTE_TTL_S ? MIN_ROUTE_TTL_S : route->ttl_s;
	uint32_t dest = l->i.dest, site;

	if (sts && ttl > STSKEEP_RECHECK_S) /* RFC 8461 5.1: before a message fails for good */
		ttl = STSKEEP_RECHECK_S;
	pthread_mutex_lock(&r->lock);
	site = plan_site(&r->plan, route, io_now_ms());
	plan_hold(&r->plan, dest, sts, held);
	plan_resolved(&r->plan, dest, site, io_now_ms() + ttl * 1000);
	load_report(r, own, PACE_DELIVERED, 0);
	plan_return(&r->plan, l->item);
	pthread_mutex_unlock(&r->lock);
	if (unwanted(r, site) && load_next(r, site, l))
		drop_site(r, site, l);
	load_drain_closed(r, site);
	return site;
}

/* The order came from a destination whose route is not known: find it, then everything that
 * waits for it moves to the real site. */
static void
resolve(struct worker *w, uint32_t own, uint32_t item)
{
	struct run_state *r = w->r;
	int64_t until = io_now_ms() + (int64_t)r->d.conf->timeouts.dns * 1000;
	char status[12] = "";
	struct route route = {0};
	struct err e = ERR_INIT;
	struct stsfile *sts = NULL;
	struct plan_dest *dest;
	struct load l;
	const struct conf_route *by;
	uint32_t site = 0;
	const char *domain;
	bool held = false, old = false, lax;

	pthread_mutex_lock(&r->lock);
	l = load_of(r, item);
	dest = &r->plan.dests[l.i.dest];
	domain = dest->domain;
	lax = dest->lax;
	by = dest->by;
	pthread_mutex_unlock(&r->lock);
	if (route_resolve(r->d.conf, by, &r->self, w->c.dns, domain, r->seed ^ own, until, &route, status, &e)) {
		no_route(r, own, &l, domain, status, &e);
	} else {
		if (lax)
			route_relax(&route);
		if (!find_sts(w, domain, &route, &sts, &held, &old)) {
			put_back(r, own, item);
			return;
		}
		site = take_route(r, own, &l, &route, sts, held);
	}
	err_free(&e);
	pthread_mutex_lock(&r->lock);
	sched_left(r->plan.s, own);
	worker_nudge(r, site);
	pthread_mutex_unlock(&r->lock);
	if (old)
		stskeep_refresh(r->env.sts, domain);
}

/* --- messages whose envelope says where they go */

static void
sort(struct worker *w, uint32_t own, uint32_t item)
{
	struct run_state *r = w->r;
	struct sorted to;

	if (!sorting(r, own, item, &to))
		return;
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < to.n; i++)
		worker_nudge(r, to.sites[i]);
	worker_nudge(r, own);
	pthread_mutex_unlock(&r->lock);
	free(to.sites);
}

/* No connection: the message that asked for one has made an attempt, those behind it have not. */
static void
not_connected(struct worker *w, uint32_t site, struct load *l, int rc, const char *status,
    const struct err *e)
{
	struct run_state *r = w->r;
	struct plan_site *s = load_site(r, site);

	if (rc == EX_NOHOST || rc == EX_UNAVAILABLE) {
		load_fail_all(r, site, l, w->c.gone ? w->c.s.reply.code : 0, status, err_text(e));
		return;
	}
	pthread_mutex_lock(&r->lock);
	if (w->c.not_for_domain) { /* others' mail for the same hosts does not wait for that */
		load_report(r, site, PACE_DELIVERED, 0);
	} else {
		plan_why(s, status, err_text(e));
		s->failed = true;
		s->on_terms = w->c.on_terms;
		load_report(r, site, w->c.s.slow_down ? PACE_SLOW_DOWN : PACE_UNREACHABLE, w->c.s.wait_hint_s);
	}
	pthread_mutex_unlock(&r->lock);
	/* That TLS is not to be had follows a reply that was good. */
	load_verdict(r, l, JOURNAL_DEFERRED, w->c.s.reply.code >= 400 ? w->c.s.reply.code : 0, status, err_text(e),
	    s->name);
	load_drain_closed(r, site);
}

/* --- sending */

/* What a transaction says of its site.  Lost once, in the middle, may be this message's own doing. */
static enum pace_event
omen(struct plan_site *s, const struct parcel_way *way)
{
	if (way->halt) {
		plan_why(s, "4.3.0", way->halt);
		s->failed = true;
		return PACE_SLOW_DOWN;
	}
	if (way->s->slow_down) {
		plan_why_all(s, "4.4.5", "the site asked for a pause");
	} else if (way->useless) {
		plan_why(s, "4.4.2", "connections are closed before anything can be sent");
	} else if (way->lost && ++s->lost >= LOST_IN_A_ROW) {
		plan_why(s, "4.4.2", "connections are lost");
	} else {
		if (!way->lost)
			s->lost = 0;
		return PACE_DELIVERED;
	}
	s->failed = true; /* a refusal too, for those it makes wait past their lifetime */
	return way->useless && !way->s->slow_down ? PACE_UNREACHABLE : PACE_SLOW_DOWN;
}

static void
settle(struct worker *w, uint32_t site, const struct parcel_way *way)
{
	struct run_state *r = w->r;
	struct pace *p;
	uint32_t allowed;

	pthread_mutex_lock(&r->lock);
	p = sched_pace(r->plan.s, site);
	allowed = p->allowed;
	load_report(r, site, omen(r->plan.sites[site], way),
	    way->s->slow_down ? way->s->wait_hint_s : 0);
	if (p->allowed > allowed)
		worker_nudge(r, site);
	pthread_mutex_unlock(&r->lock);
}

static bool
worn_out(const struct worker *w)
{
	const struct conf *c = w->r->d.conf;

	return smtp_used_up(&w->c.s) || w->r->d.trouble || w->c.s.done >= load_messages(w->r, w->c.site) ||
	    io_now_ms() - w->c.since_ms > (int64_t)c->connection_s * 1000;
}

static bool
nearly_worn_out(const struct worker *w)
{
	const struct conf *c = w->r->d.conf;

	return w->has_ahead || w->told_to_close || w->r->d.trouble || !w->c.s.open ||
	    w->c.s.done + 1 >= load_messages(w->r, w->c.site) ||
	    io_now_ms() - w->c.since_ms > (int64_t)c->connection_s * 1000;
}

/* What a connection does next; sched_more, and what other runs have sent there counts. */
static struct sched_order
order_more(struct run_state *r, uint32_t site)
{
	for (;;) {
		struct sched_order o = sched_more(r->plan.s, site, io_now_ms());

		if (o.what != SCHED_SEND || load_site_rate(r, site))
			return o;
		plan_return(&r->plan, o.item);
	}
}

/* The peer has its work to do: meanwhile the next message is taken from the disk. */
static void
look_ahead(void *arg)
{
	struct worker *w = arg;
	struct run_state *r = w->r;
	struct sched_order o;

	if (nearly_worn_out(w))
		return;
	pthread_mutex_lock(&r->lock);
	o = order_more(r, w->site);
	w->told_to_close = o.what == SCHED_CLOSE;
	if (o.what == SCHED_SEND)
		w->ahead = load_of(r, o.item);
	pthread_mutex_unlock(&r->lock);
	w->has_ahead = o.what == SCHED_SEND && load_take(r, &w->ahead);
	if (w->has_ahead && !load_site(r, w->site)->route.ends)
		parcel_sign(w->ahead.p);
}

/* What was taken ahead goes out next, unless this connection or its site is not what it was. */
static bool
have_ahead(struct worker *w, struct load *l)
{
	struct run_state *r = w->r;
	int64_t until;
	bool closed;

	if (!w->has_ahead)
		return false;
	w->has_ahead = false;
	pthread_mutex_lock(&r->lock);
	closed = r->stop || pace_closed(sched_pace(r->plan.s, w->site), io_now_ms(), &until);
	pthread_mutex_unlock(&r->lock);
	if (closed || worn_out(w)) {
		load_give_back(r, &w->ahead);
		return false;
	}
	*l = w->ahead;
	return true;
}

/* Where there is no connection. */
static int
send_here(struct parcel_way *way, struct smtp_mail *m, struct err *e)
{
	const struct worker *w = way->arg;
	int rc = local_send(w->r->local, load_site(w->r, w->site)->route.ends, m, &way->halt, e);

	way->s->done++;
	if (w->r->stop)
		way->s->open = false; /* the other recipients are for another run */
	return rc;
}

/* One message over the connection.  False: the connection was stale, the item is still in hand. */
static bool
send_load(struct worker *w, uint32_t site, struct load *l)
{
	struct run_state *r = w->r;
	struct plan_site *s = load_site(r, site);
	enum reach_other others = reach_others(&w->c, s);
	struct parcel_way way = {.s = &w->c.s, .site = span_of(s->name), .host = span_of(w->c.host),
	    .addr = {w->c.addr.s, w->c.addr.len}, .source = span_of(w->c.source ? w->c.source->helo : NULL),
	    .source_addr = {w->c.from.s, w->c.from.len}, .connect_us = w->c.connect_us,
	    .ends = s->route.ends,
	    .null_sender = s->route.by ? s->route.by->null_sender : NULL,
	    .elsewhere = others == REACH_NOW, .later = others == REACH_LATER, .meanwhile = look_ahead, .arg = w};
	struct err e = ERR_INIT;
	enum parcel_sent sent;

	if (w->c.bound && load_domain(r, l) != w->c.next_hop)
		return false; /* whom its certificate is not for */
	if (route_is_here(&s->route))
		way.send = send_here;
	sent = parcel_send(l->p, l->rcpts, &l->n, &way, &e);

	if (sent == PARCEL_LOST) {
		load_finish(r, l);
	} else if (sent == PARCEL_SENT) {
		settle(w, site, &way);
		load_finish(r, l);
	} else if (sent == PARCEL_UNSIGNED) {
		load_verdict(r, l, JOURNAL_DEFERRED, 0, "4.7.5", err_text(&e), s->name);
	}
	err_free(&e);
	if (sent == PARCEL_STALE && way.useless)
		reach_avoid(&w->c, s);
	else if (sent == PARCEL_STALE && way.unfit)
		reach_unfit(&w->c, s);
	else if (sent != PARCEL_STALE)
		reach_fresh(&w->c);
	return sent != PARCEL_STALE;
}

/* What the connection does next: true with an item, false when it is to be closed. */
static bool
next_order(struct worker *w, uint32_t site, struct load *l)
{
	struct run_state *r = w->r;
	int64_t idle_until = io_now_ms() + (int64_t)r->d.conf->connection_idle_ms;
	bool found = false;

	if (have_ahead(w, l))
		return true;
	if (worn_out(w) || w->told_to_close)
		return false;
	pthread_mutex_lock(&r->lock);
	while (!r->stop) {
		int64_t now = io_now_ms();
		struct sched_order o = order_more(r, site);

		if (o.what == SCHED_SEND) {
			*l = load_of(r, o.item);
			found = true;
			break;
		}
		if (o.what == SCHED_CLOSE || now >= idle_until ||
		    (sched_waiting_at(r->plan.s, site) == 0 && !r->o->follow))
			break;
		r->busy--;
		sleep_on(w, &r->plan.sites[site]->idle,
		    o.until_ms < idle_until ? o.until_ms : idle_until);
		r->busy++;
	}
	pthread_mutex_unlock(&r->lock);
	return found;
}

static bool
get_slot(struct worker *w, uint32_t site, uint32_t item)
{
	struct run_state *r = w->r;
	bool got;

	pthread_mutex_lock(&r->lock);
	got = load_site_enter(r, site, &w->slot);
	if (got && !load_site_rate(r, site)) {
		plan_return(&r->plan, item);
		load_site_leave(r, site, w->slot);
		got = false;
	} else if (!got) {
		plan_return(&r->plan, item);
		sched_left(r->plan.s, site);
		sched_hold(r->plan.s, site, io_now_ms() + SLOT_WAIT_MS);
	}
	pthread_mutex_unlock(&r->lock);
	return got;
}

static void
leave(struct worker *w, uint32_t site)
{
	struct run_state *r = w->r;

	smtp_quit(&w->c.s);
	pthread_mutex_lock(&r->lock);
	load_site_leave(r, site, w->slot);
	worker_nudge(r, site);
	pthread_mutex_unlock(&r->lock);
}

/* A connection's life, from the order that asked for it. */
static void
serve(struct worker *w, uint32_t site, uint32_t item)
{
	struct run_state *r = w->r;
	struct plan_site *s = load_site(r, site);
	char status[12] = "";
	struct err e = ERR_INIT;
	struct load l;
	bool first = true, have = true;
	int rc;

	if (!get_slot(w, site, item))
		return;
	w->site = site;
	w->told_to_close = false;
	pthread_mutex_lock(&r->lock);
	l = load_of(r, item);
	pthread_mutex_unlock(&r->lock);
	reach_fresh(&w->c);
	rc = load_connect(r, &l, &w->c, s, status, &e);
	while (!rc && have) {
		if (first) {
			pthread_mutex_lock(&r->lock);
			s->on_terms = false;
			load_report(r, site, PACE_CONNECTED, 0);
			worker_nudge(r, site); /* it may have more than one now */
			pthread_mutex_unlock(&r->lock);
			first = false;
		}
		if (l.p || load_take(r, &l)) {
			if (!send_load(w, site, &l)) {
				smtp_quit(&w->c.s); /* stale: the same message over a fresh one, once */
				rc = load_connect(r, &l, &w->c, s, status, &e);
				continue;
			}
		}
		have = next_order(w, site, &l);
	}
	if (w->has_ahead)
		load_give_back(r, &w->ahead);
	w->has_ahead = false;
	if (rc && (r->stop || r->d.trouble))
		load_drop(r, &l);
	else if (rc)
		not_connected(w, site, &l, rc, status, &e);
	err_free(&e);
	leave(w, site);
	load_drain_closed(r, site);
}

/* --- the thread */

/* Recipients of a message to several destinations come to a site after it was found out that it is
 * not the one. */
static void
refuse(struct run_state *r, const struct sched_order *o)
{
	struct load l;

	pthread_mutex_lock(&r->lock);
	l = load_of(r, o->item);
	pthread_mutex_unlock(&r->lock);
	drop_site(r, o->site, &l);
	pthread_mutex_lock(&r->lock);
	sched_left(r->plan.s, o->site);
	pthread_mutex_unlock(&r->lock);
}

static void
obey(struct worker *w, const struct sched_order *o)
{
	struct run_state *r = w->r;
	struct plan_site *s;
	bool sorts;

	pthread_mutex_lock(&r->lock);
	s = r->plan.sites[o->site];
	sorts = !s->real && sorting_has(&r->plan, s->dest);
	worker_nudge(r, MAP_NONE); /* perhaps there is work for one more */
	pthread_mutex_unlock(&r->lock);
	if (sorts)
		sort(w, o->site, o->item);
	else if (!s->real)
		resolve(w, o->site, o->item);
	else if (unwanted(r, o->site))
		refuse(r, o);
	else
		serve(w, o->site, o->item);
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct run_state *r = w->r;
	struct err e = ERR_INIT;

	if (r->dns && dns_clone(&w->c.dns, r->dns, &e)) {
		deliver_trouble(&r->d, &e);
		err_free(&e);
	}
	if (w->c.dns)
		dns_heed(w->c.dns, &r->stop);
	pthread_mutex_lock(&r->lock);
	while (!r->stop && !r->d.trouble) {
		struct sched_order o = sched_start(r->plan.s, io_now_ms());

		if (o.what == SCHED_SEND) {
			pthread_mutex_unlock(&r->lock);
			obey(w, &o);
			pthread_mutex_lock(&r->lock);
			continue;
		}
		if (--r->busy == 0)
			load_tell_main(r);
		sleep_on(w, &r->idle, o.until_ms);
		r->busy++;
	}
	if (--r->busy == 0 || r->d.trouble)
		load_tell_main(r);
	pthread_mutex_unlock(&r->lock);
	return NULL;
}
