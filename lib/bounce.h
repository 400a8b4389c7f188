/* bounce.h - a message that came back, read: who did not get what, and why.  Pure: pieces in, a
 * struct out.
 *
 * In this order of trust: a delivery status (RFC 3464, RFC 6533), wherever in the message it stands; a
 * feedback report (RFC 5965); X-Failed-Recipients; then words, by rules (bouncetext.h).  What a
 * report lacks is looked for in its words.  What is not said at all is derived and marked as such:
 * a status from the reply code or the reason, an action from the reason.
 *
 * Of a message that is none, but has one attached (message/rfc822) that is, the attached one is read.
 * A letter that quotes one in its text (quoted.h) is read likewise, and marked: it may be of any age, and an
 * answer to somebody who has long been helped.
 *
 * Messages of any size take constant memory: of each kind of text so much is kept as the
 * limits of bouncekeep.h say, and the rest is read past (bounce.cut).
 */
#ifndef BOUNCE_H
#define BOUNCE_H

#include "cur.h"
#include "reason.h"
#include "rules.h"
#include "verp.h"

#include <stdbool.h>

enum bounce_derived { BOUNCE_STATUS_DERIVED = 1, BOUNCE_ACTION_DERIVED = 2 };

struct bounce_rcpt {
	struct span recipient;    /* final, or original where nothing else is said */
	struct span original;     /* Original-Recipient, if it differs */
	struct span actual;       /* X-Actual-Recipient, if it differs */
	int reply;                /* 0: none was told */
	struct span text;         /* what was said, as it came */
	struct span status, action, remote;
	struct reason reason;
	enum rules_phase phase;
	unsigned derived;         /* enum bounce_derived */
	struct bounce_rcpt *next;
};

enum bounce_is { BOUNCE_NONE, BOUNCE_REPORT, BOUNCE_FEEDBACK, BOUNCE_AUTO };

struct bounce {
	enum bounce_is is;
	struct bounce_rcpt *rcpts; /* none: BOUNCE_NONE, or a bounce that names nobody */
	size_t n;
	struct span dialect;       /* "rfc3464", "arf", or the mailer's, as the rules name it */
	struct span feedback_type; /* "abuse", ... */
	struct span reporting;     /* the MTA that writes */
	struct span arrival, envid;
	/* Of the returned message; empty: not known. */
	struct span message_id, sender, subject, date, queue_id;
	/* The return path that it came to, or that of the message that is complained of: where it has a
	 * proof that holds, the recipient.  Then one recipient alone is that one, whoever is named
	 * (actual). */
	enum verp_is proof;
	struct span proved;
	bool cut;                  /* a limit was met */
	bool quoted;               /* a letter quotes it: nothing has come back now */
};

struct bounce_reader;

struct bounce_reader *bounce_new(const struct rules *r); /* r is lent and ready */
/* Proofs are looked for; the key is lent.  Without it proof is always VERP_NONE. */
void bounce_prove(struct bounce_reader *b, const unsigned char *key, uint64_t now_s);
void bounce_feed(struct bounce_reader *b, struct span piece);
/* The message is complete.  What is returned is the reader's until the next piece is fed. */
const struct bounce *bounce_end(struct bounce_reader *b);
void bounce_del(struct bounce_reader *b);

#endif
