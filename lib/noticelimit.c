#include "noticelimit.h"

#include "date.h"
#include "entry.h"
#include "file.h"
#include "hmac.h"
#include "io.h"
#include "jsonread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_NAME "notices"
#define KEY_BYTES 16
#define HOUR_DIGITS 10
#define HOUR_S 3600
#define LOCK_MS 10000 /* making a digest holds it */
#define TOLD ".told"
#define TOLD_MOST 10  /* of one hour: what came when its digest was under way has one of its own */
#define TOLD_S (30 * 86400)

/* Addresses are told apart by a digest that nobody makes collide; the domain's letters have no case. */
static void
file_name(struct span reader, uint64_t now_s, struct buf *out)
{
	unsigned char key[HMAC_SHA256_BYTES];
	char hour[HOUR_DIGITS + 1];
	struct buf name = BUF_INIT;
	const char *at = reader.n > 0 ? memrchr(reader.p, '@', reader.n) : NULL;

	buf_add(&name, reader.p, reader.n);
	for (size_t i = at ? (size_t)(at - reader.p) : reader.n; i < name.len; i++)
		name.s[i] = (char)ascii_lower((unsigned char)name.s[i]);
	hmac_sha256(SPAN("relaykit notices"), (struct span){name.s, name.len}, key);
	date_hour(hour, now_s);
	buf_fmt(out, DIR_NAME "/%s.", hour);
	for (int i = 0; i < KEY_BYTES; i++)
		buf_fmt(out, "%02x", key[i]);
	buf_free(&name);
}

/* Whether the name leads to this file still. */
static bool
has_name(int dir, const char *name, int fd)
{
	struct stat is, st;

	return fstat(fd, &is) == 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    is.st_ino == st.st_ino && is.st_dev == st.st_dev;
}

/* Open and locked.  Who made a digest of it has given it another name: then there is another. */
static int
open_locked(int state_dir, struct span reader, uint64_t now_s, int *fd, struct err *e)
{
	struct buf path = BUF_INIT;
	bool here = false;
	int rc = 0;

	*fd = -1;
	file_name(reader, now_s, &path);
	while (!rc && !here) {
		if (*fd >= 0)
			close(*fd);
		*fd = openat(state_dir, path.s, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (*fd < 0 && errno == ENOENT) {
			rc = file_mkdir(state_dir, DIR_NAME, 0700, e);
			continue;
		}
		rc = *fd < 0 ? err_sys(e, "open state/%s", path.s)
		             : file_lock_until(*fd, 0, io_now_ms() + LOCK_MS, e);
		here = !rc && has_name(state_dir, path.s, *fd);
	}
	if (rc && *fd >= 0)
		close(*fd);
	buf_free(&path);
	return rc;
}

static int
put_count(int fd, uint64_t n, struct err *e)
{
	struct buf text = BUF_INIT;
	int rc;

	buf_fmt(&text, "%010llu\n", (unsigned long long)n);
	rc = io_pwrite(fd, text.s, text.len, 0, e);
	buf_free(&text);
	return rc;
}

int
noticelimit_take(int state_dir, struct span reader, uint64_t hourly, uint64_t now_s, bool *over,
    struct err *e)
{
	char text[NOTICELIMIT_HEAD];
	uint64_t count = 0;
	size_t got = 0;
	struct cur c;
	int fd, rc = open_locked(state_dir, reader, now_s, &fd, e);

	*over = false;
	if (rc)
		return rc;
	rc = io_pread(fd, text, sizeof text, 0, &got, e);
	c = cur_of(text, got);
	if (!rc && got > 0)
		cur_u64(&c, UINT32_MAX, &count);
	*over = !rc && count >= hourly;
	if (!rc && !*over)
		rc = put_count(fd, count + 1, e);
	close(fd); /* and its lock */
	return rc;
}

static int
append(int fd, struct span lines, struct err *e)
{
	struct buf b = BUF_INIT;
	struct stat st;
	int rc = 0;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat state/" DIR_NAME);
	if (st.st_size < NOTICELIMIT_HEAD) {
		rc = put_count(fd, 0, e);
		st.st_size = NOTICELIMIT_HEAD;
	} else {
		buf_ch(&b, '\n'); /* what a crash or a full disk left behind the last one is no line */
	}
	buf_add(&b, lines.p, lines.n);
	if (!rc)
		rc = io_pwrite(fd, b.s, b.len, (uint64_t)st.st_size, e);
	buf_free(&b);
	return rc;
}

static int
sync_lines(int fd, struct err *e)
{
	return fdatasync(fd) < 0 ? err_sys(e, "sync state/" DIR_NAME) : 0;
}

int
noticelimit_add(int fd, struct span line, struct err *e)
{
	int rc = append(fd, line, e);

	return rc ? rc : sync_lines(fd, e);
}

/* A file whose name is newer than its sync must not vanish. */
static int
sync_dir(int state_dir, struct err *e)
{
	int fd, rc = file_open_dir(state_dir, DIR_NAME, &fd, e);

	if (rc)
		return rc;
	if (fsync(fd) < 0)
		rc = err_sys(e, "sync state/" DIR_NAME);
	close(fd);
	return rc;
}

static bool
id_of(struct span sealed, char id[ENTRY_ID + 1])
{
	struct cur c = cur_span(sealed);
	struct err ignored = ERR_INIT;
	struct json_doc *d = NULL;
	struct span line, v = {"", 0};

	if (journal_next(&c, &line) && json_doc_parse(&d, line, &ignored) == 0)
		v = json_get_str(json_doc_root(d), "id");
	if (v.n == ENTRY_ID)
		snprintf(id, ENTRY_ID + 1, "%.*s", SPAN_ARG(v));
	err_free(&ignored);
	json_doc_free(d);
	return v.n == ENTRY_ID;
}

/* Whether one of its whole lines has that id. */
static int
has_id(int fd, const char *id, bool *found, struct err *e)
{
	struct stat st;
	struct cur c;
	char *map;
	size_t n;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat state/" DIR_NAME);
	n = (size_t)st.st_size;
	map = n > 0 ? mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0) : NULL;
	if (map == MAP_FAILED)
		return err_sys(e, "map state/" DIR_NAME);
	c = cur_of(map, n);
	while (!*found && !cur_end(&c)) {
		const char *start = c.p, *lf = memchr(start, '\n', (size_t)(c.end - start));
		char is[ENTRY_ID + 1];
		struct span line;

		c.p = lf ? lf + 1 : c.end;
		line = (struct span){start, (size_t)(c.p - start)};
		*found = memmem(line.p, line.n, id, ENTRY_ID) && id_of(line, is) && strcmp(is, id) == 0;
	}
	if (map)
		munmap(map, n);
	return 0;
}

static void
told_name(struct buf *out, const char *path, int i)
{
	buf_cut(out, 0);
	buf_fmt(out, "%s" TOLD, path);
	if (i > 0)
		buf_fmt(out, "%d", i);
}

/* Whether a digest has it already: we died before we could write that down. */
static int
is_told(int state_dir, struct span reader, uint64_t at_s, struct span line, bool *told, struct err *e)
{
	struct buf path = BUF_INIT, name = BUF_INIT;
	char id[ENTRY_ID + 1];
	int rc = 0, fd = 0;

	*told = false;
	file_name(reader, at_s, &path);
	for (int i = 0; i < TOLD_MOST && !rc && !*told && fd >= 0; i++) {
		told_name(&name, path.s, i);
		fd = openat(state_dir, name.s, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 && errno != ENOENT)
			rc = err_sys(e, "open state/%s", name.s);
		if (fd < 0)
			break;
		if (id_of(line, id))
			rc = has_id(fd, id, told, e);
		close(fd);
	}
	buf_free(&path);
	buf_free(&name);
	return rc;
}

static int
keep(int state_dir, struct span reader, uint64_t at_s, struct span line, struct err *e)
{
	int fd, rc = open_locked(state_dir, reader, at_s, &fd, e);
	bool keeps, told = false;

	if (rc)
		return rc;
	/* With the lock: a digest that is being made has its other name before we get that. */
	rc = is_told(state_dir, reader, at_s, line, &told, e);
	if (!rc && !told)
		rc = append(fd, line, e);
	/* Many wait for the disk together. Who makes a digest of it meanwhile has read the line. */
	file_unlock_byte(fd, 0);
	if (!rc && !told)
		rc = sync_lines(fd, e);
	keeps = file_sync_keeps_name(fd);
	close(fd);
	return rc || keeps ? rc : sync_dir(state_dir, e);
}

int
noticelimit_keep(int state_dir, struct span reader, uint64_t at_s, struct span line, struct err *e)
{
	int rc = keep(state_dir, reader, at_s, line, e);

	return rc ? err_in(e, "digest") : 0;
}

/* --- digests */

struct due {
	uint64_t now_s;
	noticelimit_each *each;
	void *arg;
	struct err *e;    /* of the file at hand */
	struct err first; /* of all */
};

/* By a name that tells it; with none left it goes. */
static int
set_told(int dir, const char *name, struct err *e)
{
	struct buf other = BUF_INIT;
	int rc = -1;

	for (int i = 0; i < TOLD_MOST && rc < 0; i++) {
		told_name(&other, name, i);
		rc = file_rename(dir, name, other.s);
		if (rc < 0 && errno != EEXIST)
			break;
	}
	if (rc < 0 && errno == EEXIST)
		rc = unlinkat(dir, name, 0);
	buf_free(&other);
	return rc < 0 && errno != ENOENT ? err_sys(e, "rename state/" DIR_NAME "/%s", name) : 0;
}

/* Its hour is over. */
static int
finish_file(struct due *d, int dir, const char *name)
{
	struct stat st;
	bool busy = false;
	int rc, fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(d->e, "open state/" DIR_NAME "/%s", name);
	rc = file_lock_byte(fd, 0, &busy, d->e);
	if (!rc && !busy && fstat(fd, &st) < 0)
		rc = err_sys(d->e, "stat state/" DIR_NAME "/%s", name);
	if (!rc && !busy && has_name(dir, name, fd)) {
		bool lines = st.st_size > NOTICELIMIT_HEAD;

		rc = lines ? d->each(d->arg, fd, d->e) : 0;
		if (!rc && lines)
			rc = set_told(dir, name, d->e);
		else if (!rc && unlinkat(dir, name, 0) < 0 && errno != ENOENT)
			rc = err_sys(d->e, "remove state/" DIR_NAME "/%s", name);
	}
	close(fd);
	return rc;
}

static int
one_file(struct due *d, int dir, const char *name)
{
	uint64_t hour;

	if (strlen(name) < HOUR_DIGITS || !date_hour_parse((struct span){name, HOUR_DIGITS}, &hour))
		return 0;
	if (strstr(name, TOLD)) {
		if ((hour + TOLD_S < d->now_s || hour > d->now_s + TOLD_S) && unlinkat(dir, name, 0) < 0 && errno != ENOENT)
			return err_sys(d->e, "remove state/" DIR_NAME "/%s", name);
		return 0;
	}
	/* An hour that has not come is one of a clock that was wrong. */
	return hour + HOUR_S > d->now_s && hour <= d->now_s + HOUR_S ? 0 : finish_file(d, dir, name);
}

/* One that cannot be finished keeps no other waiting. */
static int
on_file(void *arg, int dir, const char *name)
{
	struct due *d = arg;
	struct err mine = ERR_INIT;

	d->e = &mine;
	if (one_file(d, dir, name) && !d->first.code) {
		d->first = mine;
		mine = (struct err)ERR_INIT;
	}
	err_free(&mine);
	return 0;
}

int
noticelimit_due(int state_dir, uint64_t now_s, noticelimit_each *each, void *arg, struct err *e)
{
	struct due d = {.now_s = now_s, .each = each, .arg = arg, .first = ERR_INIT};
	int rc = file_each(state_dir, DIR_NAME, on_file, &d, e);

	if (!rc && d.first.code)
		rc = err_set(e, d.first.code, "%s", err_text(&d.first));
	err_free(&d.first);
	return rc;
}
