/* steer.h - what a person does to waiting messages: hold, release, retry, remove.
 *
 * Works while deliverers run.  Passes over the queue go on until one finds nothing left to do;
 * entries in flight (locked) are waited for.  Messages accepted after the start are not meant,
 * so this ends.  Each step is a journal line and one rename, or an unlink, and an event.
 *
 *     hold      new, cur -> hold
 *     release   hold -> new where it was never tried, else cur; also settles a doubt
 *     retry     cur, and what waits by its sender's wish -> cur, due now; also settles a doubt, which no run
 *               does where doubts is true: then every entry that is due already has to be read
 *     remove    new, cur, hold -> gone
 */
#ifndef STEER_H
#define STEER_H

#include "events.h"
#include "names.h"
#include "pick.h"
#include "queue.h"

#include <stdbool.h>
#include <stdint.h>

enum steer_what { STEER_HOLD, STEER_RELEASE, STEER_RETRY, STEER_REMOVE };
extern const char *const steer_names[]; /* "hold", ... */

struct steer {
	struct queue *q;
	struct events *events;
	const struct pick *pick; /* ready */
	enum steer_what what;
	struct span by, why;     /* "uid 1000"; why may be empty */
	bool doubts;             /* what went perhaps does not go again by itself: in_doubt is not retry */
	int64_t wait_ms;         /* for entries in flight */
	void (*each)(void *arg, struct span id); /* told of each that was done; may be NULL */
	void *arg;

	/* results */
	size_t done;
	struct names away;  /* still in flight when the wait was over */
	struct buf lost; /* ids given that are neither done nor in the queue, ENTRY_ID bytes each */
	struct buf damaged; /* what was set aside on the way: lines */

	/* its own */
	uint64_t start_us, last_us; /* last_us: accepted later is not meant */
	unsigned looks;
	bool *met;          /* by index of pick's ids */
	struct names found;
	struct err first;   /* what went wrong first */
};

/* The caller fills in the first part and zeroes the rest.  0: nothing that was meant is left, and
 * all is on stable storage.  EX_TEMPFAIL: something got away (away) or failed (e). */
int steer(struct steer *s, struct err *e);
void steer_free(struct steer *s);

#endif
