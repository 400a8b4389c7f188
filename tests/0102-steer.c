/* What steer.h promises, where another run moves an entry on by its name alone at the worst moment:
 * between our lock and our rename or unlink.  The calls are ours here, and do so. */
#include "dir.h"
#include "found.h"
#include "io.h"
#include "put.h"
#include "steer.h"
#include "taken.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HOUR_S 3600u

static struct err e = ERR_INIT;
static struct queue *q;
static uint64_t move_to_s; /* before the next rename or unlink: to this hour; 0: no more */

static void
meddle(void)
{
	uint64_t to = move_to_s;
	struct found f;

	if (!to)
		return;
	move_to_s = 0;
	f = look(q, IN_NEW);
	if (f.n == 0)
		f = look(q, IN_CUR);
	ok(f.n == 1 && queue_defer_name(q, &f.at, f.name, to, &e) == 0, "another run moves it on meanwhile");
}

int
renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
	meddle();
	return (int)syscall(SYS_renameat2, a, from, b, to, flags);
}

int
renameat(int a, const char *from, int b, const char *to)
{
	meddle();
	return (int)syscall(SYS_renameat2, a, from, b, to, 0);
}

int
unlinkat(int at, const char *name, int flags)
{
	meddle();
	return (int)syscall(SYS_unlinkat, at, name, flags);
}

static void
put(const char *body)
{
	struct entry_rcpt r = {{B("a@example.org")}, {"", 0}};
	struct envelope v = {.sender = {B("s@example.org")}, .rcpts = &r, .n = 1, .user = 1000};
	struct queue_put p;

	ok(queue_put_begin(q, &p, &v, &e) == 0 &&
	        queue_put_content(&p, body, strlen(body), false, &e) == 0 &&
	        queue_put_link(&p, SPAN("mail"), SPAN("example.org"), &e) == 0 &&
	        queue_put_sync(&p, 1, &e) == 0,
	    "an entry is put");
	queue_put_end(&p);
}

/* What was done, with the events in order: "1 accepted held ". */
static void
steers(enum steer_what what, const char *want)
{
	struct pick pick = PICK_INIT;
	struct steer s = {.q = q, .pick = &pick, .what = what, .by = SPAN("test"), .wait_ms = 2000};
	struct buf log = BUF_INIT, said = BUF_INIT;
	char path[100], day[32];
	time_t now = (time_t)(io_time_us() / 1000000);
	struct tm tm;
	int rc;

	ok(events_open(&s.events, queue_log_fd(q), &e) == 0, "the log is open");
	pick_ready(&pick);
	rc = steer(&s, &e);
	is_str(rc ? err_text(&e) : "", "", steer_names[what]);
	events_close(s.events);
	buf_fmt(&said, "%zu", s.done);
	strftime(day, sizeof day, "events-%Y%m%d.jsonl", gmtime_r(&now, &tm));
	io_slurp_at(queue_log_fd(q), day, 1 << 20, &log, &e);
	for (const char *p = log.s; (p = strstr(p, "\"type\":\"")); p++)
		buf_fmt(&said, " %.*s", (int)strcspn(p + 8, "\""), p + 8);
	is_str(said.s, want, "how many, and the events");
	snprintf(path, sizeof path, "%s/log/%s", dir, day);
	unlink(path);
	steer_free(&s);
	buf_free(&log);
	buf_free(&said);
	pick_free(&pick);
}

static void
never_replaces(void)
{
	struct found f = look(q, IN_HOLD);
	struct queue_entry t;
	enum queue_took took;
	struct stat st;
	char path[400];
	int fd;

	if (!ok(queue_take(q, &f.at, f.name, QUEUE_WHOLE, &t, &took, &e) == 0 && took == QUEUE_TOOK, "taken"))
		return;
	snprintf(path, sizeof path, "%s/new/%s", dir, f.name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	ok(fd >= 0 && io_write(fd, "another", 7, &e) == 0, "where it is to go stands another of this name");
	close(fd);
	is_num(queue_move(&t, IN_NEW, &e), EX_TEMPFAIL, "it is not moved there");
	ok(strstr(err_text(&e), "File exists") != NULL, "%s", err_text(&e));
	ok(stat(path, &st) == 0 && st.st_size == 7, "the other is as it was");
	is_num(look(q, IN_HOLD).n, 1, "and so is it");
	is_num(queue_move(&t, IN_HOLD, &e), 0, "where it is it may go");
	is_num(look(q, IN_HOLD).n, 1, "and stays");
	queue_release(&t);
	unlink(path);
}

int
main(void)
{
	uint64_t hour = io_time_us() / 1000000 / HOUR_S * HOUR_S;

	dir_make();
	if (!ok(queue_open(&q, dir, QUEUE_WORK, &e) == 0, "opened"))
		return 1;
	put("Subject: a\r\n\r\n");
	move_to_s = hour + 2 * HOUR_S;
	steers(STEER_HOLD, "1 accepted held");
	is_num(look(q, IN_HOLD).n, 1, "from new/, it is in hold/");
	never_replaces();
	steers(STEER_RELEASE, "1 released");
	is_num(look(q, IN_NEW).n, 1, "released, it is in new/");
	move_to_s = hour + 3 * HOUR_S;
	steers(STEER_REMOVE, "1 removed");
	is_num(look(q, IN_NEW).n + look(q, IN_CUR).n + look(q, IN_HOLD).n, 0, "removed, it is nowhere");

	put("Subject: b\r\n\r\n");
	struct found f = look(q, IN_NEW);
	ok(queue_defer_name(q, &f.at, f.name, hour + HOUR_S, &e) == 0, "one that was moved on untried");
	move_to_s = hour + 2 * HOUR_S;
	steers(STEER_RETRY, "1 accepted");
	move_to_s = hour + 2 * HOUR_S;
	steers(STEER_HOLD, "1 held");
	is_num(look(q, IN_HOLD).n, 1, "from cur/, it is in hold/");

	queue_close(q);
	err_free(&e);
	return tap_done();
}
