#include "smtpd.h"

#include <stdlib.h>
#include <string.h>

#define PIECE 65536     /* of content, to be handed on at once */
#define TEXT_MAX 400    /* bytes of a reply's text; RFC 5321 4.5.3.1.5 gives the line 512 */

/* --- replies */

void
smtpd_refuse(struct smtpd_verdict *v, int code, const char *status, const char *fmt, ...)
{
	va_list ap;

	v->code = code;
	v->status = status;
	buf_cut(&v->text, 0);
	va_start(ap, fmt);
	buf_vfmt(&v->text, fmt, ap);
	va_end(ap);
}

/* Whatever the client has said and a reply repeats is one line of printable ASCII. */
static void
put_text(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.n && i < TEXT_MAX; i++) {
		char c = text.p[i];

		buf_ch(out, c < ' ' || c > '~' ? '?' : c);
	}
	buf_str(out, "\r\n");
}

static enum smtpd_next
reply_span(struct smtpd *s, int code, const char *status, struct span text)
{
	buf_num(&s->out, (uint64_t)code);
	buf_ch(&s->out, ' ');
	if (*status) {
		buf_str(&s->out, status);
		buf_ch(&s->out, ' ');
	}
	put_text(&s->out, text);
	return code == 421 || code == 521 ? SMTPD_CLOSE : SMTPD_READ;
}

enum smtpd_next
smtpd_reply(struct smtpd *s, int code, const char *status, const char *text)
{
	return reply_span(s, code, status, span_of(text));
}

/* A command that is refused; too many of them end the patience. */
static enum smtpd_next
wrong_span(struct smtpd *s, int code, const char *status, struct span text)
{
	enum smtpd_next next = reply_span(s, code, status, text);

	if (next == SMTPD_CLOSE || ++s->errors < s->rules->max_errors)
		return next;
	return smtpd_reply(s, 421, "4.7.0", "too many errors");
}

enum smtpd_next
smtpd_wrong(struct smtpd *s, int code, const char *status, const char *text)
{
	return wrong_span(s, code, status, span_of(text));
}

enum smtpd_next
smtpd_wrong_verdict(struct smtpd *s, struct smtpd_verdict *v)
{
	enum smtpd_next next =
	    wrong_span(s, v->code, v->status, (struct span){v->text.s, v->text.len});

	buf_free(&v->text);
	*v = (struct smtpd_verdict){.text = BUF_INIT};
	return next;
}

/* --- what is known of the client and its transaction */

static void
abandon(struct smtpd *s)
{
	if (s->begun)
		s->world->abandon(s->world->arg);
	s->begun = false;
	buf_free(&s->verdict.text);
	s->verdict = (struct smtpd_verdict){.text = BUF_INIT};
}

/* Nothing of one transaction is left for the next. */
void
smtpd_forget(struct smtpd *s)
{
	abandon(s);
	s->open = s->bdat = s->last = false;
	s->mail = (struct esmtp_mail){0};
	buf_cut(&s->sender, 0);
	buf_cut(&s->mail_line, 0);
	buf_cut(&s->rcpt_text, 0);
	s->n_rcpts = 0;
	s->bytes = s->chunk = 0;
}

void
smtpd_init(struct smtpd *s, const struct smtpd_rules *r, const struct smtpd_world *w)
{
	*s = (struct smtpd){.rules = r, .world = w, .out = BUF_INIT, .helo = BUF_INIT,
	    .user = BUF_INIT, .sender = BUF_INIT, .mail_line = BUF_INIT, .rcpt_text = BUF_INIT,
	    .line = BUF_INIT, .piece = BUF_INIT, .verdict = {.text = BUF_INIT}};
}

void
smtpd_free(struct smtpd *s)
{
	if (s->at == SMTPD_AT_AUTH)
		s->world->auth_end(s->world->arg);
	smtpd_forget(s);
	buf_free(&s->out);
	buf_free(&s->helo);
	buf_free(&s->user);
	buf_free(&s->sender);
	buf_free(&s->mail_line);
	buf_free(&s->rcpt_text);
	buf_free(&s->line);
	buf_free(&s->piece);
	free(s->rcpts);
	s->rcpts = NULL;
	s->cap_rcpts = 0;
}

struct span
smtpd_rcpt_addr(const struct smtpd *s, size_t i)
{
	return (struct span){s->rcpt_text.s + s->rcpts[i].at, s->rcpts[i].n};
}

struct span
smtpd_rcpt_notify(const struct smtpd *s, size_t i)
{
	const struct smtpd_rcpt *r = &s->rcpts[i];

	return (struct span){s->rcpt_text.s + r->at + r->n, r->notify_n};
}

struct span
smtpd_rcpt_orcpt(const struct smtpd *s, size_t i)
{
	const struct smtpd_rcpt *r = &s->rcpts[i];

	return (struct span){s->rcpt_text.s + r->at + r->n + r->notify_n, r->orcpt_n};
}

void
smtpd_end(struct smtpd *s, const char *status, const char *text)
{
	abandon(s);
	smtpd_reply(s, 421, status, text);
	s->at = SMTPD_AT_END;
}

static bool
is_broken(const struct smtpd *s)
{
	return (s->at == SMTPD_AT_DATA || s->at == SMTPD_AT_BDAT) && s->undot.fault != UNDOT_FINE;
}

int64_t
smtpd_patience(const struct smtpd *s, int64_t usual, int64_t soon)
{
	return is_broken(s) && usual > soon ? soon : usual;
}

void
smtpd_late(struct smtpd *s)
{
	if (!is_broken(s)) {
		smtpd_end(s, "4.4.2", "timeout: you were silent for too long");
		return;
	}
	/* It waits for an answer, because to it that was the end. */
	buf_fmt(&s->out, "554 5.6.0 %s in the message\r\n", undot_text(s->undot.fault));
	abandon(s);
	s->at = SMTPD_AT_END;
}

/* --- content */

void
smtpd_begin(struct smtpd *s, bool dots)
{
	s->undot = (struct undot){.repair = s->rules->repair, .dots = dots};
	s->bytes = 0;
	s->begun = true;
	s->world->begin(s->world->arg, &s->verdict);
}

/* What one feeding has left in s->piece goes on. */
static void
hand_on(struct smtpd *s)
{
	size_t n = s->piece.len;

	if (s->undot.fault != UNDOT_FINE && !s->verdict.code)
		smtpd_refuse(&s->verdict, 554, "5.6.0", "%s in the message",
		    undot_text(s->undot.fault));
	if (n == 0 || s->verdict.code) {
		buf_cut(&s->piece, 0);
		return;
	}
	s->bytes += n;
	if (s->bytes > s->rules->max_size)
		smtpd_refuse(&s->verdict, 552, "5.3.4", "the message is over the limit of %llu bytes",
		    (unsigned long long)s->rules->max_size);
	else
		s->world->content(s->world->arg, s->piece.s, n, &s->verdict);
	buf_cut(&s->piece, 0);
}

/* The message is whole. */
static enum smtpd_next
end_message(struct smtpd *s)
{
	struct buf id = BUF_INIT;
	enum smtpd_next next;

	s->at = SMTPD_AT_COMMAND;
	if (!s->verdict.code) {
		s->world->end(s->world->arg, &id, &s->verdict);
		s->begun = s->verdict.code != 0;
	}
	if (s->verdict.code) {
		struct smtpd_verdict v = s->verdict;

		s->verdict = (struct smtpd_verdict){.text = BUF_INIT};
		next = smtpd_wrong_verdict(s, &v);
	} else {
		s->messages++;
		s->hurry = true;
		s->idle = 0;
		buf_str(&s->out, "250 2.0.0 Ok: queued as ");
		buf_str(&s->out, id.s);
		buf_str(&s->out, "\r\n");
		next = SMTPD_READ;
	}
	buf_free(&id);
	smtpd_forget(s);
	return next;
}

enum smtpd_next
smtpd_feed_data(struct smtpd *s, struct span in, size_t *taken)
{
	bool over;

	if (in.n > PIECE)
		in.n = PIECE;
	over = undot(&s->undot, in, taken, &s->piece);
	hand_on(s);
	return over ? end_message(s) : SMTPD_READ;
}

/* A chunk is complete: it is answered, and with LAST so is the message. */
enum smtpd_next
smtpd_end_chunk(struct smtpd *s)
{
	s->at = SMTPD_AT_COMMAND;
	if (s->last) {
		undot_last(&s->undot, &s->piece);
		hand_on(s);
		return end_message(s);
	}
	if (!s->verdict.code) {
		buf_fmt(&s->out, "250 2.0.0 %llu bytes\r\n", (unsigned long long)s->bytes);
		return SMTPD_READ;
	}
	return end_message(s); /* refused; what follows finds no transaction, RFC 3030 2 */
}

enum smtpd_next
smtpd_feed_bdat(struct smtpd *s, struct span in, size_t *taken)
{
	if (in.n > PIECE)
		in.n = PIECE;
	if (in.n > s->chunk)
		in.n = (size_t)s->chunk;
	if (s->begun)
		undot(&s->undot, in, taken, &s->piece);
	*taken = in.n;
	s->chunk -= in.n;
	if (s->begun)
		hand_on(s);
	return s->chunk > 0 ? SMTPD_READ : smtpd_end_chunk(s);
}

