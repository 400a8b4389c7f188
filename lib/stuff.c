#include "stuff.h"

#include "io.h"
#include "vet.h"

#include <string.h>

#define STEP 262144 /* of a file: between looks for a reply that comes too early */
#define IOV 256

struct sending {
	struct conn *c;
	int64_t block_ms;
	bool bol; /* the next byte begins a line */
	int k;
	struct iovec v[IOV];
};

static int
flush(struct sending *o, struct err *e)
{
	int rc = o->k > 0 ? conn_send(o->c, o->v, o->k, o->block_ms, NULL, e) : 0;

	o->k = 0;
	return rc;
}

/* A line that begins with a dot gets another.  p is lent until the flush. */
static int
add_piece(struct sending *o, const char *p, size_t n, struct err *e)
{
	int rc = 0;

	while (n > 0 && !rc) {
		const char *dot;
		size_t len;

		if (o->k > IOV - 2)
			rc = flush(o, e);
		if (o->bol && *p == '.')
			o->v[o->k++] = (struct iovec){(void *)(uintptr_t)".", 1};
		o->bol = false;
		dot = memmem(p, n, "\n.", 2);
		len = dot ? (size_t)(dot + 1 - p) : n;
		o->v[o->k++] = (struct iovec){(void *)(uintptr_t)p, len};
		o->bol = p[len - 1] == '\n';
		p += len;
		n -= len;
	}
	return rc;
}

static int
send_file(struct sending *o, const struct stuff *s, struct err *e)
{
	struct buf b = BUF_INIT;
	struct vet vet = {false};
	int rc = 0;

	for (uint64_t at = 0; at < s->size && !rc && conn_waiting(o->c).n == 0;) {
		size_t n = s->size - at < STEP ? (size_t)(s->size - at) : STEP, got = 0;

		rc = io_pread(s->file, buf_room(&b, n), n, s->off + at, &got, e);
		if (!rc && got < n)
			rc = err_set(e, EX_TEMPFAIL, "the queue file is shorter than it was");
		if (!rc && s->vet && (!vet_content(&vet, (struct span){b.s, got}) || (vet.cr && at + got == s->size)))
			rc = err_set(e, EX_TEMPFAIL, "the queue file is not what it was");
		if (!rc)
			rc = add_piece(o, b.s, got, e);
		if (!rc)
			rc = flush(o, e);
		at += got;
	}
	buf_free(&b);
	return rc;
}

int
stuff_send(struct conn *c, const struct stuff *s, int64_t block_ms, bool *whole, struct err *e)
{
	struct sending o = {.c = c, .block_ms = block_ms, .bol = true};
	int rc;

	*whole = false;
	c->heed = true;
	rc = add_piece(&o, s->prefix.p, s->prefix.n, e);
	if (!rc)
		rc = s->content ? add_piece(&o, s->content, (size_t)s->size, e) : send_file(&o, s, e);
	if (!rc)
		rc = flush(&o, e);
	if (!rc && conn_waiting(c).n == 0) {
		const char *end = o.bol ? ".\r\n" : "\r\n.\r\n";
		struct iovec v = {(void *)(uintptr_t)end, strlen(end)};

		rc = conn_send(c, &v, 1, block_ms, NULL, e);
		/* conn_send() reads only while the socket is full: before the end was out. */
		*whole = !rc && conn_waiting(c).n == 0;
	}
	c->heed = false;
	return rc;
}
