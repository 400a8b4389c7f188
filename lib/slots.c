#include "slots.h"

#include "buf.h"
#include "file.h"
#include "io.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PACE_BYTE 0
#define FIRST_SLOT 1
#define LINE_BYTES 512
#define STAMP_BYTES 20
#define MINUTE_US 60000000U
#define SECOND_US 1000000U

int
slots_open(struct slots *s, int state_dir, const char *site, struct err *e)
{
	struct buf path = BUF_INIT;

	*s = (struct slots)SLOTS_INIT;
	buf_fmt(&path, "sites/%s", site);
	s->fd = openat(state_dir, path.s, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	buf_free(&path);
	return s->fd < 0 ? err_sys(e, "open state/sites/%s", site) : 0;
}

bool
slots_known(int state_dir, const char *site)
{
	struct buf path = BUF_INIT;
	bool there;

	buf_fmt(&path, "sites/%s", site);
	there = faccessat(state_dir, path.s, F_OK, 0) == 0;
	buf_free(&path);
	return there;
}

void
slots_close(struct slots *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->held);
	*s = (struct slots)SLOTS_INIT;
}

bool
slots_take(struct slots *s, uint32_t limit, uint32_t *which)
{
	struct err e = ERR_INIT;

	if (limit > s->n) {
		s->held = mem_grow(s->held, limit, sizeof *s->held);
		memset(s->held + s->n, 0, limit - s->n);
		s->n = limit;
	}
	for (uint32_t i = 0; i < limit; i++) {
		bool busy = false;

		if (s->held[i])
			continue;
		if (file_lock_byte(s->fd, FIRST_SLOT + i, &busy, &e)) {
			err_free(&e); /* no locks here: then every process keeps to the limit alone */
			busy = false;
		}
		if (busy)
			continue;
		s->held[i] = true;
		*which = i;
		return true;
	}
	return false;
}

void
slots_give(struct slots *s, uint32_t which)
{
	s->held[which] = false;
	file_unlock_byte(s->fd, FIRST_SLOT + which);
}

static int
lock_pace(int fd, bool *busy, struct err *e)
{
	int rc = file_lock_byte(fd, PACE_BYTE, busy, e);

	for (int i = 0; i < SLOTS_LOCK_MS && !rc && *busy; i++) {
		nanosleep(&(struct timespec){0, 1000000}, NULL);
		rc = file_lock_byte(fd, PACE_BYTE, busy, e);
	}
	return rc;
}

bool
slots_load(struct slots *s, struct pace *p, int64_t now_ms)
{
	char line[LINE_BYTES];
	struct err e = ERR_INIT;
	struct stat st;
	bool busy, known = false;
	size_t got = 0;

	/* Without the lock the line may be half another: pace_parse knows its own. */
	if (lock_pace(s->fd, &busy, &e) == 0 &&
	    io_pread(s->fd, line, sizeof line, 0, &got, &e) == 0 && got > 0 && fstat(s->fd, &st) == 0) {
		struct cur c = cur_of(line, got);
		struct span first;
		time_t age = time(NULL) - st.st_mtime;

		/* "closed for" counts from when it was written. */
		if (cur_line(&c, &first))
			known = pace_parse(p, first, now_ms - (age > 0 ? (int64_t)age * 1000 : 0));
	}
	file_unlock_byte(s->fd, PACE_BYTE);
	err_free(&e);
	return known;
}

int
slots_save(struct slots *s, const struct pace *p, int64_t now_ms, struct err *e)
{
	struct buf line = BUF_INIT;
	bool busy;
	int rc;

	pace_text(p, now_ms, &line);
	buf_ch(&line, '\n');
	rc = lock_pace(s->fd, &busy, e);
	if (!rc && busy)
		rc = err_set(e, EX_TEMPFAIL, "state of a site: locked by another run");
	if (!rc)
		rc = io_pwrite(s->fd, line.s, line.len, 0, e);
	if (!rc && ftruncate(s->fd, (off_t)line.len) < 0)
		rc = err_sys(e, "state of a site");
	file_unlock_byte(s->fd, PACE_BYTE);
	buf_free(&line);
	return rc;
}

/* The stamp as it was, 0 where there is none. */
static uint64_t
read_stamp(int fd, struct err *e)
{
	char text[STAMP_BYTES];
	uint64_t us = 0;
	size_t got = 0;
	struct cur c;

	if (io_pread(fd, text, sizeof text, 0, &got, e) || got < sizeof text)
		return 0;
	c = cur_of(text, got);
	return cur_u64(&c, UINT64_MAX / 2, &us) && cur_end(&c) ? us : 0;
}

/* The generic cell rate algorithm: a stamp moves on by the time of one message, from now at least,
 * and a message may be early by what goes at once. */
static uint64_t
count_one(uint64_t *stamp, uint32_t rate, uint64_t now_us)
{
	uint64_t one = (MINUTE_US + rate - 1) / rate;
	uint64_t early = one < SECOND_US ? SECOND_US - one : 0;

	if (*stamp > now_us + early + one)
		*stamp = 0; /* from before the clock was set back */
	if (*stamp > now_us + early)
		return *stamp - early - now_us;
	*stamp = (*stamp > now_us ? *stamp : now_us) + one;
	return 0;
}

int
slots_rate(int state_dir, const char *site, uint32_t rate_per_min, uint64_t now_us,
    uint64_t *wait_us, struct err *e)
{
	struct buf b = BUF_INIT;
	uint64_t stamp;
	bool busy;
	int fd, rc;

	*wait_us = 0;
	buf_fmt(&b, "sites/%s,rate", site);
	fd = openat(state_dir, b.s, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	buf_cut(&b, 0);
	if (fd < 0) {
		buf_free(&b);
		return err_sys(e, "open state/sites/%s,rate", site);
	}
	rc = lock_pace(fd, &busy, e);
	if (!rc && busy)
		rc = err_set(e, EX_TEMPFAIL, "state of a site: locked by another run");
	if (!rc) {
		stamp = read_stamp(fd, e);
		*wait_us = count_one(&stamp, rate_per_min, now_us);
		buf_fmt(&b, "%0*llu\n", STAMP_BYTES, (unsigned long long)stamp);
		if (*wait_us == 0)
			rc = io_pwrite(fd, b.s, b.len, 0, e);
	}
	close(fd); /* and its lock */
	buf_free(&b);
	return rc;
}
