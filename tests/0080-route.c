/* Routing without the DNS: which route covers a domain, what an MX set becomes, literals. */
#include "route.h"

#include "tap.h"

#include <stdlib.h>

static const char *const own_names[] = {"relay.example", "mx9.example"};
static struct net_addr own_addrs[2];
static struct route_self self = {own_names, 2, own_addrs, 2};

static void
find_test(void)
{
	struct conf_route v[] = {
	    {.match = (char *)"*"},
	    {.match = (char *)".example.org"},
	    {.match = (char *)".sub.example.org"},
	    {.match = (char *)"exact.sub.example.org"},
	    {.match = (char *)"[192.0.2.1]"},
	    {.match = (char *)""},
	};
	const struct conf c = {.routes = v, .n_routes = sizeof v / sizeof *v};
	const struct conf none = {.routes = v + 1, .n_routes = 1};
	static const struct {
		const char *domain;
		int want;
	} t[] = {
	    {"example.com", 0},
	    {"example.org", 1},
	    {"EXAMPLE.org", 1},
	    {"a.example.org", 1},
	    {"notexample.org", 0},
	    {"sub.example.org", 2},
	    {"x.y.sub.example.org", 2},
	    {"exact.sub.example.org", 3},
	    {"Exact.sub.example.org", 3},
	    {"more.exact.sub.example.org", 2},
	    {"[192.0.2.1]", 4},
	    {"[192.0.2.2]", 0},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		ok(route_find(&c, t[i].domain, NULL) == &v[t[i].want], "%s is covered by %s", t[i].domain,
		    v[t[i].want].match);
	ok(route_find(&none, "example.com", NULL) == NULL, "no route covers example.com");
}

static void
never_asks_test(void)
{
	struct conf_route v[] = {
	    {.match = (char *)"*", .relay = (char *)"192.0.2.1, [2001:db8::1]:2525"},
	    {.match = (char *)"here.example", .maildir = (char *)"/var/mail/%u/"},
	    {.match = (char *)"there.example", .lmtp = (char *)"unix:/run/lmtp"},
	    {.match = (char *)"@example.org", .pipe = (char *)"/bin/cat"},
	};
	const size_t n = sizeof v / sizeof *v;
	const struct conf c = {.routes = v, .n_routes = n};
	const struct conf_route others[] = {
	    {.match = (char *)"x.example"},
	    {.match = (char *)"x.example", .relay = (char *)"mx"},
	    {.match = (char *)"x.example", .relay = (char *)"192.0.2.1,relay.example"},
	    {.match = (char *)"@x.example", .relay = (char *)"localhost"},
	    {.match = (char *)"x.example", .relay = (char *)"192.0.2.1:port"},
	    {.match = (char *)"x.example", .lmtp = (char *)"lmtp.example"},
	    {.match = (char *)".example", .relay = v[0].relay},
	};

	ok(route_never_asks(&c), "addresses, sockets, directories and programs are found without the DNS");
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		/* in place of one that is not needed; the last, in place of the one for everybody */
		size_t at = i + 1 < sizeof others / sizeof *others ? 1 : 0;
		struct conf_route kept = v[at];

		v[at] = others[i];
		ok(!route_never_asks(&c), "but not \"%s\" by \"%s\"", v[at].match,
		    v[at].relay ? v[at].relay : v[at].lmtp ? v[at].lmtp : "");
		v[at] = kept;
	}
	ok(!route_never_asks(&(struct conf){0}), "nor all others, where no section has them");
}

static void
sender_test(void)
{
	struct conf_route v[] = {
	    {.match = (char *)"*"},
	    {.match = (char *)"@.example.org"},
	    {.match = (char *)"@sub.example.org"},
	    {.match = (char *)"ann@sub.example.org"},
	    {.match = (char *)"here.example"},
	    {.match = (char *)".below.example"},
	    {.match = (char *)"<>"},
	    {.match = (char *)"\"a@b\"@q.example"},
	    {.match = (char *)"@xn--bcher-kva.example"},
	    {.match = (char *)"@[192.0.2.1]"},
	    {.match = (char *)"@.x.sub.example.org"},
	};
	const struct conf c = {.routes = v, .n_routes = sizeof v / sizeof *v};
	const struct conf only = {.routes = v + 1, .n_routes = 3}, domains = {.routes = v + 4, .n_routes = 2};
	static const struct {
		const char *sender, *domain;
		int want;
	} t[] = {
	    {"ann@sub.example.org", "far.example", 3},
	    {"Ann@SUB.Example.org", "far.example", 3},
	    {"bob@sub.example.org", "far.example", 2},
	    {"bob@example.org", "far.example", 1},
	    {"bob@other.example.org", "far.example", 1},
	    {"bob@x.sub.example.org", "far.example", 10},
	    {"bob@y.x.sub.example.org", "far.example", 10},
	    {"bob@notexample.org", "far.example", 0},
	    {"ann@sub.example.org.evil.example", "far.example", 0},
	    {"sub.example.org", "far.example", 0},
	    {"", "far.example", 6},
	    {"<>", "far.example", 0},
	    {"\"a@b\"@q.example", "far.example", 7},
	    {"\"ann@sub.example.org\"@q.example", "far.example", 0},
	    {"x@b\303\274cher.example", "far.example", 8},
	    {"x@B\303\234CHER.example", "far.example", 8},
	    {"x@xn--bcher-kva.EXAMPLE", "far.example", 8},
	    {"x@[192.0.2.1]", "far.example", 9},
	    {"x@\377", "far.example", 0},
	    /* what a recipient's domain has to itself comes first */
	    {"ann@sub.example.org", "here.example", 4},
	    {"", "here.example", 4},
	    {"ann@sub.example.org", "x.below.example", 5},
	    {"ann@sub.example.org", "[192.0.2.9]", 3},
	};
	struct span ann = SPAN("ann@sub.example.org"), nobody = SPAN("");

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct span from = span_of(t[i].sender);
		const struct conf_route *r = route_find(&c, t[i].domain, &from);

		is_str(r ? r->match : "none", v[t[i].want].match, t[i].sender);
	}
	is_str(route_find(&c, "far.example", NULL)->match, "*", "sections for senders are not for nobody in particular");
	ok(route_find(&only, "far.example", NULL) == NULL, "nor where there are no others");
	ok(route_find(&only, "far.example", &nobody) == NULL, "nor for the null sender");
	ok(route_find(&only, "far.example", &ann) == &v[3], "a sender's section without any other");
	ok(route_by_sender(&c, "far.example"), "it depends on the sender where all go");
	ok(route_by_sender(&only, "far.example"), "and where nobody else's mail is routed");
	ok(!route_by_sender(&c, "here.example"), "but not for a domain with a section of its own");
	ok(!route_by_sender(&c, "a.below.example"), "nor below one");
	ok(!route_by_sender(&domains, "far.example"), "nor without sections for senders");
}

/* --- MX sets: written "PREF HOST,..." in and out; "!STATUS" for an error */

static void
mx_of(struct dns_mx_list *l, const char *text)
{
	struct cur c = cur_of(text, strlen(text));
	uint64_t pref;

	*l = (struct dns_mx_list){.ttl_s = 300};
	while (cur_u64(&c, UINT16_MAX, &pref)) {
		struct span host;

		cur_ch(&c, ' ');
		host = cur_until(&c, ',');
		cur_ch(&c, ',');
		l->v = mem_grow(l->v, l->n + 1, sizeof *l->v);
		l->v[l->n++] = (struct dns_mx){(uint16_t)pref, mem_dup(host.p, host.n)};
	}
}

static char *
outcome(const char *mx, const char *domain, uint64_t seed, char **site)
{
	struct dns_mx_list l;
	struct route r;
	struct buf b = BUF_INIT;
	char status[12];
	struct err e = ERR_INIT;

	mx_of(&l, mx);
	if (route_from_mx(&l, domain, &self, seed, &r, status, &e))
		buf_fmt(&b, "!%d %s", e.code, status);
	for (size_t i = 0; i < r.n; i++)
		buf_fmt(&b, "%s%u %s:%u", i ? "," : "", r.hosts[i].preference, r.hosts[i].name,
		    r.hosts[i].port);
	if (site)
		*site = mem_dup(r.site ? r.site : "", r.site ? strlen(r.site) : 0);
	route_free(&r);
	dns_mx_free(&l);
	err_free(&e);
	return buf_steal(&b);
}

static void
mx_test(void)
{
	static const struct {
		const char *what, *mx, *want;
	} t[] = {
	    {"RFC 5321 5.1: lowest preference first", "20 b.example,10 a.example,30 c.example",
	        "10 a.example:25,20 b.example:25,30 c.example:25"},
	    {"implicit MX", "", "0 dest.example:25"},
	    {"RFC 7505 null MX", "0 ", "!68 5.1.10"},
	    {"null MX with another preference", "10 ", "!68 5.1.10"},
	    {"a dot beside real hosts is passed over", "0 ,10 a.example", "10 a.example:25"},
	    {"the extremes", "65535 z.example,0 a.example", "0 a.example:25,65535 z.example:25"},
	    {"a host named twice is tried once, at its best", "20 a.example,10 a.example",
	        "10 a.example:25"},
	    {"behind us", "10 a.example,20 relay.example,30 c.example", "10 a.example:25"},
	    {"equal to us", "10 a.example,20 relay.example,20 b.example", "10 a.example:25"},
	    {"our other name, in capitals", "10 a.example,20 MX9.Example", "10 a.example:25"},
	    {"we are the best", "10 relay.example,20 b.example", "!69 5.4.6"},
	    {"we are the only one", "10 relay.example", "!69 5.4.6"},
	    {"we twice: the better counts", "5 a.example,10 relay.example,20 relay.example,15 b.example",
	        "5 a.example:25"},
	    {"localhost is nobody", "10 localhost,20 b.example", "20 b.example:25"},
	    {"nor is what is below it", "10 a.localhost,20 b.example", "20 b.example:25"},
	    {"localhost alone", "10 localhost", "!69 5.4.6"},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		char *got = outcome(t[i].mx, "dest.example", 1, NULL);

		is_str(got, t[i].want, t[i].what);
		free(got);
	}
}

static void
implicit_test(void)
{
	char *got = outcome("", "relay.example", 1, NULL), *site;

	is_str(got, "!69 5.4.6", "implicit MX that is ourselves");
	free(got);
	got = outcome("", "localhost", 1, NULL);
	is_str(got, "!69 5.4.6", "implicit MX localhost");
	free(got);
	got = outcome("", "dest.example", 1, &site);
	is_str(site, "dest.example", "site of an implicit MX");
	free(got);
	free(site);
}

static void
shuffle_test(void)
{
	static const char mx[] = "10 a.example,10 b.example,10 c.example,5 first.example,20 last.example";
	int first[3] = {0, 0, 0};
	bool ends = true;
	char *one, *two;

	for (uint64_t seed = 0; seed < 3000; seed++) {
		char *got = outcome(mx, "dest.example", seed, NULL);
		char which = got[strlen("5 first.example:25,10 ")];

		ends = ends && strncmp(got, "5 first.example:25,10 ", 22) == 0 &&
		    strcmp(got + strlen(got) - 18, "20 last.example:25") == 0;
		if (which >= 'a' && which <= 'c')
			first[which - 'a']++;
		free(got);
	}
	ok(ends, "shuffling stays among equals");
	for (int i = 0; i < 3; i++) /* 1000 expected, standard deviation 26 */
		ok(first[i] > 850 && first[i] < 1150, "host %c is first in a third: %d", 'a' + i,
		    first[i]);
	one = outcome(mx, "dest.example", 42, NULL);
	two = outcome(mx, "dest.example", 42, NULL);
	is_str(one, two, "the same seed gives the same order");
	free(one);
	free(two);
}

static void
limit_test(void)
{
	struct buf mx = BUF_INIT;
	char *got, *p;
	size_t n;

	for (int i = 0; i < ROUTE_HOSTS_MAX + 1; i++)
		buf_fmt(&mx, "%s%d mx%02d.example", i ? "," : "", 100 - i, i);
	got = outcome(mx.s, "dest.example", 1, NULL);
	for (n = 1, p = got; (p = strchr(p, ',')); p++)
		n++;
	is_num((long long)n, ROUTE_HOSTS_MAX, "a set is cut to its best hosts");
	ok(strncmp(got, "68 mx32.example", 15) == 0, "the best is first: %.20s", got);
	ok(!strstr(got, "mx00.example"), "the worst is left out");
	free(got);
	buf_free(&mx);
}

/* --- sites: the crc of "mx RANK HOST:PORT,..." by a bitwise CRC-32C in another language */

static void
site_test(void)
{
	static const struct {
		const char *what, *mx, *want;
	} t[] = {
	    {"one host", "10 a.example", "a.example"},
	    {"one host, twice", "10 a.example,20 a.example", "a.example"},
	    {"equals", "10 b.example,10 a.example", "a.example+16961c13"},
	    {"other preferences, same ranks", "0 b.example,0 a.example", "a.example+16961c13"},
	    {"ranks count", "10 a.example,20 b.example", "a.example+42914955"},
	    {"our place in the set changes nothing", "10 a.example,20 relay.example", NULL},
	};
	char *site, *other;

	for (size_t i = 0; i < sizeof t / sizeof *t - 1; i++) {
		free(outcome(t[i].mx, "dest.example", i, &site));
		is_str(site, t[i].want, t[i].what);
		free(site);
	}
	free(outcome("10 a.example,20 relay.example", "dest.example", 1, &site));
	free(outcome("10 a.example,20 other.example", "dest.example", 1, &other));
	ok(strlen(site) == strlen("a.example+12345678") && strcmp(site, other) != 0,
	    "two sets with the same best host are two sites");
	free(site);
	free(other);
}

static void
site_length_test(void)
{
	struct buf name = BUF_INIT;
	char *site;

	for (size_t n = ROUTE_SITE_MAX - 1; n <= ROUTE_SITE_MAX + 1; n++) {
		struct buf mx = BUF_INIT;

		buf_cut(&name, 0);
		while (name.len < n)
			buf_ch(&name, name.len % 50 == 49 ? '.' : 'a');
		buf_fmt(&mx, "10 %s", name.s);
		free(outcome(mx.s, "dest.example", 1, &site));
		is_num((long long)strlen(site), (long long)(n <= ROUTE_SITE_MAX ? n : ROUTE_SITE_MAX),
		    "a long name gives a site of at most ROUTE_SITE_MAX");
		ok((strchr(site, '+') != NULL) == (n > ROUTE_SITE_MAX),
		    "a name of %zu bytes %s", n, n > ROUTE_SITE_MAX ? "is cut and marked" : "stands");
		free(site);
		buf_free(&mx);
	}
	buf_free(&name);
}

/* --- configured routes and literals: they need no DNS */

/* An MX host may be called 192.0.2.1; nobody but the DNS says where that is. */
static void
literal_set_test(void)
{
	struct dns_mx v = {10, (char *)(uintptr_t)"192.0.2.1"};
	struct dns_mx_list mx = {&v, 1, 60, false};
	struct conf c = {.n_routes = 0};
	struct route named, literal;
	struct err e = ERR_INIT;
	char status[12];

	is_num(route_from_mx(&mx, "x.example", &self, 1, &named, status, &e), 0, "a host named as an address");
	is_num(route_resolve(&c, NULL, &self, NULL, "[192.0.2.1]", 1, 0, &literal, status, &e), 0, "an address literal");
	ok(strcmp(named.set, literal.set) != 0, "do not share connections: %s, %s", named.set, literal.set);
	route_free(&named);
	route_free(&literal);
	err_free(&e);
}

static void
resolved_test(void)
{
	static const struct {
		const char *what, *relay, *domain, *want;
	} t[] = {
	    {"a relay", "Relay.Example:2525", "x.example", "relay.example:2525 = relay.example:2525 c"},
	    {"port 25 unless said", "r.example", "x.example", "r.example:25 = r.example:25 c"},
	    {"an IPv6 relay", "[2001:db8::1]:26", "x.example", "2001:db8::1:26 = [2001:db8::1]:26 c"},
	    {"loopback is allowed by a route", "127.0.0.1:2525", "x.example",
	        "127.0.0.1:2525 = 127.0.0.1:2525 c"},
	    {"so is our own name", "relay.example", "x.example", "relay.example:25 = relay.example:25 c"},
	    {"several in order", "r1.example:587, [2001:db8::1]", "x.example",
	        "r1.example:587,2001:db8::1:25 = r1.example:587+533e7089 c"},
	    {"a relay for a literal", "r.example", "[192.0.2.1]", "r.example:25 = r.example:25 c"},
	    {"a bad relay", "r.example:x", "x.example", "!78 4.3.5"},
	    {"a bad second relay", "r.example,", "x.example", "!78 4.3.5"},
	    {"RFC 5321 4.1.3 literal", "mx", "[192.0.2.1]", "192.0.2.1:25 = 192.0.2.1:25"},
	    {"IPv6 literal", "", "[IPv6:2001:db8::5]", "2001:db8::5:25 = [2001:db8::5]:25"},
	    {"IPv6 literal, lower case", "MX", "[ipv6:2001:db8::5]", "2001:db8::5:25 = [2001:db8::5]:25"},
	    {"a literal that is ours", "mx", "[192.0.2.99]", "!69 5.4.6"},
	    {"ours in IPv6", "mx", "[IPv6:2001:db8::99]", "!69 5.4.6"},
	    {"a loopback literal", "mx", "[127.0.0.2]", "!69 5.4.6"},
	    {"IPv6 loopback", "mx", "[IPv6:::1]", "!69 5.4.6"},
	    {"mapped loopback", "mx", "[IPv6:::ffff:127.0.0.1]", "!69 5.4.6"},
	    {"no tag before IPv6", "mx", "[2001:db8::5]", "!68 5.1.2"},
	    {"a tag before IPv4", "mx", "[IPv6:192.0.2.1]", "!68 5.1.2"},
	    {"no closing bracket", "mx", "[192.0.2.1", "!68 5.1.2"},
	    {"more behind it", "mx", "[192.0.2.1].example", "!68 5.1.2"},
	    {"an unknown tag", "mx", "[x400:192.0.2.1]", "!68 5.1.2"},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct conf_route v = {.match = (char *)"*", .relay = (char *)(uintptr_t)t[i].relay};
		struct conf c = {.routes = &v, .n_routes = 1};
		struct buf b = BUF_INIT;
		struct route r;
		char status[12];
		struct err e = ERR_INIT;

		if (route_resolve(&c, route_find(&c, t[i].domain, NULL), &self, NULL, t[i].domain, 1, 0, &r, status, &e))
			buf_fmt(&b, "!%d %s", e.code, status);
		for (size_t k = 0; k < r.n; k++)
			buf_fmt(&b, "%s%s:%u", k ? "," : "", r.hosts[k].name, r.hosts[k].port);
		if (r.n)
			buf_fmt(&b, " = %s%s", r.site, r.configured ? " c" : "");
		is_str(b.s, t[i].want, t[i].what);
		buf_free(&b);
		route_free(&r);
		err_free(&e);
	}
}

static void
before_test(void)
{
	struct dns_mx_list l;
	struct route r;
	char status[12];
	struct err e = ERR_INIT;

	mx_of(&l, "10 a.example,20 b.example,20 c.example,30 d.example");
	if (route_from_mx(&l, "dest.example", &self, 1, &r, status, &e) == 0) {
		is_num((long long)route_before(&r, 0), 0, "none is preferred to the first");
		is_num((long long)route_before(&r, 1), 1, "one is preferred to the second");
		is_num((long long)route_before(&r, 2), 1, "and to its equal");
		is_num((long long)route_before(&r, 3), 3, "three are preferred to the last");
	}
	route_free(&r);
	dns_mx_free(&l);
	err_free(&e);
}

int
main(void)
{
	net_addr_parse(&own_addrs[0], SPAN("192.0.2.99"), 0);
	net_addr_parse(&own_addrs[1], SPAN("2001:db8::99"), 0);
	find_test();
	never_asks_test();
	sender_test();
	mx_test();
	implicit_test();
	shuffle_test();
	limit_test();
	site_test();
	site_length_test();
	literal_set_test();
	resolved_test();
	before_test();
	return tap_done();
}
