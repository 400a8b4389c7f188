#include "tls.h"

#include "gtls.h"
#include "io.h"
#include "net.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* RFC 8996: TLS 1.0 and 1.1 are not to be used. */
static const char priorities[] = "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1:-VERS-DTLS-ALL";

#define YEAR_S (365 * 86400)
#define NAME_ROOM 512 /* of a client's certificate; an address has 320 bytes at most */

/* GnuTLS writes into `out` what the socket does not take, so it never has half a record under
 * way: were it to read a peer's wish for new keys then, it would send the record's bytes twice
 * (3.7.9, gnutls_record_send with the same data after a KeyUpdate). */
struct tls {
	gnutls_session_t s;
	int fd;
	struct buf out; /* encrypted, not yet in the socket */
	size_t held;    /* bytes of the caller's that are in there, not yet called sent */
	bool shaken;
};

struct tls_identity {
	gnutls_certificate_credentials_t cred;
	bool asks; /* clients for a certificate */
};

/* Made once by tls_start(), read by all threads afterwards: both are safe to share. */
static gnutls_priority_t priority;
static gnutls_certificate_credentials_t nobody; /* a client without a certificate of its own */

int
tls_start(struct err *e)
{
	int r;

	if (priority)
		return 0;
	if (gtls_load(e))
		return e->code;
	r = gtls.gnutls_global_init();
	if (r >= 0)
		r = gtls.gnutls_certificate_allocate_credentials(&nobody);
	if (r >= 0)
		r = gtls.gnutls_priority_init(&priority, priorities, NULL);
	return r < 0 ? gtls_fail(e, EX_SOFTWARE, "TLS", r) : 0;
}

/* Alerts that are only warnings, and a wish to renegotiate, which nobody has to grant. */
static bool
harmless(int r)
{
	return r == GNUTLS_E_INTERRUPTED || r == GNUTLS_E_WARNING_ALERT_RECEIVED ||
	    r == GNUTLS_E_REHANDSHAKE || r == GNUTLS_E_GOT_APPLICATION_DATA;
}

static ssize_t
push(gnutls_transport_ptr_t p, const giovec_t *iov, int n)
{
	struct tls *t = p;
	struct err ignored = ERR_INIT;
	size_t put = 0, all = 0;

	if (t->out.len == 0 && net_send(t->fd, iov, n, &put, &ignored)) {
		err_free(&ignored);
		gtls.gnutls_transport_set_errno(t->s, EPIPE);
		return -1;
	}
	for (int i = 0; i < n; i++) {
		size_t skip = put < iov[i].iov_len ? put : iov[i].iov_len;

		buf_add(&t->out, (const char *)iov[i].iov_base + skip, iov[i].iov_len - skip);
		put -= skip;
		all += iov[i].iov_len;
	}
	return (ssize_t)all;
}

/* As much of `out` as the socket takes now. */
static int
flush(struct tls *t, const char *what, struct err *e)
{
	struct iovec v = {t->out.s, t->out.len};
	size_t put = 0;

	if (t->out.len == 0)
		return 0;
	if (net_send(t->fd, &v, 1, &put, e))
		return err_set(e, EX_TEMPFAIL, "%s: connection closed by peer", what);
	buf_drop(&t->out, put);
	return 0;
}

short
tls_wants(const struct tls *t)
{
	return t->out.len > 0 ? POLLIN | POLLOUT : POLLIN;
}

/* closed_code: what a connection that just ended is called. */
static int
broken(const struct tls *t, const char *what, int closed_code, int r, struct err *e)
{
	const char *alert;

	if (r == GNUTLS_E_PREMATURE_TERMINATION || r == GNUTLS_E_PULL_ERROR ||
	    r == GNUTLS_E_PUSH_ERROR)
		return err_set(e, closed_code, "%s: connection closed by peer", what);
	if (r != GNUTLS_E_FATAL_ALERT_RECEIVED)
		return gtls_fail(e, EX_PROTOCOL, what, r);
	alert = gtls.gnutls_alert_get_name(gtls.gnutls_alert_get(t->s));
	return err_set(e, EX_PROTOCOL, "%s: peer says: %s", what, alert ? alert : "unknown alert");
}

int
tls_shake(struct tls *t, bool *done, struct err *e)
{
	int r = t->shaken ? 0 : gtls.gnutls_handshake(t->s);

	*done = false;
	if (r < 0 && r != GNUTLS_E_AGAIN && !harmless(r)) {
		/* So that the peer's log has the reason. */
		gtls.gnutls_alert_send_appropriate(t->s, r);
		return broken(t, "TLS handshake", EX_PROTOCOL, r, e);
	}
	t->shaken = r >= 0;
	if (flush(t, "TLS handshake", e))
		return e->code = EX_PROTOCOL;
	*done = t->shaken && t->out.len == 0;
	return 0;
}

static int
handshake(struct tls *t, int64_t deadline_ms, struct err *e)
{
	bool done;
	int rc;

	while (!(rc = tls_shake(t, &done, e)) && !done) {
		rc = io_wait(t->fd, t->shaken ? POLLOUT : tls_wants(t), deadline_ms, e);
		/* A peer that always has one more byte ready would never let io_wait() see it. */
		if (!rc && io_now_ms() >= deadline_ms)
			rc = err_set(e, EX_TEMPFAIL, "timed out");
		if (rc)
			return err_in(e, "TLS handshake");
	}
	return rc;
}

static int
open_session(struct tls **out, int fd, unsigned role, gnutls_certificate_credentials_t cred,
    const char *sni, struct err *e)
{
	struct tls *t;
	int r, rc = tls_start(e);

	*out = NULL;
	if (rc)
		return rc;
	t = mem_alloc(sizeof *t);
	t->fd = fd;
	t->out = (struct buf)BUF_INIT;
	r = gtls.gnutls_init(&t->s, role | GNUTLS_NONBLOCK);
	if (r >= 0)
		r = gtls.gnutls_priority_set(t->s, priority);
	if (r >= 0)
		r = gtls.gnutls_credentials_set(t->s, GNUTLS_CRD_CERTIFICATE, cred);
	if (r >= 0 && sni)
		r = gtls.gnutls_server_name_set(t->s, GNUTLS_NAME_DNS, sni, strlen(sni));
	if (r < 0) {
		tls_free(t);
		return gtls_fail(e, EX_TEMPFAIL, "TLS", r);
	}
	gtls.gnutls_transport_set_ptr2(t->s, (gnutls_transport_ptr_t)(intptr_t)fd, t);
	gtls.gnutls_transport_set_vec_push_function(t->s, push);
	*out = t;
	return 0;
}

static int
shake_or_free(struct tls **t, int64_t deadline_ms, struct err *e)
{
	int rc = handshake(*t, deadline_ms, e);

	if (rc) {
		tls_free(*t);
		*t = NULL;
	}
	return rc;
}

int
tls_client(struct tls **t, int fd, const struct tls_hello *h, int64_t deadline_ms, struct err *e)
{
	unsigned role = GNUTLS_CLIENT | (h->tickets ? 0 : GNUTLS_NO_TICKETS);
	int rc = open_session(t, fd, role, h->id ? h->id->cred : nobody, h->sni, e);

	/* One that GnuTLS does not like, being too old perhaps, makes a full handshake. */
	if (!rc && h->ticket.n > 0)
		gtls.gnutls_session_set_data((*t)->s, h->ticket.p, h->ticket.n);
	return rc ? rc : shake_or_free(t, deadline_ms, e);
}

int
tls_server(struct tls **t, int fd, const struct tls_identity *id, int64_t deadline_ms,
    struct err *e)
{
	int rc = tls_server_begin(t, fd, id, e);

	return rc ? rc : shake_or_free(t, deadline_ms, e);
}

int
tls_server_begin(struct tls **t, int fd, const struct tls_identity *id, struct err *e)
{
	int rc = open_session(t, fd, GNUTLS_SERVER | GNUTLS_NO_TICKETS, id->cred, NULL, e);

	if (!rc && id->asks)
		gtls.gnutls_certificate_server_set_request((*t)->s, GNUTLS_CERT_REQUEST);
	return rc;
}

int
tls_recv(struct tls *t, void *p, size_t n, size_t *got, bool *eof, struct err *e)
{
	struct err ignored = ERR_INIT;
	ssize_t r;

	flush(t, "", &ignored); /* a peer that waits for it would never write; failing is tls_send()'s */
	err_free(&ignored);
	r = gtls.gnutls_record_recv(t->s, p, n);
	*got = r > 0 ? (size_t)r : 0;
	/* The end without close_notify is an end too: SMTP knows by itself what is complete. */
	*eof = n > 0 && (r == 0 || r == GNUTLS_E_PREMATURE_TERMINATION);
	if (r >= 0 || *eof || r == GNUTLS_E_AGAIN || harmless((int)r))
		return 0;
	return broken(t, "TLS read", EX_TEMPFAIL, (int)r, e);
}

int
tls_send(struct tls *t, const void *p, size_t n, size_t *put, struct err *e)
{
	ssize_t r;

	*put = 0;
	if (flush(t, "TLS write", e))
		return e->code;
	if (t->out.len > 0)
		return 0;
	if (t->held == 0) {
		r = gtls.gnutls_record_send(t->s, p, n < TLS_RECORD_MAX ? n : TLS_RECORD_MAX);
		if (r < 0 && r != GNUTLS_E_AGAIN && r != GNUTLS_E_INTERRUPTED)
			return broken(t, "TLS write", EX_TEMPFAIL, (int)r, e);
		t->held = r > 0 ? (size_t)r : 0;
	}
	if (t->out.len > 0)
		return 0;
	*put = t->held;
	t->held = 0;
	return 0;
}

/* Asked before one has come GnuTLS would wait for it (TLS 1.3), or hand out what only names the session. */
void
tls_ticket(const struct tls *t, struct buf *out)
{
	gnutls_datum_t d = {NULL, 0};

	if (!(gtls.gnutls_session_get_flags(t->s) & GNUTLS_SFLAGS_SESSION_TICKET) ||
	    gtls.gnutls_session_get_data2(t->s, &d) < 0)
		return;
	buf_room(out, d.size);
	buf_add(out, d.data, d.size);
	gtls.gnutls_memset(d.data, 0, d.size);
	(*gtls.gnutls_free)(d.data);
}

bool
tls_resumed(const struct tls *t)
{
	return gtls.gnutls_session_is_resumed(t->s) != 0;
}

size_t
tls_peer_chain(const struct tls *t, struct span *v, size_t most)
{
	unsigned n = 0;
	const gnutls_datum_t *certs = gtls.gnutls_certificate_get_peers(t->s, &n);
	size_t i;

	for (i = 0; certs && i < n && i < most; i++)
		v[i] = (struct span){(const char *)certs[i].data, certs[i].size};
	return i;
}

static bool
is_good_client(const struct tls *t)
{
	gnutls_typed_vdata_st purpose = {
	    GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT, 0};
	unsigned status = 1;

	return gtls.gnutls_certificate_verify_peers(t->s, &purpose, 1, &status) >= 0 && status == 0;
}

/* Its first mail address: rfc822Name of RFC 5280 4.2.1.6. */
static bool
mail_name(gnutls_x509_crt_t crt, struct buf *out)
{
	char name[NAME_ROOM];

	for (unsigned i = 0;; i++) {
		size_t n = sizeof name;
		int r = gtls.gnutls_x509_crt_get_subject_alt_name(crt, i, name, &n, NULL);

		if (r == GNUTLS_SAN_RFC822NAME) {
			buf_add(out, name, n);
			return true;
		}
		if (r < 0)
			return false; /* over NAME_ROOM, too: no address is so long */
	}
}

static void
common_name(gnutls_x509_crt_t crt, struct buf *out)
{
	char name[NAME_ROOM];
	size_t n = sizeof name;

	if (gtls.gnutls_x509_crt_get_dn_by_oid(
	        crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &n) >= 0)
		buf_add(out, name, n);
}

void
tls_client_name(const struct tls *t, struct buf *out)
{
	unsigned n = 0;
	const gnutls_datum_t *certs = gtls.gnutls_certificate_get_peers(t->s, &n);
	gnutls_x509_crt_t crt;

	if (!certs || n == 0 || !is_good_client(t) || gtls.gnutls_x509_crt_init(&crt) < 0)
		return;
	if (gtls.gnutls_x509_crt_import(crt, &certs[0], GNUTLS_X509_FMT_DER) >= 0 &&
	    !mail_name(crt, out))
		common_name(crt, out);
	gtls.gnutls_x509_crt_deinit(crt);
}

void
tls_bye(struct tls *t)
{
	gtls.gnutls_bye(t->s, GNUTLS_SHUT_WR);
}

void
tls_free(struct tls *t)
{
	if (!t)
		return;
	if (t->s)
		gtls.gnutls_deinit(t->s);
	buf_free(&t->out);
	free(t);
}

static void
binding(const struct tls *t, gnutls_channel_binding_t type, struct buf *out)
{
	gnutls_datum_t cb = {NULL, 0};

	if (gtls.gnutls_session_channel_binding(t->s, type, &cb) >= 0)
		buf_add(out, cb.data, cb.size);
	(*gtls.gnutls_free)(cb.data);
}

void
tls_channel(const struct tls *t, struct buf *exporter, struct buf *unique)
{
	if (gtls.gnutls_protocol_get_version(t->s) == GNUTLS_TLS1_3)
		binding(t, GNUTLS_CB_TLS_EXPORTER, exporter);
	else if (gtls.gnutls_session_ext_master_secret_status(t->s) != 0)
		binding(t, GNUTLS_CB_TLS_UNIQUE, unique);
}

void
tls_describe(const struct tls *t, struct buf *out)
{
	const char *version = gtls.gnutls_protocol_get_name(gtls.gnutls_protocol_get_version(t->s));
	const char *suite;

#if GNUTLS_VERSION_NUMBER >= 0x030704
	suite = gtls.gnutls_ciphersuite_get(t->s);
#else
	suite = gtls.gnutls_cipher_get_name(gtls.gnutls_cipher_get(t->s));
#endif
	buf_fmt(out, "%s %s", version ? version : "TLS", suite ? suite : "unknown");
}

/* Serial numbers are positive (RFC 5280 4.1.2.2): the top bit stays clear, the next is set. */
static int
set_serial(gnutls_x509_crt_t crt)
{
	uint64_t v = io_random();
	unsigned char serial[8];

	memcpy(serial, &v, sizeof serial);
	serial[0] = (unsigned char)((serial[0] & 0x3f) | 0x40);
	return gtls.gnutls_x509_crt_set_serial(crt, serial, sizeof serial);
}

static int
fill_certificate(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *name,
    uint64_t now_s)
{
	unsigned n = (unsigned)strlen(name);
	int r = gtls.gnutls_x509_crt_set_version(crt, 3);

	if (r >= 0)
		r = set_serial(crt);
	if (r >= 0)
		r = gtls.gnutls_x509_crt_set_activation_time(crt, (time_t)now_s);
	if (r >= 0)
		r = gtls.gnutls_x509_crt_set_expiration_time(crt, (time_t)(now_s + YEAR_S));
	if (r >= 0)
		r = gtls.gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, n);
	if (r >= 0)
		r = gtls.gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name, n,
		    GNUTLS_FSAN_SET);
	if (r >= 0)
		r = gtls.gnutls_x509_crt_set_basic_constraints(crt, 0, -1);
	if (r >= 0)
		r = gtls.gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (r >= 0)
		r = gtls.gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
	if (r >= 0)
		r = gtls.gnutls_x509_crt_set_key(crt, key);
	if (r >= 0)
		r = gtls.gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
	return r;
}

static int
self_signed(gnutls_certificate_credentials_t cred, const char *name, uint64_t now_s)
{
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crt_t crt = NULL;
	int r = gtls.gnutls_x509_privkey_init(&key);

	if (r >= 0)
		r = gtls.gnutls_x509_crt_init(&crt);
	if (r >= 0)
		r = gtls.gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
		    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (r >= 0)
		r = fill_certificate(crt, key, name, now_s);
	if (r >= 0)
		r = gtls.gnutls_certificate_set_x509_key(cred, &crt, 1, key);
	if (crt)
		gtls.gnutls_x509_crt_deinit(crt);
	if (key)
		gtls.gnutls_x509_privkey_deinit(key);
	return r;
}

static int
identity_new(struct tls_identity **id, struct err *e)
{
	int r, rc = tls_start(e);

	*id = NULL;
	if (rc)
		return rc;
	*id = mem_alloc(sizeof **id);
	r = gtls.gnutls_certificate_allocate_credentials(&(*id)->cred);
	if (r < 0) {
		free(*id);
		*id = NULL;
		return gtls_fail(e, EX_TEMPFAIL, "TLS", r);
	}
	return 0;
}

int
tls_identity_make(struct tls_identity **id, const char *name, uint64_t now_s, struct err *e)
{
	int r, rc = identity_new(id, e);

	if (rc)
		return rc;
	r = self_signed((*id)->cred, name, now_s);
	if (r >= 0)
		return 0;
	tls_identity_free(*id);
	*id = NULL;
	return gtls_fail(e, EX_SOFTWARE, "self-signed certificate", r);
}

int
tls_identity_add(struct tls_identity *id, const char *cert, const char *key, struct err *e)
{
	int r = gtls.gnutls_certificate_set_x509_key_file(id->cred, cert, key, GNUTLS_X509_FMT_PEM);

	if (r >= 0)
		return 0;
	gtls_fail(e, EX_CONFIG, key, r);
	return err_in(e, "certificate %s, key", cert);
}

int
tls_identity_load(struct tls_identity **id, const char *cert, const char *key, struct err *e)
{
	int rc = identity_new(id, e);

	if (rc)
		return rc;
	rc = tls_identity_add(*id, cert, key, e);
	if (rc) {
		tls_identity_free(*id);
		*id = NULL;
	}
	return rc;
}

int
tls_identity_ask(struct tls_identity *id, const char *ca, struct err *e)
{
	int r = gtls.gnutls_certificate_set_x509_trust_file(id->cred, ca, GNUTLS_X509_FMT_PEM);

	if (r < 0)
		return gtls_fail(e, EX_CONFIG, ca, r);
	if (r == 0)
		return err_set(e, EX_CONFIG, "%s: no certificate in it", ca);
	id->asks = true;
	return 0;
}

void
tls_identity_free(struct tls_identity *id)
{
	if (!id)
		return;
	gtls.gnutls_certificate_free_credentials(id->cred);
	free(id);
}
