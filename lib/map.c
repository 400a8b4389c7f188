#include "map.h"

#include "buf.h"

#include <stdlib.h>
#include <string.h>

#define SIZE_LEAST 16

void
map_init(struct map *m, uint64_t seed)
{
	*m = (struct map){.seed = seed};
}

void
map_free(struct map *m)
{
	free(m->v);
	map_init(m, m->seed);
}

static uint64_t
hash(const struct map *m, struct span key)
{
	uint64_t h = m->seed ^ key.n, w, rest = 0;
	size_t i = 0;

	for (; i + sizeof w <= key.n; i += sizeof w) {
		memcpy(&w, key.p + i, sizeof w);
		h = (h ^ w) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	for (; i < key.n; i++)
		rest = rest << 8 | (unsigned char)key.p[i];
	h = (h ^ rest) * 0xbf58476d1ce4e5b9u;
	h ^= h >> 32;
	return h * 0x94d049bb133111ebu;
}

/* Where the key is, or the free slot where its search ends. size is a power of two, never full. */
static size_t
find(const struct map *m, struct span key)
{
	size_t i = (size_t)(hash(m, key) >> 20) & (m->size - 1);

	while (m->v[i].key.p && !span_eq(m->v[i].key, key))
		i = (i + 1) & (m->size - 1);
	return i;
}

uint32_t
map_get(const struct map *m, struct span key)
{
	size_t i;

	if (m->size == 0)
		return MAP_NONE;
	i = find(m, key);
	return m->v[i].key.p ? m->v[i].value : MAP_NONE;
}

static void
rebuild(struct map *m)
{
	struct map old = *m;

	m->size = SIZE_LEAST;
	while (m->size < (old.live + 1) * 4)
		m->size *= 2;
	m->v = mem_alloc(m->size * sizeof *m->v);
	m->used = m->live = 0;
	for (size_t i = 0; i < old.size; i++)
		if (old.v[i].key.p && old.v[i].value != MAP_NONE)
			map_put(m, old.v[i].key, old.v[i].value);
	free(old.v);
}

void
map_put(struct map *m, struct span key, uint32_t value)
{
	size_t i;

	if ((m->used + 1) * 4 > m->size * 3)
		rebuild(m);
	i = find(m, key);
	if (!m->v[i].key.p)
		m->used++;
	if (!m->v[i].key.p || m->v[i].value == MAP_NONE)
		m->live++;
	m->v[i].key = key; /* the newest lender: an older one may be gone */
	m->v[i].value = value;
}

void
map_remove(struct map *m, struct span key)
{
	static const char removed[1] = "";
	size_t i;

	if (m->size == 0)
		return;
	i = find(m, key);
	if (!m->v[i].key.p || m->v[i].value == MAP_NONE)
		return;
	/* The key's lender may go away: what is left matches nothing but keeps searches going. */
	m->v[i].key = (struct span){removed, SIZE_MAX};
	m->v[i].value = MAP_NONE;
	m->live--;
}
