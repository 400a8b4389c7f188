#include "notice.h"

#include "addr.h"
#include "date.h"
#include "mimeread.h"
#include "msg.h"
#include "noticewords.h"
#include "xtext.h"

#include <stdio.h>
#include <string.h>

#define FOLD_AT 76         /* RFC 5322 2.1.1 */
#define WORD_MAX 900       /* of what has no blank */
#define SUBJECT_MAX 200    /* bytes of the original's that are quoted */
#define MARK "X-Relaykit-Notice"
#define LAST "X-Relaykit-Postmaster"

const char *const notice_action_names[] = {[NOTICE_FAILED] = "failed", [NOTICE_DELAYED] = "delayed",
    [NOTICE_RELAYED] = "relayed", [NOTICE_DELIVERED] = "delivered"};

bool
notice_is_global(const struct notice *n)
{
	return !span_is_ascii(n->to);
}

size_t
notice_header_len(struct span original)
{
	struct cur c = cur_span(original);
	struct msg_field f;
	bool bad;

	while (msg_field(&c, &f, &bad))
		;
	return original.n - cur_rest(&c).n;
}

/* A blank and a line end are no part of it, however it was folded on its way. */
bool
notice_has_mark(struct span original, struct span from)
{
	struct cur c = cur_of(original.p, notice_header_len(original));
	struct msg_field f;
	bool bad;

	while (msg_field(&c, &f, &bad))
		if (span_ieq(f.name, SPAN(MARK)) && span_ieq(span_trim(f.value), from))
			return true;
	return false;
}

bool
notice_is_last(struct span original)
{
	struct msg_field f;

	return msg_find((struct span){original.p, notice_header_len(original)}, LAST, &f);
}

/* --- fields */

/* One character of what others said, as may stand in a field. */
static size_t
put_char(struct buf *out, struct span s, bool global)
{
	unsigned char c = (unsigned char)*s.p;
	size_t n = utf8_len(s.p, s.n);
	uint32_t point;

	if (n <= 1) {
		buf_ch(out, c > 127 || c < ' ' || c == 127 ? '?' : (char)c);
		return 1;
	}
	point = c & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++)
		point = point << 6 | ((unsigned char)s.p[i] & 0x3fu);
	if (!global)
		buf_fmt(out, "\\x{%X}", (unsigned)point);
	else if (point < 0xa0)
		buf_ch(out, '?'); /* a C1 control */
	else
		buf_add(out, s.p, n);
	return n;
}

static bool
is_gap(int c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The words of a text behind what stands in the line that begins at `start`, folded between them.  stays:
 * the first stands where it is, for who looks at lines alone. */
static void
put_words(struct buf *out, size_t start, struct span text, bool global, bool stays)
{
	struct cur c = cur_span(text);
	struct buf word = BUF_INIT;

	while (cur_while(&c, is_gap), !cur_end(&c)) {
		buf_cut(&word, 0);
		while (!cur_end(&c) && !is_gap(cur_peek(&c)) && word.len < WORD_MAX)
			c.p += put_char(&word, cur_rest(&c), global);
		if (!stays && out->len - start + 1 + word.len > FOLD_AT) {
			buf_add(out, "\r\n", 2);
			start = out->len;
		}
		stays = false;
		buf_ch(out, ' ');
		buf_add(out, word.s, word.len);
	}
	buf_free(&word);
}

static void
put_field(struct buf *out, const char *name, const char *type, struct span value, bool global)
{
	size_t start = out->len;

	if (value.n == 0)
		return;
	buf_fmt(out, "%s:%s%s%s", name, *type ? " " : "", type, *type ? ";" : "");
	put_words(out, start, value, global, true);
	buf_add(out, "\r\n", 2);
}

static void
put_date(struct buf *out, const char *name, uint64_t s)
{
	if (s == 0)
		return;
	buf_fmt(out, "%s: ", name);
	date_rfc5322(out, (int64_t)s, 0);
	buf_add(out, "\r\n", 2);
}

/* RFC 6533 3: raw only where the report is UTF-8 all over. */
static void
put_address(struct buf *out, const char *name, struct span addr, bool global)
{
	struct buf coded = BUF_INIT;

	if (span_is_ascii(addr))
		put_field(out, name, "rfc822", addr, false);
	else if (global)
		put_field(out, name, "utf-8", addr, true);
	else if (xtext_utf8_encode(addr, &coded))
		put_field(out, name, "utf-8", (struct span){coded.s, coded.len}, false);
	buf_free(&coded);
}

static bool
is_printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || (unsigned char)s.p[i] > 126)
			return false;
	return s.n > 0;
}

static bool
is_atom(int c)
{
	return is_alnum(c) || c == '-' || c == '_' || c == '.';
}

/* RFC 3461 6.3 (d): as it was sent, its xtext taken off; what would not be one printable line then
 * stays as it came. */
static void
put_original(struct buf *out, struct span orcpt, bool global)
{
	struct cur c = cur_span(orcpt);
	struct span type = cur_while(&c, is_atom), value;
	struct buf plain = BUF_INIT;
	char name[32];

	if (type.n == 0 || type.n >= sizeof name || !cur_ch(&c, ';'))
		return;
	value = cur_rest(&c);
	snprintf(name, sizeof name, "%.*s", SPAN_ARG(type));
	if (span_ieq(type, SPAN("utf-8")) && xtext_utf8_decode(value, &plain)) {
		put_address(out, "Original-Recipient", (struct span){plain.s, plain.len}, global);
	} else {
		if (xtext_decode(value, &plain) && is_printable((struct span){plain.s, plain.len}))
			value = (struct span){plain.s, plain.len};
		put_field(out, "Original-Recipient", name, value, false);
	}
	buf_free(&plain);
}

static bool
is_number_or_dot(int c)
{
	return is_digit(c) || c == '.';
}

static bool
is_literal(int c)
{
	return is_atom(c) || c == ':';
}

/* RFC 3464 2.1.2: a domain, or an address in brackets; a socket's path is neither. */
static void
put_host(struct buf *out, const char *name, struct span host)
{
	struct buf value = BUF_INIT;
	struct cur c, a;
	bool brackets = host.n > 2 && *host.p == '[' && host.p[host.n - 1] == ']';

	c = brackets ? cur_of(host.p + 1, host.n - 2) : cur_span(host);
	if (brackets && cur_while(&c, is_literal).n == host.n - 2) {
		put_field(out, name, "dns", host, false);
		return;
	}
	c = a = cur_span(host);
	cur_while(&c, is_atom);
	cur_while(&a, is_number_or_dot);
	if (host.n > 0 && ((cur_end(&c) && cur_end(&a)) || memchr(host.p, ':', host.n)))
		buf_fmt(&value, "[%s%.*s]", cur_end(&a) ? "" : "IPv6:", SPAN_ARG(host));
	else if (cur_end(&c))
		buf_add(&value, host.p, host.n);
	if (!memchr(value.s, '/', value.len))
		put_field(out, name, "dns", (struct span){value.s, value.len}, false);
	buf_free(&value);
}

static struct span
status_of(const struct notice_rcpt *r)
{
	if (r->status.n > 0)
		return r->status;
	if (r->action == NOTICE_RELAYED || r->action == NOTICE_DELIVERED)
		return SPAN("2.0.0");
	return r->action == NOTICE_DELAYED || r->code / 100 == 4 ? SPAN("4.0.0") : SPAN("5.0.0");
}

/* RFC 3464 2.3.6: the reply as it came, with the code it began with; our own word has our own type. */
static void
put_diagnostic(struct buf *out, const struct notice_rcpt *r, bool global)
{
	struct buf said = BUF_INIT;

	if (r->code > 0)
		buf_fmt(&said, "%d %.*s%s", r->code, SPAN_ARG(r->said), r->said.n > 0 ? " " : "");
	buf_add(&said, r->text.p, r->text.n);
	put_field(out, "Diagnostic-Code", r->code > 0 ? "smtp" : "x-relaykit",
	    (struct span){said.s, said.len}, global);
	buf_free(&said);
}

static void
put_rcpt(struct buf *out, const struct notice *n, const struct notice_rcpt *r, bool global)
{
	buf_add(out, "\r\n", 2);
	put_original(out, r->orcpt, global);
	put_address(out, "Final-Recipient", r->addr, global);
	buf_fmt(out, "Action: %s\r\n", notice_action_names[r->action]);
	put_field(out, "Status", "", status_of(r), false);
	put_host(out, "Remote-MTA", r->remote);
	put_diagnostic(out, r, global);
	put_date(out, "Last-Attempt-Date", r->at_s);
	if (r->action == NOTICE_DELAYED)
		put_date(out, "Will-Retry-Until", n->until_s);
	put_field(out, "X-Relaykit-Message", "", r->message, false);
}

static void
put_envid(struct buf *out, struct span envid)
{
	struct buf plain = BUF_INIT;

	if (xtext_decode(envid, &plain) && is_printable((struct span){plain.s, plain.len}))
		envid = (struct span){plain.s, plain.len};
	put_field(out, "Original-Envelope-Id", "", envid, false);
	buf_free(&plain);
}

static void
put_report(struct buf *out, const struct notice *n, bool global)
{
	buf_fmt(out, "Content-Description: Delivery report\r\n"
	    "Content-Type: message/%s\r\n%s\r\n",
	    global ? "global-delivery-status; charset=utf-8" : "delivery-status",
	    global ? "Content-Transfer-Encoding: 8bit\r\n" : "");
	put_host(out, "Reporting-MTA", n->host);
	put_envid(out, n->envid);
	put_date(out, "Arrival-Date", n->arrival_s);
	put_field(out, "X-Relaykit-Message", "", n->about, false);
	for (size_t i = 0; i < n->n; i++)
		put_rcpt(out, n, &n->rcpts[i], global);
}

/* --- the text for people */

static void
field_words(struct span original, const char *name, struct buf *out)
{
	struct span header = {original.p, notice_header_len(original)};
	struct msg_field f;

	if (header.n > 0 && msg_find(header, name, &f))
		mimeread_words(span_trim(f.value), NULL, out);
	if (!utf8_valid((struct span){out->s, out->len}))
		for (size_t i = 0; i < out->len; i++)
			if ((unsigned char)out->s[i] > 127)
				out->s[i] = '?';
	if (out->len > SUBJECT_MAX) {
		size_t len = SUBJECT_MAX;

		while (len > 0 && ((unsigned char)out->s[len] & 0xc0) == 0x80)
			len--;
		buf_cut(out, len);
		buf_str(out, "...");
	}
	for (size_t i = 0; i < out->len; i++)
		if (!is_text((unsigned char)out->s[i]) || out->s[i] == '\t')
			out->s[i] = ' ';
}

/* Which of the text's parts a recipient is told of in. */
static enum notetext_part
part_of(const struct notice *n, const struct notice_rcpt *r)
{
	if (n->about.n == 0)
		return NOTETEXT_DIGEST;
	return r->action == NOTICE_FAILED  ? NOTETEXT_FAILED
	    : r->action == NOTICE_DELAYED ? NOTETEXT_DELAYED
	                                  : NOTETEXT_DELIVERED;
}

static void
put_quoted(struct buf *out, struct span text)
{
	struct cur c = cur_span(text);
	struct span line;

	while (cur_line(&c, &line)) {
		buf_add(out, line.p, line.n);
		if (!cur_end(&c))
			buf_str(out, "\n        ");
	}
}

static const char *
sentence(const struct notice_rcpt *r)
{
	if (r->action == NOTICE_DELIVERED)
		return "It has been delivered.";
	if (r->action == NOTICE_RELAYED)
		return "It was handed on to a server that does not tell what becomes of it.";
	return noticewords(status_of(r), r->action == NOTICE_DELAYED);
}

static size_t
put_recipients(const struct notice *n, enum notetext_part part, struct buf *out)
{
	size_t count = 0;

	for (size_t i = 0; i < n->n; i++) {
		const struct notice_rcpt *r = &n->rcpts[i];

		if (part_of(n, r) != part)
			continue;
		count++;
		buf_fmt(out, "    %.*s\n        %s\n", SPAN_ARG(r->addr), sentence(r));
		if (r->text.n > 0 && r->action != NOTICE_RELAYED && r->action != NOTICE_DELIVERED) {
			bool theirs = r->remote.n > 0 && r->code > 0;

			if (theirs)
				buf_fmt(out, "        %.*s said: ", SPAN_ARG(r->remote));
			else
				buf_str(out, "        (");
			if (r->code > 0)
				buf_fmt(out, "%d ", r->code);
			put_quoted(out, r->text);
			buf_str(out, theirs ? "\n" : ")\n");
		}
	}
	return count;
}

struct words {
	struct buf subject, date, until, recipients, text, title;
	char count[24];
};

static void
free_words(struct words *w)
{
	buf_free(&w->subject);
	buf_free(&w->date);
	buf_free(&w->until);
	buf_free(&w->recipients);
	buf_free(&w->text);
	buf_free(&w->title);
}

/* The parts that somebody is told of in, one behind the other; the first gives the subject. */
static void
write_words(const struct notice *n, struct words *w)
{
	struct notetext_values v = {{[NOTETEXT_SENDER] = n->sender, [NOTETEXT_HOST] = n->host,
	    [NOTETEXT_CONTACT] = n->from, [NOTETEXT_ID] = n->about}};

	field_words(n->original, "Subject", &w->subject);
	if (w->subject.len == 0)
		buf_str(&w->subject, "(no subject)");
	field_words(n->original, "Date", &w->date);
	if (w->date.len == 0 && n->arrival_s > 0)
		date_rfc5322(&w->date, (int64_t)n->arrival_s, 0);
	if (n->until_s > 0)
		date_rfc5322(&w->until, (int64_t)n->until_s, 0);
	v.v[NOTETEXT_SUBJECT] = (struct span){w->subject.s, w->subject.len};
	v.v[NOTETEXT_DATE] = (struct span){w->date.s, w->date.len};
	v.v[NOTETEXT_UNTIL] = (struct span){w->until.s, w->until.len};
	for (int part = 0; part < NOTETEXT_END; part++) {
		size_t count;

		buf_cut(&w->recipients, 0);
		count = put_recipients(n, (enum notetext_part)part, &w->recipients);
		if (count == 0)
			continue;
		snprintf(w->count, sizeof w->count, "%zu", count);
		v.v[NOTETEXT_COUNT] = span_of(w->count);
		v.v[NOTETEXT_RECIPIENTS] = (struct span){w->recipients.s, w->recipients.len};
		if (w->title.len == 0)
			notetext_subject(n->text, (enum notetext_part)part, &v, &w->title);
		notetext_body(n->text, (enum notetext_part)part, &v, &w->text);
	}
	notetext_body(n->text, NOTETEXT_END, &v, &w->text);
}

/* --- parts */

/* RFC 2045 6.7.  Line ends, LF or CRLF, stay line ends. */
static void
put_quoted_printable(struct buf *out, struct span text)
{
	size_t col = 0;

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool crlf = c == '\r' && i + 1 < text.n && text.p[i + 1] == '\n';
		bool last = i + 1 == text.n || text.p[i + 1] == '\n' || text.p[i + 1] == '\r';
		bool plain = (c > ' ' && c < 127 && c != '=') || (is_space(c) && !last);

		if (crlf)
			continue;
		if (c == '\n') {
			buf_add(out, "\r\n", 2);
			col = 0;
			continue;
		}
		if (col + (plain ? 1 : 3) > FOLD_AT - 1) {
			buf_add(out, "=\r\n", 3);
			col = 0;
		}
		if (plain)
			buf_ch(out, (char)c);
		else
			buf_fmt(out, "=%02X", c);
		col += plain ? 1 : 3;
	}
}

static void
put_crlf(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n' && (i == 0 || text.p[i - 1] != '\r'))
			buf_ch(out, '\r');
		buf_ch(out, text.p[i]);
	}
}

/* Lines that no encoding needs to mend: RFC 2045 2.7 and 2.8, but for what is ASCII. */
static bool
has_good_lines(struct span text)
{
	struct cur c = cur_span(text);
	struct span line;

	while (cur_line(&c, &line))
		if (line.n > MSG_LINE_MAX || (line.n > 0 && (memchr(line.p, '\r', line.n) || memchr(line.p, '\0', line.n))))
			return false;
	return true;
}

/* Text, and encoded only where that has to be. */
static void
put_text(struct buf *out, const char *type, struct span text)
{
	bool coded = !span_is_ascii(text) || !has_good_lines(text);

	buf_fmt(out, "Content-Type: %s\r\n%s\r\n", type,
	    coded ? "Content-Transfer-Encoding: quoted-printable\r\n" : "");
	if (coded)
		put_quoted_printable(out, text);
	else
		put_crlf(out, text);
}

/* Whole fields, as many as may go back. */
static struct span
header_to_return(const struct notice *n)
{
	struct cur c = cur_of(n->original.p, notice_header_len(n->original));
	struct span s = {n->original.p, 0};
	struct msg_field f;
	bool bad;

	while (msg_field(&c, &f, &bad) && (size_t)(c.p - s.p) <= n->returned_max)
		s.n = (size_t)(c.p - s.p);
	return s;
}

static void
put_original_message(struct buf *out, const struct notice *n, bool global)
{
	struct span header = header_to_return(n);
	bool ascii = span_is_ascii((struct span){n->original.p, notice_header_len(n->original)});

	if (n->whole && (ascii || global) && has_good_lines(n->original)) {
		buf_fmt(out, "Content-Description: Message\r\nContent-Type: message/%s\r\n%s\r\n",
		    ascii ? "rfc822" : "global",
		    span_is_ascii(n->original) ? "" : "Content-Transfer-Encoding: 8bit\r\n");
		buf_add(out, n->original.p, n->original.n);
		return;
	}
	buf_str(out, "Content-Description: Message headers\r\n");
	if (span_is_ascii(header) || !utf8_valid(header)) {
		put_text(out, "text/rfc822-headers", header);
	} else if (global && has_good_lines(header)) {
		buf_str(out, "Content-Type: message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
		buf_add(out, header.p, header.n);
	} else {
		put_text(out, "message/global-headers", header);
	}
}

/* --- the whole */

/* RFC 3834 5, RFC 5436 2.7.1: no program shall answer this. */
static void
put_header(const struct notice *n, const struct words *w, struct buf *h)
{
	struct msg_field f;
	size_t start;

	buf_str(h, "Date: ");
	date_rfc5322(h, (int64_t)n->now_s, 0);
	buf_fmt(h, "\r\nFrom: Mail Delivery System <%.*s>\r\nTo: <%.*s>\r\n", SPAN_ARG(n->from),
	    SPAN_ARG(n->to));
	start = h->len;
	buf_str(h, "Subject:");
	if (span_is_ascii((struct span){w->title.s, w->title.len})) {
		put_words(h, start, (struct span){w->title.s, w->title.len}, false, false);
	} else {
		struct buf coded = BUF_INIT;

		addr_phrase((struct span){w->title.s, w->title.len}, &coded);
		put_words(h, start, (struct span){coded.s, coded.len}, false, false);
		buf_free(&coded);
	}
	buf_fmt(h, "\r\nMessage-ID: <%.*s@%.*s>\r\n", SPAN_ARG(n->id), SPAN_ARG(n->host));
	if (n->original.n > 0 && msg_find(n->original, "Message-ID", &f) &&
	    is_printable(span_trim(f.value))) {
		put_field(h, "In-Reply-To", "", span_trim(f.value), false);
		put_field(h, "References", "", span_trim(f.value), false);
	}
	buf_fmt(h, "Auto-Submitted: auto-replied\r\nX-Auto-Response-Suppress: All\r\n" MARK ": %.*s\r\n",
	    SPAN_ARG(n->from));
	if (n->last)
		buf_fmt(h, LAST ": %.*s\r\n", SPAN_ARG(n->from));
}

static void
put_boundary(struct buf *out, const struct notice *n, const char *tail)
{
	buf_fmt(out, "\r\n--=_%.*s%s\r\n", SPAN_ARG(n->id), tail);
}

void
notice_write(const struct notice *n, struct buf *header, struct buf *body)
{
	bool global = notice_is_global(n);
	struct words w = {.subject = BUF_INIT, .date = BUF_INIT, .until = BUF_INIT,
	    .recipients = BUF_INIT, .text = BUF_INIT, .title = BUF_INIT};

	write_words(n, &w);
	put_header(n, &w, header);
	buf_str(body, "This is a report in the format of RFC 3464.\r\n");
	put_boundary(body, n, "");
	buf_str(body, "Content-Description: Notification\r\n");
	put_text(body, "text/plain; charset=utf-8", (struct span){w.text.s, w.text.len});
	put_boundary(body, n, "");
	put_report(body, n, global);
	if (n->original.n > 0) {
		put_boundary(body, n, "");
		put_original_message(body, n, global);
	}
	put_boundary(body, n, "--");
	buf_fmt(header, "MIME-Version: 1.0\r\nContent-Type: multipart/report; "
	    "report-type=%sdelivery-status;\r\n boundary=\"=_%.*s\"\r\n%s\r\n",
	    global ? "global-" : "", SPAN_ARG(n->id),
	    span_is_ascii((struct span){body->s, body->len}) ? "" : "Content-Transfer-Encoding: 8bit\r\n");
	free_words(&w);
}
