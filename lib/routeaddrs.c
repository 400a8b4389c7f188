#include "routeaddrs.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sysexits.h>

/* Whether this machine reaches the world by IPv6: an address of its own from 2000::/3. */
static bool
has_ipv6(const struct route_self *self)
{
	for (size_t i = 0; i < self->n_addrs; i++)
		if (self->addrs[i].u.sa.sa_family == AF_INET6 &&
		    (self->addrs[i].u.in6.sin6_addr.s6_addr[0] & 0xe0) == 0x20)
			return true;
	return false;
}

/* Takes from one family, then the other; the first of them has the better of it. */
static void
interleave(struct dns_addrs *l, sa_family_t first)
{
	struct net_addr *v = mem_grow(NULL, l->n, sizeof *v);
	size_t at[2] = {0, 0}, n = 0;

	for (int turn = 0; n < l->n; turn = !turn) {
		size_t *i = &at[turn];

		while (*i < l->n && (l->v[*i].u.sa.sa_family == first) == (turn == 1))
			++*i;
		if (*i < l->n)
			v[n++] = l->v[(*i)++];
	}
	free(l->v);
	l->v = v;
}

static void
keep_addrs(struct dns_addrs *l, const struct route_self *self, bool *loop)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (net_addr_loopback(&l->v[i]) || route_is_own(self, &l->v[i]))
			*loop = true;
		else
			l->v[kept++] = l->v[i];
	}
	l->n = kept;
}

/* Those of the family, as long as that leaves any or there need be none. */
static void
keep_family(struct dns_addrs *l, sa_family_t family, bool all_may_go)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].u.sa.sa_family == family)
			l->v[kept++] = l->v[i];
	l->n = kept || all_may_go ? kept : l->n;
}

/* One family, then the other, each in its order. */
static void
put_first(struct dns_addrs *l, sa_family_t first)
{
	struct net_addr *v = mem_grow(NULL, l->n, sizeof *v);
	size_t n = 0;

	for (int other = 0; other < 2; other++)
		for (size_t i = 0; i < l->n; i++)
			if ((l->v[i].u.sa.sa_family == first) == (other == 0))
				v[n++] = l->v[i];
	free(l->v);
	l->v = v;
}

static int
order_addrs(const struct route *r, const char *name, bool six, struct dns_addrs *l, struct err *e)
{
	bool only4 = r->ip == CONFSITE_IP_ONLY4, only6 = r->ip == CONFSITE_IP_ONLY6;

	if (l->n == 0 || r->kind != ROUTE_SMTP)
		return 0; /* all of them are ourselves, or it is a socket here */
	if (only4 || only6)
		keep_family(l, only4 ? AF_INET : AF_INET6, true);
	else if (!six && !r->configured) /* attempts at IPv6 would only hide what was wrong with IPv4 */
		keep_family(l, AF_INET, false);
	if (l->n == 0) /* which its site's section wants: no fault of the recipient's */
		return err_set(e, EX_TEMPFAIL, "%s has no IPv%d address, and its site has ip = ipv%d-only", name,
		    only4 ? 4 : 6, only4 ? 4 : 6);
	if (r->ip == CONFSITE_IP_V4 || r->ip == CONFSITE_IP_V6)
		put_first(l, r->ip == CONFSITE_IP_V4 ? AF_INET : AF_INET6);
	else
		interleave(l, six ? AF_INET6 : AF_INET);
	return 0;
}

static int
find_addrs(const struct route *r, const char *name, struct dns *d, int64_t deadline_ms,
    struct dns_addrs *out, struct err *e)
{
	struct net_addr a;
	int rc;

	if (route_is_here(r))
		return 0;
	if ((r->configured && net_addr_unix(&a, span_of(name))) ||
	    ((r->configured || r->literal) && net_addr_parse(&a, span_of(name), 0))) {
		out->v = mem_alloc(sizeof a);
		out->v[out->n++] = a;
		return 0;
	}
	rc = r->configured ? dns_addrs(d, name, deadline_ms, out, e)
	                   : dns_query_addrs(d, name, deadline_ms, out, e);
	if (rc == EX_DATAERR)
		rc = EX_NOHOST;
	if (!rc && out->n == 0)
		rc = err_set(e, EX_NOHOST, "%s has no address", name);
	/* A relay without address is a mistake of ours, and must not bounce what waits for it. */
	if (rc == EX_NOHOST && r->configured)
		rc = EX_TEMPFAIL;
	if (rc)
		e->code = rc;
	return rc;
}

int
route_addrs(const struct route *r, size_t host, const struct route_self *self, struct dns *d,
    int64_t deadline_ms, struct dns_addrs *out, bool *loop, struct err *e)
{
	const struct route_host *h = &r->hosts[host];
	bool six = has_ipv6(self);
	int rc;

	*loop = false;
	*out = (struct dns_addrs){0};
	rc = find_addrs(r, h->name, d, deadline_ms, out, e);
	if (rc)
		return rc;
	if (!r->configured)
		keep_addrs(out, self, loop);
	rc = order_addrs(r, h->name, six, out, e);
	if (rc)
		return rc;
	if (out->n > ROUTE_ADDRS_MAX)
		out->n = ROUTE_ADDRS_MAX;
	for (size_t i = 0; i < out->n; i++)
		net_addr_set_port(&out->v[i], h->port);
	return 0;
}
