#include "bouncerun.h"

#include "buf.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

struct message { /* offsets into the job's text */
	size_t name, name_n, data, data_n, n;
};

struct job {
	struct buf text, out, notes;
	struct message v[BOUNCERUN_MESSAGES];
	size_t count;
	struct bouncerun_sum sum;
	enum { FREE, READY, DONE } is;
};

struct bouncerun {
	struct bouncerun_options o;
	struct bounce_reader *reader; /* the caller's */
	struct job *jobs;
	size_t n_jobs, fill, oldest;  /* of the ring: being filled; first not written */
	size_t next;                  /* to be taken by a thread */
	struct message now;           /* the message that comes in */
	bool big;                     /* it is read as it comes */
	pthread_t threads[BOUNCERUN_THREADS];
	unsigned n_threads;
	pthread_mutex_t lock;         /* over what is, next, stop */
	pthread_cond_t ready, done;
	bool stop;
	struct bouncerun_sum sum;
};

static struct span
part(const struct job *j, size_t at, size_t n)
{
	return (struct span){j->text.s + at, n};
}

static void
take_result(const struct bouncerun *r, struct job *j, const struct message *m,
    const struct bounce *b)
{
	struct span name = part(j, m->name, m->name_n);
	struct bounceout_more more = {BUF_INIT, BUF_INIT};

	if (r->o.look)
		r->o.look(r->o.arg, b, &more);
	j->sum.messages++;
	j->sum.recipients += b->n;
	j->sum.others += b->is == BOUNCE_NONE;
	j->sum.nobody += b->is != BOUNCE_NONE && b->n == 0;
	bounceout(&j->out, r->o.form, name, m->n, b, &more, r->o.explain);
	buf_free(&more.stream);
	buf_free(&more.tag);
	if (r->o.tell && b->n == 0)
		buf_fmt(&j->notes, "%.*s%s%s\n", SPAN_ARG(name), name.n ? ": " : "",
		    b->is == BOUNCE_NONE ? "not a bounce" : "a bounce that names no recipient");
}

static void
work(const struct bouncerun *r, struct bounce_reader *b, struct job *j)
{
	for (size_t i = 0; i < j->count; i++) {
		const struct message *m = &j->v[i];

		bounce_feed(b, part(j, m->data, m->data_n));
		take_result(r, j, m, bounce_end(b));
	}
}

static struct bounce_reader *
new_reader(const struct bouncerun_options *o)
{
	struct bounce_reader *b = bounce_new(o->rules);

	bounce_prove(b, o->key, o->now_s);
	return b;
}

static void *
worker(void *arg)
{
	struct bouncerun *r = arg;
	struct bounce_reader *b = new_reader(&r->o);

	pthread_mutex_lock(&r->lock);
	for (;;) {
		struct job *j = &r->jobs[r->next % r->n_jobs];

		if (r->next < r->fill && j->is == DONE) { /* a big one, which the caller has read */
			r->next++;
			continue;
		}
		if (r->next == r->fill || j->is != READY) {
			if (r->stop)
				break;
			pthread_cond_wait(&r->ready, &r->lock);
			continue;
		}
		r->next++;
		pthread_mutex_unlock(&r->lock);
		work(r, b, j);
		pthread_mutex_lock(&r->lock);
		j->is = DONE;
		pthread_cond_signal(&r->done);
	}
	pthread_mutex_unlock(&r->lock);
	bounce_del(b);
	return NULL;
}

static unsigned
processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

	return n > BOUNCERUN_THREADS ? BOUNCERUN_THREADS : (unsigned)n;
}

struct bouncerun *
bouncerun_new(const struct bouncerun_options *o)
{
	struct bouncerun *r = mem_alloc(sizeof *r);

	r->o = *o;
	if (r->o.threads == 0)
		r->o.threads = processors();
	if (r->o.threads > BOUNCERUN_THREADS)
		r->o.threads = BOUNCERUN_THREADS;
	r->n_jobs = r->o.threads > 1 ? 2 * (size_t)r->o.threads + 1 : 1;
	r->jobs = mem_alloc(r->n_jobs * sizeof *r->jobs);
	for (size_t i = 0; i < r->n_jobs; i++)
		r->jobs[i].text = r->jobs[i].out = r->jobs[i].notes = (struct buf)BUF_INIT;
	r->reader = new_reader(&r->o);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->ready, NULL);
	pthread_cond_init(&r->done, NULL);
	return r;
}

/* --- the caller's side */

static struct job *
filling(struct bouncerun *r)
{
	return &r->jobs[r->fill % r->n_jobs];
}

static void
write_job(struct bouncerun *r, struct job *j)
{
	struct cur c = cur_of(j->notes.s, j->notes.len);
	struct span line;

	if (j->out.len > 0)
		r->o.write(r->o.arg, (struct span){j->out.s, j->out.len});
	while (cur_line(&c, &line))
		r->o.note(r->o.arg, line);
	r->sum.messages += j->sum.messages;
	r->sum.recipients += j->sum.recipients;
	r->sum.others += j->sum.others;
	r->sum.nobody += j->sum.nobody;
	buf_cut(&j->text, 0);
	buf_cut(&j->out, 0);
	buf_cut(&j->notes, 0);
	memset(&j->sum, 0, sizeof j->sum);
	j->count = 0;
}

/* Writes what is done, in its order; wait: until the job to be filled is free; all: everything. */
static void
collect(struct bouncerun *r, bool all)
{
	pthread_mutex_lock(&r->lock);
	while (r->oldest < r->fill) {
		struct job *j = &r->jobs[r->oldest % r->n_jobs];

		if (j->is != DONE) {
			if (!all && r->fill - r->oldest < r->n_jobs)
				break;
			pthread_cond_wait(&r->done, &r->lock);
			continue;
		}
		pthread_mutex_unlock(&r->lock);
		write_job(r, j);
		pthread_mutex_lock(&r->lock);
		j->is = FREE;
		r->oldest++;
		if (r->next < r->oldest) /* a big one that no thread has passed over yet */
			r->next = r->oldest;
	}
	pthread_mutex_unlock(&r->lock);
}

static void
start_threads(struct bouncerun *r)
{
	while (r->n_threads < r->o.threads &&
	    pthread_create(&r->threads[r->n_threads], NULL, worker, r) == 0)
		r->n_threads++;
}

/* The job is full, or it is the last (then no thread is started for its sake). */
static void
submit(struct bouncerun *r, bool last, bool worked)
{
	struct job *j = filling(r);

	if (j->count == 0 && !worked)
		return;
	if (r->n_jobs > 1 && !last && r->n_threads == 0)
		start_threads(r);
	if (r->n_threads == 0) {
		if (!worked)
			work(r, r->reader, j);
		write_job(r, j);
		return;
	}
	pthread_mutex_lock(&r->lock);
	j->is = worked ? DONE : READY;
	r->fill++;
	pthread_cond_signal(&r->ready);
	pthread_mutex_unlock(&r->lock);
	collect(r, false);
}

static int
begin(void *arg, struct span file, size_t n, struct err *e)
{
	struct bouncerun *r = arg;
	struct job *j = filling(r);

	(void)e;
	if (j->count == BOUNCERUN_MESSAGES || j->text.len >= BOUNCERUN_JOB) {
		submit(r, false, false);
		j = filling(r);
	}
	r->now = (struct message){.name = j->text.len, .name_n = file.n, .n = n};
	buf_add(&j->text, file.p, file.n);
	r->now.data = j->text.len;
	r->big = false;
	return 0;
}

/* The message gets too large to be kept: what came before it goes to the threads, and it becomes a
 * job of its own, which is done when its end has come. */
static void
become_big(struct bouncerun *r)
{
	struct job *j = filling(r);
	struct buf own = BUF_INIT;
	struct message m = r->now;

	buf_add(&own, j->text.s + m.name, j->text.len - m.name);
	buf_cut(&j->text, m.name);
	submit(r, false, false);
	j = filling(r);
	buf_cut(&j->text, 0);
	buf_add(&j->text, own.s, m.name_n);
	r->now = (struct message){.name = 0, .name_n = m.name_n, .n = m.n};
	bounce_feed(r->reader, (struct span){own.s + m.name_n, own.len - m.name_n});
	buf_free(&own);
	r->big = true;
}

static int
data(void *arg, struct span piece, struct err *e)
{
	struct bouncerun *r = arg;
	struct job *j = filling(r);

	(void)e;
	if (!r->big && j->text.len + piece.n - r->now.data > BOUNCERUN_BIG)
		become_big(r);
	if (r->big)
		bounce_feed(r->reader, piece);
	else
		buf_add(&j->text, piece.p, piece.n);
	return 0;
}

static int
end(void *arg, struct err *e)
{
	struct bouncerun *r = arg;
	struct job *j = filling(r);

	(void)e;
	if (r->big) {
		take_result(r, j, &r->now, bounce_end(r->reader));
		submit(r, false, true);
		return 0;
	}
	r->now.data_n = j->text.len - r->now.data;
	j->v[j->count++] = r->now;
	return 0;
}

void
bouncerun_sink(struct bouncerun *r, struct mailsrc_sink *out)
{
	out->begin = begin;
	out->data = data;
	out->end = end;
	out->arg = r;
}

void
bouncerun_end(struct bouncerun *r, struct bouncerun_sum *sum)
{
	submit(r, true, false);
	collect(r, true);
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_broadcast(&r->ready);
	pthread_mutex_unlock(&r->lock);
	for (unsigned i = 0; i < r->n_threads; i++)
		pthread_join(r->threads[i], NULL);
	*sum = r->sum;
	for (size_t i = 0; i < r->n_jobs; i++) {
		buf_free(&r->jobs[i].text);
		buf_free(&r->jobs[i].out);
		buf_free(&r->jobs[i].notes);
	}
	free(r->jobs);
	bounce_del(r->reader);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->ready);
	pthread_cond_destroy(&r->done);
	free(r);
}
