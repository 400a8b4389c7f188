/* bouncetext.h - what a bounce says in words: whom it is about, what was said about each, and where
 * the returned message begins.  Pure.
 *
 * There is no grammar: every line is asked what it is by rules ("@to", "@original", ... of
 * relaykit-rules(5)), so a new mailer is a new line in a text file.  Recipients are found in their
 * order; the lines behind one, up to the next, are what is said about it.  Lines of an SMTP dialogue
 * before the first belong to the next that is named.
 */
#ifndef BOUNCETEXT_H
#define BOUNCETEXT_H

#include "arena.h"
#include "buf.h"
#include "rules.h"

#include <stdbool.h>

#define BOUNCETEXT_LINE_MAX 1024  /* of a line so much is looked at */
#define BOUNCETEXT_RCPT_MAX 1000
#define BOUNCETEXT_SAID_MAX 4096  /* of what is said about one, more is dropped */

struct bouncetext_rcpt {
	struct span address; /* the arena's, in its own case */
	struct buf said;     /* lines, LF between two */
	enum rules_phase phase; /* of the dialogue, as far as it is told */
	bool in_header;      /* the caller's */
	struct bouncetext_rcpt *next;
};

struct bouncetext {
	const struct rules *rules;
	struct arena *arena;
	struct bouncetext_rcpt *rcpts, **end, *now;
	size_t n;
	struct span dialect;     /* by the @bounce rule that knows best; empty: none */
	unsigned sure;           /* of that: how much */
	bool bounce, automatic;  /* it is one, by a rule; it answers by itself */
	bool daemon;             /* a mailer writes */
	struct span alias;       /* the first of @alias, the arena's */
	struct span feedback;    /* a complaint, of that type */
	bool json;               /* a JSON object of Amazon SES stands in it */
	bool dsn_inside;         /* fields of a delivery status stand in the text */
	struct span original;    /* the text behind the line that says so; lent by the text */
	enum rules_phase phase;  /* of the dialogue so far */
	struct buf pending;      /* lines of it that belong to nobody yet */
	struct buf all;          /* everything said, but boilerplate; for where nobody's is enough */
	struct buf folded;
	struct span action;      /* "delayed", by a rule; else empty */
};

void bouncetext_init(struct bouncetext *t, const struct rules *r, struct arena *a);
void bouncetext_header(struct bouncetext *t, struct span header); /* LF line ends */
void bouncetext_body(struct bouncetext *t, struct span text);     /* UTF-8 mostly, LF line ends */
void bouncetext_reset(struct bouncetext *t); /* for the next message; keeps storage */
void bouncetext_free(struct bouncetext *t);

/* Where the text named nobody: this is the one it is about. */
struct bouncetext_rcpt *bouncetext_only(struct bouncetext *t, struct span address);

/* A line without the "> " of forwarded messages, and without blanks at its ends. */
struct span bouncetext_unquoted(struct span line);

/* The recipient of that address (without case), made where there is none; NULL past the limit. */
struct bouncetext_rcpt *bouncetext_rcpt(struct bouncetext *t, struct span address, bool make);

#endif
