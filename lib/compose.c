#include "compose.h"

#include "addr.h"
#include "authres.h"
#include "date.h"
#include "msg.h"

#include <stdlib.h>
#include <string.h>

#define USUAL_MORE 512 /* bytes that a header section grows by */
#define HAVE(f) (1u << (f))

enum field {
	FROM, SENDER, REPLY_TO, TO, CC, BCC, DATE, MESSAGE_ID,
	RESENT_FROM, RESENT_SENDER, RESENT_TO, RESENT_CC, RESENT_BCC, RESENT_DATE, RESENT_ID,
	RESENT_OTHER, ADDRESSES, TRACE, RETURN_PATH, CONTENT_LENGTH, OTHER
};

static const struct {
	const char *name;
	enum field field;
} names[] = {
    {"From", FROM}, {"Sender", SENDER}, {"Reply-To", REPLY_TO}, {"To", TO}, {"Cc", CC},
    {"Bcc", BCC}, {"Date", DATE}, {"Message-ID", MESSAGE_ID}, {"Resent-From", RESENT_FROM},
    {"Resent-Sender", RESENT_SENDER}, {"Resent-To", RESENT_TO}, {"Resent-Cc", RESENT_CC},
    {"Resent-Bcc", RESENT_BCC}, {"Resent-Date", RESENT_DATE}, {"Resent-Message-ID", RESENT_ID},
    {"Resent-Reply-To", RESENT_OTHER}, {"Errors-To", ADDRESSES}, {"Return-Receipt-To", ADDRESSES},
    {"Disposition-Notification-To", ADDRESSES}, {"Mail-Followup-To", ADDRESSES},
    {"Mail-Reply-To", ADDRESSES}, {"Received", TRACE}, {"Return-Path", RETURN_PATH},
    {"Content-Length", CONTENT_LENGTH},
};

#define DROPPED (HAVE(BCC) | HAVE(RESENT_BCC) | HAVE(RETURN_PATH) | HAVE(CONTENT_LENGTH))
#define ORIGINATORS (HAVE(FROM) | HAVE(SENDER) | HAVE(REPLY_TO))
#define WITH_ADDRESSES                                                                             \
	(ORIGINATORS | HAVE(TO) | HAVE(CC) | HAVE(RESENT_FROM) | HAVE(RESENT_SENDER) |             \
	    HAVE(RESENT_TO) | HAVE(RESENT_CC) | HAVE(RESENT_OTHER) | HAVE(ADDRESSES))
#define NEVER_EMPTY (WITH_ADDRESSES | HAVE(DATE) | HAVE(MESSAGE_ID) | HAVE(RESENT_DATE) | HAVE(RESENT_ID))
#define RESENT                                                                                     \
	(HAVE(RESENT_FROM) | HAVE(RESENT_SENDER) | HAVE(RESENT_TO) | HAVE(RESENT_CC) |             \
	    HAVE(RESENT_BCC) | HAVE(RESENT_DATE) | HAVE(RESENT_ID) | HAVE(RESENT_OTHER))
#define RESENT_ONCE (HAVE(RESENT_FROM) | HAVE(RESENT_SENDER) | HAVE(RESENT_DATE) | HAVE(RESENT_ID))

static enum field
field_of(struct span name)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (span_ieq(name, span_of(names[i].name)))
			return names[i].field;
	return OTHER;
}

/* What a header section has, field by field; an empty one of those that may not be is as missing. */
struct survey {
	unsigned have;        /* fields outside the newest Resent- block count here too */
	unsigned resent;      /* fields of that block */
	bool resending;       /* there is one, though all its fields may be empty */
	const char *block_end; /* where it ends */
	bool on_top;          /* no trace field stands above it */
};

static struct survey
survey(struct span header)
{
	struct survey s = {0};
	struct cur c = cur_span(header);
	struct msg_field f;
	bool bad, open = true;

	while (msg_field(&c, &f, &bad)) {
		unsigned bit = HAVE(field_of(f.name));

		if (open && s.resending &&
		    ((bit & (HAVE(TRACE) | HAVE(RETURN_PATH))) || (bit & RESENT_ONCE & s.resent)))
			open = false;
		if (open && (bit & RESENT)) {
			if (!s.resending)
				s.on_top = !(s.have & (HAVE(TRACE) | HAVE(RETURN_PATH)));
			s.resending = true;
			if (!(bit & NEVER_EMPTY) || span_trim(f.value).n > 0)
				s.resent |= bit;
			s.block_end = c.p;
		}
		if (!(bit & NEVER_EMPTY) || span_trim(f.value).n > 0)
			s.have |= bit;
	}
	return s;
}

int
compose_recipients(struct span header, const char *qualify,
    int (*each)(void *arg, struct span mailbox, struct err *e), void *arg, struct err *e)
{
	struct survey s = survey(header);
	unsigned from = s.resending ? HAVE(RESENT_TO) | HAVE(RESENT_CC) | HAVE(RESENT_BCC) :
	    HAVE(TO) | HAVE(CC) | HAVE(BCC);
	struct cur c = cur_span(header);
	struct msg_field f;
	bool bad;
	int rc = 0;

	if (s.resending)
		c.end = s.block_end;
	while (!rc && msg_field(&c, &f, &bad))
		if (from & HAVE(field_of(f.name))) {
			rc = addr_list(f.value, qualify, each, arg, e);
			if (rc)
				err_in(e, "%.*s", SPAN_ARG(f.name));
		}
	return rc;
}

/* --- bare local names */

struct qualify {
	struct cur c;
	const char *done;     /* copied up to here */
	const char *word_end; /* of the last word */
	size_t words;         /* of the address at hand */
	bool at, angle, settled;
	const char *domain;
	struct buf *out;
};

/* The address at hand is over: if it was one word and nothing else, "@domain" belongs behind it. */
static void
close_address(struct qualify *q)
{
	if (q->words == 1 && !q->at && !q->settled) {
		buf_add(q->out, q->done, (size_t)(q->word_end - q->done));
		buf_ch(q->out, '@');
		buf_str(q->out, q->domain);
		q->done = q->word_end;
	}
	q->words = 0;
	q->at = false;
}

/* A quoted-string or a domain literal, whose closing byte may be escaped inside; false: it is never
 * closed, and all to the end is skipped. */
static bool
skip_string(struct cur *c, char close)
{
	for (c->p++; !cur_end(c); c->p++) {
		if (cur_ch(c, close))
			return true;
		if (*c->p == '\\' && c->end - c->p > 1)
			c->p++;
	}
	return false;
}

static void
skip_comment(struct cur *c)
{
	size_t depth = 0;

	do {
		if (*c->p == '(')
			depth++;
		else if (*c->p == ')')
			depth--;
		else if (*c->p == '\\' && c->end - c->p > 1)
			c->p++;
		c->p++;
	} while (depth > 0 && !cur_end(c));
}

static void
special(struct qualify *q)
{
	switch (*q->c.p++) {
	case '@': q->at = true; break;
	case '<':
		q->angle = true;
		q->words = 0;
		q->at = false;
		break;
	case '>':
		close_address(q);
		q->angle = false;
		q->settled = true;
		break;
	case ':': /* what stood before was a group's name or a source route */
		q->words = 0;
		q->at = false;
		break;
	default: /* "," and ";" */
		if (q->angle)
			break; /* of a source route */
		close_address(q);
		q->settled = false;
		break;
	}
}

static bool
is_word(int c)
{
	return c > ' ' && !strchr("()<>@,;:\"[", c);
}

/* An address-list with "@domain" behind each bare local name; comments, display names, groups,
 * folding stay as they are.  Nothing here is refused: what is no list comes out unchanged. */
static void
put_qualified(struct span value, const char *domain, struct buf *out)
{
	struct qualify q = {.c = cur_span(value), .domain = domain, .out = out};

	q.done = q.c.p;
	while (!cur_end(&q.c)) {
		switch (*q.c.p) {
		case ' ':
		case '\t':
		case '\r':
		case '\n': q.c.p++; break;
		case '(': skip_comment(&q.c); break;
		case '[': skip_string(&q.c, ']'); break;
		case '"':
			q.settled |= !skip_string(&q.c, '"');
			q.words++;
			q.word_end = q.c.p;
			break;
		default:
			if (strchr("<>@,;:", *q.c.p)) {
				special(&q);
				break;
			}
			if (cur_while(&q.c, is_word).n == 0)
				q.c.p++; /* ")" or a control: not ours to judge */
			q.words++;
			q.word_end = q.c.p;
		}
	}
	if (!q.angle)
		close_address(&q);
	buf_add(out, q.done, (size_t)(q.c.end - q.done));
}

/* --- folding */

/* Where a line over the limit can be broken, behind `first` bytes or more: before its last blank
 * within reach that has text on both sides, or in an address field behind a comma; 0: nowhere. */
static size_t
break_at(const char *p, size_t n, size_t first, size_t max, bool commas)
{
	size_t last = n;

	while (is_space((unsigned char)p[0]) && first < n && is_space((unsigned char)p[first]))
		first++; /* a folded line of blanks alone would end the section for some */
	while (last > first && is_space((unsigned char)p[last - 1]))
		last--;
	for (size_t i = max; i > 0 && i >= first; i--)
		if (i < last && ((is_space((unsigned char)p[i]) && !is_space((unsigned char)p[i - 1])) ||
		    (commas && p[i - 1] == ',')))
			return i;
	return 0;
}

/* One line, folded behind `first` bytes or more; 0, or EX_DATAERR without words. */
static int
put_folded(struct span line, size_t first, bool commas, struct buf *out)
{
	size_t max = MSG_LINE_MAX;

	while (line.n > max) {
		size_t n = break_at(line.p, line.n, first, max, commas);
		bool blank = n > 0 && is_space((unsigned char)line.p[n]);

		if (n == 0)
			return EX_DATAERR;
		buf_add(out, line.p, n);
		buf_str(out, blank ? "\r\n" : "\r\n ");
		max = blank ? MSG_LINE_MAX : MSG_LINE_MAX - 1;
		first = 0;
		line.p += n;
		line.n -= n;
	}
	buf_add(out, line.p, line.n);
	buf_add(out, "\r\n", 2);
	return 0;
}

/* The field's text at out->s + start: no line of it over the limit, RFC 5322 2.1.1. */
static int
limit_lines(struct buf *out, size_t start, const struct compose *c, bool commas, struct err *e)
{
	struct cur lines = cur_of(out->s + start, out->len - start);
	struct buf text = BUF_INIT;
	struct span line, name;
	bool over = false;
	size_t first;
	int rc = 0;

	while (cur_line(&lines, &line))
		over |= line.n > MSG_LINE_MAX;
	if (!over)
		return 0;
	buf_add(&text, out->s + start, out->len - start);
	buf_cut(out, start);
	lines = cur_of(text.s, text.len);
	name = cur_until(&lines, ':');
	first = name.n + 1;
	for (lines = cur_of(text.s, text.len); !rc && cur_line(&lines, &line); first = 0)
		rc = c->fold || line.n <= MSG_LINE_MAX ? put_folded(line, first, commas, out) : EX_DATAERR;
	if (rc)
		err_set(e, rc, "header line over %d bytes: %.*s", MSG_LINE_MAX, SPAN_ARG(name));
	buf_free(&text);
	return rc;
}

/* --- what is missing */

static void
put_between(struct buf *out, const char *before, struct span text, const char *behind)
{
	buf_str(out, before);
	buf_add(out, text.p, text.n);
	buf_str(out, behind);
}

static void
put_from_client(const struct compose *c, const struct compose_trace *t, struct buf *out)
{
	put_between(out, "Received: from ", t->helo, "");
	if (t->peer.n > 0)
		put_between(out, " ([", t->peer, "])");
	put_between(out, "\r\n\tby ", span_of(c->host), " (relaykit) with ");
	buf_add(out, t->with.p, t->with.n);
	if (t->suite.n > 0)
		put_between(out, "\r\n\ttls ", t->suite, "");
	put_between(out, "\r\n\tid ", span_of(c->id), "");
}

/* RFC 5321 4.4.  The recipient is told where there is only one (7.2), and not where naming it
 * would make the header UTF-8. */
static void
put_received(const struct compose *c, struct buf *out)
{
	bool tell = c->rcpt.n > 0;

	for (size_t i = 0; i < c->rcpt.n; i++)
		tell &= (unsigned char)c->rcpt.p[i] < 128;
	if (c->trace)
		put_from_client(c, c->trace, out);
	else
		buf_fmt(out, "Received: by %s (relaykit, from userid %llu)\r\n\tid %s", c->host,
		    (unsigned long long)c->user, c->id);
	if (tell)
		put_between(out, "\r\n\tfor <", c->rcpt, ">");
	buf_str(out, ";\r\n\t");
	date_rfc5322(out, c->now_s, c->zone_minutes);
	buf_str(out, "\r\n");
}

static void
put_date(const char *name, const struct compose *c, struct buf *out)
{
	buf_fmt(out, "%s: ", name);
	date_rfc5322(out, c->now_s, c->zone_minutes);
	buf_str(out, "\r\n");
}

static int
put_from(const char *name, const struct compose *c, struct buf *out, struct err *e)
{
	size_t start = out->len;
	struct span who = c->sender.n ? c->name : SPAN("Mail Delivery System");

	buf_fmt(out, "%s: ", name);
	if (who.n > 0) {
		addr_phrase(who, out);
		buf_str(out, " <");
	}
	if (c->sender.n > 0)
		buf_add(out, c->sender.p, c->sender.n);
	else
		buf_fmt(out, "MAILER-DAEMON@%s", c->domain);
	buf_str(out, who.n > 0 ? ">\r\n" : "\r\n");
	return limit_lines(out, start, c, false, e);
}

static int
put_resent(const struct survey *s, const struct compose *c, struct buf *out, struct err *e)
{
	int rc = 0;

	if (!s->resent || !s->on_top)
		return 0;
	if (!(s->resent & HAVE(RESENT_DATE)))
		put_date("Resent-Date", c, out);
	if (!(s->resent & HAVE(RESENT_FROM)))
		rc = put_from("Resent-From", c, out, e);
	if (!(s->resent & HAVE(RESENT_ID)))
		buf_fmt(out, "Resent-Message-ID: <%s@%s>\r\n", c->id, c->host);
	return rc;
}

static int
put_missing(const struct survey *s, const struct compose *c, struct buf *out, struct err *e)
{
	int rc = 0;

	if (!(s->have & HAVE(DATE)))
		put_date("Date", c, out);
	if (!(s->have & HAVE(FROM)))
		rc = put_from("From", c, out, e);
	if (!(s->have & HAVE(MESSAGE_ID)))
		buf_fmt(out, "Message-ID: <%s@%s>\r\n", c->id, c->host);
	if (!(s->have & (HAVE(TO) | HAVE(CC))))
		buf_str(out, "To: undisclosed-recipients:;\r\n");
	return rc;
}

/* RFC 8601 5: nobody else says what we have found out. */
static bool
is_forged(const struct msg_field *f, const struct compose *c)
{
	return c->forged.n > 0 && span_ieq(f->name, SPAN("Authentication-Results")) &&
	       authres_claims(f->value, c->forged);
}

/* RFC 5321 4.4: a Return-Path that comes with a message is not ours to believe. */
static int
put_as_is(struct span header, const struct compose *c, struct buf *out)
{
	struct cur at = cur_span(header);
	struct msg_field f;
	bool bad;

	while (msg_field(&at, &f, &bad))
		if (!span_ieq(f.name, SPAN("Return-Path")) && !is_forged(&f, c))
			buf_add(out, f.whole.p, f.whole.n);
	return 0;
}

int
compose_header(struct span header, const struct compose *c, struct buf *out, struct err *e)
{
	struct survey s = survey(header);
	struct cur at = cur_span(header);
	struct msg_field f;
	bool bad;
	int rc;

	buf_room(out, header.n + c->top.n + USUAL_MORE);
	buf_add(out, c->top.p, c->top.n);
	put_received(c, out);
	if (c->as_is)
		return put_as_is(header, c, out);
	rc = put_resent(&s, c, out, e);
	while (!rc && msg_field(&at, &f, &bad)) {
		unsigned bit = HAVE(field_of(f.name));
		bool addresses = bit & WITH_ADDRESSES;
		size_t start = out->len;

		if ((bit & DROPPED) || ((bit & NEVER_EMPTY) && span_trim(f.value).n == 0) || is_forged(&f, c))
			continue;
		if (addresses) {
			buf_add(out, f.whole.p, f.whole.n - f.value.n);
			put_qualified(f.value, c->domain, out);
		} else {
			buf_add(out, f.whole.p, f.whole.n);
		}
		rc = limit_lines(out, start, c, addresses, e);
	}
	return rc ? rc : put_missing(&s, c, out, e);
}
