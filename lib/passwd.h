/* passwd.h - hashed passwords; the door to libcrypt.
 *
 * yescrypt with libcrypt's own cost: about 50 ms and 16 MiB a check, which is the point of it.  Other
 * hashes libcrypt knows ($2b$, $6$, $argon2id$ where it does) are checked, not made.  Passwords are
 * prepared (sasl_prep) by the caller.  Safe for many threads.
 */
#ifndef PASSWD_H
#define PASSWD_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>

/* Done by itself when the first is called; a process that will be confined by then calls it before.
 * EX_TEMPFAIL, as from the others: libcrypt cannot be loaded. */
int passwd_load(struct err *e);
int passwd_hash(struct span password, struct buf *out, struct err *e);
/* *good only for the password.  EX_DATAERR: the hash is none, or of a kind libcrypt thinks too weak. */
int passwd_check(struct span password, struct span hash, bool *good, struct err *e);

#endif
