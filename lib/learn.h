/* learn.h - what becomes of an address about which something came back: the policy of the configuration's
 * suppress section, carried out in the list.
 *
 * The same for a reply that smtp-deliver gets, a bounce, and a complaint.  What is carried out twice
 * counts once: a fact has an id.
 */
#ifndef LEARN_H
#define LEARN_H

#include "suppress.h"

enum learn_kind { LEARN_FAILURE, LEARN_COMPLAINT, LEARN_UNSUBSCRIBE, LEARN_NOTHING };

struct learn_fact {
	enum learn_kind kind;
	struct span address;
	struct span id;      /* which failure: told again it is the same */
	struct span reason;  /* a word of the rules */
	bool hard;           /* by the rules */
	struct span stream;  /* of the message; empty: not known */
	struct span source;  /* "delivery", "bounce", "feedback" */
	struct span note;    /* what was said */
};

/* What a feedback report (RFC 5965 7.3) of this type says about its recipient. */
enum learn_kind learn_feedback(struct span type);

/* at_s: when it was first told of.  known: it is written down already.  Carries out the policy; the
 * address enters before the fact is written down, so that a crash between the two loses nothing. */
int learn(struct suppress *s, const struct suppressconf *c, const struct learn_fact *f, uint64_t at_s,
    bool known, enum suppress_did *did, struct err *e);

/* Whether the policy has anything to do with it. */
bool learn_matters(const struct suppressconf *c, const struct learn_fact *f);

#endif
