/* fold.h - texts as they are compared: by patterns, and with the samples of rules.
 */
#ifndef FOLD_H
#define FOLD_H

#include "buf.h"
#include "cur.h"

/* Appends it in lower case (ASCII), each run of white space and controls one blank, none at the ends. */
void fold(struct span text, struct buf *out);

#endif
