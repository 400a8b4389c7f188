/* reclass.h - the event log asked again: what its replies mean by the rules as they are now.
 *
 * relaykit-events(5).  A line with a response gets the members "reason" and "hard", at its end,
 * in place of those it may have there already; every other line stays byte for byte.
 */
#ifndef RECLASS_H
#define RECLASS_H

#include "buf.h"
#include "rules.h"

#include <stdbool.h>

/* line: without its LF; so is what is appended to out.  False: no JSON object, taken over as it is. */
bool reclass_line(const struct rules *r, struct span line, struct buf *scratch, struct buf *out);

#endif
