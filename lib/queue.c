#include "queue.h"

#include "aside.h"
#include "crc.h"
#include "date.h"
#include "file.h"
#include "io.h"
#include "owner.h"
#include "verify.h"
#include "vet.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_MODE 0700
#define READ_ALONG (128 * 1024) /* entries up to this are read in one go */
#define TMP_STALE_S 3600
#define NEW_JOURNAL_MAX (1 << 20) /* in new/ there is none, or a few words */

const char *const queue_place_names[] = {"new", "cur", "hold", "failed", "sent", "damaged"};

struct queue {
	int root, state, log;
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
		snprintf(out, QUEUE_DIR_MAX, "%s", queue_place_names[at->place]);
	}
}

/* --- opening */

static int
open_root(struct queue *q, const char *dir, struct err *e)
{
	struct stat st;
	int rc;

	q->root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
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
	struct stat st;
	int rc = 0;

	if (fstat(q->root, &st) < 0)
		return err_sys(e, "stat");
	if (st.st_uid != geteuid())
		return err_set(e, EX_NOPERM, "belongs to uid %u, and this is uid %u",
		    (unsigned)st.st_uid, (unsigned)geteuid());
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
	struct queue *q = mem_alloc(sizeof *q);
	int rc;

	q->root = q->state = q->log = -1;
	pthread_mutex_init(&q->lock, NULL);
	rc = open_root(q, dir, e);
	if (!rc && use == QUEUE_WORK)
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

static void
mark_dirty(struct queue *q, const struct queue_at *at)
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
			mark_dirty(q, &v[i]); /* to be tried again; the code tells the run */
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
	size_t len = strlen(name);

	if (name[0] == '.') {
		if (s->at->place == IN_NEW)
			drop_stale(dir, name);
		return 0;
	}
	if (s->at->place == IN_DAMAGED || entry_name_parse((struct span){name, len}, &n))
		return s->each(s->arg, s->at, name, len);
	return 0;
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

/* --- taking */

static void
full_path(const struct queue_at *at, const char *name, struct buf *out)
{
	char dir[QUEUE_DIR_MAX];

	queue_dir(at, dir);
	buf_str(out, dir);
	buf_ch(out, '/');
	buf_str(out, name);
}

/* The lock keeps nobody from moving an entry on by its name: queue_defer_name. */
static int
gone(const char *path, struct err *e)
{
	return err_set(e, EX_NOINPUT, "%s is not there any more", path);
}

/* Renames and remembers which directories must be synced. */
static int
move_name(struct queue *q, const struct queue_at *from, const char *name,
    const struct queue_at *to, const char *new_name, struct err *e)
{
	struct buf a = BUF_INIT, b = BUF_INIT;
	char dir[QUEUE_DIR_MAX];
	int r, rc = 0;

	full_path(from, name, &a);
	full_path(to, new_name, &b);
	r = strcmp(a.s, b.s) == 0 ? 0 : file_rename(q->root, a.s, b.s);
	if (r < 0 && errno == ENOENT) {
		queue_dir(to, dir);
		rc = file_mkdir(q->root, dir, DIR_MODE, e);
		if (!rc)
			r = file_rename(q->root, a.s, b.s);
	}
	if (r < 0 && !rc)
		rc = errno == ENOENT ? gone(a.s, e) : err_sys(e, "rename %s to %s", a.s, b.s);
	buf_free(&a);
	buf_free(&b);
	if (rc)
		return rc;
	mark_dirty(q, from);
	mark_dirty(q, to);
	return 0;
}

static int
read_more(struct queue_entry *t, size_t want, struct err *e)
{
	size_t got = 0;
	int rc;

	if (t->text.len >= want)
		return 0;
	rc = io_pread(t->fd, buf_room(&t->text, want - t->text.len), want - t->text.len,
	    t->text.len, &got, e);
	buf_grew(&t->text, got);
	return rc;
}

static int
read_journal(struct queue_entry *t, uint64_t file_size, struct err *e)
{
	uint64_t start = t->content_off + t->head.content_bytes;
	uint64_t most = t->at.place == IN_NEW ? NEW_JOURNAL_MAX : QUEUE_JOURNAL_MAX;
	struct cur c;
	struct span line;
	size_t got = 0;
	int rc = 0;

	t->journal_end = start;
	t->file_end = file_size;
	if (file_size <= start)
		return 0;
	if (t->text.len >= file_size) {
		c = cur_of(t->text.s + start, (size_t)(file_size - start));
	} else {
		if (file_size - start > most)
			return err_set(e, EX_DATAERR, "journal over %llu bytes", (unsigned long long)most);
		rc = io_pread(t->fd, buf_room(&t->journal, (size_t)(file_size - start)),
		    (size_t)(file_size - start), start, &got, e);
		buf_grew(&t->journal, got);
		c = cur_of(t->journal.s, t->journal.len);
	}
	if (rc)
		return rc;
	if (t->journal.len == 0) { /* it lies in text: copy what is whole */
		while (journal_next(&c, &line))
			buf_add(&t->journal, line.p, line.n);
	} else {
		while (journal_next(&c, &line))
			continue;
		buf_cut(&t->journal, (size_t)(c.p - t->journal.s));
	}
	t->journal_end = start + t->journal.len;
	return 0;
}

/* Head, header and journal from the open file. EX_DATAERR: not a complete entry. */
static int
read_entry(struct queue_entry *t, const struct stat *st, bool verify, struct err *e)
{
	const uint64_t file_size = (uint64_t)st->st_size;
	bool stranger = verify && st->st_uid != geteuid();
	uint64_t content;
	int rc = read_more(t, file_size < READ_ALONG ? (size_t)file_size : READ_ALONG / 2, e);

	if (rc)
		return rc;
	rc = entry_head_parse((struct span){t->text.s, t->text.len}, &t->head, e);
	if (rc)
		return rc;
	t->content_off = ENTRY_HEAD + (uint64_t)t->head.header_bytes;
	if (__builtin_add_overflow(t->content_off, t->head.content_bytes, &content) ||
	    file_size < content)
		return err_set(e, EX_DATAERR, "cut short: %llu bytes of %llu",
		    (unsigned long long)file_size, (unsigned long long)content);
	rc = read_more(t, (size_t)t->content_off, e);
	if (rc)
		return rc;
	if (t->text.len < t->content_off ||
	    crc32c(0, t->text.s + ENTRY_HEAD, t->head.header_bytes) != t->head.header_crc)
		return err_set(e, EX_DATAERR, "header does not match its check");
	rc = envelope_parse((struct span){t->text.s + ENTRY_HEAD, t->head.header_bytes}, &t->env, e);
	if (!rc && stranger)
		rc = vet_envelope(&t->is, &t->head, &t->env, e);
	if (!rc && stranger)
		rc = verify_no_hole(st, e);
	if (!rc && verify)
		rc = verify_content(t->fd, t->content_off, (struct span){t->text.s, t->text.len},
		    &t->head, stranger, e);
	if (!rc)
		rc = read_journal(t, file_size, e);
	return rc;
}

/* e says why, and goes on to. */
static int
set_aside(struct queue_entry *t, enum queue_took *took, struct err *e)
{
	const struct queue_at to = {IN_DAMAGED, 0};
	struct buf path = BUF_INIT;
	struct err why = ERR_INIT;
	enum aside how;
	int rc;

	if (t->at.place == IN_DAMAGED)
		return 0;
	full_path(&t->at, t->name, &path);
	rc = aside_put(t->q->root, path.s, t->name, &how, &why);
	if (rc) {
		err_set(e, rc, "%s", err_text(&why));
	} else if (how == ASIDE_GONE) {
		*took = QUEUE_GONE;
	} else if (how == ASIDE_STUCK) {
		*took = QUEUE_STUCK;
		err_in(e, "cannot be moved");
	} else {
		mark_dirty(t->q, &t->at);
		mark_dirty(t->q, &to);
		if (how == ASIDE_REMOVED)
			err_in(e, "removed");
		t->at = to;
	}
	err_free(&why);
	buf_free(&path);
	return rc;
}

int
queue_set_aside(struct queue_entry *t, struct err *e)
{
	enum queue_took took = QUEUE_DAMAGED;

	return set_aside(t, &took, e);
}

/* What open(2) says of a thing that is no file, or that its owner keeps from us, or runs.  A submitter
 * can put all of them into new/. */
static bool
is_no_entry(int why, struct err *e)
{
	if (why == EISDIR || why == ELOOP || why == ENXIO || why == ENODEV)
		return err_set(e, EX_DATAERR, "not a regular file");
	return (why == EACCES || why == EPERM || why == ETXTBSY) && err_sys(e, "open");
}

static int
open_entry(struct queue *q, const struct queue_at *at, const char *name, int flags,
    struct queue_entry *t, struct buf *path, enum queue_took *took, struct err *e)
{
	*t = (struct queue_entry){.q = q, .fd = -1, .at = *at, .text = BUF_INIT,
	    .journal = BUF_INIT};
	*took = QUEUE_GONE;
	full_path(at, name, path);
	/* O_NONBLOCK: neither a FIFO nor somebody's lease makes us wait. */
	t->fd = openat(q->root, path->s, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	t->name = mem_dup(name, strlen(name));
	if (t->fd < 0 && errno == ENOENT)
		return 0;
	if (t->fd < 0 && errno == EAGAIN) {
		*took = QUEUE_BUSY;
		return 0;
	}
	if (t->fd < 0) {
		*took = QUEUE_DAMAGED;
		return is_no_entry(errno, e) ? 0 : err_sys(e, "open %s", path->s);
	}
	if (!entry_name_parse(span_of(t->name), &t->is) && at->place != IN_DAMAGED)
		return err_set(e, EX_DATAERR, "%s: not an entry's name", path->s);
	*took = QUEUE_TOOK;
	return 0;
}

static int
read_open(struct queue_entry *t, const struct stat *st, bool verify, enum queue_took *took,
    struct err *e)
{
	int rc = S_ISREG(st->st_mode) ? read_entry(t, st, verify, e)
	                              : err_set(e, EX_DATAERR, "not a regular file");

	if (rc != EX_DATAERR)
		return rc;
	*took = QUEUE_DAMAGED;
	return 0;
}

int
queue_take(struct queue *q, const struct queue_at *at, const char *name, bool verify,
    struct queue_entry *t, enum queue_took *took, struct err *e)
{
	struct buf path = BUF_INIT;
	struct stat st, named;
	bool busy = false;
	int rc = open_entry(q, at, name, O_RDWR, t, &path, took, e);

	if (!rc && *took == QUEUE_TOOK)
		rc = file_trylock(t->fd, &busy, e);
	if (busy)
		*took = QUEUE_BUSY;
	if (!rc && *took == QUEUE_TOOK && fstat(t->fd, &st) < 0)
		rc = err_sys(e, "stat %s", path.s);
	/* It may have been finished or moved between our open and our lock. */
	if (!rc && *took == QUEUE_TOOK &&
	    (fstatat(q->root, path.s, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	        named.st_ino != st.st_ino || named.st_dev != st.st_dev))
		*took = QUEUE_GONE;
	if (!rc && *took == QUEUE_TOOK)
		rc = read_open(t, &st, verify, took, e);
	if (!rc && *took == QUEUE_DAMAGED)
		rc = set_aside(t, took, e);
	if (rc || *took != QUEUE_TOOK)
		queue_release(t);
	buf_free(&path);
	return rc;
}

int
queue_peek(struct queue *q, const struct queue_at *at, const char *name, struct queue_entry *t,
    enum queue_took *took, struct err *e)
{
	struct buf path = BUF_INIT;
	struct stat st;
	int rc = open_entry(q, at, name, O_RDONLY, t, &path, took, e);

	if (!rc && *took == QUEUE_TOOK && fstat(t->fd, &st) < 0)
		rc = err_sys(e, "stat %s", path.s);
	if (!rc && *took == QUEUE_TOOK) {
		t->busy = file_locked(t->fd);
		rc = read_open(t, &st, false, took, e);
	}
	if (rc || *took != QUEUE_TOOK)
		queue_release(t);
	buf_free(&path);
	return rc;
}

int
queue_detach(struct queue_entry *t)
{
	int fd = t->fd;

	file_unlock(fd);
	t->fd = -1;
	return fd;
}

void
queue_release(struct queue_entry *t)
{
	if (t->fd >= 0) {
		file_unlock(t->fd);
		close(t->fd);
	}
	free(t->name);
	buf_free(&t->text);
	buf_free(&t->journal);
	envelope_free(&t->env);
	t->fd = -1;
	t->name = NULL;
}

const char *
queue_content(const struct queue_entry *t)
{
	return t->text.len >= t->content_off + t->head.content_bytes ? t->text.s + t->content_off
	                                                             : NULL;
}

/* --- what happens to a taken entry */

int
queue_journal(struct queue_entry *t, struct span lines, size_t reserve, struct err *e)
{
	struct buf b = BUF_INIT;
	int rc = 0;

	/* A crash's rest behind the last whole line must not look like a continuation of ours.
	 * (What we reserved ourselves is line feeds, which look like nothing.) */
	if (t->file_end > t->journal_end) {
		if (ftruncate(t->fd, (off_t)t->journal_end) < 0)
			return err_sys(e, "journal %s", t->name);
		t->file_end = t->journal_end;
	}
	buf_add(&b, lines.p, lines.n);
	if (reserve > 0) {
		memset(buf_room(&b, reserve), '\n', reserve);
		buf_grew(&b, reserve);
	}
	rc = io_pwrite(t->fd, b.s, b.len, t->journal_end, e);
	buf_free(&b);
	if (rc) {
		t->file_end = UINT64_MAX; /* part of it may stand there: cut before the next try */
		return err_in(e, "journal %s", t->name);
	}
	t->journal_end += lines.n;
	t->file_end = t->journal_end;
	buf_add(&t->journal, lines.p, lines.n);
	return 0;
}

int
queue_journal_sync(struct queue_entry *t, struct err *e)
{
	return fdatasync(t->fd) < 0 ? err_sys(e, "sync the journal of %s", t->name) : 0;
}

static int
move_entry(struct queue_entry *t, const struct queue_at *to, uint64_t due, struct err *e)
{
	struct entry_name n = t->is;
	struct buf name = BUF_INIT;
	int rc;

	n.due = due;
	entry_name_format(&name, &n);
	rc = move_name(t->q, &t->at, t->name, to, name.s, e);
	if (!rc) {
		t->at = *to;
		free(t->name);
		t->name = buf_steal(&name);
		entry_name_parse(span_of(t->name), &t->is);
	}
	buf_free(&name);
	return rc;
}

static uint64_t
hour_of(uint64_t s)
{
	return s - s % 3600;
}

int
queue_defer(struct queue_entry *t, uint64_t due, struct err *e)
{
	struct queue_at to = {IN_CUR, hour_of(due)};

	return move_entry(t, &to, due, e);
}

int
queue_move(struct queue_entry *t, enum queue_place place, struct err *e)
{
	struct queue_at to = {place, 0};

	if (bucketed(place))
		to.hour_s = hour_of(io_time_us() / 1000000);
	return move_entry(t, &to, t->is.due, e);
}

int
queue_remove(struct queue_entry *t, struct err *e)
{
	struct buf path = BUF_INIT;
	int rc = 0;

	full_path(&t->at, t->name, &path);
	if (unlinkat(t->q->root, path.s, 0) < 0)
		rc = errno == ENOENT ? gone(path.s, e) : err_sys(e, "remove %s", path.s);
	else
		mark_dirty(t->q, &t->at);
	buf_free(&path);
	return rc;
}

int
queue_defer_name(struct queue *q, const struct queue_at *at, const char *name, uint64_t due,
    struct err *e)
{
	struct queue_at to = {IN_CUR, hour_of(due)};
	struct buf moved = BUF_INIT;
	struct entry_name n;
	int rc;

	if (!entry_name_parse(span_of(name), &n))
		return err_set(e, EX_DATAERR, "%s: not an entry's name", name);
	n.due = due;
	entry_name_format(&moved, &n);
	rc = move_name(q, at, name, &to, moved.s, e);
	buf_free(&moved);
	return rc;
}
