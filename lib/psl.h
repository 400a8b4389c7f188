/* psl.h - the public suffix list of the system; the door to libpsl.
 *
 * Only RFC 7489 needs it: RFC 9989 finds the organizational domain in the DNS.  The list is the
 * newest that libpsl finds: the system's file, else the one it was built with.
 */
#ifndef PSL_H
#define PSL_H

#include "buf.h"
#include "cur.h"
#include "err.h"

struct psl;

int psl_open(struct psl **p, struct err *e); /* EX_UNAVAILABLE: there is no list */
void psl_close(struct psl *p);

/* The public suffix and one label more; the domain itself where it is a public suffix.  domain: A-labels. */
void psl_organization(const struct psl *p, struct span domain, struct buf *out);

#endif
