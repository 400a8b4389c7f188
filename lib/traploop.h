/* traploop.h - many clients of smtp-trap at once: one thread, epoll, no waiting but in one place.
 *
 * All clients share one buffer to read into; a client keeps only what it has begun and not ended,
 * a line at most.  Replies of a group leave in one write.  A reply that is to be late waits in
 * the client's own queue, so that one client's latency is nobody else's.
 */
#ifndef TRAPLOOP_H
#define TRAPLOOP_H

#include "err.h"
#include "tls.h"
#include "trap.h"
#include "trapbox.h"

#include <signal.h>
#include <stdint.h>

struct traploop_options {
	const struct trap_rules *rules;
	struct trapbox *box;
	const int *listeners; /* closed when the loop ends */
	size_t n_listeners;
	const struct tls_identity *identity; /* where rules offer STARTTLS */
	bool tls_fail;                       /* break the handshake */
	int64_t latency_ms;                  /* of every reply */
	int64_t timeout_ms;                  /* of a silent client: 421 */
	size_t max_connections;              /* others: 421 */
	uint64_t exit_after;                 /* messages; 0: never */
	uint64_t seed;
	volatile sig_atomic_t *stop; /* set by a signal that is let in by `mask` only */
	sigset_t mask;
};

/* Until stopped, or exit_after messages were taken. */
int traploop_run(const struct traploop_options *o, struct err *e);

#endif
