/* paged.h - a text file that is a hash table: lines found by their key, in pages of 4 KiB.
 *
 * Why this and not a sorted file with a log beside it, nor a file a bucket:
 * - a lookup reads one page, whatever the size: 10 million lines cost what ten do, and a page of memory;
 * - an addition writes behind the lines of one page, in place.  The bytes before it stay as they are, so
 *   a write that is torn by a power cut costs at most the line that was not yet confirmed; there is no
 *   log to be merged, and a change of one line never costs a copy of all;
 * - readers need no lock: a line has a check of its own (CRC-32C), and one that is not whole is not there, nor
 *   ever written over: it was (pagedline.h);
 * - when a page is full the file is made anew with more pages, without what is dead, and takes the old
 *   one's place by rename: rarely, since each time it grows by half;
 * - it is text: less(1) and grep(1) show what is in it.
 *
 *     page 0    "relaykit table 1 pages 0000000012 seed HEX32 check HEX8" LF, "# ..." lines about it
 *     page n    *( KEY TAB VALUE TAB CHECK LF ), spaces, LF
 *
 * Neither key nor value has a control character, but a value may have TABs; of several lines with a
 * key the last is the newest.  Where a key is, a keyed hash says (siphash.h), so nobody outside can
 * fill one page.  Writers hold a lock on NAME.lock, one after the other; a struct paged belongs to one
 * thread.
 */
#ifndef PAGED_H
#define PAGED_H

#include "err.h"
#include "pagedline.h"

#include <stdbool.h>
#include <stdint.h>

#define PAGED_LINE_MAX 1400 /* with its TABs, check and LF: some always fit into a page */
#define PAGED_LOCK_MS 60000 /* to make 10 million lines anew takes seconds */

struct paged;

struct paged_kind {
	const char *about; /* "# ..." LF, for people: what the values are */
	/* When the file is made anew: whether line i of the n of a page, oldest first, may be left out. */
	bool (*dead)(void *arg, const struct paged_line *v, size_t n, size_t i);
	void *arg;
};

/* Where there is no file: EX_NOINPUT to read; to write it is made, in a directory that is there.
 * EX_CONFIG: its head is damaged, pages are missing, or it is no table.  To write, one that has lines
 * which are whole is made anew of them, and stays as NAME.damaged; EX_TEMPFAIL tells of it, once.
 * EX_CONFIG then: there is nothing to be had of it, and a person must act. */
int paged_open(struct paged **t, int dir, const char *name, const struct paged_kind *k, bool write,
    struct err *e);
void paged_close(struct paged *t);

/* The page where lines of this key are, for paged_next() and others of pagedline.h.  Lent until the next call. */
int paged_page(struct paged *t, struct span key, struct cur *page, struct err *e);

/* Each line of the file, page by page; v[i] is line i of the n of its page.  A code ends it. */
typedef int paged_each_line(void *arg, const struct paged_line *v, size_t n, size_t i, struct err *e);
int paged_each(struct paged *t, paged_each_line *each, void *arg, struct err *e);
/* The same of each line that is not whole: its key is what may have been one. */
int paged_each_hurt(struct paged *t, paged_each_line *each, void *arg, struct err *e);

/* To write: what is read between the two is what there is. */
int paged_lock(struct paged *t, struct err *e);
void paged_unlock(struct paged *t);
/* With the lock held; as all below: where the file was made anew, and had lines that were not whole, those are
 * left out, what it was stays as NAME.damaged, and EX_TEMPFAIL tells of it, once.  EX_DATAERR: a control character, or over PAGED_LINE_MAX; EX_CANTCREAT: the lines of
 * this key fill a page, and none of them is dead. */
int paged_add(struct paged *t, struct span key, struct span value, struct err *e);
/* Room for so many bytes of lines more is made at once, instead of step by step.  Lock held. */
int paged_reserve(struct paged *t, uint64_t bytes, struct err *e);
/* Made anew as it is, without what is dead.  Lock held. */
int paged_tidy(struct paged *t, struct err *e);
/* What was added is on stable storage; without the lock. */
int paged_sync(struct paged *t, struct err *e);

#endif
