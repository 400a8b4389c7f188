#include "conn.h"

#include "io.h"
#include "net.h"
#include "tls.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define READ_STEP 16384        /* as much as one TLS record holds */
#define SEND_BLOCK 65536       /* progress that earns a new deadline */
#define SEND_IOV_MAX 1024      /* IOV_MAX of Linux */
#define FILE_STEP (1024 * 1024) /* one sendfile(2): the socket takes less anyway */

/* A send on its way: when it is late, and how far it has come since that was decided. */
struct pace {
	int64_t block_ms, deadline_ms; /* deadline 0: it has not had to wait yet */
	size_t progress;
	uint64_t *sent;
};

void
conn_init(struct conn *c, int fd)
{
	*c = (struct conn)CONN_INIT;
	c->fd = fd;
}

void
conn_close(struct conn *c)
{
	if (c->tls) {
		tls_bye(c->tls);
		tls_free(c->tls);
	}
	if (c->fd >= 0)
		close(c->fd);
	buf_free(&c->in);
	*c = (struct conn)CONN_INIT;
}

struct span
conn_waiting(const struct conn *c)
{
	return (struct span){c->in.s + c->pos, c->in.len - c->pos};
}

void
conn_taken(struct conn *c, size_t n)
{
	c->pos += n;
	if (c->pos >= c->in.len) {
		buf_cut(&c->in, 0);
		c->pos = 0;
	}
}

/* What is there right now, into the buffer; *got 0: nothing, or c->eof. */
static int
take_in(struct conn *c, size_t most, size_t *got, struct err *e)
{
	char *p;
	int rc;

	if (c->pos > 0) {
		buf_drop(&c->in, c->pos);
		c->pos = 0;
	}
	c->spoken = false;
	p = buf_room(&c->in, most);
	if (c->tls)
		rc = tls_recv(c->tls, p, most, got, &c->eof, e);
	else
		rc = net_recv(c->fd, p, most, got, &c->eof, e);
	buf_grew(&c->in, *got);
	if (rc)
		c->eof = true; /* nothing more will come */
	return rc;
}

int
conn_fill_some(struct conn *c, size_t most, size_t *got, int64_t deadline_ms, struct err *e)
{
	int rc;

	*got = 0;
	if (c->eof)
		return 0;
	/* To look before it can be there is a call in vain; of TLS some may be here already, decrypted. */
	if (c->spoken && !c->tls && io_wait(c->fd, POLLIN, deadline_ms, e))
		return e->code;
	while (!(rc = take_in(c, most, got, e)) && *got == 0 && !c->eof) {
		rc = io_wait(c->fd, c->tls ? tls_wants(c->tls) : POLLIN, deadline_ms, e);
		/* Half a TLS record is ready, then a byte more of it: time passes all the same. */
		if (!rc && c->tls && io_now_ms() >= deadline_ms)
			rc = err_set(e, EX_TEMPFAIL, "timed out");
		if (rc)
			break;
	}
	return rc;
}

int
conn_fill(struct conn *c, size_t *got, int64_t deadline_ms, struct err *e)
{
	return conn_fill_some(c, READ_STEP, got, deadline_ms, e);
}

/* The line's length with its LF, 0 if it is not there yet; from: what was searched before. */
static size_t
line_length(const struct conn *c, size_t from)
{
	struct span w = conn_waiting(c);
	const char *lf = w.n > from ? memchr(w.p + from, '\n', w.n - from) : NULL;

	return lf ? (size_t)(lf - w.p) + 1 : 0;
}

int
conn_line(struct conn *c, size_t max, struct span *line, int64_t deadline_ms, struct err *e)
{
	size_t n, searched = 0, got;
	bool late = false;

	while ((n = line_length(c, searched)) == 0) {
		int rc;

		searched = conn_waiting(c).n;
		if (searched >= max)
			break;
		/* A byte a minute is progress for poll(2), but not for us. */
		if (late)
			return err_set(e, EX_TEMPFAIL, "timed out");
		rc = conn_fill(c, &got, deadline_ms, e);
		if (rc)
			return rc;
		if (got == 0)
			return err_set(e, EX_TEMPFAIL, "connection closed by peer");
		late = io_now_ms() >= deadline_ms;
	}
	if (n == 0 || n > max)
		return err_set(e, EX_PROTOCOL, "line over %zu bytes", max);
	*line = (struct span){c->in.s + c->pos, n};
	c->pos += n; /* not conn_taken(): the line is lent until the next call */
	return 0;
}

/* The socket is full: waits for room, and takes in what arrives meanwhile. */
static int
wait_for_room(struct conn *c, struct pace *p, struct err *e)
{
	short events = c->eof ? POLLOUT : POLLOUT | POLLIN;
	size_t got;
	int rc;

	if (p->deadline_ms == 0)
		p->deadline_ms = io_now_ms() + p->block_ms;
	else if (io_now_ms() >= p->deadline_ms)
		return err_set(e, EX_TEMPFAIL, "timed out");
	rc = io_wait(c->fd, events, p->deadline_ms, e);
	if (!rc && !c->eof)
		rc = take_in(c, READ_STEP, &got, e);
	if (!rc && c->heed && conn_waiting(c).n > 0)
		rc = err_set(e, EX_TEMPFAIL, "a reply before the end");
	if (!rc && conn_waiting(c).n > CONN_EARLY_MAX)
		rc = err_set(e, EX_PROTOCOL, "over %d bytes of replies before we have asked",
		    CONN_EARLY_MAX);
	return rc;
}

static void
advance(struct pace *p, size_t put)
{
	p->progress += put;
	if (p->sent)
		*p->sent += put;
	if (p->progress >= SEND_BLOCK) {
		p->progress = 0;
		p->deadline_ms = 0;
	}
}

/* The peer has broken the connection.  What it said before that explains why. */
static int
take_last_words(struct conn *c, int rc)
{
	struct err ignored = ERR_INIT;
	size_t got = 1;

	while (!c->eof && got > 0 && conn_waiting(c).n <= CONN_EARLY_MAX &&
	    take_in(c, READ_STEP, &got, &ignored) == 0)
		continue;
	err_free(&ignored);
	return rc;
}

/* The first pieces as one run of bytes: small ones are copied together, so that a pipelined
 * batch is one record. */
static struct span
next_record(const struct iovec *iov, int n, char *room)
{
	size_t have = 0;

	if (n == 1 || iov->iov_len >= TLS_RECORD_MAX)
		return (struct span){iov->iov_base, iov->iov_len};
	for (; n > 0 && have < TLS_RECORD_MAX; iov++, n--) {
		size_t k = iov->iov_len;

		if (k > TLS_RECORD_MAX - have)
			k = TLS_RECORD_MAX - have;
		if (k > 0)
			memcpy(room + have, iov->iov_base, k);
		have += k;
	}
	return (struct span){room, have};
}

/* A function of its own for its 16 KiB of stack, which a process without TLS need not touch. */
__attribute__((noinline)) static int
send_record(struct conn *c, const struct iovec *iov, int n, size_t *put, struct err *e)
{
	char room[TLS_RECORD_MAX];
	struct span s = next_record(iov, n, room);

	return tls_send(c->tls, s.p, s.n, put, e);
}

static int
send_some(struct conn *c, const struct iovec *iov, int n, size_t *put, struct err *e)
{
	if (c->tls)
		return send_record(c, iov, n, put, e);
	return net_send(c->fd, iov, n < SEND_IOV_MAX ? n : SEND_IOV_MAX, put, e);
}

static void
skip(struct iovec **iov, int *n, size_t put)
{
	while (*n > 0 && put >= (*iov)->iov_len) {
		put -= (*iov)->iov_len;
		(*iov)++;
		(*n)--;
	}
	if (*n > 0) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + put;
		(*iov)->iov_len -= put;
	}
}

int
conn_send(struct conn *c, struct iovec *iov, int n, int64_t block_ms, uint64_t *sent,
    struct err *e)
{
	struct pace p = {block_ms, 0, 0, sent};
	size_t put;
	int rc = 0;

	skip(&iov, &n, 0);
	while (!rc && n > 0) {
		rc = send_some(c, iov, n, &put, e);
		if (rc)
			return take_last_words(c, rc);
		skip(&iov, &n, put);
		advance(&p, put);
		if (put == 0)
			rc = wait_for_room(c, &p, e);
	}
	c->spoken = true;
	return rc;
}

/* By way of memory: TLS has to encrypt, and some files cannot be sent by sendfile(2). */
static int
send_copied(struct conn *c, int file, uint64_t off, uint64_t len, struct pace *p, struct err *e)
{
	char room[TLS_RECORD_MAX];

	while (len > 0) {
		size_t want = len < sizeof room ? (size_t)len : sizeof room, got;
		struct iovec v = {room, 0};
		int rc = io_pread(file, room, want, off, &got, e);

		if (!rc && got < want)
			rc = err_set(e, EX_TEMPFAIL, "the file ends before its length");
		v.iov_len = got;
		while (!rc && v.iov_len > 0) {
			size_t put;

			rc = send_some(c, &v, 1, &put, e);
			if (rc)
				return take_last_words(c, rc);
			v.iov_base = (char *)v.iov_base + put;
			v.iov_len -= put;
			advance(p, put);
			if (put == 0)
				rc = wait_for_room(c, p, e);
		}
		if (rc)
			return rc;
		off += got;
		len -= got;
	}
	return 0;
}

int
conn_send_file(struct conn *c, int file, uint64_t off, uint64_t len, int64_t block_ms,
    uint64_t *sent, struct err *e)
{
	struct pace p = {block_ms, 0, 0, sent};
	bool unfit = c->tls != NULL;
	size_t put;
	int rc = 0;

	while (!rc && len > 0 && !unfit) {
		rc = net_send_file(c->fd, file, off, len < FILE_STEP ? (size_t)len : FILE_STEP, &put,
		    &unfit, e);
		if (rc)
			return take_last_words(c, rc);
		off += put;
		len -= put;
		advance(&p, put);
		if (put == 0 && !unfit)
			rc = wait_for_room(c, &p, e);
	}
	return rc || len == 0 ? rc : send_copied(c, file, off, len, &p, e);
}

static void
forget_input(struct conn *c, bool *early)
{
	*early = conn_waiting(c).n > 0;
	buf_cut(&c->in, 0);
	c->pos = 0;
}

int
conn_tls_client(struct conn *c, const struct tls_hello *h, bool *early, int64_t deadline_ms,
    struct err *e)
{
	forget_input(c, early);
	return tls_client(&c->tls, c->fd, h, deadline_ms, e);
}

int
conn_tls_server(struct conn *c, const struct tls_identity *id, int64_t deadline_ms,
    struct err *e)
{
	bool early;

	forget_input(c, &early);
	return tls_server(&c->tls, c->fd, id, deadline_ms, e);
}
