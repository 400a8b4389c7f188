/* timers.h - who waits for which moment: a heap of numbers, the earliest on top.
 *
 * Each number (0, 1, 2, ...) waits for one moment at most.  Ties go to the smaller number, so that the same
 * calls give the same order.  Setting and clearing cost O(log n).
 */
#ifndef TIMERS_H
#define TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct timers {
	uint32_t *heap, n, room;
	struct timers_one {
		int64_t when_ms;
		uint32_t at; /* in the heap, counted from 1; 0: it waits for nothing */
	} *one;
	uint32_t known; /* of `one` */
};

void timers_set(struct timers *t, uint32_t id, int64_t when_ms);
void timers_clear(struct timers *t, uint32_t id);
bool timers_first(const struct timers *t, uint32_t *id, int64_t *when_ms); /* false: there is none */
void timers_free(struct timers *t);

#endif
