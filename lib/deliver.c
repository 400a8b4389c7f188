#include "deliver.h"

#include "dkimconf.h"
#include "dkimmsg.h"
#include "io.h"
#include "msg.h"
#include "seven.h"
#include "telling.h"

#include <stdlib.h>
#include <string.h>

#define RESERVE 512       /* bytes set aside for what must be written after the final reply */
#define RESERVE_RCPT 160  /* and a recipient */
#define SIGN_BLOCK 65536  /* of a file */

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
		rc = parcel_write(p, e);
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
	p->unheard = p->t.journal.len == 0 && (p->t.at.place == IN_NEW || p->t.env.hold_until_s == 0);
	/* "smtp-queue retry" ends the sender's wish to send it later. */
	if (p->t.env.hold_until_s > now_s && p->j.retried_us == 0) {
		*settled = true;
		parcel_begins(p);
		return p->t.at.place == IN_CUR && p->t.is.due == p->t.env.hold_until_s
		    ? 0
		    : queue_defer(&p->t, p->t.env.hold_until_s, e);
	}
	if (p->j.notice) { /* a crash came between its beginning and its end */
		rc = parcel_notice_again(p, e);
		if (!rc)
			rc = parcel_write(p, e);
		if (rc)
			return rc;
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
	return parcel_guard(p, e);
}

int
parcel_take(struct deliver *d, const struct queue_at *at, const char *name, uint64_t now_s,
    struct parcel **out, enum parcel_took *took, struct err *e)
{
	struct parcel *p = mem_alloc(sizeof *p);
	enum queue_took got;
	bool settled = false;
	int rc = queue_take(d->q, at, name, QUEUE_TO_SEND, &p->t, &got, e);

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
	for (size_t i = 0; i < PARCEL_FORMS; i++)
		p->form[i].signature = (struct buf)BUF_INIT;
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
		parcel_free(p);
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
	struct buf path; /* a return path for one recipient alone */
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
	rc = parcel_write(p, e);
	if (!rc)
		rc = queue_journal(&p->t, (struct span){line.s, line.len},
		    RESERVE + RESERVE_RCPT * a->m->n, e);
	if (!rc && p->d->conf->in_doubt != CONF_DOUBT_RETRY)
		rc = queue_journal_sync(&p->t, e);
	p->sending = true;
	if (rc && p->t.over_quota)
		p->wait_s = parcel_next(p);
	if (rc)
		parcel_unwritten(p, e);
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

/* In memory: of those who were refused for good, or of all others; whether somebody has the message now. */
static bool
mark_outcomes(struct attempt *a, bool refused)
{
	struct parcel *p = a->p;
	bool delivered = false;

	for (size_t i = 0; i < a->m->n; i++) {
		const struct smtp_rcpt *r = &a->m->rcpts[i];

		if (r->is == SMTP_AGAIN || (r->is == SMTP_FAILED) != refused)
			continue;
		parcel_set(p, a->who[i], as_of(r));
		delivered |= r->is == SMTP_DELIVERED;
		p->tried |= as_of(r) == JOURNAL_DEFERRED;
	}
	return delivered;
}

/* The very next system call after the final reply, where everybody has the message. */
static bool
remove_delivered(struct parcel *p, struct err *e)
{
	if (p->groups > 1 || p->answer || !parcel_delivered(p) || p->d->conf->keep_sent_s > 0 ||
	    queue_remove(&p->t, e))
		return false;
	p->removed = true;
	buf_cut(&p->pending, 0);
	return true;
}

/* RFC 3461 5.2.2: a server that does not know DSN tells nobody that it has the message; RFC 2852 4.1.4:
 * nor does one that does not know DELIVERBY that it was handed on. */
static bool
is_to_be_told(const struct attempt *a, const struct smtp_rcpt *r)
{
	const struct entry_wish *w = a->m->wish;
	unsigned wanted = notify_wanted(r->params);
	bool told = (wanted & NOTIFY_SUCCESS) && !a->way->s->can.dsn;

	if (!a->way->ends && w->by_s > 0 && (w->by_trace || (!w->by_return && !a->way->s->can.deliverby)))
		told |= wanted != 0;
	return told && r->is == SMTP_DELIVERED;
}

static void
note_successes(struct attempt *a)
{
	uint32_t *v = NULL;
	size_t n = 0;

	for (size_t i = 0; i < a->m->n; i++) {
		const struct smtp_rcpt *r = &a->m->rcpts[i];

		if ((r->params.n == 0 && a->m->wish->by_s == 0) || !is_to_be_told(a, r))
			continue;
		if (!v)
			v = mem_grow(NULL, a->m->n, sizeof *v);
		v[n++] = a->who[i];
	}
	parcel_answer(a->p, a->way->ends ? JOURNAL_TOLD_DELIVERED : JOURNAL_TOLD_RELAYED, v, n);
	free(v);
}

enum which { EVERYBODY, REFUSED_AS_DEFERRED, REFUSED };

/* Pending: what was said to whom. */
static void
put_outcomes(struct attempt *a, enum which which)
{
	struct parcel *p = a->p;
	size_t start = journal_outcome(&p->pending, io_time_us(), p->attempt, a->way->site, a->way->host,
	    a->way->addr);
	size_t n = 0;

	for (size_t i = 0; i < a->m->n; i++) {
		const struct smtp_rcpt *r = &a->m->rcpts[i];
		enum journal_is as = as_of(r);

		if (r->is == SMTP_AGAIN || (which == REFUSED && as != JOURNAL_FAILED))
			continue;
		if (which == REFUSED_AS_DEFERRED && as == JOURNAL_FAILED)
			as = JOURNAL_DEFERRED;
		journal_outcome_rcpt(&p->pending, a->who[i], as, r->code, span_of(r->status),
		    parcel_kept(p, (struct span){r->text.s, r->text.len}));
		n++;
	}
	if (n > 0)
		journal_outcome_end(&p->pending, start);
	else
		buf_cut(&p->pending, start);
}

/* How many were refused for good and are on the suppression list, if that is where they belong.  Who could
 * not be written there waits, to be refused once more. */
static size_t
learn_refusals(struct attempt *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->m->n; i++) {
		struct smtp_rcpt *r = &a->m->rcpts[i];
		const struct parcel_word w = {.as = JOURNAL_FAILED, .code = r->code, .status = span_of(r->status),
		    .text = {r->text.s, r->text.len}, .site = a->way->site, .host = a->way->host,
		    .addr = a->way->addr};

		if (r->is != SMTP_FAILED)
			continue;
		if (a->way->ends ||
		    parcel_learn(a->p, a->who[i], &w, r->at_rcpt ? RULES_RCPT : RULES_NO_PHASE, a->m->n == 1)) {
			n++;
		} else {
			r->is = SMTP_DEFERRED;
			a->p->tried = true;
		}
	}
	return n;
}

/* Who has the message is written down at once, lest he gets it twice.  Who is dead is on the list before the
 * journal says that he has had his answer, for nobody asks about him again; until then he is deferred, which
 * leaves no doubt either. */
static void
note_outcomes(struct attempt *a, struct err *e)
{
	struct parcel *p = a->p;
	bool delivered = mark_outcomes(a, false);
	size_t refused;

	if (delivered)
		note_successes(a);
	if (delivered && p->d->notify) /* before it is removed: its name is free then */
		notify_delivered(p->d->notify, &p->t);
	if (remove_delivered(p, e))
		return;
	if (delivered) {
		put_outcomes(a, REFUSED_AS_DEFERRED);
		p->partial = true;
		if (parcel_write(p, e))
			parcel_unwritten(p, e);
	}
	refused = learn_refusals(a);
	mark_outcomes(a, true);
	if (!delivered || refused > 0)
		put_outcomes(a, delivered ? REFUSED : EVERYBODY);
}

static void
tell_outcomes(struct attempt *a, uint64_t send_us)
{
	struct parcel_word w = {.site = a->way->site, .host = a->way->host, .addr = a->way->addr,
	    .source = a->way->source, .source_addr = a->way->source_addr,
	    .tls = {a->way->s->tls.s, a->way->s->tls.len}, .connect_us = a->way->connect_us,
	    .send_us = send_us};
	uint64_t next = 0;

	parcel_tell_attempt(a->p, &w);
	for (size_t i = 0; i < a->m->n; i++) {
		const struct smtp_rcpt *r = &a->m->rcpts[i];

		if (r->is == SMTP_AGAIN)
			continue;
		w.as = as_of(r);
		w.code = r->code;
		w.status = span_of(r->status);
		w.text = (struct span){r->text.s, r->text.len};
		if (w.as == JOURNAL_DEFERRED && !next)
			next = parcel_promise(a->p);
		w.next_s = w.as == JOURNAL_DEFERRED ? next : 0;
		parcel_tell(a->p, a->who[i], &w);
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
static void
leave_in_doubt(struct attempt *a)
{
	for (size_t i = 0; i < a->m->n; i++)
		if (a->m->rcpts[i].is == SMTP_UNDECIDED)
			a->m->rcpts[i].is = SMTP_AGAIN;
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
		a->m->rcpts[i].number = rcpts[i];
		a->m->rcpts[i].again = p->attempt > 1;
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

/* RFC 8689 4.2.1 and RFC 2852 4.1.4 give a message up when no host can do what it asks for; of one that is only
 * down (RFC 5321 4.5.4.1) nobody knows yet. */
static void
defer_unfit(struct attempt *a)
{
	for (size_t i = 0; i < a->m->n; i++) {
		struct smtp_rcpt *r = &a->m->rcpts[i];

		r->is = SMTP_DEFERRED;
		r->status[0] = '4';
		buf_str(&r->text, "; another host, which does not work now, might");
	}
}

/* One transaction.  *again: as many recipients as are left for another. */
static enum parcel_sent
transact(struct attempt *a, size_t *again, struct err *e)
{
	struct parcel *p = a->p;
	uint64_t begun = io_time_us();
	int rc = a->way->send ? a->way->send(a->way, a->m, e) : smtp_send(a->way->s, a->m, e);
	bool doubt = rc && doubt_matters(a);

	*again = 0;
	if (rc && a->unnoted)
		return PARCEL_LOST;
	a->way->useless = a->m->useless;
	a->way->unfit = a->m->unfit;
	a->way->lost = rc != 0;
	if ((rc && a->m->stale) || (a->m->useless && a->way->elsewhere && !doubt_matters(a)))
		return PARCEL_STALE;
	if (a->m->unfit && a->way->elsewhere) /* RFC 8689 4.2.1: each host, before it is given up */
		return PARCEL_STALE;
	if (a->m->unfit && a->way->later)
		defer_unfit(a);
	if (doubt)
		leave_in_doubt(a);
	else if (rc)
		defer_undecided(a, e);
	pthread_mutex_lock(&p->lock);
	if (a->way->s->wait_hint_s > p->hint_s)
		p->hint_s = a->way->s->wait_hint_s;
	parcel_at(p, a->way->site);
	note_outcomes(a, e);
	pthread_mutex_unlock(&p->lock);
	tell_outcomes(a, io_time_us() - begun);
	if (!doubt)
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

/* --- the return path: of its own for each recipient, or no longer null */

/* A provider that takes no <> has what it wants: what it cannot deliver then comes back to us. */
static struct span
sender_of(const struct parcel *p, const struct parcel_way *way)
{
	bool null = p->t.env.sender.n == 0 && way->null_sender;

	return null ? span_of(way->null_sender) : p->t.env.sender;
}

/* Of n who wait for a transaction one is left, if that is to have such a path; how many wait behind it. */
static size_t
hold_back(struct attempt *a, size_t n)
{
	struct parcel *p = a->p;

	a->m->n = n;
	a->m->sender = sender_of(p, a->way);
	buf_cut(&a->path, 0);
	if (!p->t.env.verp || a->way->ends || !p->d->guard ||
	    !guard_return_path(p->d->guard, p->t.env.sender, a->m->rcpts[0].addr, &a->path))
		return 0;
	a->m->n = 1;
	a->m->sender = (struct span){a->path.s, a->path.len};
	return n - 1;
}

/* The first has its outcome: the last of those behind it takes its place. */
static void
next_of(struct attempt *a, size_t held)
{
	struct smtp_rcpt r = a->m->rcpts[0];
	uint32_t who = a->who[0];

	a->m->rcpts[0] = a->m->rcpts[held];
	a->who[0] = a->who[held];
	a->m->rcpts[held] = r;
	a->who[held] = who;
}

/* --- content and its signature */

struct content_reader {
	const struct parcel *p;
	const struct parcel_form *form; /* NULL: as it is */
	uint64_t at;
	struct buf block;
};

static int
next_content(void *arg, const char **text, size_t *n, struct err *e)
{
	struct content_reader *r = arg;
	const struct queue_entry *t = &r->p->t;
	uint64_t left = (r->form ? r->form->size : t->head.content_bytes) - r->at;
	const char *content = r->form ? NULL : queue_content(t);
	int rc = 0;

	*text = content;
	*n = (size_t)left;
	if (!content) {
		*text = buf_room(&r->block, SIGN_BLOCK);
		rc = io_pread(r->form ? r->form->file : t->fd, r->block.s,
		    left < SIGN_BLOCK ? (size_t)left : SIGN_BLOCK, (r->form ? 0 : t->content_off) + r->at, n, e);
		if (!rc && *n == 0 && left > 0)
			rc = err_set(e, EX_TEMPFAIL, "the queue file is shorter than it was");
	}
	r->at += *n;
	return rc;
}

/* With the lock held.  Once an attempt: groups that go to other places carry the same signature. */
static void
sign(struct parcel *p, enum parcel_is is)
{
	struct parcel_form *f = &p->form[is];
	struct content_reader r = {.p = p, .form = is == PARCEL_SEVEN ? f : NULL, .block = BUF_INIT};
	struct buf from = BUF_INIT;
	struct err e = ERR_INIT;
	const char *may = p->d->conf->dkim_unsigned;

	/* Who we are is nothing for a stranger to borrow, whose mail an alias sends on. */
	if (f->signed_already || !p->d->keys || p->t.env.received)
		return;
	f->signed_already = true;
	if (dkimmsg_sign(p->d->keys, next_content, &r, io_time_us() / 1000000, &f->signature, &from,
	        &e) != 0 &&
	    !(may && dkimconf_domains_have(may, (struct span){from.s, from.len})) &&
	    !(p->d->notify && notify_from_here(p->d->notify, &p->t, (struct span){from.s, from.len})))
		err_set(&f->unsigned_why, EX_TEMPFAIL, "not signed: %s", err_text(&e));
	err_free(&e);
	buf_free(&from);
	buf_free(&r.block);
}

void
parcel_sign(struct parcel *p)
{
	pthread_mutex_lock(&p->lock);
	sign(p, PARCEL_AS_IS);
	pthread_mutex_unlock(&p->lock);
}

/* For a server without 8BITMIME, made once an attempt: it is signed as it leaves. */
static void
convert(struct parcel *p, struct smtp_mail *m)
{
	struct parcel_form *f = &p->form[PARCEL_SEVEN];

	if (!f->made) {
		f->made = true;
		if (seven_make(p->d->q, &p->t, &f->file, &f->size, &f->why) != 0 && f->why.code != EX_DATAERR)
			f->why.code = EX_TEMPFAIL;
	}
	if (f->why.code == EX_DATAERR) {
		m->rigid = span_of(err_text(&f->why));
	} else if (f->why.code == 0) {
		m->content = NULL;
		m->file = f->file;
		m->vet = false;
		m->off = 0;
		m->size = f->size;
		m->eightbit = false;
	}
}

/* What goes over this connection, and in front of it what.  EX_TEMPFAIL: it cannot go now, for want of a
 * signature; EX_IOERR: of room on our disk. */
static int
choose_form(struct parcel *p, const struct parcel_way *way, struct smtp_mail *m, struct err *e)
{
	enum conf_eight how = p->d->conf->eightbit;
	enum parcel_is is = PARCEL_AS_IS;
	const struct err *why;

	/* With SMTPUTF8 comes 8BITMIME (RFC 6531 3.1): whoever lacks it refuses such a header for that. */
	if (m->eightbit && !m->utf8_header && !way->send && !way->s->can.eightbitmime) {
		if (how == CONF_EIGHT_FAIL)
			m->rigid = SPAN("8-bit content, and the server does not know 8BITMIME");
		is = how == CONF_EIGHT_CONVERT ? PARCEL_SEVEN : PARCEL_AS_IS;
	}
	pthread_mutex_lock(&p->lock);
	if (is == PARCEL_SEVEN)
		convert(p, m);
	if (!way->ends && m->rigid.n == 0 && p->form[is].why.code == 0)
		sign(p, is);
	pthread_mutex_unlock(&p->lock);
	why = p->form[is].why.code == EX_TEMPFAIL ? &p->form[is].why : &p->form[is].unsigned_why;
	if (why->code && (why == &p->form[is].why || (!way->ends && m->rigid.n == 0)))
		return err_set(e, why == &p->form[is].why ? EX_IOERR : EX_TEMPFAIL, "%s", err_text(why));
	if (!way->ends)
		m->prefix = (struct span){p->form[is].signature.s, p->form[is].signature.len};
	return 0;
}

enum parcel_sent
parcel_send(struct parcel *p, uint32_t *rcpts, size_t *n, struct parcel_way *way, struct err *e)
{
	struct smtp_mail m = {.id = p->t.is.id, .sender = sender_of(p, way), .notice = p->t.env.sender.n == 0,
	    .params = p->t.env.params, .n = *n,
	    .rcpts = mem_alloc((*n + 1) * sizeof *m.rcpts), .content = queue_content(&p->t),
	    .file = p->t.fd, .off = p->t.content_off, .size = p->t.head.content_bytes, .vet = p->t.stranger,
	    .eightbit = p->t.head.eightbit, .utf8_header = p->t.head.utf8_header,
	    .wish = &p->t.env.wish, .now_s = io_time_us() / 1000000,
	    .wary = p->d->conf->in_doubt != CONF_DOUBT_RETRY, .sending = note_sending,
	    .meanwhile = way->meanwhile ? meanwhile : NULL};
	struct attempt a = {p, way, &m, mem_grow(NULL, *n + 1, sizeof *a.who),
	    BUF_INIT, false};
	enum parcel_sent sent = PARCEL_SENT;
	size_t all = *n, again = all;

	m.arg = &a;
	parcel_begins(p);
	prepare(&a, rcpts, *n);
	if (choose_form(p, way, &m, e)) {
		sent = PARCEL_UNSIGNED;
		again = 0;
	}
	if (sent == PARCEL_UNSIGNED && e->code == EX_IOERR) { /* our trouble, and nobody's attempt */
		deliver_ails(p->d, e);
		sent = PARCEL_LOST;
	}
	while (again > 0) {
		size_t held = hold_back(&a, again);

		sent = transact(&a, &again, e);
		if (sent == PARCEL_SENT && again == 0 && held > 0)
			next_of(&a, held);
		again += held;
		m.n += held;
		if (sent == PARCEL_SENT && again > 0 && !way->s->open) {
			m.n = again;
			if (way->s->slow_down)
				defer_rest(&a, e);
			else
				sent = PARCEL_STALE;
			again = 0;
		}
		if (sent != PARCEL_SENT)
			break;
	}
	if (sent == PARCEL_STALE) {
		memcpy(rcpts, a.who, m.n * sizeof *rcpts);
		*n = m.n;
	}
	for (size_t i = 0; i < all; i++)
		smtp_rcpt_free(&m.rcpts[i]);
	free(m.rcpts);
	free(a.who);
	buf_free(&a.path);
	return sent;
}
