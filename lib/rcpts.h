/* rcpts.h - the recipients of one message: each kept once, handed out in parts for entries.  Pure.
 *
 * Two addresses are the same if their local parts are, byte for byte, and their domains without case;
 * the first one's parameters stay.  Zeroed memory is an empty list.
 */
#ifndef RCPTS_H
#define RCPTS_H

#include "buf.h"
#include "entry.h"

#define RCPTS_MAX 100000 /* of one message: 100 entries */

struct rcpts {
	struct buf text;
	struct rcpt_at {
		size_t at, n, params_n; /* in text: the address, then its parameters */
	} *v;
	size_t n, cap;
	size_t *slots; /* open addressing: index + 1 */
	size_t n_slots;
};
#define RCPTS_INIT {.text = BUF_INIT}

/* EX_DATAERR past RCPTS_MAX. */
int rcpts_add(struct rcpts *r, struct span addr, struct span params, struct err *e);
void rcpts_clear(struct rcpts *r); /* the storage stays */
void rcpts_free(struct rcpts *r);

/* Those of one domain beside each other, in the order of each domain's first. */
void rcpts_group(struct rcpts *r);

/* Recipients from..from+n-1 as an envelope has them; lent until the list changes. */
void rcpts_get(const struct rcpts *r, size_t from, size_t n, struct entry_rcpt *out);
/* The domain that all of them share; empty if they do not. */
struct span rcpts_domain(const struct rcpts *r, size_t from, size_t n);

#endif
