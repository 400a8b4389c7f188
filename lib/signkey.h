/* signkey.h - a private key from where it is kept, ready to sign in any number of threads. */
#ifndef SIGNKEY_H
#define SIGNKEY_H

#include "crypt.h"
#include "err.h"

#include <stdbool.h>

#define SIGNKEY_FILE_MAX (64 << 10) /* bytes of a key's file; 8,192 bits need 7,000 */

/* Where the password of an encrypted key, or a token's PIN, comes from: one of them, or all NULL.
 * Of a file and of a command's output the first line counts. */
struct signkey_password {
	const char *file, *env, *command; /* a name; the name of a variable; for /bin/sh -c */
};

/* Its bytes into *out, which the caller wipes and frees; empty where there is none of the three. */
int signkey_secret(const struct signkey_password *from, struct buf *out, struct err *e);

struct signkey;

/* name: a file, or a "pkcs11:..." URI (RFC 7512).  often: many signatures are wanted, so that
 * the fastest library is worth its loading (rsa.h).  EX_CONFIG where this is no key, EX_NOPERM where
 * it or its password may not be had, EX_NOINPUT where it is not there. */
int signkey_open(struct signkey **k, const char *name, const struct signkey_password *password,
    bool often, struct err *e);
void signkey_close(struct signkey *k);

const struct crypt_key *signkey_key(const struct signkey *k);
/* Others than its owner may read the file. */
bool signkey_exposed(const struct signkey *k);

/* As dkimsign_want wants it: key is a struct signkey. */
int signkey_sign(const void *key, const unsigned char digest[CRYPT_SHA256_BYTES], struct buf *out,
    struct err *e);

#endif
