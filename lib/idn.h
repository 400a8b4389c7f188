/* idn.h - domain names as the DNS has them; the door to libidn2.
 *
 * IDNA2008, non-transitional (RFC 5891), UTF-8 in, lower-case A-labels out.
 */
#ifndef IDN_H
#define IDN_H

#include "buf.h"
#include "cur.h"
#include "err.h"

/* "Bücher.example" to "xn--bcher-kva.example"; ASCII domains are only lower-cased and checked
 * for length (63 a label, 253 in all).  EX_DATAERR where there is no such domain. */
int idn_to_ascii(struct span domain, struct buf *out, struct err *e);

#endif
