#include "dkimhead.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS_FEW 16 /* room at first */
#define NAME_MOST 64  /* bytes of most names */
#define HEADER_ROOM 960 /* and of what is hashed of most headers */

static void
lower(struct buf *out, struct span name)
{
	span_lower(name, buf_room(out, name.n));
	buf_grew(out, name.n);
}

static void
collect(struct dkimhead *h, struct span header)
{
	struct cur c = cur_span(header);
	struct msg_field f;
	size_t cap = 0;
	bool bad;

	while (msg_field(&c, &f, &bad)) {
		if (h->n == cap) {
			cap = cap ? cap + cap / 2 : FIELDS_FEW;
			h->fields = mem_grow(h->fields, cap, sizeof *h->fields);
		}
		h->fields[h->n++] = f;
	}
	h->bad = cur_end(&c) ? SIZE_MAX : (size_t)(c.p - header.p);
}

void
dkimhead_open(struct dkimhead *h, struct span header)
{
	size_t all = 0, at = 0;

	*h = (struct dkimhead){.names = BUF_INIT};
	collect(h, header);
	/* The map borrows its keys, so that their storage must not move: all of it at once. */
	for (size_t i = 0; i < h->n; i++)
		all += h->fields[i].name.n;
	buf_room(&h->names, all + 1);
	h->above = mem_grow(NULL, h->n + 1, sizeof *h->above);
	map_init(&h->last, (uint64_t)(uintptr_t)h->fields ^ all);
	for (size_t i = 0; i < h->n; i++) {
		struct span key;

		lower(&h->names, h->fields[i].name);
		key = (struct span){h->names.s + at, h->names.len - at};
		at = h->names.len;
		h->above[i] = map_get(&h->last, key);
		map_put(&h->last, key, (uint32_t)i);
	}
}

void
dkimhead_free(struct dkimhead *h)
{
	free(h->fields);
	free(h->above);
	map_free(&h->last);
	buf_free(&h->names);
	*h = (struct dkimhead){.names = BUF_INIT};
}

uint32_t
dkimhead_last(const struct dkimhead *h, struct span name)
{
	char few[NAME_MOST];
	struct buf many = BUF_INIT;
	struct span key = {few, name.n};
	uint32_t at;

	if (name.n <= sizeof few) {
		span_lower(name, few);
	} else {
		lower(&many, name);
		key.p = many.s;
	}
	at = map_get(&h->last, key);
	buf_free(&many);
	return at;
}

size_t
dkimhead_count(const struct dkimhead *h, struct span name)
{
	size_t n = 0;

	for (uint32_t at = dkimhead_last(h, name); at != MAP_NONE; at = h->above[at])
		n++;
	return n;
}

void
dkimhead_form(const struct dkimhead *h, enum dkim_canon canon, struct span names,
    struct span signature, struct buf *out)
{
	struct buf list = BUF_INIT;
	/* By a name's lowest field: the one that is next of that name. */
	uint32_t *next = mem_grow(NULL, h->n + 1, sizeof *next);
	struct cur c;

	for (size_t i = 0; i < h->n; i++)
		next[i] = (uint32_t)i;
	buf_room(out, HEADER_ROOM);
	lower(&list, names);
	c = cur_of(list.s, list.len);
	while (!cur_end(&c)) {
		struct span name = span_trim(cur_until(&c, ':'));
		uint32_t last = map_get(&h->last, name), at = last == MAP_NONE ? MAP_NONE : next[last];

		cur_ch(&c, ':');
		if (at == MAP_NONE)
			continue;
		next[last] = h->above[at];
		dkim_field(canon, h->fields[at].whole, out);
	}
	dkim_field_unsigned(canon, signature, out);
	free(next);
	buf_free(&list);
}
