/* mime.h - re-encoding of parts with lines over 998 bytes as quoted-printable.  Pure. */
#ifndef MIME_H
#define MIME_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>

/* message: a whole message with CRLF line ends.  Emits it with every leaf part that has a line
 * over MSG_LINE_MAX re-encoded as quoted-printable (RFC 2045 6.7), its Content-Transfer-Encoding
 * changed or added; all else byte for byte.  EX_DATAERR where that cannot be done: a line of
 * the header section or of a multipart's preamble is too long, a part is signed (RFC 1847), binary,
 * or nested over MIME_DEPTH_MAX.  The callback gets pieces in order and returns 0 or a code. */
#define MIME_DEPTH_MAX 32
int mime_shorten(struct span message, int (*emit)(void *arg, const void *p, size_t n, struct err *e),
    void *arg, struct err *e);

#endif
