#include "tickets.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct ticket {
	char *key; /* NULL: there is none here */
	struct buf text;
	int64_t at_ms;
};

struct tickets {
	struct ticket v[TICKETS_MAX];
	size_t next; /* where the next one goes: it is the oldest's place */
	pthread_mutex_t lock;
};

struct tickets *
tickets_new(void)
{
	struct tickets *t = mem_alloc(sizeof *t);

	pthread_mutex_init(&t->lock, NULL);
	return t;
}

void
tickets_wipe(struct buf *b)
{
	if (b->cap)
		explicit_bzero(b->s, b->cap);
	buf_free(b);
}

static void
empty(struct ticket *v)
{
	if (!v->key)
		return;
	tickets_wipe(&v->text);
	free(v->key);
	v->key = NULL;
}

void
tickets_del(struct tickets *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < TICKETS_MAX; i++)
		empty(&t->v[i]);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

void
tickets_put(struct tickets *t, const char *key, struct span ticket, int64_t now_ms)
{
	struct ticket *v;

	if (!t || ticket.n == 0)
		return;
	pthread_mutex_lock(&t->lock);
	v = &t->v[t->next];
	t->next = (t->next + 1) % TICKETS_MAX;
	empty(v);
	v->key = mem_dup(key, strlen(key));
	v->text = (struct buf)BUF_INIT;
	buf_room(&v->text, ticket.n); /* so that it never moves, and leaves a copy behind */
	buf_add(&v->text, ticket.p, ticket.n);
	v->at_ms = now_ms;
	pthread_mutex_unlock(&t->lock);
}

bool
tickets_take(struct tickets *t, const char *key, int64_t now_ms, struct buf *out)
{
	bool found = false;

	if (!t)
		return false;
	pthread_mutex_lock(&t->lock);
	for (size_t i = 1; i <= TICKETS_MAX && !found; i++) {
		struct ticket *v = &t->v[(t->next + TICKETS_MAX - i) % TICKETS_MAX];

		if (!v->key || strcmp(v->key, key) != 0)
			continue;
		found = now_ms - v->at_ms <= TICKETS_AGE_MS;
		if (found) {
			*out = v->text;
			v->text = (struct buf)BUF_INIT;
		}
		empty(v);
	}
	pthread_mutex_unlock(&t->lock);
	return found;
}
