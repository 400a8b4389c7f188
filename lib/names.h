/* names.h - the names found in a queue, collected: one piece of memory, about 100 bytes a name. */
#ifndef NAMES_H
#define NAMES_H

#include "queue.h"

struct names_item {
	struct queue_at at;
	size_t text; /* offset into text, NUL at its end */
};
struct names {
	struct buf text;
	struct names_item *v;
	size_t n, cap;
};
#define NAMES_INIT {BUF_INIT, NULL, 0, 0}

void names_add(struct names *l, const struct queue_at *at, const char *name);
const char *names_text(const struct names *l, size_t i);
void names_sort(struct names *l); /* by id, that is by age */
void names_clear(struct names *l);
void names_free(struct names *l);

#endif
