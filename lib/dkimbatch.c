#include "dkimbatch.h"

#include "archive.h"
#include "dkimcrew.h"
#include "dkimmsg.h"
#include "file.h"
#include "io.h"
#include "mboxcut.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 65536
#define MAILBOX_MODE 0700

struct batch {
	const struct dkimbatch *b;
	struct dkimcrew *crew;
	uint64_t all, bad;
	struct iovec out[3 * DKIMCREW_LOAD]; /* of an mbox, not yet written */
	int n_out;
	struct archive_out *tar;
	bool not_input; /* what failed while reading was the writing of those before */
	int from, to;   /* maildirs */
};

/* --- what became of them */

/* False for what was left out.  Trouble of our own, not of the message, ends it all. */
static int
judge(struct batch *b, struct dkimcrew_item *item, bool *good, struct err *e)
{
	b->all++;
	*good = item->rc == 0;
	if (*good)
		return 0;
	b->bad++;
	if (item->rc != EX_DATAERR && item->rc != EX_USAGE)
		return err_set(e, item->rc, "%s: %s", item->name.s, err_text(&item->e));
	b->b->warn("%s: %s", item->name.s, err_text(&item->e));
	return 0;
}

static int
verdict(const struct batch *b, struct err *e)
{
	if (b->bad == 0)
		return 0;
	return err_set(e, EX_DATAERR, "%llu of %llu messages could not be signed and are left out",
	    (unsigned long long)b->bad, (unsigned long long)b->all);
}

/* --- mbox: the whole of it as one piece of memory, which the kernel pages */

struct mbox {
	const char *p;
	size_t n;
	struct spool spool;
};

static int
spool_stdin(struct mbox *m, struct err *e)
{
	char *block = mem_alloc(BLOCK);
	size_t got;
	int rc;

	do {
		rc = io_input(STDIN_FILENO, block, BLOCK, &got, e);
		if (!rc)
			rc = spool_add(&m->spool, block, got, e);
	} while (!rc && got > 0);
	free(block);
	m->p = m->spool.mem.s;
	m->n = m->spool.mem.len;
	return rc;
}

static int
map_mbox(struct mbox *m, struct err *e)
{
	struct stat st;
	int fd = STDIN_FILENO, rc = 0;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || lseek(fd, 0, SEEK_CUR) != 0) {
		rc = spool_stdin(m, e);
		if (rc || m->spool.fd < 0)
			return rc;
		fd = m->spool.fd;
		st.st_size = (off_t)m->spool.size;
	}
	m->n = (size_t)st.st_size;
	m->p = m->n ? mmap(NULL, m->n, PROT_READ, MAP_PRIVATE, fd, 0) : "";
	if (m->p != MAP_FAILED)
		return 0;
	m->p = NULL;
	return err_sys(e, "stdin");
}

/* Pieces of a message as it was before it went into the mbox: lines of ">"s and "From " have one
 * ">" less. */
struct unquote {
	struct span rest;
	bool quoted; /* there may be such lines */
};

static int
next_unquoted(void *arg, const char **p, size_t *n, struct err *e)
{
	struct unquote *u = arg;
	const char *stop = u->quoted ? mboxcut_quoted(u->rest) : NULL;

	(void)e;
	*p = u->rest.p;
	*n = stop ? (size_t)(stop - u->rest.p) : u->rest.n;
	u->rest.p += *n;
	u->rest.n -= *n;
	if (stop) {
		u->rest.p++;
		u->rest.n--;
	}
	return 0;
}

static int
ready_span(void *arg, struct dkimmsg_desk *desk, struct dkimcrew_item *item, struct err *e)
{
	const struct batch *b = arg;
	struct unquote u = {item->content, item->quoted};

	return dkimmsg_ready(b->b->keys, desk, next_unquoted, &u, b->b->now_s, &item->msg, e);
}

static void
collect(struct batch *b, struct span s)
{
	union { /* io_writev does not write into it, and its type lacks the const */
		const char *from;
		char *to;
	} u = {s.p};

	b->out[b->n_out++] = (struct iovec){u.to, s.n};
}

static int
span_done(void *arg, struct dkimcrew_item *item, struct err *e)
{
	struct batch *b = arg;
	bool good;
	int rc;

	if (item->rc) /* they come back in order */
		buf_fmt(&item->name, "message %llu", (unsigned long long)b->all + 1);
	rc = judge(b, item, &good, e);
	if (rc || !good)
		return rc;
	collect(b, item->before);
	collect(b, (struct span){item->fields.s, item->fields.len});
	collect(b, item->content);
	return 0;
}

static int
write_spans(void *arg, struct err *e)
{
	struct batch *b = arg;
	int rc = b->n_out ? io_writev(STDOUT_FILENO, b->out, b->n_out, e) : 0;

	b->n_out = 0;
	return rc ? err_in(e, "stdout") : 0;
}

static int
give_spans(struct batch *b, const struct mbox *m, struct err *e)
{
	const char *p = m->p, *end = m->p + m->n;
	int rc = 0;

	if (m->n > 0 && !mboxcut_begins(p, end, p))
		return err_set(e, EX_DATAERR, "stdin: not an mbox: it does not begin with \"From \"");
	while (!rc && p < end) {
		bool quoted;
		const char *next = mboxcut_end(p, end, m->p, &quoted);
		const char *line = memchr(p, '\n', (size_t)(next - p));
		struct dkimcrew_item *item;

		line = line ? line + 1 : next;
		rc = dkimcrew_next(b->crew, (size_t)(next - p), &item, e);
		if (rc)
			break;
		item->before = (struct span){p, (size_t)(line - p)};
		item->content = (struct span){line, (size_t)(next - line)};
		item->quoted = quoted;
		p = next;
	}
	return rc ? rc : dkimcrew_end(b->crew, e);
}

static int
do_mbox(struct batch *b, unsigned threads, struct err *e)
{
	struct dkimcrew_calls calls = {ready_span, span_done, write_spans, b};
	struct mbox m = {.spool = SPOOL_INIT};
	int rc = map_mbox(&m, e);

	if (!rc)
		rc = dkimcrew_start(&b->crew, threads, &calls, e);
	if (!rc)
		rc = give_spans(b, &m, e);
	dkimcrew_stop(b->crew);
	if (m.p && m.n > 0 && m.p != m.spool.mem.s)
		munmap((void *)(uintptr_t)m.p, m.n);
	spool_free(&m.spool);
	return rc;
}

/* --- tar */

struct reading {
	struct spool *s;
	uint64_t at;
};

static int
next_spooled(void *arg, const char **p, size_t *n, struct err *e)
{
	struct reading *r = arg;
	int rc = spool_block(r->s, r->at, p, n, e);

	r->at += *n;
	return rc;
}

static int
ready_spool(void *arg, struct dkimmsg_desk *desk, struct dkimcrew_item *item, struct err *e)
{
	const struct batch *b = arg;
	struct reading r = {&item->spool, 0};

	if (item->link && item->spool.size == 0)
		return err_set(e, EX_DATAERR, "a hard link to another message of the tar; tar --hard-dereference makes none");
	return dkimmsg_ready(b->b->keys, desk, next_spooled, &r, b->b->now_s, &item->msg, e);
}

static int
write_member(void *arg, struct dkimcrew_item *item, struct err *e)
{
	struct batch *b = arg;
	struct reading r = {&item->spool, 0};
	const char *p;
	size_t n = 1;
	bool good;
	int rc = judge(b, item, &good, e);

	if (rc || !good)
		return rc;
	rc = archive_out_member(b->tar, item->name.s, item->fields.len + item->spool.size,
	    item->mtime_s, e);
	if (!rc)
		rc = archive_out_data(b->tar, item->fields.s, item->fields.len, e);
	while (!rc && n > 0 && !(rc = next_spooled(&r, &p, &n, e)))
		rc = archive_out_data(b->tar, p, n, e);
	return rc ? err_in(e, "stdout") : 0;
}

static int
give_member(void *arg, struct archive_in *a, struct span name, struct err *e)
{
	struct batch *b = arg;
	struct dkimcrew_item *item;
	const char *p;
	size_t n = 1;
	int rc = dkimcrew_next(b->crew, 0, &item, e);

	b->not_input = rc != 0;
	if (rc)
		return rc;
	buf_add(&item->name, name.p, name.n);
	item->mtime_s = archive_mtime(a);
	item->link = archive_link(a);
	while (!rc && n > 0 && !(rc = archive_block(a, &p, &n, e))) {
		dkimcrew_more(b->crew, n);
		rc = spool_add(&item->spool, p, n, e);
	}
	if (rc)
		item->rc = rc;
	return rc;
}

static int
do_tar(struct batch *b, unsigned threads, struct err *e)
{
	struct dkimcrew_calls calls = {ready_spool, write_member, NULL, b};
	int rc = archive_out_open(&b->tar, STDOUT_FILENO, e);

	if (!rc)
		rc = dkimcrew_start(&b->crew, threads, &calls, e);
	if (!rc) {
		rc = archive_members(STDIN_FILENO, (struct span){"", 0}, give_member, b, e);
		if (rc && !b->not_input)
			err_in(e, "stdin");
	}
	if (!rc)
		rc = dkimcrew_end(b->crew, e);
	dkimcrew_stop(b->crew);
	if (rc)
		archive_out_drop(b->tar);
	else if ((rc = archive_out_close(b->tar, e)))
		err_in(e, "stdout");
	return rc;
}

/* --- maildir */

struct filing {
	int fd;
	uint64_t at;
	char block[BLOCK];
};

static int
next_of_file(void *arg, const char **p, size_t *n, struct err *e)
{
	struct filing *f = arg;
	int rc = io_pread(f->fd, f->block, sizeof f->block, f->at, n, e);

	f->at += *n;
	*p = f->block;
	return rc;
}

/* "1700000000.M1P2.host,S=4321,W=4400:2,S" without the two sizes, which are of the old file. */
static void
without_sizes(const char *name, struct buf *out)
{
	struct cur c = cur_span(span_of(name));

	while (!cur_end(&c) && cur_peek(&c) != ':') {
		if (cur_lit(&c, ",S=") || cur_lit(&c, ",W="))
			cur_while(&c, is_digit);
		else
			buf_ch(out, *c.p++);
	}
	buf_add(out, c.p, (size_t)(c.end - c.p));
}

/* A file without a name; where the filesystem (NFS) knows no such thing, as.s says which one it has below tmp
 * until it is whole. */
static int
create_in_tmp(const struct batch *b, const char *name, struct buf *as, int *fd, struct err *e)
{
	*fd = openat(b->to, "tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return *fd < 0 ? err_sys(e, "create in tmp") : 0;
	buf_fmt(as, "tmp/%s", strchr(name, '/') + 1);
	unlinkat(b->to, as->s, 0); /* of a batch that was killed */
	*fd = openat(b->to, as->s, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd >= 0)
		return 0;
	err_sys(e, "create %s", as->s);
	buf_cut(as, 0);
	return e->code;
}

/* Closed before it has its name, where that can be: NFS says then that the disk is full. */
static int
name_it(const struct batch *b, int *fd, const struct buf *as, const char *name, struct err *e)
{
	int was = *fd;

	if (as->len == 0)
		return file_link(*fd, b->to, name, e);
	*fd = -1;
	if (close(was) < 0)
		return err_sys(e, "close %s", as->s);
	return linkat(b->to, as->s, b->to, name, 0) < 0 ? err_sys(e, "link %s", name) : 0;
}

static int
write_file(const struct batch *b, struct filing *f, const struct dkimcrew_item *item, struct err *e)
{
	struct buf name = BUF_INIT, as = BUF_INIT;
	const char *p;
	size_t n = 1;
	int fd, rc;

	without_sizes(item->name.s, &name);
	rc = create_in_tmp(b, name.s, &as, &fd, e);
	if (!rc)
		rc = io_write(fd, item->fields.s, item->fields.len, e);
	for (f->at = 0; !rc && n > 0 && !(rc = next_of_file(f, &p, &n, e));)
		rc = io_write(fd, p, n, e);
	if (!rc)
		rc = name_it(b, &fd, &as, name.s, e);
	if (fd >= 0 && close(fd) < 0 && !rc)
		rc = err_sys(e, "close %s", name.s);
	if (as.len)
		unlinkat(b->to, as.s, 0);
	buf_free(&name);
	buf_free(&as);
	return rc;
}

static int
sign_file(void *arg, struct dkimmsg_desk *desk, struct dkimcrew_item *item, struct err *e)
{
	const struct batch *b = arg;
	struct filing *f = mem_alloc(sizeof *f);
	int rc = 0;

	f->fd = openat(b->from, item->name.s, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (f->fd < 0)
		rc = err_sys(e, "open");
	if (!rc)
		rc = dkimmsg_ready(b->b->keys, desk, next_of_file, f, b->b->now_s, &item->msg, e);
	if (!rc)
		rc = dkimsign_make(&item->msg.ready, &item->fields, e);
	dkimsign_ready_clear(&item->msg.ready); /* nothing is left to be signed behind the load */
	if (!rc)
		rc = write_file(b, f, item, e);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
	return rc;
}

static int
file_done(void *arg, struct dkimcrew_item *item, struct err *e)
{
	bool good;

	return judge(arg, item, &good, e);
}

struct names {
	struct batch *b;
	const char *place;
	struct err *e;
};

static int
give_file(void *arg, int dir, const char *name)
{
	struct names *l = arg;
	struct dkimcrew_item *item;
	int rc;

	(void)dir;
	if (*name == '.')
		return 0;
	rc = dkimcrew_next(l->b->crew, SPOOL_MEMORY / 64, &item, l->e);
	if (!rc)
		buf_fmt(&item->name, "%s/%s", l->place, name);
	return rc;
}

static int
make_maildir(const char *path, int *fd, struct err *e)
{
	int rc = file_mkdirs(path, MAILBOX_MODE, e);

	if (!rc)
		rc = file_open_dir(AT_FDCWD, path, fd, e);
	if (!rc)
		rc = file_mkdir(*fd, "tmp", MAILBOX_MODE, e);
	if (!rc)
		rc = file_mkdir(*fd, "new", MAILBOX_MODE, e);
	return rc ? rc : file_mkdir(*fd, "cur", MAILBOX_MODE, e);
}

/* The old one; who asks for the signed messages in it would have each message twice. */
static int
open_maildir(struct batch *b, struct err *e)
{
	char *const *path = b->b->operands;
	struct stat from, to, st;

	b->from = open(path[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->from < 0)
		return errno == ENOENT ? err_set(e, EX_NOINPUT, "%s: %s", path[0], strerror(errno)) :
		    err_sys(e, "open %s", path[0]);
	if (fstatat(b->from, "new", &st, 0) < 0 || fstatat(b->from, "cur", &st, 0) < 0)
		return err_set(e, EX_NOINPUT, "%s: not a maildir: no new or no cur in it", path[0]);
	if (fstat(b->from, &from) == 0 && stat(path[1], &to) == 0 && from.st_dev == to.st_dev &&
	    from.st_ino == to.st_ino)
		return err_set(e, EX_USAGE, "%s: the new maildir is the old one", path[1]);
	return 0;
}

static int
give_files(struct batch *b, struct err *e)
{
	static const char *const places[] = {"new", "cur"};
	int rc = 0;

	for (int i = 0; !rc && i < 2; i++)
		rc = file_each(b->from, places[i], give_file, &(struct names){b, places[i], e}, e);
	return rc ? rc : dkimcrew_end(b->crew, e);
}

static int
do_maildir(struct batch *b, unsigned threads, struct err *e)
{
	struct dkimcrew_calls calls = {sign_file, file_done, NULL, b};
	int rc;

	if (b->b->n_operands != 2)
		return err_set(e, EX_USAGE, "--batch maildir: two directories, the old and the new one");
	rc = open_maildir(b, e);
	if (!rc)
		rc = make_maildir(b->b->operands[1], &b->to, e);
	if (!rc)
		rc = dkimcrew_start(&b->crew, threads, &calls, e);
	if (!rc)
		rc = give_files(b, e);
	dkimcrew_stop(b->crew);
	if (!rc && syncfs(b->to) < 0) /* whoever removes the old ones now may do so */
		rc = err_sys(e, "sync %s", b->b->operands[1]);
	if (b->from >= 0)
		close(b->from);
	if (b->to >= 0)
		close(b->to);
	return rc;
}

int
dkimbatch(const struct dkimbatch *w, struct err *e)
{
	struct batch b = {.b = w, .from = -1, .to = -1};
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned threads = w->jobs ? w->jobs : cores > 0 ? (unsigned)cores : 1;
	int rc;

	if (threads > DKIMBATCH_JOBS_MAX)
		threads = DKIMBATCH_JOBS_MAX;
	if (strcmp(w->kind, "mbox") == 0)
		rc = do_mbox(&b, threads, e);
	else if (strcmp(w->kind, "tar") == 0)
		rc = do_tar(&b, threads, e);
	else if (strcmp(w->kind, "maildir") == 0)
		rc = do_maildir(&b, threads, e);
	else
		return err_set(e, EX_USAGE, "--batch: \"%s\" is none of maildir, mbox, tar", w->kind);
	if (!rc && strcmp(w->kind, "maildir") != 0 && close(STDOUT_FILENO) < 0)
		rc = err_sys(e, "stdout: write");
	return rc ? rc : verdict(&b, e);
}
