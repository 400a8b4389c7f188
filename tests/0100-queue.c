/* What queue.h and put.h promise, on a real directory. */
#include "dir.h"
#include "file.h"
#include "found.h"
#include "io.h"
#include "put.h"
#include "taken.h"
#include "tap.h"
#include "tidy.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct err e = ERR_INIT;

static int
add(struct queue *q, struct queue_put *p, const char *body, size_t n)
{
	static struct entry_rcpt r[2] = {{{"a@example.org", 13}, {"NOTIFY=NEVER", 12}},
	    {{"\"x > y\"@example.org", 19}, {"", 0}}};
	struct envelope v = {.sender = {"s@example.org", 13}, .params = {"RET=HDRS", 8}, .rcpts = r,
	    .n = 2, .tag = {"t 1", 3}, .user = 1000};
	int rc = queue_put_begin(q, p, &v, &e);

	if (!rc)
		rc = queue_put_content(p, body, n, false, &e);
	if (!rc)
		rc = queue_put_link(p, SPAN("mail"), SPAN("Example.ORG"), &e);
	return rc;
}

static void
adding(struct queue *q)
{
	struct queue_put p;
	struct queue_entry t;
	enum queue_took took;
	struct found f;

	ok(add(q, &p, B("Subject: x\r\n\r\nhi \xc3\xa4\r\n")) == 0, "an entry is put");
	f = look(q, IN_NEW);
	is_num(f.n, 1, "and seen at once");
	ok(queue_take(q, &f.at, f.name, QUEUE_WHOLE, &t, &took, &e) == 0 && took == QUEUE_BUSY,
	    "but locked until it is safe");
	ok(queue_put_sync(&p, 1, &e) == 0, "synced");
	queue_put_end(&p);
	ok(queue_take(q, &f.at, f.name, QUEUE_WHOLE, &t, &took, &e) == 0 && took == QUEUE_TOOK, "taken");
	is_mem(t.is.domain.p, t.is.domain.n, B("example.org"), "the name says the domain, lower case");
	is_num((long long)t.is.size, 21, "and the size");
	is_num((long long)t.env.n, 2, "two recipients");
	is_mem(t.env.rcpts[1].addr.p, t.env.rcpts[1].addr.n, B("\"x > y\"@example.org"),
	    "a quoted local part with > in it");
	is_mem(t.env.rcpts[0].params.p, t.env.rcpts[0].params.n, B("NOTIFY=NEVER"), "parameters");
	is_mem(t.env.sender.p, t.env.sender.n, B("s@example.org"), "sender");
	is_mem(t.env.tag.p, t.env.tag.n, B("t 1"), "tag");
	is_mem(queue_content(&t), (size_t)t.head.content_bytes, B("Subject: x\r\n\r\nhi \xc3\xa4\r\n"),
	    "content");
	ok(t.head.eightbit && !t.head.utf8_header && !t.head.long_lines, "flags");
	queue_release(&t);
}

static void
dropped(struct queue *q)
{
	struct queue_put p;
	int before = look(q, IN_NEW).n;

	ok(add(q, &p, B("x\r\n")) == 0, "another is put");
	queue_put_end(&p);
	is_num(look(q, IN_NEW).n, before, "and gone when it is ended before it was synced");
}

/* Its site is closed, and nobody looks at locks for that. */
static void
dropped_elsewhere(struct queue *q)
{
	struct queue_put p;
	struct queue_entry t;
	enum queue_took took;
	struct found f;
	char path[400];

	ok(add(q, &p, B("x\r\n")) == 0, "one more is put");
	f = look(q, IN_NEW);
	ok(queue_defer_name(q, &f.at, p.name.s, 1795269600, &e) == 0, "and moved on by a run, before it was synced");
	queue_put_end(&p);
	f = look(q, IN_CUR);
	is_num(f.n, 1, "it is there");
	ok(queue_take(q, &f.at, f.name, QUEUE_AS_IS, &t, &took, &e) == 0 && took == QUEUE_DAMAGED,
	    "but nobody delivers what its submitter was told is not queued");
	err_free(&e);
	is_num(look(q, IN_CUR).n, 0, "it is set aside");
	snprintf(path, sizeof path, "%s/damaged/%s", dir, f.name);
	ok(unlink(path) == 0, "under its name");
}

static void
long_lines(struct queue *q)
{
	static const struct {
		size_t n;
		bool longer;
	} t[] = {{997, false}, {998, false}, {999, true}, {5000, true}};
	char line[6000];

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		for (size_t cut = 1; cut < 4; cut++) {
			struct queue_put p;
			struct envelope v = {.sender = {"", 0}, .n = 1,
			    .rcpts = &(struct entry_rcpt){{"a@b", 3}, {"", 0}}};
			size_t at = t[i].n * cut / 4;

			memset(line, 'x', t[i].n);
			memcpy(line + t[i].n, "\r\n", 3);
			if (queue_put_begin(q, &p, &v, &e) ||
			    queue_put_content(&p, "short\r\n", 7, false, &e) ||
			    queue_put_content(&p, line, at, false, &e) ||
			    queue_put_content(&p, line + at, t[i].n + 2 - at, false, &e))
				printf("# %s\n", err_text(&e));
			ok(p.head.long_lines == t[i].longer, "%zu bytes in a line, cut at %zu", t[i].n, at);
			queue_put_end(&p);
		}
}

/* A byte over 127 is seen at each place of pieces of each length, and none where there is none. */
static void
eight_bits(struct queue *q)
{
	struct queue_put p;
	struct envelope v = {.sender = {"", 0}, .n = 1, .rcpts = &(struct entry_rcpt){{"a@b", 3}, {"", 0}}};
	char text[150];
	int wrong = 0;

	memset(text, 'x', sizeof text);
	wrong += queue_put_begin(q, &p, &v, &e) != 0;
	for (size_t n = 1; n <= sizeof text; n++) {
		wrong += queue_put_content(&p, text, n, false, &e) != 0 || p.head.eightbit;
		for (size_t at = 0; at < n; at++) {
			text[at] = (char)0x80;
			wrong += queue_put_content(&p, text, n, false, &e) != 0 || !p.head.eightbit;
			p.head.eightbit = false;
			text[at] = 'x';
		}
	}
	queue_put_end(&p);
	is_num(wrong, 0, "each byte over 127 is seen");
}

static void
journal(struct queue *q)
{
	struct found f = look(q, IN_NEW);
	struct queue_entry t;
	enum queue_took took;
	struct buf line = BUF_INIT;
	char junk[] = "{\"do\":\"sen";
	char path[400];
	int fd;

	buf_str(&line, "{\"do\":\"sending\",\"at\":1,\"rcpt\":[0]");
	journal_seal(&line, 0);
	ok(queue_take(q, &f.at, f.name, QUEUE_AS_IS, &t, &took, &e) == 0 && took == QUEUE_TOOK, "taken");
	ok(queue_journal(&t, (struct span){line.s, line.len}, 100, &e) == 0, "a line with a reserve");
	queue_release(&t);
	snprintf(path, sizeof path, "%s/new/%s", dir, f.name);
	fd = open(path, O_WRONLY | O_APPEND);
	ok(fd >= 0 && io_write(fd, junk, sizeof junk - 1, &e) == 0, "and a crash's rest behind it");
	close(fd);
	ok(queue_take(q, &f.at, f.name, QUEUE_WHOLE, &t, &took, &e) == 0 && took == QUEUE_TOOK, "taken again");
	is_mem(t.journal.s, t.journal.len, line.s, line.len, "only the whole line counts");
	ok(queue_journal(&t, (struct span){line.s, line.len}, 0, &e) == 0, "another line");
	queue_release(&t);
	ok(queue_take(q, &f.at, f.name, QUEUE_WHOLE, &t, &took, &e) == 0 && took == QUEUE_TOOK, "taken again");
	is_num((long long)t.journal.len, 2 * (long long)line.len, "two lines, and the rest is cut off");
	queue_release(&t);
	buf_free(&line);
}

static void
moving(struct queue *q)
{
	struct found f = look(q, IN_NEW);
	struct queue_entry t;
	enum queue_took took;

	ok(queue_take(q, &f.at, f.name, QUEUE_AS_IS, &t, &took, &e) == 0 && took == QUEUE_TOOK, "taken");
	ok(queue_defer(&t, 1795269600 + 3700, &e) == 0, "deferred");
	queue_release(&t);
	is_num(look(q, IN_NEW).n, 0, "new/ is empty");
	f = look(q, IN_CUR);
	is_num(f.n, 1, "it waits in cur/");
	is_num((long long)f.at.hour_s, 1795269600 + 3600, "in the hour of its time");
	ok(queue_defer_name(q, &f.at, f.name, 1795269600 + 7300, &e) == 0, "moved on by name alone");
	f = look(q, IN_CUR);
	is_num((long long)f.at.hour_s, 1795269600 + 7200, "an hour later");
	ok(queue_take(q, &f.at, f.name, QUEUE_WHOLE, &t, &took, &e) == 0 && took == QUEUE_TOOK, "taken there");
	ok(queue_move(&t, IN_HOLD, &e) == 0, "held");
	is_num(look(q, IN_HOLD).n, 1, "in hold/");
	ok(queue_move(&t, IN_FAILED, &e) == 0, "failed");
	queue_release(&t);
	is_num(look(q, IN_FAILED).n, 1, "in failed/");
	ok(queue_sync(q, &e) == 0, "all of it synced");
	ok(queue_tidy(q, io_time_us() / 1000000 + 7200 + 60, 86400, 0, &e) == 0, "tidied");
	is_num(look(q, IN_FAILED).n, 1, "failed/ keeps it for a day");
	ok(queue_tidy(q, io_time_us() / 1000000 + 7200 + 86400, 86400, 0, &e) == 0, "tidied later");
	is_num(look(q, IN_FAILED).n, 0, "and then no longer");
}

/* A site's file, last written at that time. */
static int
site(struct queue *q, const char *name, time_t at)
{
	const struct timespec times[2] = {{at, 0}, {at, 0}};
	int fd = openat(queue_state_fd(q), name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	futimens(fd, times);
	return fd;
}

static bool
there(struct queue *q, const char *name)
{
	return faccessat(queue_state_fd(q), name, F_OK, 0) == 0;
}

static void
forgetting(struct queue *q)
{
	const time_t now = 1795269600;
	int old = site(q, "sites/old", now - TIDY_SITES_S - 1), young = site(q, "sites/young", now - TIDY_SITES_S),
	    used = site(q, "sites/used", 1), rate = site(q, "sites/old,rate", 1);
	bool busy = true;

	ok(file_lock_byte(used, 3, &busy, &e) == 0 && !busy, "somebody has a connection to a site");
	ok(queue_tidy_sites(q, (uint64_t)now, &e) == 0, "sites are tidied");
	ok(!there(q, "sites/old") && !there(q, "sites/old,rate"), "what has not been used for a month is forgotten");
	ok(there(q, "sites/young") && there(q, "sites/used"), "what was, or is, stays");
	ok(queue_tidy_sites(q, 5, &e) == 0 && there(q, "sites/young"), "in 1970 nothing is old");
	close(old);
	close(young);
	close(used);
	close(rate);
}

static void
damaged(struct queue *q)
{
	struct queue_put p;
	struct queue_entry t;
	enum queue_took took;
	struct found f;
	char path[400];
	int fd;

	ok(add(q, &p, B("Subject: y\r\n\r\nbody\r\n")) == 0 && queue_put_sync(&p, 1, &e) == 0, "put");
	queue_put_end(&p);
	f = look(q, IN_NEW);
	snprintf(path, sizeof path, "%s/new/%s", dir, f.name);
	fd = open(path, O_WRONLY);
	ok(fd >= 0 && io_pwrite(fd, "X", 1, ENTRY_HEAD + 120, &e) == 0, "one byte changed");
	close(fd);
	ok(queue_take(q, &f.at, f.name, QUEUE_WHOLE, &t, &took, &e) == 0 && took == QUEUE_DAMAGED, "noticed");
	is_num(look(q, IN_NEW).n, 0, "set aside");
	is_num(look(q, IN_DAMAGED).n, 1, "not removed");
}

static void
swollen(struct queue *q)
{
	struct stat a, b;
	char path[400];
	struct queue_put p;
	struct found f;

	/* 210 bytes a name: 25,000 files make a directory of over 4 MiB. */
	snprintf(path, sizeof path, "%s/new", dir);
	for (int i = 0; i < 25000; i++) {
		snprintf(path, sizeof path, "%s/new/.pad-%0200d", dir, i);
		close(open(path, O_WRONLY | O_CREAT, 0600));
	}
	add(q, &p, B("Subject: z\r\n\r\n"));
	queue_put_sync(&p, 1, &e);
	queue_put_end(&p);
	for (int i = 0; i < 25000; i++) {
		snprintf(path, sizeof path, "%s/new/.pad-%0200d", dir, i);
		unlink(path);
	}
	snprintf(path, sizeof path, "%s/new", dir);
	stat(path, &a);
	ok(queue_tidy(q, io_time_us() / 1000000, 1, 1, &e) == 0, "a swollen new/ is tidied");
	stat(path, &b);
	if (a.st_size <= 4 << 20) {
		ok(true, "# SKIP directories shrink here");
		return;
	}
	ok(b.st_size < a.st_size && b.st_ino != a.st_ino, "it is a fresh one now");
	f = look(q, IN_NEW);
	ok(f.n == 1 && f.at.hour_s == 1, "and what was in the old one is still found");
	snprintf(path, sizeof path, "%s/new.1/%s", dir, f.name);
	unlink(path);
	ok(queue_tidy(q, io_time_us() / 1000000, 1, 1, &e) == 0, "tidied again");
	snprintf(path, sizeof path, "%s/new.1", dir);
	ok(access(path, F_OK) < 0, "the old one is gone");
}

int
main(void)
{
	struct queue *q;

	dir_make();
	if (!ok(queue_open(&q, dir, QUEUE_WORK, &e) == 0, "opened"))
		return 1;
	adding(q);
	dropped(q);
	dropped_elsewhere(q);
	long_lines(q);
	eight_bits(q);
	journal(q);
	moving(q);
	forgetting(q);
	damaged(q);
	swollen(q);
	queue_close(q);
	err_free(&e);
	return tap_done();
}
