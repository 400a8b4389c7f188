/* seven.h - an entry's content for servers that take no bytes over 127 (RFC 6152 3).
 *
 * It is written to a file without a name below the queue, by mime_seven(): memory does not grow with
 * the message.
 */
#ifndef SEVEN_H
#define SEVEN_H

#include "taken.h"

#include <stdint.h>

/* *file is the caller's to close, its content begins at 0.  EX_DATAERR: it cannot be told without them
 * (mime.h).  Anything else is local trouble. */
int seven_make(struct queue *q, const struct queue_entry *t, int *file, uint64_t *size, struct err *e);

#endif
