/* journal.h - what has happened to an entry: its journal lines written, and replayed into a state.
 *
 * Pure.  relaykit-queue(5) lists the lines; each is one sealed JSON object (journal_seal) with
 * "do" and "at" (microseconds since 1970).  Recipients are told by their index in the envelope.
 *
 *     sending    content is about to go to these recipients: in doubt until an outcome names them,
 *                or a person says released or retry
 *     outcome    what became of them: delivered, deferred, failed or expired
 *     deferred   the message waits until next
 *     held, released, retry    a person (or a policy) said so
 *     success    delivered to recipients who are to be told of it by us (RFC 3461 4.1)
 *     notice     the sender is about to be told of these recipients, in a notice of that id
 *     noticed    he has been: the notice is in the queue for good
 *
 * A line with another "do" is passed over.  The writers append one whole line to `out`, which
 * queue_journal() then appends to the entry.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "buf.h"
#include "cur.h"
#include "entry.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

/* --- replay */

enum journal_is { JOURNAL_OPEN, JOURNAL_DELIVERED, JOURNAL_DEFERRED, JOURNAL_FAILED,
	JOURNAL_EXPIRED };
extern const char *const journal_is_names[]; /* "open", "delivered", "deferred", ... */

struct journal_reply {   /* strings are never NULL but for `said`, and owned by the struct journal */
	uint64_t at_us;
	int code;        /* 0: no reply, text says why */
	char *status;    /* enhanced status code, or "" */
	char *said;      /* the one in the reply, where `status` is our own (expired); else NULL */
	char *text;
	char *site;
	char *peer;      /* host name, or "" */
	char *addr;      /* "192.0.2.1:25", or "" */
};

/* What a sender is told of a recipient. */
enum journal_told { JOURNAL_TOLD_NOTHING, JOURNAL_TOLD_FAILED, JOURNAL_TOLD_DELAYED,
	JOURNAL_TOLD_RELAYED, JOURNAL_TOLD_DELIVERED };

struct journal_rcpt {
	enum journal_is is; /* open and deferred ones are still ours to deliver */
	bool doubt;         /* content was sent and the outcome is not known */
	bool warned, told;  /* a notice was begun of its delay; of its end */
	enum journal_told success; /* delivered: what its sender wants to hear of that from us */
	struct journal_reply *last; /* word on this recipient; NULL: none */
};

struct journal {
	struct journal_rcpt *rcpts;
	size_t n;
	size_t open;       /* recipients neither delivered nor given up */
	size_t doubts;     /* of them, in doubt */
	uint32_t attempts; /* the highest attempt that was written down */
	uint64_t next_s;   /* when it is due, as the last deferral or retry says; 0: not said */
	uint64_t doubt_us; /* when the oldest doubt began */
	bool held;
	uint64_t held_us, changed_us; /* when it was held; when anything was last written */
	uint64_t retried_us; /* when a person last said retry, which ends hold-until; 0: never */
	char *held_by, *held_why;     /* "" where not said */
	struct journal_notice *notice; /* begun, and not known to be in the queue; NULL: none */
};

struct journal_notice {
	char id[ENTRY_ID + 1];
	uint64_t at_us;
	bool digest; /* it is to be told of with others */
	struct journal_notice_rcpt {
		uint32_t i;
		enum journal_told as;
	} *v;
	size_t n;
};

/* Lines as struct queue_entry's journal has them; stops at the first that is not whole.
 * Initialises *out, which journal_free() frees, also after an error.  EX_DATAERR: a whole line
 * that makes no sense (an index past n_rcpts, not an object).  An empty journal costs one
 * allocation. */
int journal_replay(struct span lines, size_t n_rcpts, struct journal *out, struct err *e);
void journal_free(struct journal *j);

bool journal_is_open(const struct journal_rcpt *r); /* open or deferred */
/* Whether two recipients were told the same by the same server; NULL is what nobody has said. */
bool journal_same_reply(const struct journal_reply *a, const struct journal_reply *b);

/* --- the writers */

void journal_sending(struct buf *out, uint64_t at_us, uint32_t attempt, struct span site,
    const uint32_t *rcpts, size_t n);

/* One outcome line: begin, one call a recipient, end (with what begin returned). */
size_t journal_outcome(struct buf *out, uint64_t at_us, uint32_t attempt, struct span site,
    struct span peer, struct span addr);
void journal_outcome_rcpt(struct buf *out, uint32_t rcpt, enum journal_is as, int code,
    struct span status, struct span text);
void journal_outcome_end(struct buf *out, size_t start);

/* All recipients that are still open. */
void journal_deferred(struct buf *out, uint64_t at_us, uint32_t attempt, uint64_t next_s, struct span site);

/* as: JOURNAL_TOLD_RELAYED, where the next hop tells nobody, or JOURNAL_TOLD_DELIVERED. */
void journal_success(struct buf *out, uint64_t at_us, enum journal_told as, const uint32_t *rcpts,
    size_t n);
void journal_notice(struct buf *out, const struct journal_notice *notice);
void journal_noticed(struct buf *out, uint64_t at_us, const char *id);

/* what: "held", "released" or "retry"; by: "uid 1000", "policy in_doubt"; why may be empty. */
void journal_mark(struct buf *out, uint64_t at_us, const char *what, struct span by,
    struct span why);

#endif
