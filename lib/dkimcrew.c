#include "dkimcrew.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#define LOAD_BYTES (256 << 10) /* a load that has as much is on its way */
#define LOADS_A_THREAD 4
#define ITEM_BYTES (64 << 10) /* of a message, whose storage is kept for the next one */

enum state { FREE, READY, TAKEN, DONE };

struct load {
	struct dkimcrew_item items[DKIMCREW_LOAD];
	size_t n, bytes;
	enum state state;
};

struct dkimcrew {
	struct dkimcrew_calls calls;
	pthread_mutex_t lock; /* over the states of loads, `next`, `awaited` and `over` */
	pthread_cond_t ready, done;
	struct load *loads;
	size_t n_loads, fill, drain; /* rings: the giver's two */
	size_t next;                 /* the load that a thread takes next */
	const struct load *awaited;  /* by the giver, who sleeps; NULL: does not */
	bool over;
	pthread_t *threads;
	unsigned n_threads;
};

static void
do_load(struct dkimcrew *c, struct dkimmsg_desk *desk, struct load *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct dkimcrew_item *item = &l->items[i];

		item->rc = c->calls.work(c->calls.arg, desk, item, &item->e);
	}
	for (size_t i = 0; i < l->n; i++) {
		struct dkimcrew_item *item = &l->items[i];

		if (item->rc == 0)
			item->rc = dkimsign_make(&item->msg.ready, &item->fields, &item->e);
		dkimsign_ready_clear(&item->msg.ready);
	}
}

static void *
worker(void *arg)
{
	struct dkimcrew *c = arg;
	struct dkimmsg_desk desk;

	dkimmsg_desk_init(&desk);
	pthread_mutex_lock(&c->lock);
	for (;;) {
		struct load *l = &c->loads[c->next];

		if (c->over)
			break;
		if (l->state != READY) {
			pthread_cond_wait(&c->ready, &c->lock);
			continue;
		}
		l->state = TAKEN;
		c->next = (c->next + 1) % c->n_loads;
		pthread_mutex_unlock(&c->lock);
		do_load(c, &desk, l);
		pthread_mutex_lock(&c->lock);
		l->state = DONE;
		if (l == c->awaited)
			pthread_cond_signal(&c->done);
	}
	pthread_mutex_unlock(&c->lock);
	dkimmsg_desk_free(&desk);
	return NULL;
}

int
dkimcrew_start(struct dkimcrew **out, unsigned threads, const struct dkimcrew_calls *calls,
    struct err *e)
{
	struct dkimcrew *c = mem_alloc(sizeof *c);

	c->calls = *calls;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->ready, NULL);
	pthread_cond_init(&c->done, NULL);
	c->n_loads = (size_t)threads * LOADS_A_THREAD + 1;
	c->loads = mem_alloc(c->n_loads * sizeof *c->loads);
	for (size_t i = 0; i < c->n_loads; i++)
		for (int j = 0; j < DKIMCREW_LOAD; j++)
			c->loads[i].items[j] = (struct dkimcrew_item){.name = BUF_INIT,
			    .fields = BUF_INIT, .msg = DKIMMSG_INIT, .spool = SPOOL_INIT, .e = ERR_INIT};
	c->threads = mem_alloc(threads * sizeof *c->threads);
	for (; c->n_threads < threads; c->n_threads++)
		if (pthread_create(&c->threads[c->n_threads], NULL, worker, c) != 0)
			break;
	*out = c;
	if (c->n_threads > 0)
		return 0;
	dkimcrew_stop(c);
	*out = NULL;
	return err_set(e, EX_TEMPFAIL, "no thread can be started");
}

static void
wait_for(struct dkimcrew *c, const struct load *l)
{
	while (l->state == READY || l->state == TAKEN) {
		c->awaited = l;
		pthread_cond_wait(&c->done, &c->lock);
	}
	c->awaited = NULL;
}

/* The oldest load, when it is done: its items go back to the giver.  Who must wait for it waits for half
 * of the ring: a signature may take less time than going to sleep and being woken, and the threads have
 * the other half meanwhile. */
static int
drain_one(struct dkimcrew *c, struct err *e)
{
	struct load *l = &c->loads[c->drain];
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	if (l->state != DONE)
		wait_for(c, &c->loads[(c->drain + c->n_loads / 2) % c->n_loads]);
	wait_for(c, l);
	l->state = FREE; /* and the giver's, until it is sent */
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; !rc && i < l->n; i++)
		rc = c->calls.done(c->calls.arg, &l->items[i], e);
	if (c->calls.flush) {
		struct err other = ERR_INIT;
		int failed = c->calls.flush(c->calls.arg, rc ? &other : e);

		if (!rc)
			rc = failed;
		err_free(&other);
	}
	for (size_t i = 0; i < l->n; i++) {
		struct dkimcrew_item *item = &l->items[i];

		buf_cut(&item->name, 0);
		buf_cut(&item->fields, 0);
		if (item->spool.mem.cap > ITEM_BYTES)
			spool_free(&item->spool);
		else
			spool_clear(&item->spool);
		err_free(&item->e);
	}
	l->n = l->bytes = 0;
	c->drain = (c->drain + 1) % c->n_loads;
	return rc;
}

static void
send_load(struct dkimcrew *c)
{
	pthread_mutex_lock(&c->lock);
	c->loads[c->fill].state = READY;
	pthread_cond_signal(&c->ready);
	pthread_mutex_unlock(&c->lock);
	c->fill = (c->fill + 1) % c->n_loads;
}

int
dkimcrew_next(struct dkimcrew *c, size_t bytes, struct dkimcrew_item **item, struct err *e)
{
	struct load *l = &c->loads[c->fill];

	if (l->n == DKIMCREW_LOAD || l->bytes > LOAD_BYTES) {
		send_load(c);
		l = &c->loads[c->fill];
		if (c->fill == c->drain) {
			int rc = drain_one(c, e);

			if (rc)
				return rc;
		}
	}
	l->bytes += bytes;
	*item = &l->items[l->n++];
	return 0;
}

void
dkimcrew_more(struct dkimcrew *c, size_t bytes)
{
	c->loads[c->fill].bytes += bytes;
}

int
dkimcrew_end(struct dkimcrew *c, struct err *e)
{
	int rc = 0;

	if (c->loads[c->fill].n > 0)
		send_load(c);
	do
		rc = drain_one(c, e);
	while (!rc && c->drain != c->fill);
	return rc;
}

void
dkimcrew_stop(struct dkimcrew *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->over = true;
	pthread_cond_broadcast(&c->ready);
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < c->n_threads; i++)
		pthread_join(c->threads[i], NULL);
	for (size_t i = 0; i < c->n_loads; i++)
		for (int j = 0; j < DKIMCREW_LOAD; j++) {
			struct dkimcrew_item *item = &c->loads[i].items[j];

			buf_free(&item->name);
			buf_free(&item->fields);
			dkimmsg_free(&item->msg);
			spool_free(&item->spool);
			err_free(&item->e);
		}
	free(c->loads);
	free(c->threads);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->ready);
	pthread_cond_destroy(&c->done);
	free(c);
}
