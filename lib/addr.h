/* addr.h - mailboxes and paths, RFC 5321 4.1.2 and RFC 5322 3.4, with RFC 6531's UTF-8.
 *
 * Pure.  Spans are lent by the bytes that were parsed.
 */
#ifndef ADDR_H
#define ADDR_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>

#define ADDR_LOCAL_MAX 64   /* RFC 5321 4.5.3.1.1 */
#define ADDR_DOMAIN_MAX 255 /* RFC 5321 4.5.3.1.2 */
#define ADDR_PATH_MAX 998   /* what we take; RFC 5321 4.5.3.1.3 says 256 */

struct addr {
	struct span whole;  /* local@domain as written */
	struct span local;  /* with its quotes, where it has them */
	struct span domain; /* without "@"; empty for a bare local name; brackets kept for a literal */
	bool utf8;          /* a byte over 127 in the local part */
	bool utf8_domain;   /* a byte over 127 in the domain */
};

/* Mailbox = Local-part "@" ( Domain / address-literal )    RFC 5321 4.1.2
 * A bare Local-part is taken too (domain empty): callers who need one check. */
int addr_mailbox(struct cur *c, struct addr *out, struct err *e);

/* "<" [ A-d-l ":" ] Mailbox ">" or "<>" (then *null).  A source route is dropped (RFC 5321 C). */
int addr_path(struct cur *c, struct addr *out, bool *null, struct err *e);

/* local@domain (or the bare local part) in the form RFC 5321 4.1.2 asks for, with the least
 * quoting: "ann"@x is ann@x, and a..b@x, which is taken on the way in, is "a..b"@x. */
void addr_put(const struct addr *a, struct buf *out);

/* One address as people give it on a command line: a mailbox, or one in angle brackets, only
 * blanks around it.  Appends local@domain as addr_put gives it; a bare local name gets "@" qualify (EX_DATAERR where
 * qualify is NULL or ""). EX_DATAERR says what is wrong with it. */
int addr_one(struct span text, const char *qualify, struct buf *out, struct err *e);

/* Each mailbox of an address-list (RFC 5322 3.4: display names, comments, groups, folding,
 * obsolete routes and empty elements), as addr_one would give it.  A callback that returns
 * non-zero ends it with that code. */
int addr_list(struct span value, const char *qualify, int (*each)(void *arg, struct span mailbox,
    struct err *e), void *arg, struct err *e);

/* The domain of local@domain: behind the last "@" that is not inside quotes; empty if none. */
struct span addr_domain(struct span mailbox);

/* A display name as a phrase: atoms as they are, else a quoted-string, else (UTF-8) encoded
 * words (RFC 2047) of at most 75 bytes, a space between two.  Always on one line: controls
 * become spaces, what is not UTF-8 becomes U+FFFD. */
void addr_phrase(struct span name, struct buf *out);

#endif
