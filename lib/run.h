/* run.h - a delivery run: everything that is due is delivered, deferred or failed.
 *
 * The main thread plans (names alone), watches, syncs finished renames and unlinks at most every
 * 200 ms, and ends the run; workers, one thread a connection, ask the scheduler for orders and
 * hold straight conversations.  One mutex is over the plan, the scheduler and the idle lists.
 * Runs beside each other are safe: entries are locked, and site limits are shared through slots.
 */
#ifndef RUN_H
#define RUN_H

#include "conf.h"
#include "err.h"
#include "worker.h"

#include <stdbool.h>
#include <stdint.h>

struct run_result {
	uint64_t delivered, deferred, failed, expired;
	uint64_t lost_events;
	char *lost_why; /* the first of them; yours, NULL where none was */
	bool clock_ahead, clock_behind; /* nothing was expired, for that reason */
};

/* stop: set by a signal handler; stop_fd, an eventfd written by it, wakes the run.  Returns 0, or
 * EX_TEMPFAIL and the reason where something local went wrong (what could go on did). */
int run(const struct conf *c, struct queue *q, const struct run_options *o,
    const volatile bool *stop, int stop_fd, struct run_result *r, struct err *e);

#endif
