#include "noticegone.h"

#include "buf.h"
#include "io.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct noticegone {
	pthread_mutex_t lock; /* over the ids */
	uint64_t since_us;
	char (*ids)[ENTRY_ID];
	size_t n;
};

struct noticegone *
noticegone_new(void)
{
	struct noticegone *g = mem_alloc(sizeof *g);

	pthread_mutex_init(&g->lock, NULL);
	g->since_us = io_time_us();
	return g;
}

void
noticegone_del(struct noticegone *g)
{
	if (!g)
		return;
	pthread_mutex_destroy(&g->lock);
	free(g->ids);
	free(g);
}

void
noticegone_add(struct noticegone *g, const char id[ENTRY_ID])
{
	if (entry_id_us(id) >= g->since_us)
		return;
	pthread_mutex_lock(&g->lock);
	if ((g->n & (g->n - 1)) == 0)
		g->ids = mem_grow(g->ids, g->n * 2 + 1, sizeof *g->ids);
	memcpy(g->ids[g->n++], id, ENTRY_ID);
	pthread_mutex_unlock(&g->lock);
}

bool
noticegone_has(struct noticegone *g, const char id[ENTRY_ID])
{
	bool has = false;

	pthread_mutex_lock(&g->lock);
	for (size_t i = 0; i < g->n && !has; i++)
		has = memcmp(g->ids[i], id, ENTRY_ID) == 0;
	pthread_mutex_unlock(&g->lock);
	return has;
}
