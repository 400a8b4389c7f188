/* rsa.h - RSA signatures at volume; the door to libcrypto.
 *
 * GnuTLS 3.7 makes 400 to 750 signatures a second and core with 2,048 bits, libcrypto five times
 * as many, of the same bytes: PKCS#1 v1.5 has no randomness.  Whoever signs message after message
 * comes here; where there is no libcrypto crypt_sign() does it.
 *
 * The library is loaded when it is asked for, not when the program starts: that costs 2 ms, as much
 * as a signature of GnuTLS's, and a single message needs none of it.  In a process that has ldns it
 * is there already.
 */
#ifndef RSA_DOOR_H
#define RSA_DOOR_H

#include "buf.h"
#include "crypt.h"
#include "err.h"

struct rsa;

/* The same key again, parsed once: it may sign in many threads.  EX_UNAVAILABLE: no libcrypto, or
 * one that does not take this key, or a key that is not in memory (a token's); nothing is lost then,
 * crypt_sign() is there. */
int rsa_open(struct rsa **r, const struct crypt_key *k, struct err *e);
void rsa_close(struct rsa *r);

/* As crypt_sign(). */
int rsa_sign(const struct rsa *r, const unsigned char digest[CRYPT_SHA256_BYTES], struct buf *out,
    struct err *e);

#endif
