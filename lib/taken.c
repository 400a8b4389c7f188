#include "taken.h"

#include "addr.h"
#include "aside.h"
#include "crc.h"
#include "file.h"
#include "io.h"
#include "verify.h"
#include "vet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_ALONG (128 * 1024) /* entries up to this are read in one go */
#define SENDER_MAX (sizeof "sender=<>" + ADDR_PATH_MAX)
#define NEW_JOURNAL_MAX (1 << 20) /* in new/ there is none, or a few words */

/* --- taking */

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

/* Head, header and journal from the open file. EX_DATAERR: not a complete entry.  Another's file is
 * vetted each time, for he may have it open still. */
static int
read_entry(struct queue_entry *t, const struct stat *st, enum queue_verify verify, struct err *e)
{
	const uint64_t file_size = (uint64_t)st->st_size;
	bool stranger = verify && st->st_uid != queue_uid(t->q), all;
	uint64_t content;
	int rc;

	t->stranger = stranger;
	rc = read_more(t, file_size < READ_ALONG ? (size_t)file_size : READ_ALONG / 2, e);

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
	/* What waited for its site or its hour came to cur/ by its name alone, without a journal. */
	all = stranger || verify == QUEUE_WHOLE ||
	    (verify == QUEUE_TO_SEND && (t->at.place == IN_NEW || file_size == content));
	if (!rc && all)
		rc = verify_no_hole(t->fd, st, content, stranger, e);
	if (!rc && all)
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
	queue_path(&t->at, t->name, &path);
	rc = aside_put(queue_root_fd(t->q), path.s, t->name, &how, &why);
	if (rc) {
		err_set(e, rc, "%s", err_text(&why));
	} else if (how == ASIDE_GONE) {
		*took = QUEUE_GONE;
	} else if (how == ASIDE_STUCK) {
		*took = QUEUE_STUCK;
		err_in(e, "cannot be moved");
	} else {
		queue_touched(t->q, &t->at);
		queue_touched(t->q, &to);
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
	queue_path(at, name, path);
	/* O_NONBLOCK: neither a FIFO nor somebody's lease makes us wait. */
	t->fd = queue_open_entry(q, path->s, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
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
read_open(struct queue_entry *t, const struct stat *st, enum queue_verify verify,
    enum queue_took *took, struct err *e)
{
	int rc = S_ISREG(st->st_mode) ? read_entry(t, st, verify, e)
	                              : err_set(e, EX_DATAERR, "not a regular file");

	if (rc != EX_DATAERR)
		return rc;
	*took = QUEUE_DAMAGED;
	return 0;
}

int
queue_take(struct queue *q, const struct queue_at *at, const char *name, enum queue_verify verify,
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
	    (fstatat(queue_root_fd(q), path.s, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
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
		rc = read_open(t, &st, QUEUE_AS_IS, took, e);
	}
	if (rc || *took != QUEUE_TOOK)
		queue_release(t);
	buf_free(&path);
	return rc;
}

/* The first line of the header, and nothing behind it. */
static int
first_sender(struct queue_entry *t, struct buf *out, struct err *e)
{
	struct span sender;
	int rc = read_more(t, ENTRY_HEAD + SENDER_MAX, e);

	if (!rc)
		rc = entry_head_parse((struct span){t->text.s, t->text.len}, &t->head, e);
	if (rc)
		return rc;
	if (!envelope_sender((struct span){t->text.s + ENTRY_HEAD, t->text.len - ENTRY_HEAD}, &sender))
		return err_set(e, EX_DATAERR, "no sender, or one over %d bytes", ADDR_PATH_MAX);
	buf_add(out, sender.p, sender.n);
	return 0;
}

int
queue_peek_sender(struct queue *q, const struct queue_at *at, const char *name, struct buf *out,
    struct err *e)
{
	struct buf path = BUF_INIT;
	struct queue_entry t;
	enum queue_took took;
	struct stat st;
	int rc = open_entry(q, at, name, O_RDONLY, &t, &path, &took, e);

	if (!rc && took == QUEUE_GONE)
		rc = queue_gone(path.s, e);
	else if (!rc && took != QUEUE_TOOK)
		rc = EX_DATAERR;
	else if (!rc && (fstat(t.fd, &st) < 0 || !S_ISREG(st.st_mode)))
		rc = err_set(e, EX_DATAERR, "not a regular file");
	if (!rc)
		rc = first_sender(&t, out, e);
	queue_release(&t);
	buf_free(&path);
	return rc;
}

int
queue_detach(struct queue_entry *t)
{
	int fd = t->fd;

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

/* From errno. */
static bool
is_owners_quota(const struct queue_entry *t)
{
	struct stat st;

	return errno == EDQUOT && fstat(t->fd, &st) == 0 && st.st_uid != queue_uid(t->q);
}

int
queue_journal(struct queue_entry *t, struct span lines, size_t reserve, struct err *e)
{
	size_t start = t->journal.len;
	int rc;

	/* A crash's rest behind the last whole line must not look like a continuation of ours.
	 * (What we reserved ourselves is line feeds, which look like nothing.) */
	if (t->file_end > t->journal_end) {
		if (ftruncate(t->fd, (off_t)t->journal_end) < 0)
			return err_sys(e, "journal %s", t->name);
		t->file_end = t->journal_end;
	}
	buf_room(&t->journal, lines.n + reserve);
	buf_add(&t->journal, lines.p, lines.n);
	memset(buf_room(&t->journal, reserve), '\n', reserve);
	buf_grew(&t->journal, reserve);
	rc = io_pwrite(t->fd, t->journal.s + start, lines.n + reserve, t->journal_end, e);
	t->over_quota = rc && is_owners_quota(t);
	buf_cut(&t->journal, rc ? start : start + lines.n);
	if (rc) {
		t->file_end = UINT64_MAX; /* part of it may stand there: cut before the next try */
		return err_in(e, "journal %s", t->name);
	}
	t->journal_end += lines.n;
	t->file_end = t->journal_end;
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
	rc = queue_rename(t->q, &t->at, t->name, to, name.s, e);
	if (!rc) {
		t->at = *to;
		free(t->name);
		t->name = buf_steal(&name);
		entry_name_parse(span_of(t->name), &t->is);
	}
	buf_free(&name);
	return rc;
}

int
queue_defer(struct queue_entry *t, uint64_t due, struct err *e)
{
	const struct queue_at to = queue_bucket(IN_CUR, due);

	return move_entry(t, &to, due, e);
}

int
queue_move(struct queue_entry *t, enum queue_place place, struct err *e)
{
	const struct queue_at to = queue_bucket(place, io_time_us() / 1000000);

	return move_entry(t, &to, t->is.due, e);
}

int
queue_remove(struct queue_entry *t, struct err *e)
{
	struct buf path = BUF_INIT;
	int rc = 0;

	queue_path(&t->at, t->name, &path);
	if (unlinkat(queue_root_fd(t->q), path.s, 0) < 0)
		rc = errno == ENOENT ? queue_gone(path.s, e) : err_sys(e, "remove %s", path.s);
	else
		queue_touched(t->q, &t->at);
	buf_free(&path);
	return rc;
}
