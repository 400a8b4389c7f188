#include "knock.h"

#include "io.h"
#include "tickets.h"

static enum smtp_tls
tls_of(const struct knock *k)
{
	if (k->policy->level == TLSPOLICY_CLEAR || (k->policy->level == TLSPOLICY_MAY && k->clear))
		return SMTP_TLS_NEVER;
	return k->policy->level == TLSPOLICY_MAY ? SMTP_TLS_MAY : SMTP_TLS_MUST;
}

/* Whom a ticket is for: never another server, policy, name or certificate of ours, nor another address. */
static void
ticket_key(const struct knock *k, const struct net_addr *to, struct buf *out)
{
	buf_fmt(out, "%s:%u %d %s %s %s", k->host, (unsigned)net_addr_port(to), (int)k->policy->level,
	    k->identity ? k->identity_name : "-", k->source ? k->source->title : "-",
	    k->lmtp ? "lmtp" : "smtp");
}

static int
once(const struct knock *k, const struct net_addr *to, const struct smtp_options *o, struct smtp *s,
    struct err *e)
{
	struct net_addr probe;
	bool named = !net_addr_parse(&probe, span_of(k->host), 0);
	int fd, rc;

	smtp_forget(s); /* what another peer said is no reason for this one's outcome */
	rc = net_connect_start(&fd, to, source_addr(k->source, to->u.sa.sa_family), e);
	if (rc)
		return rc;
	if (k->opening)
		k->opening(k->arg, fd);
	rc = net_connect_end(fd, to, io_now_ms() + (int64_t)o->wait->connect * 1000, e);
	return rc ? rc : smtp_open(s, fd, named ? tlspolicy_sni(k->policy) : NULL, o, e);
}

int
knock(const struct knock *k, const struct net_addr *to, struct smtp *s, struct err *e)
{
	struct smtp_options o = {.helo = k->source ? k->source->helo : k->conf->hostname, .tls = tls_of(k),
	    .because = k->policy->because, .trust = tlspolicy_trust,
	    .arg = (void *)(uintptr_t)k->policy, .wait = &k->conf->timeouts,
	    .strong = tlspolicy_strong(k->policy), .here = to->u.sa.sa_family == AF_UNIX, .lmtp = k->lmtp,
	    .identity = k->identity, .tickets = k->tickets};
	struct buf key = BUF_INIT, ticket = BUF_INIT;
	int rc;

	ticket_key(k, to, &key);
	o.ticket_key = key.s;
	if (o.tls != SMTP_TLS_NEVER && tickets_take(k->tickets, key.s, io_now_ms(), &ticket))
		o.ticket = (struct span){ticket.s, ticket.len};
	rc = once(k, to, &o, s, e);
	if (rc && o.ticket.n > 0 && (s->tls_failed || s->tls_status)) {
		o.ticket = (struct span){"", 0}; /* it may have been the ticket's doing */
		err_free(e);
		rc = once(k, to, &o, s, e);
	}
	tickets_wipe(&ticket);
	buf_free(&key);
	return rc;
}

int
knock_reachable(const struct sources *s, uint32_t pool, const char *host, struct dns_addrs *l,
    struct err *e)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		if (sources_has(s, pool, l->v[i].u.sa.sa_family))
			l->v[kept++] = l->v[i];
	if (kept == 0 && l->n > 0)
		return err_set(e, EX_TEMPFAIL, "%s has addresses that pool \"%s\" cannot reach: it has none of "
		    "their kind", host, sources_name(s, pool));
	l->n = kept;
	return 0;
}
