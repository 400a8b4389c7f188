/* fromof.h - whose message it is: the domain of From, as DMARC takes it (RFC 9989 5.3.1).  Pure. */
#ifndef FROMOF_H
#define FROMOF_H

#include "buf.h"
#include "dkimhead.h"
#include "err.h"

/* Appends the domain of the author, A-labels in lower case.  EX_DATAERR says why there is none: no
 * From field or several, no address in it, or addresses of several domains. */
int fromof_domain(const struct dkimhead *h, struct buf *out, struct err *e);

#endif
