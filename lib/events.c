#include "events.h"

#include "buf.h"
#include "date.h"
#include "io.h"
#include "json.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_MODE 0640
#define LINE_ROOM 1024 /* most lines fit, so that one allocation does */
#define SECOND_US 1000000
#define DAY_US (86400ULL * SECOND_US)

struct events {
	int dir, fd;           /* fd -1: today's file could not be opened */
	uint64_t day;          /* since 1970, of the open file */
	pthread_rwlock_t lock; /* written to under read, exchanged under write */
	atomic_uint_fast64_t lost;
	char *_Atomic why;     /* the first was */
	atomic_bool torn;      /* the file ends in the middle of a line */
};

static const char *const names[] = {[EVENT_ACCEPTED] = "accepted",
    [EVENT_ATTEMPTED] = "attempted", [EVENT_DELIVERED] = "delivered", [EVENT_DEFERRED] = "deferred",
    [EVENT_BOUNCED] = "bounced", [EVENT_EXPIRED] = "expired", [EVENT_HELD] = "held",
    [EVENT_RELEASED] = "released", [EVENT_REMOVED] = "removed", [EVENT_DAMAGED] = "damaged",
    [EVENT_LOGIN] = "login", [EVENT_NOTIFIED] = "notified", [EVENT_RETURNED] = "returned",
    [EVENT_COMPLAINED] = "complained", [EVENT_SESSION] = "session"};

/* "2026-11-22T10:00:00.123456Z" */
static void
stamp(struct buf *b, const char *key, uint64_t us)
{
	unsigned rest = (unsigned)(us % 1000);
	char micros[] = {(char)('0' + rest / 100), (char)('0' + rest / 10 % 10), (char)('0' + rest % 10), 'Z', '"'};

	json_key(b, key);
	buf_ch(b, '"');
	date_iso(b, us);
	buf_cut(b, b->len - 1); /* its "Z" */
	buf_add(b, micros, sizeof micros);
}

static void
num(struct buf *b, const char *key, uint64_t v)
{
	if (v > 0)
		json_num(b, key, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

static void
ms(struct buf *b, const char *key, uint64_t us)
{
	if (us > 0)
		json_ms(b, key, us);
}

static void
response(struct buf *b, const struct event *v)
{
	if (v->code == 0 && v->status.n == 0 && v->text.n == 0)
		return;
	json_obj(b, "response");
	num(b, "code", v->code > 0 ? (uint64_t)v->code : 0);
	json_maybe(b, "enhanced_code", v->status);
	json_maybe(b, "content", v->text);
	json_close(b);
}

static void
address(struct buf *b, const char *key, struct span name, struct span addr)
{
	if (name.n == 0 && addr.n == 0)
		return;
	json_obj(b, key);
	json_maybe(b, "name", name);
	json_maybe(b, "addr", addr);
	json_close(b);
}

static void
policy(struct buf *b, const struct event_policy *p)
{
	if (!p)
		return;
	json_obj(b, "policy");
	json_str(b, "type", p->type);
	json_maybe(b, "domain", p->domain);
	json_maybe(b, "id", p->id);
	json_maybe(b, "mode", p->mode);
	if (p->n > 0) {
		json_arr(b, "lines");
		for (size_t i = 0; i < p->n; i++)
			json_text(b, p->lines[i]);
		json_arr_end(b);
	}
	json_close(b);
}

static void
reason(struct buf *b, const struct event *v)
{
	if (v->reason.n == 0)
		return;
	json_str(b, "reason", v->reason);
	json_key(b, "hard");
	buf_str(b, v->hard == EVENT_HARD ? "true" : v->hard == EVENT_SOFT ? "false" : "null");
}

void
events_text(struct buf *out, const struct event *v, uint64_t now_us)
{
	json_open(out);
	json_str(out, "type", span_of(names[v->type]));
	stamp(out, "timestamp", now_us);
	json_maybe(out, "id", v->id);
	if (v->has_sender || v->sender.n > 0)
		json_str(out, "sender", v->sender);
	json_maybe(out, "recipient", v->rcpt);
	json_maybe(out, "site", v->site);
	json_maybe(out, "domain", v->domain);
	json_maybe(out, "stream", v->stream);
	json_maybe(out, "tag", v->tag);
	num(out, "size", v->size);
	num(out, "attempts", v->attempts);
	json_maybe(out, "notice", v->notice);
	json_maybe(out, "user", v->user);
	address(out, "peer_address", v->peer, v->peer_addr);
	address(out, "source_address", v->source, v->source_addr);
	response(out, v);
	policy(out, v->policy);
	json_maybe(out, "result", v->result);
	json_maybe(out, "tls", v->tls);
	if (v->queue_us > 0 || v->connect_us > 0 || v->send_us > 0) {
		json_obj(out, "timings");
		ms(out, "queue_ms", v->queue_us);
		ms(out, "connect_ms", v->connect_us);
		ms(out, "send_ms", v->send_us);
		json_close(out);
	}
	if (v->next_s > 0)
		stamp(out, "next_attempt", v->next_s * SECOND_US);
	if (v->accepted_us > 0)
		stamp(out, "accepted", v->accepted_us);
	json_maybe(out, "feedback_type", v->feedback);
	reason(out, v); /* last: reclass.h */
	json_close(out);
	buf_ch(out, '\n');
}

/* --- the file of the day */

/* Whoever died or ran out of space in the middle of a line left it without its end. */
static bool
ends_torn(int fd)
{
	struct err e = ERR_INIT;
	struct stat s;
	size_t got = 0;
	char last = '\n';

	if (fstat(fd, &s) == 0 && s.st_size > 0 &&
	    io_pread(fd, &last, 1, (uint64_t)s.st_size - 1, &got, &e))
		err_free(&e);
	return got == 1 && last != '\n';
}

static int
open_day(struct events *v, uint64_t day, struct err *e)
{
	struct buf name = BUF_INIT;
	char text[9];
	int rc = 0;

	if (v->fd >= 0)
		close(v->fd);
	date_day(text, day * (DAY_US / SECOND_US));
	buf_fmt(&name, "events-%s.jsonl", text);
	v->day = day;
	v->fd =
	    openat(v->dir, name.s, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, LOG_MODE);
	if (v->fd < 0)
		rc = err_sys(e, "open log/%s", name.s);
	else
		v->torn = ends_torn(v->fd);
	buf_free(&name);
	return rc;
}

int
events_open(struct events **out, int log_dir_fd, struct err *e)
{
	struct events *v;
	int dir = fcntl(log_dir_fd, F_DUPFD_CLOEXEC, 3);

	*out = NULL;
	if (dir < 0)
		return err_sys(e, "log directory");
	v = mem_alloc(sizeof *v);
	v->dir = dir;
	v->fd = -1;
	pthread_rwlock_init(&v->lock, NULL);
	/* A file that cannot be opened stops no mail: each line tries again, and is counted. */
	if (open_day(v, io_time_us() / DAY_US, e))
		err_free(e);
	*out = v;
	return 0;
}

static void
lose(struct events *v, struct err *e)
{
	const char *text = err_text(e);
	char *none = NULL, *why = v->why ? NULL : mem_dup(text, strlen(text));

	v->lost++;
	if (why && !atomic_compare_exchange_strong(&v->why, &none, why))
		free(why);
	err_free(e);
}

/* Holds the lock for reading, with the right day's file open. */
static bool
hold_day(struct events *v, uint64_t day, struct err *e)
{
	pthread_rwlock_rdlock(&v->lock);
	if (v->day == day && v->fd >= 0)
		return true;
	pthread_rwlock_unlock(&v->lock);
	pthread_rwlock_wrlock(&v->lock);
	/* Who took its time before midnight and writes behind it stays with the new day; a clock
	 * that was far ahead and came back does not. */
	if ((v->fd < 0 || day > v->day || day + 1 < v->day) && !open_day(v, day, e))
		err_free(e);
	pthread_rwlock_unlock(&v->lock);
	pthread_rwlock_rdlock(&v->lock);
	return v->fd >= 0;
}

static void
append(struct events *v, struct buf *line)
{
	struct err e = ERR_INIT;
	size_t from = v->torn && atomic_exchange(&v->torn, false) ? 0 : 1;

	/* line begins with a LF that ends a torn one. */
	if (io_append(v->fd, line->s + from, line->len - from, &e)) {
		v->torn = ends_torn(v->fd);
		err_in(&e, "log");
		lose(v, &e);
	}
}

void
events_write(struct events *v, const struct event *what, uint64_t now_us)
{
	struct buf line = BUF_INIT;
	struct err e = ERR_INIT;

	if (!v)
		return;
	buf_room(&line, LINE_ROOM);
	buf_ch(&line, '\n');
	events_text(&line, what, now_us);
	if (hold_day(v, now_us / DAY_US, &e))
		append(v, &line);
	else
		lose(v, &e);
	pthread_rwlock_unlock(&v->lock);
	err_free(&e);
	buf_free(&line);
}

uint64_t
events_lost(const struct events *v)
{
	return v ? v->lost : 0;
}

const char *
events_why(const struct events *v)
{
	const char *why = v ? v->why : NULL;

	return why ? why : "";
}

int
events_sync(struct events *v, struct err *e)
{
	int rc = 0;

	if (!v)
		return 0;
	pthread_rwlock_rdlock(&v->lock);
	if (v->fd >= 0 && fdatasync(v->fd) < 0)
		rc = err_sys(e, "fsync the event log");
	pthread_rwlock_unlock(&v->lock);
	return rc;
}

void
events_close(struct events *v)
{
	if (!v)
		return;
	if (v->fd >= 0)
		close(v->fd);
	close(v->dir);
	pthread_rwlock_destroy(&v->lock);
	free(v->why);
	free(v);
}
