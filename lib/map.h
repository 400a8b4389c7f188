/* map.h - from a byte string to a number: a hash table that only grows and forgets.
 *
 * Keys are borrowed: they must outlive their entry.  The hash is seeded, since
 * domains come from outside.  Values are any number but MAP_NONE.
 */
#ifndef MAP_H
#define MAP_H

#include "cur.h"

#include <stdint.h>

#define MAP_NONE UINT32_MAX

struct map {
	struct map_slot {
		struct span key; /* key.p NULL: never used; value MAP_NONE: removed */
		uint32_t value;
	} *v;
	size_t size, used, live; /* used counts removed ones too */
	uint64_t seed;
};

void map_init(struct map *m, uint64_t seed);
void map_free(struct map *m);
uint32_t map_get(const struct map *m, struct span key); /* MAP_NONE: not there */
void map_put(struct map *m, struct span key, uint32_t value);
void map_remove(struct map *m, struct span key);

#endif
