#include "json.h"

#include <stddef.h>
#include <string.h>

/* A value stands before us when the last byte is none of the openers; no value ends in a blank,
 * so an object may follow other words on its line. */
static void
comma(struct buf *b)
{
	char last = b->len ? b->s[b->len - 1] : '\n';

	if (last != '{' && last != '[' && last != ':' && last != '\n' && last != ' ' &&
	    last != '\t')
		buf_ch(b, ',');
}

void
json_open(struct buf *b)
{
	comma(b);
	buf_ch(b, '{');
}

void
json_close(struct buf *b)
{
	buf_ch(b, '}');
}

void
json_key(struct buf *b, const char *key)
{
	size_t n = strlen(key);

	comma(b);
	buf_room(b, n + 3); /* once, for all of it */
	buf_ch(b, '"');
	buf_add(b, key, n);
	buf_add(b, "\":", 2);
}

void
json_obj(struct buf *b, const char *key)
{
	json_key(b, key);
	buf_ch(b, '{');
}

void
json_arr(struct buf *b, const char *key)
{
	json_key(b, key);
	buf_ch(b, '[');
}

void
json_arr_end(struct buf *b)
{
	buf_ch(b, ']');
}

static void
number(struct buf *b, uint64_t v, bool negative)
{
	if (negative)
		buf_ch(b, '-');
	buf_num(b, v);
}

void
json_num(struct buf *b, const char *key, int64_t value)
{
	json_key(b, key);
	number(b, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0);
}

void
json_item(struct buf *b, int64_t value)
{
	comma(b);
	number(b, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0);
}

void
json_ms(struct buf *b, const char *key, uint64_t us)
{
	unsigned part = (unsigned)(us % 1000);
	char point[4] = {'.', (char)('0' + part / 100), (char)('0' + part / 10 % 10),
	    (char)('0' + part % 10)};

	json_key(b, key);
	number(b, us / 1000, false);
	buf_add(b, point, sizeof point);
}

void
json_bool(struct buf *b, const char *key, bool value)
{
	json_key(b, key);
	buf_str(b, value ? "true" : "false");
}

void
json_str(struct buf *b, const char *key, struct span value)
{
	json_key(b, key);
	json_text(b, value);
}

void
json_maybe(struct buf *b, const char *key, struct span value)
{
	if (value.n > 0)
		json_str(b, key, value);
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

void
json_text(struct buf *b, struct span value)
{
	const unsigned char *p = (const unsigned char *)value.p;
	size_t i = 0;

	comma(b);
	buf_ch(b, '"');
	while (i < value.n) {
		size_t plain = i, len;

		while (plain < value.n && (unsigned)p[plain] - ' ' < 127 - ' ' && p[plain] != '"' &&
		    p[plain] != '\\')
			plain++;
		buf_add(b, p + i, plain - i);
		i = plain;
		if (i == value.n)
			break;
		if (p[i] < 0x80) {
			escaped(b, p[i++]);
			continue;
		}
		len = utf8_len(value.p + i, value.n - i);
		if (len == 0)
			buf_fmt(b, "\\\\x%02x", (unsigned)p[i++]);
		else if (len == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0)
			escaped(b, p[i + 1]); /* C1 controls: terminals obey them */
		else
			buf_add(b, p + i, len);
		i += len;
	}
	buf_ch(b, '"');
}
