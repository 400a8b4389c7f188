#include "load.h"

#include "io.h"
#include "retry.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SHORT_WAIT_MS 30000 /* a closure up to this is waited for within the run */
#define LOCKED_LOOKS 18     /* at what is locked in new/: the last are 5 s apart, until the sweep */
#define RETRY_SOON_MS 1000  /* but what failed is not tried again by the same few of its messages */

void
load_tell_main(struct run_state *r)
{
	uint64_t one = 1;
	struct err e = ERR_INIT;

	io_write(r->main_fd, &one, sizeof one, &e);
	err_free(&e);
}

/* The list of sites moves when it grows; a site stays where it is. */
struct plan_site *
load_site(struct run_state *r, uint32_t site)
{
	struct plan_site *s;

	pthread_mutex_lock(&r->lock);
	s = r->plan.sites[site];
	pthread_mutex_unlock(&r->lock);
	return s;
}

static uint64_t
now_s(void)
{
	return io_time_us() / 1000000;
}

static bool
open_slots(struct run_state *r, struct plan_budget *b)
{
	struct err e = ERR_INIT;
	bool opened = b->slots.fd >= 0 || slots_open(&b->slots, r->state_dir, b->name, &e) == 0;

	err_free(&e);
	return opened;
}

/* What is known of a part alone: the file is open for a moment. */
static void
health(struct run_state *r, uint32_t site, bool save)
{
	struct plan_site *s = r->plan.sites[site];
	struct pace *p = sched_health(r->plan.s, site);
	struct slots own;
	struct err e = ERR_INIT;

	if (s->own_name && (save || slots_known(r->state_dir, s->own_name)) &&
	    slots_open(&own, r->state_dir, s->own_name, &e) == 0) {
		if (save)
			slots_save(&own, p, io_now_ms(), &e);
		else
			slots_load(&own, p, io_now_ms());
		slots_close(&own);
	}
	p->allowed = s->own_name ? UINT32_MAX : p->allowed; /* which is the site's affair */
	err_free(&e);
}

void
load_report(struct run_state *r, uint32_t site, enum pace_event what, uint64_t hint_s)
{
	uint32_t had = sched_health(r->plan.s, site)->failures;

	sched_report(r->plan.s, site, what, hint_s, io_now_ms());
	if (r->plan.sites[site]->own_name && !r->plan.sites[site]->on_terms &&
	    sched_health(r->plan.s, site)->failures != had)
		health(r, site, true);
}

static void
known(void *arg, uint32_t site)
{
	struct run_state *r = arg;
	struct plan_budget *b = r->plan.sites[site]->budget;
	bool open = b->slots.fd >= 0; /* where it could not be read before, connections may have slots by now */

	if (!b->loaded && open_slots(r, b)) {
		b->loaded = true;
		slots_load(&b->slots, sched_pace(r->plan.s, site), io_now_ms());
		if (!open)
			slots_close(&b->slots);
		if (r->o->now)
			sched_pace(r->plan.s, site)->closed_until_ms = 0;
	}
	if (!b->many)
		return;
	health(r, site, false);
	if (r->o->now)
		sched_health(r->plan.s, site)->closed_until_ms = 0;
}

void
load_begin(struct run_state *r, const struct conf *c)
{
	plan_init(&r->plan, c, r->seed);
	r->plan.made = known;
	r->plan.arg = r;
}

bool
load_site_enter(struct run_state *r, uint32_t site, uint32_t *slot)
{
	struct plan_budget *b = r->plan.sites[site]->budget;

	*slot = SLOTS_NONE;
	if (!open_slots(r, b) ||
	    slots_take(&b->slots, sched_pace(r->plan.s, site)->limits.connections, slot))
		return true;
	if (sched_connections(r->plan.s, site) <= 1) /* the one that is not to be */
		slots_close(&b->slots);
	return false;
}

void
load_site_save(struct run_state *r, struct plan_budget *b)
{
	struct err e = ERR_INIT;

	if (b->slots.fd >= 0 && (b->many || !r->plan.sites[b->part]->on_terms))
		slots_save(&b->slots, sched_pace(r->plan.s, b->part), io_now_ms(), &e);
	err_free(&e);
}

void
load_site_leave(struct run_state *r, uint32_t site, uint32_t slot)
{
	struct plan_budget *b = r->plan.sites[site]->budget;

	if (slot != SLOTS_NONE)
		slots_give(&b->slots, slot);
	sched_left(r->plan.s, site);
	if (b->slots.fd < 0 || sched_connections(r->plan.s, site) > 0)
		return;
	load_site_save(r, b);
	slots_close(&b->slots);
}

bool
load_site_rate(struct run_state *r, uint32_t site)
{
	struct pace *p = sched_pace(r->plan.s, site);
	uint64_t wait_us = 0;
	struct err e = ERR_INIT;

	if (p->limits.rate_per_min == 0)
		return true;
	/* Where that file cannot be kept each run keeps to the rate alone. */
	if (slots_rate(r->state_dir, r->plan.sites[site]->name, p->limits.rate_per_min, io_time_us(),
	        &wait_us, &e))
		wait_us = 0;
	err_free(&e);
	if (wait_us > 0)
		pace_spent(p, io_now_ms() + (int64_t)(wait_us / 1000) + 1);
	return wait_us == 0;
}

static void
resolve_configured(struct run_state *r, uint32_t dest)
{
	const struct plan_dest *d = &r->plan.dests[dest];
	struct route route;
	struct err e = ERR_INIT;
	char status[12];
	uint32_t site;

	if (d->by_sender || route_asks_dns(d->by) || r->o->site)
		return;
	if (route_resolve(r->d.conf, d->by, &r->self, NULL, d->domain, r->seed, io_now_ms(), &route,
	        status, &e) == 0) {
		if (d->lax)
			route_relax(&route);
		site = plan_site(&r->plan, &route, io_now_ms());
		plan_resolved(&r->plan, dest, site, INT64_MAX);
	}
	err_free(&e); /* a worker will find the same, and tell the messages */
}

uint32_t
load_dest(struct run_state *r, struct span domain, struct span stream, const struct span *sender)
{
	bool lax = span_eq(stream, SPAN(PLAN_LAX_STREAM));
	uint32_t dest = plan_dest(&r->plan, domain, lax, io_now_ms());

	if (sender)
		dest = plan_dest_from(&r->plan, dest, *sender, io_now_ms());
	if (r->plan.dests[dest].resolved && r->plan.dests[dest].resolve_again_ms < io_now_ms())
		plan_unresolve(&r->plan, dest);
	if (!r->plan.dests[dest].resolved)
		resolve_configured(r, dest);
	return dest;
}

struct load
load_of(struct run_state *r, uint32_t item)
{
	struct load l = {.item = item, .i = r->plan.items[item]};

	return l;
}

void
load_forget(struct run_state *r, struct load *l)
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
		pthread_mutex_unlock(&r->lock);
	}
	load_forget(r, l);
}

void
load_finish(struct run_state *r, struct load *l)
{
	closed(r, l, parcel_finish(l->p));
}

/* Whether or not it has been taken: as if this run had not seen it. */
void
load_drop(struct run_state *r, struct load *l)
{
	struct parcel *p = l->p ? l->p : l->i.parcel;

	closed(r, l, p && parcel_drop(p));
}

void
load_give_back(struct run_state *r, struct load *l)
{
	if (!l->i.parcel && l->p) {
		parcel_drop(l->p);
		free(l->rcpts);
	}
	pthread_mutex_lock(&r->lock);
	plan_return(&r->plan, l->item);
	pthread_mutex_unlock(&r->lock);
}

/* Found locked: in new/ its submitter is about to let go; elsewhere another run has it.  A run that stays
 * has nobody who starts it again: on a disk with much to do a submitter's sync may take half a minute, and
 * from then on it is the sweep that looks. */
static void
later(struct run_state *r, struct load *l)
{
	static const int64_t waits_ms[] = {2, 4, 20, 125, 500, 2000, 5000};
	const size_t known = sizeof waits_ms / sizeof *waits_ms;
	/* In cur/ only a run that stays waits, for it sees a name before smtp-queue lets it go. */
	size_t most = l->i.place != IN_NEW ? (r->o->follow ? 5 : 0) : r->o->follow ? LOCKED_LOOKS : known;
	const struct queue_at at = plan_at(&l->i);

	pthread_mutex_lock(&r->lock);
	if (l->i.tries < most && !r->stop) {
		size_t n = r->plan.items[l->item].tries++;

		r->delays = mem_grow(r->delays, r->n_delays + 1, sizeof *r->delays);
		r->delays[r->n_delays++] = (struct run_delay){
		    io_now_ms() + waits_ms[n < known ? n : known - 1], l->item};
		load_tell_main(r);
	} else {
		if (l->i.place == IN_NEW && !r->o->follow)
			names_add(&r->left, &at, l->i.name);
		plan_forget(&r->plan, l->item);
	}
	pthread_mutex_unlock(&r->lock);
}

/* Its sender was read without its lock, and the file may be another user's: it must not go by a login that is
 * not its sender's.  As if it had not been seen, for the next look at the queue. */
static bool
is_misplaced(struct run_state *r, struct load *l)
{
	struct plan_dest d;

	pthread_mutex_lock(&r->lock);
	d = r->plan.dests[l->i.dest];
	pthread_mutex_unlock(&r->lock);
	if (!d.sorted || route_find(r->d.conf, d.domain, &l->p->t.env.sender) == d.by)
		return false;
	parcel_drop(l->p);
	l->p = NULL;
	load_forget(r, l);
	return true;
}

/* The parcel of an item: true when there is something to do for it. */
bool
load_take(struct run_state *r, struct load *l)
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
		if (is_misplaced(r, l))
			return false;
		l->rcpts = parcel_open(l->p, &l->n);
		return true;
	}
	if (!rc && took == PARCEL_GONE && r->o->follow) {
		r->missed = true;
		load_tell_main(r);
	}
	if (!rc && took == PARCEL_BUSY)
		later(r, l);
	else
		load_forget(r, l);
	return false;
}

void
load_verdict(struct run_state *r, struct load *l, enum journal_is as, int code, const char *status,
    const char *text, const char *site)
{
	if (!load_take(r, l))
		return;
	parcel_verdict(l->p, l->rcpts, l->n, as, code, status, text, span_of(site));
	load_finish(r, l);
}

/* --- sites that cannot be reached now, or ever */

bool
load_next(struct run_state *r, uint32_t site, struct load *l)
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

static const struct parcel *
taken(const struct load *l)
{
	return l->p ? l->p : l->i.parcel;
}

/* Over its lifetime - or of a birth that cannot be true, so that only attempts count.  By its name alone
 * it may look older than it is: its envelope may say until when it was to wait. */
static bool
too_old(const struct run_state *r, const struct load *l)
{
	const struct conf *c = r->d.conf;
	struct retry_policy policy = {c->retry_min_s, c->retry_max_s, c->lifetime_s};
	const struct parcel *p = taken(l);
	struct entry_name n;
	uint64_t born;

	if (!r->d.may_expire || (!p && !entry_name_parse(span_of(l->i.name), &n)))
		return false;
	born = p ? envelope_begins_s(&p->t.env, p->t.is.id) : entry_id_us(n.id.p) / 1000000;
	return !retry_born_ok(born, now_s()) || retry_expired(&policy, born, now_s());
}

/* Late, and nothing was written into its file since it is: its sender does not know yet. */
static bool
is_untold(const struct run_state *r, const struct load *l)
{
	const struct notify *n = r->d.notify;
	struct queue_at at = plan_at(&l->i);
	struct buf path = BUF_INIT;
	struct entry_name name;
	struct stat st;
	bool untold = false;

	if (!r->d.may_expire || !n)
		return false;
	if (l->p)
		return notify_late(n, &l->p->t, now_s()) && l->n > 0 && !l->p->j.rcpts[l->rcpts[0]].warned;
	if (l->i.parcel)
		return notify_late(n, &l->i.parcel->t, now_s()) && l->i.n_rcpts > 0 &&
		    !l->i.parcel->j.rcpts[l->i.rcpts[0]].warned;
	if (!entry_name_parse(span_of(l->i.name), &name) || !notify_maybe_late(n, &name, now_s()))
		return false;
	queue_path(&at, l->i.name, &path);
	if (fstatat(queue_root_fd(r->d.q), path.s, &st, AT_SYMLINK_NOFOLLOW) == 0)
		untold = !notify_maybe_late(n, &name, (uint64_t)st.st_mtim.tv_sec);
	buf_free(&path);
	return untold;
}

enum closer { MOVES_ON, TELLS, GONE };

static enum closer
look_closer(struct run_state *r, struct load *l)
{
	bool old = too_old(r, l);

	if (old && !taken(l)) {
		if (!load_take(r, l))
			return GONE;
		old = too_old(r, l);
	}
	return old || is_untold(r, l) ? TELLS : MOVES_ON;
}

/* In new/, and its name says that its sender wants it later: it is opened, and told of, before it waits in cur/. */
static bool
is_for_later(const struct load *l)
{
	struct entry_name n;

	return !taken(l) && l->i.place == IN_NEW && entry_name_parse(span_of(l->i.name), &n) && n.due > now_s();
}

/* A wait that we choose: by name alone, and no attempt is counted.  Only what is over its lifetime, or late
 * and its sender does not know, is opened, and only after an attempt at this site has failed. */
static void
move_on(struct run_state *r, struct plan_site *s, struct load *l, uint64_t until_s)
{
	struct queue_at at = plan_at(&l->i);
	struct buf why = BUF_INIT;
	struct err e = ERR_INIT;
	char status[sizeof s->status];
	enum closer what;
	bool failed;

	pthread_mutex_lock(&r->lock);
	failed = s->failed || s->budget->failed;
	memcpy(status, s->failed ? s->status : s->budget->status, sizeof status);
	if (failed && (s->failed ? s->why : s->budget->why)) /* its other connections may have news meanwhile */
		buf_str(&why, s->failed ? s->why : s->budget->why);
	pthread_mutex_unlock(&r->lock);
	if (is_for_later(l))
		what = load_take(r, l) ? MOVES_ON : GONE;
	else
		what = failed ? look_closer(r, l) : MOVES_ON;
	if (what == TELLS)
		load_verdict(r, l, JOURNAL_DEFERRED, 0, status, why.s, s->name);
	buf_free(&why);
	if (what != MOVES_ON)
		return;
	if (taken(l)) {
		load_take(r, l);
		parcel_wait(l->p, until_s);
		load_finish(r, l);
		return;
	}
	if (queue_defer_name(r->d.q, &at, l->i.name, until_s, &e) != 0 && e.code != EX_NOINPUT)
		deliver_ails(&r->d, &e);
	err_free(&e);
	load_forget(r, l);
}

/* Whether it is closed for longer than a wait would be waited for, and when it opens.  That is said once,
 * for moving on a hundred thousand takes until then. */
static bool
closed_for(struct run_state *r, uint32_t site, const struct pace *p, uint64_t *until_s)
{
	int64_t now = io_now_ms(), soon = p->failures > 0 ? RETRY_SOON_MS : SHORT_WAIT_MS, until;

	if (!pace_closed(p, now, &until))
		return false;
	if (r->plan.sites[site]->real)
		load_site_save(r, r->plan.sites[site]->budget);
	*until_s = now_s() + (uint64_t)(until - now) / 1000 + 1;
	return until - now > soon;
}

/* All at once: each may be the one that tries. */
static void
drain(struct run_state *r, uint32_t site, uint64_t until_s)
{
	struct plan_site *s = load_site(r, site);
	struct load l;

	while (!r->d.trouble && load_next(r, site, &l))
		move_on(r, s, &l, until_s);
}

/* Another part of the same site for which something waits. */
static bool
next_part(struct run_state *r, const struct plan_budget *b, uint32_t *site)
{
	bool found = false;

	pthread_mutex_lock(&r->lock);
	for (; *site < r->plan.n_sites && !found; *site += !found)
		found = r->plan.sites[*site]->budget == b && sched_waiting_at(r->plan.s, *site) > 0;
	pthread_mutex_unlock(&r->lock);
	return found;
}

/* Of a closed site everything moves to the hour when it opens, unless that is soon; of a closed part what is
 * for it. */
void
load_drain_closed(struct run_state *r, uint32_t site)
{
	const struct plan_budget *b;
	uint64_t until = 0;
	bool all, one;

	pthread_mutex_lock(&r->lock);
	b = r->plan.sites[site]->budget;
	all = closed_for(r, site, sched_pace(r->plan.s, site), &until);
	one = !all && b->many && closed_for(r, site, sched_health(r->plan.s, site), &until);
	pthread_mutex_unlock(&r->lock);
	if (all || one)
		drain(r, site, until);
	for (uint32_t i = 0; all && b->many && !r->d.trouble && next_part(r, b, &i); i++)
		drain(r, i, until);
}

void
load_fail_all(struct run_state *r, uint32_t site, struct load *first, int code, const char *status,
    const char *text)
{
	const char *name = load_site(r, site)->name;
	struct load l = *first;

	do
		load_verdict(r, &l, JOURNAL_FAILED, code, status, text, name);
	while (!r->d.trouble && load_next(r, site, &l));
}

const char *
load_domain(struct run_state *r, const struct load *l)
{
	const char *domain = NULL;

	pthread_mutex_lock(&r->lock);
	if (!l->i.several)
		domain = r->plan.dests[l->i.dest].domain;
	pthread_mutex_unlock(&r->lock);
	return domain;
}

int
load_connect(struct run_state *r, const struct load *l, struct reach *c, struct plan_site *s,
    char status[12], struct err *e)
{
	pthread_mutex_lock(&r->lock);
	reach_for(c, &r->plan.dests[l->i.dest]);
	pthread_mutex_unlock(&r->lock);
	return reach_site(c, s, load_domain(r, l), status, e);
}

uint64_t
load_messages(const struct run_state *r, const struct plan_site *s)
{
	const struct confsite *limits = s->budget->limits;

	return limits && limits->messages != CONFSITE_UNSET ? limits->messages
	                                                    : r->d.conf->connection_messages;
}
