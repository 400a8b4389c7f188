/* doorlocal.h - mail for domains of our own at a door: who is there, and where it goes. */
#ifndef DOORLOCAL_H
#define DOORLOCAL_H

#include "door.h"

struct locals;

struct doorlocal {
	struct door_ours ours;
	struct door *door;
	const struct locals *locals;
	size_t targets; /* of the transaction's recipients, so far */
};

/* locals NULL: there are no such domains.  The door is open. */
void doorlocal_open(struct doorlocal *l, struct door *d, const struct locals *locals);

#endif
