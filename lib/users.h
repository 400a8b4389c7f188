/* users.h - the users file, relaykit-users(5): a line a user, its keys, its sender addresses.  Pure.
 *
 *     relaykit-users 1 SEED
 *     NAME KEY... [from=ADDRESS,...] [disabled]
 *
 *     KEY = "$y$..."                                  libcrypt's (crypt(5))
 *         / "SCRAM-SHA-256$ITER:SALT$STORED:SERVER"   RFC 5803's, base64
 *         / "SCRAM-SHA-1$ITER:SALT$STORED:SERVER"
 *         / "CRAM-MD5$" 64 hexadecimal digits
 *
 * SEED is base64 of 16 bytes or more, drawn when the file is made: from it come the salts that unknown
 * users are shown.  A name is UTF-8 prepared by SASLprep, without blanks, controls and "#" in front.
 * Blank lines and lines with "#" in front are passed over.  Spans are lent by the text.
 */
#ifndef USERS_H
#define USERS_H

#include "buf.h"
#include "cur.h"
#include "err.h"
#include "mech.h"

#include <stdbool.h>
#include <stdint.h>

#define USERS_FILE_MAX 67108864 /* bytes */
#define USERS_NAME_MAX 255      /* bytes */
#define USERS_SEED_MIN 16

struct users_scram { /* iter 0: there are none */
	uint32_t iter;
	struct span salt, stored, server; /* base64, looked at: it decodes, to the right lengths */
};
struct user {
	struct span name;
	struct span crypt; /* empty: none, like cram */
	struct users_scram sha256, sha1;
	struct span cram;
	struct span from; /* "a@example.org,@example.net", empty: only its name, where that is an address */
	bool disabled;
	unsigned line;
};

/* EX_DATAERR "line 3: what".  A name that stands twice is found by users_check() alone. */
int users_head(struct cur *text, struct span *seed, struct err *e); /* moves past the first line */
int users_next(struct cur *text, unsigned *line, struct user *out, bool *end, struct err *e);
int users_check(struct span text, struct err *e); /* all of it */

/* Looks at all lines whichever it is.  *found false: out is the line of another user, always the
 * same one for a name: what it costs to check against that one is what it costs in general.  With no
 * user at all out is zero. Lines that make no sense are passed over. */
void users_find(struct span text, struct span seed, struct span name, struct user *out, bool *found);

/* Mechanisms by which somebody in the file can come in, without PLUS and EXTERNAL. */
unsigned users_mechs(struct span text);

bool users_name_ok(struct span name);
/* One of from=: an address, "@domain" or "*". */
bool users_from_ok(struct span item);
/* Whether the user may give this address (local@domain) as sender; "" is the null sender: always. */
bool users_may_send(const struct user *u, struct span address);

void users_head_text(struct span seed, struct buf *out); /* raw bytes; with its LF */

#endif
