/* arena.h - small pieces of memory that live as long as one message, and go together.
 *
 * arena_reset() takes all of them back and keeps the storage for the next message, up to
 * ARENA_KEEP bytes of it.  ARENA_INIT and zeroed memory are both empty.
 */
#ifndef ARENA_H
#define ARENA_H

#include "cur.h"

#include <stddef.h>

#define ARENA_KEEP (256 * 1024)

struct arena {
	struct arena_block *first;
};
#define ARENA_INIT {NULL}

void *arena_get(struct arena *a, size_t n); /* zeroed, aligned for anything */
struct span arena_dup(struct arena *a, struct span s); /* with a NUL behind */
struct span arena_lower(struct arena *a, struct span s); /* the same in lower case, ASCII alone */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

#endif
