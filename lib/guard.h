/* guard.h - the suppression list (suppress.h) in a delivery run: asked before a message is tried, and
 * told what servers refuse for good.
 *
 * Where there is no list a question costs nothing but, once a second, a look whether there is one now.
 * A list that is there and cannot be read, or is none, stops what would be sent: a message that waits is sent
 * when somebody has seen to it, but one to who has complained cannot be called back.  A page that cannot be
 * read stops only who would be on it, and a damaged list is made anew of what is whole (paged.h), which
 * costs one message its attempt.  A damaged line stops whom it names.  Safe for many threads.
 */
#ifndef GUARD_H
#define GUARD_H

#include "conf.h"
#include "queue.h"
#include "rules.h"

#define GUARD_RULES "/etc/relaykit.rules" /* local ones, for the reasons of refusals */

struct guard;

/* Before confinement: reads what is outside of the queue. */
int guard_open(struct guard **g, const struct conf *c, struct queue *q, struct err *e);
void guard_close(struct guard *g);

/* Whether it is not to be sent there; why, as a reply's text.  Domains of our own are no matter of the
 * list's. */
int guard_refuses(struct guard *g, struct span address, struct span stream, bool *yes, struct buf *why,
    struct err *e);

struct guard_fact { /* a recipient was refused for good, or given up */
	struct span address, id, stream; /* id: of the queue */
	int code;
	struct span status, text, host;
	enum rules_phase phase; /* RULES_RCPT: it was he who was refused, in any case */
	bool alone;             /* or he was the only one */
};
int guard_learn(struct guard *g, const struct guard_fact *f, struct err *e);

/* A return path of its own for each recipient (verp.h): the key is there, or made; then the path, false:
 * this sender can have none. */
int guard_key(struct guard *g, struct err *e);
bool guard_return_path(const struct guard *g, struct span sender, struct span rcpt, struct buf *out);

/* What was learnt is on stable storage. */
int guard_sync(struct guard *g, struct err *e);

#endif
