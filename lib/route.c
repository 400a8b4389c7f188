#include "route.h"

#include "addr.h"
#include "crc.h"
#include "cur.h"
#include "idn.h"
#include "sitetab.h"
#include "sts.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define SMTP_PORT 25
#define LMTP_PORT 24 /* RFC 2033 5: not 25; as other mailers have it */
#define CRC_TEXT 9 /* "+" and eight hex digits */

static int
fail(char status[12], const char *code, struct err *e, int rc)
{
	memcpy(status, code, strlen(code) + 1);
	e->code = rc;
	return rc;
}

/* --- configured routes */

/* How well a section fits a domain: 0 not at all, ALL where it is for all, else more. */
#define ALL 1

static const struct conf_route *
best_for(const struct conf *c, struct span name, size_t (*fit)(struct span match, struct span name),
    size_t *best)
{
	const struct conf_route *found = NULL;

	*best = 0;
	for (size_t i = 0; i < c->n_routes; i++) {
		size_t f = fit(span_of(c->routes[i].match), name);

		if (f > *best) {
			*best = f;
			found = &c->routes[i];
		}
	}
	return found;
}

static bool
is_sender(struct span match)
{
	return addr_domain(match).n > 0 || span_eq(match, SPAN("<>"));
}

static size_t
fits_domain(struct span match, struct span domain)
{
	return is_sender(match) ? 0 : sitetab_fit(match, domain);
}

/* "ann@example.org", "@example.org", "@.example.org", "<>", without case.  A sender's own is longer than all
 * that would fit its domain. */
static size_t
fits_sender(struct span match, struct span sender)
{
	struct span want = addr_domain(match), domain = addr_domain(sender);

	if (sender.n == 0 || want.n == 0)
		return sender.n == 0 && span_eq(match, SPAN("<>"));
	if (want.n + 1 < match.n)
		return span_ieq(match, sender) ? SIZE_MAX : 0;
	if (want.p[0] != '.')
		return span_ieq(want, domain) ? SIZE_MAX - 1 : 0;
	return sitetab_fit(want, domain);
}

/* Its domain as sections have it, in A-labels; what is no domain is left as it is, and fits none. */
static void
canonical(struct span sender, struct buf *out)
{
	struct span domain = addr_domain(sender);
	struct buf ascii = BUF_INIT;
	struct err e = ERR_INIT;

	buf_add(out, sender.p, sender.n);
	if (domain.n > 0 && domain.p[0] != '[' && idn_to_ascii(domain, &ascii, &e) == 0) {
		buf_cut(out, sender.n - domain.n);
		buf_add(out, ascii.s, ascii.len);
	}
	err_free(&e);
	buf_free(&ascii);
}

const struct conf_route *
route_find(const struct conf *c, const char *domain, const struct span *sender)
{
	size_t best, own;
	const struct conf_route *found = best_for(c, span_of(domain), fits_domain, &best), *by;
	struct buf from = BUF_INIT;

	if (best > ALL || !sender)
		return found;
	canonical(*sender, &from);
	by = best_for(c, (struct span){from.s, from.len}, fits_sender, &own);
	buf_free(&from);
	return by ? by : found;
}

bool
route_by_sender(const struct conf *c, const char *domain)
{
	size_t best = SIZE_MAX;
	bool any = false;

	for (size_t i = 0; i < c->n_routes && !any; i++)
		any = is_sender(span_of(c->routes[i].match));
	if (any)
		best_for(c, span_of(domain), fits_domain, &best);
	return any && best <= ALL;
}

/* --- the site's name */

static bool
is_site(int c)
{
	return is_alnum(c) || (c != 0 && strchr(".:_+-[]", c));
}

/* base, and where that does not say all, a crc of the set.  It becomes a file's name, so neither
 * "/" nor a dot in front may come from outside. */
static char *
site_name(struct span base, const char *set, bool alone)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < base.n && b.len < ROUTE_SITE_MAX; i++) {
		int c = ascii_lower((unsigned char)base.p[i]);
		bool good = is_site(c) && !(c == '.' && i == 0);

		alone = alone && good;
		buf_ch(&b, good ? (char)c : '_');
	}
	if (!alone || base.n > ROUTE_SITE_MAX || base.n == 0) {
		buf_cut(&b, ROUTE_SITE_MAX - CRC_TEXT);
		buf_fmt(&b, "+%08x", crc32c(0, set, strlen(set)));
	}
	return buf_steal(&b);
}

static void
host_port_text(struct buf *b, const struct route_host *h)
{
	bool six = h->port && strchr(h->name, ':') != NULL;

	if (h->port == 0) {
		buf_str(b, h->name);
		return;
	}
	buf_fmt(b, "%s%s%s:%u", six ? "[" : "", h->name, six ? "]" : "", h->port);
}

/* What shares connections: the hosts with their ranks, so 10/20 and 5/50 are the same. */
static void
name_set(struct route *r)
{
	struct buf b = BUF_INIT;
	size_t rank = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (i > 0 && (r->configured || r->hosts[i].preference != r->hosts[i - 1].preference))
			rank++;
		buf_fmt(&b, "%s%zu ", i ? ","
		    : r->configured ? "route " : r->literal ? "literal " : "mx ", rank);
		host_port_text(&b, &r->hosts[i]);
	}
	r->set = buf_steal(&b);
}

/* --- MX */

/* One host of the list while it is worked on. */
struct candidate {
	const char *name;
	uint16_t preference;
};

static int
by_preference(const void *pa, const void *pb)
{
	const struct candidate *a = pa, *b = pb;

	if (a->preference != b->preference)
		return a->preference < b->preference ? -1 : 1;
	return strcmp(a->name, b->name);
}

static bool
is_loopback_name(const char *host)
{
	return span_ieq(span_of(host), SPAN("localhost")) ||
	    span_ends(span_of(host), SPAN(".localhost"));
}

static bool
is_own_name(const char *host, const struct route_self *self)
{
	for (size_t i = 0; i < self->n_names; i++)
		if (span_ieq(span_of(host), span_of(self->names[i])))
			return true;
	return false;
}

bool
route_is_own(const struct route_self *self, const struct net_addr *a)
{
	for (size_t i = 0; i < self->n_addrs; i++)
		if (net_addr_eq(a, &self->addrs[i]))
			return true;
	return false;
}

/* The best of the set, each host once, in canonical order. */
static void
choose(struct route *r, const struct dns_mx_list *mx)
{
	struct candidate *v = mem_grow(NULL, mx->n, sizeof *v);
	size_t n = 0;

	for (size_t i = 0; i < mx->n; i++)
		if (*mx->v[i].host) /* RFC 7505 3: beside others, "." is a mistake */
			v[n++] = (struct candidate){mx->v[i].host, mx->v[i].preference};
	qsort(v, n, sizeof *v, by_preference);
	r->hosts = mem_alloc(ROUTE_HOSTS_MAX * sizeof *r->hosts);
	for (size_t i = 0; i < n && r->n < ROUTE_HOSTS_MAX; i++) {
		bool known = false;

		for (size_t k = 0; k < r->n; k++)
			known = known || strcmp(r->hosts[k].name, v[i].name) == 0;
		if (!known)
			r->hosts[r->n++] = (struct route_host){mem_dup(v[i].name, strlen(v[i].name)),
			    v[i].preference, SMTP_PORT};
	}
	free(v);
}

/* splitmix64: the seed's owner wants the same order again. */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* RFC 5321 5.1: "randomly selected" among equals. */
static void
shuffle_equals(struct route *r, uint64_t seed)
{
	for (size_t i = 0, end; i < r->n; i = end) {
		for (end = i + 1; end < r->n && r->hosts[end].preference == r->hosts[i].preference;)
			end++;
		for (size_t k = end - 1; k > i; k--) {
			size_t other = i + next_random(&seed) % (k - i + 1);
			struct route_host h = r->hosts[k];

			r->hosts[k] = r->hosts[other];
			r->hosts[other] = h;
		}
	}
}

/* RFC 5321 5.1: if we are in the list, what is at our preference or behind goes; and a host
 * called localhost is nobody's mail exchanger. */
static void
drop_ourselves(struct route *r, const struct dns_mx_list *mx, const struct route_self *self)
{
	uint32_t limit = UINT32_MAX;
	size_t kept = 0;

	for (size_t i = 0; i < mx->n; i++)
		if (mx->v[i].preference < limit && is_own_name(mx->v[i].host, self))
			limit = mx->v[i].preference;
	for (size_t i = 0; i < r->n; i++) {
		if (r->hosts[i].preference < limit && !is_loopback_name(r->hosts[i].name))
			r->hosts[kept++] = r->hosts[i];
		else
			free(r->hosts[i].name);
	}
	r->n = kept;
}

static bool
is_null_mx(const struct dns_mx_list *mx)
{
	for (size_t i = 0; i < mx->n; i++)
		if (*mx->v[i].host)
			return false;
	return mx->n > 0;
}

int
route_from_mx(const struct dns_mx_list *mx, const char *domain, const struct route_self *self,
    uint64_t seed, struct route *out, char status[12], struct err *e)
{
	struct dns_mx itself = {0, (char *)(uintptr_t)domain};
	struct dns_mx_list implicit = {&itself, 1, mx->ttl_s, mx->secure};
	const struct dns_mx_list *list = mx->n ? mx : &implicit;

	*out = (struct route){.ttl_s = mx->ttl_s, .secure = mx->secure};
	if (is_null_mx(mx)) {
		err_set(e, EX_NOHOST, "%s accepts no mail: null MX", domain);
		return fail(status, "5.1.10", e, EX_NOHOST); /* RFC 7505 4.1 */
	}
	choose(out, list);
	name_set(out);
	out->site = site_name(span_of(out->hosts[0].name), out->set, out->n == 1);
	drop_ourselves(out, list, self);
	if (out->n == 0) {
		route_free(out);
		err_set(e, EX_UNAVAILABLE, "mail for %s loops back to this host", domain);
		return fail(status, "5.4.6", e, EX_UNAVAILABLE);
	}
	shuffle_equals(out, seed);
	return 0;
}

/* --- the whole */

/* Whoever has logged in as one, or shown who he is, must not send what another would. */
static void
add_login(struct route *r, const struct conf_route *by)
{
	const char *from[] = {by->password_file, by->password_env, by->password_command, by->auth,
	    by->tls_certificate, by->tls_key, by->null_sender};
	struct buf b = BUF_INIT;

	if (!by->user && !by->auth && !by->tls_certificate && !by->null_sender)
		return;
	buf_fmt(&b, "%s login %s", r->set, by->user ? by->user : "");
	for (size_t i = 0; i < sizeof from / sizeof from[0]; i++)
		buf_fmt(&b, "\n%s", from[i] ? from[i] : "");
	buf_str(&b, by->auth_clear ? "\nclear" : "");
	free(r->set);
	r->set = buf_steal(&b);
}

static int
host_list(struct span list, uint16_t default_port, struct route *out, char status[12], struct err *e)
{
	struct cur c = cur_span(list);

	out->configured = true;
	out->ttl_s = UINT32_MAX;
	do {
		struct span item = span_trim(cur_until(&c, ','));
		struct buf host = BUF_INIT;
		uint16_t port;

		if (net_host_port(item, default_port, &host, &port, e)) {
			buf_free(&host);
			route_free(out);
			err_in(e, "relay");
			return fail(status, "4.3.5", e, EX_CONFIG); /* a person must act */
		}
		for (size_t i = 0; i < host.len; i++)
			host.s[i] = (char)ascii_lower((unsigned char)host.s[i]);
		out->hosts = mem_grow(out->hosts, out->n + 1, sizeof *out->hosts);
		out->hosts[out->n++] = (struct route_host){buf_steal(&host), 0, port};
	} while (cur_ch(&c, ','));
	return 0;
}

static int
from_relays(struct span list, const struct conf_route *by, struct route *out, char status[12], struct err *e)
{
	struct buf first = BUF_INIT;
	int rc = host_list(list, SMTP_PORT, out, status, e);

	if (rc)
		return rc;
	name_set(out);
	add_login(out, by);
	host_port_text(&first, &out->hosts[0]);
	out->site = site_name((struct span){first.s, first.len}, out->set,
	    out->n == 1 && !by->user && !by->auth);
	buf_free(&first);
	return 0;
}

/* --- where the mail's way ends */

const char *const route_kinds[] = {[ROUTE_SMTP] = "smtp", [ROUTE_LMTP] = "lmtp",
    [ROUTE_MAILDIR] = "maildir", [ROUTE_PIPE] = "pipe"};

/* One site a section, whatever lies behind it. */
static void
name_end(struct route *r, const char *kind, const struct conf_route *by)
{
	struct buf b = BUF_INIT;

	buf_fmt(&b, "%s:%s", kind, by->match);
	r->site = site_name((struct span){b.s, b.len}, b.s, true);
	for (size_t i = 0; i < r->n; i++) {
		buf_str(&b, i ? "," : " ");
		host_port_text(&b, &r->hosts[i]);
	}
	r->set = buf_steal(&b);
}

static void
only_host(struct route *r, const char *prefix, const char *text)
{
	struct buf b = BUF_INIT;

	buf_fmt(&b, "%s%s", prefix, text);
	r->configured = true;
	r->ttl_s = UINT32_MAX;
	r->hosts = mem_alloc(sizeof *r->hosts);
	r->n = 1;
	r->hosts[0] = (struct route_host){buf_steal(&b), 0, 0};
}

static int
from_end(const struct conf_route *by, struct route *out, char status[12], struct err *e)
{
	struct net_addr unused;
	int rc = 0;

	out->kind = by->maildir ? ROUTE_MAILDIR : by->pipe ? ROUTE_PIPE : ROUTE_LMTP;
	if (by->maildir)
		only_host(out, "maildir:", by->maildir);
	else if (by->pipe)
		only_host(out, "pipe:", by->pipe);
	else if (net_addr_unix(&unused, span_of(by->lmtp)))
		only_host(out, "", by->lmtp);
	else
		rc = host_list(span_of(by->lmtp), LMTP_PORT, out, status, e);
	if (rc)
		return rc;
	out->ends = by;
	name_end(out, route_kinds[out->kind], by);
	return 0;
}

bool
route_is_here(const struct route *r)
{
	return r->kind == ROUTE_MAILDIR || r->kind == ROUTE_PIPE;
}

bool
route_asks_dns(const struct conf_route *c)
{
	struct span relay = span_of(c ? c->relay : NULL);

	return !(c && (c->maildir || c->lmtp || c->pipe)) &&
	    (relay.n == 0 || span_ieq(relay, SPAN("mx")));
}

/* --- address literals */

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]", RFC 5321 4.1.3. */
static int
from_literal(const char *domain, const struct route_self *self, struct route *out, char status[12],
    struct err *e)
{
	struct cur c = cur_of(domain, strlen(domain));
	struct net_addr a;
	struct buf text = BUF_INIT;
	bool six, good;

	cur_ch(&c, '[');
	six = cur_lit(&c, "IPv6:");
	good = net_addr_parse(&a, cur_until(&c, ']'), SMTP_PORT) &&
	    (a.u.sa.sa_family == AF_INET6) == six && cur_ch(&c, ']') && cur_end(&c);
	if (!good) {
		err_set(e, EX_NOHOST, "%s is no address literal", domain);
		return fail(status, "5.1.2", e, EX_NOHOST);
	}
	if (net_addr_loopback(&a) || route_is_own(self, &a)) {
		err_set(e, EX_UNAVAILABLE, "mail for %s loops back to this host", domain);
		return fail(status, "5.4.6", e, EX_UNAVAILABLE);
	}
	net_addr_text(&a, &text);
	out->literal = true;
	out->ttl_s = UINT32_MAX;
	out->hosts = mem_alloc(sizeof *out->hosts);
	out->n = 1;
	out->hosts[0] = (struct route_host){buf_steal(&text), 0, SMTP_PORT};
	name_set(out);
	host_port_text(&text, &out->hosts[0]);
	out->site = site_name((struct span){text.s, text.len}, out->set, true);
	buf_free(&text);
	return 0;
}

static int
from_dns(const struct route_self *self, struct dns *d, const char *domain, uint64_t seed,
    int64_t deadline_ms, struct route *out, char status[12], struct err *e)
{
	struct dns_mx_list mx;
	int rc = dns_mx(d, domain, deadline_ms, &mx, e);

	switch (rc) {
	case 0:
		rc = route_from_mx(&mx, domain, self, seed, out, status, e);
		dns_mx_free(&mx);
		return rc;
	case EX_NOHOST:
	case EX_DATAERR:
		return fail(status, "5.1.2", e, EX_NOHOST);
	case EX_UNAVAILABLE: /* MX records are there and unusable: RFC 5321 5.1, an error */
		return fail(status, "5.4.4", e, EX_UNAVAILABLE);
	default:
		return fail(status, "4.4.3", e, EX_TEMPFAIL);
	}
}

/* Whom the hosts belong to, if all are of one operation of the table; relays are whoever they are. */
static const char *
shipped_site(const struct route *r)
{
	const char *all = NULL, *one;

	for (size_t i = 0; i < r->n && !r->configured && !r->literal; i++) {
		one = sitetab_find(span_of(r->hosts[i].name));
		if (!one || (all && strcmp(one, all) != 0))
			return NULL;
		all = one;
	}
	return all;
}

static void
find_site(const struct conf *c, const char *domain, struct route *r)
{
	const char *shipped = shipped_site(r);
	struct span hosts[ROUTE_HOSTS_MAX];
	struct buf name = BUF_INIT;
	size_t n = 0;

	for (; n < r->n && n < ROUTE_HOSTS_MAX; n++)
		hosts[n] = span_of(r->hosts[n].name);
	r->limits = confsite_find(&c->sections, span_of(domain), hosts, n, shipped);
	if (r->limits)
		confsite_name(r->limits, &name);
	else if (shipped)
		buf_str(&name, shipped);
	r->shared = name.len > 0;
	r->own = r->site;
	r->site = r->shared ? buf_steal(&name) : mem_dup(r->own, strlen(r->own));
	r->ip = r->limits ? r->limits->ip : CONFSITE_IP_AUTO;
}

/* The most special that says something. */
static enum conf_tls
tls_of(const struct conf *c, const struct conf_route *by, const struct confsite *site)
{
	if (by && by->tls_own)
		return by->tls;
	return site && site->tls != CONFSITE_TLS_UNSET ? (enum conf_tls)site->tls : c->tls;
}

/* One section's part in route_never_asks. */
static bool
knows_its_hosts(const struct conf_route *by)
{
	struct err e = ERR_INIT;
	struct route r = {0};
	char status[12];
	struct net_addr a;
	bool ends, knows;

	if (route_asks_dns(by))
		return false;
	ends = by->maildir || by->lmtp || by->pipe;
	knows = (ends ? from_end(by, &r, status, &e) : from_relays(span_of(by->relay), by, &r, status, &e)) == 0;
	for (size_t i = 0; knows && i < r.n && !route_is_here(&r); i++)
		knows = net_addr_unix(&a, span_of(r.hosts[i].name)) ||
		    net_addr_parse(&a, span_of(r.hosts[i].name), 0);
	route_free(&r);
	err_free(&e);
	return knows;
}

bool
route_never_asks(const struct conf *c)
{
	bool all = false, knows = true;

	for (size_t i = 0; i < c->n_routes && knows; i++) {
		all |= strcmp(c->routes[i].match, "*") == 0;
		knows = knows_its_hosts(&c->routes[i]);
	}
	return all && knows;
}

int
route_resolve(const struct conf *c, const struct conf_route *found, const struct route_self *self,
    struct dns *d, const char *domain, uint64_t seed, int64_t deadline_ms, struct route *out,
    char status[12], struct err *e)
{
	bool asks = route_asks_dns(found), ends = !asks && (found->maildir || found->lmtp || found->pipe);
	int rc;

	*out = (struct route){0};
	status[0] = '\0';
	if (ends)
		rc = from_end(found, out, status, e);
	else if (!asks)
		rc = from_relays(span_of(found->relay), found, out, status, e);
	else if (domain[0] == '[')
		rc = from_literal(domain, self, out, status, e);
	else
		rc = from_dns(self, d, domain, seed, deadline_ms, out, status, e);
	if (!rc)
		find_site(c, domain, out);
	if (!rc && found && asks)
		add_login(out, found);
	out->by = found;
	out->tls = tls_of(c, found, out->limits);
	out->mta_sts = c->mta_sts;
	out->login = found && (found->user || found->auth) && out->configured ? found : NULL;
	if (!rc && out->n > 0 && out->hosts[0].port == 0)
		out->tls = CONF_TLS_NONE; /* no wire */
	return rc;
}

void
route_free(struct route *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->hosts[i].name);
	free(r->hosts);
	free(r->site);
	free(r->own);
	free(r->set);
	*r = (struct route){0};
}

void
route_copy(const struct route *from, struct route *to)
{
	*to = *from;
	to->hosts = mem_alloc((from->n + 1) * sizeof *to->hosts);
	for (size_t i = 0; i < from->n; i++) {
		to->hosts[i] = from->hosts[i];
		to->hosts[i].name = mem_dup(from->hosts[i].name, strlen(from->hosts[i].name));
	}
	to->site = mem_dup(from->site, strlen(from->site));
	to->own = mem_dup(from->own, strlen(from->own));
	to->set = mem_dup(from->set, strlen(from->set));
}

bool
route_may_want(const struct conf *c, enum conf_tls tls)
{
	bool any = c->tls == tls;
	size_t n;
	const struct confsite *v = conftab_items(&c->sections, &confsite_section, &n);

	for (size_t i = 0; i < n; i++)
		any = any || v[i].tls == (unsigned)tls;
	for (size_t i = 0; i < c->n_routes; i++)
		any = any || c->routes[i].tls == tls;
	return any;
}

bool
route_heeds_sts(const struct route *r)
{
	return !r->literal && r->kind == ROUTE_SMTP &&
	    ((r->tls == CONF_TLS_AUTO && r->mta_sts) || r->tls == CONF_TLS_STS);
}

void
route_relax(struct route *r)
{
	if (r->tls == CONF_TLS_AUTO || r->tls == CONF_TLS_DANE || r->tls == CONF_TLS_STS)
		r->tls = CONF_TLS_MAY;
}

void
route_hold(struct route *r, const struct sts_policy *p)
{
	struct buf b = BUF_INIT;

	if (p->mode == STS_NONE)
		return;
	buf_fmt(&b, "%s sts %s ", r->set, sts_mode_name(p->mode));
	for (size_t i = 0; i < r->n; i++)
		buf_ch(&b, sts_policy_has(p, r->hosts[i].name) ? '+' : '-');
	free(r->set);
	r->set = buf_steal(&b);
}

size_t
route_before(const struct route *r, size_t host)
{
	size_t n = 0;

	while (n < r->n && r->hosts[n].preference < r->hosts[host].preference)
		n++;
	return n;
}
