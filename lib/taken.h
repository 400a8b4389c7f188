/* taken.h - one queue entry in hand: opened, locked, read; its journal; where it goes.
 *
 * Whoever works on an entry holds the lock of its open file, and has checked that the name still leads
 * to that inode.  A struct queue_entry is one thread's at a time.
 */
#ifndef TAKEN_H
#define TAKEN_H

#include "queue.h"

#define QUEUE_JOURNAL_MAX (64 << 20) /* past this it is not a journal of ours */

struct queue_entry {
	struct queue *q;
	int fd;
	struct queue_at at;
	char *name;            /* as it stands in its directory now */
	struct entry_name is;  /* spans into name */
	struct entry_head head;
	struct buf text;       /* head and header; for small entries content and journal too */
	struct envelope env;   /* spans into text */
	uint64_t content_off, file_end;
	uint64_t journal_end;  /* where the next journal line goes: behind the last whole one */
	struct buf journal;    /* whole lines only */
	bool stranger;         /* the file is not its queue's owner's: whose it is may change it under our eyes */
	bool busy;             /* queue_peek: somebody holds the lock */
	bool over_quota;       /* why queue_journal failed: its owner's quota, and he is not the queue's
	                        * user: no other entry is concerned */
};
enum queue_took {
	QUEUE_TOOK,
	QUEUE_BUSY,
	QUEUE_GONE,
	QUEUE_DAMAGED,
	QUEUE_STUCK /* as damaged, but it could not be moved: passed over, each time */
};

enum queue_verify { /* the crc of the header counts in any case */
	QUEUE_AS_IS,
	QUEUE_TO_SEND, /* the content before its first attempt; vet.h before each, where the file is not the
	                * queue's owner's */
	QUEUE_WHOLE    /* all of that now */
};

/* Opens, locks, checks that the name still leads here, reads head, header and journal, and looks as
 * closely as `verify` says.
 * What is not a complete entry is QUEUE_DAMAGED and has been set aside (aside.h; told in e's text).
 * Other outcomes are no errors; e is set only with a non-zero return. */
int queue_take(struct queue *q, const struct queue_at *at, const char *name,
    enum queue_verify verify, struct queue_entry *t, enum queue_took *took, struct err *e);
/* The same without the lock and without moving a damaged one: for looking while others work. */
int queue_peek(struct queue *q, const struct queue_at *at, const char *name,
    struct queue_entry *t, enum queue_took *took, struct err *e);
/* Appends the sender, from the entry's first bytes: neither locked nor verified, for planning alone.
 * EX_NOINPUT: it is not there any more; any other: it cannot be told, and whoever takes it will hear why. */
int queue_peek_sender(struct queue *q, const struct queue_at *at, const char *name, struct buf *sender,
    struct err *e);
void queue_release(struct queue_entry *t); /* unlocks, closes, frees */
int queue_detach(struct queue_entry *t);   /* the open file, locked until the caller closes it */

/* Content in memory where it was read along (small entries), else NULL: use fd and content_off. */
const char *queue_content(const struct queue_entry *t);

/* Appends lines.  `reserve` more bytes behind them are set aside on the disk, so that what must be
 * written after a peer's final reply does not fail for want of space. */
int queue_journal(struct queue_entry *t, struct span sealed_lines, size_t reserve, struct err *e);
int queue_journal_sync(struct queue_entry *t, struct err *e);

/* None of these replaces another entry.  EX_NOINPUT: its name is not there any more, for another run
 * has moved it on by its name alone; the file is as it was, locked, and stands under another name. */
int queue_defer(struct queue_entry *t, uint64_t due, struct err *e);  /* to cur/HOUR of due */
int queue_move(struct queue_entry *t, enum queue_place to, struct err *e);
int queue_remove(struct queue_entry *t, struct err *e);
/* To damaged/, for what only the caller can see is wrong; e says what, and keeps its text. */
int queue_set_aside(struct queue_entry *t, struct err *e);

#endif
