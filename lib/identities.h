/* identities.h - the certificates that routes show to servers which ask for one.
 *
 * Read once, before the process confines itself.  What is wrong with one is its route's trouble alone, told
 * when a connection is to be made.  Read by all threads afterwards.
 */
#ifndef IDENTITIES_H
#define IDENTITIES_H

#include "conf.h"
#include "err.h"

struct identities;
struct tls_identity;

/* tls_start() was.  NULL where no route has one. */
void identities_open(struct identities **v, const struct conf *c);
void identities_close(struct identities *v);

/* *id is NULL where the route has none (or is NULL itself).  EX_TEMPFAIL: "tls_certificate FILE: why". */
int identities_get(const struct identities *v, const struct conf_route *r,
    const struct tls_identity **id, struct err *e);

#endif
