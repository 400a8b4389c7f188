/* mime.h - re-encoding of parts with lines over 998 bytes, or with bytes over 127.  Pure. */
#ifndef MIME_H
#define MIME_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>

/* message: a whole message with CRLF line ends.  Emits it with every leaf part that has a line
 * over MSG_LINE_MAX re-encoded as quoted-printable (RFC 2045 6.7), its Content-Transfer-Encoding
 * changed or added, and MIME-Version added where a message says none; a part that is quoted-printable
 * or base64 already is wrapped again; all else byte for byte.  EX_DATAERR where that cannot be done: a
 * line of a header section or of a multipart's preamble or epilogue is too long, a part is signed or
 * encrypted (RFC 1847), binary, encoded in a way we do not know, a message type that admits no
 * encoding (RFC 2046 5.2), or nested over MIME_DEPTH_MAX; pieces may have been emitted by then.
 * The callback gets pieces in order and returns 0 or a code. */
#define MIME_DEPTH_MAX 32
int mime_shorten(struct span message, int (*emit)(void *arg, const void *p, size_t n, struct err *e),
    void *arg, struct err *e);

/* Likewise, for a server without 8BITMIME (RFC 6152 3): every leaf part with bytes over 127 in its body
 * becomes quoted-printable, or base64 where these are many or it is binary; multiparts and messages
 * around it say 7bit, if they said anything.  Bytes over 127 in headers stay, around the parts of a
 * multipart they become "?".  EX_DATAERR, "8-bit content ...", as above. */
int mime_seven(struct span message, int (*emit)(void *arg, const void *p, size_t n, struct err *e),
    void *arg, struct err *e);

#endif
