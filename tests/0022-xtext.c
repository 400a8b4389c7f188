/* xtext: RFC 3461 4, RFC 6533 3. */
#include "xtext.h"

#include "tap.h"

static void
test_encode(void)
{
	static const struct {
		const char *in;
		size_t n;
		const char *want;
	} rows[] = {
	    {B("Bob@Ivory.EDU"), "Bob@Ivory.EDU"}, /* RFC 3461 10.1 */
	    {B("a+b=c d"), "a+2Bb+3Dc+20d"},
	    {B("!~\x7f\x1f"), "!~+7F+1F"},
	    {B("\r\n\0"), "+0D+0A+00"},
	    {B("\xc3\xa9"), "+C3+A9"},
	    {B(""), ""},
	};
	struct buf b = BUF_INIT, back = BUF_INIT;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		buf_cut(&b, 0);
		buf_cut(&back, 0);
		xtext_encode((struct span){rows[i].in, rows[i].n}, &b);
		is_str(b.s, rows[i].want, rows[i].want);
		ok(xtext_decode((struct span){b.s, b.len}, &back), "and back");
		is_mem(back.s, back.len, rows[i].in, rows[i].n, "the same");
	}
	buf_free(&b);
	buf_free(&back);
}

static void
test_bad(void)
{
	static const struct {
		const char *in;
		size_t n;
	} rows[] = {{B("+")}, {B("a+2")}, {B("+2b")}, {B("+G0")}, {B("a=b")}, {B("a b")}, {B("a\r\n")},
	    {B("a\0")}, {B("\xc3\xa9")}, {B("\x7f")}};
	struct buf b = BUF_INIT;

	buf_str(&b, "kept");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct span s = {rows[i].in, rows[i].n};

		ok(!xtext_decode(s, &b) && !xtext_ok(s), "no xtext: row %zu", i);
		is_str(b.s, "kept", "nothing is left behind");
	}
	ok(!xtext_ok(SPAN("")), "a parameter's value is not empty");
	ok(xtext_ok(SPAN("rfc822;a+2Bb@x.test")), "an ORCPT");
	buf_free(&b);
}

static void
test_utf8(void)
{
	static const struct {
		const char *plain, *xtext;
	} rows[] = {
	    {"ann@x.test", "ann@x.test"},
	    {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x93\xa7@x.test", "\\x{E9}\\x{20AC}\\x{1F4E7}@x.test"},
	    {"\"a b\\\"+=\"@x.test", "\"a\\x{20}b\\x{5C}\"\\x{2B}\\x{3D}\"@x.test"},
	    {"\xc2\xa0\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
	        "\\x{A0}\\x{7FF}\\x{800}\\x{FFFF}\\x{10000}\\x{10FFFF}"},
	};
	static const char *const bad[] = {"\xc3", "\xff", "a\r", "\xc2\x9b", "\x7f"};
	static const char *const bad_xtext[] = {"a b", "a+2B", "a=b", "\\", "\\x", "\\x{}", "\\x{E9",
	    "\\x{e9}", "\\X{E9}", "\\x{41}", "\\x{9}", "\\x{0A}", "\\x{0D}", "\\x{00}", "\\x{7F}",
	    "\\x{9B}", "\\x{D800}", "\\x{DFFF}", "\\x{110000}", "\\x{1000000}", "\\x{100000000000000E9}",
	    "\xe9", "a\n"};
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		buf_cut(&b, 0);
		ok(xtext_utf8_encode(span_of(rows[i].plain), &b), "RFC 6533 3, row %zu", i);
		is_str(b.s, rows[i].xtext, "encoded");
		buf_cut(&b, 0);
		ok(xtext_utf8_decode(span_of(rows[i].xtext), &b), "read");
		is_str(b.s, rows[i].plain, "decoded");
	}
	buf_cut(&b, 0);
	ok(xtext_utf8_decode(SPAN("\xc3\xa9\\x{E9}"), &b), "unitext");
	is_str(b.s, "\xc3\xa9\xc3\xa9", "raw and embedded");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ok(!xtext_utf8_encode(span_of(bad[i]), &b), "no address: row %zu", i);
	ok(!xtext_utf8_encode(SPAN("a\0b"), &b), "no address: NUL");
	for (size_t i = 0; i < sizeof bad_xtext / sizeof bad_xtext[0]; i++)
		ok(!xtext_utf8_decode(span_of(bad_xtext[i]), &b), "no unitext: row %zu", i);
	is_str(b.s, "\xc3\xa9\xc3\xa9", "nothing is left behind");
	buf_free(&b);
}

int
main(void)
{
	test_encode();
	test_bad();
	test_utf8();
	return tap_done();
}
