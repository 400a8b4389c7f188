/* owner.h - who works on a queue. */
#ifndef OWNER_H
#define OWNER_H

#include "err.h"

/* Root becomes the directory's owner, for good, so that nothing in the queue belongs to root:
 * call it first thing in main().  Does nothing for others or where there is no directory yet. */
int owner_become(const char *dir, struct err *e);

#endif
