/* noticedigest.h - what was too much for an hour, told together when it is over.
 *
 * A line a message is kept (noticelimit.h); of those of one address and hour come reports of at most
 * NOTICEDIGEST_RCPTS recipients each, without the messages themselves.  A digest's id is written down
 * before it is made, behind what it tells of, as notify.h does it.
 */
#ifndef NOTICEDIGEST_H
#define NOTICEDIGEST_H

#include "events.h"
#include "notice.h"
#include "queue.h"

#include <stdbool.h>

#define NOTICEDIGEST_RCPTS 1000 /* a message with more of them is one report all the same */
#define NOTICEDIGEST_LINE_MAX (16 << 20)

/* The sealed line that keeps a notice, which must have a single message. */
void noticedigest_line(struct buf *out, const struct notice *n, struct span stream, bool requiretls);

struct noticedigest {
	struct queue *q;
	struct events *events; /* NULL: none */
	const struct notetext *text;
	struct span host, from;
};
/* noticelimit_each with a struct noticedigest: puts what the file keeps into the queue. */
int noticedigest_make(void *arg, int fd, struct err *e);

#endif
