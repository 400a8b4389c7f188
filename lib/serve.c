#include "serve.h"

#include "conn.h"
#include "io.h"
#include "proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_STEP 65536
#define SEND_MS 60000     /* for 64 KiB of replies to leave */
#define SOON_MS 5000      /* for the end of a message that is refused */
#define HANDSHAKE_MS 60000
#define PROXY_MS 30000    /* for a front end's header */

struct serving {
	const struct serve_client *c;
	struct door door;
	struct conn conn;       /* of a socket */
	struct buf in;          /* of another descriptor */
	int64_t session_ms;     /* when all is over */
};

/* --- input and output of both kinds */

static struct span
waiting(const struct serving *v)
{
	return v->c->socket ? conn_waiting(&v->conn) : (struct span){v->in.s, v->in.len};
}

static void
taken(struct serving *v, size_t n)
{
	if (v->c->socket)
		conn_taken(&v->conn, n);
	else
		buf_drop(&v->in, n);
}

static int
fill(struct serving *v, size_t *got, int64_t deadline_ms, struct err *e)
{
	int rc;

	if (v->c->socket)
		return conn_fill(&v->conn, got, deadline_ms, e);
	*got = 0;
	rc = io_wait(v->c->in, POLLIN, deadline_ms, e);
	if (!rc)
		rc = io_read(v->c->in, buf_room(&v->in, READ_STEP), READ_STEP, got, e);
	buf_grew(&v->in, *got);
	return rc;
}

static int
send_out(struct serving *v, struct err *e)
{
	struct buf *out = &v->door.s.out;
	struct iovec iov = {out->s, out->len};
	int rc = 0;

	if (out->len > 0)
		rc = v->c->socket ? conn_send(&v->conn, &iov, 1, SEND_MS, NULL, e)
				  : io_write(v->c->out, out->s, out->len, e);
	buf_cut(out, 0);
	return rc;
}

/* The earlier of so many ms from now and the end of the session. */
static int64_t
within(const struct serving *v, int64_t ms)
{
	int64_t t = io_now_ms() + ms;

	return t < v->session_ms ? t : v->session_ms;
}

/* --- before the conversation */

/* A front end's header.  Who is none and sends one is not believed, and what it sends is no SMTP. */
static int
proxy(struct serving *v, bool *over, struct err *e)
{
	int64_t deadline_ms = within(v, PROXY_MS);
	struct net_addr client;
	enum proxy_is is;
	size_t n = 0, got = 1;
	int rc = 0;

	*over = !v->c->has_peer || !door_is_front_end(v->door.house, &v->c->peer);
	if (*over)
		return err_set(e, EX_NOPERM, "PROXY: %s is not in front_ends", v->door.peer_text.s);
	while ((is = proxy_parse(waiting(v), &client, &n)) == PROXY_MORE && !rc && got > 0)
		rc = fill(v, &got, deadline_ms, e);
	*over = is == PROXY_MORE || is == PROXY_BAD;
	if (!rc && is == PROXY_BAD)
		rc = err_set(e, EX_PROTOCOL, "PROXY: a bad header from %s", v->door.peer_text.s);
	taken(v, n);
	if (is == PROXY_CLIENT)
		door_peer(&v->door, &client);
	v->door.front_end = is != PROXY_CLIENT;
	return rc;
}

static int
handshake(struct serving *v, struct err *e)
{
	int rc = conn_tls_server(&v->conn, v->c->identity, within(v, HANDSHAKE_MS), e);

	if (rc)
		return rc;
	door_tls(&v->door, v->conn.tls);
	smtpd_secured(&v->door.s);
	return 0;
}

/* Whoever talks before the greeting does not listen to what is said: it is no mail client, or it
 * carries a text for us through something that is no mail client. */
static bool
too_eager(struct serving *v)
{
	struct err e = ERR_INIT;
	int64_t ms = (int64_t)v->door.house->serve->greet_ms;
	bool early;

	if (!v->c->socket)
		return false; /* a script in a pipe is there at once */
	if (v->conn.tls)
		return waiting(v).n > 0;
	early = waiting(v).n > 0 || io_wait(v->conn.fd, POLLIN, within(v, ms), &e) == 0;
	err_free(&e);
	return early;
}

/* --- the conversation */

/* Waits for input: in a command from the time that the last reply was sent, in content from the last
 * piece.  false: it did not come. */
static bool
more(struct serving *v, int64_t *deadline_ms, struct err *e)
{
	const struct smtpd *s = &v->door.s;
	int64_t usual = (int64_t)v->door.house->serve->command_s * 1000;
	bool content = s->at == SMTPD_AT_DATA || s->at == SMTPD_AT_BDAT;
	size_t got = 0;

	if (*deadline_ms == 0 || content)
		*deadline_ms = within(v, smtpd_patience(s, usual, SOON_MS));
	if (io_now_ms() < *deadline_ms && fill(v, &got, *deadline_ms, e) == 0)
		return got > 0;
	if (io_now_ms() >= *deadline_ms) {
		err_free(e);
		smtpd_late(&v->door.s);
		send_out(v, e);
	}
	return false;
}

static int
converse(struct serving *v, struct err *e)
{
	struct smtpd *s = &v->door.s;
	enum smtpd_next next;
	int64_t deadline_ms = 0;
	size_t n;

	if (too_eager(v)) {
		smtpd_pregreeted(s);
		return send_out(v, e);
	}
	next = smtpd_greet(s);
	while (next != SMTPD_CLOSE) {
		if (next == SMTPD_SECURE) {
			if (send_out(v, e) || handshake(v, e))
				return e->code;
			deadline_ms = 0;
		}
		if (s->out.len > 0) {
			if (waiting(v).n == 0 && send_out(v, e))
				return e->code;
			deadline_ms = 0;
		}
		if (waiting(v).n == 0 && !more(v, &deadline_ms, e))
			return e->code;
		next = smtpd_feed(s, waiting(v), &n);
		taken(v, n);
		if (n == 0 && s->out.len > 0 && send_out(v, e)) /* full: out first */
			return e->code;
	}
	return send_out(v, e);
}

/* Whatever the client still says is thrown away until it has heard the last reply: a close with input
 * unread is a reset, which takes the reply with it. */
static void
linger(struct serving *v)
{
	struct err e = ERR_INIT;
	int64_t deadline_ms = io_now_ms() + SOON_MS;
	size_t got = 1;

	if (v->conn.tls || !v->c->socket || waiting(v).n == 0)
		return;
	shutdown(v->conn.fd, SHUT_WR);
	while (got > 0 && io_now_ms() < deadline_ms && fill(v, &got, deadline_ms, &e) == 0)
		taken(v, waiting(v).n);
	err_free(&e);
}

int
serve_look(struct serve_client *c, int in, int out, struct err *e)
{
	socklen_t n = sizeof c->peer.u;
	int type, flags;
	socklen_t type_n = sizeof type;

	c->in = in;
	c->out = out;
	c->socket = getsockopt(in, SOL_SOCKET, SO_TYPE, &type, &type_n) == 0 && type == SOCK_STREAM;
	c->local = !c->socket;
	c->has_peer = false;
	if (!c->socket)
		return 0;
	if (getpeername(in, &c->peer.u.sa, &n) < 0) {
		err_sys(e, "the client's address");
		return e->code = EX_NOINPUT;
	}
	c->has_peer = c->peer.u.sa.sa_family == AF_INET || c->peer.u.sa.sa_family == AF_INET6;
	c->local = c->peer.u.sa.sa_family == AF_UNIX;
	flags = fcntl(in, F_GETFL);
	if (flags < 0 || fcntl(in, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(e, "descriptor %d", in);
	return 0;
}

int
serve(const struct serve_client *c, struct err *e)
{
	struct serving v = {.c = c, .conn = CONN_INIT, .in = BUF_INIT};
	bool over = false;
	int rc = 0;

	door_open(&v.door, c->house, c->has_peer ? &c->peer : NULL);
	v.door.has_peer = !c->local;
	v.session_ms = io_now_ms() + (int64_t)c->house->serve->session_s * 1000;
	if (c->socket)
		conn_init(&v.conn, c->in);
	if (c->house->listen->proxy)
		rc = proxy(&v, &over, e);
	if (!rc && !over && c->identity && c->house->listen->tls == CONFSERVE_IMPLICIT)
		rc = handshake(&v, e);
	if (!rc && !over)
		rc = converse(&v, e);
	linger(&v);
	door_close(&v.door);
	conn_close(&v.conn);
	buf_free(&v.in);
	/* That a client goes away, is slow or breaks TLS is its own business. */
	if (rc == EX_NOPERM && over)
		return rc;
	err_free(e);
	return 0;
}
