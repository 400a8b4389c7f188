/* dmarc.h - what the domain in From asks of receivers, and whether SPF or DKIM speak for it.
 *
 * RFC 9989: the policy and the organizational domains are found by a walk up the DNS tree (4.10), at
 * most 8 questions a domain.  Or RFC 7489, where a list of public suffixes is passed in.  Pure: the
 * DNS is passed in as well.
 */
#ifndef DMARC_H
#define DMARC_H

#include "answers.h"
#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>

#define DMARC_STEPS_MAX 8 /* questions of one walk, RFC 9989 4.10 */

enum dmarc_policy { DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT };
enum dmarc_psd { DMARC_PSD_UNKNOWN, DMARC_PSD_YES, DMARC_PSD_NO };

struct dmarc_record {
	enum dmarc_policy p, sp, np; /* sp and np as they apply: p, or sp, where absent */
	bool has_p, has_sp, has_np;
	bool adkim_strict, aspf_strict;
	bool testing;         /* t=y */
	unsigned pct;         /* RFC 7489's; 100 where absent; RFC 9989 ignores it */
	enum dmarc_psd psd;
	struct span rua, ruf; /* as written, lent by the record; empty where absent */
};

/* Whether a TXT record is one: "v=DMARC1" and nothing else before the first ";". */
bool dmarc_is(struct span text);
/* EX_DATAERR: it is none, has a tag twice, or its p=, sp= or np= is missing or not known and there is no
 * rua= with a URI that would make it p=none (RFC 9989 4.7, RFC 7489 6.6.3). Unknown tags, values of
 * other tags and what is no tag are passed over. */
int dmarc_parse(struct span text, struct dmarc_record *out, struct err *e);

enum dmarc_result { DMARC_NONE, DMARC_PASS, DMARC_FAIL, DMARC_TEMPERROR, DMARC_PERMERROR };

struct dmarc_query {
	struct span from;        /* the domain of From, A-labels */
	const struct span *dkim; /* d= of the signatures that pass */
	size_t n_dkim;
	bool dkim_temporary;     /* a signature could not be decided */
	struct span spf;         /* the domain that SPF has found to pass; empty: none */
	bool spf_temporary;
	/* RFC 7489: appends the organizational domain.  NULL: RFC 9989's tree walk. */
	void (*organization)(void *arg, struct span domain, struct buf *out);
	void *arg;
};

struct dmarc {
	enum dmarc_result result;
	struct buf why;          /* "dkim=example.com is aligned", "neither SPF nor DKIM is aligned" */
	enum dmarc_policy policy; /* what the domain asks for, of this author domain */
	enum dmarc_policy applied; /* what to do with this message: none where it passes; t= considered */
	bool dkim_aligned, spf_aligned;
	struct buf record;       /* as published; what `parsed` lends from */
	struct dmarc_record parsed; /* where there is a record */
	struct buf at;           /* the domain whose record it is; empty: none has one */
	struct buf organization; /* of from */
};

void dmarc_check(const struct dmarc_query *q, const struct asker *dns, struct dmarc *out);
void dmarc_free(struct dmarc *d);

const char *dmarc_result_name(enum dmarc_result r);
const char *dmarc_policy_name(enum dmarc_policy p);

#endif
