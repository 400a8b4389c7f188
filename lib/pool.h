/* pool.h - many things of one size under 32-bit numbers, for structures that link by index.
 *
 * Grows by chunks: nothing is copied and nothing moves, so an address stays good until pool_free,
 * and little is taken before much is needed.  New things are zeroed.  Things are not given back
 * one by one: the owner keeps a list of those it can use again.
 */
#ifndef POOL_H
#define POOL_H

#include <stddef.h>
#include <stdint.h>

#define POOL_CHUNK_BITS 10
#define POOL_CHUNK ((uint32_t)1 << POOL_CHUNK_BITS)

struct pool {
	size_t size; /* of a thing: set by the owner before the first */
	uint32_t n;
	char **chunk;
};

uint32_t pool_add(struct pool *p); /* the number of a new one: 0, 1, 2, ... */
void pool_free(struct pool *p);

static inline void *
pool_at(const struct pool *p, uint32_t i) /* i < p->n */
{
	return p->chunk[i >> POOL_CHUNK_BITS] + (i & (POOL_CHUNK - 1)) * p->size;
}

#endif
