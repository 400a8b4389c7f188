/* bounceout.h - what bounce-parse prints of a bounce: JSON, TSV, a line for people.  Pure. */
#ifndef BOUNCEOUT_H
#define BOUNCEOUT_H

#include "bounce.h"

#include <stdbool.h>

enum bounceout_form { BOUNCEOUT_JSON, BOUNCEOUT_TSV, BOUNCEOUT_BRIEF };

struct bounceout_more { /* what somebody else knows of the returned message */
	struct buf stream, tag;
};

/* A line a recipient.  file: how the message is called, empty for stdin; n: of an mbox the how many-eth,
 * told from 2 on; explain: the rule as well; more may be NULL. */
void bounceout(struct buf *out, enum bounceout_form form, struct span file, size_t n,
    const struct bounce *b, const struct bounceout_more *more, bool explain);

#endif
