/* trapsyn.h - the syntax of what a client tells smtp-trap: paths and parameters.
 *
 * Pure.  What is inside a path is not judged: a sink sends nothing there.  This is on purpose not
 * addr.h: the trap is to find the faults of those who use that.
 */
#ifndef TRAPSYN_H
#define TRAPSYN_H

#include "cur.h"

#include <stdbool.h>

struct trapsyn_param {
	struct span key, value; /* lent by the cursor's bytes; value empty where there is none */
};

/* "<" path ">", quoted strings respected.  False: the cursor stays. */
bool trapsyn_path(struct cur *c, struct span *inside);

/* The next of *(SP esmtp-param); false at the end, or, with c not at its end, at a fault. */
bool trapsyn_param(struct cur *c, struct trapsyn_param *p);

bool trapsyn_8bit(struct span s); /* a byte over 127 */

#endif
