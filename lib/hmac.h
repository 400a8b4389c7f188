/* hmac.h - keyed digests; the door to nettle, on which GnuTLS stands.
 *
 * HMAC-SHA-256 (RFC 2104) for names nobody outside may foresee, and what CRAM-MD5 keeps of a
 * password: the two inner states of HMAC-MD5 (RFC 2195 2), which check a digest, cannot be turned
 * back, and are no good for any other mechanism.  Dovecot stores the same 64 digits as {CRAM-MD5}.
 */
#ifndef HMAC_H
#define HMAC_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

/* The library, which is loaded by name.  Who opens what needs digests calls this, and before it confines itself:
 * whoever has to load it for a digest and cannot ends there, as one without memory does.  EX_TEMPFAIL. */
int hmac_load(struct err *e);

#define HMAC_SHA256_BYTES 32
#define HMAC_CRAM_TEXT 64 /* hexadecimal digits: outer state, inner state */

void hmac_sha256(struct span key, struct span text, unsigned char out[HMAC_SHA256_BYTES]);
/* Two parts that cannot run into each other: the length of the first goes in too. */
void hmac_sha256_of(struct span key, struct span a, struct span b,
    unsigned char out[HMAC_SHA256_BYTES]);

void hmac_cram_key(struct span password, struct buf *out); /* HMAC_CRAM_TEXT digits */
/* Whether key is such digits, and digest (32 hexadecimal digits, any case) what they make of
 * the challenge.  Takes as long whatever the digest is. */
bool hmac_cram_key_ok(struct span key);
bool hmac_cram_check(struct span key, struct span challenge, struct span digest);

bool hmac_equal(const void *a, const void *b, size_t n); /* in a time that does not tell where they differ */

#endif
