/* undot.h - the content of DATA, RFC 5321 4.5.2, and of BDAT, as a client sends it.  Pure.
 *
 * CRLF ends a line and nothing else does; CRLF.CRLF (or .CRLF at the beginning) ends DATA and nothing
 * else does; a dot that begins any other line is removed.  What a line end must not be - CR without
 * LF, LF without CR - and NUL is noted, or repaired: a CR becomes a space, a LF gets its CR, and does
 * not begin a line of which the first dot would count.  NUL is never repaired.
 */
#ifndef UNDOT_H
#define UNDOT_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>

enum undot_fault { UNDOT_FINE, UNDOT_CR, UNDOT_LF, UNDOT_NUL };

struct undot {
	bool repair;
	bool dots;  /* DATA, not BDAT */
	/* inside */
	enum undot_state { UNDOT_BOL, UNDOT_MID, UNDOT_AT_CR, UNDOT_DOT, UNDOT_DOT_CR } state;
	enum undot_fault fault; /* the first one that was not repaired */
};

/* Takes what it can of in, up to the end of the content, and appends to out what it stands for (not
 * where there is a fault).  True: that was the end, which only DATA has in itself. */
bool undot(struct undot *u, struct span in, size_t *taken, struct buf *out);
/* The last chunk of BDAT is over: what was held back. */
void undot_last(struct undot *u, struct buf *out);
const char *undot_text(enum undot_fault f); /* "bare LF" */

#endif
