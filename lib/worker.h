/* worker.h - one thread, one connection: orders from the scheduler, conversations with a site.
 *
 * struct run_state is what the main thread (run.c) and the workers share.
 */
#ifndef WORKER_H
#define WORKER_H

#include "plan.h"

#include <pthread.h>

struct run_options {
	bool follow;            /* stay, watch new/, sweep once a minute */
	bool now;               /* what is not due yet too, and closed sites */
	bool sandbox;
	const char *const *ids; /* only these; n_ids 0: all */
	size_t n_ids;
	const char *site;       /* only what goes to this site, or NULL */
};

struct run_state {
	struct deliver d;
	const struct run_options *o;
	struct route_self self;
	struct dns *dns;        /* cloned for each worker */
	int state_dir;
	int main_fd;            /* eventfd: "look whether the run is over", "a timer is set" */
	uint64_t seed;

	pthread_mutex_t lock;   /* over all below */
	struct plan plan;
	struct worker *idle;    /* without a connection, waiting */
	uint32_t threads, busy; /* busy: with an item or a connection in hand */
	struct worker *all;
	_Atomic bool stop;      /* nothing new is started; read without the lock, too */
	uint32_t open_parcels;  /* taken for the sake of several groups */
	pthread_cond_t parcel_closed;
	struct run_delay {      /* found locked in new/: again when its submitter is done */
		int64_t at_ms;
		uint32_t item;
	} *delays;
	size_t n_delays;
};

/* Both with the lock held. */
void worker_nudge(struct run_state *r, uint32_t site); /* something may be startable */
void worker_stop_all(struct run_state *r);

void worker_join_all(struct run_state *r); /* without the lock */

#endif
