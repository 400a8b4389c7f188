#include "reaper.h"

#include "buf.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8  /* where each close waits for the disk, two close 9,000 files a second, eight 31,000 */
#define BATCH 32   /* worth waking a thread for; fewer wait a moment for others: waking it */
#define PAUSE_MS 20 /* for each cost more than closing it did, 10 % of a drain's CPU on tmpfs */
#define OPEN_MOST (2 * THREADS * BATCH) /* half of them waiting, while all threads have their hands full */
#define STACK_BYTES (64 * 1024)

struct reaper {
	pthread_mutex_t lock; /* over what follows */
	pthread_cond_t more;
	int fds[OPEN_MOST];
	size_t n;    /* that wait */
	size_t open, most; /* and those that a thread is about to close */
	size_t idle; /* threads that sleep until something comes */
	bool end;
	pthread_t threads[THREADS];
	size_t n_threads;
};

/* Until there is something, and then until there is more, or a moment is over. */
static void
gather(struct reaper *r)
{
	struct timespec until;

	r->idle++;
	while (r->n == 0 && !r->end)
		pthread_cond_wait(&r->more, &r->lock);
	r->idle--;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += PAUSE_MS * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (r->n > 0 && r->n < BATCH && !r->end)
		if (pthread_cond_timedwait(&r->more, &r->lock, &until))
			break;
}

static void *
reap(void *arg)
{
	struct reaper *r = arg;
	int some[BATCH];

	pthread_mutex_lock(&r->lock);
	while (r->n > 0 || !r->end) {
		size_t k = 0;

		gather(r);
		while (r->n > 0 && k < BATCH)
			some[k++] = r->fds[--r->n];
		pthread_mutex_unlock(&r->lock);
		for (size_t i = k; i > 0; i--) /* the oldest first */
			close(some[i - 1]);
		pthread_mutex_lock(&r->lock);
		r->open -= k;
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

struct reaper *
reaper_new(void)
{
	struct reaper *r = mem_alloc(sizeof *r);
	pthread_condattr_t monotonic;
	struct rlimit files;

	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&r->more, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r->most = OPEN_MOST;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur / REAPER_SHARE < OPEN_MOST)
		r->most = (size_t)(files.rlim_cur / REAPER_SHARE);
	return r;
}

/* Threads are made when there is something to close: most runs need none. */
static void
want_thread(struct reaper *r)
{
	pthread_attr_t a;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, STACK_BYTES);
	if (pthread_create(&r->threads[r->n_threads], &a, reap, r) == 0)
		r->n_threads++;
	pthread_attr_destroy(&a);
}

void
reaper_close(struct reaper *r, int fd)
{
	bool taken;

	pthread_mutex_lock(&r->lock);
	taken = r->open < r->most;
	if (taken && (r->n_threads == 0 || (r->n_threads < THREADS && r->n > (r->n_threads + 1) * BATCH)))
		want_thread(r);
	if (r->n_threads == 0) /* none to be had: ourselves */
		taken = false;
	if (taken) {
		r->fds[r->n++] = fd;
		r->open++;
	}
	if (taken && ((r->n == 1 && r->idle == r->n_threads) || r->n % BATCH == 0))
		pthread_cond_signal(&r->more);
	pthread_mutex_unlock(&r->lock);
	if (!taken)
		close(fd);
}

void
reaper_del(struct reaper *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->end = true;
	pthread_cond_broadcast(&r->more);
	pthread_mutex_unlock(&r->lock);
	for (size_t i = 0; i < r->n_threads; i++)
		pthread_join(r->threads[i], NULL);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->more);
	free(r);
}
