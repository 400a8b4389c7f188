#include "readable.h"

#include <stdbool.h>
#include <string.h>

static void
utf8_put(struct buf *out, unsigned c)
{
	if (c < 0x80)
		buf_ch(out, (char)c);
	else if (c < 0x800) {
		buf_ch(out, (char)(0xc0 | c >> 6));
		buf_ch(out, (char)(0x80 | (c & 63)));
	} else {
		buf_ch(out, (char)(0xe0 | c >> 12));
		buf_ch(out, (char)(0x80 | (c >> 6 & 63)));
		buf_ch(out, (char)(0x80 | (c & 63)));
	}
}

/* Windows-1252; where ISO 8859-1 has controls this has quotes and dashes, which is what is meant. */
static void
from_latin(struct span text, struct buf *out)
{
	static const unsigned short high[32] = {0x20ac, 0xfffd, 0x201a, 0x192, 0x201e, 0x2026, 0x2020,
	    0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0xfffd, 0x17d, 0xfffd, 0xfffd, 0x2018,
	    0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153,
	    0xfffd, 0x17e, 0x178};

	for (size_t i = 0; i < text.n; i++) {
		unsigned c = (unsigned char)text.p[i];

		utf8_put(out, c >= 0x80 && c < 0xa0 ? high[c - 0x80] : c);
	}
}

/* ISO 2022: behind ESC "$" two bytes are a character, which look like ASCII and are none. */
static void
from_2022(struct span text, struct buf *out)
{
	bool wide = false;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == 27 && i + 2 < text.n) {
			wide = text.p[i + 1] == '$';
			if (wide)
				utf8_put(out, 0xfffd);
			i += 2;
		} else if (c == '\n') {
			wide = false; /* each line begins in ASCII, RFC 1468 */
			buf_ch(out, c);
		} else if (!wide)
			buf_ch(out, c);
	}
}

static void
from_utf16(struct span text, bool little, struct buf *out)
{
	for (size_t i = 0; i + 1 < text.n; i += 2) {
		unsigned a = (unsigned char)text.p[i], b = (unsigned char)text.p[i + 1];
		unsigned c = little ? b << 8 | a : a << 8 | b;

		if (c == 0xfeff)
			continue;
		if (c == 0xfffe)
			little = !little;
		else
			utf8_put(out, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
	}
}

static bool
begins(struct span s, const char *with)
{
	struct cur c = cur_span(s);

	return cur_lit(&c, with);
}

void
readable_utf8(struct span charset, struct span text, struct buf *out)
{
	bool escapes = text.n > 0 && memchr(text.p, 27, text.n);

	if (begins(charset, "utf-16"))
		from_utf16(text, begins(charset, "utf-16le"), out);
	else if (begins(charset, "iso-2022") || (escapes && !begins(charset, "utf-8")))
		from_2022(text, out);
	else if ((begins(charset, "iso-8859-1") || begins(charset, "windows-1252")) &&
	    !utf8_valid(text))
		from_latin(text, out);
	else
		buf_add(out, text.p, text.n);
}
