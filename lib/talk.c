#include "talk.h"

#include "io.h"

#include <poll.h>
#include <unistd.h>

#define READ_STEP 65536

static int
send_out(struct talk *t, struct err *e)
{
	struct buf *out = &t->door->s.out;
	int rc = out->len > 0 ? t->send(t->arg, out, e) : 0;

	buf_cut(out, 0);
	t->door->s.hurry = false;
	return rc;
}

/* Waits for input: in a command from the time that the last reply was sent, in content from the last
 * piece.  false: it did not come. */
static bool
more(struct talk *t, int64_t *deadline_ms, struct err *e)
{
	const struct smtpd *s = &t->door->s;
	int64_t usual = (int64_t)t->door->house->serve->command_s * 1000;
	bool content = s->at == SMTPD_AT_DATA || s->at == SMTPD_AT_BDAT;
	size_t got = 0;

	if (*deadline_ms == 0 || content)
		*deadline_ms = io_now_ms() + smtpd_patience(s, usual, TALK_SOON_MS);
	if (*deadline_ms > t->session_ms)
		*deadline_ms = t->session_ms;
	if (io_now_ms() < *deadline_ms && t->fill(t->arg, &got, *deadline_ms, e) == 0)
		return got > 0;
	if (io_now_ms() >= *deadline_ms) {
		err_free(e);
		smtpd_late(&t->door->s);
		send_out(t, e);
	}
	return false;
}

int
talk(struct talk *t, struct err *e)
{
	struct smtpd *s = &t->door->s;
	enum smtpd_next next;
	int64_t deadline_ms = 0;
	size_t n;

	if (t->eager && t->eager(t->arg)) {
		smtpd_pregreeted(s);
		return send_out(t, e);
	}
	next = smtpd_greet(s);
	while (next != SMTPD_CLOSE) {
		if (next == SMTPD_SECURE && (send_out(t, e) || t->secure(t->arg, e)))
			return e->code;
		if (next == SMTPD_SECURE || s->out.len > 0)
			deadline_ms = 0;
		if (t->waiting(t->arg).n == 0 && (send_out(t, e) || !more(t, &deadline_ms, e)))
			return e->code;
		next = smtpd_feed(s, t->waiting(t->arg), &n);
		t->taken(t->arg, n);
		if ((n == 0 || s->hurry) && send_out(t, e)) /* full: out first */
			return e->code;
	}
	return send_out(t, e);
}

/* --- pipes */

struct pipes {
	int in, out;
	struct buf buf;
};

static struct span
pipe_waiting(void *arg)
{
	const struct pipes *p = arg;

	return (struct span){p->buf.s, p->buf.len};
}

static void
pipe_taken(void *arg, size_t n)
{
	struct pipes *p = arg;

	buf_drop(&p->buf, n);
}

static int
pipe_fill(void *arg, size_t *got, int64_t deadline_ms, struct err *e)
{
	struct pipes *p = arg;
	int rc = io_wait(p->in, POLLIN, deadline_ms, e);

	*got = 0;
	if (!rc)
		rc = io_read(p->in, buf_room(&p->buf, READ_STEP), READ_STEP, got, e);
	buf_grew(&p->buf, *got);
	return rc;
}

static int
pipe_send(void *arg, const struct buf *out, struct err *e)
{
	const struct pipes *p = arg;

	return io_write(p->out, out->s, out->len, e);
}

static int
no_tls(void *arg, struct err *e)
{
	(void)arg;
	return err_set(e, EX_UNAVAILABLE, "no TLS here");
}

int
talk_pipes(struct door *d, int in, int out, struct err *e)
{
	struct pipes p = {in, out, BUF_INIT};
	struct talk t = {.door = d, .session_ms = io_now_ms() + (int64_t)d->house->serve->session_s * 1000,
	    .arg = &p, .waiting = pipe_waiting, .taken = pipe_taken, .fill = pipe_fill,
	    .send = pipe_send, .secure = no_tls};
	int rc;

	d->rules.starttls = false;
	rc = talk(&t, e);
	buf_free(&p.buf);
	return rc;
}

int
talk_local(const struct conf *c, struct queue *q, void (*trouble)(void *arg, const struct err *e),
    size_t *queued, struct err *e)
{
	struct door_house h = {.conf = c, .serve = confserve(&c->sections),
	    .listen = confserve_listen(&c->sections, NULL), .queue = q, .trouble = trouble};
	struct door d;
	int rc;

	door_open(&d, &h, NULL);
	rc = talk_pipes(&d, STDIN_FILENO, STDOUT_FILENO, e);
	*queued = d.s.messages;
	door_close(&d);
	return rc;
}
