#include "names.h"

#include <stdlib.h>
#include <string.h>

#define ID_AT 11 /* behind the due time and its dot */

void
names_add(struct names *l, const struct queue_at *at, const char *name)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap + l->cap / 2 : 64;
		l->v = mem_grow(l->v, l->cap, sizeof *l->v);
	}
	l->v[l->n++] = (struct names_item){*at, l->text.len};
	buf_add(&l->text, name, strlen(name) + 1);
}

const char *
names_text(const struct names *l, size_t i)
{
	return l->text.s + l->v[i].text;
}

static int
compare(const void *va, const void *vb, void *text)
{
	const struct names_item *a = va, *b = vb;
	const char *s = text;

	return strcmp(s + a->text + ID_AT, s + b->text + ID_AT);
}

void
names_sort(struct names *l)
{
	if (l->n > 1)
		qsort_r(l->v, l->n, sizeof *l->v, compare, l->text.s);
}

void
names_clear(struct names *l)
{
	l->n = 0;
	buf_cut(&l->text, 0);
}

void
names_free(struct names *l)
{
	free(l->v);
	buf_free(&l->text);
	*l = (struct names)NAMES_INIT;
}
