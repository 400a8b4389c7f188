#include "arena.h"

#include "buf.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MIN 16384

struct arena_block {
	struct arena_block *next; /* older ones */
	size_t size, used;
	alignas(max_align_t) char data[];
};

static struct arena_block *
more(struct arena *a, size_t n)
{
	size_t size = a->first ? a->first->size * 2 : BLOCK_MIN;
	struct arena_block *b;

	if (size > ARENA_KEEP)
		size = ARENA_KEEP;
	if (size < n)
		size = n;
	if (size > SIZE_MAX - sizeof *b)
		size = SIZE_MAX - sizeof *b; /* mem_alloc ends the process */
	b = mem_alloc(sizeof *b + size);
	b->size = size;
	b->next = a->first;
	a->first = b;
	return b;
}

void *
arena_get(struct arena *a, size_t n)
{
	const size_t align = alignof(max_align_t);
	struct arena_block *b = a->first;
	void *p;

	n = n + (align - n % align) % align;
	if (!b || b->size - b->used < n)
		b = more(a, n);
	p = b->data + b->used;
	b->used += n;
	return memset(p, 0, n);
}

struct span
arena_dup(struct arena *a, struct span s)
{
	char *p = arena_get(a, s.n + 1);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return (struct span){p, s.n};
}

struct span
arena_lower(struct arena *a, struct span s)
{
	char *p = arena_get(a, s.n + 1);

	for (size_t i = 0; i < s.n; i++)
		p[i] = (char)ascii_lower((unsigned char)s.p[i]);
	return (struct span){p, s.n};
}

void
arena_reset(struct arena *a)
{
	struct arena_block *keep = NULL;

	/* The newest is the largest, unless one thing alone was larger. */
	for (struct arena_block *b = a->first, *next; b; b = next) {
		next = b->next;
		if (!keep && b->size <= ARENA_KEEP)
			keep = b;
		else
			free(b);
	}
	if (keep) {
		keep->next = NULL;
		keep->used = 0;
	}
	a->first = keep;
}

void
arena_free(struct arena *a)
{
	for (struct arena_block *b = a->first, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	a->first = NULL;
}
