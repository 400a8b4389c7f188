#include "rcpts.h"

#include "addr.h"

#include <stdlib.h>
#include <string.h>

#define SCAN_MAX 8 /* so few are compared one by one, without a table */

static struct span
address(const struct rcpts *r, size_t i)
{
	return (struct span){r->text.s + r->v[i].at, r->v[i].n};
}

static bool
same(struct span a, struct span b)
{
	struct span d = addr_domain(a), f = addr_domain(b);

	return a.n == b.n && d.n == f.n && memcmp(a.p, b.p, a.n - d.n) == 0 && span_ieq(d, f);
}

/* FNV-1a without case: good enough to spread addresses, and equal for what is the same. */
static size_t
hash(struct span s)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (uint64_t)ascii_lower((unsigned char)s.p[i])) * 0x100000001b3;
	return (size_t)(h ^ h >> 32);
}

/* The slot of that address, or the free one where it belongs. */
static size_t *
slot_of(const struct rcpts *r, struct span a)
{
	size_t mask = r->n_slots - 1, i = hash(a) & mask;

	while (r->slots[i] && !same(address(r, r->slots[i] - 1), a))
		i = (i + 1) & mask;
	return &r->slots[i];
}

static void
grow_table(struct rcpts *r)
{
	free(r->slots);
	do
		r->n_slots = r->n_slots ? 4 * r->n_slots : 64;
	while (r->n_slots < 2 * (r->n + 1));
	r->slots = mem_alloc(r->n_slots * sizeof *r->slots);
	for (size_t i = 0; i < r->n; i++)
		*slot_of(r, address(r, i)) = i + 1;
}

static bool
is_there(struct rcpts *r, struct span a)
{
	if (r->n < SCAN_MAX) {
		for (size_t i = 0; i < r->n; i++)
			if (same(address(r, i), a))
				return true;
		return false;
	}
	if (r->n_slots < 2 * (r->n + 1))
		grow_table(r);
	return *slot_of(r, a) != 0;
}

int
rcpts_add(struct rcpts *r, struct span addr, struct span params, struct err *e)
{
	if (is_there(r, addr))
		return 0;
	if (r->n == RCPTS_MAX)
		return err_set(e, EX_DATAERR, "more than %d recipients", RCPTS_MAX);
	if (r->n == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 8;
		r->v = mem_grow(r->v, r->cap, sizeof *r->v);
	}
	r->v[r->n] = (struct rcpt_at){r->text.len, addr.n, params.n};
	buf_add(&r->text, addr.p, addr.n);
	buf_add(&r->text, params.p, params.n);
	r->n++;
	if (r->n_slots)
		*slot_of(r, addr) = r->n;
	return 0;
}

void
rcpts_clear(struct rcpts *r)
{
	r->n = 0;
	buf_cut(&r->text, 0);
	free(r->slots);
	r->slots = NULL;
	r->n_slots = 0;
}

void
rcpts_free(struct rcpts *r)
{
	free(r->v);
	free(r->slots);
	buf_free(&r->text);
	*r = (struct rcpts)RCPTS_INIT;
}

/* The table's keys become domains for a moment: each recipient learns the number of its domain's
 * first recipient, and a stable sort by that number does the rest. */
struct ranked {
	struct rcpt_at r;
	size_t rank, place;
};

static int
by_rank(const void *x, const void *y)
{
	const struct ranked *a = x, *b = y;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

static size_t
rank_of(struct rcpts *r, size_t *slots, size_t mask, size_t i)
{
	struct span d = addr_domain(address(r, i));
	size_t k = hash(d) & mask;

	while (slots[k] && !span_ieq(addr_domain(address(r, slots[k] - 1)), d))
		k = (k + 1) & mask;
	if (!slots[k])
		slots[k] = i + 1;
	return slots[k];
}

void
rcpts_group(struct rcpts *r)
{
	size_t n_slots = 64, *slots;
	struct ranked *v;

	while (n_slots < 2 * r->n)
		n_slots *= 2;
	slots = mem_alloc(n_slots * sizeof *slots);
	v = mem_alloc(r->n * sizeof *v);
	for (size_t i = 0; i < r->n; i++)
		v[i] = (struct ranked){r->v[i], rank_of(r, slots, n_slots - 1, i), i};
	qsort(v, r->n, sizeof *v, by_rank);
	for (size_t i = 0; i < r->n; i++)
		r->v[i] = v[i].r;
	free(v);
	free(slots);
	free(r->slots); /* its numbers are no longer true; the next add makes it anew */
	r->slots = NULL;
	r->n_slots = 0;
}

void
rcpts_get(const struct rcpts *r, size_t from, size_t n, struct entry_rcpt *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct rcpt_at *a = &r->v[from + i];

		out[i].addr = (struct span){r->text.s + a->at, a->n};
		out[i].params = (struct span){r->text.s + a->at + a->n, a->params_n};
	}
}

struct span
rcpts_domain(const struct rcpts *r, size_t from, size_t n)
{
	struct span d = n ? addr_domain(address(r, from)) : SPAN("");

	for (size_t i = 1; i < n; i++)
		if (!span_ieq(addr_domain(address(r, from + i)), d))
			return SPAN("");
	return d;
}
