/* owner.h - who works on a queue. */
#ifndef OWNER_H
#define OWNER_H

#include "err.h"

#include <stdbool.h>
#include <sys/types.h>

/* Root becomes the directory's owner, for good, so that nothing in the queue belongs to root, with
 * the owner's groups and that of new/, whose entries it has to read.  Call it first thing in main().
 * Does nothing for others or where there is no directory yet. */
int owner_become(const char *dir, struct err *e);

/* The same in two steps, where each of many processes becomes it: whoever knows users and groups - a
 * directory server, a library of its own - is asked once, by a process that may ask. */
struct owner { /* all zero before the first owner_find */
	bool other;      /* than we are: there is something to become */
	uid_t uid;
	gid_t gid, submitters, *groups;
	size_t n;
};
void owner_find(struct owner *o, const char *dir); /* again: asks only where another owner is found */
int owner_be(const struct owner *o, const char *dir, struct err *e);
void owner_free(struct owner *o);

bool owner_in_group(gid_t gid); /* this process */

#endif
