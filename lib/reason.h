/* reason.h - why a message was refused, from what the refusing server said.  Pure.
 *
 * The same for a reply that smtp-deliver gets and for a bounce that comes back an hour later: the
 * rules (rules.h, relaykit-rules(5)) are asked about the reply code, the enhanced status code, the text,
 * the command that was refused and the site that spoke.  The words are those of relaykit-rules(5):
 * "userunknown", "mailboxfull", ...; where no rule holds it is "onhold" when something was said
 * and "undefined" when nothing was.
 */
#ifndef REASON_H
#define REASON_H

#include "cur.h"
#include "rules.h"

#include <stdbool.h>

#define REASON_TEXT_MAX 4096 /* of a text this much is looked at */

struct reason_in { /* empty and zero: not known */
	int code;
	struct span status, text;
	struct span action;  /* of a DSN: "failed", "delayed", ... */
	enum rules_phase phase;
	struct span remote;  /* host name of the server that spoke */
	struct span reporting; /* of the one that reports it */
	struct span domain;  /* of the recipient */
	struct span dialect; /* of the bounce */
	bool dialect_only;   /* ask only what the dialect has rules of its own for */
};

enum reason_hard { REASON_SOFT, REASON_HARD, REASON_UNSAID };

struct reason {
	struct span word;   /* lent by the rules, or static */
	enum reason_hard hard;
	const struct rule *rule; /* that decided; NULL: none did */
};

/* scratch is for the folded text; its storage is kept from call to call. */
void reason_find(const struct rules *r, const struct reason_in *in, struct buf *scratch,
    struct reason *out);

/* A dead address or domain is hard; notaccept is but for 4xx; REASON_UNSAID for words of local rules. */
enum reason_hard reason_hard(struct span word, int code, struct span status);

/* The coarse class of a word: "recipient", "domain", "mailbox", ...; "unknown" for others. */
const char *reason_class(struct span word);

/* The enhanced status code that a reason stands for, of class 4 or 5; empty where there is none. */
struct span reason_status(struct span word, int class);

#endif
