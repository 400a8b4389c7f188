#include "reach.h"

#include "io.h"
#include "net.h"
#include "smtpauth.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST_BAD_MS 60000    /* a host that failed is passed over for so long */
#define HOST_CLEAR_MS 600000 /* one whose handshake failed is not offered TLS for so long */

void
reach_init(struct reach *c, const struct reach_env *env)
{
	*c = (struct reach){.env = env, .opening = -1, .addr = BUF_INIT};
	smtp_init(&c->s);
}

void
reach_free(struct reach *c)
{
	smtp_free(&c->s);
	dns_close(c->dns);
	buf_free(&c->addr);
}

void
reach_cut(struct reach *c)
{
	if (c->opening >= 0)
		shutdown(c->opening, SHUT_RDWR);
}

/* A descriptor of its own: the connection's may be closed, and its number another's, before we
 * know.  -1 ends it.  Returns whether what was opening until now may have been cut. */
static bool
set_opening(struct reach *c, int fd)
{
	bool cut;

	pthread_mutex_lock(c->env->lock);
	cut = *c->env->stop;
	if (c->opening >= 0)
		close(c->opening);
	c->opening = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (cut)
		reach_cut(c);
	pthread_mutex_unlock(c->env->lock);
	return cut;
}

static int
open_at(struct reach *c, const struct net_addr *a, const char *host, const struct tlspolicy *p,
    enum smtp_tls tls, const struct route *r, uint16_t port, struct err *e)
{
	const struct conf *conf = c->env->conf;
	struct smtp_options o = {.helo = conf->hostname, .tls = tls, .because = p->because,
	    .trust = tlspolicy_trust, .arg = (void *)(uintptr_t)p, .wait = &conf->timeouts,
	    .strong = tlspolicy_strong(p), .here = a->u.sa.sa_family == AF_UNIX,
	    .lmtp = r->kind == ROUTE_LMTP};
	struct net_addr probe;
	int fd, rc;

	smtp_forget(&c->s); /* what another peer said is no reason for this one's outcome */
	rc = net_connect_start(&fd, a, NULL, e);
	if (rc)
		return rc;
	set_opening(c, fd);
	rc = net_connect_end(fd, a, io_now_ms() + (int64_t)conf->timeouts.connect * 1000, e);
	if (!rc)
		rc = smtp_open(&c->s, fd, net_addr_parse(&probe, span_of(host), 0) ? NULL : host, &o,
		    e);
	if (!rc)
		rc = smtpauth_route(&c->s, r->login, host, port, c->env->keys, e);
	if (set_opening(c, -1) && !rc) {
		/* All was read before it was cut: a message would find that out, and be deferred for it. */
		smtp_close(&c->s);
		rc = err_set(e, EX_TEMPFAIL, "the run ends");
	}
	return rc;
}

/* Whether this host is offered TLS; failed: its opportunistic handshake has just been the trouble. */
static enum smtp_tls
use_tls(const struct reach_env *r, struct plan_site *s, size_t host, const struct tlspolicy *p,
    bool failed)
{
	int64_t now = io_now_ms();
	bool may;

	if (p->level != TLSPOLICY_MAY)
		return p->level == TLSPOLICY_CLEAR ? SMTP_TLS_NEVER : SMTP_TLS_MUST;

	pthread_mutex_lock(r->lock);
	if (failed)
		s->host_clear_ms[host] = now + HOST_CLEAR_MS;
	may = s->host_clear_ms[host] <= now;
	pthread_mutex_unlock(r->lock);
	return may ? SMTP_TLS_MAY : SMTP_TLS_NEVER;
}

static int
try_addr(struct reach *c, struct plan_site *s, size_t host, const struct tlspolicy *p,
    struct net_addr *a, struct err *e)
{
	const struct route_host *h = &s->route.hosts[host];
	uint64_t begun = io_time_us();
	int rc;

	net_addr_set_port(a, h->port);
	buf_cut(&c->addr, 0);
	net_endpoint_text(a, &c->addr);
	rc = open_at(c, a, h->name, p, use_tls(c->env, s, host, p, false), &s->route, h->port, e);
	if (rc && c->s.tls_failed && p->level == TLSPOLICY_MAY && !*c->env->stop) {
		/* Opportunistic: better in clear than not at all, within the same attempt. */
		rc = open_at(c, a, h->name, p, use_tls(c->env, s, host, p, true), &s->route, h->port,
		    e);
	}
	if (rc && h->port == 0)
		return err_in(e, "%s", h->name);
	if (rc)
		return err_in(e, "%s[%s]", h->name, c->addr.s);
	c->host = h->name;
	c->connect_us = io_time_us() - begun;
	c->since_ms = io_now_ms();
	return 0;
}

static void
mark_bad(const struct reach_env *r, struct plan_site *s, size_t host)
{
	pthread_mutex_lock(r->lock);
	s->host_bad_ms[host] = io_now_ms() + HOST_BAD_MS;
	pthread_mutex_unlock(r->lock);
}

/* status: what to report where this host is the reason. */
static int
find_host(struct reach *c, struct plan_site *s, size_t i, struct dns_addrs *addrs,
    struct tlspolicy *p, char status[12], struct err *e)
{
	const struct reach_env *r = c->env;
	int64_t deadline = io_now_ms() + (int64_t)r->conf->timeouts.dns * 1000;
	bool loop = false;
	int rc = route_addrs(&s->route, i, r->self, c->dns, deadline, addrs, &loop, e);

	if (rc) {
		memcpy(status, rc == EX_NOHOST ? "5.4.4" : "4.4.3", 6);
		mark_bad(r, s, i);
	} else if (loop) { /* RFC 5321 5.1: neither this host nor any at or behind its preference */
		pthread_mutex_lock(r->lock);
		s->usable = route_before(&s->route, i);
		pthread_mutex_unlock(r->lock);
		memcpy(status, "5.4.6", 6);
		rc = err_set(e, EX_UNAVAILABLE, "%s leads back to this machine",
		    s->route.hosts[i].name);
	} else {
		rc = tlspolicy_find(&s->route, i, addrs->secure, c->dns, deadline, p, status, e);
		p->cas = r->cas;
		if (rc)
			mark_bad(r, s, i);
	}
	return rc;
}

static int
try_addrs(struct reach *c, struct plan_site *s, size_t i, const struct tlspolicy *p,
    struct dns_addrs *addrs, struct err *e)
{
	int rc = EX_TEMPFAIL;

	for (size_t k = 0; k < addrs->n; k++) {
		rc = try_addr(c, s, i, p, &addrs->v[k], e);
		if (rc == 0 || *c->env->stop)
			break;
		rc = EX_TEMPFAIL;
	}
	return rc;
}

static int
try_host(struct reach *c, struct plan_site *s, size_t i, char status[12], struct err *e)
{
	struct dns_addrs addrs = {0};
	struct tlspolicy policy = {.tlsa = ANSWERS_INIT};
	int rc;

	smtp_forget(&c->s);
	rc = find_host(c, s, i, &addrs, &policy, status, e);
	if (!rc) {
		memcpy(status, "4.4.1", 6);
		rc = try_addrs(c, s, i, &policy, &addrs, e);
		if (rc && c->s.tls_status)
			memcpy(status, c->s.tls_status, 6);
		else if (rc && c->s.reply.code / 100 == 4 && c->s.reply.status[0])
			memcpy(status, c->s.reply.status, sizeof c->s.reply.status);
		if (rc)
			mark_bad(c->env, s, i);
	}
	tlspolicy_free(&policy);
	dns_addrs_free(&addrs);
	return rc;
}

/* Hosts of the best preference take turns; those that failed of late come last. */
static size_t
host_order(const struct reach_env *r, struct plan_site *s, size_t *order)
{
	size_t best = 0, n = 0, turn;
	int64_t now = io_now_ms();

	pthread_mutex_lock(r->lock);
	while (best < s->usable && s->route.hosts[best].preference == s->route.hosts[0].preference)
		best++;
	if (s->route.configured && best > 1)
		best = 1; /* relays are tried in the order they were given */
	turn = best ? s->turn++ % best : 0;
	for (int bad = 0; bad < 2; bad++)
		for (size_t k = 0; k < s->usable; k++) {
			size_t i = k < best ? (k + turn) % best : k;

			if ((s->host_bad_ms[i] > now) == (bad == 1))
				order[n++] = i;
		}
	pthread_mutex_unlock(r->lock);
	return n;
}

static bool
usable(const struct reach_env *r, const struct plan_site *s, size_t host)
{
	bool yes;

	pthread_mutex_lock(r->lock);
	yes = host < s->usable;
	pthread_mutex_unlock(r->lock);
	return yes;
}

/* Where no host takes us, the last temporary failure is what is told: it is why we try again. */
int
reach_site(struct reach *c, struct plan_site *s, char status[12], struct err *e)
{
	size_t *order = mem_grow(NULL, s->route.n + 1, sizeof *order);
	size_t n = host_order(c->env, s, order), tried = 0;
	struct err worst = ERR_INIT;
	int rc = err_set(&worst, EX_UNAVAILABLE, "every host leads back to this machine");
	bool gone = false;

	memcpy(status, "5.4.6", 6);
	for (size_t k = 0; k < n && rc && !(tried && *c->env->stop); k++) {
		char what[12];

		if (!usable(c->env, s, order[k]))
			continue;
		rc = try_host(c, s, order[k], what, e);
		if (rc == EX_TEMPFAIL || (rc && tried == 0)) {
			err_free(&worst);
			worst = (struct err){rc, e->text};
			*e = (struct err)ERR_INIT;
			memcpy(status, what, sizeof what);
		}
		err_free(e);
		gone = rc == EX_TEMPFAIL && (c->s.reply.code == 521 || c->s.reply.code == 556);
		tried++;
	}
	free(order);
	if (rc == 0) {
		err_free(&worst);
		return 0;
	}
	err_free(e);
	*e = worst;
	if (gone && n == 1) { /* RFC 7504: it takes no mail, and says so */
		memcpy(status, "5.3.2", 6);
		return e->code = EX_UNAVAILABLE;
	}
	return e->code;
}

bool
reach_has_other(const struct reach *c, const struct plan_site *s)
{
	int64_t now;
	bool other = false;

	if (s->route.n < 2)
		return false;
	now = io_now_ms();
	pthread_mutex_lock(c->env->lock);
	for (size_t i = 0; i < s->usable && !other; i++)
		other = s->route.hosts[i].name != c->host && s->host_bad_ms[i] <= now;
	pthread_mutex_unlock(c->env->lock);
	return other;
}

void
reach_avoid(const struct reach *c, struct plan_site *s)
{
	for (size_t i = 0; i < s->route.n; i++)
		if (s->route.hosts[i].name == c->host)
			mark_bad(c->env, s, i);
}
