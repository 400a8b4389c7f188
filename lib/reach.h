/* reach.h - a connection to one of the hosts of a site, ready for MAIL.
 *
 * Hosts by preference, those of the best taking turns, those that failed of late last; all
 * addresses of each; TLS as tlspolicy.h says, and where it is opportunistic and its handshake fails the
 * same host in clear within the same attempt.
 */
#ifndef REACH_H
#define REACH_H

#include "keyring.h"
#include "knock.h"
#include "plan.h"
#include "smtp.h"
#include "stskeep.h"
#include "tlspolicy.h"

#include <stdbool.h>
#include <stdint.h>

struct reach_env { /* of the run; the lock is over what plan_site remembers of its hosts */
	const struct conf *conf;
	const struct route_self *self;
	const struct cert_store *cas; /* where some route has tls = verify */
	const struct cert_store *sts_cas;
	struct stskeep *sts;  /* policies of relays; NULL: they have none */
	struct events *events; /* told what came of TLS; NULL: it is not */
	struct keyring *keys; /* where some route logs in; else NULL */
	struct sources *sources; /* where there are pools; else NULL */
	struct tickets *tickets;
	struct identities *identities; /* where some route shows a certificate; else NULL */
	pthread_mutex_t *lock;
	const _Atomic bool *stop;
};

struct reach { /* one thread's */
	const struct reach_env *env;
	struct dns *dns;
	struct smtp s;
	int opening;         /* under the lock: a socket over which no message is on its way, or -1 */
	const struct plan_site *site; /* of the last connection asked for */
	const char *next_hop; /* the recipients' of whom it was asked for; NULL: several */
	struct buf left;     /* a byte for each host: what became of the message at hand there */
	bool bound;          /* its certificate is for that domain, not for the host: it serves no other */
	const char *host;    /* whom it leads to; the route's */
	const struct source *source; /* where it leaves from; NULL: as the system has it */
	struct buf from;     /* that address as text */
	bool gone;           /* the host takes no mail (RFC 7504), as all its addresses say */
	bool own_fault;      /* what failed last is ours to mend: a pool's addresses, a certificate */
	bool not_for_domain; /* nothing failed but that the certificates are for other names: it is not the site's fault */
	struct buf addr;     /* "192.0.2.1:25" */
	struct buf own;      /* ours, as it was of this connection */
	char *domain;        /* whose mail asks for a connection */
	bool on_terms;       /* out, with EX_TEMPFAIL: some host is there, and does not meet its TLS policy */
	bool untold;         /* what comes of TLS is not told: reports would beget reports */
	struct stsfile *sts; /* what is known of its MTA-STS policy; NULL: nothing */
	bool held;           /* to that */
	struct stsfile *relay_sts; /* or of a relay's, while it is tried */
	uint64_t connect_us; /* how long it took */
	int64_t since_ms;
};

void reach_init(struct reach *c, const struct reach_env *env);
void reach_free(struct reach *c); /* its connection and its dns, too */
/* With the lock held, from another thread: whoever waits for a connection or a greeting need not wait
 * for it. */
void reach_cut(struct reach *c);

/* Whose mail the next connection is for. */
void reach_for(struct reach *c, const struct plan_dest *d);

/* next_hop: the recipients' domain, NULL: they have several; lent as long as the connection is used.
 * 0: c->s is open; where route_is_here() without a connection.  EX_TEMPFAIL: not now; EX_NOHOST,
 * EX_UNAVAILABLE: never.  Where no host takes us
 * the last temporary failure is what is told; status is the enhanced code to report. */
int reach_site(struct reach *c, struct plan_site *s, const char *next_hop, char status[12],
    struct err *e);

/* Of the connection that c has: what hosts there are beside its own that the message at hand has not left. */
enum reach_other {
	REACH_NONE,
	REACH_LATER, /* only some that failed of late and might take mail again */
	REACH_NOW    /* one that did not */
};
enum reach_other reach_others(const struct reach *c, const struct plan_site *s);
/* Its own has failed, and is passed over for a while. */
void reach_avoid(struct reach *c, struct plan_site *s);
/* Its own is passed over for the message at hand alone, until reach_fresh(). */
void reach_unfit(struct reach *c, const struct plan_site *s);
void reach_fresh(struct reach *c);

#endif
