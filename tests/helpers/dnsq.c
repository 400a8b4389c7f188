/* dnsq - what route_resolve and route_addrs say, a line a fact:
 *
 *     site NAME | host PREFERENCE NAME PORT | addr ADDRESS:PORT | loop | none CODE TEXT
 *     error CODE STATUS TEXT
 *
 * Addresses (-A) follow their host.  -n and -a say who we are, -R MATCH=RELAY is a route. */
#include "io.h"
#include "prog.h"
#include "routeaddrs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: dnsq -r RESOLVER [-A] [-t MS] [-s SEED] [-n NAME] [-a ADDRESS] [-R MATCH=RELAY] DOMAIN...";

#define MANY 16

struct setup {
	struct conf conf;
	struct conf_route routes[MANY];
	struct route_self self;
	const char *names[MANY];
	struct net_addr addrs[MANY];
	const char *resolver;
	int64_t wait_ms;
	uint64_t seed;
	bool with_addrs;
};

static uint64_t
number(const char *s)
{
	struct cur c = cur_of(s, strlen(s));
	uint64_t v;

	if (!cur_u64(&c, UINT32_MAX, &v) || !cur_end(&c))
		prog_usage(usage);
	return v;
}

static void
add_route(struct setup *s, char *arg)
{
	char *eq = strchr(arg, '=');

	if (!eq || s->conf.n_routes == MANY)
		prog_usage(usage);
	*eq = '\0';
	s->routes[s->conf.n_routes++] = (struct conf_route){.match = arg, .relay = eq + 1};
}

static void
options(struct setup *s, int argc, char *argv[])
{
	for (int c; (c = getopt(argc, argv, "Ar:t:s:n:a:R:")) != -1;)
		switch (c) {
		case 'A': s->with_addrs = true; break;
		case 'r': s->resolver = optarg; break;
		case 't': s->wait_ms = (int64_t)number(optarg); break;
		case 's': s->seed = number(optarg); break;
		case 'R': add_route(s, optarg); break;
		case 'n':
			if (s->self.n_names < MANY)
				s->names[s->self.n_names++] = optarg;
			break;
		case 'a':
			if (s->self.n_addrs < MANY &&
			    net_addr_parse(&s->addrs[s->self.n_addrs], span_of(optarg), 0))
				s->self.n_addrs++;
			break;
		default: prog_usage(usage);
		}
	if (optind == argc)
		prog_usage(usage);
}

static void
print_addrs(const struct setup *s, struct dns *d, const struct route *r, size_t host)
{
	struct dns_addrs l = {0};
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	bool loop;

	if (route_addrs(r, host, &s->self, d, io_now_ms() + s->wait_ms, &l, &loop, &e))
		out_fmt("none %d %s\n", e.code, err_text(&e));
	for (size_t i = 0; i < l.n; i++) {
		buf_cut(&b, 0);
		net_endpoint_text(&l.v[i], &b);
		out_fmt("addr %s\n", b.s);
	}
	if (loop)
		out_fmt("loop\n");
	dns_addrs_free(&l);
	buf_free(&b);
	err_free(&e);
}

static void
print_route(const struct setup *s, struct dns *d, const char *domain)
{
	struct route r;
	struct err e = ERR_INIT;
	char status[12];
	int rc = route_resolve(&s->conf, route_find(&s->conf, domain, NULL), &s->self, d, domain, s->seed, io_now_ms() + s->wait_ms, &r,
	    status, &e);

	if (rc) {
		out_fmt("error %d %s %s\n", e.code, status, err_text(&e));
		err_free(&e);
		return;
	}
	out_fmt("site %s\n", r.site);
	for (size_t i = 0; i < r.n; i++) {
		out_fmt("host %u %s %u\n", r.hosts[i].preference, r.hosts[i].name, r.hosts[i].port);
		if (s->with_addrs)
			print_addrs(s, d, &r, i);
	}
	route_free(&r);
	err_free(&e);
}

int
main(int argc, char *argv[])
{
	struct setup s = {.wait_ms = 5000};
	struct err e = ERR_INIT;
	struct dns *d, *own;

	prog_start("dnsq");
	options(&s, argc, argv);
	s.conf.routes = s.routes;
	s.self.names = s.names;
	s.self.addrs = s.addrs;
	if (dns_open(&d, s.resolver, &e) || dns_clone(&own, d, &e))
		prog_die(&e);
	dns_close(d); /* a clone lives on */
	for (int i = optind; i < argc; i++)
		print_route(&s, own, argv[i]);
	dns_close(own);
	return out_close();
}
