#include "worker.h"

#include "addr.h"
#include "idn.h"
#include "io.h"
#include "net.h"
#include "retry.h"
#include "tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES (256 * 1024)
#define HOST_BAD_MS 60000    /* a host that failed is passed over for so long */
#define HOST_CLEAR_MS 600000 /* one whose handshake failed is not offered TLS for so long */
#define SHORT_WAIT_MS 30000  /* a closure up to this is waited for within the run */
#define RETRY_SOON_MS 1000   /* but what failed is not tried again by the same few of its messages */
#define SLOT_WAIT_MS 100     /* another run holds all connections the site may have */
#define OPEN_PARCELS 64      /* messages to several destinations in hand at once */
#define MIN_ROUTE_TTL_S 60

struct worker {
	struct run_state *r;
	pthread_t thread;
	pthread_cond_t wake;
	bool woken;
	struct worker *next_idle, *next_all;
	struct dns *dns;
	struct smtp s;
	uint32_t site, slot; /* of the connection */
	char *host;          /* whom it leads to */
	struct buf addr;     /* "192.0.2.1:25" */
	uint64_t connect_us;
	int64_t since_ms;
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
	smtp_init(&w->s);
	w->addr = (struct buf)BUF_INIT;
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
		r->busy--;
		pthread_cond_destroy(&w->wake);
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

static void
tell_main(struct run_state *r)
{
	uint64_t one = 1;
	struct err e = ERR_INIT;

	io_write(r->main_fd, &one, sizeof one, &e);
	err_free(&e);
}

void
worker_stop_all(struct run_state *r)
{
	r->stop = true;
	pthread_cond_broadcast(&r->parcel_closed);
	for (struct worker *w = r->all; w; w = w->next_all)
		pthread_cond_signal(&w->wake);
}

void
worker_join_all(struct run_state *r)
{
	while (r->all) {
		struct worker *w = r->all;

		r->all = w->next_all;
		pthread_join(w->thread, NULL);
		pthread_cond_destroy(&w->wake);
		smtp_free(&w->s);
		dns_close(w->dns);
		buf_free(&w->addr);
		free(w);
	}
}

/* --- items */

/* The list of sites moves when it grows; a site stays where it is. */
static struct plan_site *
site_of(struct run_state *r, uint32_t site)
{
	struct plan_site *s;

	pthread_mutex_lock(&r->lock);
	s = r->plan.sites[site];
	pthread_mutex_unlock(&r->lock);
	return s;
}

static void
report(struct run_state *r, uint32_t site, enum pace_event what, uint64_t hint_s)
{
	sched_report(r->plan.s, site, what, hint_s, io_now_ms());
}

static uint64_t
now_s(void)
{
	return io_time_us() / 1000000;
}

/* What a worker holds of an item while it works on it: its own once taken from the scheduler. */
struct load {
	uint32_t item;
	struct plan_item i;
	struct parcel *p;
	uint32_t *rcpts; /* i's for a group, else ours */
	size_t n;
};

static struct load
load_of(struct run_state *r, uint32_t item)
{
	struct load l = {.item = item, .i = r->plan.items[item]};

	return l;
}

static void
forget(struct run_state *r, struct load *l)
{
	if (!l->i.parcel)
		free(l->rcpts);
	pthread_mutex_lock(&r->lock);
	plan_forget(&r->plan, l->item);
	pthread_mutex_unlock(&r->lock);
}

/* last: with this the parcel is gone, and if it went to several destinations, room for another. */
static void
closed(struct run_state *r, struct load *l, bool last)
{
	if (last && l->i.parcel) {
		pthread_mutex_lock(&r->lock);
		r->open_parcels--;
		pthread_cond_signal(&r->parcel_closed);
		pthread_mutex_unlock(&r->lock);
	}
	forget(r, l);
}

static void
finish(struct run_state *r, struct load *l)
{
	closed(r, l, parcel_finish(l->p));
}

/* Whether or not it has been taken: as if this run had not seen it. */
static void
drop(struct run_state *r, struct load *l)
{
	struct parcel *p = l->p ? l->p : l->i.parcel;

	closed(r, l, p && parcel_drop(p));
}

/* Found locked: in new/ its submitter is about to let go; elsewhere another run has it. */
static void
later(struct run_state *r, struct load *l)
{
	static const int64_t waits_ms[] = {2, 4, 20, 125, 500, 2000, 5000};

	pthread_mutex_lock(&r->lock);
	if (l->i.place == IN_NEW && l->i.tries < sizeof waits_ms / sizeof *waits_ms && !r->stop) {
		r->delays = mem_grow(r->delays, r->n_delays + 1, sizeof *r->delays);
		r->delays[r->n_delays++] = (struct run_delay){
		    io_now_ms() + waits_ms[r->plan.items[l->item].tries++], l->item};
		tell_main(r);
	} else {
		plan_forget(&r->plan, l->item);
	}
	pthread_mutex_unlock(&r->lock);
}

/* The parcel of an item: true when there is something to do for it. */
static bool
take(struct run_state *r, struct load *l)
{
	struct queue_at at = plan_at(&l->i);
	enum parcel_took took;
	struct err e = ERR_INIT;
	int rc;

	if (l->p)
		return true;
	if (l->i.parcel) {
		l->p = l->i.parcel;
		l->rcpts = l->i.rcpts;
		l->n = l->i.n_rcpts;
		return true;
	}
	rc = parcel_take(&r->d, &at, l->i.name, now_s(), &l->p, &took, &e);
	if (rc)
		deliver_ails(&r->d, &e);
	err_free(&e);
	if (!rc && took == PARCEL_READY) {
		l->rcpts = parcel_open(l->p, &l->n);
		return true;
	}
	if (!rc && took == PARCEL_BUSY)
		later(r, l);
	else
		forget(r, l);
	return false;
}

static void
verdict(struct run_state *r, struct load *l, enum journal_is as, int code, const char *status,
    const char *text, const char *site)
{
	if (!take(r, l))
		return;
	parcel_verdict(l->p, l->rcpts, l->n, as, code, status, text, span_of(site));
	finish(r, l);
}

/* --- sites that cannot be reached now, or ever */

static bool
next_at(struct run_state *r, uint32_t site, struct load *l)
{
	uint32_t stream, item;
	bool more;

	pthread_mutex_lock(&r->lock);
	more = sched_take(r->plan.s, site, &stream, &item);
	if (more)
		*l = load_of(r, item);
	pthread_mutex_unlock(&r->lock);
	return more;
}

/* Over its lifetime - or of a birth that cannot be true, so that only attempts count. */
static bool
too_old(const struct run_state *r, const struct load *l)
{
	const struct conf *c = r->d.conf;
	struct retry_policy policy = {c->retry_min_s, c->retry_max_s, c->lifetime_s};
	const char *name = l->i.parcel ? l->i.parcel->t.name : l->i.name;
	struct entry_name n;
	uint64_t born;

	if (!r->d.may_expire || !entry_name_parse(span_of(name), &n))
		return false;
	born = entry_id_us(n.id.p) / 1000000;
	return !retry_born_ok(born, now_s()) || retry_expired(&policy, born, now_s());
}

/* A wait that we choose: by name alone, and no attempt is counted.  Only what is over its lifetime
 * is opened, and only after an attempt at this site has failed. */
static void
move_on(struct run_state *r, struct plan_site *s, struct load *l, uint64_t until_s)
{
	struct queue_at at = plan_at(&l->i);
	struct buf why = BUF_INIT;
	struct err e = ERR_INIT;
	char status[sizeof s->status];
	bool failed;

	pthread_mutex_lock(&r->lock);
	failed = s->failed;
	memcpy(status, s->status, sizeof status);
	if (failed && s->why)
		buf_str(&why, s->why); /* another of its connections may have news meanwhile */
	pthread_mutex_unlock(&r->lock);
	failed = failed && too_old(r, l);
	if (failed)
		verdict(r, l, JOURNAL_DEFERRED, 0, status, why.s, s->name);
	buf_free(&why);
	if (failed)
		return;
	if (l->i.parcel) {
		take(r, l);
		parcel_wait(l->p, until_s);
		finish(r, l);
		return;
	}
	if (queue_defer_name(r->d.q, &at, l->i.name, until_s, &e) && errno != ENOENT)
		deliver_ails(&r->d, &e);
	err_free(&e);
	forget(r, l);
}

/* Of a closed site everything moves to the hour when it opens, unless that is soon. */
static void
drain_if_closed(struct run_state *r, uint32_t site)
{
	struct plan_site *s;
	const struct pace *p;
	struct load l;
	int64_t until = 0, now = io_now_ms(), soon;
	uint64_t due;
	bool closed;

	pthread_mutex_lock(&r->lock);
	s = r->plan.sites[site];
	p = sched_pace(r->plan.s, site);
	closed = pace_closed(p, now, &until);
	soon = p->failures > 0 ? RETRY_SOON_MS : SHORT_WAIT_MS;
	if (closed && s->real && s->slots.fd >= 0) {
		struct err e = ERR_INIT;

		slots_save(&s->slots, p, now, &e);
		err_free(&e);
	}
	pthread_mutex_unlock(&r->lock);
	if (!closed || until - now <= soon)
		return;
	due = now_s() + (uint64_t)(until - now) / 1000 + 1; /* all at once: each may be the one that tries */
	while (!r->d.trouble && next_at(r, site, &l))
		move_on(r, s, &l, due);
}

static void
fail_all(struct run_state *r, uint32_t site, struct load *first, const char *status,
    const char *text)
{
	const char *name = site_of(r, site)->name;
	struct load l = *first;

	do
		verdict(r, &l, JOURNAL_FAILED, 0, status, text, name);
	while (!r->d.trouble && next_at(r, site, &l));
}

/* --- routes */

static void
site_opened(struct run_state *r, uint32_t site)
{
	struct plan_site *s = r->plan.sites[site];
	struct err e = ERR_INIT;
	int64_t now = io_now_ms();

	if (s->slots.fd >= 0)
		return;
	if (slots_open(&s->slots, r->state_dir, s->name, &e) == 0) {
		slots_load(&s->slots, sched_pace(r->plan.s, site), now);
		if (r->o->now)
			sched_pace(r->plan.s, site)->closed_until_ms = 0;
	}
	err_free(&e);
}

/* --site: whether this one was not asked for. */
static bool
unwanted(struct run_state *r, uint32_t site)
{
	return r->o->site && strcmp(site_of(r, site)->name, r->o->site) != 0;
}

static void
drop_site(struct run_state *r, uint32_t site, struct load *l)
{
	do
		drop(r, l);
	while (next_at(r, site, l));
}

/* The order came from a destination whose route is not known: find it, then everything that
 * waits for it moves to the real site. */
static void
resolve(struct worker *w, uint32_t own, uint32_t item)
{
	struct run_state *r = w->r;
	uint64_t dns_s = r->d.conf->timeouts.dns;
	char status[12] = "";
	struct route route = {0};
	struct err e = ERR_INIT;
	struct load l;
	uint32_t dest, site = 0;
	const char *domain;
	int rc;

	pthread_mutex_lock(&r->lock);
	l = load_of(r, item);
	dest = l.i.dest;
	domain = r->plan.dests[dest].domain;
	pthread_mutex_unlock(&r->lock);
	rc = route_resolve(r->d.conf, &r->self, w->dns, domain, r->seed ^ own,
	    io_now_ms() + (int64_t)dns_s * 1000, &route, status, &e);
	if (rc == EX_NOHOST || rc == EX_UNAVAILABLE || rc == EX_DATAERR) {
		fail_all(r, own, &l, status, err_text(&e));
	} else if (rc) {
		struct plan_site *s = site_of(r, own);

		pthread_mutex_lock(&r->lock);
		plan_why(s, status, err_text(&e));
		s->failed = true;
		report(r, own, PACE_UNREACHABLE, 0);
		pthread_mutex_unlock(&r->lock);
		verdict(r, &l, JOURNAL_DEFERRED, 0, s->status, err_text(&e), domain);
		drain_if_closed(r, own);
	} else {
		int64_t ttl = route.ttl_s < MIN_ROUTE_TTL_S ? MIN_ROUTE_TTL_S : route.ttl_s;

		pthread_mutex_lock(&r->lock);
		site = plan_site(&r->plan, &route, io_now_ms());
		site_opened(r, site);
		plan_resolved(&r->plan, dest, site, io_now_ms() + ttl * 1000);
		report(r, own, PACE_DELIVERED, 0);
		plan_return(&r->plan, item);
		pthread_mutex_unlock(&r->lock);
		if (unwanted(r, site) && next_at(r, site, &l))
			drop_site(r, site, &l);
		drain_if_closed(r, site);
	}
	err_free(&e);
	pthread_mutex_lock(&r->lock);
	sched_left(r->plan.s, own);
	worker_nudge(r, site);
	pthread_mutex_unlock(&r->lock);
}

/* --- messages to several destinations */

static int
domain_of(struct span mailbox, struct buf *out, struct err *e)
{
	struct span d = addr_domain(mailbox);

	buf_cut(out, 0);
	if (d.n == 0 || d.p[0] != '[')
		return idn_to_ascii(d, out, e);
	entry_name_domain(d, out); /* an address literal */
	return 0;
}

struct split {
	uint32_t *dest; /* a recipient */
	uint32_t *rcpts;
	size_t n;
};

/* Recipients whose destinations lead to the same site go together. */
static void
push_groups(struct run_state *r, struct parcel *p, struct split *s)
{
	struct plan *plan = &r->plan;

	for (size_t i = 0; i < s->n; i++) {
		uint32_t *group;
		size_t k = 0;

		if (s->dest[i] == MAP_NONE)
			continue;
		group = mem_grow(NULL, s->n - i, sizeof *group);
		for (size_t j = i; j < s->n; j++) {
			if (s->dest[j] == MAP_NONE ||
			    plan->dests[s->dest[j]].site != plan->dests[s->dest[i]].site)
				continue;
			group[k++] = s->rcpts[j];
			if (j > i)
				s->dest[j] = MAP_NONE;
		}
		p->groups++;
		plan_push(plan, plan_add_group(plan, p, group, k, s->dest[i]));
		worker_nudge(r, plan->dests[s->dest[i]].site);
	}
}

/* A site that was closed before these came has nobody who moves them on: they would stay in hand until
 * the run is over, and keep others from being opened. */
static void
drain_closed(struct run_state *r, const struct split *s)
{
	for (size_t i = 0; i < s->n; i++) {
		uint32_t site;

		if (s->dest[i] == MAP_NONE)
			continue;
		pthread_mutex_lock(&r->lock);
		site = r->plan.dests[s->dest[i]].site;
		pthread_mutex_unlock(&r->lock);
		drain_if_closed(r, site);
	}
}

/* The envelope says where it goes: take it, and put its recipients to their destinations. */
static void
open_mixed(struct worker *w, uint32_t own, uint32_t item)
{
	struct run_state *r = w->r;
	struct buf domain = BUF_INIT;
	struct split s = {0};
	struct load l;

	pthread_mutex_lock(&r->lock);
	while (r->open_parcels >= OPEN_PARCELS && !r->stop)
		pthread_cond_wait(&r->parcel_closed, &r->lock);
	l = load_of(r, item);
	r->open_parcels++;
	pthread_mutex_unlock(&r->lock);
	if (take(r, &l)) {
		s.rcpts = l.rcpts;
		s.n = l.n;
		s.dest = mem_grow(NULL, l.n + 1, sizeof *s.dest);
		for (size_t i = 0; i < l.n; i++) {
			struct err e = ERR_INIT;

			s.dest[i] = MAP_NONE;
			if (domain_of(l.p->t.env.rcpts[l.rcpts[i]].addr, &domain, &e)) {
				parcel_verdict(l.p, &l.rcpts[i], 1, JOURNAL_FAILED, 0, "5.1.2",
				    err_text(&e), (struct span){"", 0});
			} else {
				pthread_mutex_lock(&r->lock);
				s.dest[i] = plan_dest(&r->plan, (struct span){domain.s, domain.len},
				    io_now_ms());
				pthread_mutex_unlock(&r->lock);
			}
			err_free(&e);
		}
		pthread_mutex_lock(&r->lock);
		l.i.parcel = l.p; /* the first group is ours: finish() counts it down like the rest */
		push_groups(r, l.p, &s);
		pthread_mutex_unlock(&r->lock);
		finish(r, &l);
		drain_closed(r, &s);
		free(s.rcpts);
		free(s.dest);
	} else {
		pthread_mutex_lock(&r->lock);
		r->open_parcels--;
		pthread_mutex_unlock(&r->lock);
	}
	buf_free(&domain);
	pthread_mutex_lock(&r->lock);
	sched_left(r->plan.s, own);
	worker_nudge(r, own);
	pthread_mutex_unlock(&r->lock);
}

/* --- connecting */

static int
open_at(struct worker *w, const struct net_addr *a, const char *host, bool tls, struct err *e)
{
	const struct conf *c = w->r->d.conf;
	struct smtp_options o = {c->hostname, tls, &c->timeouts};
	struct net_addr probe;
	int fd, rc;

	smtp_forget(&w->s); /* what another peer said is no reason for this one's outcome */
	rc = net_connect(&fd, a, NULL, io_now_ms() + (int64_t)c->timeouts.connect * 1000, e);
	if (rc)
		return rc;
	return smtp_open(&w->s, fd, net_addr_parse(&probe, span_of(host), 0) ? NULL : host, &o, e);
}

/* Whether this host is offered TLS; failed: its handshake has just been the trouble. */
static bool
may_tls(struct run_state *r, struct plan_site *s, size_t host, bool failed)
{
	int64_t now = io_now_ms();
	bool may;

	pthread_mutex_lock(&r->lock);
	if (failed)
		s->host_clear_ms[host] = now + HOST_CLEAR_MS;
	may = s->route.tls == CONF_TLS_MAY && s->host_clear_ms[host] <= now;
	pthread_mutex_unlock(&r->lock);
	return may;
}

static int
try_addr(struct worker *w, struct plan_site *s, size_t host, struct net_addr *a, struct err *e)
{
	const struct route_host *h = &s->route.hosts[host];
	uint64_t begun = io_time_us();
	int rc;

	if (a->u.sa.sa_family == AF_INET6)
		a->u.in6.sin6_port = htons(h->port);
	else
		a->u.in4.sin_port = htons(h->port);
	buf_cut(&w->addr, 0);
	net_endpoint_text(a, &w->addr);
	rc = open_at(w, a, h->name, may_tls(w->r, s, host, false), e);
	if (rc && w->s.tls_failed && !w->r->stop) {
		/* Opportunistic: better in clear than not at all, within the same attempt. */
		rc = open_at(w, a, h->name, may_tls(w->r, s, host, true), e);
	}
	if (rc)
		return err_in(e, "%s[%s]", h->name, w->addr.s);
	w->host = h->name;
	w->connect_us = io_time_us() - begun;
	w->since_ms = io_now_ms();
	return 0;
}

static void
mark_bad(struct run_state *r, struct plan_site *s, size_t host)
{
	pthread_mutex_lock(&r->lock);
	s->host_bad_ms[host] = io_now_ms() + HOST_BAD_MS;
	pthread_mutex_unlock(&r->lock);
}

/* status: what to report where this host is the reason. */
static int
find_host(struct worker *w, struct plan_site *s, size_t i, struct dns_addrs *addrs, char status[12],
    struct err *e)
{
	struct run_state *r = w->r;
	bool loop = false;
	int rc = route_addrs(&s->route, i, &r->self, w->dns,
	    io_now_ms() + (int64_t)r->d.conf->timeouts.dns * 1000, addrs, &loop, e);

	if (rc) {
		memcpy(status, rc == EX_NOHOST ? "5.4.4" : "4.4.3", 6);
		mark_bad(r, s, i);
	} else if (loop) { /* RFC 5321 5.1: neither this host nor any at or behind its preference */
		pthread_mutex_lock(&r->lock);
		s->usable = route_before(&s->route, i);
		pthread_mutex_unlock(&r->lock);
		memcpy(status, "5.4.6", 6);
		rc = err_set(e, EX_UNAVAILABLE, "%s leads back to this machine",
		    s->route.hosts[i].name);
	}
	return rc;
}

static int
try_host(struct worker *w, struct plan_site *s, size_t i, char status[12], struct err *e)
{
	struct dns_addrs addrs = {NULL, 0};
	int rc;

	smtp_forget(&w->s);
	rc = find_host(w, s, i, &addrs, status, e);
	if (rc) {
		dns_addrs_free(&addrs);
		return rc;
	}
	memcpy(status, "4.4.1", 6);
	rc = EX_TEMPFAIL;
	for (size_t k = 0; k < addrs.n; k++) {
		rc = try_addr(w, s, i, &addrs.v[k], e);
		if (rc == 0 || w->r->stop)
			break;
		rc = EX_TEMPFAIL;
	}
	if (rc && w->s.reply.code / 100 == 4 && w->s.reply.status[0])
		memcpy(status, w->s.reply.status, sizeof w->s.reply.status);
	dns_addrs_free(&addrs);
	if (rc)
		mark_bad(w->r, s, i);
	return rc;
}

/* Hosts of the best preference take turns; those that failed of late come last. */
static size_t
host_order(struct run_state *r, struct plan_site *s, size_t *order)
{
	size_t best = 0, n = 0, turn;
	int64_t now = io_now_ms();

	pthread_mutex_lock(&r->lock);
	while (best < s->usable && s->route.hosts[best].preference == s->route.hosts[0].preference)
		best++;
	if (s->route.configured && best > 1)
		best = 1; /* relays are tried in the order they were given */
	turn = best ? s->turn++ % best : 0;
	for (int bad = 0; bad < 2; bad++)
		for (size_t k = 0; k < s->usable; k++) {
			size_t i = k < best ? (k + turn) % best : k;

			if ((s->host_bad_ms[i] > now) == (bad == 1))
				order[n++] = i;
		}
	pthread_mutex_unlock(&r->lock);
	return n;
}

static bool
usable(struct run_state *r, const struct plan_site *s, size_t host)
{
	bool yes;

	pthread_mutex_lock(&r->lock);
	yes = host < s->usable;
	pthread_mutex_unlock(&r->lock);
	return yes;
}

/* Where no host takes us, the last temporary failure is what is told: it is why we try again. */
static int
connect_site(struct worker *w, struct plan_site *s, char status[12], struct err *e)
{
	size_t *order = mem_grow(NULL, s->route.n + 1, sizeof *order);
	size_t n = host_order(w->r, s, order), tried = 0;
	struct err worst = ERR_INIT;
	int rc = err_set(&worst, EX_UNAVAILABLE, "every host leads back to this machine");
	bool gone = false;

	memcpy(status, "5.4.6", 6);
	for (size_t k = 0; k < n && rc && !(tried && w->r->stop); k++) {
		char what[12];

		if (!usable(w->r, s, order[k]))
			continue;
		rc = try_host(w, s, order[k], what, e);
		if (rc == EX_TEMPFAIL || (rc && tried == 0)) {
			err_free(&worst);
			worst = (struct err){rc, e->text};
			*e = (struct err)ERR_INIT;
			memcpy(status, what, sizeof what);
		}
		gone = rc == EX_TEMPFAIL && (w->s.reply.code == 521 || w->s.reply.code == 556);
		tried++;
	}
	free(order);
	if (rc == 0) {
		err_free(&worst);
		return 0;
	}
	err_free(e);
	*e = worst;
	if (gone && n == 1) { /* RFC 7504: it takes no mail, and says so */
		memcpy(status, "5.3.2", 6);
		return e->code = EX_UNAVAILABLE;
	}
	return e->code;
}

/* No connection: the message that asked for one has made an attempt, those behind it have not. */
static void
not_connected(struct worker *w, uint32_t site, struct load *l, int rc, const char *status,
    const struct err *e)
{
	struct run_state *r = w->r;
	struct plan_site *s = site_of(r, site);

	if (rc == EX_NOHOST || rc == EX_UNAVAILABLE) {
		fail_all(r, site, l, status, err_text(e));
		return;
	}
	pthread_mutex_lock(&r->lock);
	plan_why(s, status, err_text(e));
	s->failed = true;
	report(r, site, w->s.slow_down ? PACE_SLOW_DOWN : PACE_UNREACHABLE, w->s.wait_hint_s);
	pthread_mutex_unlock(&r->lock);
	verdict(r, l, JOURNAL_DEFERRED, w->s.reply.code, status, err_text(e), s->name);
	drain_if_closed(r, site);
}

/* --- sending */

static void
settle(struct worker *w, uint32_t site, const struct parcel_way *way)
{
	struct run_state *r = w->r;
	struct pace *p;
	uint32_t allowed;

	pthread_mutex_lock(&r->lock);
	p = sched_pace(r->plan.s, site);
	allowed = p->allowed;
	report(r, site, way->s->slow_down ? PACE_SLOW_DOWN : PACE_DELIVERED,
	    way->s->slow_down ? way->s->wait_hint_s : 0);
	if (way->s->slow_down) { /* a refusal too, for those it makes wait past their lifetime */
		plan_why(r->plan.sites[site], "4.4.5", "the site asked for a pause");
		r->plan.sites[site]->failed = true;
	}
	if (p->allowed > allowed)
		worker_nudge(r, site);
	pthread_mutex_unlock(&r->lock);
}

/* One message over the connection.  False: the connection was stale, the item is still in hand. */
static bool
send_load(struct worker *w, uint32_t site, struct load *l)
{
	struct run_state *r = w->r;
	const struct plan_site *s = site_of(r, site);
	struct parcel_way way = {&w->s, span_of(s->name), span_of(w->host),
	    {w->addr.s, w->addr.len}, w->connect_us};
	struct err e = ERR_INIT;
	enum parcel_sent sent = parcel_send(l->p, l->rcpts, &l->n, &way, &e);

	if (sent == PARCEL_LOST) {
		deliver_trouble(&r->d, &e);
		finish(r, l);
	} else if (sent == PARCEL_SENT) {
		settle(w, site, &way);
		finish(r, l);
	}
	err_free(&e);
	return sent != PARCEL_STALE;
}

static bool
worn_out(const struct worker *w)
{
	const struct conf *c = w->r->d.conf;

	return smtp_used_up(&w->s) || w->r->d.trouble || w->s.done >= c->connection_messages ||
	    io_now_ms() - w->since_ms > (int64_t)c->connection_s * 1000;
}

/* What the connection does next: true with an item, false when it is to be closed. */
static bool
next_order(struct worker *w, uint32_t site, struct load *l)
{
	struct run_state *r = w->r;
	int64_t idle_until = io_now_ms() + (int64_t)r->d.conf->connection_idle_ms;
	bool found = false;

	if (worn_out(w))
		return false;
	pthread_mutex_lock(&r->lock);
	while (!r->stop) {
		int64_t now = io_now_ms();
		struct sched_order o = sched_more(r->plan.s, site, now);

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
	struct plan_site *s;
	bool got;

	pthread_mutex_lock(&r->lock);
	s = r->plan.sites[site];
	w->slot = SLOTS_NONE;
	got = s->slots.fd < 0 ||
	    slots_take(&s->slots, sched_pace(r->plan.s, site)->limits.connections, &w->slot);
	if (!got) {
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
	struct plan_site *s;

	smtp_quit(&w->s);
	pthread_mutex_lock(&r->lock);
	s = r->plan.sites[site];
	if (w->slot != SLOTS_NONE)
		slots_give(&s->slots, w->slot);
	sched_left(r->plan.s, site);
	worker_nudge(r, site);
	pthread_mutex_unlock(&r->lock);
}

/* A connection's life, from the order that asked for it. */
static void
serve(struct worker *w, uint32_t site, uint32_t item)
{
	struct run_state *r = w->r;
	struct plan_site *s = site_of(r, site);
	char status[12] = "";
	struct err e = ERR_INIT;
	struct load l;
	bool first = true, have = true;
	int rc;

	if (!get_slot(w, site, item))
		return;
	pthread_mutex_lock(&r->lock);
	l = load_of(r, item);
	pthread_mutex_unlock(&r->lock);
	rc = connect_site(w, s, status, &e);
	while (!rc && have) {
		if (first) {
			pthread_mutex_lock(&r->lock);
			report(r, site, PACE_CONNECTED, 0);
			pthread_mutex_unlock(&r->lock);
			first = false;
		}
		if (l.p || take(r, &l)) {
			if (!send_load(w, site, &l)) {
				smtp_close(&w->s); /* stale: the same message over a fresh one, once */
				rc = connect_site(w, s, status, &e);
				continue;
			}
		}
		have = next_order(w, site, &l);
	}
	if (rc && (r->stop || r->d.trouble)) {
		drop(r, &l);
	} else if (rc) {
		not_connected(w, site, &l, rc, status, &e);
	}
	err_free(&e);
	leave(w, site);
	drain_if_closed(r, site);
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
	bool mixed;

	pthread_mutex_lock(&r->lock);
	s = r->plan.sites[o->site];
	mixed = !s->real && strcmp(s->name, PLAN_MIXED) == 0;
	worker_nudge(r, MAP_NONE); /* perhaps there is work for one more */
	pthread_mutex_unlock(&r->lock);
	if (mixed)
		open_mixed(w, o->site, o->item);
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

	if (r->dns && dns_clone(&w->dns, r->dns, &e)) {
		deliver_trouble(&r->d, &e);
		err_free(&e);
	}
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
			tell_main(r);
		sleep_on(w, &r->idle, o.until_ms);
		r->busy++;
	}
	if (--r->busy == 0 || r->d.trouble)
		tell_main(r);
	pthread_mutex_unlock(&r->lock);
	return NULL;
}
