/* idn: examples of RFC 3492, RFC 5891 and what the registries have. */
#include "idn.h"

#include "tap.h"

#define L63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"

static const struct {
	const char *in;
	size_t n;
	const char *want; /* NULL: refused */
} asciis[] = {
    {B("Example.COM"), "example.com"},
    {B("example.com."), "example.com"},
    {B("my_host.example"), "my_host.example"},
    {B("[IPv6:2001:DB8::1]"), "[ipv6:2001:db8::1]"},
    {B("b\xc3\xbc" "cher.example"), "xn--bcher-kva.example"},
    {B("B\xc3\x9c" "CHER.example"), "xn--bcher-kva.example"},
    {B("XN--BCHER-KVA.example"), "xn--bcher-kva.example"},
    {B("fa\xc3\x9f.example"), "xn--fa-hia.example"}, /* non-transitional: not "fass" */
    {B("\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88"), "xn--r8jz45g.xn--zckzah"},
    {B("\xe4\xbe\x8b\xe3\x81\x88\xe3\x80\x82\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88"), "xn--r8jz45g.xn--zckzah"},
    {B("u\xcc\x88" "ber.example"), "xn--ber-goa.example"}, /* decomposed: NFC first */
    {B(L63 "." L63 "." L63 "." "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffg"),
        L63 "." L63 "." L63 ".aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffg"},
    {B(""), NULL},
    {B("."), NULL},
    {B("a..b"), NULL},
    {B(".a"), NULL},
    {B("a.."), NULL},
    {B("a b"), NULL},
    {B("a\0b"), NULL},
    {B("a\r\n"), NULL},
    {B("b\xfc" "cher.example"), NULL},
    {B("b\xc3\xbc" "cher\0.example"), NULL},
    {B("\xe2\x84\x80.example"), NULL}, /* U+2100 maps to "a/c" */
    {B("\xc3\xbc..example"), NULL},
    {B("\xe2\x98\x83\xcc\x88.-\xc3\xbc-"), NULL},
    {B(L63 "q.example"), NULL},
    {B(L63 "." L63 "." L63 "." "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgg"), NULL},
};

static void
test_ascii(void)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof asciis / sizeof asciis[0]; i++) {
		struct span in = {asciis[i].in, asciis[i].n};
		int rc;

		buf_cut(&b, 0);
		buf_str(&b, "x.");
		rc = idn_to_ascii(in, &b, &e);
		is_num(rc, asciis[i].want ? 0 : EX_DATAERR, asciis[i].want ? asciis[i].want : "refused");
		is_str(b.s + 2, asciis[i].want ? asciis[i].want : "", "what is appended");
	}
	is_num(idn_to_ascii(SPAN("a..b"), &b, &e), EX_DATAERR, "an empty label");
	is_str(err_text(&e), "domain \"a..b\": it has a dot with nothing before or behind it", "said so");
	buf_free(&b);
	err_free(&e);
}

int
main(void)
{
	test_ascii();
	return tap_done();
}
