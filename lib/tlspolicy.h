/* tlspolicy.h - what the next hop is held to: clear text, any TLS, DANE, a CA.
 *
 * relaykit-routing(7) tells it to people.  By the configuration, or, with `auto`: DANE where the DNS
 * has secure TLSA records for the host (RFC 7672 2.2), else MTA-STS where the domain has a policy (RFC 8461),
 * else opportunistic TLS (RFC 7435).  What is demanded and cannot be had is a deferral, never clear text.
 */
#ifndef TLSPOLICY_H
#define TLSPOLICY_H

#include "cert.h"
#include "route.h"
#include "stsfile.h"

enum tlspolicy_level {
	TLSPOLICY_CLEAR,   /* no TLS */
	TLSPOLICY_MAY,     /* where it is offered; clear text where its handshake fails */
	TLSPOLICY_ENCRYPT, /* any certificate */
	TLSPOLICY_DANE,
	TLSPOLICY_VERIFY,  /* a CA's certificate for the host's name */
	TLSPOLICY_STS      /* the same, and the policy names the host */
};

struct tlspolicy {
	enum tlspolicy_level level;
	const char *because; /* "tls = verify", "TLSA records": who demands it */
	const char *host;    /* the route's */
	char *base;          /* DANE: the name that the TLSA records belong to, where CNAMEs lead there from it */
	const char *domain;  /* the next hop: what the certificate may be for, too, with DANE-TA; NULL: it may not */
	bool by_domain;      /* the last certificate was for that alone */
	struct answers tlsa; /* lends v its data */
	struct cert_tlsa *v;
	size_t n;
	const struct cert_store *cas, *sts_cas;

	const struct stsfile *sts; /* the MTA-STS policy that counts, lent; NULL: none does */
	struct buf by;             /* what `because` says of it */
	bool testing;              /* RFC 8461 5: what it does not like is told, and changes nothing */
	bool stranger;             /* none of its patterns is for the host */
	enum cert_is is;           /* of the last certificates that were looked at, and in words */
	struct buf is_why;
};
#define TLSPOLICY_INIT {.because = "", .tlsa = ANSWERS_INIT, .by = BUF_INIT, .is_why = BUF_INIT}

/* addrs: the host's.  sts: the policy that counts, of the route's domain
 * (RFC 8461 3.4: or relay), and must outlive out; NULL: there is none, and why there is none where that is known
 * (else NULL).  EX_TEMPFAIL: the host must not be used now, for
 * whether there are TLSA records cannot be found out (RFC 7672 2.1.3), or tls = dane or sts and there is
 * none, or the policy does not name it.  status: the enhanced code.  tlspolicy_free() in any case. */
int tlspolicy_find(const struct route *r, size_t host, const struct dns_addrs *addrs, const struct stsfile *sts,
    const char *no_sts, struct dns *d, int64_t deadline_ms, struct tlspolicy *out, char status[12], struct err *e);
void tlspolicy_free(struct tlspolicy *p);

/* The CAs that some route of the configuration asks for; NULL where none does: reading the system's takes
 * ten times as long as all the rest of an idle run. */
int tlspolicy_cas(const struct conf *c, struct cert_store **cas, struct err *e);
/* Those of MTA-STS, which are understood only when they are needed; NULL where no policy is heeded. */
int tlspolicy_sts_cas(const struct conf *c, struct cert_store **cas, struct err *e);

/* Whether a server that it lets pass has proved who it is. */
bool tlspolicy_strong(const struct tlspolicy *p);

/* The certificates of a connection beside the policy; how: what was found out about them, "DANE-EE 3 1 1".
 * EX_TEMPFAIL and the reason where they do not do.  It is smtp_options.trust, with the policy as its argument. */
struct tls;
int tlspolicy_trust(void *policy, const struct tls *t, struct buf *how, struct err *e);

/* What TLS asks for (SNI): the name that the records belong to (RFC 7672 3.1.1, 3.2), else the host's. */
const char *tlspolicy_sni(const struct tlspolicy *p);

const char *tlspolicy_name(enum tlspolicy_level level); /* "none", "may", "encrypt", "dane", "verify", "sts" */

#endif
