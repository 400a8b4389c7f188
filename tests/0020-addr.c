/* addr: mailboxes, paths and lists.  Good and bad ones from RFC 5321, RFC 5322 appendix A,
 * RFC 6531 and the field. */
#include "addr.h"

#include "tap.h"

#define A60 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"
#define A62 A60 "gg"
#define L63 A62 "z"

static const struct {
	const char *what, *in;
	size_t n;
	const char *qualify, *want; /* want NULL: refused, error has text */
	const char *text;
} ones[] = {
    {"a mailbox", B("ann@example.com"), NULL, "ann@example.com", NULL},
    {"in angle brackets", B("<ann@example.com>"), NULL, "ann@example.com", NULL},
    {"blanks around it", B(" \tann@example.com "), NULL, "ann@example.com", NULL},
    {"a source route is dropped", B("<@a.example,@b.example:ann@example.com>"), NULL,
        "ann@example.com", NULL},
    {"every atext", B("!#$%&'*+-/=?^_`{|}~@x.example"), NULL, "!#$%&'*+-/=?^_`{|}~@x.example", NULL},
    {"RFC 3696: a quoted @", B("\"Abc@def\"@example.com"), NULL, "\"Abc@def\"@example.com", NULL},
    {"RFC 3696: a quoted blank", B("\"Fred Bloggs\"@example.com"), NULL,
        "\"Fred Bloggs\"@example.com", NULL},
    {"RFC 3696: a quoted backslash", B("\"Joe.\\\\Blow\"@example.com"), NULL,
        "\"Joe.\\\\Blow\"@example.com", NULL},
    {"the least quoting, RFC 5321 4.1.2", B("\"a\\nn\"@example.com"), NULL, "ann@example.com", NULL},
    {"an empty local part, quoted", B("\"\"@example.com"), NULL, "\"\"@example.com", NULL},
    {"a quote in a quoted one", B("\"a\\\"b\"@x.example"), NULL, "\"a\\\"b\"@x.example", NULL},
    {"dots side by side are quoted", B("a..b@x.example"), NULL, "\"a..b\"@x.example", NULL},
    {"a dot at the end is quoted", B("a.@x.example"), NULL, "\"a.\"@x.example", NULL},
    {"a dot at the beginning is quoted", B(".a@x.example"), NULL, "\".a\"@x.example", NULL},
    {"UTF-8", B("bj\xc3\xb6rn@b\xc3\xbc" "cher.example"), NULL,
        "bj\xc3\xb6rn@b\xc3\xbc" "cher.example", NULL},
    {"quoted UTF-8", B("\"bj\xc3\xb6rn b\"@x.example"), NULL, "\"bj\xc3\xb6rn b\"@x.example", NULL},
    {"an underscore in a domain", B("a@my_host.example"), NULL, "a@my_host.example", NULL},
    {"one dot at the end", B("a@x.example."), NULL, "a@x.example", NULL},
    {"one dot at the end, in brackets", B("<a@x.example.>"), NULL, "a@x.example", NULL},
    {"an IPv4 literal", B("a@[192.0.2.1]"), NULL, "a@[192.0.2.1]", NULL},
    {"an IPv6 literal", B("a@[IPv6:2001:db8::1]"), NULL, "a@[IPv6:2001:db8::1]", NULL},
    {"an IPv6 literal with IPv4", B("a@[ipv6:::ffff:192.0.2.1]"), NULL,
        "a@[ipv6:::ffff:192.0.2.1]", NULL},
    {"a bare name is qualified", B("root"), "host.example", "root@host.example", NULL},
    {"a bare quoted name", B("\"a b\""), "host.example", "\"a b\"@host.example", NULL},
    {"a local part of 64", B(A62 "hi@x.example"), NULL, A62 "hi@x.example", NULL},
    {"a local part of 64 with the quotes it needs", B(A60 "..@x.example"), NULL,
        "\"" A60 "..\"@x.example", NULL},
    {"a local part of 64 with its quotes", B("\"" A60 "..\"@x.example"), NULL,
        "\"" A60 "..\"@x.example", NULL},
    {"a label of 63", B("a@" L63 ".example"), NULL, "a@" L63 ".example", NULL},
    {"a domain of 255", B("a@" L63 "." L63 "." L63 "." L63), NULL,
        "a@" L63 "." L63 "." L63 "." L63, NULL},

    {"nothing", B(""), "h.example", NULL, "address \"\": it is empty"},
    {"null path", B("<>"), "h.example", NULL, "address \"<>\": it is empty"},
    {"a bare name, unqualified", B("root"), NULL, NULL, "address \"root\": it has no domain"},
    {"a bare name, empty domain", B("root"), "", NULL, "address \"root\": it has no domain"},
    {"two @", B("a@@b"), NULL, NULL, "address \"a@@b\": unexpected \"@\""},
    {"two @ apart", B("a@b@c"), NULL, NULL, "address \"a@b@c\": more than one \"@\""},
    {"no local part", B("@b.example"), NULL, NULL,
        "address \"@b.example\": nothing stands before the \"@\""},
    {"no domain", B("a@"), "h.example", NULL, "address \"a@\": no domain follows the \"@\""},
    {"a blank within", B("a b@c"), NULL, NULL, "address \"a b@c\": unexpected \" \""},
    {"two addresses", B("a@b.example,c@d.example"), NULL, NULL,
        "address \"a@b.example,c@d.example\": unexpected \",\""},
    {"brackets not closed", B("<a@b.example"), NULL, NULL,
        "address \"<a@b.example\": it ends too early"},
    {"text behind brackets", B("<a@b.example>x"), NULL, NULL,
        "address \"<a@b.example>x\": unexpected \"x\""},
    {"quotes not closed", B("\"a@b.example"), NULL, NULL,
        "address \"\"a@b.example\": the closing quote is missing"},
    {"an empty label", B("a@b..c"), NULL, NULL,
        "address \"a@b..c\": the domain has a dot with nothing before it"},
    {"two dots at the end", B("a@b.."), NULL, NULL,
        "address \"a@b..\": the domain has a dot with nothing before it"},
    {"a dot first", B("a@.b"), NULL, NULL,
        "address \"a@.b\": the domain has a dot with nothing before it"},
    {"a hyphen first", B("a@-b.example"), NULL, NULL,
        "address \"a@-b.example\": a label of the domain begins or ends with a hyphen"},
    {"a hyphen last", B("a@b-.example"), NULL, NULL,
        "address \"a@b-.example\": a label of the domain begins or ends with a hyphen"},
    {"an IPv4 address without brackets", B("a@192.0.2.1"), NULL, NULL,
        "address \"a@192.0.2.1\": a domain has more than digits; an IPv4 address is written like [192.0.2.1]"},
    {"a number", B("a@123"), NULL, NULL,
        "address \"a@123\": a domain has more than digits; an IPv4 address is written like [192.0.2.1]"},
    {"an IPv6 literal without its tag", B("a@[2001:db8::1]"), NULL, NULL,
        "address \"a@[2001:db8::1]\": an IPv6 address is written like [IPv6:2001:db8::1]"},
    {"an IPv4 literal out of range", B("a@[192.0.2.256]"), NULL, NULL,
        "address \"a@[192.0.2.256]\": an IPv4 address is written like [192.0.2.1]"},
    {"an IPv4 literal with NUL", B("a@[192.0.2.1\0]"), NULL, NULL,
        "address \"a@[192.0.2.1\": an IPv4 address is written like [192.0.2.1]"},
    {"a literal not closed", B("a@[192.0.2.1"), NULL, NULL,
        "address \"a@[192.0.2.1\": the closing bracket is missing"},
    {"CR", B("a\r@b.example"), NULL, NULL, "address \"a\r@b.example\": a control character (0x0d)"},
    {"LF at the end", B("a@b.example\n"), NULL, NULL,
        "address \"a@b.example\n\": a control character (0x0a)"},
    {"LF in quotes", B("\"a\nb\"@b.example"), NULL, NULL,
        "address \"\"a\nb\"@b.example\": a control character (0x0a)"},
    {"LF behind a backslash", B("\"a\\\nb\"@b.example"), NULL, NULL,
        "address \"\"a\\\nb\"@b.example\": a control character (0x0a)"},
    {"TAB in quotes", B("\"a\tb\"@b.example"), NULL, NULL,
        "address \"\"a\tb\"@b.example\": a control character (0x09)"},
    {"NUL", B("a\0@b.example"), NULL, NULL, "address \"a\": a control character (0x00)"},
    {"DEL", B("a\x7f@b.example"), NULL, NULL, "address \"a\x7f@b.example\": a control character (0x7f)"},
    {"Latin-1", B("bj\xf6rn@b.example"), NULL, NULL,
        "address \"bj\xf6rn@b.example\": a byte that is not UTF-8 text (0xf6)"},
    {"Latin-1 in the domain", B("a@b\xfc.example"), NULL, NULL,
        "address \"a@b\xfc.example\": a byte that is not UTF-8 text (0xfc)"},
    {"a C1 control", B("a\xc2\x9b@b.example"), NULL, NULL,
        "address \"a\xc2\x9b@b.example\": a byte that is not UTF-8 text (0xc2)"},
    {"UTF-8 cut short", B("a\xc3"), "h.example", NULL,
        "address \"a\xc3\": a byte that is not UTF-8 text (0xc3)"},
    {"a local part of 65", B(A62 "hij@x.example"), NULL, NULL,
        "address \"" A62 "hij@x.example\": the part before the \"@\" has 65 bytes, 64 are allowed"},
    {"a local part of 65 with the quotes it needs", B("." A62 "@x.example"), NULL, NULL,
        "address \"." A62 "@x.example\": the part before the \"@\" has 65 bytes with its quotes, "
        "64 are allowed"},
    {"a label of 64", B("a@" L63 "q.example"), NULL, NULL,
        "address \"a@" L63 "q.example\": a label of the domain has 64 bytes, 63 are allowed"},
    {"a domain of 257", B("a@" L63 "." L63 "." L63 "." L63 ".x"), NULL, NULL,
        "address \"a@" L63 ".aaaaaaaaaabbbb...\": the domain has 257 bytes, 255 are allowed"},
};

static void
test_one(void)
{
	struct err e = ERR_INIT;
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < sizeof ones / sizeof ones[0]; i++) {
		int rc;

		buf_cut(&out, 0);
		buf_str(&out, "kept ");
		err_free(&e);
		rc = addr_one((struct span){ones[i].in, ones[i].n}, ones[i].qualify, &out, &e);
		if (ones[i].want) {
			ok(rc == 0, "%s: taken", ones[i].what);
			is_str(out.s + 5, ones[i].want, ones[i].what);
		} else {
			ok(rc == EX_DATAERR && out.len == 5, "%s: refused", ones[i].what);
			is_str(err_text(&e), ones[i].text, ones[i].what);
		}
	}
	buf_free(&out);
	err_free(&e);
}

static int
collect(void *arg, struct span mailbox, struct err *e)
{
	struct buf *b = arg;

	if (span_eq(mailbox, SPAN("stop@x.example")))
		return err_set(e, EX_NOUSER, "stopped");
	if (b->len)
		buf_ch(b, ' ');
	buf_add(b, mailbox.p, mailbox.n);
	return 0;
}

static const struct {
	const char *what, *in, *want;
	int rc;
	const char *text;
} lists[] = {
    {"A.1.1", "Mary Smith <mary@example.net>", "mary@example.net", 0, ""},
    {"A.1.2 from", "\"Joe Q. Public\" <john.q.public@example.com>", "john.q.public@example.com", 0, ""},
    {"A.1.2 to", "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
        "mary@x.test jdoe@example.org one@y.test", 0, ""},
    {"A.1.2 cc", "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
        "boss@nil.test sysservices@example.net", 0, ""},
    {"A.1.3 to", "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
        "c@a.test joe@where.test jdoe@one.test", 0, ""},
    {"A.1.3 cc", "Undisclosed recipients:;", "", 0, ""},
    {"A.5 from", "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
        "pete@silly.test", 0, ""},
    {"A.5 to", "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n"
        "         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
        "c@public.example joe@example.org jdoe@one.test", 0, ""},
    {"A.5 cc", "(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", "", 0, ""},
    {"A.6.1", "Joe Q. Public <john.q.public@example.com>", "john.q.public@example.com", 0, ""},
    {"A.6.1 to", "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
        "mary@example.net jdoe@test.example", 0, ""},
    {"A.6.3", "John Doe <jdoe@machine(comment).  example>", "jdoe@machine.example", 0, ""},
    {"several hops, RFC 5322 4.4", "<,@a.test,,@b.test (x) :\r\n ann@example.net>",
        "ann@example.net", 0, ""},
    {"obs-local-part", "\"Joe\" . Q . \"Public\"@example.com", "Joe.Q.Public@example.com", 0, ""},
    {"quoted with blanks", "\"Joe Public\"@example.com", "\"Joe Public\"@example.com", 0, ""},
    {"quoted comma and colon", "\"a,b:c\" <d@x.test>, \"e;f\"@x.test", "d@x.test \"e;f\"@x.test", 0, ""},
    {"deep comment", "(((((a)(b)))))x(((\\()))@(((y)))z.test", "x@z.test", 0, ""},
    {"UTF-8", "J\xc3\xbcrgen <j\xc3\xbcrgen@b\xc3\xbc" "cher.test>",
        "j\xc3\xbcrgen@b\xc3\xbc" "cher.test", 0, ""},
    {"a Latin-1 name", "J\xfcrgen <j@x.test>", "j@x.test", 0, ""},
    {"an encoded name", "=?utf-8?Q?J=C3=BCrgen?= <j@x.test>", "j@x.test", 0, ""},
    {"an address as its own name", "ann@x.test <ann@x.test>", "ann@x.test", 0, ""},
    {"brackets in a name", "Ann [Sales] <ann@x.test>", "ann@x.test", 0, ""},
    {"literals", "a@[192.0.2.1], b@[ IPv6:2001:db8::1 ]", "a@[192.0.2.1] b@[IPv6:2001:db8::1]", 0, ""},
    {"bare names", "root, \"the boss\" , Postmaster <postmaster>",
        "root@h.test \"the boss\"@h.test postmaster@h.test", 0, ""},
    {"only commas", " , ,\r\n ,", "", 0, ""},
    {"nothing", "", "", 0, ""},
    {"a line end behind", "a@x.test\r\n", "a@x.test", 0, ""},
    {"a group without its end", "us: a@x.test, b@x.test", "a@x.test b@x.test", 0, ""},
    {"a group, then more", "us:a@x.test;,b@x.test", "a@x.test b@x.test", 0, ""},
    {"semicolons of Outlook", "a@x.test; b@x.test;", "a@x.test b@x.test", 0, ""},
    {"a dot at the end", "a@x.test., b@x.test", "a@x.test b@x.test", 0, ""},
    {"folding by LF", "a@x.test,\n b@x.test", "a@x.test b@x.test", 0, ""},

    {"no comma", "a@x.test b@x.test", "", EX_DATAERR,
        "address \"a@x.test b@x.test\": a comma is missing before \"b\""},
    {"two words", "a@x.test, John Smith", "a@x.test", EX_DATAERR,
        "address \"John Smith\": it has several words and no \"<\""},
    {"nothing in brackets", "Ann <>, b@x.test", "", EX_DATAERR,
        "address \"Ann <>\": nothing stands between \"<\" and \">\""},
    {"two @", "a@b@c, d@x.test", "", EX_DATAERR, "address \"a@b@c\": more than one \"@\""},
    {"no local part", "@x.test", "", EX_DATAERR,
        "address \"@x.test\": nothing stands before the \"@\""},
    {"no domain", "a@", "", EX_DATAERR, "address \"a@\": no domain follows the \"@\""},
    {"a comment not closed", "a@x.test (oh", "", EX_DATAERR,
        "address \"a@x.test (oh\": a \"(\" is never closed"},
    {"a comment ends in a backslash", "a@x.test (oh\\", "", EX_DATAERR,
        "address \"a@x.test (oh\\\": a \"(\" is never closed"},
    {"a quote not closed", "\"a, b@x.test", "", EX_DATAERR,
        "address \"\"a, b@x.test\": the closing quote is missing"},
    {"a quote ends in a backslash", "\"a\\", "", EX_DATAERR,
        "address \"\"a\\\": the closing quote is missing"},
    {"brackets not closed", "<a@x.test, b@x.test", "", EX_DATAERR,
        "address \"<a@x.test\": unexpected \",\""},
    {"a group in a group", "a: b: c@x.test;;", "", EX_DATAERR,
         "address \"b: c@x.test;;\": unexpected \":\""},
    {"a line end that folds nothing", "a@x.test,\r\nb@x.test", "a@x.test", EX_DATAERR,
        "address \"\r\nb@x.test\": a control character (0x0d)"},
    {"bare CR", "a\r@x.test", "", EX_DATAERR, "address \"a\r@x.test\": a control character (0x0d)"},
    {"a TAB in a local part", "\"a\tb\"@x.test", "", EX_DATAERR,
        "address \"\"a\tb\"@x.test\": a control character (0x09)"},
    {"the callback ends it", "a@x.test, stop@x.example, b@x.test", "a@x.test", EX_NOUSER, "stopped"},
};

static void
test_lists(void)
{
	struct err e = ERR_INIT;
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		int rc;

		buf_cut(&out, 0);
		err_free(&e);
		rc = addr_list(span_of(lists[i].in), "h.test", collect, &out, &e);
		is_num(rc, lists[i].rc, lists[i].what);
		is_str(out.s, lists[i].want, lists[i].what);
		is_str(err_text(&e), lists[i].text, lists[i].what);
	}
	buf_free(&out);
	err_free(&e);
}

static const struct {
	const char *in, *whole;
	int rc;
	bool null;
	const char *rest;
} paths[] = {
    {"<ann@x.test> SIZE=3", "ann@x.test", 0, false, " SIZE=3"},
    {"<>", "", 0, true, ""},
    {"<Postmaster>", "Postmaster", 0, false, ""},
    {"<@a.test,@b.test:ann@x.test>", "ann@x.test", 0, false, ""},
    {"<\"a>b\"@x.test>", "\"a>b\"@x.test", 0, false, ""},
    {"<ann@x.test.>", "ann@x.test", 0, false, ""},
    {"ann@x.test", "", EX_DATAERR, false, "ann@x.test"},
    {"<ann@x.test", "", EX_DATAERR, false, "<ann@x.test"},
    {"< ann@x.test>", "", EX_DATAERR, false, "< ann@x.test>"},
    {"<@a.test>", "", EX_DATAERR, false, "<@a.test>"},
    {"<@a.test:>", "", EX_DATAERR, false, "<@a.test:>"},
    {"<ann@x.test\r\nDATA>", "", EX_DATAERR, false, "<ann@x.test\r\nDATA>"},
};

static void
test_paths(void)
{
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		struct cur c = cur_span(span_of(paths[i].in));
		struct addr a = {0};
		bool null = false;

		ok(addr_path(&c, &a, &null, &e) == paths[i].rc, "path %zu", i);
		is_mem(a.whole.p, a.whole.n, paths[i].whole, strlen(paths[i].whole), "the mailbox");
		ok(null == paths[i].null, "null or not");
		is_mem(c.p, cur_rest(&c).n, paths[i].rest, strlen(paths[i].rest), "the cursor");
	}
	err_free(&e);
}

static void
test_long_path(void)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;

	for (int over = 0; over < 2; over++) {
		struct addr a;
		struct cur c;
		bool null;

		buf_cut(&b, 0);
		buf_str(&b, "<@x.test");
		while (b.len + 20 < ADDR_PATH_MAX)
			buf_str(&b, ",@y.test");
		buf_str(&b, ",@");
		while (b.len + 5 < ADDR_PATH_MAX + (size_t)over)
			buf_ch(&b, 'z');
		buf_str(&b, ":a@b>");
		c = cur_of(b.s, b.len);
		is_num(addr_path(&c, &a, &null, &e), over ? EX_DATAERR : 0,
		    over ? "a path of 999 bytes" : "a path of 998 bytes");
	}
	buf_free(&b);
	err_free(&e);
}

static void
test_mailbox(void)
{
	struct err e = ERR_INIT;
	struct cur c = cur_of(B("j\xc3\xb6@b\xc3\xbc.test. x"));
	struct addr a;

	is_num(addr_mailbox(&c, &a, &e), 0, "a mailbox and more");
	is_mem(a.local.p, a.local.n, B("j\xc3\xb6"), "local part");
	is_mem(a.domain.p, a.domain.n, B("b\xc3\xbc.test"), "domain");
	is_mem(a.whole.p, a.whole.n, B("j\xc3\xb6@b\xc3\xbc.test"), "whole");
	is_mem(c.p, cur_rest(&c).n, B(" x"), "the cursor stands behind it");
	ok(a.utf8 && a.utf8_domain, "UTF-8 in both");
	c = cur_of(B("ann@b\xc3\xbc.test"));
	ok(addr_mailbox(&c, &a, &e) == 0 && !a.utf8 && a.utf8_domain, "UTF-8 in the domain only");
	c = cur_of(B("\xc3\xb6"));
	ok(addr_mailbox(&c, &a, &e) == 0 && a.utf8 && !a.utf8_domain && a.domain.n == 0,
	    "UTF-8 in a bare name");
	err_free(&e);
}

static void
test_domain(void)
{
	static const char *const pairs[][2] = {{"a@b.test", "b.test"}, {"\"a@b\"@c.test", "c.test"},
	    {"\"a\\\"@b\"@c.test", "c.test"}, {"a@b@c", "c"}, {"a", ""}, {"", ""}, {"a@", ""},
	    {"\"a@b", ""}, {"a@[IPv6:::1]", "[IPv6:::1]"}};

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		struct span d = addr_domain(span_of(pairs[i][0]));

		is_mem(d.p, d.n, pairs[i][1], strlen(pairs[i][1]), pairs[i][0]);
	}
}

static void
test_phrase(void)
{
	static const struct {
		const char *in;
		size_t n;
		const char *want;
	} names[] = {
	    {B("Mary Smith"), "Mary Smith"},
	    {B("Joe Q. Public"), "\"Joe Q. Public\""},
	    {B("Giant; \"Big\" Box"), "\"Giant; \\\"Big\\\" Box\""},
	    {B("back\\slash"), "\"back\\\\slash\""},
	    {B(""), "\"\""},
	    {B(" a"), "\" a\""},
	    {B("a "), "\"a \""},
	    {B("a  b"), "\"a  b\""},
	    {B("a\r\nBcc: x"), "\"a  Bcc: x\""},
	    {B("a\0b"), "a b"},
	    {B("Andr\xc3\xa9"), "=?UTF-8?Q?Andr=C3=A9?="}, /* RFC 2047 8 has it in Latin-1 */
	    {B("J\xc3\xbcrgen M."), "=?UTF-8?Q?J=C3=BCrgen_M=2E?="},
	    {B("a\xff" "b\xc3"), "=?UTF-8?Q?a=EF=BF=BDb=EF=BF=BD?="},
	    /* 63 bytes of text fill a word; the next character begins another one. */
	    {B("\xc3\xa9" A62), "=?UTF-8?Q?=C3=A9" "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeefffffff"
	        "?= =?UTF-8?Q?fffgg?="},
	    {B("aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffff\xc3\xa9"),
	        "=?UTF-8?Q?aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffff"
	        "?= =?UTF-8?Q?=C3=A9?="},
	};
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		buf_cut(&out, 0);
		addr_phrase((struct span){names[i].in, names[i].n}, &out);
		is_str(out.s, names[i].want, names[i].want);
	}
	buf_free(&out);
}

int
main(void)
{
	test_one();
	test_lists();
	test_paths();
	test_long_path();
	test_mailbox();
	test_domain();
	test_phrase();
	return tap_done();
}
