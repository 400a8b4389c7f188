/* authres.h - Authentication-Results as RFC 8601 writes it.  Pure.
 *
 * One clause (resinfo) a method and identity; values come from strangers and are quoted where they
 * are no token and no address.  Nothing here lets a CR, LF, NUL or an open bracket through.
 */
#ifndef AUTHRES_H
#define AUTHRES_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>
#include <stddef.h>

/* "dkim=pass (2048-bit key)"; an empty reason leaves the brackets out. */
void authres_clause(struct buf *out, const char *method, const char *result, struct span reason);
/* " header.d=example.com"; an empty value is left out, and one that is longer than any address. */
void authres_prop(struct buf *out, const char *property, struct span value);

#define AUTHRES_VALUE_MAX 320 /* bytes: 64 of a local part, "@", 255 of a domain (RFC 5321 4.5.3.1) */
#define AUTHRES_LINE_MAX 900  /* longer clauses are folded; RFC 5322 2.1.1 allows 998 */

/* The whole field with its last line end, a clause a line: clauses are joined by LF in `clauses`;
 * none at all is "none" (RFC 8601 2.2). eol is "\n" or "\r\n". */
void authres_field(struct buf *out, struct span authserv_id, struct span clauses, const char *eol);

/* Whether the value of such a field says that we have written it (RFC 8601 5): its authserv-id is ours, in
 * any spelling, or cannot be read, and then somebody else may read it so. */
bool authres_claims(struct span value, struct span authserv_id);

#endif
