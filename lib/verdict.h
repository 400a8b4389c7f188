/* verdict.h - what SPF, DKIM and DMARC say of one message as it comes in, and the clauses of
 * Authentication-Results (RFC 8601) that say so.
 *
 *     verdict_begin(&v, &wish), verdict_add(&v, piece, n) ..., verdict_end(&v, dns), verdict_clauses(&v, out)
 *
 * Pure: the DNS is passed in, and so are the time and the limits.  Memory is dkimverify.h's.
 */
#ifndef VERDICT_H
#define VERDICT_H

#include "dkimverify.h"
#include "dmarc.h"
#include "spf.h"

struct verdict_wish {
	bool spf, dmarc;
	bool no_dkim;
	bool helo;              /* SPF of the HELO name as well, where it is a domain (RFC 7208 2.3) */
	struct spf_query query; /* for spf; its spans are lent to the end */
	struct dkimverify_rules dkim;
	/* As in struct dmarc_query. */
	void (*organization)(void *arg, struct span domain, struct buf *out);
	void *arg;
};

struct verdict {
	struct verdict_wish wish;
	struct dkimverify *dkim;
	struct spf spf, helo;
	bool has_spf, has_helo; /* they were looked at */
	struct dmarc dmarc;
	struct buf from;        /* the author's domain; empty: From says none */
};

void verdict_begin(struct verdict *v, const struct verdict_wish *wish);
void verdict_free(struct verdict *v); /* zeroed memory, too */

/* SPF alone, before the message has come; verdict_end() does not do it again. */
void verdict_spf(struct verdict *v, const struct asker *dns);

int verdict_add(struct verdict *v, const void *p, size_t n, struct err *e); /* as dkimverify_add() */
int verdict_end(struct verdict *v, const struct asker *dns, struct err *e); /* as dkimverify_end() */

/* A clause a line, for authres_field(). */
void verdict_clauses(const struct verdict *v, struct buf *out);

#endif
