/* deliver.h - a parcel (parcel.h) is taken from the queue, and what is tried for it.
 *
 * Each attempt for a group of its recipients ends in an outcome a recipient.
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
 * submitter's quota his entry is moved on, without an attempt, and the others go.  An unlink that
 * fails is journalled, so the next run sends nothing again.
 */
#ifndef DELIVER_H
#define DELIVER_H

#include "parcel.h"
#include "smtp.h"

#include <stdbool.h>
#include <stdint.h>

enum parcel_took {
	PARCEL_READY,  /* yours */
	PARCEL_SETTLED, /* nothing to do any more: finished, held by policy, not yet due, set aside */
	PARCEL_GONE,    /* the name leads nowhere: removed, or it has another */
	PARCEL_BUSY    /* somebody else has it */
};

/* Takes the entry; the first to do so says "accepted". */
int parcel_take(struct deliver *d, const struct queue_at *at, const char *name, uint64_t now_s,
    struct parcel **p, enum parcel_took *took, struct err *e);

/* Signs it now, where it is to be signed at all (struct deliver's keys), instead of when it is sent:
 * for a moment when there is nothing else to do. */
void parcel_sign(struct parcel *p);

/* The connection that a group of recipients is sent over. */
struct parcel_way {
	struct smtp *s; /* where there is no connection (send), open and told nothing */
	/* Instead of smtp_send(), by its contract. */
	int (*send)(struct parcel_way *way, struct smtp_mail *m, struct err *e);
	struct span site, host, addr; /* addr: "192.0.2.1:25" */
	struct span source, source_addr; /* our name and address, where a pool chose them */
	const char *null_sender; /* said instead of <>; NULL: <> */
	uint64_t connect_us;
	bool ends;      /* what arrives there goes no further: it is not signed by us, who may have got it from
	                 * anybody */
	bool elsewhere; /* another host may be tried within this attempt */
	bool later;     /* another host has failed of late, and may be tried in a later one */
	bool useless;   /* out: what smtp_mail says of the last transaction */
	bool unfit;     /* out: likewise */
	bool lost;      /* out: it ended without an answer for somebody */
	const char *halt; /* out, by send: the site as a whole is in trouble, and why; else NULL */
	void (*meanwhile)(void *arg); /* as in struct smtp_mail */
	void *arg;
};
enum parcel_sent {
	PARCEL_SENT,  /* every recipient of the group has an outcome */
	PARCEL_STALE, /* the connection takes no more: the rest at once over a fresh one; way->useless or
	               * unfit: to another host */
	PARCEL_LOST,  /* local trouble, told already: nothing was sent, leave it as it is */
	PARCEL_UNSIGNED /* it cannot be signed, e says why: nothing was sent, the site had no part in it */
};
/* After PARCEL_STALE rcpts and *n are those that still have no outcome. */
enum parcel_sent parcel_send(struct parcel *p, uint32_t *rcpts, size_t *n,
    struct parcel_way *way, struct err *e);

#endif
