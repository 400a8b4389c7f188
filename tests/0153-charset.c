/* charset.h: text of other people's charsets as UTF-8.  The bytes are those of Python's codecs. */
#include "charset.h"
#include "htmltext.h"
#include "tap.h"

static void
known(void)
{
	static const struct {
		const char *what;
		struct span charset, text;
		const char *want; /* NULL: it is no business of this module */
	} rows[] = {
	    {"ISO-2022-JP", {B("iso-2022-jp")}, {B("\33$B8+$D$+$j$^$;$s\33(B.")}, "見つかりません."},
	    {"ISO-2022-JP is known by its escapes", {B("us-ascii")}, {B("\33$BIT\33(B")}, "不"},
	    {"and where nothing is said", {B("")}, {B("\33$BIT\33(B")}, "不"},
	    {"but not in UTF-8", {B("utf-8")}, {B("\33$BIT\33(B")}, NULL},
	    {"Shift_JIS", {B("Shift_JIS")}, {B("\x8c\xa9")}, "見"},
	    {"GB2312", {B("gb2312")}, {B("\xb2\xbb\xb4\xe6\xd4\xda")}, "不存在"},
	    {"GB2312, more than that has", {B("GB2312")}, {B("\x81\x30\x81\x30")}, "\xc2\x80"},
	    {"Big5", {B("big5")}, {B("\xa4\xa3")}, "不"},
	    {"KOI8-R", {B("KOI8-R")}, {B("\xce\xc5 \xce\xc1\xca\xc4\xc5\xce")}, "не найден"},
	    {"Windows-1251", {B("windows-1251")}, {B("\xed\xe5")}, "не"},
	    {"ISO 8859-2", {B("iso-8859-2")}, {B("pe\xb3na")}, "pełna"},
	    {"KOI8-U", {B("koi8-u")}, {B("a\xce")}, "aн"},
	    {"half a character at the end", {B("gb18030")}, {B("a\xb2")}, "a\xef\xbf\xbd"},
	    {"a character that is none", {B("euc-jp")}, {B("a\xffz")}, "a\xef\xbf\xbdz"},
	    {"ASCII is not touched", {B("gb2312")}, {B("user unknown")}, NULL},
	    {"nor what nobody writes mail in", {B("iso-2022-cn-ext")}, {B("\xb2\xbb")}, NULL},
	    {"nor Latin-1", {B("iso-8859-1")}, {B("\xfc")}, NULL},
	    {"nor nothing", {B("koi8-r")}, {B("")}, NULL},
	    {"nor a name that goes on", {B("koi8-r//translit")}, {B("\xce")}, NULL},
	};
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool yes;

		buf_cut(&b, 0);
		buf_add(&b, "+", 1);
		yes = charset_utf8(rows[i].charset, rows[i].text, &b);
		ok(yes == (rows[i].want != NULL), "%s", rows[i].what);
		is_str(b.s + 1, rows[i].want ? rows[i].want : "", rows[i].what);
	}
	buf_free(&b);
}

/* Longer than what is asked of iconv(3) at a time, and broken at each place. */
static void
long_text(void)
{
	struct buf in = BUF_INIT, out = BUF_INIT;
	size_t bad = 0;

	for (size_t i = 0; i < 5000; i++)
		buf_add(&in, i % 3 ? "\xb2\xbb" : "a\xff", 2);
	charset_utf8(SPAN("gbk"), (struct span){in.s, in.len}, &out);
	for (size_t i = 0; i + 2 < out.len; i++)
		bad += memcmp(out.s + i, "\xef\xbf\xbd", 3) == 0;
	is_num((long)bad, 1667, "each bad byte of a long text is one U+FFFD");
	ok(utf8_valid((struct span){out.s, out.len}), "and what comes of it is UTF-8");
	buf_free(&in);
	buf_free(&out);
}

static void
html(void)
{
	ok(html_has_tags(SPAN("<html>")), "a tag");
	ok(html_has_tags(SPAN("x\n</p >")), "an end tag");
	ok(html_has_tags(SPAN("<!doctype html>")), "a declaration");
	ok(!html_has_tags(SPAN("Sorry.\n<ann@example.org>:\n5 < 6")), "an address is none");
	ok(!html_has_tags(SPAN("a <")), "nor is the end");
	ok(!html_has_tags(SPAN("")), "nor nothing");
}

int
main(void)
{
	known();
	long_text();
	html();
	return tap_done();
}
