/* tls.h - TLS over a connected non-blocking socket; the door to GnuTLS sessions.
 *
 * One session a thread at a time.  Deadlines as in io.h.  Opportunistic TLS of
 * this kind checks no certificate (RFC 3207 4.1 leaves that to policy); TLS 1.2
 * and newer.  Nothing that was in the socket before the handshake is looked at
 * here: the caller discards its buffers (RFC 3207 4.2, 6).
 */
#ifndef TLS_H
#define TLS_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct tls;          /* a session */
struct tls_identity; /* a key and its certificate, shared by many sessions */

/* Called once before threads and confinement: loads what GnuTLS wants to load. */
int tls_start(struct err *e);

struct tls_hello { /* what a client begins with */
	const char *sni;               /* NULL: none, as for address literals */
	const struct tls_identity *id; /* shown to servers that ask for a certificate; NULL: none */
	bool tickets;                  /* one may be given to us, tls_ticket() */
	struct span ticket;            /* of an earlier session, to go on with; empty: a full handshake */
};

/* Handshakes; *t is NULL on failure.
 * A handshake that the peer fails or breaks is EX_PROTOCOL, a timeout EX_TEMPFAIL. */
int tls_client(struct tls **t, int fd, const struct tls_hello *h, int64_t deadline_ms, struct err *e);
int tls_server(struct tls **t, int fd, const struct tls_identity *id, int64_t deadline_ms,
    struct err *e);
/* A server's handshake in steps, for an event loop: tls_shake() again and again, when the socket
 * has what tls_wants(), until *done.  What fails is not freed. */
int tls_server_begin(struct tls **t, int fd, const struct tls_identity *id, struct err *e);
int tls_shake(struct tls *t, bool *done, struct err *e);

/* Without waiting, as net_recv() and net_send(): *eof at close_notify or end of file.  After *put 0
 * the same bytes must be offered again, until they are taken: they are encrypted already.  One
 * record at most. */
#define TLS_RECORD_MAX 16384
int tls_recv(struct tls *t, void *p, size_t n, size_t *got, bool *eof, struct err *e);
int tls_send(struct tls *t, const void *p, size_t n, size_t *put, struct err *e);
short tls_wants(const struct tls *t); /* before reading again: POLLIN, or both events */

/* A client, when the session ends: what the next one can go on with.  Empty where the server has given no
 * ticket.  It is secret. */
void tls_ticket(const struct tls *t, struct buf *out);
bool tls_resumed(const struct tls *t); /* it went on with one */

/* The certificates that the peer has shown, its own first, lent by t: how many, at most `most`.  Of a session
 * that was resumed those of the one it came from. */
size_t tls_peer_chain(const struct tls *t, struct span *v, size_t most);

/* Of a client's certificate that such an authority has signed for a client, and that is valid now: its
 * first mail address, else its common name.  Nothing where there is none. */
void tls_client_name(const struct tls *t, struct buf *out);

void tls_bye(struct tls *t); /* sends close_notify, waits for nothing */
void tls_free(struct tls *t);

/* What ties a login to this very channel, raw bytes; each empty where it cannot be had.  tls-exporter
 * (RFC 9266): of TLS 1.3.  tls-unique (RFC 5929 3): of TLS 1.2 with extended master secret (RFC 7627),
 * without which another channel could be given the same. */
void tls_channel(const struct tls *t, struct buf *exporter, struct buf *unique);

/* "TLS1.3 TLS_AES_256_GCM_SHA384", for events. */
void tls_describe(const struct tls *t, struct buf *out);

/* A new key and a self-signed certificate for the name, valid a year from now_s. */
int tls_identity_make(struct tls_identity **id, const char *name, uint64_t now_s, struct err *e);
int tls_identity_load(struct tls_identity **id, const char *cert, const char *key, struct err *e);
/* Another one: the client's SNI chooses between the names of the certificates; the first is for all
 * else. */
int tls_identity_add(struct tls_identity *id, const char *cert, const char *key, struct err *e);
/* Clients are asked for a certificate by one of the authorities in the file (PEM); they need have none. */
int tls_identity_ask(struct tls_identity *id, const char *ca, struct err *e);
void tls_identity_free(struct tls_identity *id);

#endif
