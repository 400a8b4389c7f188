#include "mime.h"

#include "b64.h"
#include "cfws.h"
#include "hex.h"
#include "msg.h"

#include <stdint.h>
#include <string.h>

#define QP_LINE_MAX 76 /* RFC 2045 6.7 (5), the final "=" counted */
#define B64_LINE_MAX 76 /* RFC 2045 6.8 */
#define OUT_MAX 65536  /* gathered before it is emitted */

enum kind { LEAF, MULTIPART, MESSAGE, SEALED, RIGID };
enum coding { PLAIN, BINARY, QUOTED, BASE64, OTHER };

struct shorten {
	bool seven; /* it is bytes over 127 that are encoded, not long lines */
	int (*emit)(void *arg, const void *p, size_t n, struct err *e);
	void *arg;
	struct buf out;
};

struct entity {
	struct span header;
	struct span body; /* with the empty line before it */
	enum kind kind;
	enum coding coding;
	struct buf boundary;
	bool digest; /* its parts are messages unless they say otherwise, RFC 2046 5.1.5 */
};

static int shorten(struct shorten *s, struct span text, unsigned depth, bool whole, bool digest,
    struct err *e);

static bool
has_eight(struct span text)
{
	uint64_t eight = 0, word;
	size_t i = 0;

	for (; i + sizeof word <= text.n && !eight; i += sizeof word) {
		memcpy(&word, text.p + i, sizeof word);
		eight = word & 0x8080808080808080u;
	}
	for (; i < text.n; i++)
		eight |= (unsigned char)text.p[i] & 0x80;
	return eight != 0;
}

static bool
has_long_line(struct span text)
{
	const char *p = text.p, *end = text.p + text.n;

	while ((size_t)(end - p) > MSG_LINE_MAX) {
		size_t look = (size_t)(end - p) < MSG_LINE_MAX + 2 ? (size_t)(end - p) : MSG_LINE_MAX + 2;
		const char *lf = memrchr(p, '\n', look);

		if (!lf)
			return true;
		p = lf + 1;
	}
	return false;
}

static bool
needs(const struct shorten *s, struct span text)
{
	return s->seven ? has_eight(text) : has_long_line(text);
}

/* It is in that part, and there it has to stay. */
static int
cannot(const struct shorten *s, const char *where, struct err *e)
{
	if (s->seven)
		return err_set(e, EX_DATAERR, "8-bit content %s", where);
	return err_set(e, EX_DATAERR, "line over %d bytes %s", MSG_LINE_MAX, where);
}

/* --- out */

static int
flush(struct shorten *s, struct err *e)
{
	int rc = s->out.len ? s->emit(s->arg, s->out.s, s->out.len, e) : 0;

	buf_cut(&s->out, 0);
	return rc;
}

static int
put(struct shorten *s, struct span text, struct err *e)
{
	int rc = 0;

	if (s->out.len + text.n > OUT_MAX)
		rc = flush(s, e);
	if (!rc && text.n > OUT_MAX)
		return s->emit(s->arg, text.p, text.n, e);
	buf_add(&s->out, text.p, text.n);
	return rc;
}

/* --- Content-Type and Content-Transfer-Encoding, RFC 2045 5 and 6 */

static bool
is_token(int c)
{
	return c > ' ' && c < 127 && !strchr("()<>@,;:\\\"/[]?=", c);
}

static bool
is_white(int c)
{
	return is_space(c) || c == '\r' || c == '\n';
}

static void
param_value(struct cur *c, struct buf *out)
{
	struct span token;

	buf_cut(out, 0);
	if (!cur_ch(c, '"')) {
		token = cur_while(c, is_token);
		buf_add(out, token.p, token.n);
		return;
	}
	while (!cur_end(c) && !cur_ch(c, '"')) {
		if (cur_peek(c) == '\\' && c->p + 1 < c->end)
			c->p++;
		if (*c->p != '\r' && *c->p != '\n')
			buf_ch(out, *c->p);
		c->p++;
	}
}

static void
find_boundary(struct cur *c, struct buf *out)
{
	while (cfws(c), cur_ch(c, ';')) {
		struct span name;

		cfws(c);
		name = cur_while(c, is_token);
		cfws(c);
		if (!cur_ch(c, '='))
			break;
		cfws(c);
		param_value(c, out);
		if (span_ieq(name, SPAN("boundary")))
			return;
	}
	buf_cut(out, 0);
}

static void
read_type(struct entity *t, struct span value)
{
	struct cur c = cur_span(value);
	struct span type, sub;

	cfws(&c);
	type = cur_while(&c, is_token);
	cfws(&c);
	cur_ch(&c, '/');
	cfws(&c);
	sub = cur_while(&c, is_token);
	t->kind = LEAF;
	if (span_ieq(type, SPAN("multipart"))) {
		t->kind = MULTIPART;
		if (span_ieq(sub, SPAN("signed")) || span_ieq(sub, SPAN("encrypted")))
			t->kind = SEALED;
		t->digest = span_ieq(sub, SPAN("digest"));
		find_boundary(&c, &t->boundary);
	} else if (span_ieq(type, SPAN("message"))) {
		bool inner = span_ieq(sub, SPAN("rfc822")) || span_ieq(sub, SPAN("global"));

		t->kind = inner ? MESSAGE : RIGID;
	}
}

static enum coding
read_coding(struct span value)
{
	struct cur c = cur_span(value);
	struct span word;

	cfws(&c);
	word = cur_while(&c, is_token);
	if (span_ieq(word, SPAN("7bit")) || span_ieq(word, SPAN("8bit")) || word.n == 0)
		return PLAIN;
	if (span_ieq(word, SPAN("binary")))
		return BINARY;
	if (span_ieq(word, SPAN("quoted-printable")))
		return QUOTED;
	return span_ieq(word, SPAN("base64")) ? BASE64 : OTHER;
}

static int
read_entity(const struct shorten *s, struct entity *t, struct span text, bool digest, struct err *e)
{
	struct cur c = cur_span(text);
	struct msg_field f;
	bool bad, typed = false, coded = false; /* of fields that stand twice the first counts */

	*t = (struct entity){.kind = digest ? MESSAGE : LEAF, .coding = PLAIN, .boundary = BUF_INIT};
	while (msg_field(&c, &f, &bad)) {
		if (!typed && span_ieq(f.name, SPAN("Content-Type"))) {
			read_type(t, f.value);
			typed = true;
		} else if (!coded && span_ieq(f.name, SPAN("Content-Transfer-Encoding"))) {
			t->coding = read_coding(f.value);
			coded = true;
		}
	}
	t->header = (struct span){text.p, (size_t)(c.p - text.p)};
	t->body = cur_rest(&c);
	if (bad && s->seven && has_eight(t->body))
		return cannot(s, "in a part with a malformed header", e);
	if (s->seven)
		return 0;
	if (bad)
		return err_set(e, EX_DATAERR, "line too long in a part with a malformed header");
	if (has_long_line(t->header))
		return err_set(e, EX_DATAERR, "header line over %d bytes", MSG_LINE_MAX);
	return 0;
}

/* --- leaves */

static void
qp_byte(struct buf *out, unsigned char c)
{
	static const char hex[] = "0123456789ABCDEF";
	char enc[3] = {'=', hex[c >> 4], hex[c & 15]};

	buf_add(out, enc, 3);
}

/* RFC 2045 6.7.  Only CRLF is a line break; any other CR or LF is data. */
static int
qp_encode(struct shorten *s, struct span body, struct err *e)
{
	const char *p = body.p, *end = body.p + body.n;
	size_t col = 0;
	int rc = 0;

	while (p < end && !rc) {
		unsigned char c = (unsigned char)*p;
		bool last = p + 1 == end || (end - p >= 3 && p[1] == '\r' && p[2] == '\n');
		bool plain = (c > ' ' && c < 127 && c != '=') || (is_space(c) && !last);
		size_t width = plain ? 1 : 3;

		if (c == '\r' && end - p >= 2 && p[1] == '\n') {
			buf_add(&s->out, "\r\n", 2);
			p += 2;
			col = 0;
			continue;
		}
		if (col + width > (last ? QP_LINE_MAX : QP_LINE_MAX - 1)) {
			buf_add(&s->out, "=\r\n", 3);
			col = 0;
		}
		if (plain)
			buf_ch(&s->out, (char)c);
		else
			qp_byte(&s->out, c);
		col += width;
		p++;
		if (s->out.len > OUT_MAX)
			rc = flush(s, e);
	}
	return rc;
}

/* Long lines of what is encoded already: soft line breaks between its characters, or for base64
 * a line break anywhere.  Bytes over 127 are nothing there: as quoted-printable they stay what they
 * were taken for, decoders of base64 pass over them (RFC 2045 6.8). */
static int
wrap(struct shorten *s, struct span body, enum coding coding, struct err *e)
{
	size_t max = coding == QUOTED ? QP_LINE_MAX - 1 : B64_LINE_MAX, col = 0;
	struct cur c = cur_span(body);
	int rc = 0;

	while (!cur_end(&c) && !rc) {
		bool eight = s->seven && (unsigned char)*c.p > 127;
		size_t n = 1, width;

		if (eight && coding == BASE64) {
			c.p++;
			continue;
		}
		if (coding == QUOTED && *c.p == '=' && c.end - c.p >= 3 && hex_byte(c.p + 1) >= 0)
			n = 3;
		if (*c.p == '\r' && c.end - c.p >= 2 && c.p[1] == '\n') {
			n = 2;
			col = 0;
		} else {
			width = eight ? 3 : n;
			if (col + width > max) {
				buf_str(&s->out, coding == QUOTED ? "=\r\n" : "\r\n");
				col = 0;
			}
			col += width;
		}
		if (eight)
			qp_byte(&s->out, (unsigned char)*c.p);
		else
			buf_add(&s->out, c.p, n);
		c.p += n;
		if (s->out.len > OUT_MAX)
			rc = flush(s, e);
	}
	return rc;
}

/* RFC 2045 6.8, in whole lines; the empty line before a body stays. */
static int
base64_encode(struct shorten *s, struct span body, struct err *e)
{
	struct cur c = cur_span(body);
	int rc = 0;

	if (cur_ch(&c, '\r'))
		buf_ch(&s->out, '\r');
	if (cur_ch(&c, '\n'))
		buf_ch(&s->out, '\n');
	while (!cur_end(&c) && !rc) {
		struct span line = cur_take(&c, B64_LINE_MAX / 4 * 3);

		b64_encode(&s->out, line.p, line.n);
		buf_add(&s->out, "\r\n", 2);
		if (s->out.len > OUT_MAX)
			rc = flush(s, e);
	}
	return rc;
}

/* Text of mostly other letters is shorter as base64, and nobody could read it as quoted-printable either. */
static bool
mostly_eight(struct span body)
{
	size_t n = 0;

	for (size_t i = 0; i < body.n; i++)
		n += (unsigned char)body.p[i] > 127;
	return n > body.n / 4;
}

/* The header of a part whose coding changes: a leaf is quoted-printable or base64 now, what has parts 7bit,
 * if it said anything else. */
static void
new_header(struct shorten *s, struct span header, const char *word, bool whole, bool composite)
{
	struct cur c = cur_span(header);
	struct msg_field f;
	bool bad, said = false;

	if (whole && !msg_find(header, "MIME-Version", &f))
		buf_str(&s->out, "MIME-Version: 1.0\r\n");
	while (msg_field(&c, &f, &bad)) {
		bool is = span_ieq(f.name, SPAN("Content-Transfer-Encoding"));

		if (!is)
			buf_add(&s->out, f.whole.p, f.whole.n);
		else if (!said)
			buf_fmt(&s->out, "Content-Transfer-Encoding: %s\r\n", word);
		said |= is;
	}
	if (!said && !composite)
		buf_fmt(&s->out, "Content-Transfer-Encoding: %s\r\n", word);
}

/* Of a multipart or a message that is walked. */
static int
outer_header(struct shorten *s, const struct entity *t, struct err *e)
{
	if (!s->seven)
		return put(s, t->header, e);
	new_header(s, t->header, "7bit", false, true);
	return 0;
}

static int
shorten_leaf(struct shorten *s, const struct entity *t, bool whole, struct err *e)
{
	bool base64 = t->coding == BINARY || (s->seven && mostly_eight(t->body));
	int rc;

	if (t->coding == OTHER || (t->coding == BINARY && !s->seven))
		return cannot(s, "in a part encoded in an odd way", e);
	if (t->coding == QUOTED || t->coding == BASE64) {
		rc = put(s, t->header, e);
		return rc ? rc : wrap(s, t->body, t->coding, e);
	}
	new_header(s, t->header, base64 ? "base64" : "quoted-printable", whole, false);
	return base64 ? base64_encode(s, t->body, e) : qp_encode(s, t->body, e);
}

/* --- multiparts, RFC 2046 5.1 */

/* Whether the line is this boundary's delimiter; *closing: the last one. */
static bool
is_delimiter(struct span line, const struct buf *boundary, bool *closing)
{
	struct cur c = cur_span(line);

	if (c.end - c.p < (ptrdiff_t)(2 + boundary->len) || memcmp(c.p, "--", 2) != 0 ||
	    memcmp(c.p + 2, boundary->s, boundary->len) != 0)
		return false;
	c.p += 2 + boundary->len;
	*closing = cur_lit(&c, "--");
	cur_while(&c, is_white); /* transport padding */
	return cur_end(&c);
}

/* Text between two delimiters: before the first one and behind the closing one it is nobody's. */
static int
between(struct shorten *s, struct span text, bool part, const struct entity *t, unsigned depth,
    struct err *e)
{
	if (part)
		return shorten(s, text, depth + 1, false, t->digest, e);
	if (!needs(s, text))
		return put(s, text, e);
	if (!s->seven)
		return cannot(s, "outside the parts of a multipart", e);
	/* RFC 2046 5.1.1: it is to be ignored. */
	for (size_t i = 0; i < text.n; i++)
		buf_ch(&s->out, (unsigned char)text.p[i] > 127 ? '?' : text.p[i]);
	return 0;
}

static int
shorten_multipart(struct shorten *s, const struct entity *t, unsigned depth, struct err *e)
{
	struct cur c = cur_span(t->body);
	const char *start = c.p;
	bool part = false, over = false;
	int rc = outer_header(s, t, e);

	while (!cur_end(&c) && !rc) {
		const char *at = c.p, *stop;
		struct span line = cur_until(&c, '\n');
		bool closing = false;

		cur_ch(&c, '\n');
		if (over || !is_delimiter(line, &t->boundary, &closing))
			continue;
		/* The CRLF before a delimiter belongs to it. */
		stop = at - start >= 2 && at[-2] == '\r' ? at - 2 : at;
		rc = between(s, (struct span){start, (size_t)(stop - start)}, part, t, depth, e);
		if (!rc)
			rc = between(s, (struct span){stop, (size_t)(c.p - stop)}, false, t, depth, e);
		start = c.p;
		part = !closing;
		over = closing;
	}
	if (!rc && s->seven && start == t->body.p) /* to be ignored it is not: it is all there is */
		rc = cannot(s, "in a multipart without its boundary", e);
	if (!rc)
		rc = between(s, (struct span){start, (size_t)(c.end - start)}, part, t, depth, e);
	return rc;
}

static int
shorten_message(struct shorten *s, const struct entity *t, unsigned depth, struct err *e)
{
	struct cur c = cur_span(t->body);
	const char *start = c.p;
	int rc = outer_header(s, t, e);

	cur_ch(&c, '\r');
	cur_ch(&c, '\n');
	if (!rc)
		rc = put(s, (struct span){start, (size_t)(c.p - start)}, e);
	return rc ? rc : shorten(s, cur_rest(&c), depth + 1, true, false, e);
}

/* whole: a message, not a part of one. */
static int
shorten(struct shorten *s, struct span text, unsigned depth, bool whole, bool digest,
    struct err *e)
{
	struct entity t;
	int rc;

	if (!needs(s, text))
		return put(s, text, e);
	if (depth > MIME_DEPTH_MAX)
		return err_set(e, EX_DATAERR, "parts nested over %d deep", MIME_DEPTH_MAX);
	rc = read_entity(s, &t, text, digest, e);
	if (rc)
		;
	else if (s->seven && !has_eight(t.body)) /* in a header alone: it stays as it is */
		rc = put(s, text, e);
	else if (t.kind == LEAF)
		rc = shorten_leaf(s, &t, whole, e);
	else if (t.kind == SEALED)
		rc = cannot(s, "in a signed or encrypted part", e);
	else if (t.kind == RIGID || !(t.coding == PLAIN || (s->seven && t.coding == BINARY)) ||
	    (t.kind == MULTIPART && (t.boundary.len == 0 ||
	    (s->seven && has_eight((struct span){t.boundary.s, t.boundary.len})))))
		rc = cannot(s, "in a part that cannot be encoded", e);
	else if (t.kind == MULTIPART)
		rc = shorten_multipart(s, &t, depth, e);
	else
		rc = shorten_message(s, &t, depth, e);
	buf_free(&t.boundary);
	return rc;
}

static int
run(bool seven, struct span message, int (*emit)(void *arg, const void *p, size_t n, struct err *e),
    void *arg, struct err *e)
{
	struct shorten s = {seven, emit, arg, BUF_INIT};
	int rc = shorten(&s, message, 0, true, false, e);

	if (!rc)
		rc = flush(&s, e);
	buf_free(&s.out);
	return rc;
}

int
mime_shorten(struct span message, int (*emit)(void *arg, const void *p, size_t n, struct err *e),
    void *arg, struct err *e)
{
	return run(false, message, emit, arg, e);
}

int
mime_seven(struct span message, int (*emit)(void *arg, const void *p, size_t n, struct err *e),
    void *arg, struct err *e)
{
	return run(true, message, emit, arg, e);
}
