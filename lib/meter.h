/* meter.h - what one user, address or network has done of late, and whether it may do more.  Pure.
 *
 * Exact in the strict direction: in no period of 60 s, wherever it begins, are there more than the
 * limit for a minute, and likewise for a day.  What was done counts in parts of 10 s and of two hours and
 * leaves with its part, so what is counted is gone after 70 s and 26 hours at the latest.
 *
 * Failed logins are remembered as a number that halves every METER_FORGIVE_S; the wait before the
 * answer doubles with each.  A clock that goes back forgets nothing and counts on; where that is by more
 * than METER_BACK_S it was wrong before, and what it has counted counts as if it had just been done: for
 * 80 s and 28 hours at the latest.
 */
#ifndef METER_H
#define METER_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>
#include <stdint.h>

enum meter_what { METER_MESSAGES, METER_RCPTS, METER_CONNECTIONS, METER_KINDS };

struct meter_limits { /* 0: no limit */
	uint32_t a_minute[METER_KINDS], a_day[METER_KINDS];
};

#define METER_MINUTE_PARTS 7 /* six of 10 s, and the one that ends */
#define METER_DAY_PARTS 13   /* twelve of 2 h, and the one that ends */
#define METER_FORGIVE_S 600
#define METER_WAIT_MAX_MS 30000
#define METER_BACK_S 10 /* by less it goes back from one process to the next */

struct meter { /* all zero: nothing is known */
	uint64_t at_s; /* the latest time it was touched */
	uint32_t minute[METER_KINDS][METER_MINUTE_PARTS];
	uint32_t day[METER_KINDS][METER_DAY_PARTS];
	uint32_t failures;
	uint64_t failed_s;
};

/* Counts n more, if that is within both limits; else false, nothing is counted, and *wait_s is after
 * how long it could be (UINT32_MAX: n is more than the limit itself). */
bool meter_take(struct meter *m, const struct meter_limits *l, enum meter_what what, uint32_t n,
    uint64_t now_s, uint32_t *wait_s);

void meter_failed(struct meter *m, uint64_t now_s);
void meter_forgive(struct meter *m); /* a login that succeeded */
uint32_t meter_failures(const struct meter *m, uint64_t now_s);
/* How long the answer to another failure waits: 1 s, 2 s, 4 s ... METER_WAIT_MAX_MS. */
uint32_t meter_wait_ms(uint32_t failures);

bool meter_idle(const struct meter *m, uint64_t now_s); /* nothing in it counts any more */

/* METER_BYTES in a fixed order of bytes, with a check of their own; false for what is none. */
#define METER_BYTES 272
void meter_pack(const struct meter *m, unsigned char out[METER_BYTES]);
bool meter_unpack(struct meter *m, const unsigned char in[METER_BYTES]);

#endif
