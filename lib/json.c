#include "json.h"

#include "eight.h"

#include <stddef.h>
#include <string.h>

/* Behind these no value stands; none ends in a blank, so an object may follow other words on its line. */
static const bool opens[256] = {['{'] = true, ['['] = true, [':'] = true, ['\n'] = true, [' '] = true,
    ['\t'] = true};

/* Room for n bytes behind a comma, where one is needed, and a NUL: all of it is asked for once. */
static char *
begin(struct buf *b, size_t n)
{
	char *p = n + 1 < b->cap - b->len ? b->s + b->len : buf_room(b, n + 1);

	if (b->len > 0 && !opens[(unsigned char)p[-1]])
		*p++ = ',';
	return p;
}

static void
end(struct buf *b, char *p)
{
	*p = '\0';
	b->len = (size_t)(p - b->s);
}

void
json_open(struct buf *b)
{
	char *p = begin(b, 1);

	*p++ = '{';
	end(b, p);
}

void
json_close(struct buf *b)
{
	buf_ch(b, '}');
}

static char *
put_name(char *p, struct span key)
{
	*p++ = '"';
	memcpy(p, key.p, key.n);
	p += key.n;
	*p++ = '"';
	*p++ = ':';
	return p;
}

void
json_name(struct buf *b, struct span key)
{
	end(b, put_name(begin(b, key.n + 3), key));
}

void
json_arr_end(struct buf *b)
{
	buf_ch(b, ']');
}

void
json_digits(struct buf *b, int64_t value)
{
	if (value < 0)
		buf_ch(b, '-');
	buf_num(b, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void
json_item(struct buf *b, int64_t value)
{
	end(b, begin(b, 0));
	json_digits(b, value);
}

void
json_ms(struct buf *b, const char *key, uint64_t us)
{
	unsigned part = (unsigned)(us % 1000);
	char point[4] = {'.', (char)('0' + part / 100), (char)('0' + part / 10 % 10),
	    (char)('0' + part % 10)};

	json_key(b, key);
	buf_num(b, us / 1000);
	buf_add(b, point, sizeof point);
}

void
json_bool(struct buf *b, const char *key, bool value)
{
	json_key(b, key);
	buf_str(b, value ? "true" : "false");
}

static void
escaped(struct buf *b, unsigned char c)
{
	switch (c) {
	case '"': buf_str(b, "\\\""); break;
	case '\\': buf_str(b, "\\\\"); break;
	case '\n': buf_str(b, "\\n"); break;
	case '\r': buf_str(b, "\\r"); break;
	case '\t': buf_str(b, "\\t"); break;
	default: buf_fmt(b, "\\u%04x", (unsigned)c); break;
	}
}

/* Whether one of eight bytes cannot stand in a string as it is: RFC 8259 7, DEL, and what is not ASCII. */
static bool
has_odd(uint64_t x)
{
	return (eight_below(x, ' ') | eight_high(x) | eight_are(x, 127) | eight_are(x, '"') | eight_are(x, '\\')) != 0;
}

static bool
is_plain(char c)
{
	return (unsigned)(unsigned char)c - ' ' < 127 - ' ' && c != '"' && c != '\\';
}

/* How many bytes from p on go out as they are. */
static size_t
plain(const char *p, size_t n)
{
	size_t i = 0;

	for (; n - i >= 8; i += 8)
		if (has_odd(eight_at(p + i)))
			break;
	if (i > 0 && n - i < 8 && !has_odd(eight_at(p + n - 8))) /* the rest, with some of what was looked at */
		return n;
	while (i < n && is_plain(p[i]))
		i++;
	return i;
}

void
json_text(struct buf *b, struct span value)
{
	size_t i = plain(value.p, value.n), len;
	char *p = begin(b, i + 2);

	*p++ = '"';
	if (i > 0)
		memcpy(p, value.p, i);
	end(b, p + i);
	while (i < value.n) {
		unsigned char c = (unsigned char)value.p[i];

		len = utf8_len(value.p + i, value.n - i);
		if (c < 0x80)
			escaped(b, c);
		else if (len == 0)
			buf_fmt(b, "\\\\x%02x", (unsigned)c);
		else if (len == 2 && c == 0xc2 && (unsigned char)value.p[i + 1] < 0xa0)
			escaped(b, (unsigned char)value.p[i + 1]); /* C1 controls: terminals obey them */
		else
			buf_add(b, value.p + i, len);
		i += len > 0 ? len : 1;
		len = plain(value.p + i, value.n - i);
		buf_add(b, value.p + i, len);
		i += len;
	}
	buf_ch(b, '"');
}

void
json_pair(struct buf *b, struct span key, struct span value)
{
	char *p;

	if (plain(value.p, value.n) < value.n) {
		json_name(b, key);
		json_text(b, value);
		return;
	}
	p = put_name(begin(b, key.n + value.n + 5), key); /* as almost all are: in one go */
	*p++ = '"';
	if (value.n > 0)
		memcpy(p, value.p, value.n);
	p += value.n;
	*p++ = '"';
	end(b, p);
}
