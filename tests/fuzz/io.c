/* Descriptors: what is written in pieces comes back whole, by every way of reading it. */
#include "fuzz.h"

#include "io.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	size_t half = n > 0 ? p[0] % n : 0, got = 0, limit = n > 1 ? p[1] : 0;
	int fd = memfd_create("fuzz", MFD_CLOEXEC), rc;
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	struct iovec v[2] = {{(void *)(uintptr_t)p, half}, {(void *)(uintptr_t)(p + half), n - half}};
	char *copy = malloc(n + 1);

	want(fd >= 0 && copy);
	want(io_writev(fd, v, 2, &e) == 0);
	want(io_pread(fd, copy, n + 1, 0, &got, &e) == 0 && got == n && memcmp(copy, p, n) == 0);
	want(io_pread(fd, copy, n + 1, half, &got, &e) == 0 && got == n - half);
	want(lseek(fd, 0, SEEK_SET) == 0);
	rc = io_slurp(fd, limit, &b, &e);
	want(rc == 0 ? b.len == n && n <= limit : n > limit);
	want(rc != 0 || n == 0 || memcmp(b.s, p, n) == 0);
	close(fd);
	free(copy);
	buf_free(&b);
	err_free(&e);
	return 0;
}
