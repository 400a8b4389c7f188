/* parcel.h - a message in a run's hands: what is known of it, what is told and written of it, its end.
 *
 * A parcel is a taken queue entry with its journal; deliver.h takes one and tries it.  Its open
 * recipients are tried in one or more groups (one a destination); when every group is through,
 * parcel_finish() makes the one rename or unlink that the outcomes ask for.
 */
#ifndef PARCEL_H
#define PARCEL_H

#include "conf.h"
#include "events.h"
#include "journal.h"
#include "guard.h"
#include "notify.h"
#include "taken.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct deliver { /* what all parcels of a run share; read-only but for the last two */
	const struct conf *conf;
	struct queue *q;
	struct events *events;
	struct reaper *reaper; /* closes what was removed; NULL: at once */
	struct dkimkeys *keys; /* what signs; NULL: nothing is signed */
	const struct notify *notify; /* tells senders; NULL: nobody is told */
	struct guard *guard; /* the suppression list; NULL: nobody is on it */
	bool may_expire;     /* the clock is to be believed */
	_Atomic int trouble; /* EX_TEMPFAIL after local trouble: nothing new is started, the run ends */
	_Atomic bool ailing; /* local trouble, if only with one entry: the run exits EX_TEMPFAIL */
	char trouble_text[512];
	_Atomic uint64_t count[8]; /* by enum journal_is, recipients */
};
void deliver_trouble(struct deliver *d, const struct err *e);
void deliver_ails(struct deliver *d, const struct err *e);

struct parcel_form {        /* the content as it is, or without bytes over 127 */
	bool made;          /* or tried to: */
	int file;           /* where there is one of its own, with its size */
	uint64_t size;
	struct err why;     /* set: it cannot be; EX_DATAERR: nor ever */
	bool signed_already; /* or tried to: */
	struct buf signature; /* goes out in front of the content */
	struct err unsigned_why; /* set: there is none, and it must not go without */
};
enum parcel_is { PARCEL_AS_IS, PARCEL_SEVEN, PARCEL_FORMS };

struct parcel {
	struct deliver *d;
	struct queue_entry t;
	struct journal j;
	pthread_mutex_t lock;  /* over all below, the journal and j: groups run beside each other */
	unsigned groups;       /* not yet through */
	uint32_t attempt;      /* this one's number */
	bool unheard;          /* that it was accepted is still to be told */
	bool tried;            /* an attempt was made and failed: counts, and may expire */
	bool sending;          /* this attempt's "sending" line stands in the journal */
	bool removed;          /* from the queue */
	bool partial;          /* an outcome that must not be forgotten was journalled */
	bool answer;           /* a delivery is to be told of: it is not over with the final reply */
	uint64_t next_s;       /* the latest that was told of this attempt: 0, nobody was deferred */
	uint64_t wait_s;       /* a wait that we chose, for a group that was not tried: until then */
	_Atomic uint64_t hint_s; /* the longest wait a peer asked for; what is told reads it without the lock */
	struct buf pending;    /* outcome lines not yet written */
	struct parcel_form form[PARCEL_FORMS];
	char site[256];        /* of the last attempt, for the deferral's line */
};

void parcel_at(struct parcel *p, struct span site); /* where it is tried */

/* That it was accepted is told now, unless that was done.  Not by whoever only looks at it: what goes back
 * without an attempt leaves no mark that would keep the next from telling it again. */
void parcel_begins(struct parcel *p);

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

/* --- for deliver.c */

struct parcel_word { /* what is said about a recipient */
	enum journal_is as;
	int code;
	struct span status, text, site, host, addr, tls, source, source_addr;
	uint64_t connect_us, send_us;
	uint64_t next_s; /* JOURNAL_DEFERRED: parcel_promise() */
};
struct span parcel_words(struct span peer_text); /* as much of it as journal and log keep */
struct span parcel_kept(const struct parcel *p, struct span peer_text); /* as its journal keeps, which may be long */
void parcel_tell(const struct parcel *p, uint32_t rcpt, const struct parcel_word *w);
void parcel_tell_attempt(const struct parcel *p, const struct parcel_word *w);
uint64_t parcel_next(const struct parcel *p); /* when it is due if this attempt fails */
/* The same, to be told: where others are promised a later time, all wait until then. */
uint64_t parcel_promise(struct parcel *p);

/* In memory: a recipient that is open is so no more, or open still. */
void parcel_set(struct parcel *p, uint32_t rcpt, enum journal_is as);
bool parcel_delivered(const struct parcel *p); /* to everybody */
/* Delivered to these, whose sender wants to hear of it from us: as in journal_success(). */
void parcel_answer(struct parcel *p, enum journal_told as, const uint32_t *rcpts, size_t n);
int parcel_write(struct parcel *p, struct err *e); /* what is pending, into the journal */
/* A recipient was refused for good: the suppression list hears of it.  False: it cannot be written to, which is
 * this machine's trouble, and the recipient is to stay open: what is forgotten now nobody tells again. */
bool parcel_learn(const struct parcel *p, uint32_t rcpt, const struct parcel_word *w,
    enum rules_phase phase, bool alone);
/* Those still open who are on it fail. */
int parcel_guard(struct parcel *p, struct err *e);

/* The notice that the journal speaks of and that may not be there. */
int parcel_notice_again(struct parcel *p, struct err *e);
void parcel_unwritten(const struct parcel *p, const struct err *e); /* that this has failed */
void parcel_free(struct parcel *p);

#endif
