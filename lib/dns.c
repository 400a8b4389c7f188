#include "dns.h"

#include "buf.h"
#include "cur.h"
#include "dnscache.h"
#include "dnsconf.h"
#include "io.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UDP_BYTES 4096       /* of one datagram: more than we ask for, since some do not listen */
#define ROUNDS 4             /* of asking every server that has not yet answered */
#define TRY_MS 1500          /* a server's time in the first round; doubled each round */
#define TCP_MS 5000          /* at least, for an answer that did not fit a datagram */
#define SECOND_FAMILY_MS 500 /* for AAAA when A is there: some servers never answer AAAA */
#define ADDRESSES 256        /* beside the types of answers.h: A and AAAA together */
#define TTL_UNKNOWN_S 60     /* an empty answer without SOA says nothing of its lifetime */

/* What was read at dns_open; never changed after, hence shared without a lock. */
struct shared {
	atomic_uint users;
	struct dnsconf conf;
	struct dnscache *cache; /* which has a lock of its own */
	bool trust_ad;
};

struct dns {
	struct shared *s;
	size_t first; /* the server that answered last is asked first */
	dns_told *told;
	void *told_arg;
	const _Atomic bool *stop; /* NULL: nobody ends our waits */
};

/* One question on its way. */
struct question {
	const char *name;
	uint16_t type;
	uint32_t refused; /* bit i: server i has answered that it will not help */
	bool done;
	bool plain;       /* without EDNS0 */
	int fd;           /* -1: no datagram is waited for */
	struct buf query; /* with the two bytes of length that TCP wants */
	struct dnsmsg_answer answer;
};

struct asking {
	struct dns *d;
	struct question *q;
	size_t n;
	size_t server;
	int64_t deadline_ms;
	struct err why; /* the last thing that went wrong */
};

static bool
stopped(const struct asking *a)
{
	return a->d->stop && *a->d->stop;
}

/* As io_wait, but ended by dns_heed's flag too. */
static int
wait_for(const struct asking *a, int fd, short events, int64_t until_ms, struct err *e)
{
	int rc;

	do {
		int64_t now = io_now_ms(), next = now + DNS_HEED_MS;

		if (stopped(a) || now >= until_ms)
			return err_set(e, EX_TEMPFAIL, "timed out");
		rc = io_wait(fd, events, next < until_ms ? next : until_ms, e);
	} while (rc && errno == ETIMEDOUT);
	return rc;
}

static bool
is_localhost(const char *host)
{
	/* RFC 6761 6.3: never a question to the DNS. */
	return span_ieq(span_of(host), SPAN("localhost")) ||
	    span_ends(span_of(host), SPAN(".localhost"));
}

/* --- one server, one try */

static void
stop(struct question *q)
{
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
}

static void
refuse(struct asking *a, struct question *q)
{
	q->refused |= 1u << a->server;
	stop(q);
}

/* A socket of its own for each try: the kernel gives it a random source port, takes only what
 * comes from the server, and a late answer to an earlier try cannot be mistaken. */
static int
send_udp(struct asking *a, struct question *q)
{
	const struct net_addr *to = &a->d->s->conf.servers[a->server];
	socklen_t n = to->u.sa.sa_family == AF_INET6 ? sizeof to->u.in6 : sizeof to->u.in4;

	stop(q);
	buf_cut(&q->query, 0);
	buf_add(&q->query, "\0", 2); /* the length, for TCP */
	if (dnsmsg_query(&q->query, q->name, q->type, (uint16_t)io_random(), !q->plain, &a->why))
		return a->why.code;
	q->query.s[0] = (char)((q->query.len - 2) >> 8);
	q->query.s[1] = (char)((q->query.len - 2) & 0xff);
	q->fd = socket(to->u.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (q->fd < 0 || connect(q->fd, &to->u.sa, n) < 0)
		return err_sys(&a->why, "socket");
	return io_write(q->fd, q->query.s + 2, q->query.len - 2, &a->why);
}

static bool
matches(const struct question *q, struct span answer)
{
	return dnsmsg_matches((struct span){q->query.s + 2, q->query.len - 2}, answer);
}

/* RFC 7672 2.2: AD counts only over a path that nobody else can write to. */
static bool
is_trusted(const struct asking *a, size_t server)
{
	return a->d->s->trust_ad || net_addr_loopback(&a->d->s->conf.servers[server]);
}

/* Whoever has just answered. */
static bool
trusted(const struct asking *a)
{
	return is_trusted(a, a->server);
}

/* It may call the answer bogus: who validates nothing would tell it all the same, and DANE would be off. */
static void
only_trusted(const struct asking *a, struct question *q)
{
	for (size_t i = 0; i < a->d->s->conf.n_servers; i++)
		if (!is_trusted(a, i))
			q->refused |= 1u << i;
}

/* A packet that answers: it is the end of the question, or of this server. */
static void
settle(struct asking *a, struct question *q, struct span answer)
{
	int rcode = dnsmsg_rcode(answer);

	stop(q);
	if (!q->plain && (rcode == DNSMSG_FORMERR || rcode == DNSMSG_NOTIMP)) {
		q->plain = true; /* RFC 6891 7 */
		if (send_udp(a, q))
			refuse(a, q);
	} else if (dnsmsg_parse(answer, q->name, q->type, &q->answer, &a->why)) {
		if (rcode == DNSMSG_SERVFAIL && trusted(a))
			only_trusted(a, q);
		refuse(a, q);
	} else {
		q->done = true;
		q->answer.is.secure = q->answer.is.secure && trusted(a);
		a->d->first = a->server;
	}
}

static int
read_exactly(const struct asking *a, int fd, void *p, size_t n, int64_t until_ms, struct err *e)
{
	size_t got;

	for (size_t done = 0; done < n; done += got) {
		if (wait_for(a, fd, POLLIN, until_ms, e) || io_read(fd, (char *)p + done, n - done, &got, e))
			return e->code;
		if (got == 0)
			return err_set(e, EX_TEMPFAIL, "connection closed");
	}
	return 0;
}

static int
exchange_tcp(struct asking *a, const struct question *q, struct buf *in)
{
	const struct net_addr *server = &a->d->s->conf.servers[a->server];
	int64_t until = io_now_ms() + TCP_MS;
	uint8_t head[2] = {0, 0};
	size_t n = 0;
	int fd, rc;

	if (until > a->deadline_ms)
		until = a->deadline_ms;
	rc = net_connect_start(&fd, server, NULL, &a->why);
	if (rc)
		return rc;
	wait_for(a, fd, POLLOUT, until, &a->why);
	rc = net_connect_end(fd, server, 0, &a->why);
	if (rc)
		return rc;
	rc = io_write(fd, q->query.s, q->query.len, &a->why);
	if (!rc)
		rc = read_exactly(a, fd, head, sizeof head, until, &a->why);
	n = (size_t)head[0] << 8 | head[1];
	if (!rc)
		rc = read_exactly(a, fd, buf_room(in, n), n, until, &a->why);
	if (!rc)
		buf_grew(in, n);
	close(fd);
	return rc;
}

static void
ask_tcp(struct asking *a, struct question *q)
{
	struct buf in = BUF_INIT;
	int rc;

	stop(q);
	rc = exchange_tcp(a, q, &in);
	if (rc) {
		err_in(&a->why, "TCP");
		refuse(a, q);
	} else if (!matches(q, (struct span){in.s, in.len}) ||
	    dnsmsg_truncated((struct span){in.s, in.len})) {
		err_set(&a->why, EX_TEMPFAIL, "TCP: not an answer to the question");
		refuse(a, q);
	} else {
		settle(a, q, (struct span){in.s, in.len});
	}
	buf_free(&in);
}

static void
take_datagram(struct asking *a, struct question *q)
{
	char in[UDP_BYTES];
	struct span answer = {in, 0};

	if (io_read(q->fd, in, sizeof in, &answer.n, &a->why)) {
		if (errno != EAGAIN) /* that is a bad checksum: the kernel has thrown it away */
			refuse(a, q);
		return;
	}
	if (!matches(q, answer))
		return;
	if (dnsmsg_truncated(answer))
		ask_tcp(a, q);
	else
		settle(a, q, answer);
}

/* A is there with addresses, or the name does not exist.  NXDOMAIN for AAAA alone is not
 * believed: RFC 4074 4.2 knows servers that say so whatever A says. */
static bool
enough(const struct question *q)
{
	return q->done && (q->answer.is.n > 0 || q->answer.is.says == ANSWERS_NXDOMAIN);
}

/* Until every question that was sent has its answer, or this server's time is over.  Datagrams
 * that are not answers must not keep us: the clock is read before each look. */
static void
gather(struct asking *a, int64_t until_ms)
{
	bool hurry = false, last = false;

	while (!last) {
		struct pollfd p[2] = {{-1, POLLIN, 0}, {-1, POLLIN, 0}};
		int64_t now = io_now_ms(), left;

		if (!hurry && a->n > 1 && enough(a->q)) {
			hurry = true;
			if (until_ms > now + SECOND_FAMILY_MS)
				until_ms = now + SECOND_FAMILY_MS;
		}
		for (size_t i = 0; i < a->n; i++)
			p[i].fd = a->q[i].fd;
		if (p[0].fd < 0 && p[1].fd < 0)
			return;
		last = now >= until_ms || stopped(a);
		left = until_ms - now < DNS_HEED_MS ? until_ms - now : DNS_HEED_MS;
		if (poll(p, 2, last ? 0 : (int)left) <= 0)
			continue;
		for (size_t i = 0; i < a->n; i++)
			if (p[i].fd >= 0 && p[i].revents)
				take_datagram(a, &a->q[i]);
	}
	err_set(&a->why, EX_TEMPFAIL, "timed out");
}

static void
ask_server(struct asking *a, int64_t try_ms)
{
	struct buf who = BUF_INIT;
	int64_t until = io_now_ms() + try_ms;

	for (size_t i = 0; i < a->n; i++) {
		struct question *q = &a->q[i];

		if (!q->done && !(q->refused >> a->server & 1) && send_udp(a, q))
			refuse(a, q);
	}
	gather(a, until < a->deadline_ms ? until : a->deadline_ms);
	for (size_t i = 0; i < a->n; i++)
		stop(&a->q[i]);
	net_addr_text(&a->d->s->conf.servers[a->server], &who);
	err_in(&a->why, "name server %s", who.s);
	buf_free(&who);
}

/* Whether there is something left to ask that server. */
static bool
wanted(const struct asking *a, size_t server)
{
	for (size_t i = 0; i < a->n; i++)
		if (!a->q[i].done && !(a->q[i].refused >> server & 1))
			return true;
	return false;
}

/* Asks until the first question is answered, and where there is a second and the first was not
 * enough, that too.  Whether it went well is in q[i].done; why not in a->why. */
static void
ask(struct asking *a)
{
	size_t n = a->d->s->conf.n_servers, first = a->d->first;
	int64_t try_ms = TRY_MS;

	err_set(&a->why, EX_TEMPFAIL, "timed out");
	for (int round = 0; round < ROUNDS; round++, try_ms *= 2)
		for (size_t i = 0; i < n; i++) {
			if (enough(a->q) || stopped(a) || io_now_ms() >= a->deadline_ms)
				return;
			a->server = (first + i) % n;
			if (wanted(a, a->server))
				ask_server(a, try_ms);
		}
}

static void
question_init(struct question *q, const char *name, uint16_t type)
{
	*q = (struct question){.name = name, .type = type, .fd = -1, .query = BUF_INIT,
	    .answer = {.is = ANSWERS_INIT}};
}

static void
question_free(struct question *q)
{
	stop(q);
	buf_free(&q->query);
	dnsmsg_free(&q->answer);
}

/* --- a question with its chain of CNAMEs */

static void
failed(const struct asking *a, bool refused, struct answers *out)
{
	answers_free(out);
	out->says = refused ? ANSWERS_SERVFAIL : ANSWERS_TIMEOUT;
	buf_str(&out->why, err_text(&a->why));
}

/* `from` joins out: a chain is as secure as its weakest link, and lives as long as the first that dies. */
static void
join(struct answers *out, struct answers *from, bool first)
{
	out->secure = from->secure && (first || out->secure);
	if (first || from->ttl_s < out->ttl_s)
		out->ttl_s = from->ttl_s;
	out->n_bad += from->n_bad;
	if (from->owner.len > 0) {
		buf_cut(&out->owner, 0);
		buf_add(&out->owner, from->owner.s, from->owner.len);
	}
	for (size_t i = 0; i < from->n; i++) {
		struct answers_record *r = answers_add(out);

		*r = from->v[i];
		from->v[i].text = (struct buf)BUF_INIT;
	}
}

/* Where the chain leads on, if no question has found anything. */
static char *
chain_on(struct question *q, size_t n)
{
	char *next = NULL;

	for (size_t i = 0; i < n; i++)
		if (q[i].answer.is.n > 0)
			return NULL;
	for (size_t i = 0; i < n && !next; i++) {
		next = q[i].answer.cname;
		q[i].answer.cname = NULL;
	}
	return next;
}

/* What one round has found, unless the chain leads on.  IPv6 is put before IPv4.  A question of two that
 * was not answered says nothing of how secure the other is; but a host that has IPv6 alone because nobody
 * could say whether it has IPv4, too, is asked for again soon. */
static void
round_result(struct asking *a, bool first, bool leads_on, struct answers *out)
{
	bool all = true, none = true, refused = false;

	for (size_t i = a->n; i-- > 0;) {
		struct question *q = &a->q[i];

		all = all && q->done;
		none = none && (q->done ? q->answer.is.says == ANSWERS_NXDOMAIN : i > 0);
		refused = refused || q->refused;
		if (!q->done)
			continue;
		join(out, &q->answer.is, first);
		first = false;
	}
	if (!a->q[0].done && out->ttl_s > DNSCACHE_FAILURE_S)
		out->ttl_s = DNSCACHE_FAILURE_S;
	if (out->n > 0 || leads_on)
		return;
	out->says = none ? ANSWERS_NXDOMAIN : ANSWERS_NODATA;
	if (!all && !none)
		failed(a, refused, out);
}

/* type: of answers.h, or ADDRESSES for A and AAAA at once. */
static void
look(struct dns *d, const char *name, unsigned type, int64_t deadline_ms, struct answers *out)
{
	char *at = mem_dup(name, strlen(name)), *next;
	size_t n = type == ADDRESSES ? 2 : 1;

	for (int hops = 0; at; hops++) {
		struct question q[2];
		struct asking a = {d, q, n, 0, deadline_ms, ERR_INIT};

		question_init(&q[0], at, type == ADDRESSES ? ANSWERS_A : (uint16_t)type);
		question_init(&q[1], at, ANSWERS_AAAA);
		ask(&a);
		next = chain_on(q, n);
		round_result(&a, hops == 0, next != NULL, out);
		if (next && hops >= DNSMSG_CNAMES_MAX) {
			err_set(&a.why, EX_TEMPFAIL, "over %d CNAMEs in a chain", DNSMSG_CNAMES_MAX);
			failed(&a, true, out);
			free(next);
			next = NULL;
		}
		question_free(&q[0]);
		question_free(&q[1]);
		err_free(&a.why);
		free(at);
		at = next;
	}
}

static void
tell(const struct dns *d, const char *name, unsigned type, bool cached, const struct answers *is)
{
	struct dns_told t = {name, type == ADDRESSES ? "A+AAAA" : answers_type_name((enum answers_type)type),
	    cached ? NULL : &d->s->conf.servers[d->first], is};

	if (d->told)
		d->told(d->told_arg, &t);
}

/* A failure that says nothing of the servers: whoever asked had no time for them. */
static bool
cut_short(const struct dns *d, const struct answers *is, int64_t begun_ms, int64_t deadline_ms)
{
	int64_t now = io_now_ms();

	return answers_temporary(is) && now - begun_ms < DNSCACHE_FAILURE_S * 1000 &&
	    (now >= deadline_ms || (d->stop && *d->stop));
}

/* From what is known, or from the servers. */
static void
find(struct dns *d, const char *name, unsigned type, int64_t deadline_ms, struct answers *out)
{
	int64_t begun = io_now_ms();
	enum dnscache_is is = dnscache_get(d->s->cache, name, type, begun, deadline_ms, out);

	if (is == DNSCACHE_LATE) {
		out->says = ANSWERS_TIMEOUT;
		buf_str(&out->why, "timed out");
	} else if (is == DNSCACHE_ASK) {
		begun = io_now_ms(); /* others may have asked before us */
		look(d, name, type, deadline_ms, out);
		if (cut_short(d, out, begun, deadline_ms))
			dnscache_drop(d->s->cache, name, type);
		else
			dnscache_put(d->s->cache, name, type, io_now_ms(), out);
	}
	tell(d, name, type, is == DNSCACHE_KNOWN, out);
}

void
dns_ask(struct dns *d, const char *name, enum answers_type type, int64_t deadline_ms,
    struct answers *out)
{
	find(d, name, type, deadline_ms, out);
}

void
dns_tell(struct dns *d, dns_told *told, void *arg)
{
	d->told = told;
	d->told_arg = arg;
}

/* --- the two questions of a mailer */

int
dns_mx(struct dns *d, const char *domain, int64_t deadline_ms, struct dns_mx_list *out,
    struct err *e)
{
	struct answers is = ANSWERS_INIT;
	int rc = 0;

	*out = (struct dns_mx_list){.ttl_s = TTL_UNKNOWN_S};
	if (is_localhost(domain))
		return 0;
	if (!dnsmsg_name_ok(domain))
		return err_set(e, EX_DATAERR, "MX of %s: not a domain name", domain);
	find(d, domain, ANSWERS_MX, deadline_ms, &is);
	if (answers_temporary(&is))
		rc = err_set(e, EX_TEMPFAIL, "%s", is.why.s);
	else if (is.says == ANSWERS_NXDOMAIN)
		rc = err_set(e, EX_NOHOST, "no such domain");
	else if (is.n == 0 && is.n_bad > 0)
		rc = err_set(e, EX_UNAVAILABLE, "no record with a host name");
	out->ttl_s = is.ttl_s;
	out->secure = is.secure;
	out->v = mem_alloc((is.n + 1) * sizeof *out->v);
	for (size_t i = 0; i < is.n && !rc; i++)
		out->v[out->n++] = (struct dns_mx){is.v[i].preference, buf_steal(&is.v[i].text)};
	answers_free(&is);
	if (rc)
		dns_mx_free(out);
	return rc ? err_in(e, "MX of %s", domain) : 0;
}

static void
append(struct dns_addrs *to, const struct net_addr *a)
{
	to->v = mem_grow(to->v, to->n + 1, sizeof *a);
	to->v[to->n++] = *a;
}

static int
localhost_addrs(struct dns_addrs *out)
{
	struct net_addr a;

	if (net_addr_parse(&a, SPAN("127.0.0.1"), 0))
		append(out, &a);
	if (net_addr_parse(&a, SPAN("::1"), 0))
		append(out, &a);
	return 0;
}

int
dns_query_addrs(struct dns *d, const char *host, int64_t deadline_ms, struct dns_addrs *out,
    struct err *e)
{
	struct answers is = ANSWERS_INIT;
	int rc = 0;

	*out = (struct dns_addrs){0};
	if (is_localhost(host))
		return localhost_addrs(out);
	if (!dnsmsg_name_ok(host))
		return err_set(e, EX_DATAERR, "addresses of %s: not a host name", host);
	find(d, host, ADDRESSES, deadline_ms, &is);
	if (answers_temporary(&is))
		rc = err_set(e, EX_TEMPFAIL, "%s", is.why.s);
	else if (is.says == ANSWERS_NXDOMAIN)
		rc = err_set(e, EX_NOHOST, "no such host");
	for (size_t i = 0; i < is.n; i++)
		append(out, &is.v[i].addr);
	out->secure = is.secure;
	out->owner = is.owner.len > 0 ? buf_steal(&is.owner) : NULL;
	answers_free(&is);
	return rc ? err_in(e, "addresses of %s", host) : 0;
}

int
dns_addrs(struct dns *d, const char *host, int64_t deadline_ms, struct dns_addrs *out,
    struct err *e)
{
	const struct dnsconf *c = &d->s->conf;

	*out = (struct dns_addrs){0};
	if (is_localhost(host))
		return localhost_addrs(out);
	for (size_t i = dnsconf_find(c, host); i < c->n_hosts && strcmp(c->hosts[i].name, host) == 0; i++)
		append(out, &c->hosts[i].addr);
	return out->n > 0 ? 0 : dns_query_addrs(d, host, deadline_ms, out, e);
}

bool
dns_in_hosts(const struct dns *d, const char *host)
{
	const struct dnsconf *c = &d->s->conf;
	size_t i = dnsconf_find(c, host);

	return i < c->n_hosts && strcmp(c->hosts[i].name, host) == 0;
}

/* --- opening */

int
dns_open(struct dns **d, const char *servers, struct err *e)
{
	int rc = dnsmsg_load(e);

	*d = NULL;
	return rc ? rc : dns_open_idle(d, servers, e);
}

int
dns_open_idle(struct dns **d, const char *servers, struct err *e)
{
	struct shared *s = mem_alloc(sizeof *s);
	int rc = dnsconf_read(&s->conf, servers, e);

	*d = NULL;
	if (rc) {
		free(s);
		return rc;
	}
	s->cache = dnscache_new();
	atomic_init(&s->users, 1);
	*d = mem_alloc(sizeof **d);
	(*d)->s = s;
	return 0;
}

void
dns_heed(struct dns *d, const _Atomic bool *stop)
{
	d->stop = stop;
}

void
dns_trust_ad(struct dns *d)
{
	d->s->trust_ad = true;
}

bool
dns_validates(const struct dns *d)
{
	const struct dnsconf *c = &d->s->conf;

	for (size_t i = 0; i < c->n_servers; i++)
		if (!d->s->trust_ad && !net_addr_loopback(&c->servers[i]))
			return false;
	return true;
}

int
dns_clone(struct dns **d, const struct dns *from, struct err *e)
{
	(void)e; /* nothing can fail but memory */
	atomic_fetch_add(&from->s->users, 1);
	*d = mem_alloc(sizeof **d);
	**d = *from;
	return 0;
}

void
dns_close(struct dns *d)
{
	if (!d)
		return;
	if (atomic_fetch_sub(&d->s->users, 1) == 1) {
		dnsconf_free(&d->s->conf);
		dnscache_del(d->s->cache);
		free(d->s);
	}
	free(d);
}
