/* A peer that asks for new keys (TLS 1.3 KeyUpdate) while our socket to it is full.  Only GnuTLS
 * can ask so, hence tls.c as a whole: its structures are needed here. */
#include "../lib/tls.c"

#include "tls.h"

#include "tap.h"

#include "conn.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define BIG (4 * 1024 * 1024)
#define SOON (io_now_ms() + 10000)
#define READS_BETWEEN 60 /* GnuTLS takes more than eight requests a second for an attack */

struct partner {
	struct conn c;
	struct tls_identity *id;
	uint64_t got, sum;
	int asked, rc;
};

static uint64_t
add_sum(uint64_t sum, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum = sum * 31 + (unsigned char)p[i];
	return sum;
}

static void *
partner_run(void *arg)
{
	struct partner *p = arg;
	struct err e = ERR_INIT;
	size_t got = 1;

	p->rc = conn_tls_server(&p->c, p->id, SOON, &e);
	for (int i = 0; !p->rc && got > 0; i++) {
		if (i % READS_BETWEEN == 0) {
			usleep(20000); /* until the other side's socket is full */
			if (gnutls_session_key_update(p->c.tls->s, GNUTLS_KU_PEER) == 0)
				p->asked++;
		}
		p->rc = conn_fill(&p->c, &got, SOON, &e);
		p->sum = add_sum(p->sum, conn_waiting(&p->c).p, conn_waiting(&p->c).n);
		p->got += conn_waiting(&p->c).n;
		conn_taken(&p->c, conn_waiting(&p->c).n);
	}
	err_free(&e);
	return NULL;
}

int
main(void)
{
	struct partner p = {.c = CONN_INIT};
	struct conn c;
	struct err e = ERR_INIT;
	char *data = mem_alloc(BIG);
	struct iovec v[2] = {{data, 100}, {data + 100, BIG - 100}};
	uint64_t sum, sent = 0;
	pthread_t t;
	int fd[2], rc;
	bool early;

	for (uint32_t i = 0, x = 1; i < BIG; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = (char)(x >> 24);
	}
	sum = add_sum(0, data, BIG);
	if (tls_start(&e) || tls_identity_make(&p.id, "peer.example", io_time_us() / 1000000, &e) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) < 0)
		abort();
	conn_init(&c, fd[0]);
	conn_init(&p.c, fd[1]);
	pthread_create(&t, NULL, partner_run, &p);
	rc = conn_tls_client(&c, &(struct tls_hello){.sni = "peer.example"}, &early, SOON, &e);
	if (!rc)
		rc = conn_send(&c, v, 2, 5000, &sent, &e);
	ok(rc == 0, "all is sent %s", err_text(&e));
	conn_close(&c);
	pthread_join(t, NULL);
	is_num(p.rc, 0, "the peer is content");
	ok(p.asked > 2, "it asked for new keys %d times", p.asked);
	is_num((long long)p.got, BIG, "it got as many bytes as there are");
	ok(p.sum == sum, "and these");
	is_num((long long)sent, BIG, "which were counted");
	conn_close(&p.c);
	tls_identity_free(p.id);
	err_free(&e);
	free(data);
	return tap_done();
}
