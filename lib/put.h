/* put.h - adding entries to the queue: begin, content in parts, link, sync, end.
 *
 * O_TMPFILE (or, where the filesystem has none, a temporary name), lock, write,
 * linkat into new/, fsync of the file, then - unless the filesystem is one that
 * keeps the name with the inode - fsync of the directory, unlock.  Only after
 * queue_put_sync() has returned 0 may anyone be told that the message is safe.
 * Many entries share a sync: link them all, then sync them together.
 */
#ifndef PUT_H
#define PUT_H

#include "queue.h"

struct queue_put {
	struct queue *q;
	int fd;
	bool linked, synced;
	bool there;             /* why queue_put_link failed: an entry of that name is there */
	struct entry_head head; /* content_bytes, content_crc and flags grow as content comes */
	uint32_t line;          /* bytes of the line at hand, for head.long_lines */
	char id[ENTRY_ID + 1];  /* known from the beginning, for the Received line */
	uint64_t due_s;         /* for the name; 0: now */
	struct buf name;        /* below new/: a temporary name until queue_put_link, where O_TMPFILE is unknown */
	struct buf out;         /* not yet written */
	uint64_t written, flushed; /* file bytes written; of them given to the disk */
};
int queue_put_begin(struct queue *q, struct queue_put *p, const struct envelope *v, struct err *e);
/* The same under an id of the caller's choice, so that what is put twice has the same name twice. */
int queue_put_begin_as(struct queue *q, struct queue_put *p, const struct envelope *v, const char *id,
    struct err *e);
/* Stored as it comes: CRLF line ends are the caller's work.  crc, length and flags are kept here;
 * header says that this part belongs to the header section. */
int queue_put_content(struct queue_put *p, const void *s, size_t n, bool header, struct err *e);
int queue_put_copy(struct queue_put *p, struct queue_put *from, struct err *e); /* the same content */
/* What was put so far, out of the buffer: for reading it back through p->fd, at queue_put_at(). */
int queue_put_flush(struct queue_put *p, struct err *e);
uint64_t queue_put_at(const struct queue_put *p); /* where content begins in the file */
/* The name it gets, with due_s. */
void queue_put_name(const struct queue_put *p, struct span stream, struct span domain, struct buf *out);
int queue_put_link(struct queue_put *p, struct span stream, struct span domain, struct err *e);
/* All n are on stable storage under their names when this returns 0. Otherwise all n
 * are gone again: nothing of a failed batch stays. */
int queue_put_sync(struct queue_put *v, size_t n, struct err *e);
/* Unlocks and closes; an entry that was not linked and synced vanishes here. */
void queue_put_end(struct queue_put *p);

#endif
