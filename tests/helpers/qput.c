/* qput - entries for tests, as a submitter and a deliverer would leave them.
 *
 * usage: qput DIR [-n COUNT] [-s STREAM] [-d DOMAIN] [-f SENDER] [-u HOLDUNTIL] [-t TAG]
 *             [-D DUE] [-S] [-F] RCPT... < content
 *   -D  one attempt was made and deferred until DUE (seconds since 1970)
 *   -S  content was sent to the first recipient, and the answer is not known
 *   -F  moved to failed/
 * Prints the ids.  Everything is named by option, in the order above or any other. */
#include "io.h"
#include "journal.h"
#include "prog.h"
#include "put.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

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

static int
find(void *arg, const struct queue_at *at, const char *name, size_t len)
{
	struct queue_entry *t = arg;

	(void)len;
	if (strstr(name, (const char *)t->name)) {
		t->at = *at;
		t->is.id.p = strdup(name);
	}
	return 0;
}

static void
history(struct queue *q, const char *id, const struct what *w)
{
	static const uint32_t first[] = {0};
	struct queue_entry key = {.name = strdup(id)}, t;
	struct buf b = BUF_INIT;
	enum queue_took took;

	must(queue_scan(q, IN_NEW, UINT64_MAX, find, &key, &e));
	must(queue_take(q, &key.at, key.is.id.p, true, &t, &took, &e));
	if (took != QUEUE_TOOK)
		exit(1);
	if (w->doubt)
		journal_sending(&b, io_time_us(), 1, SPAN("mx.site.example"), first, 1);
	if (w->due)
		journal_deferred(&b, io_time_us(), 1, w->due, SPAN("mx.site.example"), 451,
		    SPAN("4.3.0"), SPAN("try \033[31mlater"), NULL, 0);
	must(queue_journal(&t, (struct span){b.s, b.len}, 0, &e));
	if (w->due)
		must(queue_defer(&t, w->due, &e));
	if (w->failed)
		must(queue_move(&t, IN_FAILED, &e));
	queue_release(&t);
	buf_free(&b);
	free(key.name);
	free((char *)(uintptr_t)key.is.id.p);
}

int
main(int argc, char *argv[])
{
	struct what w = {.count = 1, .stream = "mail", .domain = "example.net"};
	struct envelope v = {.sender = SPAN("sender@example.org"), .user = 1000};
	struct buf in = BUF_INIT;
	struct queue *q;
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
	for (unsigned long i = 0; i < w.count; i++) {
		struct queue_put p;

		must(queue_put_begin(q, &p, &v, &e));
		must(queue_put_content(&p, in.s, in.len, true, &e));
		must(queue_put_link(&p, span_of(w.stream), span_of(w.domain), &e));
		must(queue_put_sync(&p, 1, &e));
		queue_put_end(&p);
		if (w.due || w.doubt || w.failed)
			history(q, p.id, &w);
		out_fmt("%s\n", p.id);
	}
	queue_close(q);
	free(v.rcpts);
	buf_free(&in);
	return out_close();
}
