/* dkimverify.h - the DKIM signatures of a message, verified as its bytes come: RFC 6376 6, with
 * RFC 8301's limits and results in the words of RFC 8601 2.7.1.
 *
 * Pure: the DNS, the time and the limits are passed in.  Memory is the header section (at most
 * DKIM_HEADER_MAX) and some 5 KB a signature, whatever the size of the body.  The body is read once,
 * hashed once for each canonicalization and l= that the signatures use.
 *
 * The message is taken as it is: LF alone ends a line as CRLF does, the last line needs no end, and a
 * message without an empty line is all header.  A first line "From " of an mbox is passed over.
 */
#ifndef DKIMVERIFY_H
#define DKIMVERIFY_H

#include "answers.h"
#include "dkimhead.h"
#include "dkimsig.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DKIMVERIFY_SIGNATURES 20 /* looked at, unless set otherwise */
#define DKIMVERIFY_SIGNATURES_MAX 1000
#define DKIMVERIFY_KEYS_MAX 4 /* records of one name that are tried (RFC 6376 6.1.2) */
#define DKIMVERIFY_SKEW_S 300 /* that clocks may differ by, for t= */

enum dkim_result {
	DKIM_NONE, DKIM_PASS, DKIM_FAIL, DKIM_POLICY, DKIM_NEUTRAL, DKIM_TEMPERROR, DKIM_PERMERROR
};

struct dkim_checked {
	enum dkim_result result;
	struct buf why;          /* one clause: "2048-bit key", "body hash did not verify" */
	struct dkimsig sig;      /* what could be read of it */
	size_t b_shown;          /* bytes of sig.b_text for header.b: enough to tell it from others (RFC 6008) */
	unsigned bits;           /* of the key; 0: not known */
	bool testing;            /* the domain tests DKIM: t=y of the key */
	uint64_t unsigned_bytes; /* of the canonical body, behind l= */
};

struct dkimverify;

struct dkimverify_rules {
	size_t max_signatures; /* 0: DKIMVERIFY_SIGNATURES */
	uint64_t now_s;
};

void dkimverify_new(struct dkimverify **v, const struct dkimverify_rules *rules);
void dkimverify_free(struct dkimverify *v);

/* The next bytes of the message.  EX_DATAERR: a header section over DKIM_HEADER_MAX. */
int dkimverify_add(struct dkimverify *v, const void *p, size_t n, struct err *e);

/* The message is complete: asks for the keys and decides.  Once. */
int dkimverify_end(struct dkimverify *v, const struct asker *dns, struct err *e);

/* After the end, in the order in which the fields stand. */
size_t dkimverify_count(const struct dkimverify *v);
const struct dkim_checked *dkimverify_at(const struct dkimverify *v, size_t i);
size_t dkimverify_beyond(const struct dkimverify *v); /* signatures that the limit leaves out */
const struct dkimhead *dkimverify_head(const struct dkimverify *v);

/* The best of them: pass where one passes, else temperror where one could not be decided today,
 * else what the first says; DKIM_NONE without any. */
enum dkim_result dkimverify_best(const struct dkimverify *v);

const char *dkim_result_name(enum dkim_result r);

#endif
