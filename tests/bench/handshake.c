/* handshake - TLS handshakes a second, one client thread, and one server thread with GnuTLS alone:
 *
 *     handshake raw CERT KEY SECONDS        GnuTLS's own client: full handshakes
 *     handshake ours CERT KEY SECONDS       tls.h's, with the certificate held to a DANE-EE record
 *     handshake raw-resumed CERT KEY SECONDS, handshake resumed CERT KEY SECONDS
 *                                           the same, each going on with the last one's ticket
 *
 * Prints handshakes a second. */
#include "cert.h"
#include "crypt.h"
#include "io.h"
#include "prog.h"
#include "tls.h"

#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND_MS 1000
#define PATIENCE_MS 10000

static struct {
	gnutls_certificate_credentials_t cred, nobody;
	gnutls_priority_t priority;
	gnutls_datum_t ticket_key;
	sem_t more;
	int fd; /* of the next connection; -1: there is none to come */
} server;

static uint64_t resumed;

static void
or_die(int r, const char *what)
{
	struct err e = ERR_INIT;

	if (r < 0 && err_set(&e, EX_SOFTWARE, "%s: %s", what, gnutls_strerror(r)))
		prog_die(&e);
}

static void
answer(int fd)
{
	gnutls_session_t s;
	char byte;

	or_die(gnutls_init(&s, GNUTLS_SERVER), "server");
	gnutls_priority_set(s, server.priority);
	gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, server.cred);
	gnutls_session_ticket_enable_server(s, &server.ticket_key);
	gnutls_transport_set_int(s, fd);
	or_die(gnutls_handshake(s), "server's handshake");
	gnutls_record_send(s, "x", 1);
	while (gnutls_record_recv(s, &byte, 1) > 0)
		;
	gnutls_deinit(s);
	close(fd);
}

static void *
serve(void *arg)
{
	(void)arg;
	for (;;) {
		sem_wait(&server.more);
		if (server.fd < 0)
			return NULL;
		answer(server.fd);
	}
}

/* The client's end of a new connection. */
static int
meet(bool blocks)
{
	int v[2];

	or_die(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, v), "socketpair");
	if (!blocks)
		fcntl(v[0], F_SETFL, O_NONBLOCK);
	server.fd = v[1];
	sem_post(&server.more);
	return v[0];
}

static void
raw(bool resume, gnutls_datum_t *ticket)
{
	int fd = meet(true);
	gnutls_session_t s;
	char byte;

	or_die(gnutls_init(&s, GNUTLS_CLIENT | (resume ? 0 : GNUTLS_NO_TICKETS)), "client");
	gnutls_priority_set(s, server.priority);
	gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, server.nobody);
	gnutls_server_name_set(s, GNUTLS_NAME_DNS, "peer.example", strlen("peer.example"));
	if (ticket->size > 0)
		gnutls_session_set_data(s, ticket->data, ticket->size);
	gnutls_transport_set_int(s, fd);
	or_die(gnutls_handshake(s), "client's handshake");
	gnutls_record_recv(s, &byte, 1);
	resumed += gnutls_session_is_resumed(s) != 0;
	gnutls_free(ticket->data);
	*ticket = (gnutls_datum_t){NULL, 0};
	if (resume)
		gnutls_session_get_data2(s, ticket);
	gnutls_bye(s, GNUTLS_SHUT_WR);
	gnutls_deinit(s);
	close(fd);
}

static void
judge(const struct tls *t, const char digest[32])
{
	struct cert_tlsa record = {CERT_DANE_EE, CERT_WHOLE, CERT_SHA256, {digest, 32}};
	struct cert_names names = {NULL, 0};
	struct span v[4];
	struct cert_chain chain = {v, tls_peer_chain(t, v, 4)};
	struct buf why = BUF_INIT;

	or_die(cert_dane(&chain, &record, 1, &names, &why) ? GNUTLS_E_CERTIFICATE_ERROR : 0, "DANE");
	buf_free(&why);
}

static void
ours(bool resume, struct buf *ticket, const char digest[32])
{
	int fd = meet(false);
	struct tls_hello h = {.sni = "peer.example", .tickets = resume, .ticket = {ticket->s, ticket->len}};
	struct err e = ERR_INIT;
	struct tls *t;
	size_t got = 0;
	bool eof = false;
	char byte;

	if (tls_client(&t, fd, &h, io_now_ms() + PATIENCE_MS, &e))
		prog_die(&e);
	judge(t, digest);
	while (got == 0 && !eof)
		if (tls_recv(t, &byte, 1, &got, &eof, &e) ||
		    (got == 0 && io_wait(fd, POLLIN, io_now_ms() + PATIENCE_MS, &e)))
			prog_die(&e);
	resumed += tls_resumed(t);
	buf_cut(ticket, 0);
	if (resume)
		tls_ticket(t, ticket);
	tls_bye(t);
	tls_free(t);
	close(fd);
}

/* What the record says: the certificate's SHA-256. */
static void
digest_of(const char *file, char digest[32], struct err *e)
{
	struct buf pem = BUF_INIT;
	gnutls_datum_t text, der;

	if (io_slurp_at(AT_FDCWD, file, 65536, &pem, e))
		prog_die(e);
	text = (gnutls_datum_t){(unsigned char *)pem.s, (unsigned)pem.len};
	or_die(gnutls_pem_base64_decode2("CERTIFICATE", &text, &der), file);
	gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data, der.size, digest);
	gnutls_free(der.data);
	buf_free(&pem);
}

int
main(int argc, char *argv[])
{
	struct err e = ERR_INIT;
	gnutls_datum_t raw_ticket = {NULL, 0};
	struct buf ticket = BUF_INIT;
	bool own, resume;
	char digest[32];
	uint64_t n = 0;
	int64_t begun, until;
	pthread_t t;

	prog_start("handshake");
	if (argc != 5)
		prog_usage("usage: handshake raw|ours|raw-resumed|resumed CERT KEY SECONDS");
	own = strcmp(argv[1], "ours") == 0 || strcmp(argv[1], "resumed") == 0;
	resume = strstr(argv[1], "resumed") != NULL;
	if (tls_start(&e))
		prog_die(&e);
	or_die(gnutls_certificate_allocate_credentials(&server.cred), "credentials");
	or_die(gnutls_certificate_allocate_credentials(&server.nobody), "credentials");
	or_die(gnutls_certificate_set_x509_key_file(server.cred, argv[2], argv[3], GNUTLS_X509_FMT_PEM), argv[2]);
	or_die(gnutls_priority_init(&server.priority, "NORMAL", NULL), "priorities");
	or_die(gnutls_session_ticket_key_generate(&server.ticket_key), "ticket key");
	digest_of(argv[2], digest, &e);
	sem_init(&server.more, 0, 0);
	pthread_create(&t, NULL, serve, NULL);
	begun = io_now_ms();
	until = begun + strtol(argv[4], NULL, 10) * SECOND_MS;
	for (; io_now_ms() < until; n++)
		if (own)
			ours(resume, &ticket, digest);
		else
			raw(resume, &raw_ticket);
	printf("%.0f\n", (double)n * SECOND_MS / (double)(io_now_ms() - begun));
	server.fd = -1;
	sem_post(&server.more);
	pthread_join(t, NULL);
	if (resume && resumed + 1 < n) {
		err_set(&e, EX_SOFTWARE, "only %llu of %llu were resumed", (unsigned long long)resumed,
		    (unsigned long long)n);
		prog_die(&e);
	}
	buf_free(&ticket);
	gnutls_free(raw_ticket.data);
	gnutls_free(server.ticket_key.data);
	return 0;
}
