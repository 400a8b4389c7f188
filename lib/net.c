#include "net.h"

#include "io.h"
#include "sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define UNIX_WAIT_S 10 /* for a place in a backlog */
#define TYPE (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

/* From errno, but always EX_TEMPFAIL: a firewall's EPERM is no permission that a person lacks. */
static int
fail(struct err *e, const char *what)
{
	err_sys(e, "%s", what);
	e->code = EX_TEMPFAIL;
	return EX_TEMPFAIL;
}

static socklen_t
addr_size(const struct net_addr *a)
{
	return a->u.sa.sa_family == AF_INET ? sizeof a->u.in4
	    : a->u.sa.sa_family == AF_UNIX   ? sizeof a->u.un
	                                     : sizeof a->u.in6;
}

bool
net_addr_unix(struct net_addr *a, struct span text)
{
	struct cur c = cur_span(text);
	struct span path;

	if (!cur_lit(&c, "unix:"))
		return false;
	path = cur_rest(&c);
	if (path.n == 0 || path.n >= sizeof a->u.un.sun_path || path.p[0] != '/' ||
	    memchr(path.p, '\0', path.n))
		return false;
	memset(a, 0, sizeof *a);
	a->u.un.sun_family = AF_UNIX;
	memcpy(a->u.un.sun_path, path.p, path.n);
	return true;
}

bool
net_addr_parse(struct net_addr *a, struct span text, uint16_t port)
{
	char s[INET6_ADDRSTRLEN];

	if (text.n == 0 || text.n >= sizeof s || memchr(text.p, '\0', text.n))
		return false;
	memcpy(s, text.p, text.n);
	s[text.n] = '\0';
	memset(a, 0, sizeof *a);
	if (inet_pton(AF_INET, s, &a->u.in4.sin_addr) == 1) {
		a->u.in4.sin_family = AF_INET;
		a->u.in4.sin_port = htons(port);
		return true;
	}
	if (inet_pton(AF_INET6, s, &a->u.in6.sin6_addr) == 1) {
		a->u.in6.sin6_family = AF_INET6;
		a->u.in6.sin6_port = htons(port);
		return true;
	}
	return false;
}

const uint8_t *
net_addr_v4(const struct net_addr *a)
{
	if (a->u.sa.sa_family == AF_INET)
		return (const uint8_t *)&a->u.in4.sin_addr;
	if (a->u.sa.sa_family != AF_UNIX && IN6_IS_ADDR_V4MAPPED(&a->u.in6.sin6_addr))
		return a->u.in6.sin6_addr.s6_addr + 12;
	return NULL;
}

void
net_addr_text(const struct net_addr *a, struct buf *out)
{
	char s[INET6_ADDRSTRLEN];
	const uint8_t *four = net_addr_v4(a);

	for (int i = 0; four && i < 4; i++) {
		if (i > 0)
			buf_ch(out, '.');
		buf_num(out, four[i]);
	}
	if (four)
		return;
	if (a->u.sa.sa_family == AF_UNIX)
		buf_fmt(out, "unix:%s", a->u.un.sun_path);
	else
		buf_str(out, inet_ntop(AF_INET6, &a->u.in6.sin6_addr, s, sizeof s));
}

void
net_endpoint_text(const struct net_addr *a, struct buf *out)
{
	bool six = !net_addr_v4(a), file = a->u.sa.sa_family == AF_UNIX;

	if (six && !file)
		buf_ch(out, '[');
	net_addr_text(a, out);
	if (!file)
		buf_fmt(out, "%s:%u", six ? "]" : "", (unsigned)net_addr_port(a));
}

uint16_t
net_addr_port(const struct net_addr *a)
{
	return a->u.sa.sa_family == AF_UNIX
	    ? 0 : ntohs(a->u.sa.sa_family == AF_INET ? a->u.in4.sin_port : a->u.in6.sin6_port);
}

void
net_addr_set_port(struct net_addr *a, uint16_t port)
{
	if (a->u.sa.sa_family == AF_INET)
		a->u.in4.sin_port = htons(port);
	else if (a->u.sa.sa_family == AF_INET6)
		a->u.in6.sin6_port = htons(port);
}

bool
net_addr_loopback(const struct net_addr *a)
{
	const uint8_t *four = net_addr_v4(a);

	if (four)
		return four[0] == 127 || four[0] == 0;
	return a->u.sa.sa_family == AF_UNIX || IN6_IS_ADDR_LOOPBACK(&a->u.in6.sin6_addr) ||
	    IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr);
}

bool
net_addr_eq(const struct net_addr *a, const struct net_addr *b)
{
	const uint8_t *a4 = net_addr_v4(a), *b4 = net_addr_v4(b);

	if (a4 && b4)
		return memcmp(a4, b4, 4) == 0;
	if (a4 || b4 || a->u.sa.sa_family == AF_UNIX || b->u.sa.sa_family == AF_UNIX)
		return false; /* files are nobody's own address */
	return memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, 16) == 0;
}

static bool
is_host(int c)
{
	return is_alnum(c) || c == '-' || c == '.' || c == '_' || c >= 0x80;
}

static bool
is_v6(int c)
{
	return is_alnum(c) || c == ':' || c == '.';
}

int
net_host_port(struct span text, uint16_t default_port, struct buf *host, uint16_t *port,
    struct err *e)
{
	struct cur c = cur_span(text);
	bool six = cur_ch(&c, '[');
	struct span name = cur_while(&c, six ? is_v6 : is_host);
	uint64_t number = default_port;
	struct net_addr a;
	bool good = name.n > 0;

	if (six)
		good = cur_ch(&c, ']') && net_addr_parse(&a, name, 0) &&
		    a.u.sa.sa_family == AF_INET6;
	if (good && cur_ch(&c, ':'))
		good = cur_u64(&c, UINT16_MAX, &number);
	if (!good || !cur_end(&c))
		return err_set(e, EX_USAGE, "\"%.*s\" is not HOST:PORT or [ADDRESS]:PORT",
		    SPAN_ARG(text));
	buf_add(host, name.p, name.n);
	*port = (uint16_t)number;
	return 0;
}

int
net_own_addrs(struct net_addr **list, size_t *n, struct err *e)
{
	struct ifaddrs *all;
	size_t room = 0;

	*list = NULL;
	*n = 0;
	if (getifaddrs(&all) < 0)
		return fail(e, "list of own addresses");
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct net_addr a = {0};

		if (!i->ifa_addr || !(i->ifa_flags & IFF_UP))
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			memcpy(&a.u.in4, i->ifa_addr, sizeof a.u.in4);
		else if (i->ifa_addr->sa_family == AF_INET6)
			memcpy(&a.u.in6, i->ifa_addr, sizeof a.u.in6);
		else
			continue;
		if (*n == room)
			*list = mem_grow(*list, room = room * 2 + 8, sizeof a);
		(*list)[(*n)++] = a;
	}
	freeifaddrs(all);
	return 0;
}

static int
begin(int *fd, int family, struct err *e)
{
	int one = 1;

	*fd = socket(family, TYPE, 0);
	if (*fd < 0)
		return fail(e, "socket");
	if (family != AF_UNIX)
		setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return 0;
}

/* A server in a file whose backlog is full says EAGAIN where internet sockets wait: so this one may. */
static int
connect_to(int fd, const struct net_addr *to)
{
	struct timeval wait = {UNIX_WAIT_S, 0};
	int flags, rc, why;

	if (to->u.sa.sa_family != AF_UNIX)
		return connect(fd, &to->u.sa, addr_size(to));
	flags = fcntl(fd, F_GETFL);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
	fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	rc = connect(fd, &to->u.sa, addr_size(to));
	why = errno;
	fcntl(fd, F_SETFL, flags);
	errno = why;
	return rc;
}

static int
finish_connect(int fd, int64_t deadline_ms, struct err *e)
{
	int why = 0, rc = io_wait(fd, POLLOUT, deadline_ms, e);
	socklen_t n = sizeof why;

	if (rc)
		return rc;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &n) < 0)
		return fail(e, "socket");
	if (why == 0)
		return 0;
	return err_set(e, EX_TEMPFAIL, "%s", strerrordesc_np(why));
}

static int
not_connected(int fd, const struct net_addr *to, struct err *e)
{
	struct buf peer = BUF_INIT;

	net_endpoint_text(to, &peer);
	err_in(e, "connect %s", peer.s);
	buf_free(&peer);
	close(fd);
	return e->code;
}

static int
bind_to(int fd, const struct net_addr *source, struct err *e)
{
	struct buf text = BUF_INIT;
	int one = 1;

	/* The port is chosen when it is known where to: 28,000 connections to each peer, not in all. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
	if (bind(fd, &source->u.sa, addr_size(source)) == 0)
		return 0;
	net_addr_text(source, &text);
	err_sys(e, "address %s", text.s);
	buf_free(&text);
	return e->code = EX_TEMPFAIL;
}

int
net_can_bind(const struct net_addr *source, struct err *e)
{
	int fd, rc = begin(&fd, source->u.sa.sa_family, e);

	if (rc)
		return rc;
	rc = bind_to(fd, source, e);
	close(fd);
	return rc;
}

int
net_connect_start(int *fd, const struct net_addr *to, const struct net_addr *source,
    struct err *e)
{
	int rc = begin(fd, to->u.sa.sa_family, e);

	if (rc)
		return rc;
	if (source && bind_to(*fd, source, e))
		rc = err_in(e, "from");
	else if (connect_to(*fd, to) < 0 && errno != EINPROGRESS && errno != EINTR)
		rc = err_set(e, EX_TEMPFAIL, "%s", strerrordesc_np(errno));
	if (rc) {
		not_connected(*fd, to, e);
		*fd = -1;
	}
	return rc;
}

int
net_connect_end(int fd, const struct net_addr *to, int64_t deadline_ms, struct err *e)
{
	return finish_connect(fd, deadline_ms, e) ? not_connected(fd, to, e) : 0;
}

bool
net_own_end(int fd, struct net_addr *a)
{
	socklen_t n = sizeof a->u;

	memset(a, 0, sizeof *a);
	return getsockname(fd, &a->u.sa, &n) == 0 &&
	    (a->u.sa.sa_family == AF_INET || a->u.sa.sa_family == AF_INET6);
}

int
net_connect(int *fd, const struct net_addr *to, const struct net_addr *source,
    int64_t deadline_ms, struct err *e)
{
	int rc = net_connect_start(fd, to, source, e);

	if (!rc)
		rc = net_connect_end(*fd, to, deadline_ms, e);
	if (rc)
		*fd = -1;
	return rc;
}

static int
bind_and_listen(int fd, struct net_addr *at, int backlog, bool shared, struct err *e)
{
	socklen_t n = sizeof at->u;
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
	if (at->u.sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	if (bind(fd, &at->u.sa, addr_size(at)) < 0 || listen(fd, backlog) < 0)
		return err_set(e, errno == EACCES ? EX_NOPERM : EX_TEMPFAIL, "%s",
		    strerrordesc_np(errno));
	if (getsockname(fd, &at->u.sa, &n) < 0)
		return fail(e, "socket");
	return 0;
}

static int
listen_at(int *fd, struct net_addr *at, int backlog, bool shared, struct err *e)
{
	struct buf name = BUF_INIT;
	int rc = begin(fd, at->u.sa.sa_family, e);

	if (rc)
		return rc;
	rc = bind_and_listen(*fd, at, backlog, shared, e);
	if (rc) {
		net_endpoint_text(at, &name);
		err_in(e, "listen %s", name.s);
		buf_free(&name);
		close(*fd);
		*fd = -1;
	}
	return rc;
}

int
net_listen(int *fd, struct net_addr *at, int backlog, struct err *e)
{
	return listen_at(fd, at, backlog, false, e);
}

int
net_listen_shared(int *fd, struct net_addr *at, int backlog, struct err *e)
{
	return listen_at(fd, at, backlog, true, e);
}

int
net_accept_now(int lfd, int *fd, struct net_addr *peer, struct err *e)
{
	int one = 1;

	memset(peer, 0, sizeof *peer);
	do {
		socklen_t n = sizeof peer->u;

		*fd = accept4(lfd, &peer->u.sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		/* accept(2): errors of the new connection come out here, and are its own. */
	} while (*fd < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO ||
	    errno == ENETDOWN || errno == EHOSTUNREACH || errno == ENETUNREACH));
	if (*fd < 0)
		return errno == EAGAIN ? 0 : fail(e, "accept");
	setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return 0;
}

int
net_recv(int fd, void *p, size_t n, size_t *got, bool *eof, struct err *e)
{
	ssize_t r;

	do
		r = recv(fd, p, n, MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	*got = r > 0 ? (size_t)r : 0;
	*eof = r == 0 && n > 0;
	return r < 0 && errno != EAGAIN ? fail(e, "read") : 0;
}

int
net_send(int fd, const struct iovec *iov, int n, size_t *put, struct err *e)
{
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};
	ssize_t r;

	do
		r = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	*put = r > 0 ? (size_t)r : 0;
	return r < 0 && errno != EAGAIN ? fail(e, "write") : 0;
}

int
net_send_file(int fd, int file, uint64_t off, size_t len, size_t *put, bool *unfit, struct err *e)
{
	off_t at = (off_t)off;
	ssize_t r;

	/* SIGPIPE is ignored by prog_start(); sendfile(2) has no flag for it. */
	do
		r = sendfile(fd, file, &at, len);
	while (r < 0 && errno == EINTR);
	*put = r > 0 ? (size_t)r : 0;
	*unfit = r < 0 && (errno == EINVAL || errno == ENOSYS);
	if (r == 0 && len > 0)
		return err_set(e, EX_TEMPFAIL, "the file ends before its length");
	return r < 0 && !*unfit && errno != EAGAIN ? fail(e, "write") : 0;
}
