/* rulescond.h - the conditions of a rule, its column WHEN: what they ask, and whether they hold.  Pure. */
#ifndef RULESCOND_H
#define RULESCOND_H

#include "cur.h"

#include <stdbool.h>

/* What a rule is asked about; empty spans and zeroes: not known. */
enum rules_phase { RULES_NO_PHASE, RULES_CONN, RULES_HELO, RULES_MAIL, RULES_RCPT, RULES_DATA };
extern const char *const rules_phases[]; /* "", "conn", "helo", ... */

#define RULES_SITES 6
struct rules_facts {
	int code;           /* SMTP reply */
	struct span status; /* "5.1.1" */
	struct span action; /* "failed" */
	enum rules_phase phase;
	bool site_only;     /* rules of any site ("*") are left out, and those without a pattern */
	struct span sites[RULES_SITES]; /* names, by which rules are chosen; the first empty one ends */
};

enum rules_cond_is { RULES_CODE = 1, RULES_STATUS, RULES_CLASS, RULES_NO_CODE, RULES_NO_STATUS, RULES_PHASE,
	RULES_ACTION };

struct rules_cond {         /* of WHEN, one alternative */
	struct span w;
	unsigned char is, phase;
	bool negated, more; /* the next is an alternative to it */
};

/* "550/5.7.1": either; "!" before the word: none of them.  Returns how many were put into out, which has room for
 * rulescond_max() and lends from when.  *bad: the first word that is no condition, else empty. */
size_t rulescond_max(struct span when);
size_t rulescond_read(struct span when, struct rules_cond *out, struct span *bad);
bool rulescond_hold(const struct rules_cond *c, size_t n, const struct rules_facts *f);

#endif
