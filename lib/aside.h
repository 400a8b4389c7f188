/* aside.h - what turned out to be no entry goes out of the way.
 *
 * A file moves to damaged/, under its name or, where that is taken, one made from it: nothing
 * there is ever replaced.  What is neither a file nor a directory never was a message, and would
 * lie in wait for whoever looks into damaged/; it is removed.  (Landlock would let us make none
 * there, either.)  A directory of somebody else's cannot be moved: an empty one is removed.
 */
#ifndef ASIDE_H
#define ASIDE_H

#include "err.h"

enum aside {
	ASIDE_MOVED,
	ASIDE_REMOVED,
	ASIDE_GONE, /* it was not there any more */
	ASIDE_STUCK /* it may not be moved, nor removed */
};

/* path: below root; name: its last part. */
int aside_put(int root, const char *path, const char *name, enum aside *how, struct err *e);

#endif
