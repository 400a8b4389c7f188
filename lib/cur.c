#include "cur.h"

#include "eight.h"

#include <string.h>

#define ALWAYS_FITS 19 /* digits in 64 bits */

bool
span_same(const char *a, const char *b, size_t n)
{
	size_t i = 0;

	for (; n - i >= 8; i += 8)
		if (eight_lower(eight_at(a + i)) != eight_lower(eight_at(b + i)))
			return false;
	for (; i < n; i++)
		if (ascii_lower((unsigned char)a[i]) != ascii_lower((unsigned char)b[i]))
			return false;
	return true;
}

bool
span_is_ascii(struct span s)
{
	size_t i = 0;

	while (i + 8 <= s.n && !eight_high(eight_at(s.p + i)))
		i += 8;
	while (i < s.n && (unsigned char)s.p[i] < 128)
		i++;
	return i == s.n;
}

bool
span_ends(struct span s, struct span tail)
{
	/* An empty tail first: an empty span may be NULL, and NULL + 0 is undefined. */
	return tail.n == 0 ||
	    (s.n >= tail.n && span_ieq((struct span){s.p + s.n - tail.n, tail.n}, tail));
}

void
span_lower(struct span s, char *to)
{
	size_t i = 0;

	for (; s.n - i >= 8; i += 8) {
		uint64_t x = eight_lower(eight_at(s.p + i));

		memcpy(to + i, &x, sizeof x);
	}
	for (; i < s.n; i++)
		to[i] = (char)ascii_lower((unsigned char)s.p[i]);
}

static bool
is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span
span_trim(struct span s)
{
	while (s.n > 0 && is_white(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_white(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct span
cur_take(struct cur *c, size_t n)
{
	size_t have = (size_t)(c->end - c->p);
	struct span s = {c->p, n < have ? n : have};

	c->p += s.n;
	return s;
}

struct span
cur_rest(const struct cur *c)
{
	return (struct span){c->p, (size_t)(c->end - c->p)};
}

bool
cur_line(struct cur *c, struct span *line)
{
	if (cur_end(c))
		return false;
	*line = cur_until(c, '\n');
	cur_ch(c, '\n');
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

bool
cur_u64(struct cur *c, uint64_t max, uint64_t *out)
{
	const char *p = c->p, *fits = c->end - p > ALWAYS_FITS ? p + ALWAYS_FITS : c->end;
	uint64_t v = 0;

	for (; p < fits && is_digit((unsigned char)*p); p++)
		v = v * 10 + (uint64_t)(*p - '0');
	for (; p < c->end && is_digit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	if (p == c->p || v > max)
		return false;
	*out = v;
	c->p = p;
	return true;
}

size_t
utf8_len(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4 || n < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and past U+10FFFF. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

bool
utf8_valid(struct span s)
{
	for (size_t i = 0, len; i < s.n; i += len) {
		len = 8;
		if (s.n - i >= len && !eight_high(eight_at(s.p + i))) /* most of it is ASCII */
			continue;
		len = utf8_len(s.p + i, s.n - i);
		if (len == 0)
			return false;
	}
	return true;
}
