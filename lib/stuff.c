#include "stuff.h"

#include "io.h"

#include <string.h>

#define STEP 262144 /* of a file: between looks for a reply that comes too early */
#define IOV 256

/* A line that begins with a dot gets another.  State between pieces: whether the piece begins a
 * line. */
static int
send_piece(struct conn *c, const char *p, size_t n, bool *bol, int64_t block_ms, struct err *e)
{
	struct iovec v[IOV];
	int k = 0, rc = 0;

	while (n > 0 && !rc) {
		const char *dot;
		size_t len;

		if (*bol && *p == '.')
			v[k++] = (struct iovec){(void *)(uintptr_t)".", 1};
		*bol = false;
		dot = memmem(p, n, "\n.", 2);
		len = dot ? (size_t)(dot + 1 - p) : n;
		v[k++] = (struct iovec){(void *)(uintptr_t)p, len};
		*bol = p[len - 1] == '\n';
		p += len;
		n -= len;
		if (n == 0 || k > IOV - 2) {
			rc = conn_send(c, v, k, block_ms, NULL, e);
			k = 0;
		}
	}
	return rc;
}

static int
send_file(struct conn *c, const struct stuff *s, bool *bol, int64_t block_ms, struct err *e)
{
	struct buf b = BUF_INIT;
	int rc = 0;

	for (uint64_t at = 0; at < s->size && !rc && conn_waiting(c).n == 0;) {
		size_t n = s->size - at < STEP ? (size_t)(s->size - at) : STEP, got = 0;

		rc = io_pread(s->file, buf_room(&b, n), n, s->off + at, &got, e);
		if (!rc && got < n)
			rc = err_set(e, EX_TEMPFAIL, "the queue file is shorter than it was");
		if (!rc)
			rc = send_piece(c, b.s, got, bol, block_ms, e);
		at += got;
	}
	buf_free(&b);
	return rc;
}

int
stuff_send(struct conn *c, const struct stuff *s, int64_t block_ms, bool *whole, struct err *e)
{
	bool bol = true;
	int rc;

	*whole = false;
	c->heed = true;
	rc = s->content ? send_piece(c, s->content, (size_t)s->size, &bol, block_ms, e)
	                : send_file(c, s, &bol, block_ms, e);
	if (!rc && conn_waiting(c).n == 0) {
		const char *end = bol ? ".\r\n" : "\r\n.\r\n";
		struct iovec v = {(void *)(uintptr_t)end, strlen(end)};

		rc = conn_send(c, &v, 1, block_ms, NULL, e);
		/* conn_send() reads only while the socket is full: before the end was out. */
		*whole = !rc && conn_waiting(c).n == 0;
	}
	c->heed = false;
	return rc;
}
