/* doorverdict.h - SPF, DKIM and DMARC at a door: what they say of mail from strangers goes into an
 * Authentication-Results field, and refuses what the configuration says. */
#ifndef DOORVERDICT_H
#define DOORVERDICT_H

#include "door.h"
#include "verdict.h"

struct resolve;

struct doorverdict {
	struct door_judge judge;
	struct door *door;
	struct resolve *dns;
	struct verdict verdict;
	struct err unreadable; /* why DKIM cannot be */
};

bool doorverdict_wanted(const struct door_house *h); /* by the configuration, and strangers come there */
/* dns NULL: nothing is found out.  The door is open. */
void doorverdict_open(struct doorverdict *j, struct door *d, struct resolve *dns);
void doorverdict_close(struct doorverdict *j);

#endif
