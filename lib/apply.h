/* apply.h - bounces and complaints carried out: events in the log, the suppression list (learn.h).
 *
 * For each recipient, in this order, so that a crash anywhere loses nothing: the event, the address's
 * entry, the mark that this bounce has been seen.  Whoever reads the same bounce again finds the mark and
 * changes nothing; one that was cut off before the mark tells its event a second time.  A bounce is the
 * same by the returned message's queue id or Message-ID and the recipient.
 *
 * One whose return path is forged or too old (verp.h), or that a letter quotes, changes nothing and is told
 * of in no event.
 */
#ifndef APPLY_H
#define APPLY_H

#include "bounce.h"
#include "bounceout.h"
#include "conf.h"
#include "queue.h"

struct apply;

/* The key of return paths is read, or made; write: what is read is carried out, too. */
int apply_open(struct apply **a, const struct conf *c, struct queue *q, bool write, struct err *e);
const unsigned char *apply_key(const struct apply *a);
/* What the log knows of it, and what is to be done.  Safe for many threads. */
void apply_bounce(struct apply *a, const struct bounce *b, struct bounceout_more *more);
/* All of it is on stable storage; or the first trouble there was, behind which nothing was changed. */
int apply_close(struct apply *a, struct err *e);

#endif
