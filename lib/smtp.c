#include "smtp.h"

#include "addr.h"
#include "esmtp.h"
#include "idn.h"
#include "io.h"
#include "stuff.h"
#include "xtext.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ONE_WRITE_MAX 65536 /* content up to this goes with MAIL and RCPT, where that is allowed */
#define FILE_STEP (1 << 20) /* between looks for a reply that comes too early */
#define IDLE_LOOK_MS 5 /* after this long idle the peer may have hung up: look before we send */

void
smtp_rcpt_free(struct smtp_rcpt *r)
{
	buf_free(&r->text);
}

/* --- verdicts */

static void
say(struct smtp_rcpt *r, enum smtp_is is, int code, const char *status, struct span text)
{
	r->is = is;
	r->code = code;
	memcpy(r->status, status, strnlen(status, sizeof r->status - 1) + 1);
	buf_cut(&r->text, 0);
	buf_add(&r->text, text.p, text.n);
}

static void
say_reply(struct smtp_rcpt *r, const struct reply *p)
{
	enum smtp_is is = p->code / 100 == 2 ? SMTP_DELIVERED
	    : p->code / 100 == 5             ? SMTP_FAILED
	                                     : SMTP_DEFERRED;

	say(r, is, p->code, p->status, (struct span){p->text.s, p->text.len});
}

static void
say_all(struct smtp_mail *m, const struct reply *p)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->rcpts[i].is == SMTP_UNDECIDED)
			say_reply(&m->rcpts[i], p);
}

static size_t
undecided(const struct smtp_mail *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += m->rcpts[i].is == SMTP_UNDECIDED;
	return n;
}

static bool
has_utf8(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 127)
			return true;
	return false;
}

static struct span
local_part(struct span mailbox)
{
	struct span d = addr_domain(mailbox);

	return (struct span){mailbox.p, d.n ? mailbox.n - d.n - 1 : mailbox.n};
}

static uint64_t
whole_size(const struct smtp_mail *m)
{
	return m->prefix.n + m->size;
}

/* Why none of the recipients may go to this server; "" where they may.  *unfit: to another they might. */
static struct span
forbidden(const struct smtp *s, const struct smtp_mail *m, const char **status, bool *unfit)
{
	const struct entry_wish *w = m->wish;
	/* RFC 8689 5: no notice is lost for it. */
	bool strict = w && w->requiretls && !s->opt.here && m->sender.n > 0 && !m->notice;
	bool returns = w && w->by_s > 0 && w->by_return;

	*unfit = false;
	*status = "5.4.7"; /* RFC 2852 4.1.4 */
	if (returns && w->by_s <= m->now_s)
		return SPAN("the time to deliver it by is over");
	*unfit = true;
	/* RFC 8689 4.2.1: TLS to a server that has proved who it is, and that will ask for the same. */
	*status = "5.7.30";
	if (strict && (!s->c.tls || !s->opt.strong))
		return SPAN("REQUIRETLS: the server's certificate is not held to anything");
	if (strict && !s->can.requiretls)
		return SPAN("REQUIRETLS support required");
	*status = "5.3.3";
	if (returns && !s->can.deliverby)
		return SPAN("the server does not know DELIVERBY");
	*unfit = false;
	return SPAN("");
}

/* Who can be sent in this transaction, before a word is said: RFC 6531 3.2 and RFC 1870 6.1.  Who cannot has
 * no code: no server has said so.
 * True when SMTPUTF8 has to be asked for. */
static bool
sort_out(struct smtp *s, struct smtp_mail *m)
{
	bool all = m->utf8_header || has_utf8(local_part(m->sender));
	const char *status = "";
	struct span why = forbidden(s, m, &status, &m->unfit);
	size_t plain = 0, n = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct smtp_rcpt *r = &m->rcpts[i];

		r->is = SMTP_UNDECIDED;
		r->needs_utf8 = all || has_utf8(local_part(r->addr));
		plain += !r->needs_utf8;
	}
	for (size_t i = 0; i < m->n; i++) {
		struct smtp_rcpt *r = &m->rcpts[i];

		if (why.n > 0)
			say(r, SMTP_FAILED, 0, status, why);
		else if (s->can.size_known && s->can.size && whole_size(m) > s->can.size)
			say(r, SMTP_FAILED, 0, "5.3.4", SPAN("message is larger than the server takes"));
		else if (r->needs_utf8 && !s->can.smtputf8)
			say(r, SMTP_FAILED, 0, "5.6.7", SPAN("the server does not know SMTPUTF8"));
		else if (m->eightbit && m->rigid.n > 0 && !s->can.eightbitmime)
			say(r, SMTP_FAILED, 0, "5.6.3", m->rigid);
		else if (r->needs_utf8 && plain > 0)
			say(r, SMTP_AGAIN, 0, "", SPAN("in a transaction with SMTPUTF8"));
		else if (s->can.rcpt_max && n == s->can.rcpt_max)
			say(r, SMTP_AGAIN, 0, "", SPAN("in the next transaction"));
		else
			n++;
	}
	return plain == 0;
}

/* --- the envelope */

/* local@domain as it may be said: without SMTPUTF8 the domain goes as A-labels. */
static void
put_path(struct smtp *s, struct span mailbox, bool utf8)
{
	struct span domain = addr_domain(mailbox);
	struct err ignored = ERR_INIT;

	buf_ch(&s->out, '<');
	if (!utf8 && has_utf8(domain)) {
		buf_add(&s->out, mailbox.p, mailbox.n - domain.n);
		if (idn_to_ascii(domain, &s->out, &ignored))
			buf_add(&s->out, domain.p, domain.n); /* the peer will say what is wrong */
		err_free(&ignored);
	} else {
		buf_add(&s->out, mailbox.p, mailbox.n);
	}
	buf_ch(&s->out, '>');
}

static void
put_wish(struct smtp *s, const struct entry_wish *w, uint64_t now_s)
{
	if (w->requiretls && s->can.requiretls)
		buf_str(&s->out, " REQUIRETLS");
	if (w->priority && s->can.mt_priority)
		buf_fmt(&s->out, " MT-PRIORITY=%d", w->priority);
	/* RFC 2852 4.1.4: what is left of the time; less than nothing where the sender is only told. */
	if (w->by_s > 0 && s->can.deliverby)
		buf_fmt(&s->out, " BY=%lld;%c%s", (long long)w->by_s - (long long)now_s,
		    w->by_return ? 'R' : 'N', w->by_trace ? "T" : "");
	if (w->auth.n > 0 && s->logged_in) /* RFC 4954 5: who sent it is for those who know us */
		buf_fmt(&s->out, " AUTH=%.*s", SPAN_ARG(w->auth));
}

static void
put_mail(struct smtp *s, const struct smtp_mail *m, bool utf8)
{
	buf_add(&s->out, "MAIL FROM:", 10);
	put_path(s, m->sender, utf8);
	if (s->can.size_known) {
		buf_str(&s->out, " SIZE=");
		buf_num(&s->out, whole_size(m));
	}
	if (s->can.eightbitmime && m->eightbit)
		buf_str(&s->out, " BODY=8BITMIME");
	if (utf8)
		buf_str(&s->out, " SMTPUTF8");
	if (s->can.dsn && m->params.n > 0) {
		buf_ch(&s->out, ' ');
		buf_add(&s->out, m->params.p, m->params.n);
	}
	if (m->wish)
		put_wish(s, m->wish, m->now_s);
	buf_add(&s->out, "\r\n", 2);
}

/* NOTIFY and ORCPT.  RFC 6533 3: an original recipient that is told in UTF-8 needs SMTPUTF8; elsewhere it goes in
 * its form in ASCII, and not at all where that is too long for a server to take. */
static void
put_rcpt_params(struct smtp *s, struct span params, bool utf8)
{
	struct buf plain = BUF_INIT, coded = BUF_INIT;
	struct cur c = cur_span(params);

	for (; !cur_end(&c); cur_ch(&c, ' ')) {
		struct span one = cur_until(&c, ' ');
		struct cur v = cur_span(one);

		buf_cut(&plain, 0);
		buf_cut(&coded, 0);
		if (!utf8 && has_utf8(one)) {
			if (!cur_lit(&v, "ORCPT=utf-8;") || !xtext_utf8_decode(cur_rest(&v), &plain) ||
			    !xtext_utf8_encode((struct span){plain.s, plain.len}, &coded) ||
			    coded.len + sizeof "utf-8;" - 1 > ESMTP_ORCPT_MAX)
				continue;
			one.n = (size_t)(v.p - one.p);
		}
		buf_ch(&s->out, ' ');
		buf_add(&s->out, one.p, one.n);
		buf_add(&s->out, coded.s, coded.len);
	}
	buf_free(&plain);
	buf_free(&coded);
}

static void
put_rcpt(struct smtp *s, const struct smtp_rcpt *r, bool utf8)
{
	buf_add(&s->out, "RCPT TO:", 8);
	put_path(s, r->addr, utf8);
	if (s->can.dsn)
		put_rcpt_params(s, r->params, utf8);
	buf_add(&s->out, "\r\n", 2);
}

static int
unexpected(struct smtp *s, const char *where, struct err *e)
{
	s->open = false;
	return err_set(e, EX_PROTOCOL, "unexpected reply %d to %s", s->reply.code, where);
}

static bool
is_verdict(const struct reply *r)
{
	return r->code / 100 == 4 || r->code / 100 == 5;
}

/* The reply to RSET or MAIL, where it shows whether a connection used again was still one. */
static int
first_reply(struct smtp *s, struct smtp_mail *m, const char *where, struct err *e)
{
	int rc = smtp_reply(s, s->opt.wait->mail, where, e);

	if (rc) {
		m->stale = s->done > 0 && s->c.eof;
	} else if (s->reply.code == 421 && s->done > 0) {
		/* An old connection whose time was over; it says nothing about this message. */
		m->stale = true;
		s->slow_down = false;
		rc = err_set(e, EX_TEMPFAIL, "%s: 421 %s", where, s->reply.text.s);
	}
	return rc;
}

static int
mail_reply(struct smtp *s, struct smtp_mail *m, bool *taken, struct err *e)
{
	int rc = first_reply(s, m, "MAIL", e);

	if (rc)
		return rc;
	m->useless = s->reply.code == 421;
	if (is_verdict(&s->reply)) {
		/* It decides for all recipients; whatever is said about them later is noise. */
		say_all(m, &s->reply);
		s->need_reset = true;
	} else if (s->reply.code / 100 == 2) {
		*taken = true;
	} else {
		return unexpected(s, "MAIL", e);
	}
	return 0;
}

/* Too many recipients: RFC 5321 4.5.3.1.10 (452, and 552 from before it was mended). Only believed
 * where some were taken: otherwise it speaks of this recipient. */
static bool
too_many(const struct reply *r, size_t taken)
{
	return taken > 0 && (r->code == 452 || r->code == 552) &&
	    (r->status[0] == '\0' || strcmp(r->status + 1, ".5.3") == 0);
}

static int
rcpt_reply(struct smtp *s, struct smtp_rcpt *r, size_t *taken, bool mail_taken, struct err *e)
{
	int rc = smtp_reply(s, s->opt.wait->rcpt, "RCPT", e);

	if (rc || !mail_taken)
		return rc;
	if (s->reply.code / 100 == 2) {
		++*taken;
		return 0;
	}
	if (!is_verdict(&s->reply))
		return unexpected(s, "RCPT", e);
	if (s->reply.code == 421)
		return err_set(e, EX_TEMPFAIL, "RCPT: 421 %s", s->reply.text.s);
	if (too_many(&s->reply, *taken))
		say(r, SMTP_AGAIN, s->reply.code, s->reply.status, SPAN("too many recipients"));
	else {
		say_reply(r, &s->reply);
		r->at_rcpt = true;
	}
	return 0;
}

/* Where 421 ended it: everybody not yet decided waits, with these words. */
static void
say_lost(struct smtp *s, struct smtp_mail *m)
{
	if (s->reply.code == 421 && !m->stale)
		say_all(m, &s->reply);
}

/* --- content */

/* The command that waits, what goes in front, the content: without what is empty. */
static int
with_content(const struct smtp *s, const struct smtp_mail *m, struct iovec v[3])
{
	int n = 0;

	v[n++] = (struct iovec){s->out.s, s->out.len};
	if (m->prefix.n > 0)
		v[n++] = (struct iovec){(void *)(uintptr_t)m->prefix.p, m->prefix.n};
	if (m->size > 0)
		v[n++] = (struct iovec){(void *)(uintptr_t)m->content, (size_t)m->size};
	return n;
}

static int
ask_sending(struct smtp_mail *m, struct err *e)
{
	if (m->asked)
		return 0;
	m->asked = true;
	return m->sending ? m->sending(m->arg, e) : 0;
}

static void
put_bdat(struct smtp *s, const struct smtp_mail *m)
{
	buf_str(&s->out, "BDAT ");
	buf_num(&s->out, whole_size(m));
	buf_str(&s->out, " LAST\r\n");
}

static int
send_chunk(struct smtp *s, const struct smtp_mail *m, struct err *e)
{
	int64_t block = (int64_t)s->opt.wait->block * 1000;
	uint64_t at = 0;
	int rc;

	put_bdat(s, m);
	s->c.heed = true;
	if (m->content) {
		struct iovec v[3];

		rc = conn_send(&s->c, v, with_content(s, m, v), block, NULL, e);
		at = m->size;
		buf_cut(&s->out, 0);
	} else {
		buf_add(&s->out, m->prefix.p, m->prefix.n);
		rc = smtp_flush(s, "BDAT", e);
	}
	while (!rc && at < m->size && conn_waiting(&s->c).n == 0) {
		uint64_t n = m->size - at < FILE_STEP ? m->size - at : FILE_STEP;

		rc = conn_send_file(&s->c, m->file, m->off + at, n, block, NULL, e);
		at += n;
	}
	/* A reply is there only if the socket was full and it came before the last bytes were out. */
	s->whole = !rc && at == m->size && conn_waiting(&s->c).n == 0;
	s->c.heed = false;
	return rc;
}

static void
say_first(struct smtp_mail *m, const struct reply *p)
{
	size_t i = 0;

	while (m->rcpts[i].is != SMTP_UNDECIDED)
		i++;
	say_reply(&m->rcpts[i], p);
}

/* The reply that decides; over LMTP one for each of those who were taken, in their order (RFC 2033 4.2),
 * and they may differ.  A 2xx that came before all was sent is no acceptance of anything, and whatever
 * came before is the last that is heard, for everybody: nothing after it could be told apart. */
static int
final_reply(struct smtp *s, struct smtp_mail *m, struct err *e)
{
	do {
		int rc = smtp_reply(s, s->opt.wait->final, "end of data", e);

		if (rc)
			return rc;
		if (!s->whole)
			s->open = false;
		if (s->reply.code / 100 == 2 ? !s->whole : !is_verdict(&s->reply))
			return unexpected(s, "the end of data", e);
		if (s->opt.lmtp && s->open)
			say_first(m, &s->reply);
		else
			say_all(m, &s->reply);
		s->need_reset |= s->reply.code / 100 != 2;
	} while (undecided(m) > 0);
	return 0;
}

/* --- the transaction */

/* What goes out in the same write as MAIL and the RCPTs, where PIPELINING allows it. */
enum along {
	ALONE,
	WITH_DATA, /* DATA: the last command of its group, RFC 2920 3.1 */
	WITH_BDAT  /* BDAT and all of the content, RFC 3030 4.2 */
};

static int
send_group(struct smtp *s, struct smtp_mail *m, enum along along, struct err *e)
{
	struct iovec v[3];
	int n = 1, rc = smtp_in_turn(s, e);

	if (along == WITH_DATA)
		buf_str(&s->out, "DATA\r\n");
	if (along == WITH_BDAT)
		put_bdat(s, m);
	v[0] = (struct iovec){s->out.s, s->out.len};
	if (along == WITH_BDAT)
		n = with_content(s, m, v);
	if (rc) {
		buf_cut(&s->out, 0);
		return smtp_broken(s, rc, "MAIL", e);
	}
	rc = conn_send(&s->c, v, n, (int64_t)s->opt.wait->block * 1000, NULL, e);
	buf_cut(&s->out, 0);
	s->whole = !rc && along == WITH_BDAT;
	/* A peer that gives up early - 421 and gone - has said why: its words are in the buffer. */
	if (rc && conn_waiting(&s->c).n > 0)
		return 0;
	if (rc)
		m->stale = s->done > 0;
	return smtp_broken(s, rc, "sending", e);
}

/* The replies to MAIL and to each RCPT; without pipelining each RCPT is sent here. */
static int
envelope_replies(struct smtp *s, struct smtp_mail *m, bool utf8, const uint32_t *who, size_t n,
    size_t *taken, struct err *e)
{
	bool pipe = s->can.pipelining, mail_taken = false;
	int rc = 0;

	if (s->need_reset) {
		s->need_reset = false;
		rc = first_reply(s, m, "RSET", e);
	}
	if (!rc)
		rc = mail_reply(s, m, &mail_taken, e);
	for (size_t k = 0; k < n && !rc && s->open && (pipe || mail_taken); k++) {
		if (!pipe) {
			put_rcpt(s, &m->rcpts[who[k]], utf8);
			rc = smtp_flush(s, "RCPT", e);
		}
		if (!rc)
			rc = rcpt_reply(s, &m->rcpts[who[k]], taken, mail_taken, e);
	}
	if (!rc && !s->open)
		rc = err_set(e, EX_TEMPFAIL, "connection ended");
	if (!rc && *taken == 0)
		s->need_reset = true;
	return rc;
}

static int
send_envelope(struct smtp *s, struct smtp_mail *m, bool utf8, enum along along, size_t *taken,
    struct err *e)
{
	size_t n = undecided(m), k = 0;
	uint32_t *who = mem_grow(NULL, n + 1, sizeof *who);
	int rc;

	for (size_t i = 0; i < m->n; i++)
		if (m->rcpts[i].is == SMTP_UNDECIDED)
			who[k++] = (uint32_t)i;
	put_mail(s, m, utf8);
	for (k = 0; s->can.pipelining && k < n; k++)
		put_rcpt(s, &m->rcpts[who[k]], utf8);
	rc = send_group(s, m, along, e);
	if (!rc && along == WITH_BDAT && m->meanwhile)
		m->meanwhile(m->arg);
	if (!rc)
		rc = envelope_replies(s, m, utf8, who, n, taken, e);
	free(who);
	return rc;
}

/* MAIL, RCPTs, BDAT and content in one write. */
static int
send_at_once(struct smtp *s, struct smtp_mail *m, bool utf8, struct err *e)
{
	size_t taken = 0;
	int rc = ask_sending(m, e);

	if (rc) {
		buf_cut(&s->out, 0);
		return rc;
	}
	rc = send_envelope(s, m, utf8, WITH_BDAT, &taken, e);
	if (rc)
		return rc;
	if (taken > 0)
		return final_reply(s, m, e);
	rc = smtp_reply(s, s->opt.wait->final, "BDAT", e); /* nobody was taken: it counts for none */
	return undecided(m) ? rc : 0;
}

/* The reply to DATA and what follows from it. */
static int
data_phase(struct smtp *s, struct smtp_mail *m, size_t taken, bool sent_along, struct err *e)
{
	int rc = 0;

	if (!sent_along) {
		if (taken == 0)
			return 0;
		buf_str(&s->out, "DATA\r\n");
		rc = smtp_flush(s, "DATA", e);
	}
	if (!rc)
		rc = smtp_reply(s, s->opt.wait->data, "DATA", e);
	if (rc)
		return undecided(m) ? rc : 0;
	if (s->reply.code != 354) {
		if (taken > 0 && is_verdict(&s->reply))
			say_all(m, &s->reply);
		s->need_reset = true;
		return is_verdict(&s->reply) ? 0 : unexpected(s, "DATA", e);
	}
	if (taken == 0 && s->opt.lmtp) { /* RFC 2033 4.2 forbids the 354: as many replies as recipients, none */
		smtp_close(s);
		return undecided(m) ? unexpected(s, "DATA", e) : 0;
	}
	if (taken == 0) { /* RFC 2920 3.1: only the dot, and its reply counts for none */
		rc = smtp_command(s, ".", s->opt.wait->final, "end of data", e);
		s->need_reset = true;
		return undecided(m) ? rc : 0;
	}
	rc = smtp_in_turn(s, e);
	if (rc)
		return smtp_broken(s, rc, "DATA", e);
	rc = ask_sending(m, e);
	if (rc) {
		smtp_close(s); /* nothing but the end of the connection takes DATA back */
		return rc;
	}
	rc = stuff_send(&s->c, &(struct stuff){m->prefix, m->content, m->file, m->off, m->size, m->vet},
	    (int64_t)s->opt.wait->block * 1000, &s->whole, e);
	if (rc && conn_waiting(&s->c).n == 0)
		return smtp_broken(s, rc, "sending", e);
	if (!rc && m->meanwhile)
		m->meanwhile(m->arg);
	return final_reply(s, m, e);
}

static int
chunk_phase(struct smtp *s, struct smtp_mail *m, size_t taken, struct err *e)
{
	int rc;

	if (taken == 0)
		return 0;
	rc = smtp_in_turn(s, e);
	if (rc)
		return smtp_broken(s, rc, "BDAT", e);
	rc = ask_sending(m, e);
	if (rc) {
		s->need_reset = true;
		return rc;
	}
	rc = send_chunk(s, m, e);
	if (rc && conn_waiting(&s->c).n == 0)
		return smtp_broken(s, rc, "sending", e);
	if (!rc && m->meanwhile)
		m->meanwhile(m->arg);
	return final_reply(s, m, e);
}

/* Before a connection that was idle is used again: has the peer hung up, or said something?  Or had
 * it said that it takes no more (RFC 9422 4.1)? */
static bool
gone_stale(struct smtp *s)
{
	return s->done > 0 && (smtp_used_up(s) || conn_waiting(&s->c).n > 0 ||
	    (io_now_ms() - s->idle_since_ms > IDLE_LOOK_MS && io_ready(s->c.fd, POLLIN)));
}

/* RSET goes with what follows, or, where commands are not pipelined, before it. */
static int
begin(struct smtp *s, struct smtp_mail *m, struct err *e)
{
	int rc;

	buf_cut(&s->out, 0);
	if (!s->need_reset)
		return 0;
	buf_str(&s->out, "RSET\r\n");
	if (s->can.pipelining)
		return 0;
	rc = smtp_flush(s, "RSET", e);
	if (rc)
		m->stale = s->done > 0;
	else
		rc = first_reply(s, m, "RSET", e);
	s->need_reset = rc != 0;
	return rc;
}

/* What was taken is given back at once: the server must not keep it open. */
static int
only_envelope(struct smtp *s, struct smtp_mail *m, bool utf8, struct err *e)
{
	size_t taken = 0;
	int rc = send_envelope(s, m, utf8, ALONE, &taken, e);

	if (rc)
		return rc;
	for (size_t i = 0; i < m->n; i++)
		if (m->rcpts[i].is == SMTP_UNDECIDED)
			say(&m->rcpts[i], SMTP_DELIVERED, 250, "", SPAN("would be taken"));
	s->need_reset = false;
	return s->open ? smtp_command(s, "RSET", s->opt.wait->mail, "RSET", e) : 0;
}

static int
transact(struct smtp *s, struct smtp_mail *m, bool utf8, struct err *e)
{
	/* What goes from the file into the socket by itself has been seen by nobody. */
	bool pipe = s->can.pipelining, chunk = s->can.chunking && (m->content || !m->vet);
	enum along along = pipe && !chunk ? WITH_DATA : ALONE;
	size_t taken = 0;
	int rc = begin(s, m, e);

	if (rc)
		return rc;
	if (m->envelope_only)
		return only_envelope(s, m, utf8, e);
	if (chunk && pipe && m->content && whole_size(m) <= ONE_WRITE_MAX && !(m->wary && s->done > 0))
		return send_at_once(s, m, utf8, e);
	rc = send_envelope(s, m, utf8, along, &taken, e);
	if (rc)
		return rc;
	return chunk ? chunk_phase(s, m, taken, e)
	             : data_phase(s, m, taken, along == WITH_DATA, e);
}

int
smtp_send(struct smtp *s, struct smtp_mail *m, struct err *e)
{
	bool utf8;
	int rc;

	m->asked = m->in_doubt = m->stale = m->useless = m->unfit = s->whole = false;
	s->wait_hint_s = 0;
	utf8 = sort_out(s, m);
	if (undecided(m) == 0)
		return 0;
	if (gone_stale(s)) {
		m->stale = true;
		s->open = false;
		return err_set(e, EX_TEMPFAIL, "connection closed by peer");
	}
	m->useless = s->done == 0;
	rc = transact(s, m, utf8, e);
	if (rc)
		say_lost(s, m);
	if (rc && undecided(m) == 0)
		rc = 0; /* everybody has an answer: the connection's end is no news for this message */
	m->in_doubt = rc && s->whole && !m->stale;
	s->done++;
	s->idle_since_ms = io_now_ms();
	return rc;
}
