/* SPF: every mechanism, macro and limit, from both sides.  Expected results are RFC 7208's. */
#include "spf.h"
#include "spfrec.h"
#include "zonetext.h"

#include "tap.h"

#include <stdlib.h>

static void
from_zone(void *arg, const char *name, enum answers_type type, struct answers *out)
{
	if (zonetext_find(arg, name, type, out) == ZONETEXT_LISTED)
		out->says = ANSWERS_NODATA;
}

static const char zone[] =
    "all.x TXT \"v=spf1 ?all\"\n"
    "ip4.x TXT \"v=spf1 ip4:192.0.2.128/25 ip4:198.51.100.7 -all\"\n"
    "ip4zero.x TXT \"v=spf1 ip4:0.0.0.0/0 -all\"\n"
    "ip6.x TXT \"v=spf1 ip6:2001:db8:8000::/33 ip6:2001:db8::7 -all\"\n"
    "ip6zero.x TXT \"v=spf1 ip6:::/0 -all\"\n"
    "a.x TXT \"v=spf1 a a:other.x/31//127 -all\"\na.x A 192.0.2.1\na.x AAAA 2001:db8::1\n"
    "other.x A 198.51.100.4\nother.x AAAA 2001:db8::4\n"
    "mx.x TXT \"v=spf1 mx mx:two.x/30 -all\"\nmx.x MX 10 m1.x\nm1.x A 192.0.2.1\n"
    "two.x MX 20 m2.x\ntwo.x MX 10 .\nm2.x A 198.51.100.4\n"
    "ptr.x TXT \"v=spf1 ptr ptr:z.y -all\"\n"
    "192.0.2.1 PTR host.ptr.x\nhost.ptr.x A 192.0.2.1\n"
    "192.0.2.2 PTR notptr.x\nnotptr.x A 192.0.2.2\n"
    "192.0.2.3 PTR lie.ptr.x\nlie.ptr.x A 192.0.2.99\n"
    "192.0.2.4 PTR away.ptr.x\n192.0.2.4 PTR b.z.y\naway.ptr.x SERVFAIL\nb.z.y A 192.0.2.4\n"
    "192.0.2.5 SERVFAIL\n"
    "exists.x TXT \"v=spf1 exists:%{ir}.l.%{d} -all\"\n1.2.0.192.l.exists.x A 127.0.0.2\n"
    "2.2.0.192.l.exists.x AAAA ::1\n"
    "include.x TXT \"v=spf1 include:in.x -include:in2.x ?all\"\n"
    "in.x TXT \"v=spf1 ip4:192.0.2.1 -ip4:192.0.2.2 ~all\"\nin2.x TXT \"v=spf1 ip4:192.0.2.3 -all\"\n"
    "incnone.x TXT \"v=spf1 include:nobody.x -all\"\n"
    "inctemp.x TXT \"v=spf1 include:slow.x -all\"\nslow.x TIMEOUT\n"
    "incperm.x TXT \"v=spf1 include:wrong.x +all\"\nwrong.x TXT \"v=spf1 +all wrong\"\n"
    "redirect.x TXT \"v=spf1 ip4:203.0.113.1 redirect=in.x\"\n"
    "rednone.x TXT \"v=spf1 redirect=nobody.x\"\n"
    "redall.x TXT \"v=spf1 redirect=in.x ?all\"\n"
    "exp.x TXT \"v=spf1 exp=e.%{d} -all\"\ne.exp.x TXT \"see %{d} \" \"for %{s}%_%%%-\"\n"
    "exp2.x TXT \"v=spf1 exp=e2.x -all\"\ne2.x TXT \"one\"\ne2.x TXT \"two\"\n"
    "exp3.x TXT \"v=spf1 exp=e3.x -all\"\ne3.x TXT \"a\\013\\010b\"\n"
    "expin.x TXT \"v=spf1 -include:passexp.x -all\"\npassexp.x TXT \"v=spf1 +all exp=e.exp.x\"\n"
    "twice.x TXT \"v=spf1 +all\"\ntwice.x TXT \"v=spf1 -all\"\n"
    "v10.x TXT \"v=spf10 +all\"\nv10.x TXT \"another\"\n"
    "none.x A 192.0.2.1\n"
    "dead.x SERVFAIL\n"
    /* 4.6.4: exactly ten, and eleven; through an include as well */
    "ten.x TXT \"v=spf1 a a a a a a a a a a ip4:203.0.113.9 -all\"\nten.x A 192.0.2.1\n"
    "eleven.x TXT \"v=spf1 a a a a a a a a a a a ip4:203.0.113.9 -all\"\neleven.x A 192.0.2.1\n"
    "deep.x TXT \"v=spf1 include:nine.x ip4:203.0.113.9 -all\"\n"
    "nine.x TXT \"v=spf1 a a a a a a a a a\"\nnine.x A 192.0.2.1\n"
    "deeper.x TXT \"v=spf1 include:ten9.x ip4:203.0.113.9 -all\"\n"
    "ten9.x TXT \"v=spf1 a a a a a a a a a a\"\nten9.x A 192.0.2.1\n"
    "early.x TXT \"v=spf1 a ip4:203.0.113.9 a a a a a a a a a a -all\"\nearly.x A 192.0.2.1\n"
    "redten.x TXT \"v=spf1 a a a a a a a a a redirect=in.x\"\nredten.x A 203.0.113.1\n"
    "redeleven.x TXT \"v=spf1 a a a a a a a a a a redirect=in.x\"\nredeleven.x A 203.0.113.1\n"
    "loop.x TXT \"v=spf1 include:loop.x -all\"\n"
    "pten.x TXT \"v=spf1 a a a a a a a a exists:%{p}.x ip4:203.0.113.9 -all\"\npten.x A 192.0.2.1\n"
    "peleven.x TXT \"v=spf1 a a a a a a a a a exists:%{p}.x ip4:203.0.113.9 -all\"\npeleven.x A 192.0.2.1\n"
    "void2.x TXT \"v=spf1 a:no1.x mx:no2.x ip4:203.0.113.9 -all\"\n"
    "void3.x TXT \"v=spf1 a:no1.x mx:no2.x exists:no3.x ip4:203.0.113.9 -all\"\n"
    "voidptr.x TXT \"v=spf1 ptr a:no1.x ip4:203.0.113.9 -all\"\n"
    "voidptr3.x TXT \"v=spf1 ptr a:no1.x a:no2.x ip4:203.0.113.9 -all\"\n"
    "voidmx.x TXT \"v=spf1 mx ip4:203.0.113.9 -all\"\nvoidmx.x MX 1 no1.x\nvoidmx.x MX 2 no2.x\nvoidmx.x MX 3 no3.x\n"
    /* macros */
    "m1.x TXT \"v=spf1 exists:%{l1r+}.%{o2}.%{h}.t -all\"\nann.m1.x.helo.t A 127.0.0.2\n"
    "m2.x TXT \"v=spf1 exists:%{S}.t -all\"\nann%2Btag%40m2.x.t A 127.0.0.2\n"
    "m3.x TXT \"v=spf1 exists:%{v}.%{d99}.%{d1r}.t -all\"\nin-addr.m3.x.m3.t A 127.0.0.2\n"
    "m4.x TXT \"v=spf1 exists:%{p}.t -all\"\nunknown.t A 127.0.0.2\n"
    "m5.x TXT \"v=spf1 exists:%{l}.t -all\"\n"
    "z.y TXT \"v=spf1 exists:%{p}.t -all\"\nb.z.y.t A 127.0.0.2\n";

static const struct {
	const char *what, *ip, *sender;
	enum spf_result result;
	const char *why; /* NULL: whatever */
} t[] = {
    {"5.1 all", "192.0.2.1", "all.x", SPF_NEUTRAL, "?all of all.x matches"},
    {"5.6 ip4, the first of its network", "192.0.2.128", "ip4.x", SPF_PASS, "ip4:192.0.2.128/25 of ip4.x matches"},
    {"the last before it", "192.0.2.127", "ip4.x", SPF_FAIL, "-all of ip4.x matches"},
    {"without a prefix", "198.51.100.7", "ip4.x", SPF_PASS, NULL},
    {"one beside it", "198.51.100.6", "ip4.x", SPF_FAIL, NULL},
    {"/0", "203.0.113.1", "ip4zero.x", SPF_PASS, NULL},
    {"is not for IPv6", "2001:db8::1", "ip4zero.x", SPF_FAIL, NULL},
    {"5: a mapped address is IPv4", "::ffff:192.0.2.128", "ip4.x", SPF_PASS, NULL},
    {"5.6 ip6", "2001:db8:8000::", "ip6.x", SPF_PASS, NULL},
    {"outside by one bit", "2001:db8:7fff::", "ip6.x", SPF_FAIL, NULL},
    {"without a prefix", "2001:db8::7", "ip6.x", SPF_PASS, NULL},
    {"/0", "2001:db8::1", "ip6zero.x", SPF_PASS, NULL},
    {"is not for IPv4, mapped or not", "::ffff:192.0.2.1", "ip6zero.x", SPF_FAIL, NULL},
    {"5.3 a", "192.0.2.1", "a.x", SPF_PASS, "a of a.x matches"},
    {"4.3: a domain with the root's dot", "192.0.2.1", "a.x.", SPF_PASS, NULL},
    {"IPv6", "2001:db8::1", "a.x", SPF_PASS, NULL},
    {"another's, /31", "198.51.100.5", "a.x", SPF_PASS, "a:other.x/31//127 of a.x matches"},
    {"outside", "198.51.100.6", "a.x", SPF_FAIL, NULL},
    {"//127", "2001:db8::5", "a.x", SPF_PASS, NULL},
    {"outside", "2001:db8::6", "a.x", SPF_FAIL, NULL},
    {"5.4 mx", "192.0.2.1", "mx.x", SPF_PASS, "mx of mx.x matches"},
    {"RFC 7505: a null MX has no address", "198.51.100.7", "mx.x", SPF_PASS, "mx:two.x/30 of mx.x matches"},
    {"outside", "198.51.100.8", "mx.x", SPF_FAIL, NULL},
    {"5.5 ptr, a name below", "192.0.2.1", "ptr.x", SPF_PASS, "ptr of ptr.x matches"},
    {"not one that only ends so", "192.0.2.2", "ptr.x", SPF_FAIL, NULL},
    {"not one that has another address", "192.0.2.3", "ptr.x", SPF_FAIL, NULL},
    {"a failure is passed over", "192.0.2.4", "ptr.x", SPF_PASS, "ptr:z.y of ptr.x matches"},
    {"and matches nothing", "192.0.2.5", "ptr.x", SPF_FAIL, NULL},
    {"5.7 exists", "192.0.2.1", "exists.x", SPF_PASS, NULL},
    {"AAAA does not count", "192.0.2.2", "exists.x", SPF_FAIL, NULL},
    {"5.2 include: pass", "192.0.2.1", "include.x", SPF_PASS, "ip4:192.0.2.1 of in.x matches"},
    {"fail is no match", "192.0.2.2", "include.x", SPF_NEUTRAL, "?all of include.x matches"},
    {"pass with a qualifier", "192.0.2.3", "include.x", SPF_FAIL, NULL},
    {"none is an error", "192.0.2.1", "incnone.x", SPF_PERMERROR, "included nobody.x has no SPF record"},
    {"temperror is one", "192.0.2.1", "inctemp.x", SPF_TEMPERROR, "TXT of slow.x: timed out"},
    {"permerror is one", "192.0.2.1", "incperm.x", SPF_PERMERROR,
     "the record of wrong.x: \"wrong\": no mechanism or modifier"},
    {"6.1 redirect", "192.0.2.9", "redirect.x", SPF_SOFTFAIL, "~all of in.x matches"},
    {"not after a match", "203.0.113.1", "redirect.x", SPF_PASS, NULL},
    {"to nobody", "192.0.2.1", "rednone.x", SPF_PERMERROR, "redirect to nobody.x, which has no SPF record"},
    {"not with an all", "192.0.2.1", "redall.x", SPF_NEUTRAL, NULL},
    {"4.5 two records", "192.0.2.1", "twice.x", SPF_PERMERROR, "twice.x has 2 SPF records"},
    {"v=spf10", "192.0.2.1", "v10.x", SPF_NONE, NULL},
    {"no record", "192.0.2.1", "none.x", SPF_NONE, "none.x has no SPF record"},
    {"no name", "192.0.2.1", "nobody.x", SPF_NONE, NULL},
    {"4.4 SERVFAIL", "192.0.2.1", "dead.x", SPF_TEMPERROR, "TXT of dead.x: SERVFAIL"},
    {"4.3 one label", "192.0.2.1", "localhost", SPF_NONE, NULL},
    {"an empty label", "192.0.2.1", "a@b..x", SPF_NONE, NULL},
    {"a literal", "192.0.2.1", "a@[192.0.2.1]", SPF_NONE, NULL},
    {"4.6.4 ten terms", "203.0.113.9", "ten.x", SPF_PASS, NULL},
    {"eleven", "203.0.113.9", "eleven.x", SPF_PERMERROR, "over 10 terms that ask the DNS"},
    {"ten with an include", "203.0.113.9", "deep.x", SPF_PASS, NULL},
    {"eleven with one", "203.0.113.9", "deeper.x", SPF_PERMERROR, NULL},
    {"a match before the eleventh", "203.0.113.9", "early.x", SPF_PASS, NULL},
    {"ten with a redirect", "192.0.2.1", "redten.x", SPF_PASS, NULL},
    {"eleven with one", "192.0.2.1", "redeleven.x", SPF_PERMERROR, NULL},
    {"a loop ends", "192.0.2.1", "loop.x", SPF_PERMERROR, NULL},
    {"%{p} is one: ten", "203.0.113.9", "pten.x", SPF_PASS, NULL},
    {"eleven", "203.0.113.9", "peleven.x", SPF_PERMERROR, NULL},
    {"two lookups for nothing", "203.0.113.9", "void2.x", SPF_PASS, NULL},
    {"three", "203.0.113.9", "void3.x", SPF_PERMERROR, "over 2 lookups find nothing, the last for no3.x"},
    {"a ptr without a name is one", "203.0.113.9", "voidptr.x", SPF_PASS, NULL},
    {"with two more three", "203.0.113.9", "voidptr3.x", SPF_PERMERROR, NULL},
    {"three hosts of an MX", "203.0.113.9", "voidmx.x", SPF_PERMERROR, NULL},
    {"7.3 parts, turned round at another delimiter", "192.0.2.1", "ann+tag@m1.x", SPF_PASS, NULL},
    {"and kept from the right", "192.0.2.1", "tag+ann@m1.x", SPF_FAIL, NULL},
    {"a capital letter escapes", "192.0.2.1", "ann+tag@m2.x", SPF_PASS, NULL},
    {"more parts than there are", "192.0.2.1", "m3.x", SPF_PASS, NULL},
    {"p without a validated name", "192.0.2.3", "m4.x", SPF_PASS, NULL},
    {"p with one", "192.0.2.4", "z.y", SPF_PASS, NULL},
    {"RFC 8616 4: a local part that is not ASCII", "192.0.2.1", "j\xc3\xbcrgen@m5.x", SPF_FAIL, NULL},
};

static void
run(const struct asker *dns, const char *ip, const char *sender, bool walk, struct spf *s)
{
	struct spf_query q = {.sender = span_of(sender), .helo = SPAN("helo"), .walk = walk, .time_s = 1};

	ok(net_addr_parse(&q.ip, span_of(ip), 0), "%s for %s", ip, sender);
	spf_check(&q, dns, s);
}

static void
explain_test(const struct asker *dns)
{
	static const struct {
		const char *sender, *want;
	} x[] = {
	    {"ann@exp.x", "see exp.x for ann@exp.x %%20"},
	    {"exp2.x", ""}, /* 6.2: more than one */
	    {"exp3.x", ""}, /* not printable */
	    {"expin.x", ""}, /* 6.2: an included record explains nothing */
	    {"ip4.x", ""},
	};

	for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
		struct spf s;

		run(dns, "192.0.2.1", x[i].sender, false, &s);
		is_num(s.result, SPF_FAIL, "fail");
		is_str(s.explanation.s, x[i].want, "6.2 its explanation");
		spf_free(&s);
	}
}

/* Hosts over ten: an MX is an error, a PTR is cut. */
static void
hosts_test(void)
{
	for (int n = 10; n <= 11; n++) {
		struct buf z = BUF_INIT;
		struct zonetext *zt;
		struct err e = ERR_INIT;
		struct spf s;

		buf_str(&z, "mx.z TXT \"v=spf1 mx -all\"\nptr.z TXT \"v=spf1 ptr -all\"\n");
		for (int i = 1; i <= n; i++)
			buf_fmt(&z, "mx.z MX %d h%d.ptr.z\nh%d.ptr.z A 192.0.2.%d\n"
			    "192.0.2.1 PTR %s%d.ptr.z\n", i, i, i, i == n ? 1 : 100 + i, i == n ? "h" : "x", i);
		is_num(zonetext_parse(&zt, (struct span){z.s, z.len}, "z", &e), 0, "a zone");
		struct asker dns = {from_zone, zt};
		run(&dns, "192.0.2.1", "mx.z", false, &s);
		is_num(s.result, n == 10 ? SPF_PASS : SPF_PERMERROR, n == 10 ? "4.6.4 ten MX hosts" : "eleven");
		spf_free(&s);
		run(&dns, "192.0.2.1", "ptr.z", false, &s);
		is_num(s.result, n == 10 ? SPF_PASS : SPF_FAIL, n == 10 ? "ten names" : "the eleventh is not looked at");
		spf_free(&s);
		zonetext_free(zt);
		buf_free(&z);
		err_free(&e);
	}
}

static void
walk_test(const struct asker *dns)
{
	struct spf s;

	run(dns, "192.0.2.1", "include.x", true, &s);
	is_num(s.result, SPF_PASS, "a walk has the same result");
	is_num(s.lookups, 2, "and counts what comes after the match");
	is_num((long long)s.n_nodes, 8, "every term of every record");
	is_str(s.nodes[1].text, "ip4:192.0.2.1", "in its order");
	is_num(s.nodes[1].depth, 1, "and depth");
	ok(s.nodes[1].decided && s.nodes[0].decided && !s.nodes[7].decided, "which ones match");
	spf_free(&s);
	run(dns, "203.0.113.9", "eleven.x", true, &s);
	is_num(s.lookups, 11, "it goes on past ten");
	spf_free(&s);
	run(dns, "203.0.113.9", "loop.x", true, &s);
	ok(s.lookups <= SPF_ALL_MAX, "a loop ends in a walk, too");
	spf_free(&s);
}

/* 4.6.1 and 12: what may stand in a record. */
static void
syntax_test(void)
{
	static const struct {
		const char *text;
		bool good;
	} r[] = {
	    {"v=spf1", true}, {"v=spf1 ", true}, {"v=spf1  a  ", true}, {"v=spf1 A MX -aLL", true},
	    {"v=spf1 a\tmx", false}, {"v=spf1 ++a", false}, {"v=spf1 +", false}, {"v=spf1 all:x", false},
	    {"v=spf1 ip4:192.0.2.1/32", true}, {"v=spf1 ip4:192.0.2.1/33", false}, {"v=spf1 ip4:192.0.2.1/", false},
	    {"v=spf1 ip4:192.0.2.1/01", false}, {"v=spf1 ip4:192.0.2.01", false}, {"v=spf1 ip4:192.0.2", false},
	    {"v=spf1 ip4:192.0.2.1//64", false}, {"v=spf1 ip4=192.0.2.1", true /* an unknown modifier */},
	    {"v=spf1 ip6:::1/128", true}, {"v=spf1 ip6:::1/129", false}, {"v=spf1 ip6:192.0.2.1", false},
	    {"v=spf1 ip6:::ffff:192.0.2.1", true}, {"v=spf1 a/32//128", true}, {"v=spf1 a//128/32", false},
	    {"v=spf1 a/", false}, {"v=spf1 a:", false}, {"v=spf1 a:x", false}, {"v=spf1 a:x.y", true},
	    {"v=spf1 a:x.y.", true}, {"v=spf1 a:x.y..", false}, {"v=spf1 a:x.1", false}, {"v=spf1 a:x.1a", true},
	    {"v=spf1 a:x.-y", false}, {"v=spf1 a:x.1-1", true}, {"v=spf1 a:%{d}", true}, {"v=spf1 a:%{d}.", false},
	    {"v=spf1 a:%{d}x", false}, {"v=spf1 a:%{d}.x", true}, {"v=spf1 a:%{d0}", false}, {"v=spf1 a:%{d1}", true},
	    {"v=spf1 a:%{d99999999999999999999999}", true}, {"v=spf1 a:%{dr.-+,/_=}", true}, {"v=spf1 a:%{d*}", false},
	    {"v=spf1 a:%{dr2}", false}, {"v=spf1 a:%{c}.x", false}, {"v=spf1 a:%{}", false}, {"v=spf1 a:%{d", false},
	    {"v=spf1 a:%", false}, {"v=spf1 a:%x.y", false}, {"v=spf1 a:%%.y", true}, {"v=spf1 include", false},
	    {"v=spf1 include:x.y/24", false}, {"v=spf1 exists", false}, {"v=spf1 exists:x.y", true},
	    {"v=spf1 ptr/24", false}, {"v=spf1 ptr:x.y", true}, {"v=spf1 redirect", false}, {"v=spf1 redirect=", false},
	    {"v=spf1 redirect=a.b redirect=a.b", false}, {"v=spf1 exp=a.b exp=a.b", false}, {"v=spf1 x= x=", true},
	    {"v=spf1 x.y-z_1=%{c}", true}, {"v=spf1 1x=y", false}, {"v=spf1 x=%", false}, {"v=spf1 -x=y", false},
	    {"v=spf1 x=\xc3\xbc", false}, {"v=spf1 \x01", false},
	};

	for (size_t i = 0; i < sizeof r / sizeof *r; i++) {
		struct spfrec rec;
		struct err e = ERR_INIT;

		ok((spfrec_parse(span_of(r[i].text), &rec, &e) == 0) == r[i].good, "%s is %sa record",
		    r[i].text, r[i].good ? "" : "not ");
		spfrec_free(&rec);
		err_free(&e);
	}
	struct spfrec rec;
	struct err e = ERR_INIT;
	is_num(spfrec_parse((struct span){B("v=spf1 \0a")}, &rec, &e), EX_DATAERR, "no NUL");
	err_free(&e);
}

/* 7.4's table of examples, for strong-bad@email.example.com from 192.0.2.3, and one for IPv6. */
static void
unknown(void *arg, struct buf *out)
{
	(void)arg;
	buf_str(out, "unknown");
}
static void
macro_test(void)
{
	static const struct {
		const char *macro, *want;
	} m[] = {
	    {"%{s}", "strong-bad@email.example.com"}, {"%{o}", "email.example.com"}, {"%{d}", "email.example.com"},
	    {"%{d4}", "email.example.com"}, {"%{d3}", "email.example.com"}, {"%{d2}", "example.com"}, {"%{d1}", "com"},
	    {"%{dr}", "com.example.email"}, {"%{d2r}", "example.email"}, {"%{l}", "strong-bad"},
	    {"%{l-}", "strong.bad"}, {"%{lr}", "strong-bad"}, {"%{lr-}", "bad.strong"}, {"%{l1r-}", "strong"},
	    {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
	    {"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
	    {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
	    {"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
	    {"%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
	};
	struct net_addr v4, v6;
	struct spfrec_values v = {.sender = SPAN("strong-bad@email.example.com"), .local = SPAN("strong-bad"),
	    .sender_domain = SPAN("email.example.com"), .domain = SPAN("email.example.com"),
	    .helo = SPAN("mx.example.org"), .ip = &v4, .validated = unknown};
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	ok(net_addr_parse(&v4, SPAN("192.0.2.3"), 0) && net_addr_parse(&v6, SPAN("2001:db8::cb01"), 0), "addresses");
	for (size_t i = 0; i < sizeof m / sizeof *m; i++) {
		buf_cut(&b, 0);
		is_num(spfrec_domain(span_of(m[i].macro), &v, &b, &e), 0, m[i].macro);
		is_str(b.s, m[i].want, "7.4");
	}
	v.ip = &v6;
	buf_cut(&b, 0);
	is_num(spfrec_domain(SPAN("%{ir}.%{v}._spf.%{d2}"), &v, &b, &e), 0, "IPv6");
	is_str(b.s, "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com", "7.4");
	buf_cut(&b, 0);
	/* 7.3: dropped from the left until it fits into 253 */
	is_num(spfrec_domain(SPAN("%{d}.%{d}.%{d}.%{d}.%{d}.%{d}.%{d}.%{d}.%{d}.%{d}.%{d}.%{d}.%{d}.%{d}.abcdefghijklm"), &v,
	    &b, &e), 0, "a long name");
	is_num((long long)b.len, 251, "7.3: over 253 bytes lose labels at the left until they fit");
	buf_free(&b);
	err_free(&e);
}

int
main(void)
{
	struct zonetext *z;
	struct asker dns;
	struct err e = ERR_INIT;

	is_num(zonetext_parse(&z, SPAN(zone), "zone", &e), 0, "the zone");
	dns = (struct asker){from_zone, z};
	for (size_t i = 0; z && i < sizeof t / sizeof *t; i++) {
		struct spf s;

		run(&dns, t[i].ip, t[i].sender, false, &s);
		is_str(spf_result_name(s.result), spf_result_name(t[i].result), t[i].what);
		if (t[i].why)
			is_str(s.why.s, t[i].why, "for this reason");
		spf_free(&s);
	}
	explain_test(&dns);
	walk_test(&dns);
	zonetext_free(z);
	hosts_test();
	syntax_test();
	macro_test();
	err_free(&e);
	return tap_done();
}
