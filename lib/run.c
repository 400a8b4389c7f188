#include "run.h"

#include "clock.h"
#include "file.h"
#include "io.h"
#include "jsonread.h"
#include "local.h"
#include "noticegone.h"
#include "outside.h"
#include "reaper.h"
#include "tidy.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYNC_EVERY_MS 200
#define SWEEP_EVERY_MS 60000
#define UNWATCHED_EVERY_MS 5000 /* where the kernel gives no watch */
#define HOUR_S 3600
#define DAY_S 86400
#define LOOK_PAUSE 20     /* times as long as a look took, before the next */
#define SITES_MAX 4000    /* a run that stays forgets them when it is idle, and all it knew */
#define SITES_MOST 250000 /* or else when all but a few of them have nothing waiting: a kilobyte each */
#define CLOCK_EVERY_MS 3600000
#define CLOCK_WRITE_S 600
#define FAR_S (86400 + 3600)
#define KERNEL_TICK_US 20000 /* inode times are that coarse, at worst */

struct runner { /* the main thread's own */
	struct run_state s;
	struct notify notify;
	const struct conf *c;
	struct queue *q;
	int stop_fd;
	struct watch watch;
	const volatile bool *stop;
	int64_t end_ms; /* of run_time, which begins when the first names are planned; 0: not yet */
	int64_t sweep_ms, sync_ms, clock_ms, look_ms;
	uint64_t now_s, far_s; /* names are judged by: the time, and what is too late to be a wait of ours */
	uint64_t due_s;      /* when cur/ has to be looked at again: the next that is due, or the hour's end */
	bool renew;          /* it has come to know too much: it begins anew */
	bool new_day;        /* since the clock was last kept: what happens once a day is due */
	bool look_far;       /* for names that a wrong clock put years ahead */
	uint64_t scanned_us; /* when new/ was last read */
	bool found;          /* names by the last scan */
	char **names;        /* found and not yet planned: sorted first */
	struct queue_at *ats;
	size_t n;
	struct outside *out;
	bool newer;          /* new/ has what came after the last scan */
};

static uint64_t
now_s(void)
{
	return io_time_us() / 1000000;
}

/* --- the clock */

/* state/clock: whether the time may be believed, for expiry. */
static int
judge_clock(struct runner *r, struct run_result *res, struct err *e)
{
	struct clock_state c = CLOCK_INIT, before;
	struct buf text = BUF_INIT;
	struct err none = ERR_INIT;
	enum clock_trust trust;
	int rc = 0, known = io_slurp_at(r->s.state_dir, "clock", 4096, &text, &none);
	bool missing = io_is_missing(known);

	if (known == 0)
		clock_parse(&c, (struct span){text.s, text.len});
	err_free(&none);
	before = c;
	trust = clock_judge(&c, now_s());
	/* What cannot be read may say anything: that run expires nothing. */
	r->s.d.may_expire = trust == CLOCK_OK && (known == 0 || missing);
	res->clock_ahead = trust == CLOCK_AHEAD;
	res->clock_behind = trust == CLOCK_BEHIND;
	/* An idle run a minute should cost no sync; the jumps that matter are days. */
	if (c.candidate_s || before.candidate_s || c.latest_s - before.latest_s > CLOCK_WRITE_S) {
		buf_cut(&text, 0);
		clock_text(&c, &text);
		buf_ch(&text, '\n');
		r->look_far = trust == CLOCK_OK;
		r->new_day = c.latest_s / DAY_S != before.latest_s / DAY_S;
		rc = file_replace(r->s.state_dir, "clock", text.s, text.len, 0600, e) ? err_in(e, "state") : 0;
	}
	buf_free(&text);
	r->clock_ms = io_now_ms() + CLOCK_EVERY_MS;
	return rc;
}

/* What failed/ and sent/ keep is not thrown away by a clock that may be wrong. */
static int
tidy(struct runner *r, struct err *e)
{
	bool sure = r->s.d.may_expire;

	if (sure && r->new_day && queue_tidy_sites(r->q, now_s(), e))
		return e->code;
	r->new_day = false;
	return queue_tidy(r->q, now_s(), sure ? r->c->keep_failed_s : UINT64_MAX,
	    sure ? r->c->keep_sent_s : UINT64_MAX, e);
}

/* --- finding what is due */

static bool
wanted(const struct runner *r, const struct entry_name *n)
{
	const struct run_options *o = r->s.o;

	for (size_t i = 0; i < o->n_ids; i++)
		if (span_eq(n->id, span_of(o->ids[i])))
			return true;
	return o->n_ids == 0;
}

/* One reading of the clock for all names of a look.  No wait of ours is longer than far_s: what is due
 * later was put there by hold-until, or while the clock was wrong.  Its envelope tells which. */
static uint64_t
judge_from(struct runner *r)
{
	uint64_t longest = r->c->retry_max_s + r->c->retry_max_s / 2;

	r->now_s = now_s();
	r->far_s = r->now_s + (longest > FAR_S ? longest : FAR_S);
	return r->now_s;
}

static int
on_name(void *arg, const struct queue_at *at, const char *name, const struct entry_name *n)
{
	struct runner *r = arg;

	if (!wanted(r, n))
		return 0;
	/* In new/ the time is a hint: the envelope says whether it has to wait. */
	if (at->place == IN_CUR && n->due > r->now_s && !r->s.o->now && r->s.o->n_ids == 0 &&
	    n->due < r->far_s) {
		if (n->due < r->due_s)
			r->due_s = n->due;
		return 0;
	}
	if ((r->n & (r->n - 1)) == 0) {
		r->names = mem_grow(r->names, r->n * 2 + 1, sizeof *r->names);
		r->ats = mem_grow(r->ats, r->n * 2 + 1, sizeof *r->ats);
	}
	r->ats[r->n] = *at;
	r->names[r->n++] = mem_dup(name, strlen(name));
	return 0;
}

struct order {
	const char *name;
	size_t i;
};

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct order *)a)->name, ((const struct order *)b)->name);
}

/* Sites that an earlier run has closed: what is due for them waits until they open. */
static void
drain_closed(struct runner *r)
{
	struct plan *p = &r->s.plan;
	bool more = true;

	for (uint32_t i = 0; more; i++) {
		bool waiting;

		pthread_mutex_lock(&r->s.lock);
		more = i < p->n_sites;
		waiting = more && sched_waiting_at(p->s, i) > 0;
		pthread_mutex_unlock(&r->s.lock);
		if (waiting)
			load_drain_closed(&r->s, i);
	}
}

/* Into the plan, oldest due first. */
static void
plan_names(struct runner *r)
{
	struct order *v = mem_grow(NULL, r->n + 1, sizeof *v);
	struct plan *p = &r->s.plan;

	for (size_t i = 0; i < r->n; i++)
		v[i] = (struct order){r->names[i], i};
	if (r->n > 1)
		qsort(v, r->n, sizeof *v, by_name);
	pthread_mutex_lock(&r->s.lock);
	for (size_t i = 0; i < r->n; i++) {
		struct entry_name n;
		uint32_t item = MAP_NONE, site;

		if (plan_add_name(p, &r->ats[v[i].i], v[i].name, strlen(v[i].name), &n, &item)) {
			p->items[item].dest = load_dest(&r->s, n.domain, n.stream, NULL);
			site = plan_push(p, item);
			if (r->n < 64)
				worker_nudge(&r->s, site);
		} else if (r->s.o->follow && item != MAP_NONE && p->items[item].name &&
		    strcmp(p->items[item].name, v[i].name) != 0) {
			/* A worker had it by its old name a moment ago, and is about to forget it. */
			r->s.missed = true;
		}
		/* The plan has its own: where there are many, no two copies of all at one time. */
		free(r->names[v[i].i]);
	}
	worker_nudge(&r->s, MAP_NONE);
	pthread_mutex_unlock(&r->s.lock);
	drain_closed(r);
	free(r->names);
	free(r->ats);
	free(v);
	r->names = NULL;
	r->ats = NULL;
	r->n = 0;
}

/* A large bucket is not read over and over for each that becomes due. */
static void
looked(struct runner *r, int64_t begun_ms)
{
	int64_t now = io_now_ms();

	r->look_ms = now + LOOK_PAUSE * (now - begun_ms);
}

/* Trouble with them keeps no mail waiting. */
static void
put_digests(struct runner *r)
{
	struct err e = ERR_INIT;

	if (r->s.d.notify && r->s.o->n_ids == 0 && notify_digests(&r->notify, &e))
		deliver_ails(&r->s.d, &e);
	err_free(&e);
}

static int
scan(struct runner *r, struct err *e)
{
	bool all = r->s.o->now || r->s.o->n_ids > 0;
	int64_t begun = io_now_ms();
	uint64_t now = judge_from(r);
	int rc;

	r->scanned_us = io_time_us();
	r->sweep_ms = begun +
	    (r->s.o->follow && r->watch.fd < 0 ? UNWATCHED_EVERY_MS : SWEEP_EVERY_MS);
	r->due_s = now - now % HOUR_S + HOUR_S;
	watch_renew(&r->watch, r->q, now);
	put_digests(r);
	rc = queue_scan(r->q, IN_NEW, 0, on_name, r, e);
	if (!rc)
		rc = queue_scan(r->q, IN_CUR, all ? UINT64_MAX : now, on_name, r, e);
	if (!rc && !all && r->look_far)
		rc = queue_scan_hours(r->q, IN_CUR, r->far_s, UINT64_MAX, on_name, r, e);
	r->look_far = false;
	looked(r, begun);
	return rc;
}

/* What has become due, or was made to be; only a run that stays needs this between its sweeps. */
static int
scan_due(struct runner *r, struct err *e)
{
	int64_t begun = io_now_ms();
	uint64_t now = judge_from(r);
	int rc;

	r->due_s = now - now % HOUR_S + HOUR_S;
	watch_renew(&r->watch, r->q, now);
	rc = queue_scan(r->q, IN_CUR, now, on_name, r, e);
	looked(r, begun);
	return rc;
}

static int
notified(struct runner *r, struct err *e)
{
	unsigned look = 0;
	int rc;

	judge_from(r);
	rc = watch_read(&r->watch, on_name, r, &look, e);

	if (look & WATCH_LOOK_ALL)
		r->sweep_ms = 0;
	if (look & WATCH_LOOK_CUR)
		r->due_s = 0;
	if (r->n > 0)
		plan_names(r);
	return rc;
}

/* When there is something in cur/ to be looked at, for a run that stays. */
static int64_t
due_ms(const struct runner *r)
{
	uint64_t now_us = io_time_us(), due_us = r->due_s * 1000000;
	int64_t at = io_now_ms();

	if (!r->s.o->follow || r->s.o->n_ids > 0)
		return INT64_MAX;
	if (due_us > now_us)
		at += (int64_t)((due_us - now_us) / 1000) + 1;
	return at > r->look_ms ? at : r->look_ms;
}

static int
look_again(struct runner *r, struct err *e)
{
	int64_t now = io_now_ms();
	int rc;

	if (r->s.missed && now >= r->look_ms) {
		r->s.missed = false;
		r->sweep_ms = 0;
	}
	if (r->sweep_ms <= now)
		rc = scan(r, e);
	else if (due_ms(r) <= now)
		rc = scan_due(r, e);
	else
		return 0;
	if (!rc)
		plan_names(r);
	return rc;
}

/* --- the main thread's loop */

/* Items found locked whose time has come go back; when the next one's does. */
static int64_t
run_delays(struct runner *r)
{
	struct run_state *s = &r->s;
	int64_t now = io_now_ms(), next = INT64_MAX;
	size_t k = 0, had;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_delays; i++) {
		struct run_delay d = s->delays[i];

		if (d.at_ms > now) {
			next = d.at_ms < next ? d.at_ms : next;
			s->delays[k++] = d;
			continue;
		}
		worker_nudge(s, plan_push(&s->plan, d.item));
	}
	had = s->n_delays - k;
	s->n_delays = k;
	pthread_mutex_unlock(&s->lock);
	if (had > 0)
		drain_closed(r); /* its site may have been closed meanwhile */
	return next;
}

static bool
is_over(struct runner *r)
{
	bool over;

	if (*r->stop || r->s.d.trouble)
		return true;
	if (r->s.o->follow)
		return false;
	if (io_now_ms() >= r->end_ms)
		return true;
	pthread_mutex_lock(&r->s.lock);
	over = r->s.busy == 0 && r->s.n_delays == 0 && sched_waiting(r->s.plan.s) == 0;
	pthread_mutex_unlock(&r->s.lock);
	return over;
}

/* Nothing is to be done, and no worker will change that by itself. */
static bool
is_idle(struct runner *r)
{
	bool idle;

	pthread_mutex_lock(&r->s.lock);
	idle = r->s.busy == 0 && r->s.n_delays == 0 && sched_waiting(r->s.plan.s) == 0;
	pthread_mutex_unlock(&r->s.lock);
	return idle;
}

static int
wait_events(struct runner *r, int64_t until_ms, struct err *e)
{
	struct pollfd p[3 + OUTSIDE_ENDS] = {{r->s.main_fd, POLLIN, 0}, {r->stop_fd, POLLIN, 0},
	    {r->watch.fd, POLLIN, 0}};
	int64_t left = until_ms - io_now_ms();
	uint64_t count;
	size_t got;
	int rc = 0;

	outside_ends(r->out, p + 3);
	if (poll(p, sizeof p / sizeof *p, left < 0 ? 0 : left > 60000 ? 60000 : (int)left) <= 0)
		return 0;
	for (int i = 0; i < OUTSIDE_ENDS; i++)
		if (p[3 + i].revents)
			return err_set(e, EX_TEMPFAIL, "the process that starts programs is gone");
	if (p[0].revents)
		rc = io_read(r->s.main_fd, &count, sizeof count, &got, e);
	if (!rc && p[2].revents)
		rc = notified(r, e);
	return rc;
}

static int
every_hour(struct runner *r, struct run_result *res, struct err *e)
{
	int rc = judge_clock(r, res, e);

	return rc ? rc : tidy(r, e);
}

/* It begins anew: a domain is a site or two, and so is each new answer about its hosts.  Where there is always
 * something to do that costs a wait for the replies that are on their way. */
static bool
knows_too_much(struct runner *r, bool idle)
{
	uint64_t waiting;
	uint32_t n;

	pthread_mutex_lock(&r->s.lock);
	n = r->s.plan.n_sites;
	waiting = sched_waiting(r->s.plan.s);
	pthread_mutex_unlock(&r->s.lock);
	return idle ? n > SITES_MAX : n > SITES_MOST && waiting < n / 8;
}

/* When the main thread has to be awake again, if nobody tells it before. */
static int64_t
next_wake(struct runner *r, int64_t next)
{
	int64_t due = due_ms(r);
	bool idle = is_idle(r);

	if (r->s.o->follow && knows_too_much(r, idle))
		r->renew = true;
	if (!idle && r->sync_ms < next)
		next = r->sync_ms;
	if (!r->s.o->follow && r->end_ms < next)
		next = r->end_ms;
	if (r->s.o->n_ids == 0 && r->sweep_ms < next)
		next = r->sweep_ms;
	if (r->s.missed && r->s.o->n_ids == 0 && r->look_ms < next)
		next = r->look_ms;
	return due < next ? due : next;
}

/* Who is dead is known for good before the message that told us is gone. */
static int
sync_all(struct runner *r, struct err *e)
{
	int rc = r->out->guard ? guard_sync(r->out->guard, e) : 0;

	return rc ? rc : queue_sync(r->q, e);
}

static int
main_loop(struct runner *r, struct run_result *res, struct err *e)
{
	int rc = 0;

	while (!rc && !r->renew && !is_over(r)) {
		int64_t next = run_delays(r), now = io_now_ms();

		if (r->sync_ms <= now) {
			rc = sync_all(r, e);
			r->sync_ms = now + SYNC_EVERY_MS;
		}
		if (!rc && r->s.o->n_ids == 0)
			rc = look_again(r, e);
		if (!rc && r->s.o->follow && r->clock_ms <= now)
			rc = every_hour(r, res, e);
		next = next_wake(r, next);
		/* Its last worker may have gone to sleep since: the end is not left to our being told. */
		if (!rc && !r->renew && !is_over(r))
			rc = wait_events(r, next, e);
	}
	return rc;
}

/* --- beginning and end */

static int
prepare(struct runner *r, struct err *e)
{
	struct run_state *s = &r->s;
	int rc = events_open(&s->d.events, queue_log_fd(r->q), e);

	r->notify.events = s->d.events;
	if (!rc)
		rc = outside_open(r->out, r->c, r->q, e);
	/* Whoever queues now and finds run.lock taken starts nobody. */
	if (!rc && r->s.o->n_ids == 0 && !s->o->follow)
		watch_open(&r->watch, r->q, false, now_s());
	json_doc_start();
	if (!rc && s->o->sandbox && !r->out->confined) {
		rc = local_confine(r->c, e);
		r->out->confined = !rc;
	}
	s->self.names = r->out->names;
	s->self.n_names = r->out->n_names;
	s->self.addrs = r->out->own;
	s->self.n_addrs = r->out->n_own;
	s->dns = r->out->dns;
	s->local = r->out->local;
	s->env.cas = r->out->cas;
	s->env.keys = r->out->keys;
	s->d.guard = r->out->guard;
	s->env.sources = r->out->sources;
	s->env.tickets = r->out->tickets;
	s->env.identities = r->out->identities;
	s->plan.sources = r->out->sources;
	s->env.sts_cas = r->out->sts_cas;
	s->env.sts = r->out->sts;
	s->env.events = s->d.events;
	return rc;
}

static void
save_sites(struct runner *r)
{
	for (uint32_t i = 0; i < r->s.plan.n_budgets; i++)
		load_site_save(&r->s, r->s.plan.budgets[i]);
}

static void
wind_up(struct runner *r, struct run_result *res)
{
	struct run_state *s = &r->s;
	struct err e = ERR_INIT;

	pthread_mutex_lock(&s->lock);
	worker_stop_all(s);
	pthread_mutex_unlock(&s->lock);
	r->out->stop = true;
	worker_join_all(s);
	r->out->stop = false;
	save_sites(r);
	for (size_t i = 0; i < s->n_delays; i++)
		plan_forget(&s->plan, s->delays[i].item);
	plan_free(&s->plan);
	reaper_del(s->d.reaper);
	if (sync_all(r, &e) || (r->c->fsync_log && s->d.events && events_sync(s->d.events, &e)))
		deliver_trouble(&s->d, &e);
	res->delivered += s->d.count[JOURNAL_DELIVERED];
	res->deferred += s->d.count[JOURNAL_DEFERRED];
	res->failed += s->d.count[JOURNAL_FAILED];
	res->expired += s->d.count[JOURNAL_EXPIRED];
	if (s->d.events) {
		res->lost_events += events_lost(s->d.events);
		if (events_lost(s->d.events) > 0 && !res->lost_why)
			res->lost_why = mem_dup(events_why(s->d.events), strlen(events_why(s->d.events)));
		events_close(s->d.events);
	}
	free(s->delays);
	err_free(&e);
}

/* By the time it got its name, not by its id: that is older, by as long as writing it took. */
static int
on_newer(void *arg, const struct queue_at *at, const char *name, const struct entry_name *n)
{
	struct runner *r = arg;
	struct buf path = BUF_INIT;
	struct stat st;

	(void)at;
	(void)n;
	buf_fmt(&path, "new/%s", name);
	if (fstatat(queue_root_fd(r->q), path.s, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (uint64_t)st.st_ctim.tv_sec * 1000000 + (uint64_t)st.st_ctim.tv_nsec / 1000 +
	            KERNEL_TICK_US >= r->scanned_us)
		r->newer = true;
	buf_free(&path);
	return r->newer ? 1 : 0;
}

/* One run over what is due now.  An idle one costs two directories. */
static int
one_run(struct runner *r, struct run_result *res, struct err *e)
{
	struct run_state *s = &r->s;
	int rc;

	r->watch = (struct watch)WATCH_INIT;
	s->d.conf = r->c;
	s->d.q = r->q;
	s->d.keys = s->o->keys;
	r->notify = (struct notify){.conf = r->c, .text = s->o->text, .q = r->q, .gone = r->out->gone};
	s->d.notify = s->o->text ? &r->notify : NULL;
	s->state_dir = queue_state_fd(r->q);
	s->seed = io_random();
	s->env = (struct reach_env){
	    .conf = r->c, .self = &s->self, .lock = &s->lock, .stop = &s->stop};
	pthread_mutex_init(&s->lock, NULL);
	rc = judge_clock(r, res, e);
	if (!rc)
		rc = tidy(r, e);
	if (!rc && s->o->follow)
		watch_open(&r->watch, r->q, true, now_s()); /* before the look: nothing falls between */
	if (!rc)
		rc = scan(r, e);
	if (rc || (r->n == 0 && !s->o->follow)) {
		watch_close(&r->watch);
		return rc;
	}
	s->main_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->main_fd < 0)
		return err_sys(e, "eventfd");
	s->d.reaper = reaper_new();
	load_begin(s, r->c);
	rc = prepare(r, e);
	if (!rc) {
		plan_names(r);
		if (r->end_ms == 0)
			r->end_ms = io_now_ms() + (int64_t)r->c->run_time_s * 1000;
		rc = main_loop(r, res, e);
	}
	wind_up(r, res);
	close(s->main_fd);
	watch_close(&r->watch);
	return rc;
}

/* Its submitter is done with it. */
static bool
is_let_go(const struct runner *r, size_t i)
{
	struct buf path = BUF_INIT;
	bool yes = false;
	int fd;

	queue_path(&r->s.left.v[i].at, names_text(&r->s.left, i), &path);
	fd = queue_open_entry(r->q, path.s, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0) {
		yes = !file_locked(fd);
		close(fd);
	}
	buf_free(&path);
	return yes;
}

/* A submitter that found run.lock taken started nobody: once more for what has come since the last look, or
 * was locked for so long that it was given up. */
static bool
looks_again(struct runner *r, struct err *e)
{
	queue_scan(r->q, IN_NEW, 0, on_newer, r, e);
	for (size_t i = 0; i < r->s.left.n && !r->newer; i++)
		r->newer = is_let_go(r, i);
	return r->newer && (r->end_ms == 0 || io_now_ms() < r->end_ms);
}

static void
forget_names(struct runner *r)
{
	names_free(&r->s.left);
	for (size_t i = 0; i < r->n; i++)
		free(r->names[i]);
	free(r->names);
	free(r->ats);
}

int
run(const struct conf *c, struct queue *q, const struct run_options *o, const volatile bool *stop,
    int stop_fd, struct run_result *res, struct err *e)
{
	/* Whoever finds run.lock taken relies on it that his will be tried. */
	const bool all = o->n_ids == 0 && !o->site;
	bool again = true, mine;
	struct outside out = {.gone = noticegone_new()};
	struct err ails = ERR_INIT;
	int64_t end_ms = 0;
	int rc = 0, lock_fd;

	*res = (struct run_result){0};
	lock_fd = openat(queue_state_fd(q), "run.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock_fd < 0) {
		outside_close(&out);
		return err_sys(e, "state/run.lock");
	}
	while (again && !rc) {
		struct runner r = {.c = c, .q = q, .stop = stop, .stop_fd = stop_fd, .s.o = o,
		    .s.left = NAMES_INIT, .out = &out, .end_ms = end_ms};
		bool busy = true;

		rc = all ? file_trylock(lock_fd, &busy, e) : 0;
		mine = !rc && !busy;
		if (!rc)
			rc = one_run(&r, res, e);
		if (!rc && r.s.d.trouble)
			rc = err_set(e, EX_TEMPFAIL, "%s", r.s.d.trouble_text);
		else if (!rc && r.s.d.ailing && !ails.code)
			err_set(&ails, EX_TEMPFAIL, "%s", r.s.d.trouble_text);
		end_ms = r.end_ms; /* a second look is no second run */
		again = r.renew;
		if (mine) {
			file_unlock(lock_fd);
			again |= !rc && !ails.code && !*stop && looks_again(&r, e); /* not at once for what we could not do */
		}
		forget_names(&r);
	}
	if (!rc && ails.code)
		rc = err_set(e, ails.code, "%s", err_text(&ails));
	err_free(&ails);
	outside_close(&out);
	close(lock_fd);
	return rc;
}
