/* suppressconf.h - the configuration's suppress section: who enters the suppression list, and for how
 * long; relaykit.conf(5). */
#ifndef SUPPRESSCONF_H
#define SUPPRESSCONF_H

#include "conftab.h"

enum suppressconf_scope { SUPPRESSCONF_ALL, SUPPRESSCONF_STREAM };
enum suppressconf_names { SUPPRESSCONF_PLAIN, SUPPRESSCONF_HASH };

struct suppressconf {        /* suppress { ... } */
	char *hard;          /* reasons that enter at once: words, "hard", "none" */
	char *soft;          /* reasons that are counted */
	uint64_t hard_for_s; /* 0: for ever, like the others */
	uint64_t soft_count, soft_within_s, soft_for_s;
	bool complaints, unsubscribes;
	uint64_t complaint_for_s, unsubscribe_for_s;
	enum suppressconf_scope scope; /* of complaints and unsubscribes */
	enum suppressconf_names names; /* what is kept of an address */
	bool proof;          /* only bounces that a return path proves (verp.h) count */
	bool dsn;            /* a notification for who is on the list when it is his turn */
};

extern const struct conftab_section suppressconf_section;
const struct suppressconf *suppressconf(const struct conftab *t);

/* Whether a list of words, commas or blanks between two, has this one. */
bool suppressconf_has(const char *list, struct span word);

#endif
