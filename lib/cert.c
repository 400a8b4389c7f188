#include "cert.h"

#include "date.h"
#include "gtls.h"
#include "io.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 16   /* certificates; a server that sends more is not helping */
#define DATA_MAX 65535 /* of a TLSA record: RDLENGTH */

#define STORE_MAX (16 << 20)

struct cert_store {
	gnutls_x509_trust_list_t list;
	struct buf pem; /* not yet in the list */
	pthread_mutex_t lock;
};

const char *
cert_failure(enum cert_is is)
{
	static const char *const words[] = {[CERT_GOOD] = "", [CERT_MISSING] = "validation-failure",
	    [CERT_MALFORMED] = "validation-failure", [CERT_NO_MATCH] = "certificate-not-trusted",
	    [CERT_OTHER_NAME] = "certificate-host-mismatch", [CERT_EXPIRED] = "certificate-expired",
	    [CERT_NOT_YET] = "certificate-not-trusted", [CERT_UNTRUSTED] = "certificate-not-trusted",
	    [CERT_WEAK] = "certificate-not-trusted"};

	return words[is];
}

/* --- names */

/* RFC 6125 6.4.3: "*.example.com" stands for one label, and only as the whole first one. */
static bool
name_matches(struct span pattern, const char *name)
{
	struct span n = span_of(name);
	const char *dot = memchr(n.p, '.', n.n);

	if (pattern.n > 0 && pattern.p[pattern.n - 1] == '.')
		pattern.n--;
	if (pattern.n > 2 && pattern.p[0] == '*' && pattern.p[1] == '.') {
		struct span rest = {pattern.p + 1, pattern.n - 1};

		/* "*.com" would be half of the world. */
		return dot && dot > n.p && memchr(rest.p + 1, '.', rest.n - 1) &&
		    span_ieq(rest, (struct span){dot, n.n - (size_t)(dot - n.p)});
	}
	return pattern.n > 0 && span_ieq(pattern, n);
}

static bool
any_matches(struct span pattern, const struct cert_names *names)
{
	/* A NUL in it is an attack on those who stop reading there. */
	if (pattern.n == 0 || memchr(pattern.p, '\0', pattern.n))
		return false;
	for (size_t i = 0; i < names->n; i++)
		if (name_matches(pattern, names->v[i]))
			return true;
	return false;
}

/* The common name counts only where there is no DNS name (RFC 6125 6.4.4), and not at all for MTA-STS. */
static bool
has_name(gnutls_x509_crt_t crt, const struct cert_names *names, bool common_name)
{
	char text[256];
	bool found = false, any = false;
	size_t n;
	int type = 0;

	for (unsigned i = 0; type >= 0 && !found; i++) {
		n = sizeof text;
		type = gtls.gnutls_x509_crt_get_subject_alt_name(crt, i, text, &n, NULL);
		if (type == GNUTLS_E_SHORT_MEMORY_BUFFER)
			type = GNUTLS_SAN_OTHERNAME; /* longer than any name of a host */
		else if (type == GNUTLS_SAN_DNSNAME) {
			any = true;
			found = any_matches((struct span){text, n}, names);
		}
	}
	n = sizeof text;
	if (!found && !any && common_name &&
	    gtls.gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, text, &n) >= 0)
		found = any_matches((struct span){text, n}, names);
	return found;
}

static enum cert_is
check_names(gnutls_x509_crt_t crt, const struct cert_names *names, bool common_name, struct buf *why)
{
	if (has_name(crt, names, common_name))
		return CERT_GOOD;
	buf_str(why, "the certificate is for another name than ");
	for (size_t i = 0; i < names->n; i++) {
		buf_str(why, i ? " or " : "");
		buf_str(why, names->v[i]);
	}
	return CERT_OTHER_NAME;
}

/* --- chains */

struct chain {
	gnutls_x509_crt_t v[CHAIN_MAX];
	unsigned n;
};

static void
chain_free(struct chain *c)
{
	while (c->n > 0)
		gtls.gnutls_x509_crt_deinit(c->v[--c->n]);
}

static int
import(gnutls_x509_crt_t *crt, struct span der)
{
	gnutls_datum_t d = {(unsigned char *)(uintptr_t)der.p, (unsigned)der.n};
	int r = gtls.gnutls_x509_crt_init(crt);

	if (r < 0)
		return r;
	r = gtls.gnutls_x509_crt_import(*crt, &d, GNUTLS_X509_FMT_DER);
	if (r < 0)
		gtls.gnutls_x509_crt_deinit(*crt);
	return r;
}

static enum cert_is
read_chain(const struct cert_chain *c, struct chain *out, struct buf *why)
{
	struct err e = ERR_INIT;

	out->n = 0;
	if (gtls_load(&e)) {
		buf_fmt(why, "the certificate cannot be read: %s", err_text(&e));
		err_free(&e);
		return CERT_MALFORMED;
	}
	if (c->n == 0) {
		buf_str(why, "the server shows no certificate");
		return CERT_MISSING;
	}
	while (out->n < c->n && out->n < CHAIN_MAX) {
		if (import(&out->v[out->n], c->v[out->n]) < 0) {
			buf_str(why, "the certificate cannot be read");
			chain_free(out);
			return CERT_MALFORMED;
		}
		out->n++;
	}
	return CERT_GOOD;
}

static void
say_day(struct buf *why, const char *what, time_t t)
{
	char day[9];

	date_day(day, t > 0 ? (uint64_t)t : 0);
	buf_fmt(why, "the certificate %s %.4s-%.2s-%.2s", what, day, day + 4, day + 6);
}

/* GnuTLS tells one word for the whole chain: the date is the first certificate's that has it so. */
static time_t
day_of(const struct chain *c, bool expired)
{
	time_t now = time(NULL), t;

	for (unsigned i = 0; i < c->n; i++) {
		t = expired ? gtls.gnutls_x509_crt_get_expiration_time(c->v[i])
		            : gtls.gnutls_x509_crt_get_activation_time(c->v[i]);
		if (t != (time_t)-1 && (expired ? t < now : t > now))
			return t;
	}
	return now;
}

static enum cert_is
judge(const struct chain *c, unsigned status, struct buf *why)
{
	if (status == 0)
		return CERT_GOOD;
	if (status & GNUTLS_CERT_EXPIRED) {
		say_day(why, "expired on", day_of(c, true));
		return CERT_EXPIRED;
	}
	if (status & GNUTLS_CERT_NOT_ACTIVATED) {
		say_day(why, "is not valid before", day_of(c, false));
		return CERT_NOT_YET;
	}
	if (status & (GNUTLS_CERT_INSECURE_ALGORITHM | GNUTLS_CERT_PURPOSE_MISMATCH |
	        GNUTLS_CERT_SIGNATURE_FAILURE | GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE |
	        GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS)) {
		buf_str(why, status & GNUTLS_CERT_PURPOSE_MISMATCH ? "the certificate is not for servers"
		    : status & GNUTLS_CERT_INSECURE_ALGORITHM
		    ? "the certificate is signed with an algorithm that is too weak"
		    : "the certificate's signature does not hold");
		return CERT_WEAK;
	}
	buf_str(why, gtls.gnutls_x509_crt_check_issuer(c->v[0], c->v[0])
	    ? "the certificate is self-signed" : "the certificate is of a CA that is not trusted");
	return CERT_UNTRUSTED;
}

static enum cert_is
verify(gnutls_x509_trust_list_t list, struct chain *c, struct buf *why)
{
	gnutls_typed_vdata_st server = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
	    .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_SERVER};
	unsigned status = 0;
	int r = gtls.gnutls_x509_trust_list_verify_crt2(
	    list, c->v, c->n, &server, 1, 0, &status, NULL);

	if (r < 0) {
		buf_fmt(why, "the certificate cannot be verified: %s", gtls.gnutls_strerror(r));
		return CERT_MALFORMED;
	}
	return judge(c, status, why);
}

/* --- DANE */

static size_t
digest_bytes(uint8_t matching)
{
	return matching == CERT_SHA256 ? 32 : 64;
}

bool
cert_tlsa_usable(const struct cert_tlsa *t)
{
	if ((t->usage != CERT_DANE_TA && t->usage != CERT_DANE_EE) || t->selector > CERT_SPKI ||
	    t->matching > CERT_SHA512 || t->data.n > DATA_MAX)
		return false;
	return t->matching == CERT_FULL ? t->data.n > 0 : t->data.n == digest_bytes(t->matching);
}

/* RFC 7671 9: of the digests that are there for a usage and selector the strongest counts. */
static bool
outdone(const struct cert_tlsa *t, const struct cert_tlsa *v, size_t n)
{
	for (size_t i = 0; i < n && t->matching == CERT_SHA256; i++)
		if (v[i].usage == t->usage && v[i].selector == t->selector &&
		    v[i].matching == CERT_SHA512 && cert_tlsa_usable(&v[i]))
			return true;
	return false;
}

/* The public key of a certificate as it stands in it; free with gnutls_free(). */
static int
spki_of(gnutls_x509_crt_t crt, gnutls_datum_t *out)
{
	gnutls_pubkey_t key;
	int r = gtls.gnutls_pubkey_init(&key);

	if (r < 0)
		return r;
	r = gtls.gnutls_pubkey_import_x509(key, crt, 0);
	if (r >= 0)
		r = gtls.gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, out);
	gtls.gnutls_pubkey_deinit(key);
	return r;
}

static bool
bytes_match(const struct cert_tlsa *t, const void *p, size_t n)
{
	unsigned char digest[64];
	gnutls_digest_algorithm_t how = t->matching == CERT_SHA256 ? GNUTLS_DIG_SHA256
	                                                            : GNUTLS_DIG_SHA512;

	if (t->matching == CERT_FULL)
		return t->data.n == n && memcmp(t->data.p, p, n) == 0;
	return gtls.gnutls_hash_fast(how, p, n, digest) >= 0 &&
	    memcmp(t->data.p, digest, digest_bytes(t->matching)) == 0;
}

static bool
matches(const struct cert_tlsa *t, gnutls_x509_crt_t crt, struct span der)
{
	gnutls_datum_t key;
	bool yes;

	if (t->selector == CERT_WHOLE)
		return bytes_match(t, der.p, der.n);
	if (spki_of(crt, &key) < 0)
		return false;
	yes = bytes_match(t, key.data, key.size);
	(*gtls.gnutls_free)(key.data);
	return yes;
}

static void
say_match(struct buf *why, const struct cert_tlsa *t)
{
	buf_fmt(why, "%s %u %u %u", t->usage == CERT_DANE_EE ? "DANE-EE" : "DANE-TA", t->usage,
	    t->selector, t->matching);
}

/* The chain up to an anchor that a record is about, with its dates, and one of the names. */
static enum cert_is
under_anchor(gnutls_x509_crt_t anchor, struct chain *c, const struct cert_names *names,
    struct buf *why)
{
	gnutls_x509_trust_list_t list;
	gnutls_x509_crt_t copy = NULL;
	gnutls_datum_t der = {NULL, 0};
	enum cert_is is = CERT_UNTRUSTED;

	if (gtls.gnutls_x509_trust_list_init(&list, 0) < 0)
		return CERT_MALFORMED;
	/* The list frees what it is given. */
	if (gtls.gnutls_x509_crt_export2(anchor, GNUTLS_X509_FMT_DER, &der) >= 0 &&
	    import(&copy, (struct span){(const char *)der.data, der.size}) >= 0 &&
	    gtls.gnutls_x509_trust_list_add_cas(list, &copy, 1, GNUTLS_TL_NO_DUPLICATES) > 0)
		is = verify(list, c, why);
	(*gtls.gnutls_free)(der.data);
	gtls.gnutls_x509_trust_list_deinit(list, 1);
	return is == CERT_GOOD ? check_names(c->v[0], names, true, why) : is;
}

/* RFC 7671 5.2.3: an anchor that stands in the DNS whole need not be sent by the server. */
static enum cert_is
under_published(const struct cert_tlsa *t, struct chain *c, const struct cert_names *names,
    struct buf *why)
{
	gnutls_x509_crt_t anchor;
	enum cert_is is;

	if (t->selector != CERT_WHOLE || t->matching != CERT_FULL || import(&anchor, t->data) < 0)
		return CERT_NO_MATCH;
	is = under_anchor(anchor, c, names, why);
	gtls.gnutls_x509_crt_deinit(anchor);
	return is;
}

static enum cert_is
try_anchor(const struct cert_tlsa *t, struct chain *c, const struct cert_chain *raw,
    const struct cert_names *names, struct buf *why)
{
	for (unsigned i = 0; i < c->n; i++)
		if (matches(t, c->v[i], raw->v[i]))
			return under_anchor(c->v[i], c, names, why);
	return under_published(t, c, names, why);
}

enum cert_is
cert_dane(const struct cert_chain *raw, const struct cert_tlsa *v, size_t n,
    const struct cert_names *names, struct buf *why)
{
	enum cert_is worst = CERT_NO_MATCH, is;
	struct buf said = BUF_INIT;
	struct chain c;

	is = read_chain(raw, &c, why);
	if (is)
		return is;
	is = CERT_NO_MATCH;
	for (size_t i = 0; i < n && is; i++) {
		if (!cert_tlsa_usable(&v[i]) || outdone(&v[i], v, n))
			continue;
		buf_cut(&said, 0);
		if (v[i].usage == CERT_DANE_EE)
			is = matches(&v[i], c.v[0], raw->v[0]) ? CERT_GOOD : CERT_NO_MATCH;
		else
			is = try_anchor(&v[i], &c, raw, names, &said);
		if (is == CERT_GOOD) {
			say_match(why, &v[i]);
		} else if (is != CERT_NO_MATCH && worst == CERT_NO_MATCH) {
			worst = is; /* one that is about it, and yet does not help, is the better reason */
			buf_add(why, said.s, said.len);
		}
	}
	if (is && worst == CERT_NO_MATCH)
		buf_fmt(why, "no TLSA record matches the certificate");
	buf_free(&said);
	chain_free(&c);
	return is == CERT_GOOD ? CERT_GOOD : worst;
}

/* --- certificate authorities */

static struct cert_store *
new_store(void)
{
	struct cert_store *s = mem_alloc(sizeof *s);

	s->pem = (struct buf)BUF_INIT;
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

int
cert_store_open(struct cert_store **out, const char *file, struct err *e)
{
	struct cert_store *s;
	int r, rc = gtls_load(e);

	*out = NULL;
	if (rc)
		return rc;
	s = new_store();
	r = gtls.gnutls_x509_trust_list_init(&s->list, 0);
	if (r >= 0)
		r = file ? gtls.gnutls_x509_trust_list_add_trust_file(s->list, file, NULL,
		               GNUTLS_X509_FMT_PEM, 0, 0)
		         : gtls.gnutls_x509_trust_list_add_system_trust(s->list, 0, 0);
	if (r > 0) {
		*out = s;
		return 0;
	}
	cert_store_free(s);
	return err_set(e, EX_CONFIG, "%s: %s", file ? file : "the system's CAs",
	    r < 0 ? gtls.gnutls_strerror(r) : "no certificate in it");
}

int
cert_store_later(struct cert_store **out, const char *file, struct err *e)
{
	/* Where the distributions have theirs; elsewhere GnuTLS knows, and has to be asked now. */
	static const char *const usual[] = {"/etc/ssl/certs/ca-certificates.crt",
	    "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};
	struct cert_store *s = new_store();
	int rc = EX_NOINPUT;

	*out = NULL;
	if (file)
		rc = io_slurp_at(AT_FDCWD, file, STORE_MAX, &s->pem, e);
	for (size_t i = 0; !file && rc && i < sizeof usual / sizeof *usual; i++) {
		err_free(e);
		rc = io_slurp_at(AT_FDCWD, usual[i], STORE_MAX, &s->pem, e);
	}
	if (rc) {
		if (file) {
			cert_store_free(s);
			return e->code = EX_CONFIG;
		}
		err_free(e);
		rc = cert_store_open(out, NULL, e);
		if (rc != EX_CONFIG) {
			cert_store_free(s);
			return rc;
		}
		err_free(e); /* a bare machine has none: s, in which nothing is, trusts nobody */
	}
	*out = s;
	return 0;
}

/* Whoever comes first does it for all. */
static gnutls_x509_trust_list_t
list_of(struct cert_store *s)
{
	gnutls_datum_t d;

	pthread_mutex_lock(&s->lock);
	if (!s->list && gtls.gnutls_x509_trust_list_init(&s->list, 0) >= 0) {
		d = (gnutls_datum_t){(unsigned char *)s->pem.s, (unsigned)s->pem.len};
		if (d.size)
			gtls.gnutls_x509_trust_list_add_trust_mem(
			    s->list, &d, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
		buf_free(&s->pem);
	}
	pthread_mutex_unlock(&s->lock);
	return s->list;
}

void
cert_store_free(struct cert_store *s)
{
	if (!s)
		return;
	if (s->list)
		gtls.gnutls_x509_trust_list_deinit(s->list, 1);
	buf_free(&s->pem);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

enum cert_is
cert_ca(const struct cert_chain *raw, const struct cert_store *s, const struct cert_names *names,
    struct buf *why)
{
	struct chain c;
	enum cert_is is = read_chain(raw, &c, why);

	if (is)
		return is;
	is = verify(list_of((struct cert_store *)(uintptr_t)s), &c, why); /* const but for its being late */
	if (is == CERT_GOOD)
		is = check_names(c.v[0], names, false, why);
	chain_free(&c);
	return is;
}
