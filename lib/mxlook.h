/* mxlook.h - all that is known about where a domain's mail goes: mx-lookup's answer.
 *
 * By the code of the deliverer: route.h and tlspolicy.h.  With connect, by session.h too: what the
 * first address of each host that can be reached really offers.
 */
#ifndef MXLOOK_H
#define MXLOOK_H

#include "reply.h"
#include "route.h"
#include "sources.h"
#include "stskeep.h"
#include "tlspolicy.h"

struct mxlook_with { /* shared by threads */
	const struct conf *conf;
	const struct route_self *self;
	const struct cert_store *cas, *sts_cas;
	struct stskeep *sts;     /* NULL: no MTA-STS policy counts */
	struct sources *sources; /* NULL: there are no pools */
	const char *stream;      /* whose pool is used */
	const struct span *sender; /* whose route is taken, as in route_find(); NULL: nobody's */
	struct identities *identities; /* NULL: no route shows a certificate */
	bool addresses, connect; /* else the hosts alone; connect wants addresses */
	uint64_t seed;
	int64_t wait_ms; /* for all DNS questions about one domain */
};

struct mxlook_host { /* beside route.hosts[i] */
	bool lmtp;
	struct dns_addrs addrs;
	struct stsfile *sts;     /* what is known of the MTA-STS policy of a relay's own; NULL: nothing */
	struct tlspolicy policy; /* where code is 0 */
	bool loop;               /* an address of it is ours: neither it nor any behind is tried */
	const struct conf_route *by; /* the route's */
	uint32_t pool;           /* whose addresses connections leave from: of sources.h, or SOURCES_NONE */
	int code;                /* no address, or no policy: why, and its status */
	char status[12];
	struct buf why;
	/* with connect */
	bool met;
	size_t met_at; /* at this address */
	const char *trouble_status; /* "4.7.4" */
	struct buf addr, keywords, tls, trouble; /* "192.0.2.1:25"; as EHLO said them; session.h's tls */
};

struct mxlook {
	struct buf domain;  /* as it was asked for in the DNS; empty: it is none */
	int code;           /* 0, EX_DATAERR, EX_NOHOST, EX_UNAVAILABLE, EX_TEMPFAIL */
	char status[12];
	struct buf why;
	struct route route; /* where code is 0 */
	struct mxlook_host *hosts;
	struct stsfile *sts; /* what is known of the domain's MTA-STS policy; NULL: nothing */
	struct buf told;    /* explain: a line each question and decision */
	bool explain;
};

/* text: a domain, in ASCII or UTF-8, an address literal, or a mailbox, of which the domain counts.  d is
 * this thread's. mxlook_free() in any case. */
void mxlook_find(struct mxlook *m, const struct mxlook_with *with, struct dns *d, struct span text,
    bool explain);
void mxlook_free(struct mxlook *m);

/* A session to the first address of a host that was found, under its policy. smtp_init(s) was. */
struct smtp;
int mxlook_open(const struct mxlook_with *with, const struct mxlook_host *h, struct smtp *s,
    struct err *e);

#endif
