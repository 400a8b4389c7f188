/* cfws.h - white space, folds and comments between the words of a field: RFC 5322 3.2.2.  Pure. */
#ifndef CFWS_H
#define CFWS_H

#include "cur.h"

#include <stdbool.h>

/* [CFWS]: passes over all of it; comments nest, and a backslash takes the next byte's meaning away.  False: a
 * comment without an end, and the cursor is at the end. */
bool cfws(struct cur *c);

#endif
