/* outside.h - what a run has from outside its queue: read and started once, for after it the process confines
 * itself.
 *
 * Addresses and names of ours, the DNS, certificates, policies, secrets of routes, the suppression list, and the
 * processes that start programs.  A run that begins anew has the same again.
 */
#ifndef OUTSIDE_H
#define OUTSIDE_H

#include "conf.h"
#include "err.h"
#include "queue.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

struct outside {
	struct net_addr *own;
	size_t n_own;
	struct dns *dns;
	struct cert_store *cas, *sts_cas; /* NULL: no route asks for them */
	struct stskeep *sts;
	_Atomic bool stop; /* for those that it has started: whoever sets it ends their waits */
	struct keyring *keys; /* NULL: no route logs in */
	struct guard *guard;
	struct sources *sources; /* NULL: there are no pools */
	struct tickets *tickets;
	struct identities *identities; /* NULL: no route has one */
	const char **names; /* what we are called, by pools too */
	size_t n_names;
	struct local *local;
	struct noticegone *gone; /* noticegone_new(), before: it is there without the others */
	bool read, confined;
};

/* Before threads and sandbox; c and q are kept.  Where it was done before it does nothing. */
int outside_open(struct outside *o, const struct conf *c, struct queue *q, struct err *e);
void outside_close(struct outside *o); /* whatever there is */

/* For poll(2), behind outside_open(): one of them has something where a process that starts programs has died. */
#define OUTSIDE_ENDS 3
void outside_ends(const struct outside *o, struct pollfd ends[OUTSIDE_ENDS]);

#endif
