/* found.h - what a look at a directory of a queue, or at what inotify tells of it, came upon. */
#ifndef TEST_FOUND_H
#define TEST_FOUND_H

#include "queue.h"
#include "tap.h"

struct found {
	int n;
	struct queue_at at; /* of the last one */
	char name[ENTRY_NAME_MAX + 1];
};

static int
on_name(void *arg, const struct queue_at *at, const char *name, const struct entry_name *n)
{
	struct found *f = arg;

	f->n++;
	f->at = *at;
	(void)n;
	memcpy(f->name, name, strlen(name) + 1);
	return 0;
}

static inline struct found
look(struct queue *q, enum queue_place place)
{
	struct err e = ERR_INIT;
	struct found f = {0};

	if (queue_scan(q, place, UINT64_MAX, on_name, &f, &e))
		printf("# %s\n", err_text(&e));
	err_free(&e);
	return f;
}

#endif
