/* owner.h - who works on a queue. */
#ifndef OWNER_H
#define OWNER_H

#include "err.h"

#include <stdbool.h>
#include <sys/types.h>

/* Root becomes the directory's owner, for good, so that nothing in the queue belongs to root, with
 * the owner's groups and that of new/, whose entries it has to read.  Call it first thing in main().  Does nothing for others or where there is no directory yet. */
int owner_become(const char *dir, struct err *e);

bool owner_in_group(gid_t gid); /* this process */

#endif
