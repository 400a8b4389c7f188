/* arf.h - what a message/feedback-report part says, RFC 5965; with RFC 6591's auth-failure reports.
 *
 * Pure.  Spans are the arena's.
 */
#ifndef ARF_H
#define ARF_H

#include "arena.h"
#include "cur.h"

#include <stdbool.h>

#define ARF_RCPT_MAX 100

struct arf {
	struct span type;       /* Feedback-Type, lower case: "abuse", "fraud", "opt-out", ... */
	struct span agent;      /* User-Agent */
	struct span source_ip, mail_from, arrival, envid; /* as written */
	struct span auth_failure; /* "dkim", "spf", ... */
	struct span reporting;  /* Reporting-MTA without its type */
	struct span removal;    /* Removal-Recipient: who asked, by some reporters */
	struct span rcpts[ARF_RCPT_MAX]; /* Original-Rcpt-To, addresses */
	size_t n;               /* of them */
};

/* text: LF line ends.  True when it has a Feedback-Type. */
bool arf_parse(struct span text, struct arena *a, struct arf *out);

#endif
