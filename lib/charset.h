/* charset.h - text of a charset as UTF-8, by what the system's iconv(3) knows.
 *
 * For who looks for words in mail from anywhere.  Only charsets that mail is written in are asked for:
 * converters of others have had faults that a hostile text could use.  iconv(3) opens files when it is asked
 * for a charset first, so this is not for a process that may open none.
 */
#ifndef CHARSET_H
#define CHARSET_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>

/* Appends to out.  False, and out is as it was: the charset is none of these, the system has no converter, or the
 * text is ASCII, which needs none.  A byte that is no text becomes U+FFFD. */
bool charset_utf8(struct span charset, struct span text, struct buf *out);

#endif
