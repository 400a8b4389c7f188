/* noticelimit.h - how many notices one address gets in an hour, and what it is told of afterwards.
 *
 * One file an address and hour, state/notices/HOUR.KEY (relaykit-queue(5)): how many went, 10 digits and
 * a line feed, then, for each that was too many, a sealed line of what it would have said.  Locked for
 * a moment by whoever changes it, and for longer by whoever makes the digest and gives it its other name,
 * HOUR.KEY.told: by that it is known for a while what has been told, to who died before he knew.  Runs
 * and threads beside each other share it.
 */
#ifndef NOTICELIMIT_H
#define NOTICELIMIT_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

#define NOTICELIMIT_HEAD 11 /* bytes in front of the lines */

/* Counts one more where that is within the limit; else *over.  EX_TEMPFAIL: it is not known. */
int noticelimit_take(int state_dir, struct span reader, uint64_t hourly, uint64_t now_s, bool *over,
    struct err *e);

/* A sealed line for the digest of that hour, durable when this returns 0; twice is no harm, for it has an
 * "id", and where a digest has told of that already nothing is kept. */
int noticelimit_keep(int state_dir, struct span reader, uint64_t at_s, struct span line, struct err *e);

/* Each file whose hour is over, locked, and counted as told where the callback returns 0; fd is at no
 * particular place.  What somebody else has locked is left for another time.  Where one fails the others are
 * done all the same, and the first error is told. */
typedef int noticelimit_each(void *arg, int fd, struct err *e);
int noticelimit_due(int state_dir, uint64_t now_s, noticelimit_each *each, void *arg, struct err *e);

/* One more line at the end of the callback's file, durable; as noticelimit_keep. */
int noticelimit_add(int fd, struct span line, struct err *e);

#endif
