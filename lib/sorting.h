/* sorting.h - what a name does not say: items whose envelope tells which destination is theirs.
 *
 * Those to several domains, or to one that no name can hold, are taken, and each of their destinations gets a
 * group of recipients; 64 at a time, for they are in hand until their last recipient is through.  Those of a
 * domain whose route depends on the sender are looked at, one after the other as they are due, without being
 * taken, and remain names: any number.
 */
#ifndef SORTING_H
#define SORTING_H

#include "load.h"

/* With the lock held: whether that is how a destination's items go on. */
bool sorting_has(const struct plan *p, uint32_t dest);

struct sorted { /* the sites where something waits now; free() them */
	uint32_t *sites;
	size_t n;
};
/* The item that the scheduler gave out at such a destination's own site, and some that wait behind it.  The
 * connection that was counted is given back.  False: there was no room, and it waits a moment. */
bool sorting(struct run_state *r, uint32_t own, uint32_t item, struct sorted *out);

#endif
