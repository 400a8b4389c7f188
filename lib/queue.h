/* queue.h - the queue directory: entries found, taken, moved.  put.h adds them.
 *
 * States and the one system call between any two of them (relaykit-queue(5)):
 *
 *     (unnamed)      -> new                 linkat, then fsync
 *     new, cur       -> cur/HOUR            rename
 *     new, cur       -> hold, and back      rename, under the lock
 *     new, cur, hold -> failed, sent, gone  rename, or unlink
 *     any            -> damaged             rename: not a complete entry
 *
 * Whoever works on an entry holds the lock of its open file, and has checked
 * that the name still leads to that inode.  What is visible and unlocked is
 * accepted.  A struct queue may be used by many threads at once.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "entry.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct queue;

enum queue_use {
	QUEUE_SUBMIT, /* may only add to new/; makes a private queue where there is none */
	QUEUE_WORK    /* all of it; EX_NOPERM unless we are its owner, and a member of the group that
	               * may add to new/; makes what is missing */
};
int queue_open(struct queue **q, const char *dir, enum queue_use use, struct err *e);
void queue_close(struct queue *q);
int queue_state_fd(const struct queue *q); /* the directory state/, log/, for openat */
int queue_log_fd(const struct queue *q);
int queue_root_fd(const struct queue *q);         /* O_PATH */
unsigned queue_entry_mode(const struct queue *q); /* 0660 where submitters share new/, else 0600 */
gid_t queue_entry_group(const struct queue *q);   /* the submitters', where they share it */

/* --- looking */

#define QUEUE_TMP ".tmp-" /* what begins so in new/ is being written, where O_TMPFILE is unknown */

enum queue_place { IN_NEW, IN_CUR, IN_HOLD, IN_FAILED, IN_SENT, IN_DAMAGED };
extern const char *const queue_place_names[]; /* "new", "cur", ... */

struct queue_at { /* where a name was found */
	enum queue_place place;
	uint64_t hour_s; /* first second of its bucket in cur, failed, sent; in new: 0, or the
	                  * number of a swollen new.N that is being drained */
};

#define QUEUE_DIR_MAX 48
void queue_dir(const struct queue_at *at, char out[QUEUE_DIR_MAX]); /* "cur/2026112210", below the root */

struct queue_hours { /* free() v */
	uint64_t *v;
	size_t n;
};
/* The buckets of a place by their first second, sorted; for IN_NEW the numbers N of new.N. */
int queue_hours(struct queue *q, enum queue_place place, struct queue_hours *h, struct err *e);

/* Each name of a place, in directory order; names that are no entries' are skipped (damaged/
 * gives them all).  Buckets that begin after until_s are not opened.  A callback that returns
 * non-zero ends the scan with that code. */
typedef int queue_each(void *arg, const struct queue_at *at, const char *name, size_t len);
int queue_scan(struct queue *q, enum queue_place place, uint64_t until_s, queue_each *each,
    void *arg, struct err *e);
/* Only the buckets of a place that begin from from_s to until_s. */
int queue_scan_hours(struct queue *q, enum queue_place place, uint64_t from_s, uint64_t until_s,
    queue_each *each, void *arg, struct err *e);

/* --- working on one entry */

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
	bool busy;             /* queue_peek: somebody holds the lock */
};
enum queue_took {
	QUEUE_TOOK,
	QUEUE_BUSY,
	QUEUE_GONE,
	QUEUE_DAMAGED,
	QUEUE_STUCK /* as damaged, but it could not be moved: passed over, each time */
};

/* Opens, locks, checks that the name still leads here, reads head, header and journal; with
 * `verify` checks both crcs, and vets what another user than the queue's has put there (vet.h).
 * What is not a complete entry is QUEUE_DAMAGED and has been set aside (aside.h; told in e's text).
 * Other outcomes are no errors; e is set only with a non-zero return. */
int queue_take(struct queue *q, const struct queue_at *at, const char *name, bool verify,
    struct queue_entry *t, enum queue_took *took, struct err *e);
/* The same without the lock and without moving a damaged one: for looking while others work. */
int queue_peek(struct queue *q, const struct queue_at *at, const char *name,
    struct queue_entry *t, enum queue_took *took, struct err *e);
void queue_release(struct queue_entry *t); /* unlocks, closes, frees */
int queue_detach(struct queue_entry *t);   /* the open file, unlocked, for the caller to close */

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

/* By name alone, without opening, locked or not: a wait that we chose (closed site, run over).
 * EX_NOINPUT: somebody was faster. */
int queue_defer_name(struct queue *q, const struct queue_at *at, const char *name, uint64_t due,
    struct err *e);

/* Renames and unlinks so far are made durable. Cheap where there was none. */
int queue_sync(struct queue *q, struct err *e);

#endif
