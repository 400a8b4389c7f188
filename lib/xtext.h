/* xtext.h - RFC 3461 4's xtext and RFC 6533 3's utf-8-addr-xtext.  Pure. */
#ifndef XTEXT_H
#define XTEXT_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>

void xtext_encode(struct span text, struct buf *out); /* "+" "=" and all outside 33..126 as +HH */
bool xtext_decode(struct span text, struct buf *out); /* false: not xtext */
bool xtext_ok(struct span text);                      /* what may stand as a parameter's value */

/* An ORCPT of type "utf-8" (behind the ";"): encode gives utf-8-addr-xtext, which is ASCII and may
 * go to any server; decode takes utf-8-addr-unitext (raw UTF-8, for SMTPUTF8 servers) too.
 * false, and nothing appended, for controls and for what is not UTF-8. */
bool xtext_utf8_encode(struct span text, struct buf *out);
bool xtext_utf8_decode(struct span text, struct buf *out);

#endif
