/* smtp, and LMTP, over any bytes a server may send: no crash, no hang, and what is told of the recipients holds
 * together: delivered only by a 2xx behind all of the content, decided unless the connection is
 * over, and never a transaction that leaves as many as it found.
 *
 * The first two bytes choose what is sent, the rest is all that the server ever says. */
#include "fuzz.h"

#include "io.h"
#include "smtp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER_MAX 100000 /* fits into the socket */
#define RCPTS 5
#define FILE_BYTES 70000  /* more than goes with the envelope */

static const char letter[] = "Subject: x\r\n\r\n.\r\n..x\r\nlast line";
static const char *const addrs[RCPTS] = {"a@x.example", "b@x.example", "\303\274@x.example",
    "d@b\303\274cher.example", "e@[192.0.2.1]"};
static const struct conf_timeouts waits = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static void
want(bool good)
{
	if (!good)
		abort();
}

/* Our end, with everything the server says in it, and its end; what we say is read by nobody. */
static int
connection(const uint8_t *p, size_t n, int *far_end)
{
	int v[2], room = 1 << 20;

	want(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, v) == 0);
	setsockopt(v[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	setsockopt(v[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	want(n == 0 || send(v[1], p, n, 0) == (ssize_t)n);
	shutdown(v[1], SHUT_WR);
	*far_end = v[1];
	return v[0];
}

static int
sending(void *arg, struct err *e)
{
	return *(const bool *)arg ? err_set(e, EX_IOERR, "the journal") : 0;
}

/* How many are left for another transaction. */
static size_t
check(const struct smtp *s, const struct smtp_mail *m, int rc, bool refuses)
{
	size_t left = 0, undecided = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct smtp_rcpt *r = &m->rcpts[i];

		want(memchr(r->status, '\0', sizeof r->status));
		want(r->code == 0 || (r->code >= 200 && r->code <= 599));
		want(r->is != SMTP_DELIVERED || (r->code / 100 == 2 && m->asked && !refuses && s->whole));
		want(r->is != SMTP_FAILED || r->code / 100 == 5);
		want(r->is != SMTP_DEFERRED || r->code / 100 == 4);
		left += r->is == SMTP_AGAIN;
		undecided += r->is == SMTP_UNDECIDED;
	}
	want(rc || undecided == 0);
	want(!rc || undecided > 0);
	want(!rc || refuses || !s->open);
	want(rc || left < m->n);
	want(!m->stale || rc);
	want(!m->in_doubt || (rc && s->whole));
	return left;
}

static void
transaction(struct smtp *s, unsigned how, int file)
{
	bool refuses = (how & 0x40) != 0;
	struct smtp_rcpt r[RCPTS] = {0};
	struct smtp_mail m = {.sender = SPAN("s@d.example"), .params = SPAN("RET=HDRS"), .rcpts = r,
	    .n = 1 + how % RCPTS, .eightbit = how & 8, .utf8_header = how & 16, .wary = how & 32,
	    .sending = sending, .arg = &refuses, .file = -1};
	struct err e = ERR_INIT;
	size_t left;

	for (size_t i = 0; i < m.n; i++)
		r[i] = (struct smtp_rcpt){.addr = span_of(addrs[i]), .params = SPAN("NOTIFY=NEVER"),
		    .text = BUF_INIT};
	if (how & 0x80) {
		m.file = file;
		m.size = FILE_BYTES;
	} else {
		m.content = letter;
		m.size = sizeof letter - 1;
	}
	do {
		int rc = smtp_send(s, &m, &e);

		left = check(s, &m, rc, refuses);
		if (rc)
			break;
		for (size_t i = 0, k = 0; k < left; i++)
			if (r[i].is == SMTP_AGAIN) {
				struct smtp_rcpt t = r[k];

				r[k++] = r[i];
				r[i] = t;
			}
		m.n = left;
	} while (left > 0 && s->open);
	for (size_t i = 0; i < RCPTS; i++)
		smtp_rcpt_free(&r[i]);
	err_free(&e);
}

static int
some_file(void)
{
	static int file = -1;
	char b[FILE_BYTES];
	struct err e = ERR_INIT;

	if (file >= 0)
		return file;
	file = memfd_create("content", MFD_CLOEXEC);
	for (size_t i = 0; i < sizeof b; i++)
		b[i] = "\r\n.x"[i % 4];
	want(file >= 0 && io_write(file, b, sizeof b, &e) == 0);
	return file;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct smtp_options o = {.helo = "h.example", .wait = &waits};
	struct err e = ERR_INIT;
	struct smtp s;
	int fd, far_end;

	if (n < 2 || n > SERVER_MAX)
		return 0;
	fd = connection(p + 2, n - 2, &far_end);
	o.tls = p[1] & 1;
	o.lmtp = p[1] & 2;
	smtp_init(&s);
	if (smtp_open(&s, fd, "peer.example", &o, &e)) {
		want(!s.open && s.c.fd < 0);
	} else {
		unsigned how = p[0];

		for (int i = 0; i < 4 && !smtp_used_up(&s); i++, how += p[1])
			transaction(&s, how & 0xff, some_file());
		smtp_quit(&s);
	}
	smtp_free(&s);
	err_free(&e);
	close(far_end);
	return 0;
}
