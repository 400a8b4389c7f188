/* watch.h - what comes into a queue while a run is at work, told by inotify.
 *
 * new/ is watched; for a run that stays, cur/ and the bucket of the present hour as well: what a
 * person releases or tries again, and what is deferred for minutes, shows there.  Nothing
 * depends on it: where the kernel gives no watch, or forgets, the sweep finds the same.
 */
#ifndef WATCH_H
#define WATCH_H

#include "queue.h"

struct watch {
	int fd; /* for poll(2); -1: nothing is watched */
	bool cur;
	int new_wd, cur_wd, hour_wd, past_wd;
	uint64_t hour_s; /* whose bucket it is */
	uint64_t past_s; /* one of an hour that is over: the one before, or what was made last */
};
#define WATCH_INIT {-1, false, -1, -1, -1, -1, 0, 0}

/* False: the kernel has no watch for us. */
bool watch_open(struct watch *w, struct queue *q, bool cur, uint64_t now_s);
/* Again, for new/ may have been exchanged and the hour may be another. Costs a few calls. */
void watch_renew(struct watch *w, struct queue *q, uint64_t now_s);
void watch_close(struct watch *w);

/* What there is to read, without waiting.  each() gets entries' names, with the place where they were seen. */
#define WATCH_LOOK_CUR 1 /* a bucket is new: names in it were not seen */
#define WATCH_LOOK_ALL 2 /* new/ is another directory, or events were lost */
int watch_read(struct watch *w, queue_each *each, void *arg, unsigned *look, struct err *e);

/* The same for bytes that were read, as inotify(7) has them. */
int watch_events(struct watch *w, const char *p, size_t n, queue_each *each, void *arg,
    unsigned *look);

#endif
