/* readable.h - text of a charset as UTF-8, as far as is needed to find ASCII words in it.  Pure. */
#ifndef READABLE_H
#define READABLE_H

#include "buf.h"
#include "cur.h"

/* Appends to out.  Latin-1 and Windows-1252 are converted, of ISO-2022 what is not ASCII becomes U+FFFD, UTF-16
 * likewise; others stay.  charset.h knows more, and asks the system. */
void readable_utf8(struct span charset, struct span text, struct buf *out);

#endif
