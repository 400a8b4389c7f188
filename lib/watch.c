#include "watch.h"

#include "date.h"
#include "io.h"

#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define BYTES 65536
#define HOUR_S 3600
#define COMES (IN_CREATE | IN_MOVED_TO | IN_ONLYDIR)

static int
add(const struct watch *w, const struct queue *q, const char *dir, uint32_t mask)
{
	char path[64 + QUEUE_DIR_MAX];

	/* The way through /proc: the queue may have been named by a path that is relative. */
	snprintf(path, sizeof path, "/proc/self/fd/%d/%s", queue_root_fd(q), dir);
	return inotify_add_watch(w->fd, path, mask);
}

static int
add_bucket(const struct watch *w, const struct queue *q, uint64_t hour_s)
{
	const struct queue_at bucket = {IN_CUR, hour_s};
	char dir[QUEUE_DIR_MAX];

	queue_dir(&bucket, dir);
	return add(w, q, dir, COMES); /* may not be there: then cur/ tells when it is made */
}

/* Whoever was told the time when that hour was not over yet may still be moving something there. */
static void
watch_past(struct watch *w, int wd, uint64_t hour_s)
{
	if (wd < 0 || wd == w->past_wd)
		return;
	if (w->past_wd >= 0)
		inotify_rm_watch(w->fd, w->past_wd);
	w->past_wd = wd;
	w->past_s = hour_s;
}

void
watch_renew(struct watch *w, struct queue *q, uint64_t now_s)
{
	uint64_t hour_s = now_s - now_s % HOUR_S;
	int wd;

	if (w->fd < 0)
		return;
	wd = add(w, q, "new", COMES | IN_MOVE_SELF);
	if (wd != w->new_wd && w->new_wd >= 0)
		inotify_rm_watch(w->fd, w->new_wd);
	w->new_wd = wd;
	if (!w->cur)
		return;
	w->cur_wd = add(w, q, "cur", COMES);
	if (w->hour_s != hour_s)
		watch_past(w, w->hour_wd, w->hour_s);
	else if (w->past_s > 0)
		watch_past(w, add_bucket(w, q, w->past_s), w->past_s);
	w->hour_wd = add_bucket(w, q, hour_s);
	w->hour_s = hour_s;
}

bool
watch_open(struct watch *w, struct queue *q, bool cur, uint64_t now_s)
{
	*w = (struct watch)WATCH_INIT;
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	w->cur = cur;
	watch_renew(w, q, now_s);
	if (w->fd >= 0 && w->new_wd < 0)
		watch_close(w);
	return w->fd >= 0;
}

void
watch_close(struct watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	*w = (struct watch)WATCH_INIT;
}

static int
give(const struct queue_at *at, const char *name, queue_each *each, void *arg)
{
	struct entry_name n;

	return entry_name_parse(span_of(name), &n) ? each(arg, at, name, &n) : 0;
}

static int
one(struct watch *w, const struct inotify_event *v, queue_each *each, void *arg,
    unsigned *look)
{
	const struct queue_at fresh = {IN_NEW, 0}, bucket = {IN_CUR, w->hour_s},
	                      past = {IN_CUR, w->past_s};
	uint64_t hour;

	if (v->mask & IN_Q_OVERFLOW || (v->wd == w->new_wd && v->mask & (IN_MOVE_SELF | IN_IGNORED)))
		*look |= WATCH_LOOK_ALL;
	else if (v->len == 0)
		return 0;
	else if (v->wd == w->new_wd)
		return give(&fresh, v->name, each, arg);
	else if (v->wd == w->hour_wd)
		return give(&bucket, v->name, each, arg);
	else if (v->wd == w->past_wd)
		return give(&past, v->name, each, arg);
	else if (v->wd == w->cur_wd && date_hour_parse(span_of(v->name), &hour) && hour <= w->hour_s) {
		if (hour < w->hour_s)
			w->past_s = hour; /* what comes into it after the look is told, too */
		*look |= WATCH_LOOK_CUR;
	}
	return 0;
}

int
watch_events(struct watch *w, const char *p, size_t n, queue_each *each, void *arg,
    unsigned *look)
{
	const struct inotify_event *v;
	int rc = 0;

	for (size_t at = 0; at + sizeof *v <= n && !rc; at += sizeof *v + v->len) {
		v = (const struct inotify_event *)(const void *)(p + at);
		rc = one(w, v, each, arg, look);
	}
	return rc;
}

int
watch_read(struct watch *w, queue_each *each, void *arg, unsigned *look, struct err *e)
{
	char b[BYTES] __attribute__((aligned(8)));
	size_t got = 0;
	int rc = io_read(w->fd, b, sizeof b, &got, e);

	return rc ? rc : watch_events(w, b, got, each, arg, look);
}
