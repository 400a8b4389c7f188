#include "spool.h"

#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCK 65536

static int
make_file(struct spool *s, struct err *e)
{
	const char *dir = secure_getenv("TMPDIR");
	struct buf name = BUF_INIT;
	int rc = 0;

	if (!dir || !*dir)
		dir = "/tmp";
	s->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (s->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		buf_fmt(&name, "%s/relaykit.XXXXXX", dir);
		s->fd = mkostemp(name.s, O_CLOEXEC);
		if (s->fd >= 0)
			unlink(name.s);
		buf_free(&name);
	}
	if (s->fd < 0)
		rc = err_sys(e, "create in %s", dir);
	return rc;
}

int
spool_add(struct spool *s, const void *p, size_t n, struct err *e)
{
	int rc = 0;

	if (s->fd < 0 && n <= SPOOL_MEMORY - s->mem.len) {
		buf_add(&s->mem, p, n);
		s->size += n;
		return 0;
	}
	if (s->fd < 0) {
		rc = make_file(s, e);
		if (!rc)
			rc = io_pwrite(s->fd, s->mem.s, s->mem.len, 0, e);
	}
	if (!rc)
		rc = io_pwrite(s->fd, p, n, s->size, e);
	s->size += n;
	return rc ? err_in(e, "temporary file") : 0;
}

int
spool_block(struct spool *s, uint64_t at, const char **p, size_t *n, struct err *e)
{
	int rc;

	if (s->fd < 0) {
		*p = s->mem.s + at;
		*n = (size_t)(s->size - at);
		return 0;
	}
	buf_cut(&s->mem, 0);
	*p = buf_room(&s->mem, BLOCK);
	rc = io_pread(s->fd, s->mem.s, BLOCK, at, n, e);
	return rc ? err_in(e, "temporary file") : 0;
}

void
spool_clear(struct spool *s)
{
	buf_cut(&s->mem, 0);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->size = 0;
}

void
spool_free(struct spool *s)
{
	spool_clear(s);
	buf_free(&s->mem);
}
