/* tagtext.h - TXT records like "v=STSv1; id=20261122": those of MTA-STS (RFC 8461 3.1) and TLS reports
 * (RFC 8460 3), which have one grammar.
 *
 *     record = version 1*(delim field) [delim]        delim = *WSP ";" *WSP
 *     field  = name "=" value                         name of 1 to 32 letters, digits, "_-."
 *
 * Pure.  A field that nobody knows is passed over, of one that is there twice the first counts.
 */
#ifndef TAGTEXT_H
#define TAGTEXT_H

#include "answers.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>

/* Whether it begins with that version ("v=STSv1", as it is written) and a ";". */
bool tagtext_is(struct span text, const char *version);

/* The value of a field, without blanks at its ends.  EX_DATAERR: no such field, or the record is none. */
int tagtext_get(struct span text, const char *version, const char *name, struct span *value,
    struct err *e);

/* The one record of that version among an answer's: EX_UNAVAILABLE where there is none, or more than
 * one; EX_TEMPFAIL where it cannot be found out.  Lent by the answer. */
int tagtext_only(const struct answers *a, const char *version, struct span *text, struct err *e);

#endif
