/* crypt.h - hashes, keys and signatures; the door to GnuTLS's cryptography.
 *
 * Two kinds of key, as DKIM has them: RSA with PKCS#1 v1.5 and SHA-256 (SHA-1 to verify only, for
 * the verifier's words: RFC 8301 lets nothing pass with it), and Ed25519 over the 32 bytes of a
 * SHA-256 digest (RFC 8463 3).  Nothing here has state that threads share: a key may sign in many
 * threads at once.  Secrets are wiped when they are freed.
 */
#ifndef CRYPT_H
#define CRYPT_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>

/* What is below loads GnuTLS when it is first called for; a process that will be confined by then calls
 * this before.  EX_TEMPFAIL, as from whatever else begins something: it cannot be loaded. */
int crypt_load(struct err *e);

/* --- hashes, as the bytes come */

enum crypt_digest { CRYPT_SHA1, CRYPT_SHA256 };
#define CRYPT_SHA1_BYTES 20
#define CRYPT_SHA256_BYTES 32
#define CRYPT_DIGEST_MAX CRYPT_SHA256_BYTES

struct crypt_hash { /* zeroed memory is none begun, and may be dropped */
	void *h;
	enum crypt_digest digest;
	bool failed; /* told by crypt_hash_end */
};
size_t crypt_digest_bytes(enum crypt_digest d);
int crypt_hash_begin(struct crypt_hash *h, enum crypt_digest d, struct err *e);
void crypt_hash_add(struct crypt_hash *h, const void *p, size_t n);
int crypt_hash_end(struct crypt_hash *h, unsigned char out[CRYPT_DIGEST_MAX], struct err *e);
void crypt_hash_drop(struct crypt_hash *h); /* without an end; after an end harmless */
int crypt_hash(enum crypt_digest d, struct span bytes, unsigned char out[CRYPT_DIGEST_MAX],
    struct err *e);

/* --- private keys */

enum crypt_kind { CRYPT_RSA, CRYPT_ED25519 };

#define CRYPT_RSA_MIN 1024       /* bits; RFC 8301 3.2 */
#define CRYPT_RSA_WEAK_BELOW 2048 /* and its SHOULD */
#define CRYPT_RSA_MAX 8192       /* what we sign and verify with; RFC 6376 3.3.3 asks for 2048 at least */

struct crypt_key;

/* PEM (PKCS#1, PKCS#8, encrypted or not) or DER, of a key that signs.  password may be NULL: an
 * encrypted key is EX_NOPERM then ("it is encrypted and no password is given"), and where the
 * password is wrong.  EX_CONFIG: no key, of another kind, or RSA outside the two bounds. */
int crypt_key_load(struct crypt_key **k, struct span text, const char *password, struct err *e);
/* A key in a token, "pkcs11:..." (RFC 7512); the password is the token's PIN where it wants one.
 * EX_CONFIG: no such token or key, EX_NOPERM: not with this PIN. */
int crypt_key_open(struct crypt_key **k, const char *uri, const char *password, struct err *e);
int crypt_key_make(struct crypt_key **k, enum crypt_kind kind, unsigned bits, struct err *e);
void crypt_key_free(struct crypt_key *k);

enum crypt_kind crypt_key_kind(const struct crypt_key *k);
unsigned crypt_key_bits(const struct crypt_key *k); /* 256 for Ed25519 */
/* What a DNS record's p= holds, before base64: SubjectPublicKeyInfo for RSA (what everybody
 * publishes; RFC 6376's errata 3017), 32 bytes for Ed25519 (RFC 8463 4.2). */
int crypt_key_public(const struct crypt_key *k, struct buf *out, struct err *e);
/* PKCS#8, as PEM; encrypted (PBES2, AES-256) where there is a password. */
int crypt_key_pem(const struct crypt_key *k, const char *password, struct buf *out, struct err *e);
/* PKCS#8 DER, for another library that does its arithmetic (rsa.h); EX_CONFIG for a token's. */
int crypt_key_der(const struct crypt_key *k, struct buf *out, struct err *e);

/* Appends the signature of a SHA-256 digest: as many bytes as the RSA modulus has, or 64. */
int crypt_sign(const struct crypt_key *k, const unsigned char digest[CRYPT_SHA256_BYTES],
    struct buf *out, struct err *e);

/* --- public keys */

struct crypt_pub;

/* From the bytes of p=: for RSA SubjectPublicKeyInfo or the bare RSAPublicKey that RFC 6376 3.6.1
 * names.  EX_DATAERR: not a key of this kind, over CRYPT_RSA_MAX bits, or with an exponent of more
 * than 64 bits, which only makes work.  Small keys are loaded: the caller asks for the bits. */
int crypt_pub_load(struct crypt_pub **p, enum crypt_kind kind, struct span bytes, struct err *e);
void crypt_pub_free(struct crypt_pub *p);
unsigned crypt_pub_bits(const struct crypt_pub *p);
/* Whether sig is this key's signature of the digest. */
bool crypt_verify(const struct crypt_pub *p, enum crypt_digest d,
    const unsigned char digest[CRYPT_DIGEST_MAX], struct span sig);

#endif
