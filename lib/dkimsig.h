/* dkimsig.h - a DKIM-Signature field read: RFC 6376 3.5 and 6.1.1.  Pure.
 *
 * What is wrong with it is told as RFC 8601 2.7.1 would have it: DKIMSIG_SYNTAX is its "neutral",
 * DKIMSIG_REFUSED its "permerror".  Whatever could be read is there even so, for the report.
 */
#ifndef DKIMSIG_H
#define DKIMSIG_H

#include "buf.h"
#include "crypt.h"
#include "cur.h"
#include "dkim.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

enum dkimsig_says {
	DKIMSIG_GOOD,
	DKIMSIG_SYNTAX, /* not a signature that can be processed: a tag is missing or malformed, or says
	                 * something that we do not know */
	DKIMSIG_REFUSED /* well-formed, and never valid: From is not signed, i= is not below d=, rsa-sha1 */
};

struct dkimsig {
	struct span a, h;       /* as written, lent by the field; empty where absent */
	struct buf d, s, i;     /* without white space, d and s in lower-case A-labels; i "@d" if absent */
	struct buf bh, b;       /* the bytes */
	struct buf b_text;      /* base64 without white space, for header.b */
	enum crypt_kind kind;
	enum dkim_canon header_canon, body_canon;
	uint64_t limit;         /* l=, or DKIM_NO_LIMIT */
	bool has_time, has_expiry;
	uint64_t time_s, expiry_s;
};

/* value: of the field, behind its colon.  why: what is wrong, in the words of RFC 6376 where it
 * has some.  dkimsig_free() in any case. */
enum dkimsig_says dkimsig_parse(struct span value, struct dkimsig *out, struct err *why);
void dkimsig_free(struct dkimsig *s);

/* Whether name stands in h=. */
bool dkimsig_covers(const struct dkimsig *s, struct span name);

#endif
