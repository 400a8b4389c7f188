/* checkmsg.h - a message as its receivers will look at it, read in pieces: DKIM, RFC 5322, one-click
 * unsubscription, size.  Pure; memory as dkimverify.h. */
#ifndef CHECKMSG_H
#define CHECKMSG_H

#include "answers.h"
#include "dkimverify.h"
#include "err.h"
#include "finding.h"

#include <stdint.h>

struct checkmsg {
	struct dkimverify *v;
	uint64_t bytes, line, longest, n_lf, n_crlf; /* line: bytes of the one at hand */
	bool cr, bare_cr, nul;
	struct buf from; /* after the end: the author's domain, A-labels; empty: From says none */
};

void checkmsg_begin(struct checkmsg *m, uint64_t now_s);
int checkmsg_add(struct checkmsg *m, const void *p, size_t n, struct err *e);
int checkmsg_end(struct checkmsg *m, const struct asker *dns, struct err *e);
void checkmsg_free(struct checkmsg *m);

/* After the end: dkim-signature, rfc5322, list-unsubscribe, size. */
void checkmsg_findings(const struct checkmsg *m, struct findings *l);

#endif
