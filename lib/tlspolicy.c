#include "tlspolicy.h"

#include "tls.h"

#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 16

const char *
tlspolicy_name(enum tlspolicy_level level)
{
	static const char *const names[] = {"none", "may", "encrypt", "dane", "verify", "sts"};

	return names[level];
}

void
tlspolicy_free(struct tlspolicy *p)
{
	answers_free(&p->tlsa);
	free(p->v);
	free(p->base);
	buf_free(&p->by);
	buf_free(&p->is_why);
	*p = (struct tlspolicy)TLSPOLICY_INIT;
}

/* RFC 6698 2.1: three bytes, and the data. */
static void
take_usable(struct tlspolicy *p)
{
	p->v = mem_grow(NULL, p->tlsa.n + 1, sizeof *p->v);
	for (size_t i = 0; i < p->tlsa.n; i++) {
		struct span s = {p->tlsa.v[i].text.s, p->tlsa.v[i].text.len};
		const unsigned char *b = (const unsigned char *)s.p;

		if (s.n < 3)
			continue;
		p->v[p->n] = (struct cert_tlsa){b[0], b[1], b[2], {s.p + 3, s.n - 3}};
		p->n += cert_tlsa_usable(&p->v[p->n]);
	}
}

/* The records at one name: true where they are what counts, or cannot be found out (e). */
static bool
ask_at(const char *base, uint16_t port, struct dns *d, int64_t deadline_ms, struct tlspolicy *p,
    char status[12], struct err *e)
{
	struct buf name = BUF_INIT;
	bool unknown;

	buf_fmt(&name, "_%u._tcp.%s", port, base);
	answers_free(&p->tlsa);
	dns_ask(d, name.s, ANSWERS_TLSA, deadline_ms, &p->tlsa);
	unknown = answers_temporary(&p->tlsa);
	if (unknown) {
		memcpy(status, "4.7.5", 6);
		err_set(e, EX_TEMPFAIL, "TLSA records of %s: %s", name.s, p->tlsa.why.s);
	}
	buf_free(&name);
	return unknown || (p->tlsa.secure && p->tlsa.n > 0);
}

/* An alias in a signed zone that leads into one which is not: its own name may have records. */
static bool
is_secure_alias(const char *host, const struct dns_addrs *addrs, struct dns *d, int64_t deadline_ms)
{
	struct answers is = ANSWERS_INIT;
	bool secure;

	if (!addrs->owner || !dns_validates(d))
		return false;
	dns_ask(d, host, ANSWERS_CNAME, deadline_ms, &is);
	secure = is.secure && is.n > 0;
	answers_free(&is);
	return secure;
}

/* Only hosts whose name is secure have secure TLSA records: an MX set from a signed zone or a
 * configured relay, with addresses from a signed zone; where it is an alias those of the name that it leads
 * to come first, then its own (RFC 7672 2.2.2, 2.2.3). */
static int
ask_tlsa(const struct route *r, size_t host, const struct dns_addrs *addrs, struct dns *d,
    int64_t deadline_ms, struct tlspolicy *p, char status[12], struct err *e)
{
	const char *name = r->hosts[host].name;
	uint16_t port = r->hosts[host].port;
	bool found = false;

	if (addrs->secure && addrs->owner) {
		found = ask_at(addrs->owner, port, d, deadline_ms, p, status, e);
		if (found)
			p->base = mem_dup(addrs->owner, strlen(addrs->owner));
	}
	if (!found && (addrs->secure || is_secure_alias(name, addrs, d, deadline_ms)))
		found = ask_at(name, port, d, deadline_ms, p, status, e);
	if (answers_temporary(&p->tlsa))
		return EX_TEMPFAIL; /* e may have another host's */
	if (!found)
		return 0;
	take_usable(p);
	/* RFC 7672 2.2: records that nobody can use still ask for TLS. */
	p->level = p->n > 0 ? TLSPOLICY_DANE : TLSPOLICY_ENCRYPT;
	p->because = p->n > 0 ? "TLSA records" : "TLSA records, of which none can be used";
	return 0;
}

const char *
tlspolicy_sni(const struct tlspolicy *p)
{
	return p->base && p->level == TLSPOLICY_DANE ? p->base : p->host;
}

/* RFC 8461 5.  It adds to what DANE has left open, and overrides nothing that DANE says (2). */
static int
heed_sts(const struct route *r, const struct stsfile *sts, const char *no_sts, struct tlspolicy *p,
    char status[12], struct err *e)
{
	bool must = r->tls == CONF_TLS_STS;

	if (!sts || sts->policy.mode == STS_NONE) {
		if (!must)
			return 0;
		memcpy(status, "4.7.5", 6);
		if (sts)
			return err_set(e, EX_TEMPFAIL, "the MTA-STS policy of %s has mode none, and tls = sts", sts->domain);
		return err_set(e, EX_TEMPFAIL, "%s has no MTA-STS policy that can be had, and tls = sts%s%s", p->host,
		    no_sts ? ": " : "", no_sts ? no_sts : "");
	}
	p->sts = sts;
	p->stranger = !sts_policy_has(&sts->policy, p->host);
	buf_fmt(&p->by, "the MTA-STS policy of %s", sts->domain);
	if (!must && sts->policy.mode == STS_TESTING) {
		p->testing = true;
		return 0;
	}
	p->level = TLSPOLICY_STS;
	p->because = p->by.s;
	if (!p->stranger)
		return 0;
	memcpy(status, "4.7.5", 6);
	return err_set(e, EX_TEMPFAIL, "%s is not in the MTA-STS policy of %s", p->host, sts->domain);
}

int
tlspolicy_find(const struct route *r, size_t host, const struct dns_addrs *addrs, const struct stsfile *sts,
    const char *no_sts, struct dns *d, int64_t deadline_ms, struct tlspolicy *p, char status[12], struct err *e)
{
	static const struct {
		enum tlspolicy_level level;
		const char *because;
	} set[] = {[CONF_TLS_AUTO] = {TLSPOLICY_MAY, ""}, [CONF_TLS_NONE] = {TLSPOLICY_CLEAR, ""},
	    [CONF_TLS_MAY] = {TLSPOLICY_MAY, ""}, [CONF_TLS_ENCRYPT] = {TLSPOLICY_ENCRYPT, "tls = encrypt"},
	    [CONF_TLS_DANE] = {TLSPOLICY_DANE, "tls = dane"},
	    [CONF_TLS_VERIFY] = {TLSPOLICY_VERIFY, "tls = verify"}, [CONF_TLS_STS] = {TLSPOLICY_STS, "tls = sts"}};
	bool dane = r->tls == CONF_TLS_AUTO || r->tls == CONF_TLS_DANE;

	*p = (struct tlspolicy)TLSPOLICY_INIT;
	p->level = set[r->tls].level;
	p->because = set[r->tls].because;
	p->host = r->hosts[host].name;
	if (dane && (r->secure || r->configured) && ask_tlsa(r, host, addrs, d, deadline_ms, p, status, e))
		return EX_TEMPFAIL;
	if (r->tls == CONF_TLS_DANE && p->n == 0) {
		memcpy(status, "4.7.5", 6);
		return err_set(e, EX_TEMPFAIL, "%s has no TLSA records that are secure and can be used, and tls = dane",
		    p->host);
	}
	return (r->tls == CONF_TLS_AUTO && p->n == 0) || r->tls == CONF_TLS_STS
	    ? heed_sts(r, sts, no_sts, p, status, e) : 0;
}

int
tlspolicy_sts_cas(const struct conf *c, struct cert_store **cas, struct err *e)
{
	*cas = NULL;
	if (!route_may_want(c, CONF_TLS_STS) && !(c->mta_sts && route_may_want(c, CONF_TLS_AUTO)))
		return 0;
	return cert_store_later(cas, c->sts_ca_file[0] ? c->sts_ca_file : NULL, e)
	    ? err_in(e, "sts_ca_file") : 0;
}

int
tlspolicy_cas(const struct conf *c, struct cert_store **cas, struct err *e)
{
	*cas = NULL;
	return route_may_want(c, CONF_TLS_VERIFY) ? cert_store_open(cas, c->tls_ca_file[0] ? c->tls_ca_file : NULL, e) : 0;
}

bool
tlspolicy_strong(const struct tlspolicy *p)
{
	return p->level == TLSPOLICY_DANE || p->level == TLSPOLICY_VERIFY || p->level == TLSPOLICY_STS;
}

/* RFC 7672 3.2.2: with DANE-TA a certificate for the host does, or one for the next hop's domain, if it was the
 * DNS that led from there to the host.  Which it was is told, for connections are shared between domains. */
static enum cert_is
check_dane(struct tlspolicy *p, const struct cert_chain *chain)
{
	const char *own[] = {p->host, p->base};
	struct cert_names names = {own, p->base ? 2 : 1}, other = {&p->domain, 1};
	struct buf why = BUF_INIT;
	enum cert_is is = cert_dane(chain, p->v, p->n, &names, &p->is_why);

	p->by_domain = is == CERT_OTHER_NAME && p->domain &&
	    cert_dane(chain, p->v, p->n, &other, &why) == CERT_GOOD;
	if (p->by_domain) {
		buf_cut(&p->is_why, 0);
		buf_add(&p->is_why, why.s, why.len);
		is = CERT_GOOD;
	}
	buf_free(&why);
	return is;
}

static int
check(struct tlspolicy *p, const struct cert_chain *chain, struct buf *how,
    struct err *e)
{
	struct cert_names names = {&p->host, 1};
	bool dane = p->level == TLSPOLICY_DANE, verify = p->level == TLSPOLICY_VERIFY;

	buf_cut(&p->is_why, 0);
	p->is = CERT_GOOD;
	if (dane)
		p->is = check_dane(p, chain);
	else if (verify)
		p->is = cert_ca(chain, p->cas, &names, &p->is_why);
	else if (p->sts)
		p->is = cert_ca(chain, p->sts_cas, &names, &p->is_why);
	if (p->is && !p->testing)
		return err_set(e, EX_TEMPFAIL, "%s: %s", p->because, p->is_why.s);
	if (p->sts)
		buf_fmt(how, "sts:%s%s", p->testing ? "testing" : "enforce",
		    p->is || p->stranger ? "-unmet" : "");
	else
		buf_str(how, verify ? "verified" : p->is_why.s);
	return 0;
}

int
tlspolicy_trust(void *policy, const struct tls *t, struct buf *how, struct err *e)
{
	struct span v[CHAIN_MAX];
	struct cert_chain chain = {v, tls_peer_chain(t, v, CHAIN_MAX)};

	return check(policy, &chain, how, e);
}
