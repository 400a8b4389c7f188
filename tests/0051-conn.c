/* conn and tls: lines, limits, deadlines, no deadlock while pipelining, STARTTLS, files. */
#include "tap.h"

#include "conn.h"
#include "io.h"
#include "net.h"
#include "tls.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOON (io_now_ms() + 5000)
#define BIG (8 * 1024 * 1024)

static void
pair(struct conn *a, struct conn *b)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) < 0)
		abort();
	conn_init(a, fd[0]);
	conn_init(b, fd[1]);
}

static int
say(struct conn *c, const void *p, size_t n, struct err *e)
{
	struct iovec v = {(void *)(uintptr_t)p, n};

	return conn_send(c, &v, 1, 5000, NULL, e);
}

static void
lines(void)
{
	struct conn a, b;
	struct err e = ERR_INIT;
	struct span line;
	struct iovec v[3] = {{(void *)(uintptr_t) "one\r", 4}, {NULL, 0},
		{(void *)(uintptr_t) "\ntw\0o\nth", 8}};
	uint64_t sent = 1;

	pair(&a, &b);
	is_num(conn_send(&a, v, 3, 5000, &sent, &e), 0, "a gathered send");
	is_num((long long)sent, 13, "... counts what has left");
	is_num(conn_line(&b, 5, &line, SOON, &e), 0, "a line of exactly max bytes");
	is_mem(line.p, line.n, "one\r\n", 5, "... with its CRLF");
	is_num(conn_line(&b, 100, &line, SOON, &e), 0, "a bare LF ends a line too");
	is_mem(line.p, line.n, "tw\0o\n", 5, "... NULs and all");
	is_num(conn_line(&b, 100, &line, io_now_ms() + 50, &e), EX_TEMPFAIL, "half a line is late");
	is_str(err_text(&e), "timed out", "... timed out");
	is_mem(conn_waiting(&b).p, conn_waiting(&b).n, "th", 2, "... and still there");
	conn_taken(&b, 2);
	is_num((long long)conn_waiting(&b).n, 0, "... until it is taken");
	say(&a, "last", 4, &e);
	conn_close(&a);
	is_num(conn_line(&b, 100, &line, SOON, &e), EX_TEMPFAIL, "the peer closes in a line");
	is_str(err_text(&e), "connection closed by peer", "... and the text says so");
	ok(b.eof, "... eof is set");
	is_num(conn_line(&b, 100, &line, SOON, &e), EX_TEMPFAIL, "... and stays so");
	is_num(say(&b, "x", 1, &e), EX_TEMPFAIL, "writing to nobody is an error, not a signal");
	is_str(err_text(&e), "write: Broken pipe", "... with its reason");
	conn_close(&b);
	err_free(&e);
}

static void
limits(void)
{
	struct conn a, b;
	struct err e = ERR_INIT;
	struct span line;
	char *p = mem_alloc(200000);

	memset(p, 'x', 200000);
	pair(&a, &b);
	say(&a, "12345\n", 6, &e);
	is_num(conn_line(&b, 5, &line, SOON, &e), EX_PROTOCOL, "a line of max + 1 bytes");
	is_str(err_text(&e), "line over 5 bytes", "... says its limit");
	conn_taken(&b, 6);
	say(&a, p, 5, &e);
	is_num(conn_line(&b, 5, &line, SOON, &e), EX_PROTOCOL, "no LF within max bytes: no waiting");
	conn_taken(&b, 5);
	p[99999] = '\n';
	say(&a, p, 100000, &e);
	is_num(conn_line(&b, 100000, &line, SOON, &e), 0, "a line of many reads");
	is_num((long long)line.n, 100000, "... is whole");
	conn_close(&a);
	conn_close(&b);
	free(p);
	err_free(&e);
}

/* A byte every 20 ms: progress, but never a line. */
static void *
drip(void *arg)
{
	struct conn *c = arg;
	struct err e = ERR_INIT;

	for (int i = 0; i < 100 && say(c, "x", 1, &e) == 0; i++)
		usleep(20000);
	err_free(&e);
	return NULL;
}

static void
deadlines(void)
{
	struct conn a, b;
	struct err e = ERR_INIT;
	struct span line;
	int64_t start = io_now_ms();
	pthread_t t;
	char *p = mem_alloc(BIG);

	pair(&a, &b);
	pthread_create(&t, NULL, drip, &a);
	is_num(conn_line(&b, 1000, &line, start + 200, &e), EX_TEMPFAIL, "a dripping peer is late");
	ok(io_now_ms() - start >= 200 && io_now_ms() - start < 1500, "... at the deadline");
	shutdown(b.fd, SHUT_RDWR);
	pthread_join(t, NULL);
	conn_close(&a);
	conn_close(&b);

	pair(&a, &b);
	start = io_now_ms();
	struct iovec v = {p, BIG};
	is_num(conn_send(&a, &v, 1, 200, NULL, &e), EX_TEMPFAIL, "a peer that reads nothing is late");
	is_str(err_text(&e), "timed out", "... timed out");
	ok(io_now_ms() - start >= 200 && io_now_ms() - start < 1500, "... at the block's deadline");
	conn_close(&a);
	conn_close(&b);
	free(p);
	err_free(&e);
}

/* Writes BIG bytes before it reads one, or reads with a pause: what the peer must survive. */
struct partner {
	struct conn *c;
	const struct tls_identity *id;
	size_t chatter; /* bytes written before reading begins */
	int pause_us;   /* between reads */
	uint64_t sum, got;
	int rc;
};

static void
add_sum(uint64_t *sum, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*sum = *sum * 31 + (unsigned char)p[i];
}

/* conn_send() reads meanwhile, and this side must not: that is the peer the test is about. */
static int
only_write(struct conn *c, const char *p, size_t n, struct err *e)
{
	int rc = 0;

	for (size_t done = 0, put; !rc && done < n; done += put) {
		struct iovec v = {(void *)(uintptr_t)(p + done), n - done};

		rc = c->tls ? tls_send(c->tls, v.iov_base, v.iov_len, &put, e)
			    : net_send(c->fd, &v, 1, &put, e);
		if (!rc && put == 0)
			rc = io_wait(c->fd, POLLOUT, SOON, e);
	}
	return rc;
}

static void *
partner_run(void *arg)
{
	struct partner *p = arg;
	struct err e = ERR_INIT;
	char *noise = mem_alloc(p->chatter + 1);
	size_t got;

	if (p->id)
		p->rc = conn_tls_server(p->c, p->id, SOON, &e);
	memset(noise, '2', p->chatter);
	if (!p->rc)
		p->rc = only_write(p->c, noise, p->chatter, &e);
	while (!p->rc && (p->rc = conn_fill(p->c, &got, SOON, &e)) == 0 && got > 0) {
		struct span w = conn_waiting(p->c);

		add_sum(&p->sum, w.p, w.n);
		p->got += w.n;
		conn_taken(p->c, w.n);
		if (p->pause_us)
			usleep((useconds_t)p->pause_us);
	}
	free(noise);
	err_free(&e);
	return NULL;
}

static char *
pattern(size_t n, uint64_t *sum)
{
	char *p = mem_alloc(n);
	uint32_t x = 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (char)(x >> 24);
	}
	*sum = 0;
	add_sum(sum, p, n);
	return p;
}

static int
file_with(const char *p, size_t n)
{
	const char *dir = getenv("TMPDIR");
	struct err e = ERR_INIT;
	int fd = open(dir ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 || io_pwrite(fd, p, n, 0, &e))
		abort();
	return fd;
}

/* Both sides write much before they read: RFC 2920 3.1's deadlock.  With a socket pair both
 * buffers hold some 200 KiB, so 250,000 bytes each way do not fit. */
static void
no_deadlock(const struct tls_identity *id, bool from_file)
{
	const char *how = id ? "TLS" : "clear";
	struct conn a, b;
	struct err e = ERR_INIT;
	struct partner p = {&b, id, 250000, 0, 0, 0, 0};
	uint64_t sum, sent = 0;
	char *data = pattern(BIG, &sum);
	struct iovec v[4] = {{data, 10}, {data + 10, 20000}, {data + 20010, 5},
		{data + 20015, BIG - 20015}};
	pthread_t t;
	int fd = file_with(data, BIG), rc = 0;
	bool early;

	pair(&a, &b);
	pthread_create(&t, NULL, partner_run, &p);
	if (id)
		rc = conn_tls_client(&a, &(struct tls_hello){.sni = "trap.example"}, &early, SOON, &e);
	if (!rc && from_file)
		rc = conn_send_file(&a, fd, 0, BIG, 5000, &sent, &e);
	else if (!rc)
		rc = conn_send(&a, v, 4, 5000, &sent, &e);
	ok(rc == 0, "%s: %s, while the peer only writes %s", how,
	    from_file ? "a file" : "gathered bytes", err_text(&e));
	is_num((long long)sent, BIG, "... all of it is counted");
	while (!rc && conn_waiting(&a).n < p.chatter) {
		size_t got;

		rc = conn_fill(&a, &got, SOON, &e);
	}
	ok(conn_waiting(&a).n == p.chatter, "... what it wrote is in the buffer");
	conn_close(&a);
	pthread_join(t, NULL);
	ok(p.rc == 0 && p.got == BIG && p.sum == sum, "... and it got every byte in order");
	conn_close(&b);
	close(fd);
	free(data);
	err_free(&e);
}

static void
too_early(void)
{
	struct conn a, b;
	struct err e = ERR_INIT;
	struct partner p = {&b, NULL, CONN_EARLY_MAX * 4, 0, 0, 0, 0};
	char *data = mem_alloc(BIG);
	pthread_t t;

	pair(&a, &b);
	pthread_create(&t, NULL, partner_run, &p);
	is_num(say(&a, data, BIG, &e), EX_PROTOCOL, "replies without end are refused");
	conn_close(&a);
	pthread_join(t, NULL);
	ok(p.rc != 0 || p.got < BIG, "... and the connection ended");
	conn_close(&b);
	free(data);
	err_free(&e);
}

static void
last_words(void)
{
	struct net_addr at, peer;
	struct conn a, b;
	struct err e = ERR_INIT;
	struct span line;
	int lfd, fa, fb, rc = 0;
	char junk[4096] = {0};

	net_addr_parse(&at, span_of("127.0.0.1"), 0);
	if (net_listen(&lfd, &at, 1, &e) || net_connect(&fa, &at, NULL, SOON, &e) ||
	    io_wait(lfd, POLLIN, SOON, &e) || net_accept_now(lfd, &fb, &peer, &e) || fb < 0)
		abort();
	conn_init(&a, fa);
	conn_init(&b, fb);
	say(&a, "unread", 6, &e); /* closing with input unread resets the connection */
	say(&b, "421 too busy\r\n", 14, &e);
	usleep(20000);
	conn_close(&b);
	for (int i = 0; i < 1000 && !rc; i++)
		rc = say(&a, junk, sizeof junk, &e);
	is_num(rc, EX_TEMPFAIL, "the peer resets while we send");
	is_num(conn_line(&a, 512, &line, io_now_ms(), &e), 0, "... but what it said is kept");
	is_mem(line.p, line.n, "421 too busy\r\n", 14, "... every byte");
	conn_close(&a);
	close(lfd);
	err_free(&e);
}

static void
short_file(void)
{
	struct conn a, b;
	struct err e = ERR_INIT;
	int fd = file_with("12345", 5);

	pair(&a, &b);
	is_num(conn_send_file(&a, fd, 1, 5, 1000, NULL, &e), EX_TEMPFAIL, "a file that is too short");
	is_str(err_text(&e), "the file ends before its length", "... is told");
	conn_close(&a);
	conn_close(&b);
	close(fd);
	err_free(&e);
}

static void *
echo_tls(void *arg)
{
	struct partner *p = arg;
	struct err e = ERR_INIT;
	struct span line;

	p->rc = conn_tls_server(p->c, p->id, SOON, &e);
	while (!p->rc && conn_line(p->c, 1000, &line, SOON, &e) == 0)
		p->rc = say(p->c, line.p, line.n, &e);
	err_free(&e);
	return NULL;
}

static void
starttls(const struct tls_identity *id)
{
	struct conn a, b;
	struct err e = ERR_INIT;
	struct partner p = {&b, id, 0, 0, 0, 0, 0};
	struct buf what = BUF_INIT;
	struct span line;
	pthread_t t;
	bool early = false;

	pair(&a, &b);
	say(&b, "220 go\r\n250 injected\r\n", 22, &e);
	is_num(conn_line(&a, 512, &line, SOON, &e), 0, "the reply to STARTTLS");
	pthread_create(&t, NULL, echo_tls, &p);
	is_num(conn_tls_client(&a, &(struct tls_hello){.sni = NULL}, &early, SOON, &e), 0, "TLS begins");
	ok(early, "... what was said before is reported");
	ok(conn_waiting(&a).n == 0, "... and thrown away");
	tls_describe(a.tls, &what);
	ok(strncmp(what.s, "TLS1.3 TLS_", 11) == 0 || strncmp(what.s, "TLS1.3 AES", 10) == 0,
	    "described as %s", what.s);
	say(&a, "over tls\r\n", 10, &e);
	is_num(conn_line(&a, 512, &line, SOON, &e), 0, "a line comes back");
	is_mem(line.p, line.n, "over tls\r\n", 10, "... the same");
	shutdown(a.fd, SHUT_WR);
	pthread_join(t, NULL);
	ok(b.eof, "an end without close_notify is an end");
	conn_close(&a);
	conn_close(&b);
	buf_free(&what);
	err_free(&e);
}

static void
bad_handshakes(void)
{
	struct conn a, b;
	struct err e = ERR_INIT;
	bool early;
	int64_t start = io_now_ms();
	pthread_t t;

	pair(&a, &b);
	is_num(conn_tls_client(&a, &(struct tls_hello){.sni = NULL}, &early, start + 200, &e), EX_TEMPFAIL, "silence is late");
	is_str(err_text(&e), "TLS handshake: timed out", "... at the deadline");
	ok(!early && a.tls == NULL, "... nothing was early, and there is no session");
	conn_close(&a);
	conn_close(&b);

	pair(&a, &b);
	start = io_now_ms();
	say(&b, "\x16\x03\x03\x3f\x00", 5, &e); /* a record that never ends */
	pthread_create(&t, NULL, drip, &b);
	is_num(conn_tls_client(&a, &(struct tls_hello){.sni = NULL}, &early, start + 200, &e), EX_TEMPFAIL, "a drip is late");
	ok(io_now_ms() - start < 1500, "... at the deadline");
	shutdown(a.fd, SHUT_RDWR);
	pthread_join(t, NULL);
	conn_close(&a);
	conn_close(&b);

	pair(&a, &b);
	say(&b, "554 no TLS today\r\n", 18, &e);
	is_num(conn_tls_client(&a, &(struct tls_hello){.sni = NULL}, &early, SOON, &e), EX_PROTOCOL, "not TLS");
	conn_close(&a);
	conn_close(&b);

	pair(&a, &b);
	shutdown(b.fd, SHUT_WR);
	is_num(conn_tls_client(&a, &(struct tls_hello){.sni = NULL}, &early, SOON, &e), EX_PROTOCOL, "closed");
	is_str(err_text(&e), "TLS handshake: connection closed by peer", "... and said so");
	conn_close(&a);
	conn_close(&b);
	err_free(&e);
}

int
main(void)
{
	struct tls_identity *id = NULL;
	struct err e = ERR_INIT;

	signal(SIGPIPE, SIG_IGN); /* as prog_start() does: sendfile(2) has no MSG_NOSIGNAL */
	is_num(tls_start(&e), 0, "GnuTLS starts");
	is_num(tls_identity_make(&id, "trap.example", io_time_us() / 1000000, &e), 0, "an identity");
	lines();
	limits();
	deadlines();
	no_deadlock(NULL, false);
	no_deadlock(NULL, true);
	no_deadlock(id, false);
	no_deadlock(id, true);
	too_early();
	last_words();
	short_file();
	starttls(id);
	bad_handshakes();
	tls_identity_free(id);
	is_num(tls_identity_load(&id, "/nonexistent/cert", "/nonexistent/key", &e), EX_CONFIG,
	    "an identity that is not there");
	ok(id == NULL, "... is none");
	err_free(&e);
	return tap_done();
}
