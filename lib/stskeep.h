/* stskeep.h - the MTA-STS policies that a run needs: known, or fetched by mta-sts, which it starts.
 *
 * RFC 8461 5.1.  A policy that is remembered in state/sts and valid is there at once; it is fetched where
 * the TXT record has another id, or where there is none.  For that a program is started, by a spawner that
 * was forked before threads and confinement; few at a time, and one a domain, so that slow servers of
 * policies never have all workers waiting: who finds no place comes again.  Safe for many threads.
 */
#ifndef STSKEEP_H
#define STSKEEP_H

#include "conf.h"
#include "dns.h"
#include "err.h"
#include "stsfile.h"

#include <stdbool.h>
#include <stdint.h>

#define STSKEEP_FETCHES 16    /* at one time, and no more than a quarter of the connections */
#define STSKEEP_FETCH_MS 70000 /* mta-sts has 60 s of its own */
#define STSKEEP_RECHECK_S 300 /* so often the record is looked at while there is mail (RFC 8461 5.1) */

struct stskeep;

/* state_dir: the queue's, or -1: nothing is remembered.  queue: its name for mta-sts, which then keeps
 * what it fetches; NULL: it does not.  *k is NULL, which the others take as "no policies", where the
 * configuration wants none.  Before threads and sandbox. */
int stskeep_open(struct stskeep **k, const struct conf *c, int state_dir, const char *queue,
    const _Atomic bool *stop, struct err *e);
void stskeep_close(struct stskeep *k);
int stskeep_end_fd(const struct stskeep *k); /* as spawn_end_fd(), of mta-sts's spawner; -1 where k is NULL */

enum stskeep_is {
	STSKEEP_KNOWN, /* in *f: a policy that is valid, or one that is not, whose `why` says why there is none;
	                * NULL: the domain has none.  The caller drops it */
	STSKEEP_BUSY   /* it is being fetched, or too many others are */
};
/* domain: lower-case A-labels.  *old: valid, and time to fetch it again: stskeep_refresh(), when there is
 * nothing else to do for the domain. */
enum stskeep_is stskeep_find(struct stskeep *k, const char *domain, struct dns *d, int64_t deadline_ms,
    struct stsfile **f, bool *old);
void stskeep_refresh(struct stskeep *k, const char *domain);

/* The same, and while it is being fetched this thread waits; where that takes too long *f is the policy that is
 * remembered, if it is valid.  Of a
 * relay, which is its own policy domain (RFC 8461 3.4): what the DNS does not know has none. */
void stskeep_wait(struct stskeep *k, const char *domain, struct dns *d, int64_t deadline_ms,
    struct stsfile **f, bool *old);
void stskeep_relay(struct stskeep *k, const char *host, struct dns *d, int64_t deadline_ms,
    struct stsfile **f, bool *old);

/* Fetched now, whatever is remembered, and told: a policy that is valid, or one that is not, which says why.
 * overlay: a file of records that come before the DNS's, or NULL.  EX_UNAVAILABLE: there is no mta-sts to
 * start; EX_TEMPFAIL: it has not said anything. */
int stskeep_fetch(struct stskeep *k, const char *domain, const char *overlay, int64_t deadline_ms,
    struct stsfile **f, struct err *e);

/* The policy that counts now, of what stskeep_find() has given; NULL: none, and why, as far as that is known. */
const struct stsfile *stskeep_valid(const struct stsfile *f);
const char *stskeep_why(const struct stsfile *f);

#endif
