/* xtext: RFC 3461 4. */
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

int
main(void)
{
	test_encode();
	test_bad();
	return tap_done();
}
