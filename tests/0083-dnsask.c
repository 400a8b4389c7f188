/* Questions over sockets: whose answers are secure, and what is remembered for others. */
#include "dns.h"
#include "io.h"
#include "mxlook.h"
#include "net.h"
#include "tlspolicy.h"

#include "tap.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER 12
#define TTL "\0\0\16\20" /* 3600 */

static void
skip(const char *why)
{
	ok(true, "# SKIP %s", why);
}

struct server {
	int fd;
	uint16_t port;
	bool other; /* says where cname.example leads, and refuses all else */
	pthread_t thread;
	atomic_uint asked;
};

/* RFC 1035 4.1.3: the question's name, type, class IN, TTL, data. */
static void
record(struct buf *b, uint8_t type, const char *data, size_t n)
{
	buf_add(b, "\xc0\x0c\0", 3);
	buf_ch(b, (char)type);
	buf_add(b, "\0\1" TTL "\0", 7);
	buf_ch(b, (char)n);
	buf_add(b, data, n);
}

/* The first letter of the name says what is wanted: c a CNAME to m.example, m an MX, s silence for A; and
 * x.example has a TLSA record with a line of its own; l two MX, x.example before y.example. */
static bool
reply(const struct server *s, const char *q, size_t n, struct buf *b)
{
	uint8_t type = (uint8_t)q[n - 3];
	char kind = q[HEADER + 1];

	buf_add(b, q, n);
	b->s[2] = (char)0x81;
	b->s[3] = (char)0xa0; /* RA, AD */
	b->s[11] = 0;         /* no additional record */
	b->s[7] = 1;
	if (s->other && kind != 'c') {
		b->s[3] = (char)0x85;
		b->s[7] = 0;
	} else if (kind == 'c') {
		record(b, 5, "\1m\7example", 11);
	} else if (type == 52 && q[n - 14] == 'x') {
		record(b, 52, "X\npolicy of all: verify", 23);
	} else if (kind == 'l') {
		b->s[7] = 2;
		record(b, 15, "\0\12\1x\7example", 13);
		record(b, 15, "\0\24\1y\7example", 13);
	} else if (kind == 'm') {
		record(b, 15, "\0\12\1x\7example", 13);
	} else if (type == 28) {
		record(b, 28, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	} else if (type == 1) {
		if (kind == 's')
			return false;
		record(b, 1, "\xc0\0\2\1", 4);
	} else {
		b->s[7] = 0;
	}
	return true;
}

static void *
serve(void *arg)
{
	struct server *s = arg;
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	char q[512];
	ssize_t n;

	while ((n = recvfrom(s->fd, q, sizeof q, 0, (struct sockaddr *)&from, &len)) > HEADER) {
		size_t end = HEADER;
		struct buf b = BUF_INIT;

		s->asked++;
		while (q[end] > 0)
			end += (size_t)q[end] + 1;
		if (reply(s, q, end + 5, &b))
			sendto(s->fd, b.s, b.len, 0, (struct sockaddr *)&from, len);
		buf_free(&b);
		len = sizeof from;
	}
	return NULL;
}

static bool
start(struct server *s, struct in_addr where)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = where};
	socklen_t n = sizeof a;

	s->fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(s->fd, (struct sockaddr *)&a, n) || getsockname(s->fd, (struct sockaddr *)&a, &n))
		return false;
	s->port = ntohs(a.sin_port);
	return pthread_create(&s->thread, NULL, serve, s) == 0;
}

static void
end(struct server *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t n = sizeof a;

	getsockname(s->fd, (struct sockaddr *)&a, &n);
	sendto(s->fd, "", 1, 0, (struct sockaddr *)&a, n);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

static struct in_addr
loopback(void)
{
	return (struct in_addr){htonl(INADDR_LOOPBACK)};
}

static struct dns *
open_at(const struct server *s)
{
	struct buf b = BUF_INIT;
	struct dns *d = NULL;
	struct err e = ERR_INIT;

	buf_fmt(&b, "127.0.0.1@%u", s->port);
	is_num(dns_open(&d, b.s, &e), 0, "a resolver");
	buf_free(&b);
	err_free(&e);
	return d;
}

/* --- */

static void
deadline_test(void)
{
	struct server s = {.other = false};
	_Atomic bool stop = true;
	struct answers a = ANSWERS_INIT;
	struct err e = ERR_INIT;
	struct dns *d, *hurried;

	if (!start(&s, loopback()))
		return skip("no socket to be had");
	d = open_at(&s);
	dns_ask(d, "a.example", ANSWERS_A, io_now_ms() - 1, &a);
	is_num(a.says, ANSWERS_TIMEOUT, "a deadline that is over");
	answers_free(&a);
	dns_ask(d, "a.example", ANSWERS_A, io_now_ms() + 5000, &a);
	is_num(a.says, ANSWERS_SOME, "is no failure for whoever has time");
	answers_free(&a);
	dns_clone(&hurried, d, &e);
	dns_heed(hurried, &stop);
	dns_ask(hurried, "b.example", ANSWERS_A, io_now_ms() + 5000, &a);
	is_num(a.says, ANSWERS_TIMEOUT, "nor is one whose waits were ended");
	answers_free(&a);
	dns_ask(d, "b.example", ANSWERS_A, io_now_ms() + 5000, &a);
	is_num(a.says, ANSWERS_SOME, "for whoever waits");
	answers_free(&a);
	dns_close(hurried);
	dns_close(d);
	end(&s);
}

static void
told(void *arg, const struct dns_told *t)
{
	uint32_t *ttl_s = arg;

	*ttl_s = t->is->ttl_s;
}

static void
half_test(void)
{
	struct server s = {.other = false};
	struct dns_addrs l;
	struct err e = ERR_INIT;
	uint32_t ttl_s = 0;
	struct dns *d;

	if (!start(&s, loopback()))
		return skip("no socket to be had");
	d = open_at(&s);
	dns_tell(d, told, &ttl_s);
	is_num(dns_query_addrs(d, "a.example", io_now_ms() + 5000, &l, &e), 0, "both kinds of addresses");
	is_num((long long)l.n, 2, "are there");
	is_num(ttl_s, 3600, "and remembered");
	dns_addrs_free(&l);
	is_num(dns_query_addrs(d, "silent.example", io_now_ms() + 300, &l, &e), 0, "AAAA alone is answered");
	is_num((long long)l.n, 1, "and taken");
	ok(ttl_s <= 5, "and that there is no A is not remembered");
	dns_addrs_free(&l);
	err_free(&e);
	dns_close(d);
	end(&s);
}

/* An address of this machine that is not loopback. */
static bool
elsewhere(struct in_addr *where)
{
	struct net_addr *v = NULL;
	struct err e = ERR_INIT;
	size_t n = 0;
	bool found = false;

	if (net_own_addrs(&v, &n, &e) == 0)
		for (size_t i = 0; i < n && !found; i++)
			if (v[i].u.sa.sa_family == AF_INET && !net_addr_loopback(&v[i])) {
				*where = v[i].u.in4.sin_addr;
				found = true;
			}
	err_free(&e);
	free(v);
	return found;
}

/* RFC 7672 2.2: AD counts from whom it can be believed alone, in each step of a chain. */
static void
trust_test(void)
{
	struct server near = {.other = false}, far = {.other = true};
	struct answers a = ANSWERS_INIT;
	struct err e = ERR_INIT;
	struct buf servers = BUF_INIT;
	struct in_addr where;
	char text[INET_ADDRSTRLEN];
	struct dns *d = NULL;

	if (!elsewhere(&where) || !start(&far, where) || !start(&near, loopback()))
		return skip("no address but loopback");
	inet_ntop(AF_INET, &where, text, sizeof text);
	buf_fmt(&servers, "%s@%u,127.0.0.1@%u", text, far.port, near.port);
	is_num(dns_open(&d, servers.s, &e), 0, "two resolvers");
	dns_ask(d, "cname.example", ANSWERS_MX, io_now_ms() + 5000, &a);
	is_num((long long)a.n, 1, "one says where a chain leads, the other what is there");
	ok(!a.secure, "the first is not on loopback: that is not secure");
	answers_free(&a);
	dns_ask(d, "m.example", ANSWERS_MX, io_now_ms() + 5000, &a);
	ok(a.n == 1 && a.secure, "what loopback alone says is");
	answers_free(&a);
	dns_close(d);
	buf_free(&servers);
	err_free(&e);
	end(&near);
	end(&far);
}

/* A host before this one failed for good, and its error is still there. */
static void
policy_test(void)
{
	struct server s = {.other = false};
	struct route_host host = {(char *)(uintptr_t)"t.example", 0, 25};
	struct route r = {.hosts = &host, .n = 1, .secure = true, .tls = CONF_TLS_AUTO};
	struct tlspolicy p;
	struct err e = ERR_INIT;
	char status[12] = "";
	struct dns *d;

	if (!start(&s, loopback()))
		return skip("no socket to be had");
	d = open_at(&s);
	err_set(&e, EX_NOHOST, "mx1.example: no such host");
	is_num(tlspolicy_find(&r, 0, &(struct dns_addrs){.secure = true}, NULL, NULL, d, io_now_ms() + 5000, &p, status, &e), 0,
	    "no TLSA records: that is no failure");
	is_num(p.level, TLSPOLICY_MAY, "opportunistic");
	tlspolicy_free(&p);
	err_free(&e);
	dns_close(d);
	end(&s);
}

/* What is explained are lines of ours. */
static void
explain_test(void)
{
	struct server s = {.other = false};
	struct conf conf = {.hostname = (char *)(uintptr_t)"h.example", .tls = CONF_TLS_AUTO};
	struct route_self self = {NULL, 0, NULL, 0};
	struct mxlook_with with = {.conf = &conf, .self = &self, .addresses = true, .wait_ms = 5000};
	struct mxlook m;
	struct dns *d;

	if (!start(&s, loopback()))
		return skip("no socket to be had");
	d = open_at(&s);
	mxlook_find(&m, &with, d, SPAN("m.example"), true);
	ok(strstr(m.told.s, "TLSA _25._tcp.x.example: 88 10 112 ("), "a TLSA record as numbers");
	ok(!strstr(m.told.s, "\npolicy of all"), "whatever stands in it");
	if (tap_failed)
		printf("# %s\n", m.told.s);
	mxlook_free(&m);
	dns_close(d);
	end(&s);
}

/* RFC 5321 5.1: nobody is behind a host that is ourselves, as for who delivers. */
static void
loop_test(void)
{
	struct server s = {.other = false};
	struct conf conf = {.hostname = (char *)(uintptr_t)"h.example", .tls = CONF_TLS_AUTO};
	struct net_addr own;
	struct route_self self = {NULL, 0, &own, 1};
	struct mxlook_with with = {.conf = &conf, .self = &self, .addresses = true, .wait_ms = 5000};
	struct mxlook m;
	struct dns *d;

	net_addr_parse(&own, SPAN("192.0.2.1"), 0);
	if (!start(&s, loopback()))
		return skip("no socket to be had");
	d = open_at(&s);
	mxlook_find(&m, &with, d, SPAN("l.example"), false);
	is_num((long long)m.route.n, 2, "two hosts");
	is_num(m.code, EX_UNAVAILABLE, "the first leads back here: none is left");
	is_str(m.status, "5.4.6", "which has a status");
	mxlook_free(&m);
	dns_close(d);
	end(&s);
}

int
main(void)
{
	deadline_test();
	half_test();
	trust_test();
	policy_test();
	explain_test();
	loop_test();
	return tap_done();
}
