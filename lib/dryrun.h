/* dryrun.h - what a run would do with each message that is due, at four depths; nothing leaves the queue.
 *
 *     route      by the configuration alone: no question to the DNS
 *     dns        which hosts, at which addresses, held to what (mxlook.h)
 *     connect    whether one of them takes a connection: greeting, EHLO, TLS and its certificate
 *     rcpt       and what it says to MAIL and each RCPT, by the code that delivers; RSET follows
 */
#ifndef DRYRUN_H
#define DRYRUN_H

#include "mxlook.h"
#include "queue.h"

enum dryrun_depth { DRYRUN_ROUTE, DRYRUN_DNS, DRYRUN_CONNECT, DRYRUN_RCPT };

struct dryrun_line { /* a recipient; "" where there is nothing to say */
	const char *id, *rcpt;
	const char *verdict; /* "send", "defer", "fail", "wait" */
	const char *site, *where, *policy; /* where: "mx1.example[192.0.2.1:25]", as deep as it went */
	const char *status, *text;
};

struct dryrun {
	const struct conf *conf;
	const struct route_self *self;
	const struct cert_store *cas, *sts_cas;
	struct stskeep *sts;
	struct sources *sources; /* NULL: there are no pools */
	struct identities *identities; /* connect, rcpt: where some route shows a certificate; else NULL */
	struct keyring *keys;    /* rcpt: where some route logs in; else NULL */
	struct queue *q;
	struct dns *dns;
	enum dryrun_depth depth;
	bool now;                /* what is not due yet, too */
	const char *const *ids;  /* only these; n_ids 0: all */
	size_t n_ids;
	const char *site;        /* only what goes there, or NULL */
	void (*each)(void *arg, const struct dryrun_line *l);
	void *arg;
};
/* Non-zero where the queue cannot be read. */
int dryrun(const struct dryrun *r, struct err *e);

#endif
