/* net: addresses as text, host and port, connecting and listening on the loopback. */
#include "tap.h"

#include "io.h"
#include "net.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static void
addresses(void)
{
	static const struct {
		const char *text, *shown; /* shown NULL: not an address */
		bool loopback;
	} t[] = {
		{"192.0.2.1", "192.0.2.1", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.255.255.255", "127.255.255.255", true},
		{"128.0.0.1", "128.0.0.1", false},
		{"126.255.255.255", "126.255.255.255", false},
		{"0.0.0.0", "0.0.0.0", true},
		{"0.1.2.3", "0.1.2.3", true},
		{"2001:DB8:0:0::1", "2001:db8::1", false},
		{"::1", "::1", true},
		{"::", "::", true},
		{"::2", "::2", false},
		{"::ffff:127.0.0.1", "127.0.0.1", true},
		{"::ffff:0.0.0.0", "0.0.0.0", true},
		{"::ffff:192.0.2.1", "192.0.2.1", false},
		{"", NULL, false},
		{"192.0.2", NULL, false},
		{"192.0.2.256", NULL, false},
		{"192.0.2.1 ", NULL, false},
		{"[::1]", NULL, false},
		{"1:2:3:4:5:6:7:8:9", NULL, false},
		{"example.org", NULL, false},
		{"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL, false},
	};
	struct net_addr a;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct buf b = BUF_INIT;
		bool good = net_addr_parse(&a, span_of(t[i].text), 25);

		if (good)
			net_addr_text(&a, &b);
		ok(good == (t[i].shown != NULL) && (!good || (strcmp(b.s, t[i].shown) == 0 &&
		    net_addr_loopback(&a) == t[i].loopback && net_addr_port(&a) == 25)),
		    "address \"%s\"", t[i].text);
		buf_free(&b);
	}
	ok(!net_addr_parse(&a, (struct span){"127.0.0.1\0x", 11}, 25), "a NUL does not end an address");
}

static void
equality(void)
{
	static const struct {
		const char *a, *b;
		bool same;
	} t[] = {
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::192.0.2.1", false},
		{"2001:db8::1", "2001:db8:0::1", true},
		{"2001:db8::1", "2001:db8::2", false},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct net_addr a, b;

		ok(net_addr_parse(&a, span_of(t[i].a), 1) && net_addr_parse(&b, span_of(t[i].b), 2) &&
		    net_addr_eq(&a, &b) == t[i].same && net_addr_eq(&b, &a) == t[i].same,
		    "%s %s %s", t[i].a, t[i].same ? "is" : "is not", t[i].b);
	}
}

static void
host_port(void)
{
	static const struct {
		const char *text, *host; /* host NULL: EX_USAGE */
		int port;
	} t[] = {
		{"mx.example.org:2525", "mx.example.org", 2525},
		{"mx.example.org", "mx.example.org", 25},
		{"192.0.2.1:0", "192.0.2.1", 0},
		{"192.0.2.1:65535", "192.0.2.1", 65535},
		{"192.0.2.1:65536", NULL, 0},
		{"[2001:db8::1]:587", "2001:db8::1", 587},
		{"[::1]", "::1", 25},
		{"[::ffff:192.0.2.1]:26", "::ffff:192.0.2.1", 26},
		{"b\xc3\xbc" "cher.example:26", "b\xc3\xbc" "cher.example", 26},
		{"::1", NULL, 0},
		{"[::1", NULL, 0},
		{"[::1]25", NULL, 0},
		{"[192.0.2.1]:25", NULL, 0},
		{"[mx]:25", NULL, 0},
		{"host:", NULL, 0},
		{"host:-1", NULL, 0},
		{"host:25x", NULL, 0},
		{"host:25:26", NULL, 0},
		{":25", NULL, 0},
		{"", NULL, 0},
		{"a b:25", NULL, 0},
		{"a\n:25", NULL, 0},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct buf host = BUF_INIT;
		struct err e = ERR_INIT;
		uint16_t port = 0;
		int rc = net_host_port(span_of(t[i].text), 25, &host, &port, &e);

		if (t[i].host)
			ok(rc == 0 && strcmp(host.s, t[i].host) == 0 && port == t[i].port,
			    "\"%s\" is %s port %d", t[i].text, t[i].host, t[i].port);
		else
			ok(rc == EX_USAGE && host.len == 0, "host and port %zu: refused", i);
		buf_free(&host);
		err_free(&e);
	}
}

static void
conversation(const char *on)
{
	struct net_addr at, to, peer;
	struct err e = ERR_INIT;
	struct iovec v[2] = {{(void *)(uintptr_t) "he", 2}, {(void *)(uintptr_t) "llo", 3}};
	int lfd, a = -1, b = -1;
	char p[16];
	size_t n;
	bool eof;

	net_addr_parse(&at, span_of(on), 0);
	if (net_listen(&lfd, &at, 5, &e)) {
		ok(true, "%s # SKIP %s", on, err_text(&e));
		err_free(&e);
		return;
	}
	ok(net_addr_port(&at) != 0, "%s: the kernel chose a port", on);
	ok(net_accept_now(lfd, &a, &peer, &e) == 0 && a == -1, "nobody has come yet");
	to = at;
	is_num(net_connect(&b, &to, &at, io_now_ms() + 1000, &e), EX_TEMPFAIL, "a source port in use");
	net_addr_parse(&peer, span_of(on), 0);
	err_free(&e);
	is_num(net_connect(&b, &to, &peer, io_now_ms() + 5000, &e), 0, "connected from a source");
	is_num(io_wait(lfd, POLLIN, io_now_ms() + 5000, &e), 0, "somebody has come");
	ok(net_accept_now(lfd, &a, &peer, &e) == 0 && a >= 0, "accepted");
	ok(net_addr_eq(&peer, &at), "the peer has the address it chose");
	is_num(net_recv(a, p, sizeof p, &n, &eof, &e), 0, "nothing to read");
	ok(n == 0 && !eof, "... is not the end");
	is_num(net_send(b, v, 2, &n, &e), 0, "sent");
	is_num(io_wait(a, POLLIN, io_now_ms() + 5000, &e), 0, "arrives");
	is_num(net_recv(a, p, sizeof p, &n, &eof, &e), 0, "read");
	is_mem(p, n, "hello", 5, "what was sent");
	close(b);
	io_wait(a, POLLIN, io_now_ms() + 5000, &e);
	is_num(net_recv(a, p, sizeof p, &n, &eof, &e), 0, "the end");
	ok(n == 0 && eof, "... is seen");
	close(a);
	close(lfd);
}

/* Fills the queue of a listener that accepts nobody, so that the next connection hangs. */
static void
refusals(void)
{
	struct net_addr at;
	struct err e = ERR_INIT;
	struct buf want = BUF_INIT;
	int lfd, fd[8], rc = 0, n = 0;
	int64_t start;

	net_addr_parse(&at, span_of("127.0.0.1"), 0);
	net_listen(&lfd, &at, 0, &e);
	while (!rc && n < 8) {
		start = io_now_ms();
		rc = net_connect(&fd[n], &at, NULL, start + 200, &e);
		if (!rc)
			n++;
	}
	ok(rc == EX_TEMPFAIL && strstr(err_text(&e), ": timed out"), "a full listener: timed out");
	ok(io_now_ms() - start >= 200 && io_now_ms() - start < 2000, "... at the deadline");
	while (n > 0)
		close(fd[--n]);
	close(lfd);
	is_num(net_connect(fd, &at, NULL, io_now_ms() + 5000, &e), EX_TEMPFAIL, "nobody listens");
	buf_fmt(&want, "connect 127.0.0.1:%u: Connection refused", (unsigned)net_addr_port(&at));
	is_str(err_text(&e), want.s, "... and the text says so");
	ok(fd[0] == -1, "... and there is no descriptor");
	buf_free(&want);
	net_addr_parse(&at, span_of("2001:db8::1"), 26);
	net_endpoint_text(&at, &want);
	is_str(want.s, "[2001:db8::1]:26", "an IPv6 endpoint has brackets");
	buf_free(&want);
	err_free(&e);
}

static void
own(void)
{
	struct net_addr *list, lo;
	struct err e = ERR_INIT;
	bool found = false;
	size_t n;

	net_addr_parse(&lo, span_of("127.0.0.1"), 0);
	is_num(net_own_addrs(&list, &n, &e), 0, "own addresses");
	for (size_t i = 0; i < n; i++)
		found = found || net_addr_eq(&list[i], &lo);
	ok(found, "... the loopback is among them");
	free(list);
}

int
main(void)
{
	addresses();
	equality();
	host_port();
	conversation("127.0.0.1");
	conversation("::1");
	refusals();
	own();
	return tap_done();
}
