#include "apply.h"

#include "addr.h"
#include "events.h"
#include "eventseek.h"
#include "io.h"
#include "keyfile.h"
#include "learn.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct apply {
	const struct conf *conf;
	const struct suppressconf *policy;
	struct suppress *list; /* NULL: nothing is carried out */
	struct events *events;
	int log;
	unsigned char key[KEYFILE_BYTES];
	pthread_mutex_t lock;  /* over all below, and the list */
	struct buf id;
	struct err trouble;    /* the first: nothing is changed behind it */
};

static int
open_list(struct apply *a, struct queue *q, struct err *e)
{
	struct suppress_options o = {.root = queue_root_fd(q), .conf = a->policy, .write = true,
	    .key = a->key};
	int rc = suppress_open(&a->list, &o, e);

	return rc ? rc : events_open(&a->events, queue_log_fd(q), e);
}

int
apply_open(struct apply **out, const struct conf *c, struct queue *q, bool write, struct err *e)
{
	struct apply *a = mem_alloc(sizeof *a);
	int rc;

	*a = (struct apply){.conf = c, .policy = suppressconf(&c->sections), .log = queue_log_fd(q),
	    .id = BUF_INIT};
	pthread_mutex_init(&a->lock, NULL);
	rc = keyfile_read(c->key_file ? AT_FDCWD : queue_state_fd(q), c->key_file ? c->key_file : KEYFILE_NAME,
	    true, a->key, e);
	if (!rc && write)
		rc = open_list(a, q, e);
	*out = a;
	if (rc) {
		struct err ignored = ERR_INIT;

		apply_close(a, &ignored);
		err_free(&ignored);
		*out = NULL;
	}
	return rc;
}

const unsigned char *
apply_key(const struct apply *a)
{
	return a->key;
}

int
apply_close(struct apply *a, struct err *e)
{
	int rc = a->trouble.code;

	if (rc)
		err_set(e, rc, "%s", err_text(&a->trouble));
	if (!rc && a->list)
		rc = suppress_sync(a->list, e);
	if (!rc && a->events)
		rc = events_sync(a->events, e);
	if (!rc && events_lost(a->events) > 0)
		rc = err_set(e, EX_TEMPFAIL, "%llu event lines could not be written: %s",
		    (unsigned long long)events_lost(a->events), events_why(a->events));
	suppress_close(a->list);
	events_close(a->events);
	buf_free(&a->id);
	err_free(&a->trouble);
	explicit_bzero(a->key, sizeof a->key);
	pthread_mutex_destroy(&a->lock);
	free(a);
	return rc;
}

/* --- one recipient */

static enum learn_kind
kind_of(const struct bounce *b, const struct bounce_rcpt *r)
{
	if (b->is == BOUNCE_FEEDBACK)
		return learn_feedback(b->feedback_type);
	/* delayed, delivered, relayed and expanded tell of no failure; an autoresponder of nothing. */
	if (b->is == BOUNCE_REPORT && (r->action.n == 0 || span_ieq(r->action, SPAN("failed")) ||
	    span_ieq(r->action, SPAN("expired"))))
		return LEARN_FAILURE;
	return LEARN_NOTHING;
}

/* A path with a proof went to one recipient alone: what else its bounce names may be anybody's wish. */
static bool
is_proved(const struct bounce *b, const struct bounce_rcpt *r)
{
	return b->proof == VERP_GOOD && (b->n == 1 || span_ieq(r->recipient, b->proved));
}

/* Whom we have mailed: proved, or as the report says. */
static struct span
mailed(const struct bounce *b, const struct bounce_rcpt *r)
{
	if (is_proved(b, r))
		return b->proved;
	return r->original.n > 0 ? r->original : r->recipient;
}

static void
put_id(struct apply *a, const struct bounce *b, const struct bounce_rcpt *r, enum learn_kind kind)
{
	const struct span parts[] = {b->envid, b->arrival, b->date, b->subject, r->text};

	buf_cut(&a->id, 0);
	buf_fmt(&a->id, "%d ", (int)kind);
	if (b->queue_id.n > 0)
		buf_fmt(&a->id, "queue %.*s", SPAN_ARG(b->queue_id));
	else if (b->message_id.n > 0)
		buf_fmt(&a->id, "message %.*s", SPAN_ARG(b->message_id));
	else
		for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
			buf_fmt(&a->id, "%.*s\n", SPAN_ARG(parts[i]));
}

/* One that is not told is not seen either: the next to read it tells of it. */
static int
tell(struct apply *a, const struct bounce *b, const struct bounce_rcpt *r, const struct learn_fact *f,
    const struct bounceout_more *more, struct err *e)
{
	uint64_t lost = events_lost(a->events);
	const struct event v = {.type = f->kind == LEARN_FAILURE ? EVENT_RETURNED : EVENT_COMPLAINED,
	    .id = b->queue_id, .rcpt = f->address, .domain = addr_domain(f->address),
	    .stream = {more->stream.s, more->stream.len}, .tag = {more->tag.s, more->tag.len},
	    .peer = r->remote, .code = r->reply, .status = r->status, .text = r->text,
	    .feedback = b->feedback_type, .reason = f->reason,
	    .hard = r->reason.hard == REASON_UNSAID ? EVENT_UNSAID : f->hard ? EVENT_HARD : EVENT_SOFT};

	events_write(a->events, &v, io_time_us());
	return events_lost(a->events) == lost ? 0
	    : err_set(e, EX_TEMPFAIL, "the event log cannot be written to: %s", events_why(a->events));
}

static int
carry_out(struct apply *a, const struct bounce *b, const struct bounce_rcpt *r,
    const struct bounceout_more *more, struct err *e)
{
	struct learn_fact f = {.kind = kind_of(b, r), .address = mailed(b, r), .reason = r->reason.word,
	    .hard = r->reason.hard == REASON_HARD, .stream = {more->stream.s, more->stream.len},
	    .source = b->is == BOUNCE_FEEDBACK ? SPAN("feedback") : SPAN("bounce"), .note = r->text};
	enum suppress_did did;
	uint64_t at_s = 0;
	int rc;

	if (f.kind == LEARN_NOTHING)
		return 0;
	put_id(a, b, r, f.kind);
	f.id = (struct span){a->id.s, a->id.len};
	rc = suppress_seen(a->list, f.address, f.id, &at_s, e);
	if (!rc && at_s == 0)
		rc = tell(a, b, r, &f, more, e);
	if (!rc)
		rc = learn(a->list, a->policy, &f, at_s ? at_s : io_time_us() / 1000000, at_s > 0, &did, e);
	if (rc == EX_DATAERR) { /* no address that a list can have */
		err_free(e);
		rc = 0;
	}
	return rc;
}

void
apply_bounce(struct apply *a, const struct bounce *b, struct bounceout_more *more)
{
	bool may = b->proof != VERP_FORGED && b->proof != VERP_OVER && !b->quoted;

	if (b->queue_id.n > 0 && b->n > 0)
		eventseek(a->log, b->queue_id, &more->stream, &more->tag);
	if (!a->list || !may)
		return;
	pthread_mutex_lock(&a->lock);
	for (const struct bounce_rcpt *r = b->rcpts; r && !a->trouble.code; r = r->next)
		if (!a->policy->proof || is_proved(b, r))
			carry_out(a, b, r, more, &a->trouble);
	pthread_mutex_unlock(&a->lock);
}
