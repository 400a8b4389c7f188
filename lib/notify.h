/* notify.h - senders are told: from what the journal of an entry says to a notice in the queue.
 *
 * When an attempt is through, one notice tells the sender of every recipient who has failed in it,
 * of those who have the message and whose sender asked to be told (RFC 3461 4.1), and once, when
 * the message is late, of those who still wait.  Nobody is told of a message with the null sender
 * but, where there is one, the postmaster, and of a message to him nobody.
 *
 * The order, so that no crash loses a notice or makes two that differ:
 *
 *     journal "notice" with the notice's id, behind the outcomes, and synced
 *     the notice linked into new/ under that id, and synced
 *     the entry moves on: to failed/, or with the journal line "noticed" to its next attempt
 *
 * Past so many an hour (noticelimit.h) it is not linked but kept for a digest, likewise durable.
 * What the notice says comes from the journal alone.  Whoever finds the first line without the last
 * step makes the same notice again: under the same name, where link(2) says that it is there, or, where
 * it has left already, a second time with the same Message-ID; not where it has left in this very run.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include "conf.h"
#include "events.h"
#include "journal.h"
#include "noticeconf.h"
#include "notetext.h"
#include "taken.h"

#include <stdbool.h>

struct noticegone;

struct notify { /* what all of a run share; read-only */
	const struct conf *conf;
	const struct notetext *text;
	struct queue *q;
	struct events *events; /* NULL: none */
	struct noticegone *gone;
};

/* NOTIFY (RFC 3461 4.1) of RCPT's parameters, or what is meant where there is none. */
enum { NOTIFY_FAILURE = 1, NOTIFY_DELAY = 2, NOTIFY_SUCCESS = 4 };
unsigned notify_wanted(struct span params);

/* Who is to be told of what, now; late: the message is.  False: nobody is to be told of anything, and
 * out is empty.  Else notify_free(), and out gets an id of its own. */
bool notify_choose(const struct notify *n, const struct queue_entry *t, const struct journal *j,
    bool late, struct journal_notice *out);
void notify_free(struct journal_notice *v);

/* Whether it is time to speak of a delay. */
bool notify_late(const struct notify *n, const struct queue_entry *t, uint64_t now_s);
/* The same as far as a name tells. */
bool notify_maybe_late(const struct notify *n, const struct entry_name *name, uint64_t now_s);

/* Whether a message with the null sender and a From of this domain may be a notice: it is signed where
 * that can be, but never kept waiting for a signature. */
bool notify_from_here(const struct notify *n, const struct queue_entry *t, struct span domain);

/* The notice that j->notice speaks of is put into the queue; 0: it is there for good.  j: the journal
 * as it stands on the disk. */
int notify_put(const struct notify *n, const struct queue_entry *t, const struct journal *j,
    struct err *e);

/* A message has reached somebody: it may have been a notice. */
void notify_delivered(const struct notify *n, const struct queue_entry *t);

/* Digests of hours that are over are put into the queue. */
int notify_digests(const struct notify *n, struct err *e);

#endif
