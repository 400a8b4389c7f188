#include "queue.h"

#include "date.h"
#include "file.h"
#include "io.h"
#include "owner.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_MODE 0700
#define TMP_STALE_S 3600

const char *const queue_place_names[] = {"new", "cur", "hold", "failed", "sent", "damaged"};

struct queue {
	int root, state, log;
	uid_t uid;         /* ours */
	_Atomic bool marks; /* an entry was not ours: reading leaves its mark, the time */
	mode_t entry_mode; /* 0660 where submitters share new/, else 0600 */
	gid_t entry_group; /* theirs, then */
	pthread_mutex_t lock; /* over dirty */
	struct queue_at *dirty;
	size_t n_dirty;
};

static bool
bucketed(enum queue_place p)
{
	return p == IN_CUR || p == IN_FAILED || p == IN_SENT;
}

/* The directory of a place, below the root. */
void
queue_dir(const struct queue_at *at, char out[QUEUE_DIR_MAX])
{
	char hour[11];

	if (bucketed(at->place)) {
		date_hour(hour, at->hour_s);
		snprintf(out, QUEUE_DIR_MAX, "%s/%s", queue_place_names[at->place], hour);
	} else if (at->place == IN_NEW && at->hour_s) {
		snprintf(out, QUEUE_DIR_MAX, "new.%llu", (unsigned long long)at->hour_s);
	} else {
		memccpy(out, queue_place_names[at->place], 0, QUEUE_DIR_MAX);
	}
}

/* --- opening */

static int
check_owner(const struct queue *q, struct err *e)
{
	struct stat st;

	if (fstat(q->root, &st) < 0)
		return err_sys(e, "stat");
	if (st.st_uid != geteuid())
		return err_set(e, EX_NOPERM, "belongs to uid %u, and this is uid %u",
		    (unsigned)st.st_uid, (unsigned)geteuid());
	return 0;
}

static int
open_root(struct queue *q, const char *dir, bool make, struct err *e)
{
	struct stat st;
	int rc;

	q->root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (q->root < 0 && errno == ENOENT && !make)
		return err_set(e, EX_NOINPUT, "no such directory");
	if (q->root < 0 && errno == ENOENT) {
		rc = file_mkdirs(dir, DIR_MODE, e);
		if (rc)
			return rc;
		q->root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (q->root < 0)
		return err_sys(e, "open");
	/* Not for every start: only where new/ is missing, or where we own what may lack. */
	if (fstatat(q->root, "new", &st, 0) < 0) {
		if (errno == EACCES && check_owner(q, e))
			return e->code;
		rc = file_mkdir(q->root, "new", DIR_MODE, e);
		if (rc)
			return rc;
		st.st_mode = DIR_MODE;
	}
	q->entry_mode = st.st_mode & 020 ? 0660 : 0600;
	q->entry_group = st.st_gid;
	return 0;
}

/* Entries of submitters are their group's to read: without it each would look damaged to us. */
static int
check_group(const struct queue *q, struct err *e)
{
	if (q->entry_mode == 0600 || owner_in_group(q->entry_group))
		return 0;
	return err_set(e, EX_NOPERM, "new is group %u's, of which uid %u is no member",
	    (unsigned)q->entry_group, (unsigned)geteuid());
}

static int
open_for_work(struct queue *q, struct err *e)
{
	static const char *const names[] = {"cur", "hold", "failed", "sent", "damaged", "state",
	    "log", "state/sites"};
	int rc = check_owner(q, e);

	if (!rc)
		rc = check_group(q, e);
	for (size_t i = 0; i < sizeof names / sizeof *names && !rc; i++)
		if (faccessat(q->root, names[i], F_OK, 0) < 0)
			rc = file_mkdir(q->root, names[i], DIR_MODE, e);
	if (!rc)
		rc = file_open_dir(q->root, "state", &q->state, e);
	if (!rc)
		rc = file_open_dir(q->root, "log", &q->log, e);
	return rc;
}

int
queue_open(struct queue **out, const char *dir, enum queue_use use, struct err *e)
{
	struct queue *q;
	int rc;

	if (!*dir)
		return err_set(e, EX_USAGE, "queue: \"\" is not a path");
	q = mem_alloc(sizeof *q);
	q->root = q->state = q->log = -1;
	q->uid = geteuid();
	pthread_mutex_init(&q->lock, NULL);
	rc = open_root(q, dir, use != QUEUE_FIND, e);
	if (!rc && use != QUEUE_SUBMIT)
		rc = open_for_work(q, e);
	if (rc) {
		queue_close(q);
		return err_in(e, "queue %s", dir);
	}
	*out = q;
	return 0;
}

void
queue_close(struct queue *q)
{
	if (!q)
		return;
	if (q->root >= 0)
		close(q->root);
	if (q->state >= 0)
		close(q->state);
	if (q->log >= 0)
		close(q->log);
	free(q->dirty);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

int
queue_root_fd(const struct queue *q)
{
	return q->root;
}

uid_t
queue_uid(const struct queue *q)
{
	return q->uid;
}

/* When it was read is of no interest, and writing that into its inode costs a drain 2 % of its CPU. */
int
queue_open_entry(struct queue *q, const char *path, int flags)
{
	int fd = q->marks ? -1 : openat(q->root, path, flags | O_NOATIME);

	if (fd >= 0 || (!q->marks && errno != EPERM))
		return fd;
	fd = openat(q->root, path, flags);
	q->marks |= fd >= 0;
	return fd;
}

unsigned
queue_entry_mode(const struct queue *q)
{
	return q->entry_mode;
}

gid_t
queue_entry_group(const struct queue *q)
{
	return q->entry_group;
}

int
queue_state_fd(const struct queue *q)
{
	return q->state;
}

int
queue_log_fd(const struct queue *q)
{
	return q->log;
}

/* --- durability of what is only a change of names */

void
queue_touched(struct queue *q, const struct queue_at *at)
{
	size_t i;

	pthread_mutex_lock(&q->lock);
	for (i = 0; i < q->n_dirty; i++)
		if (q->dirty[i].place == at->place && q->dirty[i].hour_s == at->hour_s)
			break;
	if (i == q->n_dirty) {
		q->dirty = mem_grow(q->dirty, i + 1, sizeof *q->dirty);
		q->dirty[q->n_dirty++] = *at;
	}
	pthread_mutex_unlock(&q->lock);
}

static int
sync_dir(struct queue *q, const char *path, struct err *e)
{
	int fd = openat(q->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", path);
	if (fsync(fd) < 0)
		rc = err_sys(e, "fsync %s", path);
	close(fd);
	return rc;
}

int
queue_sync(struct queue *q, struct err *e)
{
	struct queue_at *v;
	char path[QUEUE_DIR_MAX];
	size_t n;
	int rc = 0;

	pthread_mutex_lock(&q->lock);
	v = q->dirty;
	n = q->n_dirty;
	q->dirty = NULL;
	q->n_dirty = 0;
	pthread_mutex_unlock(&q->lock);
	for (size_t i = 0; i < n; i++) {
		int one;

		queue_dir(&v[i], path);
		one = sync_dir(q, path, e);
		if (one)
			queue_touched(q, &v[i]); /* to be tried again; the code tells the run */
		rc = rc ? rc : one;
	}
	free(v);
	return rc;
}

/* --- looking */

/* Temporary files that a killed submitter left, where O_TMPFILE is unknown. */
static void
drop_stale(int dir, const char *name)
{
	struct stat st;

	if (strncmp(name, QUEUE_TMP, sizeof QUEUE_TMP - 1) == 0 &&
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (uint64_t)st.st_mtime + TMP_STALE_S < io_time_us() / 1000000)
		unlinkat(dir, name, 0);
}

struct scan {
	const struct queue_at *at;
	queue_each *each;
	void *arg;
};

static int
scan_name(void *arg, int dir, const char *name)
{
	const struct scan *s = arg;
	struct entry_name n;

	if (name[0] == '.') {
		if (s->at->place == IN_NEW)
			drop_stale(dir, name);
		return 0;
	}
	if (s->at->place == IN_DAMAGED)
		return s->each(s->arg, s->at, name, NULL);
	return entry_name_parse(span_of(name), &n) ? s->each(s->arg, s->at, name, &n) : 0;
}

static int
scan_dir(struct queue *q, const struct queue_at *at, queue_each *each, void *arg, struct err *e)
{
	struct scan s = {at, each, arg};
	char path[QUEUE_DIR_MAX];

	queue_dir(at, path);
	return file_each(q->root, path, scan_name, &s, e);
}

static int
by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

struct collect {
	enum queue_place place;
	struct queue_hours *h;
};

static int
collect_hour(void *arg, int dir, const char *name)
{
	const struct collect *k = arg;
	struct queue_hours *h = k->h;
	struct cur c = cur_span(span_of(name));
	uint64_t hour;

	(void)dir;
	if (k->place == IN_NEW ? cur_lit(&c, "new.") && cur_u64(&c, UINT64_MAX, &hour) &&
	            cur_end(&c) && hour > 0
	                       : date_hour_parse(cur_rest(&c), &hour)) {
		h->v = mem_grow(h->v, h->n + 1, sizeof *h->v);
		h->v[h->n++] = hour;
	}
	return 0;
}

/* Buckets of a place, or the numbers N of new.N where place is IN_NEW; sorted. */
int
queue_hours(struct queue *q, enum queue_place place, struct queue_hours *h, struct err *e)
{
	const char *path = place == IN_NEW ? "." : queue_place_names[place];
	struct collect k = {place, h};
	int rc;

	*h = (struct queue_hours){NULL, 0};
	rc = file_each(q->root, path, collect_hour, &k, e);
	if (h->n > 0)
		qsort(h->v, h->n, sizeof *h->v, by_time);
	return rc;
}

int
queue_scan_hours(struct queue *q, enum queue_place place, uint64_t from_s, uint64_t until_s,
    queue_each *each, void *arg, struct err *e)
{
	struct queue_at at = {place, 0};
	struct queue_hours h;
	int rc = queue_hours(q, place, &h, e);

	for (size_t i = 0; i < h.n && !rc; i++) {
		at.hour_s = h.v[i];
		if (place == IN_NEW || (at.hour_s >= from_s && at.hour_s <= until_s))
			rc = scan_dir(q, &at, each, arg, e);
	}
	free(h.v);
	return rc;
}

int
queue_scan(struct queue *q, enum queue_place place, uint64_t until_s, queue_each *each, void *arg,
    struct err *e)
{
	struct queue_at at = {place, 0};
	int rc = 0;

	if (!bucketed(place))
		rc = scan_dir(q, &at, each, arg, e);
	if (!rc && (bucketed(place) || place == IN_NEW))
		rc = queue_scan_hours(q, place, 0, until_s, each, arg, e);
	return rc;
}

/* --- moving */

void
queue_path(const struct queue_at *at, const char *name, struct buf *out)
{
	char dir[QUEUE_DIR_MAX];

	queue_dir(at, dir);
	buf_room(out, strlen(dir) + 1 + strlen(name));
	buf_str(out, dir);
	buf_ch(out, '/');
	buf_str(out, name);
}

/* The lock keeps nobody from moving an entry on by its name: queue_defer_name. */
int
queue_gone(const char *path, struct err *e)
{
	return err_set(e, EX_NOINPUT, "%s is not there any more", path);
}

/* Renames and remembers which directories must be synced. */
int
queue_rename(struct queue *q, const struct queue_at *from, const char *name,
    const struct queue_at *to, const char *new_name, struct err *e)
{
	struct buf a = BUF_INIT, b = BUF_INIT;
	char dir[QUEUE_DIR_MAX];
	int r, rc = 0;

	queue_path(from, name, &a);
	queue_path(to, new_name, &b);
	r = strcmp(a.s, b.s) == 0 ? 0 : file_rename(q->root, a.s, b.s);
	if (r < 0 && errno == ENOENT) {
		queue_dir(to, dir);
		rc = file_mkdir(q->root, dir, DIR_MODE, e);
		if (!rc)
			r = file_rename(q->root, a.s, b.s);
	}
	if (r < 0 && !rc)
		rc = errno == ENOENT ? queue_gone(a.s, e) : err_sys(e, "rename %s to %s", a.s, b.s);
	buf_free(&a);
	buf_free(&b);
	if (rc)
		return rc;
	queue_touched(q, from);
	queue_touched(q, to);
	return 0;
}

static uint64_t
hour_of(uint64_t s)
{
	return s - s % 3600;
}

struct queue_at
queue_bucket(enum queue_place place, uint64_t s)
{
	return (struct queue_at){place, bucketed(place) ? hour_of(s) : 0};
}

int
queue_defer_name(struct queue *q, const struct queue_at *at, const char *name, uint64_t due,
    struct err *e)
{
	struct queue_at to = queue_bucket(IN_CUR, due);
	struct buf moved = BUF_INIT;
	struct entry_name n;
	int rc;

	if (!entry_name_parse(span_of(name), &n))
		return err_set(e, EX_DATAERR, "%s: not an entry's name", name);
	n.due = due;
	entry_name_format(&moved, &n);
	rc = queue_rename(q, at, name, &to, moved.s, e);
	buf_free(&moved);
	return rc;
}
