/* feed.h - input that comes in pieces, and output that is gathered. */
#ifndef TEST_FEED_H
#define TEST_FEED_H

#include "buf.h"
#include "io.h"

#include <unistd.h>

struct feed { /* a pipe that gives `first` bytes, if not 0, then `step` at each read */
	int out;
	const char *p;
	size_t n, first, step;
};

static int
feed_more(void *arg, struct err *e)
{
	struct feed *f = arg;
	size_t n = f->first ? f->first : f->step;

	if (n > f->n)
		n = f->n;
	if (n > 0 && io_write(f->out, f->p, n, e))
		return e->code;
	f->p += n;
	f->n -= n;
	f->first = 0;
	if (f->n == 0 && f->out >= 0) {
		close(f->out);
		f->out = -1;
	}
	return 0;
}

static void
feed_end(const struct feed *f, int in) /* in: the pipe's other end */
{
	close(in);
	if (f->out >= 0)
		close(f->out);
}

static int
gather(void *arg, const void *p, size_t n, struct err *e)
{
	(void)e;
	buf_add(arg, p, n);
	return 0;
}

#endif
