/* knock.h - one connection to one address of a host, under its policy: greeting, EHLO, TLS.
 *
 * The deliverer's, mx-lookup's and the dry run's are made here, so that what is found out is what happens.
 */
#ifndef KNOCK_H
#define KNOCK_H

#include "identities.h"
#include "net.h"
#include "session.h"
#include "sources.h"
#include "tlspolicy.h"

struct knock {
	const struct conf *conf;
	const char *host;               /* its name, or an address as text: that is no name to ask TLS for */
	const struct tlspolicy *policy;
	bool clear;                     /* no TLS, though the policy would have it where it is offered */
	const struct tls_identity *identity; /* or NULL */
	const char *identity_name;      /* what tells it from others */
	struct tickets *tickets;        /* or NULL */
	bool lmtp;                      /* not SMTP but that, RFC 2033 */
	const struct source *source;    /* where it leaves from; NULL: as the system has it */
	/* Told of the socket before it is waited for; may be NULL. */
	void (*opening)(void *arg, int fd);
	void *arg;
};

/* smtp_init(s) was. As smtp_open().  With a ticket, if there is one: where that does not do, over a second
 * connection without. */
int knock(const struct knock *k, const struct net_addr *to, struct smtp *s, struct err *e);

/* The local address for connections to a host at these, of a pool that has to be left by; addresses of a
 * family that the pool has not are taken out.  EX_TEMPFAIL: none is left. */
int knock_reachable(const struct sources *s, uint32_t pool, const char *host, struct dns_addrs *addrs,
    struct err *e);

#endif
