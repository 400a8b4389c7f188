#include "xtext.h"

static bool
is_xchar(int c) /* RFC 3461 4: 33 to 126 without "+" and "=" */
{
	return c > ' ' && c < 127 && c != '+' && c != '=';
}

static int
hex_value(int c) /* capitals only: RFC 3461 4 */
{
	if (is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void
xtext_encode(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		int c = (unsigned char)text.p[i];

		if (is_xchar(c))
			buf_ch(out, (char)c);
		else
			buf_fmt(out, "+%02X", (unsigned)c);
	}
}

/* The next byte's value, -1 where there is no xchar and no hexchar. */
static int
xtext_byte(struct cur *c)
{
	int ch = cur_peek(c), high, low;

	if (is_xchar(ch)) {
		c->p++;
		return ch;
	}
	if (ch != '+' || c->end - c->p < 3)
		return -1;
	high = hex_value((unsigned char)c->p[1]);
	low = hex_value((unsigned char)c->p[2]);
	if (high < 0 || low < 0)
		return -1;
	c->p += 3;
	return high * 16 + low;
}

bool
xtext_decode(struct span text, struct buf *out)
{
	struct cur c = cur_span(text);
	size_t start = out->len;

	while (!cur_end(&c)) {
		int byte = xtext_byte(&c);

		if (byte < 0) {
			buf_cut(out, start);
			return false;
		}
		buf_ch(out, (char)byte);
	}
	return true;
}

bool
xtext_ok(struct span text)
{
	struct cur c = cur_span(text);

	while (!cur_end(&c))
		if (xtext_byte(&c) < 0)
			return false;
	return text.n > 0;
}

#define HEXPOINT_MAX 6 /* digits of U+10FFFF */

static bool
is_qchar(int c) /* RFC 6533 3 */
{
	return is_xchar(c) && c != '\\';
}

/* The code point of the n bytes that utf8_len() found good. */
static uint32_t
code_point(const char *p, size_t n)
{
	static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t v = (unsigned char)p[0] & lead[n];

	for (size_t i = 1; i < n; i++)
		v = v << 6 | ((unsigned char)p[i] & 0x3f);
	return v;
}

/* C0, DEL and C1: in nobody's address. */
static bool
is_control(uint32_t v)
{
	return v < ' ' || (v >= 127 && v < 0xa0);
}

bool
xtext_utf8_encode(struct span text, struct buf *out)
{
	size_t start = out->len;

	for (size_t i = 0, n; i < text.n; i += n) {
		uint32_t v;

		n = utf8_len(text.p + i, text.n - i);
		v = n ? code_point(text.p + i, n) : 0;
		if (is_control(v)) {
			buf_cut(out, start);
			return false;
		}
		if (is_qchar((int)v))
			buf_ch(out, (char)v);
		else
			buf_fmt(out, "\\x{%X}", (unsigned)v);
	}
	return true;
}

/* A code point as UTF-8; false for surrogates and past U+10FFFF. */
static bool
put_utf8(uint32_t v, struct buf *out)
{
	if (v >= 0x110000 || (v >= 0xd800 && v < 0xe000))
		return false;
	if (v < 0x80) {
		buf_ch(out, (char)v);
		return true;
	}
	if (v < 0x800) {
		buf_ch(out, (char)(0xc0 | v >> 6));
	} else {
		if (v < 0x10000) {
			buf_ch(out, (char)(0xe0 | v >> 12));
		} else {
			buf_ch(out, (char)(0xf0 | v >> 18));
			buf_ch(out, (char)(0x80 | (v >> 12 & 0x3f)));
		}
		buf_ch(out, (char)(0x80 | (v >> 6 & 0x3f)));
	}
	buf_ch(out, (char)(0x80 | (v & 0x3f)));
	return true;
}

/* EmbeddedUnicodeChar = "\x{" HEXPOINT "}": a QCHAR is never written so, nor a control. */
static bool
embedded_char(struct cur *c, struct buf *out)
{
	size_t digits = 0;
	uint32_t v = 0;

	/* cur_lit has no case, but "\X" is nothing. */
	if (!cur_ch(c, '\\') || !cur_ch(c, 'x') || !cur_ch(c, '{'))
		return false;
	for (; hex_value(cur_peek(c)) >= 0 && digits <= HEXPOINT_MAX; digits++)
		v = v << 4 | (uint32_t)hex_value((unsigned char)*c->p++);
	if (digits < 2 || digits > HEXPOINT_MAX || !cur_ch(c, '}') || is_control(v) ||
	    is_qchar((int)v))
		return false;
	return put_utf8(v, out);
}

bool
xtext_utf8_decode(struct span text, struct buf *out)
{
	struct cur c = cur_span(text);
	size_t start = out->len, n;

	while (!cur_end(&c)) {
		n = utf8_len(c.p, (size_t)(c.end - c.p));
		if (n > 0 && (is_qchar(cur_peek(&c)) || (n > 1 && !is_control(code_point(c.p, n))))) {
			buf_add(out, c.p, n);
			c.p += n;
		} else if (!embedded_char(&c, out)) {
			buf_cut(out, start);
			return false;
		}
	}
	return true;
}
