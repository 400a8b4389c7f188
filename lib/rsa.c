#include "rsa.h"

#include "dl.h"
#include "sys.h"

#ifdef SYS_LIBCRYPTO

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* What is called of libcrypto, loaded by name; the types are its header's. */
#define CALLS(f)                                                                                   \
	f(d2i_AutoPrivateKey) f(EVP_PKEY_free) f(EVP_PKEY_CTX_new) f(EVP_PKEY_CTX_dup)             \
	f(EVP_PKEY_CTX_free) f(EVP_PKEY_CTX_ctrl_str) f(EVP_PKEY_sign_init) f(EVP_PKEY_sign)
static struct {
	CALLS(DL_POINTER)
} lib;
static struct dl library = DL_INIT(lib, CALLS, SYS_LIBCRYPTO);

struct rsa {
	EVP_PKEY *key;
	EVP_PKEY_CTX *ready; /* set up to sign; each signature is made with a copy of it */
	size_t bytes;        /* of the modulus */
};

static int
set_up(struct rsa *r, struct span der, struct err *e)
{
	const unsigned char *p = (const unsigned char *)der.p;

	r->key = lib.d2i_AutoPrivateKey(NULL, &p, (long)der.n);
	r->ready = r->key ? lib.EVP_PKEY_CTX_new(r->key, NULL) : NULL;
	if (!r->ready || lib.EVP_PKEY_sign_init(r->ready) <= 0 ||
	    lib.EVP_PKEY_CTX_ctrl_str(r->ready, "rsa_padding_mode", "pkcs1") <= 0 ||
	    lib.EVP_PKEY_CTX_ctrl_str(r->ready, "digest", "sha256") <= 0)
		return err_set(e, EX_UNAVAILABLE, "libcrypto does not take the key");
	return 0;
}

/* A signature of something, by both libraries: the same bytes, or this one is not trusted.  And
 * whatever libcrypto wants to load for it has been loaded, before any confinement. */
static int
try_it(const struct rsa *r, const struct crypt_key *k, struct err *e)
{
	static const unsigned char digest[CRYPT_SHA256_BYTES] = "a digest";
	struct buf ours = BUF_INIT, theirs = BUF_INIT;
	int rc = rsa_sign(r, digest, &ours, e);

	if (!rc)
		rc = crypt_sign(k, digest, &theirs, e);
	if (!rc && (ours.len != theirs.len || memcmp(ours.s, theirs.s, ours.len) != 0))
		rc = err_set(e, EX_UNAVAILABLE, "libcrypto and GnuTLS make different signatures");
	buf_free(&ours);
	buf_free(&theirs);
	return rc;
}

int
rsa_open(struct rsa **out, const struct crypt_key *k, struct err *e)
{
	struct buf der = BUF_INIT;
	struct rsa *r;
	int rc = 0;

	*out = NULL;
	if (crypt_key_kind(k) != CRYPT_RSA)
		return err_set(e, EX_UNAVAILABLE, "not an RSA key");
	if (dl_need(&library, EX_UNAVAILABLE, e))
		return e->code;
	if (crypt_key_der(k, &der, e))
		return e->code = EX_UNAVAILABLE;
	r = mem_alloc(sizeof *r);
	r->bytes = (crypt_key_bits(k) + CHAR_BIT - 1) / CHAR_BIT;
	rc = set_up(r, (struct span){der.s, der.len}, e);
	explicit_bzero(der.s, der.len);
	buf_free(&der);
	if (!rc)
		rc = try_it(r, k, e);
	if (rc)
		rsa_close(r);
	else
		*out = r;
	return rc;
}

void
rsa_close(struct rsa *r)
{
	if (!r)
		return;
	if (r->ready)
		lib.EVP_PKEY_CTX_free(r->ready);
	if (r->key)
		lib.EVP_PKEY_free(r->key);
	free(r);
}

int
rsa_sign(const struct rsa *r, const unsigned char digest[CRYPT_SHA256_BYTES], struct buf *out,
    struct err *e)
{
	EVP_PKEY_CTX *c = lib.EVP_PKEY_CTX_dup(r->ready);
	size_t n = r->bytes;
	char *to = buf_room(out, n);
	int good = c && lib.EVP_PKEY_sign(c, (unsigned char *)to, &n, digest, CRYPT_SHA256_BYTES) > 0;

	if (c)
		lib.EVP_PKEY_CTX_free(c);
	if (!good)
		return err_set(e, EX_SOFTWARE, "sign: libcrypto cannot");
	buf_grew(out, n);
	return 0;
}

#else

int
rsa_open(struct rsa **r, const struct crypt_key *k, struct err *e)
{
	(void)k;
	*r = NULL;
	return err_set(e, EX_UNAVAILABLE, "built without libcrypto");
}

void
rsa_close(struct rsa *r)
{
	(void)r;
}

int
rsa_sign(const struct rsa *r, const unsigned char digest[CRYPT_SHA256_BYTES], struct buf *out,
    struct err *e)
{
	(void)r;
	(void)digest;
	(void)out;
	return err_set(e, EX_UNAVAILABLE, "built without libcrypto");
}

#endif
