#include "put.h"

#include "crc.h"
#include "eight.h"
#include "file.h"
#include "io.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUT_MAX (256 * 1024)    /* gathered before it is written */
#define OUT_FIRST 8000          /* most messages: it need not grow for them */
#define WRITEBACK (4 << 20)     /* a large message goes to the disk while it comes */
#define LINE_MAX_CRLF (998 + 2) /* RFC 5322 2.1.1 */

static void
new_path(const struct queue_put *p, struct buf *out)
{
	buf_str(out, "new/");
	buf_add(out, p->name.s, p->name.len);
}

/* The deliverer reads it by its group; without the setgid bit that is not ours by itself. */
static int
share(struct queue_put *p, struct err *e)
{
	gid_t group = queue_entry_group(p->q);

	if ((getegid() != group && fchown(p->fd, (uid_t)-1, group) < 0) ||
	    fchmod(p->fd, queue_entry_mode(p->q)) < 0)
		return err_sys(e, "group of a new entry");
	return 0;
}

/* A file without a name; where the filesystem knows no such thing, one whose name begins with a
 * dot, which nobody looks at. */
static int
open_unnamed(struct queue_put *p, struct err *e)
{
	int root = queue_root_fd(p->q);
	struct buf path = BUF_INIT;

	p->fd = openat(root, "new", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (p->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
		buf_fmt(&p->name, QUEUE_TMP "%s", p->id);
		new_path(p, &path);
		p->fd = openat(root, path.s, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (p->fd < 0)
			buf_free(&p->name);
		buf_free(&path);
	}
	if (p->fd < 0)
		return err_sys(e, "create in new");
	return queue_entry_mode(p->q) == 0600 ? 0 : share(p, e);
}

int
queue_put_begin(struct queue *q, struct queue_put *p, const struct envelope *v, struct err *e)
{
	char id[ENTRY_ID + 1];
	int rc;

	entry_id(id, io_time_us(), (uint32_t)io_random());
	rc = queue_put_begin_as(q, p, v, id, e);
	p->due_s = v->hold_until_s;
	return rc;
}

int
queue_put_begin_as(struct queue *q, struct queue_put *p, const struct envelope *v, const char *id,
    struct err *e)
{
	bool busy = false;
	int rc;

	*p = (struct queue_put){.q = q, .fd = -1, .name = BUF_INIT, .out = BUF_INIT,
	    .due_s = entry_id_us(id) / 1000000};
	memcpy(p->id, id, sizeof p->id);
	memset(buf_room(&p->out, OUT_FIRST), 0, ENTRY_HEAD);
	buf_grew(&p->out, ENTRY_HEAD);
	rc = envelope_format(&p->out, v, e);
	if (!rc && p->out.len - ENTRY_HEAD > ENTRY_HEADER_MAX)
		rc = err_set(e, EX_DATAERR, "envelope too large");
	if (!rc)
		rc = open_unnamed(p, e);
	if (!rc)
		rc = file_trylock(p->fd, &busy, e); /* held until the message is safe */
	if (rc) {
		queue_put_end(p);
		return rc;
	}
	p->head.header_bytes = (uint32_t)(p->out.len - ENTRY_HEAD);
	p->head.header_crc = crc32c(0, p->out.s + ENTRY_HEAD, p->head.header_bytes);
	return 0;
}

static bool
has_eightbit(const char *s, size_t n)
{
	uint64_t any = 0;

	for (; n >= 64; s += 64, n -= 64)
		any |= (eight_at(s) | eight_at(s + 8) | eight_at(s + 16) | eight_at(s + 24)) |
		    (eight_at(s + 32) | eight_at(s + 40) | eight_at(s + 48) | eight_at(s + 56));
	for (; n >= 8; s += 8, n -= 8)
		any |= eight_at(s);
	for (; n > 0; n--)
		any |= (unsigned char)*s++;
	return eight_high(any) != 0;
}

/* Whether a line is over the limit is asked once a thousand bytes, not once a line: if a LF lies
 * within reach of a line's start, everything up to the last such LF is fine. */
static void
measure_lines(struct queue_put *p, const char *s, size_t n)
{
	while (n > 0 && !p->head.long_lines) {
		size_t room = LINE_MAX_CRLF - p->line;
		size_t look = n < room ? n : room;
		const char *lf = memrchr(s, '\n', look);

		if (lf) {
			p->line = 0;
			n -= (size_t)(lf + 1 - s);
			s = lf + 1;
		} else if (n >= room) {
			p->head.long_lines = true;
		} else {
			p->line += (uint32_t)n;
			n = 0;
		}
	}
}

static int
write_out(struct queue_put *p, const void *s, size_t n, struct err *e)
{
	int rc = io_pwrite(p->fd, s, n, p->written, e);

	if (rc)
		return err_in(e, "new entry");
	p->written += n;
	if (p->written - p->flushed >= WRITEBACK) {
		/* Only a head start for fsync, which does the promise: no error matters here. */
		sync_file_range(p->fd, (off_t)p->flushed, (off_t)(p->written - p->flushed),
		    SYNC_FILE_RANGE_WRITE);
		p->flushed = p->written;
	}
	return 0;
}

int
queue_put_flush(struct queue_put *p, struct err *e)
{
	int rc = p->out.len ? write_out(p, p->out.s, p->out.len, e) : 0;

	buf_cut(&p->out, 0);
	return rc;
}

uint64_t
queue_put_at(const struct queue_put *p)
{
	return ENTRY_HEAD + (uint64_t)p->head.header_bytes;
}

static int
store(struct queue_put *p, const void *s, size_t n, struct err *e)
{
	int rc;

	if (p->out.len + n <= OUT_MAX) {
		buf_add(&p->out, s, n);
		return 0;
	}
	rc = queue_put_flush(p, e);
	if (rc)
		return rc;
	if (n >= OUT_MAX / 2)
		return write_out(p, s, n, e);
	buf_add(&p->out, s, n);
	return 0;
}

int
queue_put_content(struct queue_put *p, const void *s, size_t n, bool header, struct err *e)
{
	bool eight = (!p->head.eightbit || (header && !p->head.utf8_header)) && has_eightbit(s, n);

	p->head.eightbit |= eight;
	p->head.utf8_header |= header && eight;
	p->head.content_crc = crc32c(p->head.content_crc, s, n);
	p->head.content_bytes += n;
	measure_lines(p, s, n);
	return store(p, s, n, e);
}

int
queue_put_copy(struct queue_put *p, struct queue_put *from, struct err *e)
{
	uint64_t at = queue_put_at(from), left = from->head.content_bytes;
	int rc = queue_put_flush(from, e);

	while (left > 0 && !rc) {
		size_t n = left < OUT_MAX / 2 ? (size_t)left : OUT_MAX / 2, got = 0;
		struct buf b = BUF_INIT;

		rc = io_pread(from->fd, buf_room(&b, n), n, at, &got, e);
		if (!rc && got != n)
			rc = err_set(e, EX_TEMPFAIL, "new entry: shorter than written");
		if (!rc)
			rc = store(p, b.s, n, e);
		at += n;
		left -= n;
		buf_free(&b);
	}
	p->head.content_bytes = from->head.content_bytes;
	p->head.content_crc = from->head.content_crc;
	p->head.eightbit = from->head.eightbit;
	p->head.utf8_header = from->head.utf8_header;
	p->head.long_lines = from->head.long_lines;
	return rc;
}

/* The head is what makes the file an entry: it is written last, or with all of a small one. */
static int
write_head(struct queue_put *p, struct err *e)
{
	char head[ENTRY_HEAD];
	int rc;

	entry_head_format(head, &p->head);
	if (p->written == 0) {
		memcpy(p->out.s, head, ENTRY_HEAD);
		return queue_put_flush(p, e);
	}
	rc = queue_put_flush(p, e);
	if (!rc)
		rc = io_pwrite(p->fd, head, ENTRY_HEAD, 0, e);
	return rc;
}

void
queue_put_name(const struct queue_put *p, struct span stream, struct span domain, struct buf *out)
{
	struct buf field = BUF_INIT;
	struct entry_name n = {.due = p->due_s ? p->due_s : io_time_us() / 1000000,
	    .id = {p->id, ENTRY_ID}, .stream = stream, .size = p->head.content_bytes};

	entry_name_domain(domain, &field);
	n.domain = (struct span){field.s, field.len};
	entry_name_format(out, &n);
	buf_free(&field);
}

int
queue_put_link(struct queue_put *p, struct span stream, struct span domain, struct err *e)
{
	int root = queue_root_fd(p->q), rc = write_head(p, e);
	struct buf tmp = BUF_INIT, path = BUF_INIT;
	bool named = p->name.len > 0;

	if (rc)
		return rc;
	if (named)
		new_path(p, &tmp);
	buf_cut(&p->name, 0);
	queue_put_name(p, stream, domain, &p->name);
	new_path(p, &path);
	if (!named)
		rc = file_link(p->fd, root, path.s, e);
	else if (renameat2(root, tmp.s, root, path.s, RENAME_NOREPLACE) < 0 &&
	    (errno != EINVAL || linkat(root, tmp.s, root, path.s, 0) < 0 ||
	        unlinkat(root, tmp.s, 0) < 0))
		rc = err_sys(e, "rename %s", tmp.s);
	p->linked = !rc;
	p->there = rc && errno == EEXIST;
	if (rc && named) {
		buf_cut(&p->name, 0); /* so that queue_put_end removes what is still there */
		buf_str(&p->name, tmp.s + 4);
	} else if (rc) {
		buf_free(&p->name);
	}
	buf_free(&tmp);
	buf_free(&path);
	return rc;
}

/* Where the filesystem does not keep a new name with its inode, the directory has to be told;
 * submitters may not open it, so they sync the filesystem. */
static int
sync_names(struct queue_put *p, struct err *e)
{
	int dir, rc = 0;

	if (file_sync_keeps_name(p->fd))
		return 0;
	dir = openat(queue_root_fd(p->q), "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if ((dir >= 0 ? fsync(dir) : syncfs(p->fd)) < 0)
		rc = err_sys(e, "fsync new");
	if (dir >= 0)
		close(dir);
	return rc;
}

int
queue_put_sync(struct queue_put *v, size_t n, struct err *e)
{
	int rc = 0;

	/* All data on its way first: then one journal commit takes all of them. */
	for (size_t i = 0; n > 1 && i < n; i++)
		sync_file_range(v[i].fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	for (size_t i = 0; i < n && !rc; i++)
		if (fsync(v[i].fd) < 0)
			rc = err_sys(e, "fsync %s", v[i].name.s);
	if (!rc && n > 0)
		rc = sync_names(&v[0], e);
	for (size_t i = 0; i < n && !rc; i++)
		v[i].synced = true;
	/* An fsync that fails is final: queue_put_end unlinks. */
	return rc;
}

/* A run may have moved it on by its name alone, locked as it is: then it is no entry any more. */
static int
take_back(struct queue_put *p)
{
	struct buf path = BUF_INIT;
	int r;

	new_path(p, &path);
	r = unlinkat(queue_root_fd(p->q), path.s, 0);
	if (r < 0 && errno == ENOENT && p->linked)
		r = ftruncate(p->fd, 0);
	buf_free(&path);
	return r;
}

void
queue_put_end(struct queue_put *p)
{
	if (p->fd >= 0) {
		if (!p->synced && p->name.len > 0)
			take_back(p); /* if it cannot be, it is there, and whole */
		file_unlock(p->fd);
		close(p->fd);
	}
	p->fd = -1;
	buf_free(&p->name);
	buf_free(&p->out);
}
