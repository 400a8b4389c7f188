#include "dkimhead.h"

#include "eight.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS_FEW 16   /* room at first */
#define FIELDS_KEPT 256 /* more room than that is not kept for the next header */
#define HEADER_ROOM 960 /* bytes of what is hashed of most headers */

/* --- names */

static uint64_t
hash(uint64_t seed, struct span name)
{
	uint64_t h = seed ^ name.n, rest = 0;
	size_t i = 0;

	for (; name.n - i >= 8; i += 8) {
		h = (h ^ eight_lower(eight_at(name.p + i))) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	for (; i < name.n; i++)
		rest = rest << 8 | (unsigned char)name.p[i];
	h = (h ^ eight_lower(rest)) * 0xbf58476d1ce4e5b9u;
	h ^= h >> 32;
	return h * 0x94d049bb133111ebu;
}

/* Where the name's lowest field stands, or belongs. */
static uint32_t *
slot(const struct dkimhead *h, struct span name)
{
	size_t i = (size_t)(hash(h->seed, name) >> 20) & (h->slots - 1);

	while (h->last[i] != DKIMHEAD_NONE && !span_ieq(h->fields[h->last[i]].name, name))
		i = (i + 1) & (h->slots - 1);
	return &h->last[i];
}

/* --- the fields */

static void
collect(struct dkimhead *h, struct span header)
{
	struct cur c = cur_span(header);
	struct msg_field f;
	bool bad;

	while (msg_field(&c, &f, &bad)) {
		if (h->n == h->field_room) {
			h->field_room = h->n ? h->n + h->n / 2 : FIELDS_FEW;
			h->fields = mem_grow(h->fields, h->field_room, sizeof *h->fields);
		}
		h->fields[h->n++] = f;
	}
	h->bad = cur_end(&c) ? SIZE_MAX : (size_t)(c.p - header.p);
}

static void
empty_index(struct dkimhead *h)
{
	h->slots = 2 * FIELDS_FEW;
	while (h->slots < 2 * h->n)
		h->slots *= 2;
	if (2 * h->slots > h->index_room) {
		h->index_room = 2 * h->slots;
		h->last = mem_grow(h->last, h->index_room, sizeof *h->last);
	}
	h->above = h->last + h->slots;
	h->next = h->above + h->n;
	memset(h->last, UINT8_MAX, h->slots * sizeof *h->last); /* each is DKIMHEAD_NONE */
	h->seed = (uint64_t)(uintptr_t)h->last;
}

void
dkimhead_open(struct dkimhead *h, struct span header)
{
	if (h->field_room > FIELDS_KEPT)
		dkimhead_free(h);
	h->n = 0;
	collect(h, header);
	empty_index(h);
	for (size_t i = 0; i < h->n; i++) {
		uint32_t *last = slot(h, h->fields[i].name);

		h->above[i] = *last;
		*last = (uint32_t)i;
	}
}

void
dkimhead_free(struct dkimhead *h)
{
	free(h->fields);
	free(h->last);
	memset(h, 0, sizeof *h);
}

uint32_t
dkimhead_last(const struct dkimhead *h, struct span name)
{
	return h->n ? *slot(h, name) : DKIMHEAD_NONE;
}

size_t
dkimhead_count(const struct dkimhead *h, struct span name)
{
	size_t n = 0;

	for (uint32_t at = dkimhead_last(h, name); at != DKIMHEAD_NONE; at = h->above[at])
		n++;
	return n;
}

void
dkimhead_form(const struct dkimhead *h, enum dkim_canon canon, struct span names,
    struct span signature, struct buf *out)
{
	struct cur c = cur_span(names);
	uint32_t *next = h->next; /* by a name's lowest field: the one that is next of that name */

	for (size_t i = 0; i < h->n; i++)
		next[i] = (uint32_t)i;
	buf_room(out, HEADER_ROOM);
	while (!cur_end(&c)) {
		struct span name = span_trim(cur_until(&c, ':'));
		uint32_t last = dkimhead_last(h, name), at = last;

		if (last != DKIMHEAD_NONE)
			at = next[last];
		cur_ch(&c, ':');
		if (at == DKIMHEAD_NONE)
			continue;
		next[last] = h->above[at];
		dkim_field(canon, h->fields[at].whole, out);
	}
	dkim_field_unsigned(canon, signature, out);
}
