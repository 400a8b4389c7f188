#include "trapworld.h"

#include "buf.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct grey {
	int64_t since_ms;
	size_t n;
	char pair[]; /* sender, NUL, recipient */
};

static int
grey_order(const void *a, const void *b)
{
	const struct grey *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return memcmp(x->pair, y->pair, x->n);
}

void
trapworld_free(struct trapworld *w)
{
	tdestroy(w->greylist, free);
	w->greylist = NULL;
	w->greylisted = 0;
}

bool
trapworld_grey_over(struct trapworld *w, struct span from, struct span rcpt, int64_t wait_ms,
    int64_t now_ms)
{
	size_t n = from.n + 1 + rcpt.n;
	struct grey *g = mem_alloc(sizeof *g + n);
	void *found;

	g->since_ms = now_ms;
	g->n = n;
	memcpy(g->pair, from.p, from.n);
	memcpy(g->pair + from.n + 1, rcpt.p, rcpt.n);
	found = tfind(g, &w->greylist, grey_order);
	if (!found && w->greylisted < TRAPWORLD_GREYLIST_MAX) {
		if (tsearch(g, &w->greylist, grey_order))
			w->greylisted++;
		return wait_ms == 0;
	}
	free(g);
	return found && now_ms - (*(struct grey **)found)->since_ms >= wait_ms;
}

unsigned
trapworld_dice(struct trapworld *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (unsigned)((w->random >> 11) % 100);
}
