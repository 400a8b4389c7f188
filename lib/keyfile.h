/* keyfile.h - a secret in a file: 32 bytes as hexadecimal digits, made by the first who needs it.
 *
 * It is in the queue's state/, or where key_file says; hosts that are to know each other's addresses
 * and return paths have the same.
 */
#ifndef KEYFILE_H
#define KEYFILE_H

#include "err.h"

#include <stdbool.h>

#define KEYFILE_BYTES 32
#define KEYFILE_NAME "key"

/* make: where there is none one is made, whole at once, for its owner alone, and never in place of
 * another's.  EX_NOINPUT: there is none; EX_CONFIG: it is no key, or others may read it. */
int keyfile_read(int dir, const char *name, bool make, unsigned char key[KEYFILE_BYTES],
    struct err *e);

#endif
