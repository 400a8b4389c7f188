/* Sites: which section is meant, the shipped table, pools by stream and site, turns by weight. */
#include "conf.h"
#include "confsite.h"
#include "route.h"
#include "sitetab.h"
#include "sources.h"

#include "tap.h"

#include <stdlib.h>

static struct conf c;

static void
given(const char *text)
{
	struct err e = ERR_INIT;

	conf_free(&c);
	if (conf_parse(&c, "f", span_of(text), &e))
		printf("# %s\n", err_text(&e));
	err_free(&e);
}

/* hosts: blank-separated */
static void
means(const char *domain, const char *hosts, const char *want)
{
	struct cur k = cur_of(hosts, strlen(hosts));
	struct span v[8];
	const char *all = NULL;
	const struct confsite *s;
	size_t n = 0;

	while (!cur_end(&k)) {
		v[n] = cur_until(&k, ' ');
		all = sitetab_find(v[n++]);
		cur_ch(&k, ' ');
	}
	s = confsite_find(&c.sections, span_of(domain), v, n, all);
	is_str(s ? s->title : "none", want, domain);
}

static void
sections(void)
{
	given("site google { rate = 1 }\n"
	      "site \".Hosts.example\" { rate = 2 }\n"
	      "site \"mx1.hosts.example\" { rate = 3 }\n"
	      "site \"d.example\" { rate = 4 }\n"
	      "site other { mx = \".one.example, .two.example\" domains = \".k.example\" }\n"
	      "site \"[192.0.2.1]\" { rate = 5 }\n");
	means("a.example", "aspmx.l.google.com", "google");
	means("a.example", "aspmx.l.google.com mx2.hosts.example", "none");
	means("a.example", "mx2.hosts.example", ".hosts.example");
	means("a.example", "hosts.example MX3.hosts.example", ".hosts.example");
	means("a.example", "mx1.hosts.example", "mx1.hosts.example");
	means("b.example", "mx1.hosts.example mx2.hosts.example", ".hosts.example");
	means("a.example", "xhosts.example", "none");
	means("d.example", "aspmx.l.google.com", "d.example");
	means("e.d.example", "mx.x", "none");
	means("D.Example", "mx.x", "d.example");
	means("a.example", "a.one.example b.two.example", "other");
	means("a.example", "a.one.example b.three.example", "none");
	means("x.k.example", "mx1.hosts.example", "other");
	means("other", "mx.x", "none");
	means("[192.0.2.1]", "192.0.2.1", "[192.0.2.1]");
	given("site google { mx = \".mine.example\" }");
	means("a.example", "mx.mine.example", "google");
	means("a.example", "smtp.google.com", "google");
}

static void
table(void)
{
	static const struct {
		const char *host, *site;
	} t[] = {
	    {"gmail-smtp-in.l.google.com", "google"},
	    {"alt4.aspmx.l.google.com", "google"},
	    {"aspmx2.googlemail.com", "google"},
	    {"smtp.google.com", "google"},
	    {"example-com.mail.protection.outlook.com", "microsoft"},
	    {"example-com.a-v1.mx.microsoft", "microsoft"},
	    {"outlook-com.olc.protection.outlook.com", "outlook"},
	    {"mta5.am0.yahoodns.net", "yahoo"},
	    {"mx-aol.mail.gm0.yahoodns.net", "yahoo"},
	    {"mx01.mail.icloud.com", "icloud"},
	    {"mxa-00000000.gslb.pphosted.com", "proofpoint"},
	    {"mx1-us1.ppe-hosted.com", "proofpoint"},
	    {"eu-smtp-inbound-1.mimecast.com", "mimecast"},
	    {"in1-smtp.messagingengine.com", "fastmail"},
	    {"mx00.gmx.net", "gmx"},
	    {"smtp-in.orange.fr", "orange"},
	    {"evil-google.com", "none"},
	    {"google.com.evil.example", "none"},
	    {"mail.protection.outlook.com.evil.example", "none"},
	    {"c-192-0-2-1.hsd1.il.comcast.net", "none"}, /* a customer's line */
	    {"sandbox1.mailgun.org", "none"},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		const char *got = sitetab_find(span_of(t[i].host));

		is_str(got ? got : "none", t[i].site, t[i].host);
	}
	ok(sitetab_has("mimecast") && !sitetab_has("mime"), "names that are known");
}

static void
name_is(const char *title, const char *want)
{
	struct buf b = BUF_INIT, t = BUF_INIT;
	size_t n;

	buf_fmt(&t, "site \"%s\" { mx = \"x\" }", title);
	given(t.s);
	confsite_name(conftab_items(&c.sections, &confsite_section, &n), &b);
	is_str(b.s, want, title);
	buf_free(&b);
	buf_free(&t);
}

static void
pool_is(const char *site, const char *stream, const char *want)
{
	struct span hosts[] = {span_of(site)};
	struct span p = conf_pool(&c, confsite_find(&c.sections, SPAN("d"), hosts, 1, NULL), stream);

	is_mem(p.p, p.n, want, strlen(want), stream);
}

static void
pools(void)
{
	given("stream bulk { pool = b }\nstream news { weight = 1 }\n"
	      "site one.example { pool = o }\nsite two.example { pool = \"news:n , bulk : b2,o\" }\n"
	      "site three.example { pool = \"news:n\" }\n"
	      "pool b { address = 192.0.2.1 }\npool b2 { address = 192.0.2.2 }\n"
	      "pool n { address = 192.0.2.3 }\npool o { address = 192.0.2.4 }\n");
	pool_is("x.example", "bulk", "b");
	pool_is("x.example", "mail", "");
	pool_is("one.example", "bulk", "o");
	pool_is("two.example", "bulk", "b2");
	pool_is("two.example", "news", "n");
	pool_is("two.example", "mail", "o");
	pool_is("three.example", "bulk", "b");
	pool_is("three.example", "news", "n");
	given("pool default { address = 192.0.2.1 }");
	pool_is("x.example", "mail", "default");
}

static void
turns(void)
{
	struct sources *s;
	struct err e = ERR_INIT;
	unsigned four[3] = {0}, six[3] = {0};
	uint32_t p;

	given("hostname = h.example\npool p/1 { address = \"127.0.0.1, ::1\" weight = 3 }\n"
	      "pool p/2 { address = 127.0.0.2 ehlo = two.example weight = 2 }\npool p/3 { address = 127.0.0.3 }\n"
	      "pool q { address = 127.0.0.4 }");
	sources_open(&s, &c);
	p = sources_pool(s, SPAN("p"));
	is_num(sources_pools(s), 2, "two pools");
	ok(sources_pool(s, SPAN("p/1")) == SOURCES_NONE, "a member is no pool");
	for (int i = 0; i < 60; i++) {
		four[sources_pick(s, p, AF_INET)->title[2] - '1']++;
		six[sources_pick(s, p, AF_INET6)->title[2] - '1']++;
	}
	ok(four[0] == 30 && four[1] == 20 && four[2] == 10, "turns by weight: %u %u %u", four[0], four[1], four[2]);
	ok(six[0] == 60 && six[1] == 0, "of a family who has it");
	is_str(sources_pick(s, sources_pool(s, SPAN("q")), AF_INET)->helo, "h.example", "the hostname is the usual");
	ok(!sources_pick(s, sources_pool(s, SPAN("q")), AF_INET6), "nobody has IPv6");
	is_num(sources_check(s, &e), 0, "all of them are here");
	sources_close(s);
	given("pool p/1 { address = 192.0.2.77 }\npool p/2 { address = 127.0.0.2 }");
	sources_open(&s, &c);
	is_num(sources_check(s, &e), EX_CONFIG, "one is not");
	is_str(err_text(&e), "pool \"p/1\": address 192.0.2.77: Cannot assign requested address", "and is named");
	ok(sources_missing(s, sources_pick(s, 0, AF_INET), AF_INET), "it is found to be missing");
	ok(strcmp(sources_pick(s, 0, AF_INET)->title, "p/2") == 0 && strcmp(sources_pick(s, 0, AF_INET)->title, "p/2") == 0,
	    "and passed over");
	err_free(&e);
	sources_close(s);
	given("");
	sources_open(&s, &c);
	ok(s == NULL && sources_pools(s) == 0, "no pools");
}

int
main(void)
{
	sections();
	table();
	name_is("name", "name");
	name_is(".hosts.example", "_hosts.example");
	pools();
	turns();
	conf_free(&c);
	return tap_done();
}
