/* tickets.h - TLS session tickets of a run: each is used once, and only for whom it was given.
 *
 * A ticket lets a connection go without a second full handshake.  Whoever sees one used twice can tell that
 * both are the same client's, so none is (RFC 8446 C.4).  The key says whom it is for: server, policy, and
 * who we are there.  One struct a run, safe for many threads; what is in it is secret, and wiped.
 */
#ifndef TICKETS_H
#define TICKETS_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>
#include <stdint.h>

#define TICKETS_MAX 1000            /* the oldest goes */
#define TICKETS_AGE_MS (2 * 3600000) /* after which it is not tried; servers mostly give them for that long */

struct tickets;

struct tickets *tickets_new(void);
void tickets_del(struct tickets *t);

/* All of these may be called with NULL, which has none and keeps none. */
void tickets_put(struct tickets *t, const char *key, struct span ticket, int64_t now_ms);
bool tickets_take(struct tickets *t, const char *key, int64_t now_ms, struct buf *out); /* the newest */
void tickets_wipe(struct buf *ticket); /* when it is used */

#endif
