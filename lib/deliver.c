#include "deliver.h"

#include "addr.h"
#include "io.h"
#include "msg.h"
#include "reaper.h"
#include "retry.h"
#include "telling.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESERVE 512       /* bytes set aside for what must be written after the final reply */
#define RESERVE_RCPT 160  /* and a recipient */
#define TEXT_MAX 1000     /* of a peer's words, kept in journal and log */

/* --- telling */

static struct span
cut(struct span s)
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

struct word { /* what is said about a recipient */
	enum journal_is as;
	int code;
	struct span status, text, site, host, addr, tls;
	uint64_t connect_us, send_us;
};

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

/* The same for the event and for the name: jitter comes from the id, not from a dice. */
static uint64_t
next_attempt(const struct parcel *p)
{
	struct retry_policy policy = policy_of(p);

	return io_time_us() / 1000000 + retry_wait(&policy, p->attempt, p->hint_s, random_of(p));
}

static void
tell_rcpt(const struct parcel *p, uint32_t i, const struct word *w)
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
	v.code = w->code;
	v.status = w->status;
	v.text = cut(w->text);
	v.tls = w->tls;
	v.connect_us = w->connect_us;
	v.send_us = w->send_us;
	v.next_s = w->as == JOURNAL_DEFERRED ? next_attempt(p) : 0;
	p->d->count[w->as]++;
	tell_entry(p->d->events, &p->t, v);
}

static void
tell_attempt(const struct parcel *p, const struct word *w)
{
	tell_entry(p->d->events, &p->t, (struct event){.type = EVENT_ATTEMPTED,
	    .site = w->site,
	    .domain = p->t.is.domain,
	    .attempts = p->attempt,
	    .peer = w->host,
	    .peer_addr = w->addr,
	    .tls = w->tls,
	    .connect_us = w->connect_us,
	    .send_us = w->send_us});
}

/* --- the journal in memory and on disk */

/* A full disk concerns all, a submitter's quota his messages alone. */
static void
unwritten(const struct parcel *p, const struct err *e)
{
	if (p->t.over_quota)
		deliver_ails(p->d, e);
	else
		deliver_trouble(p->d, e);
}

static void
free_parcel(struct parcel *p)
{
	if (p->removed && p->d->reaper)
		reaper_close(p->d->reaper, queue_detach(&p->t));
	queue_release(&p->t);
	journal_free(&p->j);
	buf_free(&p->pending);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* Twice, for one bad moment of the disk shall not make us forget what a peer has said and send it
 * again; and what could not be written stays pending, for whoever comes here next. */
static int
write_pending(struct parcel *p, struct err *e)
{
	int rc = 0;

	for (int i = 0; i < 2 && p->pending.len > 0; i++) {
		rc = queue_journal(&p->t, (struct span){p->pending.s, p->pending.len}, 0, e);
		if (!rc)
			buf_cut(&p->pending, 0);
	}
	return rc;
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
	if (write_pending(p, &e))
		unwritten(p, &e);
	err_free(&e);
	free_parcel(p);
	return true;
}

static void
set_is(struct parcel *p, uint32_t i, enum journal_is as)
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

/* --- taking */

/* RFC 5321 6.3: a message that has come through here too often goes round in a circle. */
static bool
loops(const struct parcel *p)
{
	size_t have = p->t.text.len > p->t.content_off ? p->t.text.len - (size_t)p->t.content_off : 0;
	uint64_t n = 0;
	struct msg_field f;
	struct cur c;
	bool bad = false;

	if (have > p->t.head.content_bytes)
		have = (size_t)p->t.head.content_bytes;
	c = cur_of(p->t.text.s + p->t.content_off, have);
	while (msg_field(&c, &f, &bad))
		n += span_ieq(f.name, SPAN("Received"));
	return n > p->d->conf->max_received;
}

/* The content went out and nobody knows what became of it: RFC 5321 leaves the choice to us. */
static int
settle_doubt(struct parcel *p, bool *settled, struct err *e)
{
	enum conf_doubt how = p->d->conf->in_doubt;
	uint64_t now = io_time_us();
	int rc;

	if (p->j.doubts == 0 || how == CONF_DOUBT_RETRY)
		return 0;
	if (how == CONF_DOUBT_HOLD) {
		journal_mark(&p->pending, now, "held", SPAN("policy in_doubt"),
		    SPAN("sent, and the outcome is not known"));
		rc = write_pending(p, e);
		if (!rc)
			rc = queue_move(&p->t, IN_HOLD, e);
		if (!rc)
			tell_entry(p->d->events, &p->t, (struct event){.type = EVENT_HELD,
			    .text = SPAN("sent, and the outcome is not known")});
		*settled = true;
		return rc;
	}
	p->attempt = p->j.attempts; /* the one that is in doubt */
	for (uint32_t i = 0; i < p->t.env.n; i++)
		if (p->j.rcpts[i].doubt)
			parcel_verdict(p, &i, 1, JOURNAL_DELIVERED, 0, "2.0.0",
			    "assumed sent: the outcome is not known", (struct span){"", 0});
	p->attempt = p->j.attempts + 1;
	return 0;
}

/* The entry is ours: what does it need before it can be tried? */
static int
look_over(struct parcel *p, uint64_t now_s, bool *settled, struct err *e)
{
	uint32_t *all;
	size_t n;
	int rc;

	/* What has waited in cur/ for a site or for its hour came there by name alone. */
	if (p->t.journal.len == 0 && (p->t.at.place == IN_NEW || p->t.env.hold_until_s == 0))
		tell_accepted(p->d->events, &p->t);
	/* "smtp-queue retry" ends the sender's wish to send it later. */
	if (p->t.env.hold_until_s > now_s && p->j.retried_us == 0) {
		*settled = true;
		return p->t.at.place == IN_CUR && p->t.is.due == p->t.env.hold_until_s
		    ? 0
		    : queue_defer(&p->t, p->t.env.hold_until_s, e);
	}
	rc = settle_doubt(p, settled, e);
	if (rc || *settled)
		return rc;
	if (p->j.attempts == 0 && loops(p)) {
		all = parcel_open(p, &n);
		parcel_verdict(p, all, n, JOURNAL_FAILED, 0, "5.4.6",
		    "too many Received fields: the message is in a loop", (struct span){"", 0});
		free(all);
	}
	return 0;
}

int
parcel_take(struct deliver *d, const struct queue_at *at, const char *name, uint64_t now_s,
    struct parcel **out, enum parcel_took *took, struct err *e)
{
	struct parcel *p = mem_alloc(sizeof *p);
	enum queue_took got;
	bool settled = false;
	int rc = queue_take(d->q, at, name, at->place == IN_NEW, &p->t, &got, e);

	*took = PARCEL_SETTLED;
	if (rc || got != QUEUE_TOOK) {
		if (!rc && (got == QUEUE_DAMAGED || got == QUEUE_STUCK))
			tell_damaged(d->events, name, e);
		if (got == QUEUE_BUSY)
			*took = PARCEL_BUSY;
		else if (got == QUEUE_GONE)
			*took = PARCEL_GONE;
		free(p);
		return rc;
	}
	p->d = d;
	p->pending = (struct buf)BUF_INIT;
	pthread_mutex_init(&p->lock, NULL);
	p->groups = 1;
	rc = journal_replay((struct span){p->t.journal.s, p->t.journal.len}, p->t.env.n, &p->j, e);
	p->attempt = p->j.attempts + 1;
	if (rc == EX_DATAERR) {
		rc = queue_set_aside(&p->t, e);
		if (!rc)
			tell_damaged(d->events, name, e);
		settled = true;
	} else if (!rc) {
		rc = look_over(p, now_s, &settled, e);
	}
	if (rc || settled) {
		free_parcel(p);
		if (rc == EX_NOINPUT) /* moved on meanwhile, by its name */
			*took = PARCEL_GONE;
		return rc == EX_NOINPUT ? 0 : rc;
	}
	if (p->j.open == 0) { /* a crash or a failed unlink came between the last outcome and this */
		parcel_finish(p);
		return 0;
	}
	*took = PARCEL_READY;
	*out = p;
	return 0;
}

/* --- one attempt */

struct attempt {
	struct parcel *p;
	struct parcel_way *way;
	struct smtp_mail *m;
	uint32_t *who; /* the recipients' indexes, beside m->rcpts */
	bool unnoted;  /* that content would leave could not be written down: it did not */
};

/* Before the first byte of content leaves: what we are about to do is written down. */
static int
note_sending(void *arg, struct err *e)
{
	struct attempt *a = arg;
	struct parcel *p = a->p;
	uint32_t *who = mem_grow(NULL, a->m->n + 1, sizeof *who);
	struct buf line = BUF_INIT;
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < a->m->n; i++)
		if (a->m->rcpts[i].is == SMTP_UNDECIDED)
			who[n++] = a->who[i];
	pthread_mutex_lock(&p->lock);
	journal_sending(&line, io_time_us(), p->attempt, a->way->site, who, n);
	rc = write_pending(p, e);
	if (!rc)
		rc = queue_journal(&p->t, (struct span){line.s, line.len},
		    RESERVE + RESERVE_RCPT * a->m->n, e);
	if (!rc && p->d->conf->in_doubt != CONF_DOUBT_RETRY)
		rc = queue_journal_sync(&p->t, e);
	p->sending = true;
	if (rc && p->t.over_quota)
		p->wait_s = next_attempt(p);
	if (rc)
		unwritten(p, e);
	pthread_mutex_unlock(&p->lock);
	buf_free(&line);
	free(who);
	a->unnoted = rc != 0;
	return rc;
}

static void
meanwhile(void *arg)
{
	const struct attempt *a = arg;

	a->way->meanwhile(a->way->arg);
}

static enum journal_is
as_of(const struct smtp_rcpt *r)
{
	return r->is == SMTP_DELIVERED ? JOURNAL_DELIVERED
	    : r->is == SMTP_FAILED     ? JOURNAL_FAILED
	                               : JOURNAL_DEFERRED;
}

/* Where everybody has the message nothing needs to be written: the unlink says it. */
static bool
all_delivered(const struct parcel *p)
{
	for (size_t i = 0; i < p->t.env.n; i++)
		if (p->j.rcpts[i].is != JOURNAL_DELIVERED)
			return false;
	return true;
}

/* In memory; whether somebody has the message now. */
static bool
mark_outcomes(struct attempt *a)
{
	struct parcel *p = a->p;
	bool delivered = false;

	for (size_t i = 0; i < a->m->n; i++) {
		const struct smtp_rcpt *r = &a->m->rcpts[i];

		if (r->is == SMTP_AGAIN)
			continue;
		set_is(p, a->who[i], as_of(r));
		delivered |= r->is == SMTP_DELIVERED;
		p->tried |= as_of(r) == JOURNAL_DEFERRED;
	}
	return delivered;
}

/* The very next system call after the final reply, where everybody has the message. */
static bool
remove_delivered(struct parcel *p, struct err *e)
{
	if (p->groups > 1 || !all_delivered(p) || p->d->conf->keep_sent_s > 0 ||
	    queue_remove(&p->t, e))
		return false;
	p->removed = true;
	buf_cut(&p->pending, 0);
	return true;
}

static void
note_outcomes(struct attempt *a, struct err *e)
{
	struct parcel *p = a->p;
	bool delivered = mark_outcomes(a);
	size_t start;
	int rc = 0;

	if (remove_delivered(p, e))
		return;
	start = journal_outcome(&p->pending, io_time_us(), p->attempt, a->way->site, a->way->host,
	    a->way->addr);
	for (size_t i = 0; i < a->m->n; i++) {
		const struct smtp_rcpt *r = &a->m->rcpts[i];

		if (r->is != SMTP_AGAIN)
			journal_outcome_rcpt(&p->pending, a->who[i], as_of(r), r->code,
			    span_of(r->status), cut((struct span){r->text.s, r->text.len}));
	}
	journal_outcome_end(&p->pending, start);
	if (delivered) {
		p->partial = true;
		rc = write_pending(p, e);
		if (rc)
			unwritten(p, e);
	}
}

static void
tell_outcomes(struct attempt *a, uint64_t send_us)
{
	struct word w = {.site = a->way->site, .host = a->way->host, .addr = a->way->addr,
	    .tls = {a->way->s->tls.s, a->way->s->tls.len}, .connect_us = a->way->connect_us,
	    .send_us = send_us};

	tell_attempt(a->p, &w);
	for (size_t i = 0; i < a->m->n; i++) {
		const struct smtp_rcpt *r = &a->m->rcpts[i];

		if (r->is == SMTP_AGAIN)
			continue;
		w.as = as_of(r);
		w.code = r->code;
		w.status = span_of(r->status);
		w.text = (struct span){r->text.s, r->text.len};
		tell_rcpt(a->p, a->who[i], &w);
	}
}

/* Those who got no answer wait, for the reason the connection gave. */
static void
defer_undecided(struct attempt *a, const struct err *why)
{
	for (size_t i = 0; i < a->m->n; i++) {
		struct smtp_rcpt *r = &a->m->rcpts[i];

		if (r->is != SMTP_UNDECIDED)
			continue;
		r->is = SMTP_DEFERRED;
		r->code = 0;
		memcpy(r->status, "4.4.2", 6);
		buf_cut(&r->text, 0);
		buf_str(&r->text, err_text(why));
	}
}

static bool
doubt_matters(const struct attempt *a)
{
	return a->m->in_doubt && a->p->d->conf->in_doubt != CONF_DOUBT_RETRY;
}

/* With policies `hold` and `assume-sent` an unknown outcome is left in the journal as it stands; the
 * next run settles it. */
static enum parcel_sent
leave_in_doubt(struct attempt *a, struct err *e)
{
	struct parcel *p = a->p;
	size_t kept = 0;

	for (size_t i = 0; i < a->m->n; i++)
		if (a->m->rcpts[i].is == SMTP_UNDECIDED)
			a->m->rcpts[i].is = SMTP_AGAIN;
		else
			kept++;
	pthread_mutex_lock(&p->lock);
	if (kept > 0)
		note_outcomes(a, e);
	pthread_mutex_unlock(&p->lock);
	return PARCEL_SENT;
}

static void
prepare(struct attempt *a, const uint32_t *rcpts, size_t n)
{
	struct parcel *p = a->p;

	for (size_t i = 0; i < n; i++) {
		const struct entry_rcpt *r = &p->t.env.rcpts[rcpts[i]];

		a->who[i] = rcpts[i];
		a->m->rcpts[i].addr = r->addr;
		a->m->rcpts[i].params = r->params;
		a->m->rcpts[i].text = (struct buf)BUF_INIT;
	}
}

/* Those for another transaction move to the front; how many. */
static size_t
keep_again(struct attempt *a)
{
	size_t k = 0;

	for (size_t i = 0; i < a->m->n; i++) {
		struct smtp_rcpt r = a->m->rcpts[i];
		uint32_t who = a->who[i];

		if (r.is != SMTP_AGAIN)
			continue;
		a->m->rcpts[i] = a->m->rcpts[k];
		a->who[i] = a->who[k];
		a->m->rcpts[k] = r;
		a->who[k++] = who;
	}
	return k;
}

/* One transaction.  *again: as many recipients as are left for another. */
static enum parcel_sent
transact(struct attempt *a, size_t *again, struct err *e)
{
	struct parcel *p = a->p;
	uint64_t begun = io_time_us();
	int rc = smtp_send(a->way->s, a->m, e);

	*again = 0;
	if (rc && (a->unnoted || p->d->trouble))
		return PARCEL_LOST;
	a->way->useless = a->m->useless;
	a->way->lost = rc != 0;
	if ((rc && a->m->stale) || (a->m->useless && a->way->elsewhere && !doubt_matters(a)))
		return PARCEL_STALE;
	if (rc && doubt_matters(a))
		return leave_in_doubt(a, e);
	if (rc)
		defer_undecided(a, e);
	pthread_mutex_lock(&p->lock);
	if (a->way->s->wait_hint_s > p->hint_s)
		p->hint_s = a->way->s->wait_hint_s;
	snprintf(p->site, sizeof p->site, "%.*s", SPAN_ARG(a->way->site));
	note_outcomes(a, e);
	pthread_mutex_unlock(&p->lock);
	tell_outcomes(a, io_time_us() - begun);
	*again = keep_again(a);
	return PARCEL_SENT;
}

/* The peer has had enough of us, and some recipients were left for another transaction: they
 * wait with the others. */
static void
defer_rest(struct attempt *a, struct err *e)
{
	struct parcel *p = a->p;

	for (size_t i = 0; i < a->m->n; i++)
		a->m->rcpts[i].is = SMTP_UNDECIDED;
	err_set(e, EX_TEMPFAIL, "connection ended before the next transaction");
	defer_undecided(a, e);
	pthread_mutex_lock(&p->lock);
	note_outcomes(a, e);
	pthread_mutex_unlock(&p->lock);
	tell_outcomes(a, 0);
}

enum parcel_sent
parcel_send(struct parcel *p, uint32_t *rcpts, size_t *n, struct parcel_way *way, struct err *e)
{
	struct smtp_mail m = {.sender = p->t.env.sender, .params = p->t.env.params, .n = *n,
	    .rcpts = mem_alloc((*n + 1) * sizeof *m.rcpts), .content = queue_content(&p->t),
	    .file = p->t.fd, .off = p->t.content_off, .size = p->t.head.content_bytes,
	    .eightbit = p->t.head.eightbit, .utf8_header = p->t.head.utf8_header,
	    .wary = p->d->conf->in_doubt != CONF_DOUBT_RETRY, .sending = note_sending,
	    .meanwhile = way->meanwhile ? meanwhile : NULL};
	struct attempt a = {p, way, &m, mem_grow(NULL, *n + 1, sizeof *a.who), false};
	enum parcel_sent sent;
	size_t again = *n, all = *n;

	m.arg = &a;
	prepare(&a, rcpts, *n);
	do {
		m.n = again;
		sent = transact(&a, &again, e);
		if (sent == PARCEL_SENT && again > 0 && !way->s->open) {
			m.n = again;
			if (way->s->slow_down)
				defer_rest(&a, e);
			else
				sent = PARCEL_STALE;
			again = 0;
		}
	} while (sent == PARCEL_SENT && again > 0);
	if (sent == PARCEL_STALE) {
		memcpy(rcpts, a.who, m.n * sizeof *rcpts);
		*n = m.n;
	}
	for (size_t i = 0; i < all; i++)
		smtp_rcpt_free(&m.rcpts[i]);
	free(m.rcpts);
	free(a.who);
	return sent;
}

void
parcel_verdict(struct parcel *p, const uint32_t *rcpts, size_t n, enum journal_is as, int code,
    const char *status, const char *text, struct span site)
{
	struct word w = {.as = as, .code = code, .status = span_of(status), .text = span_of(text),
	    .site = site, .host = {"", 0}, .addr = {"", 0}, .tls = {"", 0}};
	size_t start;

	pthread_mutex_lock(&p->lock);
	start = journal_outcome(&p->pending, io_time_us(), p->attempt, site, w.host, w.addr);
	for (size_t i = 0; i < n; i++) {
		set_is(p, rcpts[i], as);
		journal_outcome_rcpt(&p->pending, rcpts[i], as, code, w.status, cut(w.text));
	}
	journal_outcome_end(&p->pending, start);
	p->tried |= as == JOURNAL_DEFERRED;
	snprintf(p->site, sizeof p->site, "%.*s", SPAN_ARG(site));
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < n; i++)
		tell_rcpt(p, rcpts[i], &w);
}

/* --- the end */

static void
expire(struct parcel *p)
{
	size_t n;
	uint32_t *open = parcel_open(p, &n);
	uint64_t now = io_time_us();

	for (size_t i = 0; i < n; i++) {
		const struct journal_reply *last = journal_last(&p->j, open[i]);
		struct word w = {.as = JOURNAL_EXPIRED, .status = SPAN("4.4.7"),
		    .text = SPAN("not delivered within its lifetime"), .site = span_of(p->site),
		    .host = {"", 0}, .addr = {"", 0}, .tls = {"", 0}};
		size_t start;

		if (last && last->text[0]) {
			w.code = last->code;
			w.text = span_of(last->text);
		}
		start = journal_outcome(&p->pending, now, p->attempt, w.site, w.host, w.addr);
		journal_outcome_rcpt(&p->pending, open[i], JOURNAL_EXPIRED, w.code, w.status, w.text);
		journal_outcome_end(&p->pending, start);
		set_is(p, open[i], JOURNAL_EXPIRED);
		tell_rcpt(p, open[i], &w);
	}
	free(open);
}

/* It lives on: when, and first what must not be forgotten. */
static int
finish_deferred(struct parcel *p, struct err *e)
{
	uint64_t next = next_attempt(p);
	int rc;

	journal_deferred(&p->pending, io_time_us(), p->attempt, next, span_of(p->site), 0,
	    (struct span){"", 0}, (struct span){"", 0}, NULL, 0);
	rc = write_pending(p, e);
	if (!rc && p->partial)
		rc = queue_journal_sync(&p->t, e);
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
	bool failed = !all_delivered(p);
	uint64_t keep = failed ? c->keep_failed_s : c->keep_sent_s;
	int rc = 0;

	if (failed || keep > 0)
		rc = write_pending(p, e);
	if (!rc)
		rc = keep > 0 ? queue_move(&p->t, failed ? IN_FAILED : IN_SENT, e)
		              : queue_remove(&p->t, e);
	if (rc) {
		struct err again = ERR_INIT;

		/* It cannot go, but it shall not be sent again either. */
		bool elsewhere = rc == EX_NOINPUT; /* another run moved it on by its name */

		if (write_pending(p, &again) == 0 && elsewhere)
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

bool
parcel_finish(struct parcel *p)
{
	struct retry_policy policy = policy_of(p);
	uint64_t born = entry_id_us(p->t.is.id.p) / 1000000, now = io_time_us() / 1000000;
	struct err e = ERR_INIT;
	bool last;
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	last = --p->groups == 0;
	pthread_mutex_unlock(&p->lock);
	if (!last)
		return false;
	if (p->j.open > 0 && p->tried && p->d->may_expire &&
	    retry_over(&policy, born, p->attempt, now))
		expire(p);
	if (p->j.open == 0) {
		/* An unlink right after the final reply has done it already. */
		if (!p->removed)
			rc = finish_closed(p, &e);
	} else if (p->tried) {
		rc = finish_deferred(p, &e);
	} else { /* nobody of those still open was tried */
		rc = write_pending(p, &e);
		if ((!rc || p->t.over_quota) && p->wait_s)
			rc = queue_defer(&p->t, p->wait_s, &e);
		if (rc == EX_NOINPUT)
			rc = 0; /* moved on already */
	}
	if (rc)
		deliver_ails(p->d, &e);
	err_free(&e);
	free_parcel(p);
	return true;
}
