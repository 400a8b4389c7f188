#include "paged.h"

#include "buf.h"
#include "file.h"
#include "hex.h"
#include "io.h"
#include "siphash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE 0600
#define MAGIC "relaykit table 1 pages "
#define ANY_MAGIC "relaykit table " /* and which, then a blank */
#define PAGES_DIGITS 10
#define PAGES_MAX 9999999999ULL
#define FILL_PERCENT 40   /* of the pages of a file that is made anew */
#define LINES_MAX (PAGED_BYTES / 4)
#define ROOM PAGEDLINE_ROOM
#define GROW_TRIES 40     /* 1.5 to that: what does not fit then is no matter of luck */

struct paged {
	int dir, fd, lock;
	char *name;
	struct paged_kind kind;
	bool write, locked, dirty;
	uint64_t pages;
	unsigned char seed[SIPHASH_KEY_BYTES];
	ino_t ino;
	dev_t dev;
	char page[PAGED_BYTES];
};

static const char *
name_with(const struct paged *t, struct buf *b, const char *tail)
{
	buf_cut(b, 0);
	buf_fmt(b, "%s%s", t->name, tail);
	return b->s;
}

static uint64_t
hash_of(const struct paged *t, struct span key)
{
	return siphash(t->seed, key);
}

/* In the order of the hashes, so that a file with more pages has its lines in the same order. */
static uint64_t
page_of(uint64_t hash, uint64_t pages)
{
	return (uint64_t)((unsigned __int128)hash * pages >> 64);
}

/* --- the file's head */

static void
put_head(const struct paged *t, uint64_t pages, char page[PAGED_BYTES])
{
	struct buf b = BUF_INIT;
	struct span about = span_of(t->kind.about);

	buf_fmt(&b, MAGIC "%0*llu seed ", PAGES_DIGITS, (unsigned long long)pages);
	hex_put(&b, t->seed, sizeof t->seed);
	pagedline_put_check(&b, 0, " check ");
	if (about.n < ROOM - b.len)
		buf_add(&b, about.p, about.n);
	memset(page, ' ', PAGED_BYTES);
	memcpy(page, b.s, b.len);
	page[ROOM] = '\n';
	buf_free(&b);
}

static bool
get_head(struct cur c, uint64_t *pages, unsigned char *seed)
{
	struct span all = cur_rest(&c), digits, body;

	if (!cur_lit(&c, MAGIC))
		return false;
	digits = cur_take(&c, PAGES_DIGITS);
	if (!cur_lit(&c, " seed ") || !hex_get(cur_take(&c, 2 * SIPHASH_KEY_BYTES), seed, SIPHASH_KEY_BYTES))
		return false;
	body = (struct span){all.p, (size_t)(c.p - all.p)};
	if (!cur_lit(&c, " check ") || !pagedline_check(body, cur_take(&c, 2 * (size_t)PAGEDLINE_CRC)))
		return false;
	c = cur_span(digits);
	return cur_u64(&c, PAGES_MAX, pages) && cur_end(&c) && *pages > 0;
}

static int
read_head(struct paged *t, struct err *e)
{
	struct stat st;
	size_t got;
	int rc = io_pread(t->fd, t->page, PAGED_BYTES, 0, &got, e);

	if (!rc && fstat(t->fd, &st) < 0)
		rc = err_sys(e, "stat");
	if (rc)
		return rc;
	if (!get_head(cur_of(t->page, got), &t->pages, t->seed))
		return err_set(e, EX_CONFIG, "not a table of ours");
	if ((uint64_t)st.st_size / PAGED_BYTES < t->pages + 1)
		return err_set(e, EX_CONFIG, "it is cut short: %llu pages are missing",
		    (unsigned long long)(t->pages + 1 - (uint64_t)st.st_size / PAGED_BYTES));
	t->ino = st.st_ino;
	t->dev = st.st_dev;
	return 0;
}

/* The file that has the name now. */
static int
open_file(struct paged *t, struct err *e)
{
	int rc;

	if (t->fd >= 0)
		close(t->fd);
	t->fd = openat(t->dir, t->name, (t->write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
	if (t->fd < 0 && errno == ENOENT)
		return err_set(e, EX_NOINPUT, "%s: not there", t->name);
	rc = t->fd < 0 ? err_sys(e, "open") : read_head(t, e);
	return rc ? err_in(e, "%s", t->name) : 0;
}

static int
refresh(struct paged *t, struct err *e)
{
	struct stat st;

	if (t->locked || (fstatat(t->dir, t->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == t->ino &&
	    st.st_dev == t->dev))
		return 0;
	return open_file(t, e);
}

/* --- made anew */

struct moving { /* a line on its way to the new file */
	uint64_t hash;
	struct paged_line line;
	size_t at;
};

struct anew {
	struct paged *t;
	int fd;
	uint64_t pages, now;  /* the page that is being filled */
	struct buf page;      /* its lines */
	struct buf image;
	bool full;            /* one was: more of them are needed */
	uint64_t whole;       /* lines there were, living or not */
	bool hurt;            /* and some that were not whole */
};

/* Writes the pages up to, without, this one: the one at hand, and empty ones. */
static int
flush_to(struct anew *a, uint64_t page, struct err *e)
{
	int rc = 0;

	for (; a->now < page && !rc; a->now++) {
		char *p = buf_room(&a->image, PAGED_BYTES);

		memset(p, ' ', PAGED_BYTES);
		memcpy(p, a->page.s, a->page.len);
		p[ROOM] = '\n';
		buf_grew(&a->image, PAGED_BYTES);
		buf_cut(&a->page, 0);
		if (a->image.len >= 64 * PAGED_BYTES || a->now + 1 == a->pages) {
			rc = io_write(a->fd, a->image.s, a->image.len, e);
			buf_cut(&a->image, 0);
		}
	}
	return rc;
}

static int
by_hash(const void *x, const void *y)
{
	const struct moving *a = x, *b = y;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at; /* lines of a key keep their order */
}

/* The living lines of a page to theirs. */
static int
move_page(struct anew *a, const char *page, struct err *e)
{
	struct cur c = cur_of(page, PAGED_BYTES), again = c;
	struct paged_line v[LINES_MAX];
	struct moving m[LINES_MAX];
	size_t n = 0, k = 0;
	int rc = 0;

	a->hurt |= paged_next_hurt(&again, v);
	while (n < LINES_MAX && paged_next(&c, &v[n]))
		n++;
	a->whole += n;
	for (size_t i = 0; i < n; i++)
		if (!a->t->kind.dead || !a->t->kind.dead(a->t->kind.arg, v, n, i))
			m[k++] = (struct moving){hash_of(a->t, v[i].key), v[i], i};
	if (k > 1)
		qsort(m, k, sizeof *m, by_hash);
	for (size_t i = 0; i < k && !rc && !a->full; i++) {
		rc = flush_to(a, page_of(m[i].hash, a->pages), e);
		pagedline_put(&a->page, &m[i].line);
		a->full = a->page.len > ROOM;
	}
	return rc;
}

/* Into the new file, which is empty; a->full: it is too small. */
static int
fill(struct anew *a, struct err *e)
{
	struct paged *t = a->t;
	char head[PAGED_BYTES];
	size_t got;
	int rc;

	a->now = a->whole = 0;
	a->full = a->hurt = false;
	buf_cut(&a->page, 0);
	buf_cut(&a->image, 0);
	if (ftruncate(a->fd, 0) < 0 || lseek(a->fd, 0, SEEK_SET) < 0)
		return err_sys(e, "truncate");
	put_head(t, a->pages, head);
	rc = io_write(a->fd, head, PAGED_BYTES, e);
	for (uint64_t i = 1; i <= t->pages && t->fd >= 0 && !rc && !a->full; i++) {
		rc = io_pread(t->fd, t->page, PAGED_BYTES, i * PAGED_BYTES, &got, e);
		if (!rc && got == PAGED_BYTES)
			rc = move_page(a, t->page, e);
	}
	return rc || a->full ? rc : flush_to(a, a->pages, e);
}

/* The damaged one keeps its lines under another name, in case somebody can do more. */
static int
keep_damaged(const struct paged *t, struct err *e)
{
	struct buf kept = BUF_INIT;
	int rc = 0;

	name_with(t, &kept, ".damaged");
	if (unlinkat(t->dir, kept.s, 0) < 0 && errno != ENOENT)
		rc = err_sys(e, "remove %s", kept.s);
	if (!rc && linkat(t->dir, t->name, t->dir, kept.s, 0) < 0)
		rc = err_sys(e, "link %s", kept.s);
	buf_free(&kept);
	return rc;
}

static int
tell_damaged(const struct paged *t, uint64_t whole, struct err *e)
{
	return err_set(e, EX_TEMPFAIL, "%s was damaged: it is made anew of the %llu lines that were whole, and what it "
	    "was is %s.damaged", t->name, (unsigned long long)whole, t->name);
}

/* Takes the name, when all of it is on stable storage. */
static int
take_name(struct paged *t, const char *tmp, int fd, struct err *e)
{
	if (fsync(fd) < 0)
		return err_sys(e, "fsync %s", tmp);
	if (renameat(t->dir, tmp, t->dir, t->name) < 0)
		return err_sys(e, "rename %s", tmp);
	t->dirty = true; /* the name */
	return open_file(t, e);
}

static int
make_anew(struct paged *t, uint64_t bytes, struct err *e)
{
	struct anew a = {.t = t, .page = BUF_INIT, .image = BUF_INIT,
	    .pages = bytes / (PAGED_BYTES * FILL_PERCENT / 100) + 1};
	struct buf tmp = BUF_INIT;
	int rc = 0;

	name_with(t, &tmp, ".new"); /* one name, under the lock: what a crash leaves the next one takes */
	a.fd = openat(t->dir, tmp.s, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, MODE);
	if (a.fd < 0)
		rc = err_sys(e, "create %s", tmp.s);
	a.full = true;
	for (int i = 0; a.full && !rc; i++, a.pages += a.pages / 2 + 1) {
		if (i == GROW_TRIES || a.pages > PAGES_MAX)
			rc = err_set(e, EX_SOFTWARE, "%s: it cannot be spread over pages", t->name);
		else
			rc = fill(&a, e);
		if (!a.full)
			break;
	}
	if (!rc && a.hurt)
		rc = keep_damaged(t, e);
	if (!rc)
		rc = take_name(t, tmp.s, a.fd, e);
	if (rc && a.fd >= 0)
		unlinkat(t->dir, tmp.s, 0);
	if (!rc && a.hurt)
		rc = tell_damaged(t, a.whole, e);
	if (a.fd >= 0)
		close(a.fd);
	buf_free(&a.page);
	buf_free(&a.image);
	buf_free(&tmp);
	return rc;
}

static size_t
line_bytes(const struct paged_line *l)
{
	return l->key.n + l->value.n + 3 + 2 * (size_t)PAGEDLINE_CRC;
}

/* Bytes of lines that live. */
struct sum {
	struct paged *t;
	uint64_t bytes;
};

static int
add_up(void *arg, const struct paged_line *v, size_t n, size_t i, struct err *e)
{
	struct sum *s = arg;
	const struct paged_kind *k = &s->t->kind;

	(void)e;
	if (!k->dead || !k->dead(k->arg, v, n, i))
		s->bytes += line_bytes(&v[i]);
	return 0;
}

int
paged_reserve(struct paged *t, uint64_t bytes, struct err *e)
{
	struct sum s = {t, bytes};
	int rc = paged_each(t, add_up, &s, e);

	if (rc || (bytes > 0 && s.bytes / (PAGED_BYTES * FILL_PERCENT / 100) <= t->pages))
		return rc;
	return make_anew(t, s.bytes, e);
}

int
paged_tidy(struct paged *t, struct err *e)
{
	return paged_reserve(t, 0, e);
}

/* --- opening */

static void
new_seed(struct paged *t)
{
	for (size_t i = 0; i < sizeof t->seed; i += sizeof(uint64_t)) {
		uint64_t v = io_random();

		memcpy(t->seed + i, &v, sizeof v);
	}
}

/* --- what is damaged */

/* A table of another version, or no table at all, is not ours to touch. */
static bool
may_mend(struct paged *t, struct err *e)
{
	struct cur c = cur_of(t->page, sizeof t->page);
	struct sum whole = {t, 0};
	struct stat st;

	if (cur_lit(&c, ANY_MAGIC) && !cur_lit(&c, "1 ") && cur_while(&c, is_digit).n > 0)
		return false;
	if (fstat(t->fd, &st) < 0 || st.st_size == 0)
		return false;
	t->pages = ((uint64_t)st.st_size - 1) / PAGED_BYTES; /* without the head; the last may be cut */
	return paged_each(t, add_up, &whole, e) == 0 && whole.bytes > 0;
}

struct copying {
	struct paged *to;
	uint64_t n;
};

static int
copy_line(void *arg, const struct paged_line *v, size_t n, size_t i, struct err *e)
{
	struct copying *c = arg;

	(void)n;
	c->n++;
	return paged_add(c->to, v[i].key, v[i].value, e);
}

/* With the lock held, its head not to be believed: a table beside it gets the lines that are whole, and then
 * its name.  EX_TEMPFAIL: it is whole now, and that is to be told. */
static int
mend(struct paged *t, struct err *e)
{
	struct paged *n = mem_alloc(sizeof *n);
	struct copying c = {n, 0};
	struct buf name = BUF_INIT;
	int rc;

	name_with(t, &name, ".saved");
	*n = (struct paged){.dir = t->dir, .fd = -1, .lock = -1, .name = name.s, .kind = t->kind,
	    .write = true, .locked = true};
	new_seed(n);
	rc = make_anew(n, t->pages * PAGED_BYTES * FILL_PERCENT / 100, e);
	if (!rc)
		rc = paged_each(t, copy_line, &c, e);
	if (!rc && fsync(n->fd) < 0)
		rc = err_sys(e, "fsync %s", n->name);
	if (!rc)
		rc = keep_damaged(t, e);
	if (!rc && renameat(t->dir, n->name, t->dir, t->name) < 0)
		rc = err_sys(e, "rename %s", n->name);
	if (!rc && fsync(t->dir) < 0)
		rc = err_sys(e, "fsync its directory");
	if (!rc)
		rc = tell_damaged(t, c.n, e);
	if (n->fd >= 0)
		close(n->fd);
	free(n);
	buf_free(&name);
	return rc;
}

/* What is damaged keeps nothing but itself from being known. */
static int
lock_or_mend(struct paged *t, struct err *e)
{
	struct err ignored = ERR_INIT;
	int rc = paged_lock(t, e);

	if (rc != EX_CONFIG)
		return rc;
	/* Nobody has mended it meanwhile, under the same lock. */
	rc = file_lock_until(t->lock, 0, io_now_ms() + PAGED_LOCK_MS, &ignored);
	t->locked = rc == 0;
	if (!rc)
		rc = open_file(t, &ignored);
	if (rc == EX_CONFIG && may_mend(t, &ignored)) {
		err_free(e);
		rc = mend(t, e);
	} else if (!rc) {
		err_free(e);
	} else {
		rc = e->code;
	}
	err_free(&ignored);
	return rc;
}

static int
open_to_write(struct paged *t, struct err *e)
{
	struct buf name = BUF_INIT;
	int rc = 0;

	name_with(t, &name, ".lock");
	t->lock = openat(t->dir, name.s, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, MODE);
	if (t->lock < 0)
		rc = err_sys(e, "open %s", name.s);
	buf_free(&name);
	if (!rc)
		rc = lock_or_mend(t, e);
	paged_unlock(t);
	return rc;
}

int
paged_open(struct paged **out, int dir, const char *name, const struct paged_kind *k, bool write,
    struct err *e)
{
	struct paged *t = mem_alloc(sizeof *t);
	int rc = 0;

	*t = (struct paged){.fd = -1, .lock = -1, .name = mem_dup(name, strlen(name)), .kind = *k,
	    .write = write};
	t->dir = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	if (t->dir < 0)
		rc = err_sys(e, "directory of %s", name);
	if (!rc)
		rc = write ? open_to_write(t, e) : open_file(t, e);
	if (rc) {
		paged_close(t);
		t = NULL;
	}
	*out = t;
	return rc;
}

void
paged_close(struct paged *t)
{
	if (!t)
		return;
	if (t->fd >= 0)
		close(t->fd);
	if (t->lock >= 0)
		close(t->lock);
	if (t->dir >= 0)
		close(t->dir);
	free(t->name);
	free(t);
}

/* --- looking */

int
paged_page(struct paged *t, struct span key, struct cur *page, struct err *e)
{
	size_t got = 0;
	int rc = refresh(t, e);

	*page = cur_of(t->page, 0);
	if (!rc)
		rc = io_pread(t->fd, t->page, PAGED_BYTES,
		    (1 + page_of(hash_of(t, key), t->pages)) * PAGED_BYTES, &got, e);
	if (!rc)
		*page = cur_of(t->page, got);
	return rc ? err_in(e, "%s", t->name) : 0;
}

static int
each_by(struct paged *t, bool (*next)(struct cur *, struct paged_line *), paged_each_line *each, void *arg,
    struct err *e)
{
	struct paged_line v[LINES_MAX];
	char page[PAGED_BYTES]; /* the caller may look something up */
	int rc = refresh(t, e), fd = rc ? -1 : fcntl(t->fd, F_DUPFD_CLOEXEC, 3);
	uint64_t pages = t->pages;
	size_t got;

	if (!rc && fd < 0)
		rc = err_sys(e, "%s", t->name);
	for (uint64_t p = 1; p <= pages && !rc; p++) {
		struct cur c;
		size_t n = 0;

		rc = io_pread(fd, page, PAGED_BYTES, p * PAGED_BYTES, &got, e);
		c = cur_of(page, rc ? 0 : got);
		while (n < LINES_MAX && next(&c, &v[n]))
			n++;
		for (size_t i = 0; i < n && !rc; i++)
			rc = each(arg, v, n, i, e);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

int
paged_each(struct paged *t, paged_each_line *each, void *arg, struct err *e)
{
	return each_by(t, paged_next, each, arg, e);
}

int
paged_each_hurt(struct paged *t, paged_each_line *each, void *arg, struct err *e)
{
	return each_by(t, paged_next_hurt, each, arg, e);
}

/* --- writing */

int
paged_lock(struct paged *t, struct err *e)
{
	int rc = file_lock_until(t->lock, 0, io_now_ms() + PAGED_LOCK_MS, e);

	if (rc)
		return err_in(e, "%s", t->name);
	rc = refresh(t, e);
	t->locked = true;
	if (rc == EX_NOINPUT) { /* the first */
		err_free(e);
		t->fd = -1;
		t->pages = 0;
		new_seed(t);
		rc = make_anew(t, 0, e);
	}
	if (rc)
		paged_unlock(t);
	return rc;
}

void
paged_unlock(struct paged *t)
{
	t->locked = false;
	if (t->lock >= 0)
		file_unlock_byte(t->lock, 0);
}

/* From its place to the end of the page: what a torn write may have left there goes. */
static int
write_line(struct paged *t, uint64_t page, size_t used, const struct buf *line, struct err *e)
{
	memcpy(t->page + used, line->s, line->len);
	memset(t->page + used + line->len, ' ', ROOM - used - line->len);
	t->page[ROOM] = '\n';
	t->dirty = true;
	return io_pwrite(t->fd, t->page + used, PAGED_BYTES - used, page * PAGED_BYTES + used, e);
}

/* Of the lines of one key, which no number of pages tells apart. */
static size_t
bytes_of(struct cur page, struct span key)
{
	struct paged_line l;
	size_t n = 0;

	while (paged_next_of(&page, key, &l))
		n += line_bytes(&l);
	return n;
}

int
paged_add(struct paged *t, struct span key, struct span value, struct err *e)
{
	struct paged_line l = {key, value};
	struct buf line = BUF_INIT;
	int rc = 0;

	pagedline_put(&line, &l);
	if (!pagedline_clean(key, false) || !pagedline_clean(value, true))
		rc = err_set(e, EX_DATAERR, "a control character in a line for %s", t->name);
	else if (line.len > PAGED_LINE_MAX)
		rc = err_set(e, EX_DATAERR, "a line over %d bytes for %s", PAGED_LINE_MAX, t->name);
	for (bool done = false; !rc && !done;) {
		uint64_t page = 1 + page_of(hash_of(t, key), t->pages);
		struct cur c;
		size_t used;

		rc = paged_page(t, key, &c, e);
		used = pagedline_used(t->page);
		done = used + line.len <= ROOM;
		if (rc)
			break;
		/* Some room more than what there is: the page may be full of what lives. */
		rc = done ? write_line(t, page, used, &line, e) : paged_reserve(t, 0, e);
		if (!rc && !done) {
			rc = paged_page(t, key, &c, e);
			if (!rc && bytes_of(c, key) + line.len > ROOM)
				rc = err_set(e, EX_CANTCREAT, "%s: no room for one more line of one key", t->name);
			else if (!rc && pagedline_used(t->page) + line.len > ROOM)
				rc = make_anew(t, t->pages * PAGED_BYTES * 3 / 5, e);
		}
	}
	buf_free(&line);
	return rc;
}

int
paged_sync(struct paged *t, struct err *e)
{
	if (!t->dirty)
		return 0;
	t->dirty = false;
	if (fsync(t->fd) < 0 || (!file_sync_keeps_name(t->fd) && fsync(t->dir) < 0)) {
		t->dirty = true;
		return err_sys(e, "fsync %s", t->name);
	}
	return 0;
}
