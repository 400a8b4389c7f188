/* finding.h - what sender-check finds: a list of checks, how each went, and how much that matters to
 * whom.  Pure.
 *
 * The table of checks with their weight for each receiver and their references is finding.c's; it says
 * what Gmail, Yahoo and Microsoft ask of bulk senders in their published requirements.
 */
#ifndef FINDING_H
#define FINDING_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>
#include <stddef.h>

enum finding_profile { FINDING_BULK, FINDING_GMAIL, FINDING_YAHOO, FINDING_MICROSOFT, FINDING_STRICT };

enum finding_id {
	CHECK_SPF, CHECK_SPF_LOOKUPS, CHECK_SPF_OPEN, CHECK_DKIM_KEY, CHECK_DKIM_STRENGTH, CHECK_DKIM_MATCH,
	CHECK_DKIM_SIGNATURE, CHECK_DMARC, CHECK_DMARC_POLICY, CHECK_DMARC_REPORTS, CHECK_ALIGNMENT, CHECK_PTR,
	CHECK_PTR_FORWARD, CHECK_HELO, CHECK_MX, CHECK_MX_TLS, CHECK_MTA_STS, CHECK_MTA_STS_POLICY, CHECK_TLSRPT,
	CHECK_DNSBL, CHECK_UNSUBSCRIBE, CHECK_FORMAT, CHECK_SIZE
};

enum finding_says {
	FINDING_PASS,
	FINDING_INFO,    /* not as it could be; this receiver does not ask for it */
	FINDING_WARNING,
	FINDING_FAILURE,
	FINDING_UNSEEN,  /* not-checked: it cannot be seen with what was given */
	FINDING_UNSURE   /* not-checked: the DNS or a host could not say it today */
};

struct finding {
	enum finding_id id;
	enum finding_says says;
	struct buf expected, found, fix;
};

struct findings {
	enum finding_profile profile;
	struct finding *v;
	size_t n;
};

bool finding_profile_of(const char *name, enum finding_profile *out);

const char *finding_name(enum finding_id id);        /* "spf-lookups" */
const char *finding_reference(enum finding_id id);   /* "RFC 7208 4.6.4" */
const char *finding_severity(enum finding_says says); /* "pass" ... "not-checked" */

/* A new one at the end, whose texts the caller fills.  violated: says is what it weighs in this profile. */
struct finding *finding_add(struct findings *l, enum finding_id id, enum finding_says says);
struct finding *finding_violated(struct findings *l, enum finding_id id);
/* The same, in one go; NULL is an empty text. */
void finding_pass(struct findings *l, enum finding_id id, const char *expected, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void finding_unseen(struct findings *l, enum finding_id id, const char *expected, const char *why,
    const char *fix);

void findings_free(struct findings *l);

/* 0; 1 warnings; 2 failures; EX_TEMPFAIL: something could not be found out today, and no failure. */
int findings_exit(const struct findings *l);

#endif
