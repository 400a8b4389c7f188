#include "serve.h"

#include "conn.h"
#include "doorauth.h"
#include "doorlimit.h"
#include "doorlocal.h"
#include "doorverdict.h"
#include "io.h"
#include "proxy.h"
#include "talk.h"
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND_MS 60000     /* for 64 KiB of replies to leave */
#define HANDSHAKE_MS 60000
#define PROXY_MS 30000    /* for a front end's header */

struct serving {
	const struct serve_client *c;
	struct door door;
	struct doorlimit limit;
	struct doorlocal local;
	struct doorverdict verdict;
	struct doorauth auth;
	struct conn conn;       /* of a socket */
	int64_t session_ms;     /* when all is over */
};

/* --- input and output */

static struct span
waiting(void *arg)
{
	const struct serving *v = arg;

	return conn_waiting(&v->conn);
}

static void
taken(void *arg, size_t n)
{
	struct serving *v = arg;

	conn_taken(&v->conn, n);
}

static int
fill(void *arg, size_t *got, int64_t deadline_ms, struct err *e)
{
	struct serving *v = arg;

	return conn_fill(&v->conn, got, deadline_ms, e);
}

static int
send_all(void *arg, const struct buf *out, struct err *e)
{
	struct serving *v = arg;
	struct iovec iov = {out->s, out->len};

	return conn_send(&v->conn, &iov, 1, SEND_MS, NULL, e);
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
		rc = conn_fill_some(&v->conn, proxy_wants(waiting(v)), &got, deadline_ms, e);
	*over = is == PROXY_MORE || is == PROXY_BAD;
	if (!rc && is == PROXY_BAD)
		rc = err_set(e, EX_PROTOCOL, "PROXY: a bad header from %s", v->door.peer_text.s);
	taken(v, n);
	door_proxied(&v->door, is == PROXY_CLIENT ? &client : NULL);
	return rc;
}

static int
handshake(void *arg, struct err *e)
{
	struct serving *v = arg;
	struct buf text = BUF_INIT;
	int rc = conn_tls_server(&v->conn, v->c->identity, within(v, HANDSHAKE_MS), e);

	if (rc)
		return rc;
	tls_describe(v->conn.tls, &text);
	door_tls(&v->door, (struct span){text.s, text.len});
	doorauth_tls(&v->auth, v->conn.tls);
	buf_free(&text);
	smtpd_secured(&v->door.s);
	return 0;
}

/* Whoever talks before the greeting does not listen to what is said: it is no mail client, or it
 * carries a text for us through something that is no mail client. */
static bool
too_eager(void *arg)
{
	struct serving *v = arg;
	struct err e = ERR_INIT;
	int64_t ms = (int64_t)v->door.house->serve->greet_ms;
	bool early;

	if (v->conn.tls)
		return waiting(v).n > 0;
	early = waiting(v).n > 0 || (ms == 0 ? io_ready(v->conn.fd, POLLIN)
	                                     : io_wait(v->conn.fd, POLLIN, within(v, ms), &e) == 0);
	err_free(&e);
	return early;
}

/* --- the conversation */

/* Whatever the client still says, or has announced, is thrown away until it has heard the last reply: a close
 * with input unread is a reset, which takes the reply with it. */
static void
linger(struct serving *v)
{
	struct err e = ERR_INIT;
	int64_t deadline_ms = io_now_ms() + TALK_SOON_MS;
	size_t got = 1;

	if (waiting(v).n == 0 && v->door.s.chunk == 0 && !io_ready(v->conn.fd, POLLIN))
		return;
	if (v->conn.tls)
		tls_bye(v->conn.tls);
	if (shutdown(v->conn.fd, SHUT_WR) < 0)
		return; /* the client has gone itself */
	while (got > 0 && io_now_ms() < deadline_ms && fill(v, &got, deadline_ms, &e) == 0)
		taken(v, waiting(v).n);
	err_free(&e);
}

/* Some supervisors put a pipe between the network and us, and say in the environment who is behind it:
 * those of ucspi over TLS, socat(1), ncat(1), stunnel(8).  No local program's rights for him then. */
static void
look_behind(struct serve_client *c)
{
	static const char *const names[] = {"TCPREMOTEIP", "SOCAT_PEERADDR", "NCAT_REMOTE_ADDR", "REMOTE_HOST"};
	const char *text = NULL;

	for (size_t i = 0; i < sizeof names / sizeof *names && !text; i++)
		text = getenv(names[i]);
	if (c->in != STDIN_FILENO || !text)
		return;
	c->local = false;
	c->has_peer = true;
	if (!net_addr_parse(&c->peer, span_of(text), 0) &&
	    (*text != '[' || !net_addr_parse(&c->peer, (struct span){text + 1, strcspn(text, "]") - 1}, 0)))
		c->peer = (struct net_addr){.u = {.in6 = {.sin6_family = AF_INET6}}}; /* nobody's */
}

int
serve_look(struct serve_client *c, int in, int out, struct err *e)
{
	socklen_t n = sizeof c->peer.u;
	int type, flags, one = 1;
	socklen_t type_n = sizeof type;

	c->in = in;
	c->out = out;
	c->socket = getsockopt(in, SOL_SOCKET, SO_TYPE, &type, &type_n) == 0 && type == SOCK_STREAM;
	c->local = !c->socket;
	c->has_peer = false;
	if (!c->socket) {
		look_behind(c);
		return 0;
	}
	if (getpeername(in, &c->peer.u.sa, &n) < 0) {
		err_sys(e, "the client's address");
		return e->code = EX_NOINPUT;
	}
	c->has_peer = c->peer.u.sa.sa_family == AF_INET || c->peer.u.sa.sa_family == AF_INET6;
	c->local = c->peer.u.sa.sa_family == AF_UNIX;
	if (c->has_peer)
		setsockopt(in, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	else if (c->local)
		look_behind(c);
	flags = fcntl(in, F_GETFL);
	if (flags < 0 || fcntl(in, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(e, "descriptor %d", in);
	return 0;
}

void
serve_accepted(struct serve_client *c, int fd, const struct net_addr *peer)
{
	sa_family_t family = peer->u.sa.sa_family;

	c->in = c->out = fd;
	c->socket = true;
	c->has_peer = family == AF_INET || family == AF_INET6;
	c->local = family == AF_UNIX;
	c->peer = *peer;
}

static int
serve_socket(struct serving *v, bool *refused, struct err *e)
{
	const struct serve_client *c = v->c;
	struct talk t = {.door = &v->door, .session_ms = v->session_ms, .arg = v, .waiting = waiting,
	    .taken = taken, .fill = fill, .send = send_all, .secure = handshake, .eager = too_eager};
	int rc = 0;

	conn_init(&v->conn, c->in);
	if (c->house->listen->proxy)
		rc = proxy(v, refused, e);
	if (!rc && !*refused && c->identity && c->house->listen->tls == CONFSERVE_IMPLICIT)
		rc = handshake(v, e);
	if (!rc && !*refused)
		rc = talk(&t, e);
	linger(v);
	return rc;
}

int
serve(const struct serve_client *c, struct err *e)
{
	struct serving v = {.c = c, .conn = CONN_INIT};
	bool refused = false;
	int rc;

	door_open(&v.door, c->house, c->has_peer ? &c->peer : NULL);
	doorlimit_open(&v.limit, &v.door, c->quota);
	doorlocal_open(&v.local, &v.door, c->locals);
	doorverdict_open(&v.verdict, &v.door, c->dns);
	doorauth_open(&v.auth, &v.door, c->login, c->events);
	v.door.has_peer = !c->local;
	v.session_ms = io_now_ms() + (int64_t)c->house->serve->session_s * 1000;
	rc = c->socket ? serve_socket(&v, &refused, e) : talk_pipes(&v.door, c->in, c->out, e);
	door_close(&v.door);
	doorauth_close(&v.auth);
	doorverdict_close(&v.verdict);
	conn_close(&v.conn);
	/* That a client goes away, is slow or breaks TLS is its own business. */
	if (rc == EX_NOPERM && refused)
		return rc;
	err_free(e);
	return 0;
}
