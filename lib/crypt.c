#include "crypt.h"

#include "gtls.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ED25519_BYTES 32  /* RFC 8032 5.1.5 */
#define EXPONENT_BYTES 8
#define VERIFY_BYTES 65536 /* more than a verification takes */

struct crypt_key {
	gnutls_privkey_t p;
	gnutls_x509_privkey_t x; /* NULL: it is in a token */
	enum crypt_kind kind;
	unsigned bits;
};

struct crypt_pub {
	gnutls_pubkey_t p;
	enum crypt_kind kind;
	unsigned bits;
};

static gnutls_datum_t
datum(const void *p, size_t n)
{
	union { /* GnuTLS reads it alone, and its type lacks the const */
		const void *from;
		unsigned char *to;
	} u = {.from = p};

	return (gnutls_datum_t){u.to, (unsigned)n};
}

int
crypt_load(struct err *e)
{
	return gtls_load(e);
}

/* --- hashes */

size_t
crypt_digest_bytes(enum crypt_digest d)
{
	return d == CRYPT_SHA1 ? CRYPT_SHA1_BYTES : CRYPT_SHA256_BYTES;
}

static gnutls_digest_algorithm_t
algorithm(enum crypt_digest d)
{
	return d == CRYPT_SHA1 ? GNUTLS_DIG_SHA1 : GNUTLS_DIG_SHA256;
}

int
crypt_hash_begin(struct crypt_hash *h, enum crypt_digest d, struct err *e)
{
	gnutls_hash_hd_t g = NULL;
	int r, rc = gtls_load(e);

	*h = (struct crypt_hash){.digest = d};
	if (rc)
		return rc;
	r = gtls.gnutls_hash_init(&g, algorithm(d));
	h->h = g;
	return r < 0 ? gtls_fail(e, EX_SOFTWARE, "hash", r) : 0;
}

void
crypt_hash_add(struct crypt_hash *h, const void *p, size_t n)
{
	if (n > 0 && gtls.gnutls_hash(h->h, p, n) < 0)
		h->failed = true;
}

int
crypt_hash_end(struct crypt_hash *h, unsigned char out[CRYPT_DIGEST_MAX], struct err *e)
{
	gtls.gnutls_hash_deinit(h->h, out);
	h->h = NULL;
	return h->failed ? err_set(e, EX_SOFTWARE, "hash: GnuTLS cannot compute it") : 0;
}

void
crypt_hash_drop(struct crypt_hash *h)
{
	if (h->h)
		gtls.gnutls_hash_deinit(h->h, NULL);
	h->h = NULL;
}

int
crypt_hash(enum crypt_digest d, struct span bytes, unsigned char out[CRYPT_DIGEST_MAX],
    struct err *e)
{
	int r, rc = gtls_load(e);

	if (rc)
		return rc;
	r = gtls.gnutls_hash_fast(algorithm(d), bytes.p, bytes.n, out);
	return r < 0 ? gtls_fail(e, EX_SOFTWARE, "hash", r) : 0;
}

/* --- private keys */

void
crypt_key_free(struct crypt_key *k)
{
	if (!k)
		return;
	if (k->p)
		gtls.gnutls_privkey_deinit(k->p);
	if (k->x)
		gtls.gnutls_x509_privkey_deinit(k->x);
	free(k);
}

/* Which kind it is, and whether it is one that we take. */
static int
key_check(struct crypt_key *k, struct err *e)
{
	unsigned bits = 0;
	int kind = gtls.gnutls_privkey_get_pk_algorithm(k->p, &bits);

	if (kind == GNUTLS_PK_EDDSA_ED25519) {
		k->kind = CRYPT_ED25519;
		k->bits = ED25519_BYTES * CHAR_BIT;
		return 0;
	}
	if (kind != GNUTLS_PK_RSA)
		return err_set(e, EX_CONFIG, "the key is neither RSA nor Ed25519, but %s",
		    kind < 0 ? "unknown" : gtls.gnutls_pk_get_name((gnutls_pk_algorithm_t)kind));
	if (bits < CRYPT_RSA_MIN || bits > CRYPT_RSA_MAX)
		return err_set(e, EX_CONFIG, "the RSA key has %u bits, %d to %d are allowed", bits,
		    CRYPT_RSA_MIN, CRYPT_RSA_MAX);
	k->kind = CRYPT_RSA;
	k->bits = bits;
	return 0;
}

static int
key_new(struct crypt_key **k, struct err *e)
{
	int r, rc = gtls_load(e);

	*k = NULL;
	if (rc)
		return rc;
	*k = mem_alloc(sizeof **k);
	r = gtls.gnutls_privkey_init(&(*k)->p);
	if (r >= 0)
		return 0;
	free(*k);
	*k = NULL;
	return gtls_fail(e, EX_SOFTWARE, "key", r);
}

static int /* what is usable is given away, what is not freed */
key_done(struct crypt_key **k, int rc)
{
	if (rc) {
		crypt_key_free(*k);
		*k = NULL;
	}
	return rc;
}

/* That a password is wrong shows in what comes out: GnuTLS says one or the other. */
static bool
wrong_password(int r)
{
	return r == GNUTLS_E_DECRYPTION_FAILED || r == GNUTLS_E_PK_DECRYPTION_FAILED ||
	    r == GNUTLS_E_INVALID_PASSWORD || r == GNUTLS_E_MAC_VERIFY_FAILED;
}

/* From x into p, so that there is one way to sign, whatever the key is kept in. */
static int
key_import(struct crypt_key *k, struct err *e)
{
	int r = gtls.gnutls_privkey_import_x509(k->p, k->x, 0);

	return r < 0 ? gtls_fail(e, EX_CONFIG, "key", r) : 0;
}

int
crypt_key_load(struct crypt_key **k, struct span text, const char *password, struct err *e)
{
	gnutls_datum_t d = datum(text.p, text.n);
	bool pem = text.n > 0 && memmem(text.p, text.n, "-----BEGIN", 10) != NULL;
	gnutls_x509_crt_fmt_t form = pem ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER;
	bool encrypted;
	int r, rc = key_new(k, e);

	if (rc)
		return rc;
	if (text.n > UINT_MAX)
		return key_done(k, err_set(e, EX_CONFIG, "key: too large"));
	r = gtls.gnutls_x509_privkey_init(&(*k)->x);
	if (r < 0)
		return key_done(k, gtls_fail(e, EX_SOFTWARE, "key", r));
	r = gtls.gnutls_x509_privkey_import2((*k)->x, &d, form, NULL, GNUTLS_PKCS_PLAIN);
	encrypted = wrong_password(r);
	if (encrypted && password)
		r = gtls.gnutls_x509_privkey_import2((*k)->x, &d, form, password, 0);
	if (encrypted && !password)
		rc = err_set(e, EX_NOPERM, "it is encrypted and no password is given");
	else if (wrong_password(r))
		rc = err_set(e, EX_NOPERM, "the password is wrong");
	else if (r < 0)
		rc = gtls_fail(e, EX_CONFIG, "it holds no private key", r);
	if (!rc)
		rc = key_import(*k, e);
	if (!rc)
		rc = key_check(*k, e);
	return key_done(k, rc);
}

static int
give_pin(void *password, int attempt, const char *url, const char *label, unsigned flags, char *pin,
    size_t n)
{
	const char *p = password;

	(void)url;
	(void)label;
	(void)flags;
	/* Once: a token locks itself after a few wrong ones. */
	if (!p || attempt > 0 || strlen(p) >= n)
		return -1;
	memcpy(pin, p, strlen(p) + 1);
	return 0;
}

int
crypt_key_open(struct crypt_key **k, const char *uri, const char *password, struct err *e)
{
	char *pin = password ? mem_dup(password, strlen(password)) : NULL;
	int r, rc = key_new(k, e);

	if (!rc) {
		gtls.gnutls_privkey_set_pin_function((*k)->p, give_pin, pin);
		r = gtls.gnutls_privkey_import_url((*k)->p, uri, 0);
		if (r == GNUTLS_E_PKCS11_PIN_ERROR || r == GNUTLS_E_PKCS11_PIN_LOCKED ||
		    r == GNUTLS_E_PKCS11_PIN_EXPIRED || r == GNUTLS_E_PKCS11_USER_ERROR)
			rc = gtls_fail(e, EX_NOPERM, "the token's PIN", r);
		else if (r < 0)
			rc = gtls_fail(e, EX_CONFIG, "the token's key", r);
		if (!rc)
			rc = key_check(*k, e);
		if (*k)
			gtls.gnutls_privkey_set_pin_function((*k)->p, NULL, NULL);
		rc = key_done(k, rc);
	}
	if (pin)
		explicit_bzero(pin, strlen(pin));
	free(pin);
	return rc;
}

int
crypt_key_make(struct crypt_key **k, enum crypt_kind kind, unsigned bits, struct err *e)
{
	gnutls_pk_algorithm_t pk = kind == CRYPT_RSA ? GNUTLS_PK_RSA : GNUTLS_PK_EDDSA_ED25519;
	int r, rc;

	if (kind == CRYPT_RSA && (bits < CRYPT_RSA_MIN || bits > CRYPT_RSA_MAX))
		return err_set(e, EX_USAGE, "an RSA key of %u bits: %d to %d are allowed", bits,
		    CRYPT_RSA_MIN, CRYPT_RSA_MAX);
	rc = key_new(k, e);
	if (rc)
		return rc;
	r = gtls.gnutls_x509_privkey_init(&(*k)->x);
	if (r >= 0)
		r = gtls.gnutls_x509_privkey_generate((*k)->x, pk,
		    kind == CRYPT_RSA ? bits : ED25519_BYTES * CHAR_BIT, 0);
	rc = r < 0 ? gtls_fail(e, EX_SOFTWARE, "making a key", r) : key_import(*k, e);
	if (!rc)
		rc = key_check(*k, e);
	return key_done(k, rc);
}

enum crypt_kind
crypt_key_kind(const struct crypt_key *k)
{
	return k->kind;
}

unsigned
crypt_key_bits(const struct crypt_key *k)
{
	return k->bits;
}

static int
take(struct buf *out, gnutls_datum_t *d, int r, const char *what, struct err *e)
{
	if (r < 0)
		return gtls_fail(e, EX_SOFTWARE, what, r);
	buf_add(out, d->data, d->size);
	explicit_bzero(d->data, d->size);
	(*gtls.gnutls_free)(d->data);
	return 0;
}

int
crypt_key_public(const struct crypt_key *k, struct buf *out, struct err *e)
{
	gnutls_pubkey_t p = NULL;
	gnutls_datum_t d = {NULL, 0};
	int r = gtls.gnutls_pubkey_init(&p), rc;

	if (r >= 0)
		r = gtls.gnutls_pubkey_import_privkey(p, k->p, 0, 0);
	if (r >= 0)
		r = k->kind == CRYPT_RSA ? gtls.gnutls_pubkey_export2(p, GNUTLS_X509_FMT_DER, &d)
		                         : gtls.gnutls_pubkey_export_ecc_raw2(p, NULL, &d, NULL, 0);
	rc = take(out, &d, r, "public key", e);
	if (p)
		gtls.gnutls_pubkey_deinit(p);
	return rc;
}

static int
export(const struct crypt_key *k, gnutls_x509_crt_fmt_t form, const char *password, struct buf *out,
    struct err *e)
{
	gnutls_datum_t d = {NULL, 0};
	int r;

	if (!k->x)
		return err_set(e, EX_CONFIG, "a token does not give its key away");
	r = gtls.gnutls_x509_privkey_export2_pkcs8(k->x, form, password,
	    password ? GNUTLS_PKCS_PBES2_AES_256 : GNUTLS_PKCS_PLAIN, &d);
	return take(out, &d, r, "private key", e);
}

int
crypt_key_pem(const struct crypt_key *k, const char *password, struct buf *out, struct err *e)
{
	return export(k, GNUTLS_X509_FMT_PEM, password, out, e);
}

int
crypt_key_der(const struct crypt_key *k, struct buf *out, struct err *e)
{
	return export(k, GNUTLS_X509_FMT_DER, NULL, out, e);
}

int
crypt_sign(const struct crypt_key *k, const unsigned char digest[CRYPT_SHA256_BYTES],
    struct buf *out, struct err *e)
{
	gnutls_datum_t in = datum(digest, CRYPT_SHA256_BYTES), sig = {NULL, 0};
	int r = k->kind == CRYPT_RSA
	    ? gtls.gnutls_privkey_sign_hash2(k->p, GNUTLS_SIGN_RSA_SHA256, 0, &in, &sig)
	    : gtls.gnutls_privkey_sign_data2(k->p, GNUTLS_SIGN_EDDSA_ED25519, 0, &in, &sig);

	return take(out, &sig, r, "sign", e);
}

/* --- public keys */

void
crypt_pub_free(struct crypt_pub *p)
{
	if (!p)
		return;
	if (p->p)
		gtls.gnutls_pubkey_deinit(p->p);
	free(p);
}

/* One ASN.1 header: a definite length in at most four bytes, as short as it can be (ITU-T X.690 10.1). */
static bool
der(struct cur *c, int tag, struct span *content)
{
	struct cur t = *c;
	size_t n = 0;
	int first;

	if (!cur_ch(&t, (char)tag))
		return false;
	first = cur_peek(&t);
	cur_take(&t, 1);
	if (first >= 0x80) {
		struct span more = cur_take(&t, (size_t)first & 0x7f);

		if (more.n != ((size_t)first & 0x7f) || more.n == 0 || more.n > 4 || more.p[0] == 0)
			return false;
		for (size_t i = 0; i < more.n; i++)
			n = n << 8 | (unsigned char)more.p[i];
		if (n < 0x80)
			return false;
	} else if (first >= 0) {
		n = (size_t)first;
	}
	*content = cur_take(&t, n);
	if (first < 0 || content->n != n)
		return false;
	*c = t;
	return true;
}

/* INTEGER, above zero and as short as it can be; without the zero that keeps it positive. */
static bool
der_positive(struct cur *c, struct span *value)
{
	struct cur t = *c;

	if (!der(&t, 0x02, value) || value->n == 0 || value->p[0] & 0x80)
		return false;
	if (value->p[0] == 0 && (value->n == 1 || !(value->p[1] & 0x80)))
		return false;
	if (value->p[0] == 0) {
		value->p++;
		value->n--;
	}
	*c = t;
	return true;
}

/* RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }    RFC 8017 A.1.1 */
static bool
rsa_public_key(struct span bytes, struct span *n, struct span *x)
{
	struct cur c = cur_span(bytes), in;
	struct span seq;

	if (!der(&c, 0x30, &seq) || !cur_end(&c))
		return false;
	in = cur_span(seq);
	return der_positive(&in, n) && der_positive(&in, x) && cur_end(&in);
}

/* What stands around it in a SubjectPublicKeyInfo (RFC 5280 4.1): SEQUENCE { SEQUENCE { rsaEncryption,
 * NULL }, BIT STRING of whole bytes }. */
static bool
rsa_info(struct span bytes, struct span *key)
{
	static const char rsa_encryption[] = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
	struct cur c = cur_span(bytes), in;
	struct span info, algorithm, bits;

	if (!der(&c, 0x30, &info) || !cur_end(&c))
		return false;
	in = cur_span(info);
	if (!der(&in, 0x30, &algorithm) || !der(&in, 0x03, &bits) || !cur_end(&in) ||
	    !span_eq(algorithm, (struct span){rsa_encryption, sizeof rsa_encryption - 1}) ||
	    bits.n == 0 || bits.p[0] != 0)
		return false;
	*key = (struct span){bits.p + 1, bits.n - 1};
	return true;
}

/* Both forms are read here: GnuTLS takes a tenth of a verification's time for the first, and does
 * not know the second. */
static int
rsa_import(struct crypt_pub *p, struct span bytes, struct err *e)
{
	struct span n, x;
	gnutls_datum_t dn, dx;
	size_t bits;
	int r;

	if (!rsa_public_key(bytes, &n, &x) && (!rsa_info(bytes, &bytes) || !rsa_public_key(bytes, &n, &x)))
		return err_set(e, EX_DATAERR, "not an RSA key");
	bits = n.n * CHAR_BIT - (size_t)__builtin_clz((unsigned char)n.p[0]) +
	    (sizeof(unsigned) - 1) * CHAR_BIT;
	if (bits > CRYPT_RSA_MAX)
		return err_set(e, EX_DATAERR, "an RSA key of %zu bits, at most %d are taken", bits,
		    CRYPT_RSA_MAX);
	if (x.n > EXPONENT_BYTES)
		return err_set(e, EX_DATAERR, "an RSA key with an exponent of %zu bytes", x.n);
	p->bits = (unsigned)bits;
	dn = datum(n.p, n.n);
	dx = datum(x.p, x.n);
	r = gtls.gnutls_pubkey_import_rsa_raw(p->p, &dn, &dx);
	if (r == GNUTLS_E_MPI_SCAN_FAILED) /* of two numbers that are some: GMP had no memory for them */
		mem_none();
	return r < 0 ? gtls_fail(e, EX_DATAERR, "not an RSA key", r) : 0;
}

int
crypt_pub_load(struct crypt_pub **out, enum crypt_kind kind, struct span bytes, struct err *e)
{
	gnutls_datum_t d = datum(bytes.p, bytes.n);
	struct crypt_pub *p;
	int r, rc = gtls_load(e);

	*out = NULL;
	if (rc)
		return rc;
	p = mem_alloc(sizeof *p);
	p->kind = kind;
	r = bytes.n > UINT_MAX ? GNUTLS_E_ASN1_DER_ERROR : gtls.gnutls_pubkey_init(&p->p);
	if (r >= 0 && kind == CRYPT_RSA) {
		rc = rsa_import(p, bytes, e);
	} else if (r >= 0) {
		p->bits = ED25519_BYTES * CHAR_BIT;
		if (bytes.n != ED25519_BYTES)
			rc = err_set(e, EX_DATAERR, "an Ed25519 key has %d bytes, not %zu", ED25519_BYTES,
			    bytes.n);
		else
			r = gtls.gnutls_pubkey_import_ecc_raw(p->p, GNUTLS_ECC_CURVE_ED25519, &d, NULL);
	}
	if (!rc && r < 0)
		rc = gtls_fail(e, EX_DATAERR, "public key", r);
	if (rc)
		crypt_pub_free(p);
	else
		*out = p;
	return rc;
}

unsigned
crypt_pub_bits(const struct crypt_pub *p)
{
	return p->bits;
}

static bool
verify_once(const struct crypt_pub *p, enum crypt_digest d,
    const unsigned char digest[CRYPT_DIGEST_MAX], struct span sig)
{
	gnutls_datum_t in = datum(digest, crypt_digest_bytes(d)), s = datum(sig.p, sig.n);
	/* Which algorithms and sizes are good enough is the caller's to say, not the system's. */
	unsigned flags = GNUTLS_VERIFY_ALLOW_BROKEN;

	if (p->kind == CRYPT_ED25519)
		return gtls.gnutls_pubkey_verify_data2(
		           p->p, GNUTLS_SIGN_EDDSA_ED25519, flags, &in, &s) >= 0;
	return gtls.gnutls_pubkey_verify_hash2(p->p, d == CRYPT_SHA1 ? GNUTLS_SIGN_RSA_SHA1
	                                                        : GNUTLS_SIGN_RSA_SHA256,
	           flags, &in, &s) >= 0;
}

bool
crypt_verify(const struct crypt_pub *p, enum crypt_digest d,
    const unsigned char digest[CRYPT_DIGEST_MAX], struct span sig)
{
	if (sig.n == 0 || sig.n > UINT_MAX)
		return false;
	if (verify_once(p, d, digest, sig))
		return true;
	/* GnuTLS says the same of a bad signature and of an allocation that fails: "no" is believed
	 * when it is said again where there is memory. */
	free(mem_alloc(VERIFY_BYTES));
	return verify_once(p, d, digest, sig);
}
