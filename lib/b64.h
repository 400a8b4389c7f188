/* b64.h - base64, RFC 4648 4, with padding.  Pure. */
#ifndef B64_H
#define B64_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>

void b64_encode(struct buf *out, const void *p, size_t n); /* on one line */

/* Appends what it stands for.  SP, TAB, CR and LF are passed over wherever they stand, as keys and
 * signatures are folded (RFC 6376 3.5).  False, and nothing appended, for any other byte, for
 * padding that is missing, too much or not at the end, and for bits set behind the last byte. */
bool b64_decode(struct span text, struct buf *out);

#endif
