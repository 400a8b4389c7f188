#include "pool.h"

#include "buf.h"

#include <stdlib.h>

uint32_t
pool_add(struct pool *p)
{
	uint32_t k = p->n >> POOL_CHUNK_BITS;

	if ((p->n & (POOL_CHUNK - 1)) == 0) {
		if ((k & (k - 1)) == 0) /* the table doubles at powers of two */
			p->chunk = mem_grow(p->chunk, k ? (size_t)k * 2 : 1, sizeof *p->chunk);
		p->chunk[k] = mem_alloc(POOL_CHUNK * p->size);
	}
	return p->n++;
}

void
pool_free(struct pool *p)
{
	for (uint32_t i = 0; i < p->n; i += POOL_CHUNK)
		free(p->chunk[i >> POOL_CHUNK_BITS]);
	free(p->chunk);
	*p = (struct pool){.size = p->size};
}
