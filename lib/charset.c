#include "charset.h"

#include <errno.h>
#include <iconv.h>
#include <stddef.h>
#include <string.h>

#define ROOM 4096

/* As mail names them, and by which name the system is asked: what calls itself GB2312 has characters of its
 * successor, what calls itself Shift_JIS those that Microsoft added. */
static const struct known {
	const char *name, *system;
} known[] = {
    {"iso-2022-jp", "ISO-2022-JP"}, {"shift_jis", "CP932"}, {"shift-jis", "CP932"}, {"cp932", "CP932"},
    {"windows-31j", "CP932"}, {"x-sjis", "CP932"}, {"euc-jp", "EUC-JP"}, {"gb2312", "GB18030"},
    {"gbk", "GB18030"}, {"gb18030", "GB18030"}, {"cp936", "GB18030"}, {"x-gbk", "GB18030"},
    {"big5", "BIG5"}, {"euc-kr", "CP949"}, {"ks_c_5601-1987", "CP949"}, {"koi8-r", "KOI8-R"},
    {"koi8-u", "KOI8-U"}, {"windows-1250", "CP1250"}, {"windows-1251", "CP1251"},
    {"windows-1253", "CP1253"}, {"windows-1254", "CP1254"}, {"windows-1255", "CP1255"},
    {"windows-1256", "CP1256"}, {"windows-1257", "CP1257"}, {"iso-8859-2", "ISO-8859-2"},
    {"iso-8859-4", "ISO-8859-4"}, {"iso-8859-5", "ISO-8859-5"}, {"iso-8859-7", "ISO-8859-7"},
    {"iso-8859-9", "ISO-8859-9"}, {"iso-8859-13", "ISO-8859-13"}, {"iso-8859-15", "ISO-8859-15"},
    {"iso-8859-16", "ISO-8859-16"},
};

static const char *
system_name(struct span charset)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (span_ieq(charset, span_of(known[i].name)))
			return known[i].system;
	return NULL;
}

static bool
is_unicode(struct span charset)
{
	struct cur c = cur_span(charset);

	return cur_lit(&c, "utf-");
}

bool
charset_utf8(struct span charset, struct span text, struct buf *out)
{
	bool escapes = text.n > 0 && memchr(text.p, 27, text.n);
	char *in = (char *)(ptrdiff_t)text.p; /* iconv(3) does not write there */
	size_t left = text.n;
	const char *name;
	iconv_t cd;

	if (!escapes && span_is_ascii(text)) /* most of it */
		return false;
	/* Nobody else has escapes: RFC 1468, also where the charset is not told, as in a delivery status. */
	name = escapes && !is_unicode(charset) ? "ISO-2022-JP" : system_name(charset);
	if (!name)
		return false;
	cd = iconv_open("UTF-8", name);
	if (cd == (iconv_t)-1)
		return false;
	while (left > 0) {
		char *p = buf_room(out, ROOM), *start = p;
		size_t room = ROOM, n = iconv(cd, &in, &left, &p, &room);
		int why = errno;

		buf_grew(out, (size_t)(p - start));
		if (n != (size_t)-1 || why == E2BIG)
			continue;
		buf_add(out, "\xef\xbf\xbd", 3);
		if (left == 0)
			break;
		in++;
		left--;
	}
	iconv_close(cd);
	return true;
}
