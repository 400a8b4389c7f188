#include "closures.h"

#include "file.h"
#include "io.h"
#include "pace.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_MAX_BYTES 4096
#define SLACK_S 2 /* rounding up, when it is written and when a message is moved on */

bool
closure_of(int state_dir, const struct conf *conf, struct span site, uint64_t now_s,
    struct closure *out)
{
	const struct pace_limits limits = {(uint32_t)conf->site_connections,
	    (uint32_t)conf->site_rate, conf->retry_min_s * 1000, conf->retry_max_s * 1000, 0};
	struct buf path = BUF_INIT, text = BUF_INIT;
	struct err ignored = ERR_INIT;
	struct pace p;
	struct stat st;
	struct span line;
	int64_t until;
	struct cur c;
	bool closed = false;

	buf_fmt(&path, "sites/%.*s", SPAN_ARG(site));
	if (site.n == 0 || memchr(site.p, '/', site.n) || fstatat(state_dir, path.s, &st, 0) < 0 ||
	    io_slurp_at(state_dir, path.s, LINE_MAX_BYTES, &text, &ignored))
		goto out;
	c = cur_of(text.s, text.len);
	/* "closed for" counts from when it was written. */
	pace_init(&p, &limits, (int64_t)st.st_mtime * 1000);
	closed = cur_line(&c, &line) && pace_parse(&p, line, (int64_t)st.st_mtime * 1000) &&
	    pace_closed(&p, (int64_t)now_s * 1000, &until);
	if (closed)
		*out = (struct closure){NULL, (uint64_t)until / 1000, p.failures};
out:
	err_free(&ignored);
	buf_free(&path);
	buf_free(&text);
	return closed;
}

struct reading {
	struct closures *l;
	int state_dir;
	const struct conf *conf;
	uint64_t now_s;
};

static int
on_name(void *arg, int dir, const char *name)
{
	const struct reading *r = arg;
	struct closures *l = r->l;
	struct closure one;

	(void)dir;
	if (*name != '.' && closure_of(r->state_dir, r->conf, span_of(name), r->now_s, &one)) {
		l->v = mem_grow(l->v, l->n + 1, sizeof *l->v);
		one.site = mem_dup(name, strlen(name));
		l->v[l->n++] = one;
	}
	return 0;
}

static int
by_time(const void *pa, const void *pb)
{
	const struct closure *a = pa, *b = pb;

	return a->until_s != b->until_s ? (a->until_s > b->until_s ? 1 : -1)
	                                : strcmp(a->site, b->site);
}

int
closures_read(struct closures *l, int state_dir, const struct conf *conf, uint64_t now_s,
    struct err *e)
{
	struct reading r = {l, state_dir, conf, now_s};
	int rc;

	*l = (struct closures)CLOSURES_INIT;
	rc = file_each(state_dir, "sites", on_name, &r, e);
	if (l->n > 1)
		qsort(l->v, l->n, sizeof *l->v, by_time);
	return rc;
}

static uint64_t
apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

const struct closure *
closures_explain(const struct closures *l, uint64_t due_s, size_t *others)
{
	const struct closure *best = NULL;
	size_t fit = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (apart(l->v[i].until_s, due_s) > SLACK_S)
			continue;
		fit++;
		if (!best || apart(l->v[i].until_s, due_s) < apart(best->until_s, due_s))
			best = &l->v[i];
	}
	*others = fit ? fit - 1 : 0;
	return best;
}

void
closures_free(struct closures *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].site);
	free(l->v);
	*l = (struct closures)CLOSURES_INIT;
}
