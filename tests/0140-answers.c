/* Names that are asked for, addresses turned round, and files of records. */
#include "answers.h"
#include "dnsmsg.h"
#include "zonetext.h"

#include "tap.h"

#include <stdlib.h>

struct heard {
	struct buf names;
};

static void
note(void *arg, const char *name, enum answers_type type, struct answers *out)
{
	struct heard *h = arg;

	buf_fmt(&h->names, "%s %s;", name, answers_type_name(type));
	out->says = ANSWERS_NODATA;
}

static void
ask_test(void)
{
	struct heard h = {BUF_INIT};
	struct asker from = {note, &h};
	struct answers a = ANSWERS_INIT;
	struct buf name = BUF_INIT;
	static const struct {
		const char *what;
		const char *p;
		size_t n;
		const char *heard;
	} t[] = {
	    {"a name", B("example.org"), "example.org TXT;"},
	    {"capitals and the last dot", B("Example.ORG."), "example.org TXT;"},
	    {"bytes that no host has", B("a b%_\x80.example"), "a b%_\x80.example TXT;"},
	    {"nothing", B(""), ""}, {"the root", B("."), ""}, {"an empty label", B("a..b"), ""},
	    {"a dot before", B(".a"), ""}, {"two dots behind", B("a.."), ""}, {"a NUL", B("a\0b"), ""},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		buf_cut(&h.names, 0);
		answers_ask(&from, (struct span){t[i].p, t[i].n}, ANSWERS_TXT, &a);
		is_str(h.names.s, t[i].heard, t[i].what);
		is_num(a.says, *t[i].heard ? ANSWERS_NODATA : ANSWERS_NXDOMAIN, "and what came of it");
	}
	for (size_t n = 62; n <= 64; n++) {
		buf_cut(&name, 0);
		buf_cut(&h.names, 0);
		while (name.len < n)
			buf_ch(&name, 'a');
		buf_str(&name, ".example");
		answers_ask(&from, (struct span){name.s, name.len}, ANSWERS_A, &a);
		ok((h.names.len > 0) == (n <= 63), "RFC 1035 2.3.4: a label of %zu bytes", n);
	}
	for (size_t n = 252; n <= 254; n++) {
		buf_cut(&name, 0);
		buf_cut(&h.names, 0);
		while (name.len < n)
			buf_ch(&name, name.len % 50 == 49 ? '.' : 'a');
		answers_ask(&from, (struct span){name.s, name.len}, ANSWERS_A, &a);
		ok((h.names.len > 0) == (n <= 253), "a name of %zu bytes", n);
	}
	answers_free(&a);
	buf_free(&name);
	buf_free(&h.names);
}

static void
reverse_test(void)
{
	static const struct {
		const char *addr, *zone, *want;
	} t[] = {
	    {"192.0.2.25", NULL, "25.2.0.192.in-addr.arpa"},
	    {"::ffff:192.0.2.25", NULL, "25.2.0.192.in-addr.arpa"},
	    {"192.0.2.25", "bl.example", "25.2.0.192.bl.example"},
	    /* RFC 3596 2.5 */
	    {"4321:0:1:2:3:4:567:89ab", NULL, "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0."
	     "1.2.3.4.ip6.arpa"},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct net_addr a;
		struct buf b = BUF_INIT;

		if (net_addr_parse(&a, span_of(t[i].addr), 0))
			answers_reverse(&a, t[i].zone, &b);
		is_str(b.s, t[i].want, t[i].addr);
		buf_free(&b);
	}
}

/* What the file says, in one line: SAYS [record ...] TTL. */
static void
say(enum zonetext_says says, enum answers_type type, const struct answers *a, struct buf *out)
{
	static const char *const words[] = {"answer", "cname", "listed", "unknown"};

	buf_str(out, words[says]);
	if (a->says != ANSWERS_SOME && says == ZONETEXT_ANSWER) {
		buf_str(out, ": ");
		answers_say(a, type, out);
	}
	for (size_t i = 0; i < a->n; i++) {
		const struct answers_record *r = &a->v[i];

		buf_fmt(out, " [");
		if (type == ANSWERS_MX && says == ZONETEXT_ANSWER)
			buf_fmt(out, "%u ", r->preference);
		if (r->addr.u.sa.sa_family)
			net_addr_text(&r->addr, out);
		if (r->n_strings)
			buf_fmt(out, "%zu:", r->n_strings);
		buf_add(out, r->text.s, r->text.len);
		buf_ch(out, ']');
	}
	if (a->n)
		buf_fmt(out, " %u", a->ttl_s);
}

static const char zone[] =
    "; a comment (with a bracket \"\n"
    "# another\r\n"
    "\n"
    "s._domainkey.Example.com. TXT \"v=DKIM1; \" \"p=\\\"\\065\\\\\" ; what it is\r\n"
    "long.example 3600 IN TXT ( \"a;b\"\n"
    "   \"c\" ) ; over two lines\n"
    "long.example IN 60 TXT \"second\"\n"
    "mail.example A 192.0.2.25\n"
    "mail.example aaaa 2001:db8::1\n"
    "mail.example A 192.0.2.26\n"
    "example MX 10 Mail.example.\n"
    "example MX 20 .\n"
    "192.0.2.25 PTR mail.example\n"
    "2001:db8::1 PTR six.example.\n"
    "www.example CNAME mail.example.\n"
    "a\\032b%c.example A 192.0.2.1\n"
    "gone.example NXDOMAIN\n"
    "bad.example SERVFAIL\n"
    "slow.example TIMEOUT\n"
    "slow.example A 192.0.2.9\n"
    "none.example NODATA\n"
    "empty.example TXT \"\"";

static void
find_test(void)
{
	static const struct {
		const char *name;
		enum answers_type type;
		const char *want;
	} t[] = {
	    {"s._domainkey.example.com", ANSWERS_TXT, "answer [2:v=DKIM1; p=\"A\\] 300"},
	    {"s._domainkey.example.com", ANSWERS_A, "listed"},
	    {"long.example", ANSWERS_TXT, "answer [2:a;bc] [1:second] 60"},
	    {"mail.example", ANSWERS_A, "answer [192.0.2.25] [192.0.2.26] 300"},
	    {"mail.example", ANSWERS_AAAA, "answer [2001:db8::1] 300"},
	    {"example", ANSWERS_MX, "answer [10 mail.example] [20 ] 300"},
	    {"25.2.0.192.in-addr.arpa", ANSWERS_PTR, "answer [mail.example] 300"},
	    {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", ANSWERS_PTR,
	     "answer [six.example] 300"},
	    {"www.example", ANSWERS_A, "cname [mail.example] 300"},
	    {"www.example", ANSWERS_CNAME, "answer [mail.example] 300"},
	    {"a b%c.example", ANSWERS_A, "answer [192.0.2.1] 300"},
	    {"gone.example", ANSWERS_TXT, "answer: does not exist"},
	    {"bad.example", ANSWERS_TXT, "answer: SERVFAIL"},
	    {"slow.example", ANSWERS_TXT, "answer: timed out"},
	    {"slow.example", ANSWERS_A, "answer [192.0.2.9] 300"},
	    {"none.example", ANSWERS_TXT, "answer: no TXT record"},
	    {"empty.example", ANSWERS_TXT, "answer [1:] 300"},
	    {"other.example", ANSWERS_TXT, "unknown"},
	};
	struct zonetext *z;
	struct err e = ERR_INIT;

	is_num(zonetext_parse(&z, SPAN(zone), "z", &e), 0, "a file");
	for (size_t i = 0; z && i < sizeof t / sizeof *t; i++) {
		struct answers a = ANSWERS_INIT;
		struct buf b = BUF_INIT;

		say(zonetext_find(z, t[i].name, t[i].type, &a), t[i].type, &a, &b);
		is_str(b.s, t[i].want, t[i].name);
		answers_free(&a);
		buf_free(&b);
	}
	zonetext_free(z);
	err_free(&e);
}

static void
bad_test(void)
{
	static const struct {
		const char *p;
		size_t n;
		const char *want;
	} t[] = {
	    {B("a TXT"), "z:1: TXT wants a string"},
	    {B("\n\na TXT v=DKIM1"), "z:3: TXT wants its strings in quotes"},
	    {B("a TXT \"x"), "z:1: a string without its second quote"},
	    {B("a TXT \"x\n\""), "z:1: a string without its second quote"},
	    {B("a TXT \"x\\"), "z:1: a backslash at the end of the line"},
	    {B("a TXT \"\\25\""), "z:1: a backslash wants three digits"},
	    {B("a TXT \"\\256\""), "z:1: \\256 is no byte"},
	    {B("a\n"), "z:1: \"\" is none of TXT, A, AAAA, MX, PTR, CNAME, NXDOMAIN, SERVFAIL, TIMEOUT, NODATA"},
	    {B("a 5 IN IN"), "z:1: \"IN\" is none of TXT, A, AAAA, MX, PTR, CNAME, NXDOMAIN, SERVFAIL, TIMEOUT, NODATA"},
	    {B("a SPF \"x\""), "z:1: \"SPF\" is none of TXT, A, AAAA, MX, PTR, CNAME, NXDOMAIN, SERVFAIL, TIMEOUT, NODATA"},
	    {B("a A 2001:db8::1"), "z:1: \"2001:db8::1\" is no IPv4 address"},
	    {B("a AAAA 192.0.2.1"), "z:1: \"192.0.2.1\" is no IPv6 address"},
	    {B("a A 192.0.2.1 192.0.2.2"), "z:1: A wants one word"},
	    {B("a A"), "z:1: A wants one word"},
	    {B("a MX mail"), "z:1: MX wants a preference and a host"},
	    {B("a MX 65536 mail"), "z:1: MX wants a preference of 0 to 65535"},
	    {B("a MX x mail"), "z:1: MX wants a preference of 0 to 65535"},
	    {B("a NXDOMAIN now"), "z:1: words behind the last one known"},
	    {B("$ORIGIN example."), "z:1: \"$ORIGIN\" is no complete name"},
	    {B("@ A 192.0.2.1"), "z:1: \"@\" is no complete name"},
	    {B("\"a\" A 192.0.2.1"), "z:1: \"a\" is no complete name"},
	    {B("a\\.b A 192.0.2.1"), "z:1: a dot or NUL inside a label"},
	    {B("a\0b A 192.0.2.1"), "z:1: a NUL in a name"},
	    {B("a TXT ( \"x\"\n\n"), "z:3: a \"(\" without its \")\""},
	    {B("a TXT \"x\" )"), "z:1: a \")\" without its \"(\""},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct zonetext *z;
		struct err e = ERR_INIT;

		is_num(zonetext_parse(&z, (struct span){t[i].p, t[i].n}, "z", &e), EX_DATAERR, t[i].want);
		is_str(err_text(&e), t[i].want, "in these words");
		zonetext_free(z);
		err_free(&e);
	}
}

/* By hand after RFC 1035 4.1: the question again, and one record. */
#define HEAD "\x12\x34\x81\x80\0\1\0\1\0\0\0\0\1a\7example\0"
static void
packet_test(void)
{
	static const struct {
		const char *what, *p;
		size_t n;
		enum answers_type type;
		const char *text;
		size_t text_n, n_strings;
	} t[] = {
	    {"TXT of three strings", B(HEAD "\0\20\0\1\xc0\x0c\0\20\0\1\0\0\1\x2c\0\11\3v=\0\0\3\\\"x"),
	     ANSWERS_TXT, B("v=\0\\\"x"), 3},
	    {"PTR", B(HEAD "\0\14\0\1\xc0\x0c\0\14\0\1\0\0\1\x2c\0\4\1M\xc0\x0e"), ANSWERS_PTR,
	     B("m.example"), 0},
	    {"CNAME", B(HEAD "\0\5\0\1\xc0\x0c\0\5\0\1\0\0\1\x2c\0\4\1b\xc0\x0e"), ANSWERS_CNAME,
	     B("b.example"), 0},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct dnsmsg_answer a;
		struct err e = ERR_INIT;

		is_num(dnsmsg_parse((struct span){t[i].p, t[i].n}, "a.example", (uint16_t)t[i].type, &a,
		    &e), 0, t[i].what);
		is_num((long long)a.is.n, 1, "one record");
		if (a.is.n == 1) {
			is_mem(a.is.v[0].text.s, a.is.v[0].text.len, t[i].text, t[i].text_n,
			    "with this text");
			is_num((long long)a.is.v[0].n_strings, (long long)t[i].n_strings, "of so many strings");
		}
		is_num(a.is.ttl_s, 300, "and its lifetime");
		dnsmsg_free(&a);
		err_free(&e);
	}
}

static void
query_test(void)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	is_num(dnsmsg_query(&b, "a\\b %.x", ANSWERS_TXT, 0x1234, false, &e), 0, "any byte may be asked for");
	is_mem(b.s, b.len, B("\x12\x34\1\40\0\1\0\0\0\0\0\0\5a\\b %\1x\0\0\20\0\1"), "as it is");
	is_num(dnsmsg_query(&b, "a..b", ANSWERS_TXT, 1, false, &e), EX_DATAERR, "an empty label may not");
	is_num(dnsmsg_query(&b, "", ANSWERS_TXT, 1, false, &e), EX_DATAERR, "nor nothing");
	buf_free(&b);
	err_free(&e);
}

int
main(void)
{
	ask_test();
	reverse_test();
	find_test();
	bad_test();
	packet_test();
	query_test();
	return tap_done();
}
