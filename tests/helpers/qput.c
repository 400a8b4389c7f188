/* qput - entries for tests, as a submitter and a deliverer would leave them.
 *
 * usage: qput DIR [-n COUNT] [-s STREAM] [-d DOMAIN] [-f SENDER] [-u HOLDUNTIL] [-t TAG]
 *             [-D DUE] [-S] [-F] RCPT... < content
 *   -D  one attempt was made and deferred until DUE (seconds since 1970)
 *   -S  content was sent to the first recipient, and the answer is not known
 *   -F  moved to failed/
 * Prints the ids.  Everything is named by option, in the order above or any other. */
#include "file.h"
#include "io.h"
#include "journal.h"
#include "prog.h"
#include "put.h"
#include "taken.h"

#include <ftw.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct err e;

static void
must(int rc)
{
	if (rc)
		prog_die(&e);
}

struct what {
	unsigned long count, due;
	const char *stream, *domain;
	bool doubt, failed;
};

/* What was done to it before is done in a queue of its own beside the real one, where no run sees it. */
static struct queue *
aside(const char *dir, struct buf *path)
{
	struct queue *q;

	buf_fmt(path, "%s/.qput.%ld", dir, (long)getpid());
	must(queue_open(&q, path->s, QUEUE_WORK, &e));
	return q;
}

static void
history(struct queue_entry *t, const struct what *w)
{
	static const uint32_t first[] = {0};
	struct buf b = BUF_INIT;

	if (w->due) {
		size_t start = journal_outcome(&b, io_time_us(), 1, SPAN("mx.site.example"), SPAN(""), SPAN(""));

		for (uint32_t i = 0; i < t->env.n; i++)
			journal_outcome_rcpt(&b, i, JOURNAL_DEFERRED, 451, SPAN("4.3.0"), SPAN("try \033[31mlater"));
		journal_outcome_end(&b, start);
		journal_deferred(&b, io_time_us(), 1, w->due, SPAN("mx.site.example"));
	}
	if (w->doubt)
		journal_sending(&b, io_time_us(), 1, SPAN("mx.site.example"), first, 1);
	must(queue_journal(t, (struct span){b.s, b.len}, 0, &e));
	if (w->due)
		must(queue_defer(t, w->due, &e));
	if (w->failed)
		must(queue_move(t, IN_FAILED, &e));
	buf_free(&b);
}

struct across {
	struct queue *from, *to;
	const struct what *w;
};

/* From the one queue to the other, in one step. */
static int
move_over(void *arg, const struct queue_at *at, const char *name, const struct entry_name *n)
{
	const struct across *a = arg;
	char dir[QUEUE_DIR_MAX];
	struct buf path = BUF_INIT;
	struct queue_entry t;
	enum queue_took took;

	(void)n;
	must(queue_take(a->from, at, name, QUEUE_WHOLE, &t, &took, &e));
	if (took != QUEUE_TOOK)
		exit(1);
	history(&t, a->w);
	queue_dir(&t.at, dir);
	must(file_mkdir(queue_root_fd(a->to), dir, 0700, &e));
	buf_fmt(&path, "%s/%s", dir, t.name);
	if (renameat(queue_root_fd(a->from), path.s, queue_root_fd(a->to), path.s) < 0)
		must(err_sys(&e, "rename %s", path.s));
	queue_release(&t);
	buf_free(&path);
	return 0;
}

static int
drop(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static void
put(struct queue *q, const struct envelope *v, const struct what *w, struct span content)
{
	struct queue_put p;

	must(queue_put_begin(q, &p, v, &e));
	must(queue_put_content(&p, content.p, content.n, true, &e));
	must(queue_put_link(&p, span_of(w->stream), span_of(w->domain), &e));
	must(queue_put_sync(&p, 1, &e));
	queue_put_end(&p);
	out_fmt("%s\n", p.id);
}

int
main(int argc, char *argv[])
{
	struct what w = {.count = 1, .stream = "mail", .domain = "example.net"};
	struct envelope v = {.sender = SPAN("sender@example.org"), .user = 1000};
	struct buf in = BUF_INIT, path = BUF_INIT;
	struct queue *q, *into;
	bool past;
	const char *dir = argv[1];
	int c;

	prog_start("qput");
	argv++;
	argc--;
	while ((c = getopt(argc, argv, "n:s:d:f:u:t:D:SF")) != -1)
		switch (c) {
		case 'n': w.count = strtoul(optarg, NULL, 10); break;
		case 's': w.stream = optarg; break;
		case 'd': w.domain = optarg; break;
		case 'f': v.sender = span_of(optarg); break;
		case 'u': v.hold_until_s = strtoul(optarg, NULL, 10); break;
		case 't': v.tag = span_of(optarg); break;
		case 'D': w.due = strtoul(optarg, NULL, 10); break;
		case 'S': w.doubt = true; break;
		case 'F': w.failed = true; break;
		default: return 64;
		}
	v.n = (size_t)(argc - optind);
	v.rcpts = mem_alloc(v.n * sizeof *v.rcpts);
	for (size_t i = 0; i < v.n; i++)
		v.rcpts[i].addr = span_of(argv[optind + (int)i]);
	must(io_slurp(0, 1 << 30, &in, &e));
	must(queue_open(&q, dir, QUEUE_WORK, &e));
	past = w.due || w.doubt || w.failed;
	into = past ? aside(dir, &path) : q;
	for (unsigned long i = 0; i < w.count; i++)
		put(into, &v, &w, (struct span){in.s, in.len});
	if (past) {
		must(queue_scan(into, IN_NEW, 0, move_over, &(struct across){into, q, &w}, &e));
		queue_close(into);
		nftw(path.s, drop, 16, FTW_DEPTH | FTW_PHYS);
	}
	queue_close(q);
	free(v.rcpts);
	buf_free(&in);
	buf_free(&path);
	return out_close();
}
