/* authres.h - Authentication-Results as RFC 8601 writes it.  Pure.
 *
 * One clause (resinfo) a method and identity; values come from strangers and are quoted where they
 * are no token and no address.  Nothing here lets a CR, LF, NUL or an open bracket through.
 */
#ifndef AUTHRES_H
#define AUTHRES_H

#include "buf.h"
#include "cur.h"

#include <stddef.h>

/* "dkim=pass (2048-bit key)"; an empty reason leaves the brackets out. */
void authres_clause(struct buf *out, const char *method, const char *result, struct span reason);
/* " header.d=example.com"; an empty value is left out. */
void authres_prop(struct buf *out, const char *property, struct span value);

/* The whole field with its last line end, a clause a line: clauses are joined by LF in `clauses`;
 * none at all is "none" (RFC 8601 2.2). eol is "\n" or "\r\n". */
void authres_field(struct buf *out, struct span authserv_id, struct span clauses, const char *eol);

#endif
