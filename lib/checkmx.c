#include "checkmx.h"

#include "io.h"
#include "net.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

static const char expected[] = "each MX offers STARTTLS, and its handshake is good";

struct tries {
	const char *helo;
	uint16_t port;
	int64_t deadline_ms;
	const struct asker *dns;
	struct buf good, bad, unsure; /* a clause a host, joined by "; " */
};

static void
clause(struct buf *out, const char *host, const char *what)
{
	buf_fmt(out, "%s%s: %s", out->len ? "; " : "", host, what);
}

static int
by_preference(const void *pa, const void *pb)
{
	const struct answers_record *a = pa, *b = pb;

	return (a->preference > b->preference) - (a->preference < b->preference);
}

static int
connect_any(struct tries *t, const struct answers *a, int *fd, struct err *e)
{
	int64_t until = io_now_ms() + CHECKMX_WAIT_S * 1000;

	if (until > t->deadline_ms)
		until = t->deadline_ms;
	err_set(e, EX_TEMPFAIL, "no address");
	for (size_t i = 0; i < a->n; i++) {
		struct net_addr to = a->v[i].addr;

		if (to.u.sa.sa_family == AF_INET)
			to.u.in4.sin_port = htons(t->port);
		else
			to.u.in6.sin6_port = htons(t->port);
		if (net_connect(fd, &to, NULL, until, e) == 0)
			return 0;
	}
	return e->code;
}

/* EHLO and STARTTLS, no more. */
static void
converse(struct tries *t, const char *host, int fd)
{
	uint64_t w = CHECKMX_WAIT_S;
	struct conf_timeouts wait = {w, w, w, w, w, w, w, w, 1, w, w};
	struct smtp_options opt = {.helo = t->helo, .tls = SMTP_TLS_MAY, .wait = &wait};
	struct smtp s;
	struct err e = ERR_INIT;

	smtp_init(&s);
	if (smtp_open(&s, fd, host, &opt, &e)) {
		/* A server that does not speak to us says nothing of its TLS. */
		clause(s.tls_failed ? &t->bad : &t->unsure, host, err_text(&e));
	} else {
		if (s.tls.len)
			clause(&t->good, host, s.tls.s);
		else
			clause(&t->bad, host, "no STARTTLS");
		smtp_quit(&s);
	}
	smtp_free(&s);
	err_free(&e);
}

static void
one_host(struct tries *t, const char *host)
{
	struct answers a = ANSWERS_INIT;
	struct err e = ERR_INIT;
	int fd = -1;

	answers_ask(t->dns, span_of(host), ANSWERS_A, &a);
	if (a.n == 0)
		answers_ask(t->dns, span_of(host), ANSWERS_AAAA, &a);
	if (connect_any(t, &a, &fd, &e))
		clause(&t->unsure, host, err_text(&e));
	else
		converse(t, host, fd);
	answers_free(&a);
	err_free(&e);
}

static void
conclude(struct tries *t, struct findings *l)
{
	struct finding *f;

	if (t->bad.len) {
		f = finding_violated(l, CHECK_MX_TLS);
		buf_add(&f->found, t->bad.s, t->bad.len);
		buf_str(&f->fix, "give the server a certificate and let it offer STARTTLS");
	} else if (t->unsure.len) {
		/* Port 25 is closed towards many networks: that is no verdict about the server. */
		f = finding_add(l, CHECK_MX_TLS, FINDING_UNSEEN);
		buf_add(&f->found, t->unsure.s, t->unsure.len);
		buf_str(&f->fix, "look from a machine that may connect to port 25");
	} else {
		f = finding_add(l, CHECK_MX_TLS, FINDING_PASS);
		buf_add(&f->found, t->good.s, t->good.len);
	}
	buf_str(&f->expected, expected);
}

void
checkmx_findings(struct span domain, const char *helo, uint16_t port, bool connect,
    int64_t deadline_ms, const struct asker *dns, struct findings *l)
{
	struct tries t = {.helo = helo, .port = port, .deadline_ms = deadline_ms, .dns = dns, .good = BUF_INIT,
	    .bad = BUF_INIT, .unsure = BUF_INIT};
	struct answers a = ANSWERS_INIT;
	struct buf name = BUF_INIT;

	answers_ask(dns, domain, ANSWERS_MX, &a);
	buf_add(&name, domain.p, domain.n);
	if (!connect) {
		finding_unseen(l, CHECK_MX_TLS, expected, "nobody is connected to", "leave out --no-connect and --keys");
	} else if (answers_temporary(&a)) {
		struct finding *f = finding_add(l, CHECK_MX_TLS, FINDING_UNSURE);

		buf_str(&f->expected, expected);
		answers_say(&a, ANSWERS_MX, &f->found);
	} else if (a.n == 1 && a.v[0].text.len == 0) {
		finding_unseen(l, CHECK_MX_TLS, expected, "a null MX: there is no server", "");
	} else {
		if (a.n == 0)
			one_host(&t, name.s); /* RFC 5321 5.1: the implicit MX */
		else
			qsort(a.v, a.n, sizeof *a.v, by_preference);
		for (size_t i = 0; i < a.n && i < CHECKMX_HOSTS; i++)
			if (a.v[i].text.len)
				one_host(&t, a.v[i].text.s);
		conclude(&t, l);
	}
	answers_free(&a);
	buf_free(&name);
	buf_free(&t.good);
	buf_free(&t.bad);
	buf_free(&t.unsure);
}
