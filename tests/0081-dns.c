/* What needs no server: names, questions and answers by the byte, resolv.conf and hosts. */
#include "dnsconf.h"
#include "dnsmsg.h"

#include "tap.h"

#include <stdlib.h>

static void
name_test(void)
{
	struct buf b = BUF_INIT;
	static const struct {
		const char *name;
		bool good;
	} t[] = {
	    {"example.org", true}, {"a", true}, {"_dmarc.example.org", true}, {"xn--bcher-kva.example", true},
	    {"1.2.3.4", true}, {"", false}, {".", false}, {"example.", false}, {".example", false},
	    {"a..b", false}, {"a b", false}, {"a/b", false}, {"a\\b", false}, {"b\xc3\xbc" "cher.example", false},
	    {"[192.0.2.1]", false}, {"a:b", false},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		ok(dnsmsg_name_ok(t[i].name) == t[i].good, "\"%s\" is %sa name", t[i].name,
		    t[i].good ? "" : "not ");
	while (b.len < 63)
		buf_ch(&b, 'a');
	ok(dnsmsg_name_ok(b.s), "RFC 1035 2.3.4: a label of 63 bytes");
	buf_ch(&b, 'a');
	ok(!dnsmsg_name_ok(b.s), "not one of 64");
	buf_cut(&b, 0);
	while (b.len < 253)
		buf_ch(&b, b.len % 50 == 49 ? '.' : 'a');
	ok(dnsmsg_name_ok(b.s), "a name of 253 bytes");
	buf_ch(&b, 'a');
	ok(!dnsmsg_name_ok(b.s), "not one of 254");
	buf_free(&b);
}

/* By hand after RFC 1035 4.1 and RFC 6891 6.1.2. */
#define QUESTION "\1a\7example\0\0\17\0\1"
static const char plain[] = "\x12\x34\1\40\0\1\0\0\0\0\0\0" QUESTION;
static const char edns[] = "\x12\x34\1\40\0\1\0\0\0\0\0\1" QUESTION "\0\0\51\4\xd0\0\0\0\0\0\0";

static void
query_test(void)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	is_num(dnsmsg_query(&b, "a.example", ANSWERS_MX, 0x1234, false, &e), 0, "a question");
	is_mem(b.s, b.len, plain, sizeof plain - 1, "by the byte");
	buf_cut(&b, 0);
	is_num(dnsmsg_query(&b, "a.example", ANSWERS_MX, 0x1234, true, &e), 0, "with EDNS0");
	is_mem(b.s, b.len, edns, sizeof edns - 1, "by the byte");
	buf_free(&b);
	err_free(&e);
}

static void
match_test(void)
{
	static const struct {
		const char *what, *p;
		size_t n;
		bool want;
	} t[] = {
	    {"the question with QR", B("\x12\x34\x81\x80\0\1\0\0\0\0\0\0" QUESTION), true},
	    {"in capitals", B("\x12\x34\x81\x80\0\1\0\0\0\0\0\0\1A\7EXAMPLE\0\0\17\0\1"), true},
	    {"without QR", B("\x12\x34\x01\x80\0\1\0\0\0\0\0\0" QUESTION), false},
	    {"another opcode", B("\x12\x34\x89\x80\0\1\0\0\0\0\0\0" QUESTION), false},
	    {"another id", B("\x12\x35\x81\x80\0\1\0\0\0\0\0\0" QUESTION), false},
	    {"id with its bytes exchanged", B("\x34\x12\x81\x80\0\1\0\0\0\0\0\0" QUESTION), false},
	    {"two questions", B("\x12\x34\x81\x80\0\2\0\0\0\0\0\0" QUESTION QUESTION), false},
	    {"257 questions", B("\x12\x34\x81\x80\1\1\0\0\0\0\0\0" QUESTION), false},
	    {"another class", B("\x12\x34\x81\x80\0\1\0\0\0\0\0\0\1a\7example\0\0\17\0\3"), false},
	    {"another type", B("\x12\x34\x81\x80\0\1\0\0\0\0\0\0\1a\7example\0\0\1\0\1"), false},
	    {"a byte short", B("\x12\x34\x81\x80\0\1\0\0\0\0\0\0\1a\7example\0\0\17\0"), false},
	    {"a label cut in two", B("\x12\x34\x81\x80\0\1\0\0\0\0\0\0\1a\3exa\3ple\0\0\17\0\1"), false},
	    {"no question, NOERROR", B("\x12\x34\x81\x80\0\0\0\0\0\0\0\0"), false},
	    {"no question, NXDOMAIN", B("\x12\x34\x81\x83\0\0\0\0\0\0\0\0"), false},
	    {"no question, REFUSED", B("\x12\x34\x81\x85\0\0\0\0\0\0\0\0"), true},
	    {"eleven bytes", B("\x12\x34\x81\x85\0\0\0\0\0\0\0"), false},
	    {"nothing", B(""), false},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		/* An exact copy, so that a sanitizer sees the end. */
		char *p = mem_grow(NULL, t[i].n, 1);

		memcpy(p, t[i].p, t[i].n);
		ok(dnsmsg_matches((struct span){plain, sizeof plain - 1}, (struct span){p, t[i].n}) ==
		        t[i].want, "%s is %san answer", t[i].what, t[i].want ? "" : "not ");
		free(p);
	}
}

static void
ttl_test(void)
{
	static const char head[] = "\x12\x34\x81\x80\0\1\0\2\0\0\0\0" QUESTION;
	static const struct {
		const char *what, *one, *two;
		uint32_t want;
	} t[] = {
	    {"the least counts", "\0\0\1\x2c", "\0\0\0\x3c", 60},
	    {"RFC 2181 8: the top bit means 0", "\x80\0\0\1", "\0\0\0\x3c", 0},
	    {"the most", "\x7f\xff\xff\xff", "\x7f\xff\xff\xff", 0x7fffffff},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct buf b = BUF_INIT;
		struct dnsmsg_answer a;
		struct err e = ERR_INIT;

		buf_add(&b, head, sizeof head - 1);
		for (int k = 0; k < 2; k++) {
			buf_add(&b, B("\xc0\x0c\0\17\0\1"));
			buf_add(&b, k ? t[i].two : t[i].one, 4);
			buf_add(&b, B("\0\6\0\12\1m\xc0\x0e"));
		}
		is_num(dnsmsg_parse((struct span){b.s, b.len}, "a.example", ANSWERS_MX, &a, &e), 0,
		    "two records");
		is_num(a.is.ttl_s, t[i].want, t[i].what);
		if (a.is.n == 2)
			is_str(a.is.v[1].text.s, "m.example", "a compressed name");
		dnsmsg_free(&a);
		err_free(&e);
		buf_free(&b);
	}
}

static char *
servers_text(const struct dnsconf *c)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < c->n_servers; i++) {
		buf_str(&b, i ? " " : "");
		net_endpoint_text(&c->servers[i], &b);
	}
	return buf_steal(&b);
}

static void
resolv_test(void)
{
	static const struct {
		const char *what, *text, *want;
	} t[] = {
	    {"a server", "nameserver 192.0.2.1\n", "192.0.2.1:53"},
	    {"two, among other lines", "# a comment\nsearch example\nnameserver\t192.0.2.1\noptions edns0\n"
	        "nameserver 2001:db8::1 # second\n", "192.0.2.1:53 [2001:db8::1]:53"},
	    {"no LF at the end, a CR before another", "nameserver 192.0.2.1\r\nnameserver 192.0.2.2",
	        "192.0.2.1:53 192.0.2.2:53"},
	    {"none", "search example\n", "127.0.0.1:53"},
	    {"nothing", "", "127.0.0.1:53"},
	    {"nonsense is passed over", "nameserver here\nnameserver\nnameservers 192.0.2.1\n"
	        "nameserver 192.0.2.2\n", "192.0.2.2:53"},
	    {"eight count", "nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\n"
	        "nameserver 1.0.0.4\nnameserver 1.0.0.5\nnameserver 1.0.0.6\nnameserver 1.0.0.7\n"
	        "nameserver 1.0.0.8\nnameserver 1.0.0.9\n",
	        "1.0.0.1:53 1.0.0.2:53 1.0.0.3:53 1.0.0.4:53 1.0.0.5:53 1.0.0.6:53 1.0.0.7:53 1.0.0.8:53"},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct dnsconf c = DNSCONF_INIT;
		char *got;

		dnsconf_resolv(&c, span_of(t[i].text));
		got = servers_text(&c);
		is_str(got, t[i].want, t[i].what);
		free(got);
	}
}

static void
servers_test(void)
{
	struct dnsconf c = DNSCONF_INIT;
	struct err e = ERR_INIT;
	char *got;

	is_num(dnsconf_servers(&c, SPAN("192.0.2.1, 192.0.2.2@5353 ,::1@65535"), &e), 0, "a list");
	got = servers_text(&c);
	is_str(got, "192.0.2.1:53 192.0.2.2:5353 [::1]:65535", "with and without ports");
	free(got);
	c = (struct dnsconf)DNSCONF_INIT;
	is_num(dnsconf_servers(&c, SPAN("192.0.2.1@53 x"), &e), EX_CONFIG, "more behind the port");
	is_str(err_text(&e), "resolver \"192.0.2.1@53 x\": not ADDRESS or ADDRESS@PORT", "says what");
	err_free(&e);
}

static void
hosts_test(void)
{
	struct dnsconf c = DNSCONF_INIT;
	static const struct {
		const char *name, *want;
	} t[] = {
	    {"mail", "192.0.2.1 2001:db8::1"}, {"mail.example", "192.0.2.1 2001:db8::1"},
	    {"other", "192.0.2.2"}, {"commented", ""}, {"nowhere", ""}, {"zzz", "192.0.2.3"}, {"a", ""},
	    {"~", ""},
	};

	dnsconf_hosts(&c, SPAN("192.0.2.1\tMail.Example mail\n\n# 192.0.2.9 commented\n"
	                       "192.0.2.2 other # commented\nnonsense mail\nfe80::1%lo mail\n"
	                       "2001:db8::1 mail mail.example\r\n192.0.2.3 zzz"));
	is_num((long long)c.n_hosts, 6, "names of the file");
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct buf b = BUF_INIT;

		for (size_t k = dnsconf_find(&c, t[i].name);
		     k < c.n_hosts && strcmp(c.hosts[k].name, t[i].name) == 0; k++) {
			buf_str(&b, b.len ? " " : "");
			net_addr_text(&c.hosts[k].addr, &b);
		}
		is_str(b.s, t[i].want, t[i].name);
		buf_free(&b);
	}
	dnsconf_free(&c);
}

int
main(void)
{
	name_test();
	query_test();
	match_test();
	ttl_test();
	resolv_test();
	servers_test();
	hosts_test();
	return tap_done();
}
