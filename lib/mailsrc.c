#include "mailsrc.h"

#include "archive.h"
#include "buf.h"
#include "file.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 65536
#define SEPARATOR_MAX 1024 /* bytes of an mbox's "From " line */

struct source {
	const struct mailsrc_sink *sink;
	struct span file;
	size_t n;          /* messages of it so far */
	bool mbox, open;
	bool fresh;        /* the first byte of the message is held, too */
	struct buf held;   /* of an mbox: what is not handed on yet */
	char before[3];    /* the bytes before held */
};
#define NOTHING_BEFORE {'\n', '\n', '\n'} /* as after an empty line */

static int
begin(struct source *s, struct err *e)
{
	s->open = s->fresh = true;
	return s->sink->begin(s->sink->arg, s->file, ++s->n, e);
}

static int
end(struct source *s, struct err *e)
{
	bool was = s->open;

	s->open = false;
	return was ? s->sink->end(s->sink->arg, e) : 0;
}

/* --- mboxes */

/* "From ann@x Thu Jul  2 12:05:05 2020", as asctime(3) has it: no sentence looks so. */
static bool
is_dated(struct span line)
{
	static const char days[] = "Mon Tue Wed Thu Fri Sat Sun ";

	for (size_t i = 0; i + 16 <= line.n; i++)
		if (line.p[i] == ' ' && line.p[i + 4] == ' ' && line.p[i + 8] == ' ' &&
		    memmem(days, sizeof days - 1, line.p + i + 1, 4) &&
		    (is_digit((unsigned char)line.p[i + 10]) || is_digit((unsigned char)line.p[i + 9])))
			return true;
	return false;
}

/* "10:23" */
static bool
has_time(struct span line)
{
	for (size_t i = 0; i + 5 <= line.n; i++)
		if (is_digit((unsigned char)line.p[i]) && is_digit((unsigned char)line.p[i + 1]) &&
		    line.p[i + 2] == ':' && is_digit((unsigned char)line.p[i + 3]) &&
		    is_digit((unsigned char)line.p[i + 4]))
			return true;
	return false;
}

static char
byte_before(const struct source *s, size_t at, size_t back)
{
	return back <= at ? s->held.s[at - back] : s->before[3 - (back - at)];
}

static bool
behind_empty_line(const struct source *s, size_t at)
{
	char a = byte_before(s, at, 1), b = byte_before(s, at, 2), c = byte_before(s, at, 3);

	return a == '\n' ? b == '\n' || (b == '\r' && c == '\n') : a == '\r' && b == '\r';
}

static bool
is_separator(const struct source *s, size_t at, struct span line)
{
	char before = byte_before(s, at, 1);

	if (before != '\n' && before != '\r')
		return false;
	return has_time(line) && (behind_empty_line(s, at) || is_dated(line));
}

/* Where the next message begins, behind `from`; held.len: not in what is held. */
static size_t
next_separator(const struct source *s, size_t from, size_t end_at)
{
	const char *p = s->held.s + from, *stop = s->held.s + end_at, *last = s->held.s + s->held.len;

	while (p < stop && (p = memmem(p, (size_t)(last - p), "From ", 5)) && p < stop) {
		size_t at = (size_t)(p - s->held.s), n = strcspn(p, "\r\n");

		if (n < SEPARATOR_MAX && is_separator(s, at, (struct span){p, n}))
			return at;
		p += 5;
	}
	return s->held.len;
}

static int
hand_on(struct source *s, size_t n, struct err *e)
{
	int rc = n > 0 ? s->sink->data(s->sink->arg, (struct span){s->held.s, n}, e) : 0;

	s->fresh &= n == 0;
	for (size_t i = 3; i > 0; i--) {
		char c = i <= n ? s->held.s[n - i] : s->before[n + 3 - i];

		s->before[3 - i] = c;
	}
	buf_drop(&s->held, n);
	return rc;
}

/* All that is held but what may become a separator. */
static int
mbox_more(struct source *s, bool last, struct err *e)
{
	int rc = 0;

	while (!rc && s->held.len > 0) {
		size_t sure = last ? s->held.len :
		    s->held.len > SEPARATOR_MAX ? s->held.len - SEPARATOR_MAX : 0;
		size_t at = next_separator(s, s->fresh ? 1 : 0, sure);

		if (at == s->held.len)
			return hand_on(s, sure, e);
		rc = hand_on(s, at, e);
		if (!rc)
			rc = end(s, e);
		if (!rc)
			rc = begin(s, e);
	}
	return rc;
}

/* --- what a stream is */

static int
more(struct source *s, struct span piece, struct err *e)
{
	if (!s->mbox)
		return piece.n > 0 ? s->sink->data(s->sink->arg, piece, e) : 0;
	buf_add(&s->held, piece.p, piece.n);
	return mbox_more(s, false, e);
}

static int
first(struct source *s, struct span head, struct err *e)
{
	int rc = begin(s, e);

	s->mbox = head.n >= 5 && memcmp(head.p, "From ", 5) == 0;
	return rc ? rc : more(s, head, e);
}

static int
finish(struct source *s, int rc, struct err *e)
{
	if (!rc && s->mbox)
		rc = mbox_more(s, true, e);
	if (!rc)
		rc = end(s, e);
	buf_free(&s->held);
	return rc;
}

struct opened { /* an archive */
	const struct mailsrc_sink *sink;
	struct span name;
	int rc;            /* what a callback returned */
};

/* The first bytes may come one by one. */
static int
member_data(struct source *s, struct archive_in *a, struct err *e, int *sink_rc)
{
	struct buf head = BUF_INIT;
	bool begun = false;
	const char *p;
	size_t n;
	int rc;

	while ((rc = archive_block(a, &p, &n, e)) == 0 && n > 0 && *sink_rc == 0) {
		if (!begun && head.len + n < 5) {
			buf_add(&head, p, n);
			continue;
		}
		if (!begun && head.len > 0) {
			buf_add(&head, p, n);
			*sink_rc = first(s, (struct span){head.s, head.len}, e);
		} else
			*sink_rc = begun ? more(s, (struct span){p, n}, e) : first(s, (struct span){p, n}, e);
		begun = true;
	}
	if (!begun && rc == 0 && *sink_rc == 0)
		*sink_rc = first(s, (struct span){head.s, head.len}, e);
	buf_free(&head);
	return rc;
}

static int
member(void *arg, struct archive_in *a, struct span name, struct err *e)
{
	struct opened *o = arg;
	struct source s = {.sink = o->sink, .held = BUF_INIT, .before = NOTHING_BEFORE};
	struct buf path = BUF_INIT;
	int rc;

	buf_add(&path, o->name.p, o->name.n);
	if (path.len > 0)
		buf_ch(&path, '/');
	buf_add(&path, name.p, name.n);
	s.file = (struct span){path.s, path.len};
	rc = member_data(&s, a, e, &o->rc);
	if (rc == 0 || s.open) /* of a broken one what came is a message, too */
		o->rc = finish(&s, o->rc, e);
	else
		buf_free(&s.held);
	buf_free(&path);
	return rc ? rc : o->rc;
}

static int
bad(const struct mailsrc_sink *sink, struct span name, struct err *e)
{
	if (name.n > 0)
		err_in(e, "%.*s", SPAN_ARG(name));
	return sink->bad(sink->arg, e);
}

int
mailsrc_fd(int fd, struct span name, const struct mailsrc_sink *sink, struct err *e)
{
	struct source s = {.sink = sink, .file = name, .held = BUF_INIT, .before = NOTHING_BEFORE};
	struct opened o = {sink, name, 0};
	struct buf room = BUF_INIT; /* not zeroed: a maildir has many small files */
	char *block = buf_room(&room, BLOCK);
	size_t got = 0, n;
	int rc = 0, sink_rc;

	/* A pipe may give less than it takes to know what it is. */
	do {
		rc = io_input(fd, block + got, BLOCK - got, &n, e);
		got += n;
	} while (!rc && n > 0 && got < ARCHIVE_HEAD);
	if (rc) {
		buf_free(&room);
		return bad(sink, name, e);
	}
	if (archive_is((struct span){block, got})) {
		rc = archive_members(fd, (struct span){block, got}, member, &o, e);
		buf_free(&room);
		return o.rc ? o.rc : rc ? bad(sink, name, e) : 0;
	}
	sink_rc = first(&s, (struct span){block, got}, e);
	while (!sink_rc && n > 0 && (rc = io_input(fd, block, BLOCK, &n, e)) == 0 && n > 0)
		sink_rc = more(&s, (struct span){block, n}, e);
	buf_free(&room);
	sink_rc = finish(&s, sink_rc, e);
	return sink_rc ? sink_rc : rc ? bad(sink, name, e) : 0;
}

/* --- paths */

struct listed {
	char **v;
	size_t n, cap;
};

static int
list_one(void *arg, int dir, const char *name)
{
	struct listed *l = arg;

	(void)dir;
	if (*name == '.')
		return 0;
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->v = mem_grow(l->v, l->cap, sizeof *l->v);
	}
	l->v[l->n++] = mem_dup(name, strlen(name));
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int walk(int at, const char *name, struct buf *path, unsigned depth,
    const struct mailsrc_sink *sink, struct err *e);

/* Of a maildir nothing but what has arrived. */
static bool
is_maildir(const struct listed *l)
{
	unsigned found = 0;

	for (size_t i = 0; i < l->n; i++)
		found += strcmp(l->v[i], "cur") == 0 || strcmp(l->v[i], "new") == 0 ||
		    strcmp(l->v[i], "tmp") == 0;
	return found == 3;
}

static int
directory(int fd, struct buf *path, unsigned depth, const struct mailsrc_sink *sink, struct err *e)
{
	struct listed l = {NULL, 0, 0};
	size_t len = path->len;
	bool maildir;
	int rc = file_each(fd, ".", list_one, &l, e);

	if (rc)
		rc = bad(sink, (struct span){path->s, path->len}, e);
	qsort(l.v, l.n, sizeof *l.v, by_name);
	maildir = is_maildir(&l);
	for (size_t i = 0; i < l.n; i++) {
		if (!rc && !(maildir && strcmp(l.v[i], "tmp") == 0)) {
			if (path->s[path->len - 1] != '/')
				buf_ch(path, '/');
			buf_str(path, l.v[i]);
			rc = walk(fd, l.v[i], path, depth + 1, sink, e);
			buf_cut(path, len);
		}
		free(l.v[i]);
	}
	free(l.v);
	return rc;
}

static int
walk(int at, const char *name, struct buf *path, unsigned depth, const struct mailsrc_sink *sink,
    struct err *e)
{
	struct span file = {path->s, path->len};
	struct stat st;
	int fd, rc;

	/* Below what was named only regular files and directories count; nothing waits for a fifo. */
	if (depth > 0 && (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))))
		return 0;
	fd = openat(at, name, O_RDONLY | O_CLOEXEC | (depth > 0 ? O_NOFOLLOW : 0));
	if (fd < 0) {
		if (depth > 0 && errno == ENOENT)
			return 0; /* a maildir's file that has got another name */
		rc = errno;
		err_sys(e, "%s", path->s);
		if (rc == ENOENT)
			e->code = EX_NOINPUT;
		return sink->bad(sink->arg, e);
	}
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		rc = depth < MAILSRC_DEPTH ? directory(fd, path, depth, sink, e) :
		    (err_set(e, EX_DATAERR, "%s: directories over %d deep", path->s, MAILSRC_DEPTH),
		        sink->bad(sink->arg, e));
	else
		rc = mailsrc_fd(fd, file, sink, e);
	close(fd);
	return rc;
}

int
mailsrc_path(const char *name, const struct mailsrc_sink *sink, struct err *e)
{
	struct buf path = BUF_INIT;
	int rc;

	buf_str(&path, name);
	rc = walk(AT_FDCWD, name, &path, 0, sink, e);
	buf_free(&path);
	return rc;
}
