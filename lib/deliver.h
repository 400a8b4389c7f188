/* deliver.h - one message in hand: what is tried for it, what became of it, where it goes.
 *
 * A parcel is a taken queue entry with its journal.  Its open recipients are tried in one or
 * more groups (one a destination); each attempt ends in an outcome a recipient; when
 * every group is through, parcel_finish() makes the one rename or unlink that the outcomes ask for.
 *
 * The order of things, for a message to one destination that is accepted there:
 *
 *     journal "sending"           before the first byte of content leaves; fails: nothing is sent
 *     ... the final reply 250 ...
 *     unlink                      the very next system call
 *     events                      delivered
 *
 * and for any other outcome: journal "outcome" (synced, where somebody got the message and the
 * message lives on), then rename.  Where "sending" cannot be written the run ends; if it is only a
 * submitter's quota his entry is moved on, without an attempt, and the others go.  An unlink that fails is journalled, so the next run
 * sends nothing again.
 */
#ifndef DELIVER_H
#define DELIVER_H

#include "conf.h"
#include "events.h"
#include "journal.h"
#include "smtp.h"
#include "taken.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct deliver { /* what all parcels of a run share; read-only but for the last two */
	const struct conf *conf;
	struct queue *q;
	struct events *events;
	struct reaper *reaper; /* closes what was removed; NULL: at once */
	bool may_expire;     /* the clock is to be believed */
	_Atomic int trouble; /* EX_TEMPFAIL after local trouble: nothing new is started, the run ends */
	_Atomic bool ailing; /* local trouble, if only with one entry: the run exits EX_TEMPFAIL */
	char trouble_text[512];
	_Atomic uint64_t count[8]; /* by enum journal_is, recipients */
};
void deliver_trouble(struct deliver *d, const struct err *e);
void deliver_ails(struct deliver *d, const struct err *e);

struct parcel {
	struct deliver *d;
	struct queue_entry t;
	struct journal j;
	pthread_mutex_t lock;  /* over all below, the journal and j: groups run beside each other */
	unsigned groups;       /* not yet through */
	uint32_t attempt;      /* this one's number */
	bool tried;            /* an attempt was made and failed: counts, and may expire */
	bool sending;          /* this attempt's "sending" line stands in the journal */
	bool removed;          /* from the queue */
	bool partial;          /* an outcome that must not be forgotten was journalled */
	uint64_t wait_s;       /* a wait that we chose, for a group that was not tried: until then */
	uint64_t hint_s;       /* the longest wait a peer asked for */
	struct buf pending;    /* outcome lines not yet written */
	char site[256];        /* of the last attempt, for the deferral's line */
};

enum parcel_took {
	PARCEL_READY,  /* yours */
	PARCEL_SETTLED, /* nothing to do any more: finished, held by policy, not yet due, set aside */
	PARCEL_GONE,    /* the name leads nowhere: removed, or it has another */
	PARCEL_BUSY    /* somebody else has it */
};

/* Takes the entry; the first to do so says "accepted".  verify: check the crcs (first attempts). */
int parcel_take(struct deliver *d, const struct queue_at *at, const char *name, uint64_t now_s,
    struct parcel **p, enum parcel_took *took, struct err *e);

/* The connection that a group of recipients is sent over. */
struct parcel_way {
	struct smtp *s;
	struct span site, host, addr; /* addr: "192.0.2.1:25" */
	uint64_t connect_us;
	bool elsewhere; /* another host may be tried within this attempt */
	bool useless;   /* out: what smtp_mail says of the last transaction */
	bool lost;      /* out: it ended without an answer for somebody */
	void (*meanwhile)(void *arg); /* as in struct smtp_mail */
	void *arg;
};
enum parcel_sent {
	PARCEL_SENT,  /* every recipient of the group has an outcome */
	PARCEL_STALE, /* the connection takes no more: the rest at once over a fresh one; way->useless:
	               * to another host */
	PARCEL_LOST   /* local trouble, told already: nothing was sent, leave it as it is */
};
/* After PARCEL_STALE rcpts and *n are those that still have no outcome. */
enum parcel_sent parcel_send(struct parcel *p, uint32_t *rcpts, size_t *n,
    struct parcel_way *way, struct err *e);

/* An outcome without a transaction: no route, no connection.  as: JOURNAL_DEFERRED or
 * JOURNAL_FAILED; code 0 where no peer said it. */
void parcel_verdict(struct parcel *p, const uint32_t *rcpts, size_t n, enum journal_is as, int code,
    const char *status, const char *text, struct span site);

/* A group is not tried now, for a reason of ours (its site is closed): not before until_s. */
void parcel_wait(struct parcel *p, uint64_t until_s);

/* One group is through; with the last (true) the entry goes where the outcomes say, and p is
 * freed. */
bool parcel_finish(struct parcel *p);

/* Without any outcome (a run that stops, local trouble): unlocked, unchanged. */
bool parcel_drop(struct parcel *p); /* as parcel_finish: true with the last group */

/* The recipients still open, as indexes; free() it. */
uint32_t *parcel_open(const struct parcel *p, size_t *n);

#endif
