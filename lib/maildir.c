#include "maildir.h"

#include "file.h"
#include "io.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_MODE 0700
#define FILE_MODE 0600
#define HOST_MAX 64 /* bytes of it in a name: it is there for people, the id is what tells names apart */

struct dirs { /* -1: not open */
	int top, tmp, new;
};

/* status as the errno says, else as where it happened. e may have the reason already. */
static int
fail(char status[12], const char *usual, const char *what, const char *name, struct err *e)
{
	const char *s = errno == ENOSPC ? "4.3.1" : errno == EDQUOT ? "4.2.2" : usual;

	memcpy(status, s, strlen(s) + 1);
	if (e->code)
		err_in(e, "%s %s", what, name);
	else
		err_sys(e, "%s %s", what, name);
	return e->code = EX_TEMPFAIL;
}

/* --- the directories */

static int
another(void *arg, int dir, const char *name)
{
	(void)arg, (void)dir;
	return name[0] != '.' || (name[1] && (name[1] != '.' || name[2]));
}

/* What root has made belongs to whom the directory around it belongs to: a letter that its reader cannot
 * reach is lost.  That one may have put something else there meanwhile, which is not to become his. */
static int
give_away(int dir, int fd, struct err *e)
{
	struct stat around, made;

	if (geteuid() != 0 || fstat(dir, &around) < 0 || around.st_uid == 0)
		return 0;
	if (fstat(fd, &made) == 0 && made.st_uid == 0 && file_each(fd, ".", another, NULL, e) == 0 &&
	    fchown(fd, around.st_uid, around.st_gid) < 0)
		return err_sys(e, "owner");
	err_free(e);
	return 0;
}

/* One below dir, made where that is wanted; what is behind a link may be anywhere. */
static int
step(int dir, const char *name, bool create, int flags, int *fd, struct err *e)
{
	flags |= O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	*fd = openat(dir, name, flags);
	if (*fd < 0 && errno == ENOENT && create) {
		if (file_mkdir(dir, name, DIR_MODE, e))
			return e->code;
		*fd = openat(dir, name, flags | O_NOFOLLOW);
		if (*fd >= 0 && give_away(dir, *fd, e)) {
			close(*fd);
			*fd = -1;
			return e->code;
		}
	}
	return 0;
}

/* The maildir itself, and what of its path is missing behind the base. */
static int
make_top(const char *path, size_t base, int *top, char status[12], struct err *e)
{
	struct cur c = cur_span(span_of(path + base));
	struct buf at = BUF_INIT, name = BUF_INIT;
	int dir, next, rc = 0;

	buf_add(&at, path, base);
	dir = open(at.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (dir >= 0 && !rc && cur_ch(&c, '/')) {
		struct span one = cur_until(&c, '/');

		buf_cut(&name, 0);
		buf_add(&name, one.p, one.n);
		buf_fmt(&at, "/%s", name.s);
		rc = step(dir, name.s, true, 0, &next, e);
		close(dir);
		dir = rc ? -1 : next;
	}
	if (rc)
		fail(status, "4.2.1", "make", at.s, e);
	else if (dir < 0)
		rc = fail(status, "4.2.1", "open", at.s, e);
	*top = dir;
	buf_free(&at);
	buf_free(&name);
	return rc;
}

static int
open_dirs(const char *path, const struct maildir_letter *l, struct dirs *d, char status[12],
    struct err *e)
{
	static const char *const names[] = {"cur", "tmp", "new"};
	int fds[3] = {-1, -1, -1}, rc = 0;

	*d = (struct dirs){open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), -1, -1};
	if (d->top < 0 && errno == ENOENT && l->create)
		rc = make_top(path, l->base, &d->top, status, e);
	else if (d->top < 0)
		rc = fail(status, "4.2.1", "maildir", path, e);
	for (size_t i = 0; i < 3 && !rc; i++) {
		rc = step(d->top, names[i], l->create, O_NOFOLLOW, &fds[i], e);
		if (rc || fds[i] < 0)
			rc = fail(status, "4.2.1", path, names[i], e);
	}
	if (fds[0] >= 0)
		close(fds[0]);
	d->tmp = fds[1];
	d->new = fds[2];
	return rc;
}

static void
close_dirs(struct dirs *d)
{
	int fds[] = {d->top, d->tmp, d->new};

	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* --- the file */

/* Up to the comma: the size that follows is known later. */
static void
base_name(const struct maildir_letter *l, struct buf *out)
{
	buf_fmt(out, "%llu.Q%.*sR%u.", (unsigned long long)l->time_s, SPAN_ARG(l->id), l->number);
	for (size_t i = 0; i < HOST_MAX && l->host[i]; i++) {
		if (l->host[i] == '/' || l->host[i] == ':' || l->host[i] == ',')
			buf_fmt(out, "\\%03o", (unsigned)l->host[i]); /* as maildir(5) would have it */
		else
			buf_ch(out, l->host[i]);
	}
}

/* What lies there under this name is what an attempt of ours left that was interrupted: nobody else's
 * id is the same, and the entry is locked. */
static int
create(int tmp, const char *name)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(tmp, name, flags, FILE_MODE);

	if (fd < 0 && errno == EEXIST && unlinkat(tmp, name, 0) == 0)
		fd = openat(tmp, name, flags, FILE_MODE);
	return fd;
}

static int
write_letter(int fd, const struct dirs *d, struct letter *l, uint64_t *size, struct err *e)
{
	struct span block;
	struct stat st;
	int rc;

	*size = 0;
	if (geteuid() == 0 && (fstat(d->top, &st) < 0 || fchown(fd, st.st_uid, st.st_gid) < 0))
		return err_sys(e, "owner");
	letter_rewind(l);
	while (!(rc = letter_next(l, &block, e)) && block.n > 0) {
		rc = io_write(fd, block.p, block.n, e);
		if (rc)
			return rc;
		*size += block.n;
	}
	if (!rc && fsync(fd) < 0)
		rc = err_sys(e, "fsync");
	return rc;
}

/* A link replaces nothing.  Where the filesystem has none, a rename that replaces nothing. */
static int
give_name(const struct dirs *d, const char *from, const char *to)
{
	struct stat st;

	if (linkat(d->tmp, from, d->new, to, 0) == 0)
		return 0;
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
		return -1;
	if (renameat2(d->tmp, from, d->new, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (fstatat(d->new, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(d->tmp, from, d->new, to);
}

/* --- what an earlier attempt did */

struct looking {
	struct span base;
	struct buf *name;
	bool found;
};

static int
is_it(void *arg, int dir, const char *name)
{
	struct looking *o = arg;
	size_t n = strlen(name);

	(void)dir;
	if (n <= o->base.n || memcmp(name, o->base.p, o->base.n) != 0 || name[o->base.n] != ',')
		return 0;
	buf_cut(o->name, 0);
	buf_add(o->name, name, n);
	o->found = true;
	return 1;
}

/* In new/, or in cur/ where somebody has seen it already. */
static bool
there_already(const struct dirs *d, const struct buf *base, struct buf *name)
{
	struct looking o = {{base->s, base->len}, name, false};
	struct err ignored = ERR_INIT;

	file_each(d->top, "new", is_it, &o, &ignored);
	if (!o.found)
		file_each(d->top, "cur", is_it, &o, &ignored);
	err_free(&ignored);
	return o.found;
}

/* --- the whole */

/* Where this fails the next attempt finds it there. */
static int
sync_new(const struct dirs *d, char status[12], struct err *e)
{
	return fsync(d->new) < 0 ? fail(status, "4.3.0", "fsync", "new", e) : 0;
}

static int
put(const struct dirs *d, const struct maildir_letter *l, const struct buf *base, struct buf *name,
    char status[12], struct err *e)
{
	uint64_t size;
	int fd = create(d->tmp, base->s), rc;

	if (fd < 0)
		return fail(status, "4.3.0", "create", base->s, e);
	errno = 0;
	rc = write_letter(fd, d, l->letter, &size, e);
	if (rc)
		fail(status, "4.3.0", "write", base->s, e);
	if (close(fd) < 0 && !rc)
		rc = fail(status, "4.3.0", "close", base->s, e);
	if (!rc && l->sure(l->arg, e)) {
		status[0] = '\0';
		rc = e->code;
	} else if (!rc) {
		buf_fmt(name, "%s,S=%llu", base->s, (unsigned long long)size);
		if (give_name(d, base->s, name->s) < 0 && errno != EEXIST)
			rc = fail(status, "4.3.0", "link", name->s, e);
		else
			rc = sync_new(d, status, e);
	}
	unlinkat(d->tmp, base->s, 0);
	return rc;
}

int
maildir_put(const char *path, const struct maildir_letter *l, struct buf *name, char status[12],
    struct err *e)
{
	struct buf base = BUF_INIT;
	struct dirs d;
	int rc = open_dirs(path, l, &d, status, e);

	base_name(l, &base);
	buf_cut(name, 0);
	if (!rc && l->again && there_already(&d, &base, name)) {
		unlinkat(d.tmp, base.s, 0);
		rc = sync_new(&d, status, e);
	} else if (!rc) {
		rc = put(&d, l, &base, name, status, e);
	}
	close_dirs(&d);
	buf_free(&base);
	return rc;
}
