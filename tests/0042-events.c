/* events: the line of each fact, one write a line from many threads, the day's file, trouble. */
#include "dir.h"
#include "events.h"
#include "io.h"
#include "jsonread.h"

#include "tap.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define T0 1795341600123456ULL /* 2026-11-22T10:00:00.123456Z by date -u -d @1795341600 */
/* Ten years earlier: of a day next to today a line may go to today's file. */
#define DAY0 1479808800123456ULL /* 2016-11-22T10:00:00.123456Z */

static void
line_is(const struct event *v, const char *want, const char *what)
{
	struct buf b = BUF_INIT;

	events_text(&b, v, T0);
	is_str(b.s, want, what);
	buf_free(&b);
}

static void
text(void)
{
	line_is(&(struct event){.type = EVENT_DELIVERED,
		    .id = SPAN("0123456789abcdef"),
		    .sender = SPAN("a@example.org"),
		    .rcpt = SPAN("b@example.net"),
		    .site = SPAN("google"),
		    .domain = SPAN("example.net"),
		    .stream = SPAN("mail"),
		    .tag = SPAN("t 1"),
		    .size = 4096,
		    .attempts = 2,
		    .peer = SPAN("mx1.example.net"),
		    .peer_addr = SPAN("192.0.2.1:25"),
		    .code = 250,
		    .status = SPAN("2.0.0"),
		    .text = SPAN("ok\nqueued"),
		    .tls = SPAN("TLS1.3 X"),
		    .queue_us = 1234567,
		    .connect_us = 1000,
		    .send_us = 50,
		    .next_s = 1795341601,
		    .accepted_us = T0 + 1},
	    "{\"type\":\"delivered\",\"timestamp\":\"2026-11-22T10:00:00.123456Z\","
	    "\"id\":\"0123456789abcdef\",\"sender\":\"a@example.org\",\"recipient\":\"b@example."
	    "net\","
	    "\"site\":\"google\",\"domain\":\"example.net\",\"stream\":\"mail\",\"tag\":\"t 1\","
	    "\"size\":4096,\"attempts\":2,"
	    "\"peer_address\":{\"name\":\"mx1.example.net\",\"addr\":\"192.0.2.1:25\"},"
	    "\"response\":{\"code\":250,\"enhanced_code\":\"2.0.0\",\"content\":\"ok\\nqueued\"},"
	    "\"tls\":\"TLS1.3 X\","
	    "\"timings\":{\"queue_ms\":1234.567,\"connect_ms\":1.000,\"send_ms\":0.050},"
	    "\"next_attempt\":\"2026-11-22T10:00:01.000000Z\","
	    "\"accepted\":\"2026-11-22T10:00:00.123457Z\"}\n",
	    "everything");
	line_is(&(struct event){.type = EVENT_HELD},
	    "{\"type\":\"held\",\"timestamp\":\"2026-11-22T10:00:00.123456Z\"}\n",
	    "nothing is left out");
	line_is(&(struct event){.type = EVENT_ACCEPTED, .has_sender = true},
	    "{\"type\":\"accepted\",\"timestamp\":\"2026-11-22T10:00:00.123456Z\",\"sender\":\"\"}"
	    "\n",
	    "the empty sender is said");
	line_is(
	    &(struct event){.type = EVENT_DEFERRED, .text = SPAN("\"\r\n\t\x1b[2J\x80\\ \xc3\xa9")},
	    "{\"type\":\"deferred\",\"timestamp\":\"2026-11-22T10:00:00.123456Z\",\"response\":{"
	    "\"content\":\"\\\"\\r\\n\\t\\u001b[2J\\\\x80\\\\ \xc3\xa9\"}}\n",
	    "a peer's text cannot forge a line");
}

static void
types(void)
{
	static const struct {
		enum event_type type;
		const char *name;
	} all[] = {{EVENT_ACCEPTED, "accepted"}, {EVENT_ATTEMPTED, "attempted"},
	    {EVENT_DELIVERED, "delivered"}, {EVENT_DEFERRED, "deferred"},
	    {EVENT_BOUNCED, "bounced"}, {EVENT_EXPIRED, "expired"}, {EVENT_HELD, "held"},
	    {EVENT_RELEASED, "released"}, {EVENT_REMOVED, "removed"}, {EVENT_DAMAGED, "damaged"}};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct buf b = BUF_INIT;
		struct err e = ERR_INIT;
		struct json_doc *d;
		struct span s;

		events_text(&b, &(struct event){.type = all[i].type}, T0);
		if (json_doc_parse(&d, (struct span){b.s, b.len}, &e) == 0) {
			s = json_get_str(json_doc_root(d), "type");
			is_mem(s.p, s.n, all[i].name, strlen(all[i].name), all[i].name);
			json_doc_free(d);
		}
		buf_free(&b);
	}
}

/* --- files */

static int dir_fd;

static void
slurp(const char *name, struct buf *b)
{
	struct err e = ERR_INIT;

	buf_cut(b, 0);
	if (io_slurp_at(dir_fd, name, 1 << 30, b, &e))
		printf("# %s\n", err_text(&e));
	err_free(&e);
}

static size_t
good_lines(const struct buf *b, size_t *bad)
{
	struct cur c = cur_of(b->s, b->len);
	struct span line;
	size_t good = 0;

	*bad = 0;
	while (cur_line(&c, &line)) {
		struct err e = ERR_INIT;
		struct json_doc *d;

		if (json_doc_parse(&d, line, &e) == 0)
			good++;
		else
			++*bad;
		json_doc_free(d);
		err_free(&e);
	}
	return good;
}

#define THREADS 8
#define EACH 2500

static void *
writer(void *arg)
{
	for (int i = 0; i < EACH; i++) /* the second half is the next day's */
		events_write(arg,
		    &(struct event){.type = EVENT_DELIVERED,
			.id = SPAN("0123456789abcdef"),
			.sender = SPAN("a@example.org"),
			.rcpt = SPAN("b@example.net"),
			.site = SPAN("site"),
			.domain = SPAN("example.net"),
			.stream = SPAN("mail"),
			.size = 4096,
			.attempts = 1,
			.peer = SPAN("mx.example.net"),
			.peer_addr = SPAN("192.0.2.1:25"),
			.code = 250,
			.status = SPAN("2.0.0"),
			.text = SPAN("ok"),
			.queue_us = 1,
			.connect_us = 2,
			.send_us = 3},
		    DAY0 + (i >= EACH / 2 ? 86400000000ULL : 0));
	return NULL;
}

static void
threads(struct buf *b)
{
	struct err e = ERR_INIT;
	struct events *v;
	pthread_t t[THREADS];
	struct timespec a, z;
	size_t bad, first, second;
	double s;

	is_num(events_open(&v, dir_fd, &e), 0, "open");
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, writer, v);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &z);
	s = (double)(z.tv_sec - a.tv_sec) + (double)(z.tv_nsec - a.tv_nsec) / 1e9;
	printf("# %.0f events a second\n", THREADS * EACH / s);
	is_num(events_sync(v, &e), 0, "sync");
	is_num((long long)events_lost(v), 0, "none is lost");
	is_str(events_why(v), "", "nor is there a reason");
	events_close(v);
	slurp("events-20161122.jsonl", b);
	first = good_lines(b, &bad);
	ok(bad == 0 && first >= EACH / 2, "%zu whole lines on the first day", first);
	slurp("events-20161123.jsonl", b);
	second = good_lines(b, &bad);
	ok(bad == 0 && first + second == THREADS * EACH, "and the rest on the second");
	err_free(&e);
}

static void
torn(struct buf *b)
{
	struct err e = ERR_INIT;
	struct events *v;
	size_t bad, good;
	int fd = openat(dir_fd, "events-20161124.jsonl", O_WRONLY | O_CREAT, 0600);

	if (write(fd, "{\"type\":\"del", 12) != 12)
		perror("write");
	close(fd);
	events_open(&v, dir_fd, &e);
	events_write(v, &(struct event){.type = EVENT_HELD}, DAY0 + 2 * 86400000000ULL);
	events_write(v, &(struct event){.type = EVENT_HELD}, DAY0 + 2 * 86400000000ULL);
	events_close(v);
	slurp("events-20161124.jsonl", b);
	good = good_lines(b, &bad);
	ok(good == 2 && bad == 1, "a torn line costs only itself");
}

/* A file size limit stands for a full disk: a write that stops in the middle, then room again. */
static void
full(struct buf *b)
{
	struct rlimit old, few;
	struct err e = ERR_INIT;
	struct events *v;
	size_t bad, good;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	few = old;
	few.rlim_cur = 100;
	events_open(&v, dir_fd, &e);
	events_write(v, &(struct event){.type = EVENT_HELD}, DAY0 + 3 * 86400000000ULL);
	setrlimit(RLIMIT_FSIZE, &few);
	events_write(v, &(struct event){.type = EVENT_HELD}, DAY0 + 3 * 86400000000ULL);
	events_write(v, &(struct event){.type = EVENT_HELD}, DAY0 + 3 * 86400000000ULL);
	setrlimit(RLIMIT_FSIZE, &old);
	events_write(v, &(struct event){.type = EVENT_HELD}, DAY0 + 3 * 86400000000ULL);
	is_num((long long)events_lost(v), 2, "what did not fit is counted");
	is_str(events_why(v), "log: append: No space left on device", "and why the first did not");
	events_close(v);
	slurp("events-20161125.jsonl", b);
	good = good_lines(b, &bad);
	ok(good == 2 && bad == 1, "and what comes later is whole");
}

static void
trouble(void)
{
	struct err e = ERR_INIT;
	struct events *v;
	int link_to;

	events_open(&v, dir_fd, &e);
	link_to = symlinkat("/etc/passwd", dir_fd, "events-20161126.jsonl");
	events_write(v, &(struct event){.type = EVENT_HELD}, DAY0 + 4 * 86400000000ULL);
	ok(link_to == 0 && events_lost(v) == 1, "a symbolic link is not followed");
	unlinkat(dir_fd, "events-20161126.jsonl", 0);
	events_write(v, &(struct event){.type = EVENT_HELD}, DAY0 + 4 * 86400000000ULL);
	is_num((long long)events_lost(v), 1, "the next line finds its file");
	events_close(v);
	is_num(events_open(&v, -1, &e), EX_TEMPFAIL, "no directory is an error");
	err_free(&e);
}

/* The example of relaykit-events(5) is what we write. */
static void
page(void)
{
	static char text[65536];
	FILE *f = fopen("man/relaykit-events.5", "r");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
	struct buf got = BUF_INIT, want = BUF_INIT;
	const char *p = n ? strstr(text, "{\"type\":\"delivered\"") : NULL;

	if (f)
		fclose(f);
	for (; p && *p && strncmp(p, "\n.Ed", 4) != 0; p++)
		if (*p != '\n')
			buf_ch(&want, *p);
	buf_ch(&want, '\n');
	events_text(&got,
	    &(struct event){.type = EVENT_DELIVERED,
		.id = SPAN("361pmb1qmmxabgyh"),
		.sender = SPAN("alice@example.org"),
		.rcpt = SPAN("bob@example.net"),
		.site = SPAN("mx.example.net"),
		.domain = SPAN("example.net"),
		.stream = SPAN("mail"),
		.size = 54,
		.attempts = 2,
		.peer = SPAN("mx.example.net"),
		.peer_addr = SPAN("192.0.2.1:25"),
		.code = 250,
		.status = SPAN("2.0.0"),
		.text = SPAN("queued"),
		.tls = SPAN("TLS1.3 TLS_AES_256_GCM_SHA384"),
		.queue_us = 300123456,
		.connect_us = 81204,
		.send_us = 50007},
	    T0);
	is_str(got.s, want.s, "the page's example");
	buf_free(&got);
	buf_free(&want);
}

int
main(void)
{
	struct buf b = BUF_INIT;

	text();
	page();
	types();
	dir_make();
	if ((dir_fd = open(dir, O_RDONLY | O_DIRECTORY)) < 0)
		return 1;
	threads(&b);
	torn(&b);
	full(&b);
	trouble();
	buf_free(&b);
	close(dir_fd);
	return tap_done();
}
