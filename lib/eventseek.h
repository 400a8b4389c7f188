/* eventseek.h - what the event log says about a message: its stream and tag.
 *
 * An id tells when the message was taken, and lines of the log are in the order of time: so the place
 * is found by halving, and the line is among the next, however long the log is.
 */
#ifndef EVENTSEEK_H
#define EVENTSEEK_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>

#define EVENTSEEK_DAYS 7           /* files that are looked into: its day's and the next */
#define EVENTSEEK_BYTES (16 << 20) /* of each, from the place on */

/* log_dir: as in queue.h.  False: not found. */
bool eventseek(int log_dir, struct span id, struct buf *stream, struct buf *tag);

#endif
