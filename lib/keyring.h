/* keyring.h - the secrets by which routes log in at their relays.
 *
 * Files and environment are read once, before the process confines itself; commands are started by a
 * spawner that was forked before, when a secret is wanted, and what they print is kept until it expires.
 * What is wrong with one route's secret is that route's trouble alone, told when it is wanted.  Safe for
 * many threads.
 *
 * A file is a regular one that others can neither read nor write; its first line is the secret.  A
 * command prints the secret in its first line, and in a second one, if it likes, "expires=SECONDS"; without,
 * it is asked again after KEYRING_KEEP_S.  Neither has more than KEYRING_MAX bytes.
 */
#ifndef KEYRING_H
#define KEYRING_H

#include "buf.h"
#include "conf.h"
#include "err.h"

#include <stdbool.h>

#define KEYRING_MAX 65536
#define KEYRING_KEEP_S 300
#define KEYRING_EARLY_S 30    /* before it expires another is asked for */
#define KEYRING_COMMAND_MS 60000

struct keyring;

/* For all routes with a user; before threads and sandbox.  NULL where there are none.  Loads what they, and
 * those who have but a certificate, log in with (sasl.h). */
int keyring_open(struct keyring **k, const struct conf *c, struct err *e);
void keyring_close(struct keyring *k);
/* Whoever sets it ends the wait for a command; NULL has no commands. */
void keyring_heed(struct keyring *k, const _Atomic bool *stop);
int keyring_end_fd(const struct keyring *k); /* as spawn_end_fd(), of the commands' spawner; likewise */

/* Appends the secret of one of c's routes.  EX_TEMPFAIL: whatever kept it from being had. */
int keyring_get(struct keyring *k, const struct conf_route *r, struct buf *out, struct err *e);
/* The server did not take it: a command is asked anew next time. */
void keyring_refused(struct keyring *k, const struct conf_route *r);

#endif
