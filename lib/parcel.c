#include "parcel.h"

#include "addr.h"
#include "io.h"
#include "reaper.h"
#include "retry.h"
#include "suppressconf.h"
#include "telling.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 1000     /* of a peer's words, kept in journal and log */
#define TEXT_SHORT 80     /* in a journal that has grown long */
#define JOURNAL_LONG (QUEUE_JOURNAL_MAX / 4)
#define JOURNAL_FULL (QUEUE_JOURNAL_MAX / 4 * 3) /* what one attempt adds to it, and its end, has room behind that */

/* --- telling */

struct span
parcel_words(struct span s)
{
	if (s.n > TEXT_MAX)
		s.n = TEXT_MAX;
	return s;
}

/* The disk, not the peer, and perhaps this entry alone: one that cannot be opened or removed must not
 * keep all others from going. The run goes on and exits EX_TEMPFAIL; the first to say so is quoted. */
void
deliver_ails(struct deliver *d, const struct err *e)
{
	if (!atomic_exchange(&d->ailing, true))
		snprintf(d->trouble_text, sizeof d->trouble_text, "%s", err_text(e));
}

/* What we do could not be written down any more: the run ends. */
void
deliver_trouble(struct deliver *d, const struct err *e)
{
	deliver_ails(d, e);
	d->trouble = EX_TEMPFAIL;
}

/* A thousand recipients that are put off for days fill it: past its limit it would not be read any more. */
static bool
journal_over(const struct parcel *p, size_t bytes)
{
	return p->t.journal.len + p->pending.len > bytes;
}

struct span
parcel_kept(const struct parcel *p, struct span s)
{
	if (s.n > TEXT_SHORT && journal_over(p, JOURNAL_LONG))
		s.n = TEXT_SHORT;
	return parcel_words(s);
}

static uint64_t
random_of(const struct parcel *p)
{
	return entry_id_us(p->t.is.id.p) * 0x9e3779b97f4a7c15u + p->attempt * 0xbf58476d1ce4e5b9u;
}

static struct retry_policy
policy_of(const struct parcel *p)
{
	const struct conf *c = p->d->conf;

	return (struct retry_policy){c->retry_min_s, c->retry_max_s,
	    p->t.env.lifetime_s ? p->t.env.lifetime_s : c->lifetime_s};
}

/* By when it was to be delivered there is something to tell (RFC 2852 4.1.4). */
uint64_t
parcel_next(const struct parcel *p)
{
	struct retry_policy policy = policy_of(p);
	uint64_t now = io_time_us() / 1000000, by = p->t.env.wish.by_s;
	uint64_t next = now + retry_wait(&policy, p->attempt, p->hint_s, random_of(p));

	return by > now && by < next ? by : next;
}

uint64_t
parcel_promise(struct parcel *p)
{
	uint64_t next;

	pthread_mutex_lock(&p->lock);
	next = parcel_next(p);
	if (next > p->next_s)
		p->next_s = next;
	pthread_mutex_unlock(&p->lock);
	return next;
}

/* As was promised; not in the past, where a run that watches does not look. */
static uint64_t
due_again(const struct parcel *p)
{
	uint64_t now = io_time_us() / 1000000;

	return !p->next_s ? parcel_next(p) : p->next_s > now ? p->next_s : now;
}

void
parcel_tell(const struct parcel *p, uint32_t i, const struct parcel_word *w)
{
	static const enum event_type types[] = {[JOURNAL_DELIVERED] = EVENT_DELIVERED,
	    [JOURNAL_DEFERRED] = EVENT_DEFERRED, [JOURNAL_FAILED] = EVENT_BOUNCED,
	    [JOURNAL_EXPIRED] = EVENT_EXPIRED};
	struct event v = {.type = types[w->as]};

	v.rcpt = p->t.env.rcpts[i].addr;
	v.domain = addr_domain(v.rcpt);
	v.site = w->site;
	v.attempts = p->attempt;
	v.peer = w->host;
	v.peer_addr = w->addr;
	v.source = w->source;
	v.source_addr = w->source_addr;
	v.code = w->code;
	v.status = w->status;
	v.text = parcel_words(w->text);
	v.tls = w->tls;
	v.connect_us = w->connect_us;
	v.send_us = w->send_us;
	v.next_s = w->next_s;
	p->d->count[w->as]++;
	tell_entry(p->d->events, &p->t, v);
}

void
parcel_tell_attempt(const struct parcel *p, const struct parcel_word *w)
{
	tell_entry(p->d->events, &p->t, (struct event){.type = EVENT_ATTEMPTED,
	    .site = w->site,
	    .domain = p->t.is.domain,
	    .attempts = p->attempt,
	    .peer = w->host,
	    .peer_addr = w->addr, .source = w->source, .source_addr = w->source_addr,
	    .tls = w->tls,
	    .connect_us = w->connect_us,
	    .send_us = w->send_us});
}

/* --- the journal in memory and on disk */

/* A full disk concerns all, a submitter's quota his messages alone. */
void
parcel_unwritten(const struct parcel *p, const struct err *e)
{
	if (p->t.over_quota)
		deliver_ails(p->d, e);
	else
		deliver_trouble(p->d, e);
}

void
parcel_free(struct parcel *p)
{
	if (p->removed && p->d->reaper)
		reaper_close(p->d->reaper, queue_detach(&p->t));
	queue_release(&p->t);
	journal_free(&p->j);
	buf_free(&p->pending);
	for (size_t i = 0; i < PARCEL_FORMS; i++) {
		struct parcel_form *f = &p->form[i];

		if (i == PARCEL_SEVEN && f->made && f->why.code == 0)
			close(f->file);
		err_free(&f->why);
		buf_free(&f->signature);
		err_free(&f->unsigned_why);
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* Twice, for one bad moment of the disk shall not make us forget what a peer has said and send it
 * again; and what could not be written stays pending, for whoever comes here next. */
int
parcel_write(struct parcel *p, struct err *e)
{
	int rc = 0;

	for (int i = 0; i < 2 && p->pending.len > 0; i++) {
		rc = queue_journal(&p->t, (struct span){p->pending.s, p->pending.len}, 0, e);
		if (!rc)
			buf_cut(&p->pending, 0);
	}
	return rc;
}

/* What is pending, before the entry is let go; where somebody has the message, for good. */
static int
write_last(struct parcel *p, struct err *e)
{
	int rc = parcel_write(p, e);

	return rc || !p->partial ? rc : queue_journal_sync(&p->t, e);
}

bool
parcel_drop(struct parcel *p)
{
	struct err e = ERR_INIT;
	bool last;

	pthread_mutex_lock(&p->lock);
	last = --p->groups == 0;
	pthread_mutex_unlock(&p->lock);
	if (!last)
		return false;
	if (write_last(p, &e))
		parcel_unwritten(p, &e);
	err_free(&e);
	parcel_free(p);
	return true;
}

void
parcel_set(struct parcel *p, uint32_t i, enum journal_is as)
{
	if (!journal_is_open(&p->j.rcpts[i]))
		return;
	p->j.rcpts[i].is = as;
	p->j.rcpts[i].doubt = false;
	if (!journal_is_open(&p->j.rcpts[i]))
		p->j.open--;
}

uint32_t *
parcel_open(const struct parcel *p, size_t *n)
{
	uint32_t *v = mem_grow(NULL, p->t.env.n + 1, sizeof *v);

	*n = 0;
	for (size_t i = 0; i < p->t.env.n; i++)
		if (journal_is_open(&p->j.rcpts[i]))
			v[(*n)++] = (uint32_t)i;
	return v;
}

/* Where everybody has the message nothing needs to be written: the unlink says it. */
bool
parcel_delivered(const struct parcel *p)
{
	for (size_t i = 0; i < p->t.env.n; i++)
		if (p->j.rcpts[i].is != JOURNAL_DELIVERED)
			return false;
	return true;
}

void
parcel_at(struct parcel *p, struct span site)
{
	size_t n = site.n < sizeof p->site ? site.n : sizeof p->site - 1;

	memcpy(p->site, site.p, n);
	p->site[n] = '\0';
}

/* With the lock held: of its groups the first tells it, before anything else is told. */
static void
begins(struct parcel *p)
{
	if (p->unheard)
		tell_accepted(p->d->events, &p->t);
	p->unheard = false;
}

void
parcel_begins(struct parcel *p)
{
	pthread_mutex_lock(&p->lock);
	begins(p);
	pthread_mutex_unlock(&p->lock);
}

void
parcel_verdict(struct parcel *p, const uint32_t *rcpts, size_t n, enum journal_is as, int code,
    const char *status, const char *text, struct span site)
{
	struct parcel_word w = {.as = as, .code = code, .status = span_of(status), .text = span_of(text),
	    .site = site, .host = {"", 0}, .addr = {"", 0}, .tls = {"", 0}};
	size_t start;

	pthread_mutex_lock(&p->lock);
	begins(p);
	start = journal_outcome(&p->pending, io_time_us(), p->attempt, site, w.host, w.addr);
	for (size_t i = 0; i < n; i++) {
		parcel_set(p, rcpts[i], as);
		journal_outcome_rcpt(&p->pending, rcpts[i], as, code, w.status, parcel_kept(p, w.text));
	}
	journal_outcome_end(&p->pending, start);
	p->tried |= as == JOURNAL_DEFERRED;
	parcel_at(p, site);
	pthread_mutex_unlock(&p->lock);
	w.next_s = as == JOURNAL_DEFERRED ? parcel_promise(p) : 0;
	for (size_t i = 0; i < n; i++)
		parcel_tell(p, rcpts[i], &w);
}

/* --- telling the sender */

void
parcel_answer(struct parcel *p, enum journal_told as, const uint32_t *rcpts, size_t n)
{
	if (n == 0 || p->t.env.sender.n == 0 || !p->d->notify)
		return;
	journal_success(&p->pending, io_time_us(), as, rcpts, n);
	for (size_t i = 0; i < n; i++)
		p->j.rcpts[rcpts[i]].success = as;
	p->answer = true;
}

int
parcel_notice_again(struct parcel *p, struct err *e)
{
	struct journal j;
	int rc = journal_replay((struct span){p->t.journal.s, p->t.journal.len}, p->t.env.n, &j, e);

	if (!rc && j.notice && p->d->notify)
		rc = notify_put(p->d->notify, &p->t, &j, e);
	if (!rc && j.notice)
		journal_noticed(&p->pending, io_time_us(), j.notice->id);
	journal_free(&j);
	return rc;
}

/* notify.h: what it says comes from the journal, so that is written, and for good, before. */
static int
tell_sender(struct parcel *p, bool late, struct err *e)
{
	struct journal_notice v;
	int rc;

	if (!p->d->notify || !notify_choose(p->d->notify, &p->t, &p->j, late, &v))
		return 0;
	journal_notice(&p->pending, &v);
	rc = parcel_write(p, e);
	if (!rc)
		rc = queue_journal_sync(&p->t, e);
	if (!rc)
		rc = parcel_notice_again(p, e);
	notify_free(&v);
	return rc;
}

/* Not told yet, so it has not come to its end: whoever takes it next finds what is to be done. */
static void
finish_untold(struct parcel *p)
{
	struct err e = ERR_INIT;

	if (write_last(p, &e))
		parcel_unwritten(p, &e);
	err_free(&e);
	queue_defer(&p->t, due_again(p), &e);
	err_free(&e);
}

/* --- the suppression list */

bool
parcel_learn(const struct parcel *p, uint32_t i, const struct parcel_word *w, enum rules_phase phase,
    bool alone)
{
	const struct guard_fact f = {.address = p->t.env.rcpts[i].addr, .id = p->t.is.id,
	    .stream = p->t.is.stream, .code = w->code, .status = w->status, .text = parcel_words(w->text),
	    .host = w->host, .phase = phase, .alone = alone};
	struct err e = ERR_INIT;

	bool known = !p->d->guard || guard_learn(p->d->guard, &f, &e) == 0;

	if (!known)
		deliver_ails(p->d, &e);
	err_free(&e);
	return known;
}

/* Nobody is to be told of this failure: as if he had been. */
static void
count_as_told(struct parcel *p, uint32_t i)
{
	struct journal_notice_rcpt one = {i, JOURNAL_TOLD_FAILED};
	struct journal_notice v = {.at_us = io_time_us(), .v = &one, .n = 1};

	entry_id(v.id, v.at_us, (uint32_t)io_random());
	journal_notice(&p->pending, &v);
	journal_noticed(&p->pending, v.at_us, v.id);
	p->j.rcpts[i].told = true;
}

int
parcel_guard(struct parcel *p, struct err *e)
{
	int rc = p->d->guard && p->t.env.verp ? guard_key(p->d->guard, e) : 0;
	bool dsn = suppressconf(&p->d->conf->sections)->dsn, yes = false;
	struct buf why = BUF_INIT;
	size_t n;
	uint32_t *open = p->d->guard ? parcel_open(p, &n) : NULL;

	for (size_t i = 0; open && i < n && !rc; i++) {
		buf_cut(&why, 0);
		rc = guard_refuses(p->d->guard, p->t.env.rcpts[open[i]].addr, p->t.is.stream, &yes, &why, e);
		if (rc || !yes)
			continue;
		parcel_verdict(p, &open[i], 1, JOURNAL_FAILED, 0, "5.7.1", why.s, (struct span){"", 0});
		if (!dsn)
			count_as_told(p, open[i]);
	}
	buf_free(&why);
	free(open);
	return rc;
}

/* --- the end */

/* The journal as it will be when what this attempt met is written, too. */
static void
replay_all(const struct parcel *p, struct journal *j)
{
	struct err ignored = ERR_INIT;
	struct buf all = BUF_INIT;

	buf_add(&all, p->t.journal.s, p->t.journal.len);
	buf_add(&all, p->pending.s, p->pending.len);
	journal_replay((struct span){all.s, all.len}, p->t.env.n, j, &ignored);
	buf_free(&all);
	err_free(&ignored);
}

static void
expire(struct parcel *p)
{
	struct journal j;
	size_t n;
	uint32_t *open = parcel_open(p, &n);
	uint64_t now = io_time_us();

	replay_all(p, &j);
	for (size_t i = 0; i < n; i++) {
		const struct journal_reply *last = j.rcpts[open[i]].last;
		struct parcel_word w = {.as = JOURNAL_EXPIRED, .status = SPAN("4.4.7"),
		    .text = SPAN("not delivered within its lifetime"), .site = span_of(p->site),
		    .host = {"", 0}, .addr = {"", 0}, .tls = {"", 0}};
		size_t start;

		if (last && last->text[0]) {
			w.code = last->code;
			w.text = span_of(last->text);
			w.site = span_of(last->site);
			w.host = span_of(last->peer);
			w.addr = span_of(last->addr);
		}
		if (!parcel_learn(p, open[i], &w, RULES_NO_PHASE, true))
			continue; /* his time is over when this machine is well again */
		start = journal_outcome(&p->pending, now, p->attempt, w.site, w.host, w.addr);
		journal_outcome_rcpt(&p->pending, open[i], JOURNAL_EXPIRED, w.code, w.status, parcel_kept(p, w.text));
		journal_outcome_end(&p->pending, start);
		parcel_set(p, open[i], JOURNAL_EXPIRED);
		parcel_tell(p, open[i], &w);
	}
	journal_free(&j);
	free(open);
}

/* RFC 2852 4.1.4: not delivered by then, and to be returned. */
static bool
is_over(const struct parcel *p, uint64_t now_s)
{
	const struct entry_wish *w = &p->t.env.wish;

	return w->by_s > 0 && w->by_return && w->by_s <= now_s;
}

static void
return_all(struct parcel *p)
{
	char site[sizeof p->site];
	size_t n;
	uint32_t *open = parcel_open(p, &n);

	memcpy(site, p->site, sizeof site);
	parcel_verdict(p, open, n, JOURNAL_FAILED, 0, "5.4.7", "the time to deliver it by is over", span_of(site));
	free(open);
}

/* It lives on: when, and first what must not be forgotten. */
static int
finish_deferred(struct parcel *p, struct err *e)
{
	uint64_t next = due_again(p);
	int rc;

	journal_deferred(&p->pending, io_time_us(), p->attempt, next, span_of(p->site));
	rc = write_last(p, e);
	/* Where the journal could not be written the wait is still ours to keep. */
	if (!rc || rc == EX_TEMPFAIL) {
		struct err again = ERR_INIT;
		int moved = queue_defer(&p->t, next, &again);

		if (moved && !rc && moved != EX_NOINPUT) /* another run moved it on by its name: it waits there */
			rc = err_set(e, moved, "%s", err_text(&again));
		err_free(&again);
	}
	return rc;
}

/* Nobody is open any more. */
static int
finish_closed(struct parcel *p, struct err *e)
{
	const struct conf *c = p->d->conf;
	bool failed = !parcel_delivered(p);
	uint64_t keep = failed ? c->keep_failed_s : c->keep_sent_s;
	int rc = 0;

	if (failed || keep > 0)
		rc = parcel_write(p, e);
	if (!rc)
		rc = keep > 0 ? queue_move(&p->t, failed ? IN_FAILED : IN_SENT, e)
		              : queue_remove(&p->t, e);
	if (rc) {
		struct err again = ERR_INIT;

		/* It cannot go, but it shall not be sent again either. */
		bool elsewhere = rc == EX_NOINPUT; /* another run moved it on by its name */

		if (write_last(p, &again) == 0 && elsewhere)
			rc = 0; /* whoever takes it there finds nobody left to send it to */
		err_free(&again);
	}
	return rc;
}

void
parcel_wait(struct parcel *p, uint64_t until_s)
{
	pthread_mutex_lock(&p->lock);
	if (until_s > p->wait_s)
		p->wait_s = until_s;
	pthread_mutex_unlock(&p->lock);
}

static bool
is_late(const struct parcel *p, uint64_t now_s)
{
	return p->d->may_expire && p->d->notify && notify_late(p->d->notify, &p->t, now_s);
}

bool
parcel_finish(struct parcel *p)
{
	struct retry_policy policy = policy_of(p);
	uint64_t born = envelope_begins_s(&p->t.env, p->t.is.id), now = io_time_us() / 1000000;
	struct err e = ERR_INIT;
	bool last;
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	last = --p->groups == 0;
	pthread_mutex_unlock(&p->lock);
	if (!last)
		return false;
	if (p->j.open > 0 && p->tried) {
		if (p->d->may_expire && is_over(p, now))
			return_all(p);
		else if (journal_over(p, JOURNAL_FULL) ||
		    (p->d->may_expire && retry_over(&policy, born, p->attempt, now)))
			expire(p);
	}
	if (!p->removed)
		rc = tell_sender(p, p->tried && is_late(p, now), &e);
	if (rc) {
		finish_untold(p);
	} else if (p->j.open == 0) {
		/* An unlink right after the final reply has done it already. */
		if (!p->removed)
			rc = finish_closed(p, &e);
	} else if (p->tried) {
		rc = finish_deferred(p, &e);
	} else { /* nobody of those still open was tried */
		rc = write_last(p, &e);
		if ((!rc || p->t.over_quota) && p->wait_s)
			rc = queue_defer(&p->t, p->wait_s, &e);
		if (rc == EX_NOINPUT)
			rc = 0; /* moved on already */
	}
	if (rc)
		deliver_ails(p->d, &e);
	err_free(&e);
	parcel_free(p);
	return true;
}
