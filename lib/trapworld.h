/* trapworld.h - what the connections of smtp-trap know together: dice and a greylist.
 *
 * One thread.  Zeroed is empty, save that random must not be 0.
 */
#ifndef TRAPWORLD_H
#define TRAPWORLD_H

#include "cur.h"

#include <stdbool.h>
#include <stdint.h>

#define TRAPWORLD_GREYLIST_MAX 100000 /* pairs remembered; who comes later is refused for good */

struct trapworld {
	uint64_t random;
	void *greylist;
	size_t greylisted;
};

void trapworld_free(struct trapworld *w);

/* Whether this pair was first seen at least wait_ms ago; the first time begins now. */
bool trapworld_grey_over(struct trapworld *w, struct span from, struct span rcpt, int64_t wait_ms,
    int64_t now_ms);

/* 0 to 99, from xorshift64: the same seed deals the same outcomes. */
unsigned trapworld_dice(struct trapworld *w);

#endif
