#include "noticelimit.h"

#include "date.h"
#include "file.h"
#include "hmac.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_NAME "notices"
#define KEY_BYTES 16
#define HOUR_DIGITS 10
#define HOUR_S 3600
#define LOCK_MS 10000 /* making a digest holds it */

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

/* Open and locked.  Who made a digest of it has removed it: then there is another. */
static int
open_locked(int state_dir, struct span reader, uint64_t now_s, int *fd, struct err *e)
{
	struct buf path = BUF_INIT;
	struct stat st = {.st_nlink = 0};
	int rc = 0;

	*fd = -1;
	file_name(reader, now_s, &path);
	while (!rc && st.st_nlink == 0) {
		if (*fd >= 0)
			close(*fd);
		*fd = openat(state_dir, path.s, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (*fd < 0 && errno == ENOENT) {
			rc = file_mkdir(state_dir, DIR_NAME, 0700, e);
			continue;
		}
		rc = *fd < 0 ? err_sys(e, "open state/%s", path.s)
		             : file_lock_until(*fd, 0, io_now_ms() + LOCK_MS, e);
		if (!rc && fstat(*fd, &st) < 0)
			rc = err_sys(e, "stat state/%s", path.s);
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

int
noticelimit_keep(int state_dir, struct span reader, uint64_t now_s, struct span lines, struct err *e)
{
	int fd, rc = open_locked(state_dir, reader, now_s, &fd, e);
	bool keeps;

	if (rc)
		return rc;
	rc = append(fd, lines, e);
	/* Many wait for the disk together. Who makes a digest of it meanwhile has read the line. */
	file_unlock_byte(fd, 0);
	if (!rc)
		rc = sync_lines(fd, e);
	keeps = file_sync_keeps_name(fd);
	close(fd);
	if (!rc && !keeps)
		rc = sync_dir(state_dir, e);
	return rc ? err_in(e, "digest") : 0;
}

/* --- digests */

struct due {
	uint64_t now_s;
	noticelimit_each *each;
	void *arg;
	struct err *e;
};

static int
on_file(void *arg, int dir, const char *name)
{
	struct due *d = arg;
	struct stat st;
	uint64_t hour;
	bool busy = false;
	int fd, rc;

	/* An hour that has not come is one of a clock that was wrong. */
	if (strlen(name) < HOUR_DIGITS || !date_hour_parse((struct span){name, HOUR_DIGITS}, &hour) ||
	    (hour + HOUR_S > d->now_s && hour <= d->now_s + HOUR_S))
		return 0;
	fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(d->e, "open state/" DIR_NAME "/%s", name);
	rc = file_lock_byte(fd, 0, &busy, d->e);
	if (!rc && !busy && fstat(fd, &st) < 0)
		rc = err_sys(d->e, "stat state/" DIR_NAME "/%s", name);
	if (!rc && !busy && st.st_nlink > 0) {
		rc = st.st_size > NOTICELIMIT_HEAD ? d->each(d->arg, fd, d->e) : 0;
		if (!rc && unlinkat(dir, name, 0) < 0 && errno != ENOENT)
			rc = err_sys(d->e, "remove state/" DIR_NAME "/%s", name);
	}
	close(fd);
	return rc;
}

int
noticelimit_due(int state_dir, uint64_t now_s, noticelimit_each *each, void *arg, struct err *e)
{
	struct due d = {now_s, each, arg, e};

	return file_each(state_dir, DIR_NAME, on_file, &d, e);
}
