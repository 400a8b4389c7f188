/* queue.h - the queue directory: entries found, and moved by name.  put.h adds one, taken.h has one
 * in hand.
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
	QUEUE_WORK,   /* all of it; EX_NOPERM unless we are its owner, and a member of the group that
	               * may add to new/; makes what is missing */
	QUEUE_FIND     /* the same, but a directory must be there: EX_NOINPUT */
};
int queue_open(struct queue **q, const char *dir, enum queue_use use, struct err *e);
void queue_close(struct queue *q);
int queue_state_fd(const struct queue *q); /* the directory state/, log/, for openat */
int queue_log_fd(const struct queue *q);
int queue_root_fd(const struct queue *q);         /* O_PATH */
uid_t queue_uid(const struct queue *q); /* who we are */
int queue_open_entry(struct queue *q, const char *path, int flags); /* openat(2) below the root, and its errno */
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

/* Each name of a place and what it says, in directory order; names that are no entries' are skipped
 * (damaged/ gives them all, with n NULL).  Buckets that begin after until_s are not opened.  A callback
 * that returns non-zero ends the scan with that code. */
typedef int queue_each(void *arg, const struct queue_at *at, const char *name,
    const struct entry_name *n);
int queue_scan(struct queue *q, enum queue_place place, uint64_t until_s, queue_each *each,
    void *arg, struct err *e);
/* Only the buckets of a place that begin from from_s to until_s. */
int queue_scan_hours(struct queue *q, enum queue_place place, uint64_t from_s, uint64_t until_s,
    queue_each *each, void *arg, struct err *e);

/* --- moving, by name alone */

/* By name alone, without opening, locked or not: a wait that we chose (closed site, run over).
 * EX_NOINPUT: somebody was faster. */
int queue_defer_name(struct queue *q, const struct queue_at *at, const char *name, uint64_t due,
    struct err *e);

/* For those who hold it (taken.h): a rename that replaces nothing, which makes the bucket where there
 * is none; queue_gone() is what it says where the name is not there, EX_NOINPUT.  queue_touched: a name
 * in this directory has changed. */
int queue_rename(struct queue *q, const struct queue_at *from, const char *name,
    const struct queue_at *to, const char *new_name, struct err *e);
int queue_gone(const char *path, struct err *e);
void queue_touched(struct queue *q, const struct queue_at *at);
void queue_path(const struct queue_at *at, const char *name, struct buf *out); /* below the root */
struct queue_at queue_bucket(enum queue_place place, uint64_t s); /* where it belongs at this time */

/* Renames and unlinks so far are made durable. Cheap where there was none. */
int queue_sync(struct queue *q, struct err *e);

#endif
