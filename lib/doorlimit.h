/* doorlimit.h - how much a user, an address and a network may do at a door: quota.h's meters, kept to
 * what the configuration says. */
#ifndef DOORLIMIT_H
#define DOORLIMIT_H

#include "door.h"
#include "quota.h"

struct doorlimit {
	struct door *door;
	struct quota *quota;
	struct meter_limits limits[3]; /* by enum quota_who */
	uint32_t connections[3];       /* at one time; 0: any */
	bool any[3], entered[3];
	bool begun;                    /* the connection was counted for its user */
};

/* quota NULL: nothing is counted.  The door is open; connections count until the process ends. */
void doorlimit_open(struct doorlimit *l, struct door *d, struct quota *quota);
bool doorlimit_wanted(const struct conf *c); /* whether the configuration has limits */

/* A failed login of this client: how long its answer waits.  One that succeeds is forgiving, and the connection
 * is the user's from then on: it counts for him with his first recipient. */
uint32_t doorlimit_failed_ms(struct doorlimit *l);
void doorlimit_logged_in(struct doorlimit *l);

#endif
