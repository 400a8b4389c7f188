#include "session.h"

#include "io.h"
#include "tickets.h"
#include "tls.h"

#include <string.h>

/* --- replies */

static int64_t
deadline(uint64_t seconds)
{
	return io_now_ms() + (int64_t)seconds * 1000;
}

/* Whatever breaks here ends the connection: what comes next could not be told apart.  The reply
 * before is not the reason. */
int
smtp_broken(struct smtp *s, int rc, const char *where, struct err *e)
{
	if (rc) {
		s->open = false;
		reply_clear(&s->reply);
		err_in(e, "%s", where);
	}
	return rc;
}

int
smtp_reply(struct smtp *s, uint64_t wait_s, const char *where, struct err *e)
{
	int64_t until = deadline(wait_s);
	struct reply_line line = {0};
	int rc;

	reply_clear(&s->reply);
	do {
		struct span text;
		struct cur c;

		rc = conn_line(&s->c, REPLY_LINE_MAX, &text, until, e);
		if (!rc) {
			c = cur_span(text);
			rc = reply_line(&c, &line, e);
		}
		if (!rc)
			rc = reply_add(&s->reply, &line, e);
		if (rc)
			return smtp_broken(s, rc, where, e);
	} while (!line.last);
	if (s->reply.code == 421) {
		s->slow_down = true;
		s->open = false;
	}
	if (s->reply.code / 100 == 4 || s->reply.code / 100 == 5) {
		uint32_t hint = reply_wait_hint((struct span){s->reply.text.s, s->reply.text.len});

		if (hint > s->wait_hint_s && s->reply.code / 100 == 4)
			s->wait_hint_s = hint;
	}
	return 0;
}

/* A reply to a command that was not sent yet would be taken for the next one's. */
int
smtp_in_turn(const struct smtp *s, struct err *e)
{
	return conn_waiting(&s->c).n > 0 ? err_set(e, EX_PROTOCOL, "a reply that nothing asked for")
	                                 : 0;
}

int
smtp_flush(struct smtp *s, const char *where, struct err *e)
{
	struct iovec v = {s->out.s, s->out.len};
	int rc = smtp_in_turn(s, e);

	if (!rc && s->out.len > 0)
		rc = conn_send(&s->c, &v, 1, (int64_t)s->opt.wait->block * 1000, NULL, e);
	buf_cut(&s->out, 0);
	return smtp_broken(s, rc, where, e);
}

int
smtp_command(struct smtp *s, const char *line, uint64_t wait_s, const char *where, struct err *e)
{
	int rc;

	buf_str(&s->out, line);
	buf_str(&s->out, "\r\n");
	rc = smtp_flush(s, where, e);
	return rc ? rc : smtp_reply(s, wait_s, where, e);
}

/* --- opening */

static int
refused(struct smtp *s, const char *where, struct err *e)
{
	s->open = false;
	return err_set(e, EX_TEMPFAIL, "%s: %d %s%s%s", where, s->reply.code, s->reply.status,
	    s->reply.status[0] ? " " : "", s->reply.text.s);
}

/* EHLO, and HELO where that is not known (RFC 5321 3.2); LHLO, for which nothing else will do (RFC 2033
 * 4.1): who does not know it would take what follows for SMTP. */
static int
say_hello(struct smtp *s, struct err *e)
{
	const char *verb = s->opt.lmtp ? "LHLO" : "EHLO";
	struct buf line = BUF_INIT;
	int rc;

	buf_fmt(&line, "%s %s", verb, s->opt.helo);
	rc = smtp_command(s, line.s, s->opt.wait->helo, verb, e);
	memset(&s->can, 0, sizeof s->can);
	if (!rc && s->reply.code / 100 == 2) {
		buf_cut(&s->hello, 0);
		buf_add(&s->hello, s->reply.text.s, s->reply.text.len);
		ehlo_parse(&s->can, &s->reply);
	} else if (!rc && s->reply.code / 100 == 5 && !s->opt.lmtp) {
		verb = "HELO";
		buf_cut(&line, 0);
		buf_fmt(&line, "%s %s", verb, s->opt.helo);
		rc = smtp_command(s, line.s, s->opt.wait->helo, verb, e);
	}
	buf_free(&line);
	if (!rc && s->reply.code / 100 != 2)
		rc = refused(s, verb, e);
	return rc;
}

/* RFC 7672 2.2, RFC 8461 4.2: before anything is said over it. */
static int
check_trust(struct smtp *s, struct err *e)
{
	struct buf how = BUF_INIT;
	int rc = s->opt.trust ? s->opt.trust(s->opt.arg, s->c.tls, &how, e) : 0;

	if (!rc && how.len > 0)
		buf_fmt(&s->tls, " %s", how.s);
	buf_free(&how);
	return rc;
}

static int
start_tls(struct smtp *s, const char *sni, struct err *e)
{
	struct tls_hello hello = {.sni = sni, .id = s->opt.identity, .tickets = s->opt.tickets != NULL,
	    .ticket = s->opt.ticket};
	bool early = false;
	int rc = smtp_command(s, "STARTTLS", s->opt.wait->tls, "STARTTLS", e);

	if (!rc && s->reply.code != 220 && s->opt.tls == SMTP_TLS_MUST) {
		s->tls_status = "4.7.4";
		return refused(s, "STARTTLS", e);
	}
	if (rc || s->reply.code != 220)
		return rc; /* "454 not now": opportunistic, so we go on as we are */
	rc = conn_tls_client(&s->c, &hello, &early, deadline(s->opt.wait->tls), e);
	if (rc) {
		s->tls_failed = true;
		s->tls_status = "4.7.5";
		return smtp_broken(s, rc, "TLS", e);
	}
	/* What stood behind the 220 was sent by nobody we know; it has been thrown away
	 * (RFC 3207 4.2) and, since it may be an injection, only noted. */
	tls_describe(s->c.tls, &s->tls);
	if (early)
		buf_str(&s->tls, " early-data-discarded");
	if (tls_resumed(s->c.tls))
		buf_str(&s->tls, " resumed");
	/* A session that is resumed shows no certificates: those of the first are judged again, by what
	 * the policy is now. */
	rc = check_trust(s, e);
	if (rc) {
		s->tls_status = "4.7.5";
		return rc;
	}
	s->trusted = true;
	rc = say_hello(s, e);
	/* In TLS 1.3 a server that does not like the handshake says so when we think it is over. */
	if (rc && s->reply.code == 0)
		s->tls_failed = true;
	return rc;
}

static int
secure(struct smtp *s, const char *sni, struct err *e)
{
	if (s->can.starttls)
		return start_tls(s, sni, e);
	if (s->opt.tls != SMTP_TLS_MUST)
		return 0;
	s->tls_status = "4.7.4"; /* RFC 3463 3.8 */
	return err_set(e, EX_TEMPFAIL, "STARTTLS is not offered, and it is demanded by %s", s->opt.because);
}

void
smtp_init(struct smtp *s)
{
	*s = (struct smtp){.c = CONN_INIT, .reply = REPLY_INIT, .hello = BUF_INIT, .out = BUF_INIT, .tls = BUF_INIT,
	    .ticket_key = BUF_INIT};
}

void
smtp_forget(struct smtp *s)
{
	memset(&s->can, 0, sizeof s->can);
	s->open = s->need_reset = s->logged_in = s->tls_failed = s->slow_down = s->whole = s->trusted = false;
	s->done = s->wait_hint_s = 0;
	s->tls_status = NULL;
	reply_clear(&s->reply);
	buf_cut(&s->hello, 0);
	buf_cut(&s->out, 0);
	buf_cut(&s->tls, 0);
}

int
smtp_open(struct smtp *s, int fd, const char *sni, const struct smtp_options *opt, struct err *e)
{
	int rc;

	smtp_forget(s);
	conn_init(&s->c, fd);
	s->opt = *opt;
	s->opt.ticket_key = NULL; /* which may be gone before the connection is */
	buf_cut(&s->ticket_key, 0);
	buf_str(&s->ticket_key, opt->ticket_key ? opt->ticket_key : "");
	s->open = true;
	rc = smtp_reply(s, opt->wait->greeting, "greeting", e);
	if (!rc && s->reply.code / 100 != 2)
		rc = refused(s, "greeting", e);
	if (!rc)
		rc = say_hello(s, e);
	if (!rc && opt->tls != SMTP_TLS_NEVER)
		rc = secure(s, sni, e);
	if (!rc && !s->open)
		rc = refused(s, opt->lmtp ? "LHLO" : "EHLO", e);
	if (rc)
		smtp_close(s);
	s->idle_since_ms = io_now_ms();
	return rc;
}

/* What the server has given us for the next connection; in TLS 1.3 that comes with its first reply. */
static void
keep_ticket(struct smtp *s)
{
	struct buf ticket = BUF_INIT;

	if (!s->c.tls || !s->trusted || !s->opt.tickets)
		return;
	tls_ticket(s->c.tls, &ticket);
	tickets_put(s->opt.tickets, s->ticket_key.s, (struct span){ticket.s, ticket.len}, io_now_ms());
	tickets_wipe(&ticket);
}

void
smtp_close(struct smtp *s)
{
	s->open = false;
	keep_ticket(s);
	s->trusted = false;
	conn_close(&s->c);
}

void
smtp_quit(struct smtp *s)
{
	struct err e = ERR_INIT;

	/* RFC 5321 4.1.1.10 wants the reply awaited; nothing depends on it any more. */
	if (s->open && s->c.fd >= 0)
		smtp_command(s, "QUIT", s->opt.wait->quit, "QUIT", &e);
	err_free(&e);
	smtp_close(s);
}

void
smtp_free(struct smtp *s)
{
	smtp_close(s);
	reply_free(&s->reply);
	buf_free(&s->out);
	buf_free(&s->tls);
	buf_free(&s->ticket_key);
	buf_free(&s->hello);
}

bool
smtp_used_up(const struct smtp *s)
{
	return !s->open || (s->can.mail_max > 0 && s->done >= s->can.mail_max);
}
