/* suppress.h - the suppression list: to whom nothing is sent any more, why, since when, until when.
 *
 * Two tables (paged.h) in the queue's state/suppress/:
 *
 *     list      who is on it        ADDRESS REASON SOURCE SCOPE SINCE UNTIL NOTE
 *     bounces   what has come back  ADDRESS AT ID REASON       so that soft failures are counted, and
 *                                                              nothing is counted twice
 *
 * Addresses are the same where their domains are as A-labels without case, and their local parts are
 * without the case of ASCII letters: nobody has two mailboxes that differ in it alone, and a dead one
 * comes back in many spellings.  Nothing else is folded: a+b@x is not a@x.
 *
 * A change is a line more, the newest line of an address and scope counts, so writers need no order but
 * the lock's.  A removal is a line too, and stays for REMOVED_S: what was known before it, here or on
 * another host, does not bring the address back.  Between two entries the one that lasts longer wins;
 * so lists of several hosts can be imported into each other, again and again, in any order.
 */
#ifndef SUPPRESS_H
#define SUPPRESS_H

#include "buf.h"
#include "cur.h"
#include "err.h"
#include "suppressconf.h"
#include "suppressline.h"

#include <stdbool.h>
#include <stdint.h>

#define SUPPRESS_REMOVED_S (400ULL * 86400) /* so long a removal is known */
#define SUPPRESS_BOUNCES_S (90ULL * 86400)  /* and a bounce, or as long as soft_within if that is more */
#define SUPPRESS_BOUNCES_BYTES 3500 /* of one address, the newest: some 35; soft_count is 20 at most */
#define SUPPRESS_EVERY SPAN("*")            /* the scope that is all streams */

struct suppress;

struct suppress_options {
	int root;        /* the queue's directory; O_PATH will do */
	const struct suppressconf *conf;
	bool write;      /* makes what is missing */
	const char *key_file; /* of hashed addresses; NULL: the one in state/ */
	const unsigned char *key; /* the same, read already; NULL: it is not */
};

/* To read, EX_NOINPUT where there is no list: nobody is on it; EX_NOPERM where we may not look.  Safe
 * for many threads. */
int suppress_open(struct suppress **s, const struct suppress_options *o, struct err *e);
void suppress_close(struct suppress *s);
bool suppress_there(const char *queue_dir); /* whether there is a list */
/* To be asked where mail is taken: NULL where there is no list or we may not read it, for who
 * delivers it asks again. */
struct suppress *suppress_ask(int root, const struct suppressconf *c, const char *key_file);
/* The same, of one that suppress_ask() gave: NULL is nobody's. */
bool suppress_asked(struct suppress *s, struct span address, struct span stream, struct buf *why);

/* Whether a stream's message to the address is not to be sent; why, as the text of a reply, is put
 * behind what is there.  Costs a few microseconds, however many there are.  EX_TEMPFAIL also where its line may
 * be one that is damaged: nobody knows what it said. */
int suppress_refuses(struct suppress *s, struct span address, struct span stream, uint64_t now_s,
    bool *yes, struct buf *why, struct err *e);

/* What is known of an address, the newest of each scope, those that are over and removals too.  EX_TEMPFAIL: its
 * line may be one that is damaged. */
typedef int suppress_each(void *arg, const struct suppressline *v, struct err *e);
int suppress_why(struct suppress *s, struct span address, suppress_each *each, void *arg, struct err *e);
/* The same of all. */
int suppress_list(struct suppress *s, suppress_each *each, void *arg, struct err *e);
/* Each line that is damaged: v->address is what may have been one. */
int suppress_damaged(struct suppress *s, suppress_each *each, void *arg, struct err *e);

/* --- to write */

enum suppress_did { SUPPRESS_NOTHING, SUPPRESS_ADDED, SUPPRESS_REMOVED };

/* An address (or "#...": as it is kept) enters, is removed (reason "removed"), or nothing happens as
 * the rules above say.  EX_DATAERR: no address, no such reason, scope or source. */
int suppress_put(struct suppress *s, const struct suppressline *v, enum suppress_did *did,
    struct err *e);

/* A bounce about an address: id says which, so that it counts once.  *at_s: when it was first seen,
 * 0: never. */
int suppress_seen(struct suppress *s, struct span address, struct span id, uint64_t *at_s,
    struct err *e);
int suppress_saw(struct suppress *s, struct span address, struct span id, struct span reason,
    uint64_t at_s, struct err *e);
/* How many of those in a list of reasons came since from_s, and since the address was last removed. */
int suppress_count(struct suppress *s, struct span address, const char *reasons, uint64_t from_s,
    uint64_t *count, struct err *e);

/* Room is made at once for a list of so many bytes; the lock is held between these two. */
int suppress_hold(struct suppress *s, uint64_t bytes, struct err *e);
void suppress_let_go(struct suppress *s);
int suppress_tidy(struct suppress *s, struct err *e); /* what is over for long goes */
int suppress_sync(struct suppress *s, struct err *e); /* all of it is on stable storage */

#endif
