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
