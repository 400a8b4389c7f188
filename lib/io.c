#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define SLURP_STEP 65536
#define POLL_MAX_MS 3600000

int64_t
io_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t
io_time_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t
io_random(void)
{
	uint64_t v;

	/* 8 bytes are never short.  A kernel or a filter that refuses them is no place to make
	 * names that nobody may guess. */
	while (getrandom(&v, sizeof v, 0) != (ssize_t)sizeof v)
		if (errno != EINTR)
			abort();
	return v;
}

/* The one error that says what was named, and not how the machine is. */
static int
read_failed(struct err *e)
{
	return errno == EISDIR ? err_set(e, EX_NOINPUT, "it is a directory") : err_sys(e, "read");
}

int
io_read(int fd, void *p, size_t n, size_t *got, struct err *e)
{
	ssize_t r;

	do
		r = read(fd, p, n);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return read_failed(e);
	*got = (size_t)r;
	return 0;
}

int
io_write(int fd, const void *p, size_t n, struct err *e)
{
	struct iovec v = {(void *)(uintptr_t)p, n};

	return io_writev(fd, &v, 1, e);
}

/* Somebody who shares our descriptor may have made it O_NONBLOCK: a shell's terminal, a pipe
 * from an event loop.  True: try again now. */
static bool
again(int fd, short events)
{
	struct pollfd p = {fd, events, 0};

	if (errno == EAGAIN)
		return poll(&p, 1, -1) >= 0 || errno == EINTR;
	return errno == EINTR;
}

int
io_input(int fd, void *p, size_t n, size_t *got, struct err *e)
{
	ssize_t r;

	do
		r = read(fd, p, n);
	while (r < 0 && again(fd, POLLIN));
	if (r < 0)
		return read_failed(e);
	*got = (size_t)r;
	return 0;
}

int
io_writev(int fd, struct iovec *iov, int n, struct err *e)
{
	while (n > 0) {
		ssize_t r = writev(fd, iov, n < IOV_MAX ? n : IOV_MAX);

		if (r < 0 && again(fd, POLLOUT))
			continue;
		if (r < 0)
			return err_sys(e, "write");
		while (n > 0 && (size_t)r >= iov->iov_len) {
			r -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + r;
			iov->iov_len -= (size_t)r;
		}
	}
	return 0;
}

int
io_pread(int fd, void *p, size_t n, uint64_t off, size_t *got, struct err *e)
{
	*got = 0;
	while (*got < n) {
		ssize_t r = pread(fd, (char *)p + *got, n - *got, (off_t)(off + *got));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_sys(e, "read");
		if (r == 0)
			break;
		*got += (size_t)r;
	}
	return 0;
}

int
io_pwrite(int fd, const void *p, size_t n, uint64_t off, struct err *e)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = pwrite(fd, (const char *)p + done, n - done, (off_t)(off + done));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_sys(e, "write");
		done += (size_t)r;
	}
	return 0;
}

int
io_append(int fd, const void *p, size_t n, struct err *e)
{
	ssize_t r;

	do
		r = write(fd, p, n);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(e, "append");
	if ((size_t)r != n) {
		errno = ENOSPC; /* a short append to a file means there was no room for more */
		return err_sys(e, "append");
	}
	return 0;
}

int
io_slurp(int fd, size_t max, struct buf *b, struct err *e)
{
	size_t start = b->len, got = 0;
	int rc;

	for (;;) {
		rc = io_input(fd, buf_room(b, SLURP_STEP), SLURP_STEP, &got, e);
		if (rc || got == 0)
			return rc;
		buf_grew(b, got);
		if (b->len - start > max)
			return err_set(e, EX_DATAERR, "input over %zu bytes", max);
	}
}

int
io_slurp_at(int dirfd, const char *name, size_t max, struct buf *b, struct err *e)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc;

	int why = errno;

	if (fd < 0 && errno == ENOENT) {
		err_set(e, EX_NOINPUT, "%s: no such file", name);
		errno = why;
		return EX_NOINPUT;
	}
	if (fd < 0)
		return err_sys(e, "open %s", name);
	rc = io_slurp(fd, max, b, e);
	why = errno;
	close(fd);
	if (rc)
		err_in(e, "%s", name);
	errno = why;
	return rc;
}

bool
io_is_missing(int rc)
{
	return rc == EX_NOINPUT && errno == ENOENT;
}

int
io_wait(int fd, short events, int64_t deadline_ms, struct err *e)
{
	for (;;) {
		int64_t left = deadline_ms == IO_NEVER ? -1 : deadline_ms - io_now_ms();
		struct pollfd p = {fd, events, 0};
		int r;

		if (deadline_ms != IO_NEVER && left < 0)
			left = 0;
		if (left > POLL_MAX_MS)
			left = POLL_MAX_MS; /* poll takes an int; we come round again */
		r = poll(&p, 1, (int)left);
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return err_sys(e, "poll");
		if (deadline_ms != IO_NEVER && io_now_ms() >= deadline_ms) {
			err_set(e, EX_TEMPFAIL, "timed out");
			errno = ETIMEDOUT;
			return EX_TEMPFAIL;
		}
	}
}

bool
io_ready(int fd, short events)
{
	struct pollfd p = {fd, events, 0};

	return poll(&p, 1, 0) > 0;
}
