/* retry.h - when a deferred message is due again.  Pure: time and randomness are arguments.
 *
 * Exponential backoff with jitter: the n-th wait is min * 2^(n-1), at most max,
 * times 0.75 to 1.25.  RFC 5321 4.5.4.1 asks for at least 30 minutes between
 * attempts in general and for more attempts in the first hours; the defaults
 * are 5 minutes doubling to 4 hours.  A peer's hint is obeyed where it is later,
 * up to RETRY_HINT_MAX_S: a peer does not get to keep a message past its lifetime.
 */
#ifndef RETRY_H
#define RETRY_H

#include <stdbool.h>
#include <stdint.h>

#define RETRY_HINT_MAX_S 86400

struct retry_policy {
	uint64_t min_s, max_s;   /* first and longest wait */
	uint64_t lifetime_s;     /* from acceptance to giving up */
};

/* attempts: made so far, at least 1.  random: any 64 bits. Seconds from now, at least 1. */
uint64_t retry_wait(const struct retry_policy *p, uint32_t attempts, uint64_t hint_s,
    uint64_t random);

/* Whether a message accepted at born_s has outlived its time at now_s.  A born in the future
 * (clocks jump) is young.  Ask only where clock_judge() said CLOCK_OK. */
bool retry_expired(const struct retry_policy *p, uint64_t born_s, uint64_t now_s);

/* Whether a time of birth may be true.  Not before RETRY_EPOCH_S, nor in the future: the message
 * was accepted while the clock was wrong. */
#define RETRY_EPOCH_S 1735689600 /* 2025-01-01: no message is older than this program */
bool retry_born_ok(uint64_t born_s, uint64_t now_s);

/* retry_expired, and for a message whose birth is not known: whether it has had as many attempts
 * as fit into a lifetime.  (Such a message at a closed site must not only be moved by name: count
 * the refusal of the site as an attempt, or it stays until its birth has come.) */
bool retry_over(const struct retry_policy *p, uint64_t born_s, uint32_t attempts, uint64_t now_s);

/* The n-th step of a backoff with jitter, in whatever unit min and max have: what retry_wait
 * and the closing of a site share. */
uint64_t retry_backoff(uint64_t min, uint64_t max, uint32_t nth, uint64_t random);

#endif
