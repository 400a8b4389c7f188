/* worker.h - one thread, one connection: orders from the scheduler, conversations with a site.
 */
#ifndef WORKER_H
#define WORKER_H

#include "load.h"

/* Both with the lock held. */
void worker_nudge(struct run_state *r, uint32_t site); /* something may be startable */
void worker_stop_all(struct run_state *r);

void worker_join_all(struct run_state *r); /* without the lock */

#endif
