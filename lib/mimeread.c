#include "mimeread.h"

#include "eight.h"
#include "hex.h"
#include "msg.h"
#include "readable.h"

#include <stdlib.h>
#include <string.h>

#define OUT_BLOCK 4096 /* decoded bytes are gathered up to here */

enum coding { IDENTITY, QUOTED, BASE64 };

struct level { /* a multipart that is open */
	struct buf boundary;
	unsigned depth, messages;
	bool digest;
};

struct mimeread {
	struct mimeread_sink sink;
	struct buf pending;  /* a line whose end has not come */
	struct buf header;   /* of the entity at hand */
	struct buf type, charset, name, report, boundary, value, out;
	struct level levels[MIMEREAD_DEPTH];
	unsigned open;       /* of levels */
	unsigned depth, messages, parts;
	enum coding coding;
	bool in_header, message, digest, wanted, cut, was_cut;
	bool begun;          /* the header has a line */
	bool piece;          /* in the middle of a long line */
	unsigned quad, bits; /* base64 */
	bool ended;          /* base64: "=" has come */
};

struct mimeread *
mimeread_new(const struct mimeread_sink *sink)
{
	struct mimeread *m = mem_alloc(sizeof *m);
	struct buf *bufs[] = {&m->pending, &m->header, &m->type, &m->charset, &m->name, &m->report,
	    &m->boundary, &m->value, &m->out};

	for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
		*bufs[i] = (struct buf)BUF_INIT;
	for (size_t i = 0; i < MIMEREAD_DEPTH; i++)
		m->levels[i].boundary = (struct buf)BUF_INIT;
	m->sink = *sink;
	m->in_header = m->message = true;
	return m;
}

void
mimeread_del(struct mimeread *m)
{
	if (!m)
		return;
	buf_free(&m->pending);
	buf_free(&m->header);
	buf_free(&m->type);
	buf_free(&m->charset);
	buf_free(&m->name);
	buf_free(&m->report);
	buf_free(&m->boundary);
	buf_free(&m->value);
	buf_free(&m->out);
	for (size_t i = 0; i < MIMEREAD_DEPTH; i++)
		buf_free(&m->levels[i].boundary);
	free(m);
}

/* --- content out */

static void
flush(struct mimeread *m)
{
	if (m->out.len > 0)
		m->sink.data(m->sink.arg, (struct span){m->out.s, m->out.len});
	buf_cut(&m->out, 0);
}

static void
put(struct mimeread *m, const char *p, size_t n)
{
	if (n >= OUT_BLOCK) { /* large enough as it is */
		flush(m);
		m->sink.data(m->sink.arg, (struct span){p, n});
		return;
	}
	buf_add(&m->out, p, n);
	if (m->out.len >= OUT_BLOCK)
		flush(m);
}

static void
put_base64(struct mimeread *m, struct span line)
{
	for (size_t i = 0; i < line.n && !m->ended; i++) {
		int c = (unsigned char)line.p[i], v;

		if (c >= 'A' && c <= 'Z')
			v = c - 'A';
		else if (c >= 'a' && c <= 'z')
			v = c - 'a' + 26;
		else if (is_digit(c))
			v = c - '0' + 52;
		else if (c == '+' || c == '/')
			v = c == '+' ? 62 : 63;
		else {
			m->ended = c == '=';
			continue; /* RFC 2045 6.8: all else is passed over */
		}
		m->quad = (m->quad << 6 | (unsigned)v) & 0xffff;
		m->bits += 6;
		if (m->bits >= 8) {
			char byte;

			m->bits -= 8;
			byte = (char)(m->quad >> m->bits & 0xff);
			if (byte != '\r') /* LF line ends */
				put(m, &byte, 1);
		}
	}
	/* Concatenated pieces each have their padding. */
	if (m->ended && line.n > 0) {
		m->ended = false;
		m->bits = 0;
	}
}

/* RFC 2045 6.7.  "=" before anything but two digits stays as it is. */
static void
put_quoted(struct mimeread *m, struct span line, bool whole)
{
	bool soft = false;

	while (whole && line.n > 0 && is_space((unsigned char)line.p[line.n - 1]))
		line.n--;
	for (size_t i = 0; i < line.n; i++) {
		const char *coded = memchr(line.p + i, '=', line.n - i);
		size_t plain = coded ? (size_t)(coded - line.p) - i : line.n - i;
		int byte;

		put(m, line.p + i, plain);
		i += plain;
		if (i >= line.n)
			break;
		if (i + 1 == line.n && whole) {
			soft = true;
			break;
		}
		byte = i + 2 < line.n ? hex_byte(line.p + i + 1) : -1;
		i += byte < 0 ? 0 : 2;
		if (byte < 0)
			put(m, "=", 1);
		else if (byte != '\r')
			put(m, &(char){(char)byte}, 1);
	}
	if (whole && !soft)
		put(m, "\n", 1);
}

static void
content(struct mimeread *m, struct span line, bool whole)
{
	if (!m->wanted)
		return;
	if (m->coding == BASE64)
		put_base64(m, line);
	else if (m->coding == QUOTED)
		put_quoted(m, line, whole);
	else {
		put(m, line.p, line.n);
		if (whole)
			put(m, "\n", 1);
	}
}

/* --- the header of an entity */

static bool
is_token(int c)
{
	static const bool not[256] = {['('] = 1, [')'] = 1, ['<'] = 1, ['>'] = 1, ['@'] = 1, [','] = 1,
	    [';'] = 1, [':'] = 1, ['\\'] = 1, ['"'] = 1, ['/'] = 1, ['['] = 1, [']'] = 1, ['?'] = 1,
	    ['='] = 1, [127] = 1};

	return c > ' ' && !not[c & 255];
}

static void
skip_white(struct cur *c) /* and comments */
{
	unsigned nested = 0;

	for (; !cur_end(c); c->p++) {
		int ch = cur_peek(c);

		if (ch == '(')
			nested++;
		else if (nested > 0 && ch == ')')
			nested--;
		else if (nested > 0 && ch == '\\' && c->p + 1 < c->end)
			c->p++;
		else if (nested == 0 && !is_space(ch) && ch != '\n' && ch != '\r')
			return;
	}
}

/* A value in quotes or without; blanks inside and other bytes that no token has are taken too. */
static void
parameter(struct cur *c, struct buf *out)
{
	buf_cut(out, 0);
	if (!cur_ch(c, '"')) {
		while (!cur_end(c) && *c->p != ';' && *c->p != '\n' && !is_space(cur_peek(c)))
			buf_ch(out, *c->p++);
		return;
	}
	while (!cur_end(c) && !cur_ch(c, '"')) {
		if (*c->p == '\\' && c->p + 1 < c->end)
			c->p++;
		if (*c->p != '\n' && *c->p != '\r')
			buf_ch(out, *c->p);
		c->p++;
	}
}

struct wanted {
	struct span name;
	struct buf *out;
};

/* Behind the next ";" that stands in no comment and no quotes. */
static bool
next_parameter(struct cur *c)
{
	while (!cur_end(c)) {
		if (*c->p == '(')
			skip_white(c);
		else if (cur_ch(c, ';'))
			return true;
		else if (cur_ch(c, '"')) {
			while (!cur_end(c) && !cur_ch(c, '"'))
				c->p += *c->p == '\\' && c->p + 1 < c->end ? 2 : 1;
		} else
			c->p++;
	}
	return false;
}

static void
parameters(struct cur *c, const struct wanted *w, size_t n, struct buf *value)
{
	while (next_parameter(c)) {
		struct span name;

		skip_white(c);
		name = cur_while(c, is_token);
		skip_white(c);
		if (!cur_ch(c, '='))
			continue;
		skip_white(c);
		parameter(c, value);
		for (size_t i = 0; i < n; i++)
			if (w[i].out->len == 0 && span_ieq(name, w[i].name))
				buf_add(w[i].out, value->s, value->len);
	}
}

static void
lower(struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		b->s[i] = (char)ascii_lower((unsigned char)b->s[i]);
}

static void
read_type(struct mimeread *m, struct span value)
{
	const struct wanted w[] = {{SPAN("boundary"), &m->boundary}, {SPAN("charset"), &m->charset},
	    {SPAN("name"), &m->name}, {SPAN("report-type"), &m->report}};
	struct cur c = cur_span(value);
	struct span type, sub;

	skip_white(&c);
	type = cur_while(&c, is_token);
	skip_white(&c);
	if (type.n > 0 && cur_ch(&c, '/')) {
		skip_white(&c);
		sub = cur_while(&c, is_token);
		buf_cut(&m->type, 0);
		buf_add(&m->type, type.p, type.n);
		buf_ch(&m->type, '/');
		buf_add(&m->type, sub.p, sub.n);
		lower(&m->type);
	}
	parameters(&c, w, sizeof w / sizeof *w, &m->value);
	lower(&m->report);
}

static enum coding
read_coding(struct span value)
{
	struct cur c = cur_span(value);
	struct span word;

	skip_white(&c);
	word = cur_while(&c, is_token);
	return span_ieq(word, SPAN("base64")) ? BASE64 :
	    span_ieq(word, SPAN("quoted-printable")) ? QUOTED : IDENTITY;
}

/* The fields that matter; returns whether it is an attachment. */
static bool
read_fields(struct mimeread *m)
{
	struct cur c = cur_of(m->header.s, m->header.len), v;
	struct msg_field f;
	bool bad, typed = false, attachment = false;

	buf_cut(&m->type, 0);
	buf_cut(&m->charset, 0);
	buf_cut(&m->name, 0);
	buf_cut(&m->report, 0);
	buf_cut(&m->boundary, 0);
	buf_str(&m->type, m->digest ? "message/rfc822" : "text/plain");
	m->coding = IDENTITY;
	while (!cur_end(&c)) {
		/* Folded lines begin with a blank, so what matters begins a line with this letter. */
		if (ascii_lower(cur_peek(&c)) != 'c' || !msg_field(&c, &f, &bad)) {
			cur_until(&c, '\n');
			cur_ch(&c, '\n');
			continue;
		}
		if (!typed && span_ieq(f.name, SPAN("content-type"))) {
			read_type(m, f.value);
			typed = true;
		} else if (span_ieq(f.name, SPAN("content-transfer-encoding")))
			m->coding = read_coding(f.value);
		else if (span_ieq(f.name, SPAN("content-disposition"))) {
			const struct wanted w = {SPAN("filename"), &m->name};

			v = cur_span(f.value);
			skip_white(&v);
			attachment = cur_lit(&v, "attachment");
			parameters(&v, &w, 1, &m->value);
		}
	}
	return attachment;
}

static bool
is_type(const struct mimeread *m, const char *type)
{
	return strcmp(m->type.s, type) == 0;
}

static void begin(struct mimeread *m, unsigned depth, unsigned messages, bool message, bool digest);

static enum mimeread_kind
kind_of(struct mimeread *m)
{
	bool deep = m->depth + 1 >= MIMEREAD_DEPTH || m->open >= MIMEREAD_DEPTH;

	if (strncmp(m->type.s, "multipart/", 10) == 0 && m->boundary.len > 0 &&
	    m->boundary.len <= MIMEREAD_BOUNDARY_MAX) {
		m->cut |= deep;
		return deep ? MIMEREAD_LEAF : MIMEREAD_MULTIPART;
	}
	if ((is_type(m, "message/rfc822") || is_type(m, "message/global")) && m->coding == IDENTITY) {
		m->cut |= deep;
		return deep ? MIMEREAD_LEAF : MIMEREAD_MESSAGE;
	}
	return MIMEREAD_LEAF;
}

/* The header is complete: says so, and goes on to what the entity is. */
static void
announce(struct mimeread *m)
{
	struct mimeread_part p = {.depth = m->depth, .messages = m->messages, .message = m->message};
	struct level *l;

	m->in_header = false;
	p.attachment = read_fields(m);
	p.kind = kind_of(m);
	p.header = (struct span){m->header.s, m->header.len};
	p.type = (struct span){m->type.s, m->type.len};
	p.charset = (struct span){m->charset.s, m->charset.len};
	p.name = (struct span){m->name.s, m->name.len};
	p.report = (struct span){m->report.s, m->report.len};
	m->quad = m->bits = 0;
	m->ended = false;
	m->wanted = false;
	if (m->parts >= MIMEREAD_PARTS)
		m->cut = true;
	else {
		m->parts++;
		m->wanted = m->sink.part(m->sink.arg, &p);
	}
	if (p.kind == MIMEREAD_MULTIPART) {
		m->coding = IDENTITY; /* RFC 2045 6.4: its preamble has none */
		l = &m->levels[m->open++];
		buf_cut(&l->boundary, 0);
		buf_add(&l->boundary, m->boundary.s, m->boundary.len);
		l->depth = m->depth;
		l->messages = m->messages;
		l->digest = is_type(m, "multipart/digest");
	} else if (p.kind == MIMEREAD_MESSAGE)
		begin(m, m->depth + 1, m->messages + 1, true, false);
}

static void
begin(struct mimeread *m, unsigned depth, unsigned messages, bool message, bool digest)
{
	m->depth = depth;
	m->messages = messages;
	m->message = message;
	m->digest = digest;
	m->in_header = true;
	m->begun = false;
	buf_cut(&m->header, 0);
}

/* --- lines */

/* Whether the line is a boundary of an open multipart: all inside of that one is over. */
static bool
boundary_line(struct mimeread *m, struct span line)
{
	for (unsigned i = m->open; i-- > 0;) {
		const struct level *l = &m->levels[i];
		struct span rest = {line.p + 2, line.n - 2};
		bool last;

		if (rest.n < l->boundary.len || memcmp(rest.p, l->boundary.s, l->boundary.len) != 0)
			continue;
		rest.p += l->boundary.len;
		rest.n -= l->boundary.len;
		last = rest.n >= 2 && rest.p[0] == '-' && rest.p[1] == '-';
		if (last)
			rest = (struct span){rest.p + 2, rest.n - 2};
		if (span_trim(rest).n > 0) /* RFC 2046 5.1.1 lets only white space follow */
			continue;
		flush(m);
		if (m->in_header)
			announce(m);
		m->open = last ? i : i + 1;
		m->wanted = false;
		m->in_header = false;
		if (!last)
			begin(m, l->depth + 1, l->messages, false, l->digest);
		return true;
	}
	return false;
}

static void
header_line(struct mimeread *m, struct span line, bool first, bool whole)
{
	if (first && line.n == 0) {
		/* Empty lines and the line of an mbox in front of a message are no header yet. */
		if (m->message && !m->begun)
			return;
		announce(m);
		return;
	}
	if (first && m->message && !m->begun) {
		struct cur c = cur_span(line);

		cur_ch(&c, '>');
		if (cur_lit(&c, "From "))
			return;
	}
	m->begun = true;
	if (m->header.len + line.n + 1 > MIMEREAD_HEADER_MAX) {
		m->cut = true;
		return;
	}
	buf_add(&m->header, line.p, line.n);
	if (whole)
		buf_ch(&m->header, '\n');
}

/* whole: with its end; else a piece of a long one. */
static void
take_line(struct mimeread *m, struct span line, bool whole)
{
	bool first = !m->piece;

	m->piece = !whole;
	if (first && line.n > 2 && line.p[0] == '-' && line.p[1] == '-' && m->open > 0 &&
	    boundary_line(m, line))
		return;
	if (m->in_header)
		header_line(m, line, first, whole);
	else
		content(m, line, whole);
}

/* The first line end in p; lf and cr: the first LF and CR in it, if any.  False: there is none, or what follows
 * decides (and it may follow). */
static bool
line_end(const char *p, size_t n, const char *lf, const char *cr, bool last, size_t *len, size_t *taken)
{
	size_t to = lf ? (size_t)(lf - p) : n;
	size_t at;

	if (!cr || (size_t)(cr - p) >= to) {
		*len = to;
		*taken = to + 1;
		return lf != NULL;
	}
	at = (size_t)(cr - p);
	if (!last && n - at < 3 && !lf)
		return false; /* LF or CR LF may come */
	*len = at;
	*taken = at + 1;
	if (n - at > 1 && p[at + 1] == '\n')
		*taken = at + 2;
	else if (n - at > 2 && p[at + 1] == '\r' && p[at + 2] == '\n')
		*taken = at + 3;
	return true;
}

/* The next of a byte from p on: looked for once, not at each of a million lines that have none. */
static const char *
next_byte(const char *known, int byte, const char *p, const char *end)
{
	return !known || known >= p ? known : p < end ? memchr(p, byte, (size_t)(end - p)) : NULL;
}

/* Whole lines in front of p that end in LF alone and of which none can be a boundary or end a header: they are
 * taken at once; returns how many bytes they are. */
static size_t
take_run(struct mimeread *m, const char *p, const char *end)
{
	const char *at = p, *lf;
	size_t n;

	if (m->piece || (m->in_header ? !m->begun : m->wanted && m->coding != IDENTITY))
		return 0;
	if (m->in_header && (size_t)(end - p) > MIMEREAD_HEADER_MAX - m->header.len)
		end = p + (MIMEREAD_HEADER_MAX - m->header.len);
	if (!m->in_header && m->open == 0)
		at = (lf = memrchr(p, '\n', (size_t)(end - p))) ? lf + 1 : p;
	else
		while (at < end && *at != '-' && !(m->in_header && *at == '\n') &&
		    (lf = memchr(at, '\n', (size_t)(end - at))))
			at = lf + 1;
	n = (size_t)(at - p);
	if (m->in_header)
		buf_add(&m->header, p, n);
	else if (m->wanted)
		put(m, p, n);
	return n;
}

/* All whole lines of p; returns how many bytes were used. */
static size_t
take_lines(struct mimeread *m, const char *p, size_t n, bool last)
{
	const char *lf = n > 0 ? memchr(p, '\n', n) : NULL, *cr = n > 0 ? memchr(p, '\r', n) : NULL;
	size_t at = 0, len, taken;

	while (at < n && line_end(p + at, n - at, lf, cr, last, &len, &taken)) {
		size_t run = lf && (!cr || lf < cr) ? take_run(m, p + at, cr ? cr : p + n) : 0;

		if (run == 0)
			take_line(m, (struct span){p + at, len}, true);
		at += run > 0 ? run : taken;
		lf = next_byte(lf, '\n', p + at, p + n);
		cr = next_byte(cr, '\r', p + at, p + n);
	}
	return at;
}

void
mimeread_feed(struct mimeread *m, struct span piece)
{
	size_t used;

	if (m->pending.len == 0) {
		used = take_lines(m, piece.p, piece.n, false);
		piece.p += used;
		piece.n -= used;
	}
	while (piece.n > 0) {
		size_t n = piece.n < MIMEREAD_LINE_MAX ? piece.n : MIMEREAD_LINE_MAX;

		buf_add(&m->pending, piece.p, n);
		piece.p += n;
		piece.n -= n;
		used = take_lines(m, m->pending.s, m->pending.len, false);
		buf_drop(&m->pending, used);
		if (m->pending.len > MIMEREAD_LINE_MAX) {
			size_t keep = m->pending.s[m->pending.len - 1] == '\r' ? 2 : 0;

			take_line(m, (struct span){m->pending.s, m->pending.len - keep}, false);
			buf_drop(&m->pending, m->pending.len - keep);
		}
	}
}

void
mimeread_end(struct mimeread *m)
{
	size_t used = take_lines(m, m->pending.s, m->pending.len, true);

	if (m->pending.len > used)
		take_line(m, (struct span){m->pending.s + used, m->pending.len - used}, true);
	else if (m->piece)
		take_line(m, (struct span){"", 0}, true);
	while (m->in_header) /* a message whose header is all there is; it may hold another */
		if (!m->begun && m->message && m->depth > 0)
			m->in_header = false;
		else
			announce(m);
	flush(m);
	buf_cut(&m->pending, 0);
	m->was_cut = m->cut;
	m->cut = m->wanted = m->piece = false;
	m->open = m->parts = 0;
	begin(m, 0, 0, true, false);
}

bool
mimeread_cut(const struct mimeread *m)
{
	return m->was_cut;
}

/* --- text */

/* "=?" charset "?" encoding "?" text "?=" at the cursor, decoded. */
static bool
encoded_word(struct cur *c, mimeread_convert *to, struct buf *out)
{
	struct mimeread_sink none = {NULL, NULL, NULL};
	struct mimeread m = {.sink = none, .out = BUF_INIT};
	struct cur t = *c;
	struct span charset, text;
	int how;

	if (!cur_lit(&t, "=?"))
		return false;
	charset = cur_until(&t, '?');
	if (!cur_ch(&t, '?') || cur_end(&t) || charset.n == 0)
		return false;
	how = ascii_lower((unsigned char)*t.p++);
	if ((how != 'b' && how != 'q') || !cur_ch(&t, '?'))
		return false;
	text = cur_until(&t, '?');
	if (!cur_lit(&t, "?=") || text.n > OUT_BLOCK / 2)
		return false;
	m.wanted = true;
	while (how == 'q' && text.n > 0) { /* "_" is a blank, "=5F" is not */
		struct cur q = cur_span(text);
		struct span run = cur_until(&q, '_');

		put_quoted(&m, run, false);
		if (cur_ch(&q, '_'))
			put(&m, " ", 1);
		text = cur_rest(&q);
	}
	if (how == 'b')
		put_base64(&m, text);
	text = (struct span){m.out.s, m.out.len};
	if (!to || !to(charset, text, out))
		readable_utf8(charset, text, out);
	buf_free(&m.out);
	*c = t;
	return true;
}

void
mimeread_words(struct span value, mimeread_convert *to, struct buf *out)
{
	struct cur c = cur_span(span_trim(value));

	while (!cur_end(&c)) {
		struct cur t = c;

		if (*c.p != '=' && *c.p != '\n' && *c.p != '\r') { /* most of it */
			for (; t.end - t.p >= 8; t.p += 8) {
				uint64_t x = eight_at(t.p);

				if (eight_are(x, '=') | eight_are(x, '\n') | eight_are(x, '\r'))
					break;
			}
			while (!cur_end(&t) && *t.p != '=' && *t.p != '\n' && *t.p != '\r')
				t.p++;
			buf_add(out, c.p, (size_t)(t.p - c.p));
			c = t;
			continue;
		}
		if (encoded_word(&c, to, out)) {
			/* RFC 2047 6.2: white space between two such is not shown. */
			for (t = c; !cur_end(&t) && (is_space(cur_peek(&t)) || *t.p == '\n' || *t.p == '\r');)
				t.p++;
			if (t.p > c.p && t.end - t.p > 1 && t.p[0] == '=' && t.p[1] == '?')
				c = t;
			continue;
		}
		if (*c.p == '\n' || *c.p == '\r') {
			while (!cur_end(&c) && (is_space(cur_peek(&c)) || *c.p == '\n' || *c.p == '\r'))
				c.p++;
			buf_ch(out, ' ');
			continue;
		}
		buf_ch(out, *c.p++);
	}
}
