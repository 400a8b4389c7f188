#include "hmac.h"

#include "dl.h"
#include "sys.h"

#include "hex.h"

#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <nettle/memops.h>
#include <nettle/version.h>
#include <stddef.h>
#include <string.h>

#define MD5_WORDS 4

/* What is called of nettle, loaded by name; the types are its headers'. */
#define CALLS(f)                                                                                   \
	f(nettle_hmac_sha256_set_key) f(nettle_hmac_sha256_update) f(nettle_hmac_sha256_digest)    \
	f(nettle_hmac_md5_set_key) f(nettle_hmac_md5_update) f(nettle_hmac_md5_digest)             \
	f(nettle_md5_init) f(nettle_memeql_sec)
static struct calls {
	CALLS(DL_POINTER)
} lib;

/* From the fourth release on a digest has one length, and of inner and outer no more is kept than begins them. */
#if NETTLE_VERSION_MAJOR < 4
#define LIBNETTLE SYS_LIBNETTLE
#define DIGEST(context, bytes, out) (context), (bytes), (out)
#else
#define LIBNETTLE SYS_LIBNETTLE_4
#define DIGEST(context, bytes, out) (context), (out)
#endif
static struct dl nettle = DL_INIT(lib, CALLS, LIBNETTLE);

int
hmac_load(struct err *e)
{
	return dl_need(&nettle, EX_TEMPFAIL, e);
}

static const struct calls *
library(void)
{
	struct err e = ERR_INIT;

	if (hmac_load(&e))
		mem_none();
	return &lib;
}

void
hmac_sha256(struct span key, struct span text, unsigned char out[HMAC_SHA256_BYTES])
{
	struct hmac_sha256_ctx c;

	library()->nettle_hmac_sha256_set_key(&c, key.n, (const uint8_t *)key.p);
	library()->nettle_hmac_sha256_update(&c, text.n, (const uint8_t *)text.p);
	library()->nettle_hmac_sha256_digest(DIGEST(&c, HMAC_SHA256_BYTES, out));
	explicit_bzero(&c, sizeof c);
}

void
hmac_sha256_of(struct span key, struct span a, struct span b, unsigned char out[HMAC_SHA256_BYTES])
{
	struct hmac_sha256_ctx c;
	uint8_t n[sizeof(uint64_t)]; /* the least first, whatever the machine: hosts share keys */

	for (size_t i = 0; i < sizeof n; i++)
		n[i] = (uint8_t)((uint64_t)a.n >> 8 * i);
	library()->nettle_hmac_sha256_set_key(&c, key.n, (const uint8_t *)key.p);
	library()->nettle_hmac_sha256_update(&c, sizeof n, n);
	library()->nettle_hmac_sha256_update(&c, a.n, (const uint8_t *)a.p);
	library()->nettle_hmac_sha256_update(&c, b.n, (const uint8_t *)b.p);
	library()->nettle_hmac_sha256_digest(DIGEST(&c, HMAC_SHA256_BYTES, out));
	explicit_bzero(&c, sizeof c);
}

bool
hmac_equal(const void *a, const void *b, size_t n)
{
	return library()->nettle_memeql_sec(a, b, n) != 0;
}

/* --- CRAM-MD5 */

_Static_assert(offsetof(struct md5_ctx, state) == 0, "it begins a context, whatever else is kept");

/* A state's words, least significant byte first, as MD5 itself orders them (RFC 1321 3.5). */
static void
put_state(const void *context, struct buf *out)
{
	uint32_t state[MD5_WORDS];

	memcpy(state, context, sizeof state);
	for (size_t i = 0; i < MD5_WORDS; i++)
		for (unsigned shift = 0; shift < 32; shift += 8)
			buf_fmt(out, "%02x", state[i] >> shift & 0xff);
	explicit_bzero(state, sizeof state);
}

void
hmac_cram_key(struct span password, struct buf *out)
{
	struct hmac_md5_ctx c;

	library()->nettle_hmac_md5_set_key(&c, password.n, (const uint8_t *)password.p);
	put_state(&c.outer, out);
	put_state(&c.inner, out);
	explicit_bzero(&c, sizeof c);
}

bool
hmac_cram_key_ok(struct span key)
{
	unsigned char bytes[HMAC_CRAM_TEXT / 2];

	return hex_get(key, bytes, sizeof bytes);
}

/* One block has gone through it: the key, padded. */
static void
get_state(const unsigned char *p, struct md5_ctx *c)
{
	library()->nettle_md5_init(c);
	for (size_t i = 0; i < MD5_WORDS; i++, p += 4)
		c->state[i] = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
		    (uint32_t)p[3] << 24;
	c->count = 1;
}

bool
hmac_cram_check(struct span key, struct span challenge, struct span digest)
{
	unsigned char states[HMAC_CRAM_TEXT / 2], said[MD5_DIGEST_SIZE] = {0}, is[MD5_DIGEST_SIZE];
	struct hmac_md5_ctx c;
	struct md5_ctx outer;
	bool readable = hex_get(digest, said, sizeof said), equal;

	if (!hex_get(key, states, sizeof states))
		return false;
	get_state(states, &outer);
	memcpy(&c.outer, &outer, sizeof c.outer);
	get_state(states + sizeof states / 2, &c.state);
	memcpy(&c.inner, &c.state, sizeof c.inner);
	library()->nettle_hmac_md5_update(&c, challenge.n, (const uint8_t *)challenge.p);
	library()->nettle_hmac_md5_digest(DIGEST(&c, sizeof is, is));
	equal = hmac_equal(is, said, sizeof is);
	explicit_bzero(&c, sizeof c);
	explicit_bzero(&outer, sizeof outer);
	explicit_bzero(states, sizeof states);
	return equal && readable;
}
