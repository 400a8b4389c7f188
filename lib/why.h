/* why.h - which gates keep a message from going out.  Pure: facts in, gates out.
 *
 * A gate is one reason, with the time it began and ends where that is known, and the command
 * that changes it.  The first one found is the one that holds the message now; others follow
 * that would hold it behind that one.
 */
#ifndef WHY_H
#define WHY_H

#include "conf.h"
#include "journal.h"
#include "taken.h"

#include <stdbool.h>
#include <stdint.h>

struct why_facts {
	enum queue_place place;
	const struct entry_name *name;
	const struct envelope *env;
	const struct journal *journal;
	uint64_t now_s;
	bool busy;             /* somebody holds its lock */
	bool run;              /* a delivery run is happening */
	enum conf_doubt in_doubt;
	struct span site;      /* of its last attempt; empty: not known */
	size_t site_others;    /* so many others open at the same time, and it may be one of them instead */
	uint64_t site_until_s; /* the site is closed until then; 0: it is open */
	uint32_t site_failures;
	uint64_t lifetime_s;   /* the configuration's */
};

enum why_what { WHY_FINISHED, WHY_ACTIVE, WHY_HELD, WHY_HOLD_UNTIL, WHY_DUE, WHY_DOUBT, WHY_SITE,
	WHY_NO_RUN, WHY_TURN };
extern const char *const why_names[]; /* "finished", "active", "held", ... */

struct why {
	enum why_what what;
	uint64_t since_s, until_s; /* 0: not known */
	struct buf text;           /* one clause for people; peer text is not escaped */
	struct buf command;        /* empty: none changes it */
};
#define WHY_MAX 5

size_t why_find(const struct why_facts *f, struct why out[WHY_MAX]); /* at least 1 */
void why_free(struct why *v, size_t n);


/* For people, several lines; and listing_json's object with "gate", "gates", "expires" in it. */
void why_text(struct buf *out, const struct queue_entry *t, const struct why_facts *f,
    const struct why *v, size_t n);
void why_json(struct buf *out, const struct queue_entry *t, const struct why_facts *f,
    const struct why *v, size_t n);

#endif
