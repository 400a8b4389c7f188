/* idn.h - domain names as the DNS has them; the door to libidn2.
 *
 * IDNA2008, non-transitional (RFC 5891), UTF-8 in, lower-case A-labels out.
 *
 * The library is loaded when the first domain comes that has other than ASCII, not when the program starts:
 * most programs see none in their life.
 */
#ifndef IDN_H
#define IDN_H

#include "buf.h"
#include "cur.h"
#include "err.h"

/* "Bücher.example" to "xn--bcher-kva.example"; ASCII domains are only lower-cased and checked
 * for length (63 a label, 253 in all).  EX_DATAERR where there is no such domain, EX_UNAVAILABLE where
 * there is no libidn2. */
int idn_to_ascii(struct span domain, struct buf *out, struct err *e);

void idn_ready(void); /* now: a process that confines itself cannot load it later */

#endif
