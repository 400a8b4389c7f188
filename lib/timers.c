#include "timers.h"

#include "buf.h"

#include <stdlib.h>

static bool
before(const struct timers *t, uint32_t a, uint32_t b)
{
	int64_t x = t->one[a].when_ms, y = t->one[b].when_ms;

	return x < y || (x == y && a < b);
}

static void
put(struct timers *t, uint32_t at, uint32_t id)
{
	t->heap[at] = id;
	t->one[id].at = at + 1;
}

static void
sift(struct timers *t, uint32_t at, uint32_t id)
{
	uint32_t child;

	while (at > 0 && before(t, id, t->heap[(at - 1) / 2])) {
		put(t, at, t->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	while ((child = at * 2 + 1) < t->n) {
		if (child + 1 < t->n && before(t, t->heap[child + 1], t->heap[child]))
			child++;
		if (!before(t, t->heap[child], id))
			break;
		put(t, at, t->heap[child]);
		at = child;
	}
	put(t, at, id);
}

static void
know(struct timers *t, uint32_t id)
{
	uint32_t more = t->known ? t->known * 2 : 64;

	if (id < t->known)
		return;
	if (more <= id)
		more = id + 1;
	t->one = mem_grow(t->one, more, sizeof *t->one);
	for (; t->known < more; t->known++)
		t->one[t->known] = (struct timers_one){0, 0};
}

void
timers_clear(struct timers *t, uint32_t id)
{
	uint32_t at = id < t->known ? t->one[id].at : 0;

	if (at == 0)
		return;
	t->one[id].at = 0;
	t->n--;
	if (at - 1 < t->n)
		sift(t, at - 1, t->heap[t->n]);
}

void
timers_set(struct timers *t, uint32_t id, int64_t when_ms)
{
	know(t, id);
	if (t->one[id].at != 0 && t->one[id].when_ms == when_ms)
		return;
	timers_clear(t, id);
	t->one[id].when_ms = when_ms;
	if (t->n == t->room) {
		t->room = t->room ? t->room * 2 : 64;
		t->heap = mem_grow(t->heap, t->room, sizeof *t->heap);
	}
	t->n++;
	sift(t, t->n - 1, id);
}

bool
timers_first(const struct timers *t, uint32_t *id, int64_t *when_ms)
{
	if (t->n == 0)
		return false;
	*id = t->heap[0];
	*when_ms = t->one[*id].when_ms;
	return true;
}

void
timers_free(struct timers *t)
{
	free(t->heap);
	free(t->one);
	*t = (struct timers){0};
}
