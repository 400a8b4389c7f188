/* dkimcrew.h - threads that sign messages, which come and go in order.
 *
 * One thread hands items over and gets each back when it and all before it are done.  Items go in
 * loads, since a signature may take less time than waking a thread.
 */
#ifndef DKIMCREW_H
#define DKIMCREW_H

#include "buf.h"
#include "err.h"
#include "cur.h"
#include "dkimmsg.h"
#include "spool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dkimcrew_item { /* what the three callbacks make of it */
	struct span before, content; /* lent by the giver until it comes back */
	struct buf name, fields;
	struct dkimmsg msg;
	int64_t mtime_s;
	bool quoted, link;
	struct spool spool;
	int rc;       /* of work() */
	struct err e; /* its words */
};

#define DKIMCREW_LOAD 16 /* items */

struct dkimcrew_calls {
	/* In any thread, whose desk is lent.  What it leaves ready in msg is signed into fields, behind all of the
	 * load's work. */
	int (*work)(void *arg, struct dkimmsg_desk *desk, struct dkimcrew_item *item, struct err *e);
	int (*done)(void *arg, struct dkimcrew_item *item, struct err *e); /* in the giver's */
	/* May be NULL: after done() for a load's items, or for those before one where it failed; they
	 * are there until it returns. */
	int (*flush)(void *arg, struct err *e);
	void *arg;
};

struct dkimcrew;

int dkimcrew_start(struct dkimcrew **c, unsigned threads, const struct dkimcrew_calls *calls,
    struct err *e);
/* The next item to fill; the one before it is on its way.  bytes: about what it will hold.  What
 * done() returns comes back, from here or from the end. */
int dkimcrew_next(struct dkimcrew *c, size_t bytes, struct dkimcrew_item **item, struct err *e);
/* It holds so many more: the fewer items go with it, and a spool that is large has a file. */
void dkimcrew_more(struct dkimcrew *c, size_t bytes);
int dkimcrew_end(struct dkimcrew *c, struct err *e); /* all that is on its way */
void dkimcrew_stop(struct dkimcrew *c);              /* frees; what is on its way is dropped */

#endif
