#include "reach.h"

#include "io.h"
#include "local.h"
#include "net.h"
#include "routeaddrs.h"
#include "smtpauth.h"
#include "tlstell.h"

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
	*c = (struct reach){.env = env, .opening = -1, .from = BUF_INIT, .addr = BUF_INIT, .own = BUF_INIT,
	    .left = BUF_INIT};
	smtp_init(&c->s);
}

void
reach_free(struct reach *c)
{
	smtp_free(&c->s);
	dns_close(c->dns);
	buf_free(&c->addr);
	buf_free(&c->from);
	buf_free(&c->own);
	buf_free(&c->left);
	free(c->domain);
	stsfile_drop(c->sts);
	stsfile_drop(c->relay_sts);
}

void
reach_for(struct reach *c, const struct plan_dest *d)
{
	free(c->domain);
	c->domain = mem_dup(d->domain, strlen(d->domain));
	c->untold = d->lax;
	stsfile_drop(c->sts);
	c->sts = stsfile_share(d->sts);
	c->held = d->held;
}

/* A relay is its own policy domain (RFC 8461 3.4). */
static struct tlstell
teller(const struct reach *c, const struct plan_site *s, const struct tlspolicy *p)
{
	bool relay = s->route.configured;

	return (struct tlstell){c->untold ? NULL : c->env->events, relay ? p->host : c->domain, span_of(s->name),
	    relay ? c->relay_sts : c->sts, p, c->addr.s, c->own.s};
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

static void
on_opening(void *arg, int fd)
{
	struct reach *c = arg;
	struct net_addr own;

	set_opening(c, fd);
	buf_cut(&c->own, 0);
	if (net_own_end(fd, &own))
		net_addr_text(&own, &c->own);
}

static int
open_at(struct reach *c, struct plan_site *s, size_t host, const struct net_addr *a,
    const struct tlspolicy *p, bool clear, struct err *e)
{
	const struct route_host *h = &s->route.hosts[host];
	struct knock k = {.conf = c->env->conf, .host = h->name, .policy = p, .clear = clear,
	    .source = c->source, .tickets = c->env->tickets, .lmtp = s->route.kind == ROUTE_LMTP,
	    .opening = on_opening, .arg = c};
	struct tlstell t;
	int rc = identities_get(c->env->identities, s->route.by, &k.identity, e);

	c->own_fault = rc != 0;
	if (rc)
		return rc;
	k.identity_name = k.identity ? s->route.by->match : NULL;
	rc = knock(&k, a, &c->s, e);
	t = teller(c, s, p); /* not before: our address is known now */
	if (s->route.kind == ROUTE_SMTP && !*c->env->stop)
		tlstell_session(&t, &c->s, p->level != TLSPOLICY_CLEAR && (p->level != TLSPOLICY_MAY || !clear), rc, e);
	if (!rc)
		rc = smtpauth_route(&c->s, s->route.login, h->name, h->port, c->env->keys, e);
	if (set_opening(c, -1) && !rc) {
		/* All was read before it was cut: a message would find that out, and be deferred for it. */
		smtp_close(&c->s);
		rc = err_set(e, EX_TEMPFAIL, "the run ends");
	}
	return rc;
}

/* Whether this host, to which TLS is only offered, is spoken to in clear text; failed: its handshake has just
 * been the trouble. */
static bool
in_clear(const struct reach_env *r, struct plan_site *s, size_t host, bool failed)
{
	int64_t now = io_now_ms();
	bool clear;

	pthread_mutex_lock(r->lock);
	if (failed)
		s->host_clear_ms[host] = now + HOST_CLEAR_MS;
	clear = s->host_clear_ms[host] > now;
	pthread_mutex_unlock(r->lock);
	return clear;
}

/* From the pool's next address; from another where this machine has it not. */
static int
open_from(struct reach *c, struct plan_site *s, size_t host, const struct net_addr *a,
    const struct tlspolicy *p, bool clear, struct err *e)
{
	sa_family_t family = a->u.sa.sa_family;
	int rc = 0;

	c->source = NULL;
	buf_cut(&c->from, 0);
	if (s->pool == SOURCES_NONE || family == AF_UNIX)
		return open_at(c, s, host, a, p, clear, e);
	while ((c->source = sources_pick(c->env->sources, s->pool, family)) != NULL) {
		err_free(e);
		rc = open_at(c, s, host, a, p, clear, e);
		if (!rc || c->s.reply.code || !sources_missing(c->env->sources, c->source, family))
			break;
		c->own_fault = true;
	}
	if (c->source) {
		c->own_fault = false;
		net_addr_text(source_addr(c->source, family), &c->from);
		return rc;
	}
	return rc ? rc : err_set(e, EX_TEMPFAIL, "pool \"%s\" has no address that can be used now",
	    sources_name(c->env->sources, s->pool));
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
	rc = open_from(c, s, host, a, p, in_clear(c->env, s, host, false), e);
	if (rc && c->s.tls_failed && p->level == TLSPOLICY_MAY && !*c->env->stop) {
		/* Opportunistic: better in clear than not at all, within the same attempt. */
		err_free(e);
		rc = open_from(c, s, host, a, p, in_clear(c->env, s, host, true), e);
	}
	if (rc && h->port == 0)
		return err_in(e, "%s", h->name);
	if (rc)
		return err_in(e, "%s[%s]", h->name, c->addr.s);
	c->bound = p->by_domain;
	c->host = h->name;
	c->connect_us = io_time_us() - begun;
	c->since_ms = io_now_ms();
	return 0;
}

static void
mark_bad(const struct reach_env *r, struct plan_site *s, size_t host, bool gone)
{
	pthread_mutex_lock(r->lock);
	s->host_bad_ms[host] = io_now_ms() + HOST_BAD_MS;
	s->host_gone[host] = gone;
	pthread_mutex_unlock(r->lock);
}

/* The policy that a host is held to: the domain's, or a relay's own. */
static const struct stsfile *
find_sts(struct reach *c, const struct route *r, const char *host, int64_t deadline, const char **why)
{
	bool old = false;

	*why = stskeep_why(c->sts);
	if (!r->configured)
		return c->held ? c->sts : NULL;
	stsfile_drop(c->relay_sts);
	c->relay_sts = NULL;
	if (route_heeds_sts(r))
		stskeep_relay(c->env->sts, host, c->dns, deadline, &c->relay_sts, &old);
	if (old)
		stskeep_refresh(c->env->sts, host);
	*why = stskeep_why(c->relay_sts);
	return stskeep_valid(c->relay_sts);
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
		mark_bad(r, s, i, rc == EX_NOHOST);
	} else if (loop) { /* RFC 5321 5.1: neither this host nor any at or behind its preference */
		pthread_mutex_lock(r->lock);
		s->usable = route_before(&s->route, i);
		pthread_mutex_unlock(r->lock);
		memcpy(status, "5.4.6", 6);
		rc = err_set(e, EX_UNAVAILABLE, "%s leads back to this machine",
		    s->route.hosts[i].name);
	} else {
		const char *why;
		const struct stsfile *sts = find_sts(c, &s->route, s->route.hosts[i].name, deadline, &why);

		rc = tlspolicy_find(&s->route, i, addrs, sts, why, c->dns, deadline, p, status, e);
		p->domain = s->route.configured ? NULL : c->next_hop;
		p->cas = r->cas;
		p->sts_cas = r->sts_cas;
		if (rc) {
			struct tlstell t = teller(c, s, p);

			c->on_terms = true;
			t.addr = t.source = "";
			tlstell_refused(&t, e);
			mark_bad(r, s, i, false);
		}
	}
	if (!rc && s->pool != SOURCES_NONE && s->route.hosts[i].port != 0 &&
	    (rc = knock_reachable(r->sources, s->pool, s->route.hosts[i].name, addrs, e)) != 0)
		memcpy(status, "4.3.5", 6);
	return rc;
}

/* Not of a login, whose account has a site of its own. */
static bool
is_policy(const char *tls_status)
{
	return tls_status && (strcmp(tls_status, "4.7.4") == 0 || strcmp(tls_status, "4.7.5") == 0);
}

struct words { /* why an address that speaks SMTP does not take us */
	struct err why; /* no code: none has spoken */
	int code;
	char status[sizeof((struct reply *)0)->status];
	const char *tls_status;
	bool slow_down;
	uint32_t wait_hint_s;
};

/* A wrong password is not hidden by the host's other address, which nobody can reach from here: where the last
 * has said nothing, what one before it has said is what is told. */
static void
keep_words(struct words *w, struct smtp *s, struct err *e)
{
	if (s->reply.code != 0 || s->hello.len > 0) {
		err_set(&w->why, e->code, "%s", err_text(e));
		w->code = s->reply.code;
		memcpy(w->status, s->reply.status, sizeof w->status);
		w->tls_status = s->tls_status;
		w->slow_down = s->slow_down;
		w->wait_hint_s = s->wait_hint_s;
	} else if (w->why.code != 0) {
		err_set(e, w->why.code, "%s", err_text(&w->why));
		s->reply.code = w->code;
		memcpy(s->reply.status, w->status, sizeof w->status);
		s->tls_status = w->tls_status;
		s->slow_down = w->slow_down;
		s->wait_hint_s = w->wait_hint_s;
	}
}

static int
try_addrs(struct reach *c, struct plan_site *s, size_t i, const struct tlspolicy *p,
    struct dns_addrs *addrs, struct err *e)
{
	struct words words = {.why = ERR_INIT};
	int rc = EX_TEMPFAIL;

	c->gone = addrs->n > 0;
	for (size_t k = 0; k < addrs->n; k++) {
		rc = try_addr(c, s, i, p, &addrs->v[k], e);
		c->on_terms = c->on_terms || (rc && is_policy(c->s.tls_status));
		if (rc == 0 || *c->env->stop)
			break;
		c->gone = c->gone && (c->s.reply.code == 521 || c->s.reply.code == 556);
		keep_words(&words, &c->s, e);
		rc = EX_TEMPFAIL;
	}
	err_free(&words.why);
	return rc;
}

/* DANE-TA: the host is who it should be, and may not have this domain's mail (RFC 7672 3.2.2). */
static bool
is_of_names(const struct tlspolicy *p)
{
	return p->level == TLSPOLICY_DANE && p->domain && p->is == CERT_OTHER_NAME;
}

static int
try_host(struct reach *c, struct plan_site *s, size_t i, char status[12], struct err *e)
{
	struct dns_addrs addrs = {0};
	struct tlspolicy policy = TLSPOLICY_INIT;
	bool named = false;
	int rc;

	smtp_forget(&c->s);
	c->gone = false;
	rc = find_host(c, s, i, &addrs, &policy, status, e);
	if (!rc) {
		c->own_fault = false;
		rc = try_addrs(c, s, i, &policy, &addrs, e);
		memcpy(status, c->own_fault ? "4.3.5" : "4.4.1", 6);
		if (rc && c->s.tls_status)
			memcpy(status, c->s.tls_status, 6);
		else if (rc && c->s.reply.code / 100 == 4 && c->s.reply.status[0])
			memcpy(status, c->s.reply.status, sizeof c->s.reply.status);
		named = rc && is_of_names(&policy);
		if (rc && !named)
			mark_bad(c->env, s, i, c->gone);
	}
	c->not_for_domain &= named;
	tlspolicy_free(&policy);
	dns_addrs_free(&addrs);
	return rc;
}

/* What became of the message at hand there: nothing yet; no time for it now; never what it asks for. */
enum left { NOT_LEFT, LEFT_USELESS, LEFT_UNFIT };

static enum left
left_as(const struct reach *c, size_t host)
{
	return host < c->left.len ? (enum left)c->left.s[host] : NOT_LEFT;
}

/* Hosts of the best preference take turns; those that failed of late come last. */
static size_t
host_order(const struct reach *c, struct plan_site *s, size_t *order)
{
	const struct reach_env *r = c->env;
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

			if ((s->host_bad_ms[i] > now || left_as(c, i) != NOT_LEFT) == (bad == 1))
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

/* Nobody to connect to: the session is open, and says nothing. */
static int
reach_here(struct reach *c, const struct plan_site *s, char status[12], struct err *e)
{
	int rc;

	smtp_forget(&c->s);
	buf_cut(&c->addr, 0);
	buf_cut(&c->from, 0);
	c->source = NULL;
	c->host = "";
	c->connect_us = 0;
	c->since_ms = io_now_ms();
	memcpy(status, "4.2.0", 6);
	rc = *c->env->stop ? err_set(e, EX_TEMPFAIL, "the run ends") : local_ready(s->route.ends, e);
	c->s.open = !rc;
	return rc;
}

/* Where no host takes us, the last temporary failure is what is told: it is why we try again. */
int
reach_site(struct reach *c, struct plan_site *s, const char *next_hop, char status[12], struct err *e)
{
	size_t *order, n, tried = 0;
	struct err worst = ERR_INIT;
	bool gone = false;
	int rc;

	c->site = s;
	c->on_terms = c->not_for_domain = c->gone = false;
	if (route_is_here(&s->route))
		return reach_here(c, s, status, e);
	c->next_hop = next_hop;
	c->bound = false;
	c->not_for_domain = true;
	order = mem_grow(NULL, s->route.n + 1, sizeof *order);
	n = host_order(c, s, order);
	rc = err_set(&worst, EX_UNAVAILABLE, "every host leads back to this machine");
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
		gone = rc == EX_TEMPFAIL && c->gone;
		tried++;
	}
	free(order);
	c->not_for_domain &= tried > 0 && rc != 0;
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

enum reach_other
reach_others(const struct reach *c, const struct plan_site *s)
{
	enum reach_other is = REACH_NONE;
	int64_t now;

	if (s->route.n < 2)
		return REACH_NONE;
	now = io_now_ms();
	pthread_mutex_lock(c->env->lock);
	for (size_t i = 0; i < s->usable && is != REACH_NOW; i++) {
		enum left left = left_as(c, i);

		if (s->route.hosts[i].name == c->host || left == LEFT_UNFIT)
			continue;
		if (s->host_bad_ms[i] <= now && left == NOT_LEFT)
			is = REACH_NOW;
		else if (s->host_bad_ms[i] <= now || !s->host_gone[i])
			is = REACH_LATER;
	}
	pthread_mutex_unlock(c->env->lock);
	return is;
}

/* A message that was everywhere has had its attempt, however long that took. */
static void
leave(struct reach *c, const struct plan_site *s, enum left why)
{
	for (size_t i = 0; i < s->route.n; i++) {
		if (c->left.len == i)
			buf_ch(&c->left, NOT_LEFT);
		if (s->route.hosts[i].name == c->host)
			c->left.s[i] = (char)why;
	}
}

void
reach_unfit(struct reach *c, const struct plan_site *s)
{
	leave(c, s, LEFT_UNFIT);
}

void
reach_avoid(struct reach *c, struct plan_site *s)
{
	for (size_t i = 0; i < s->route.n; i++)
		if (s->route.hosts[i].name == c->host)
			mark_bad(c->env, s, i, false);
	leave(c, s, LEFT_USELESS);
}

void
reach_fresh(struct reach *c)
{
	buf_cut(&c->left, 0);
}
