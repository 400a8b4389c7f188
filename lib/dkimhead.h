/* dkimhead.h - the fields of a header section by name, from the bottom up; what a signature hashes.
 *
 * RFC 6376 5.4.2 and 3.7.  Each name is found in one step whatever the message holds: a header of
 * 4 MB with a million fields and an h= of as many names costs no more than reading them.  Pure.
 */
#ifndef DKIMHEAD_H
#define DKIMHEAD_H

#include "dkim.h"
#include "msg.h"

#define DKIMHEAD_NONE UINT32_MAX

struct dkimhead {
	struct msg_field *fields; /* from the top; spans lent by the header section */
	size_t n;
	size_t bad;      /* where a line stands that is no field, which ends the list; else SIZE_MAX */
	/* A hash table of the names, without case: each one's lowest field, or none.  Seeded, since names come
	 * from outside. */
	uint32_t *last;
	size_t slots; /* a power of two, at least twice n */
	uint64_t seed;
	/* In last's piece of memory: of each field, the next one above with its name, and dkimhead_form()'s notes. */
	uint32_t *above, *next;
	size_t field_room, index_room;
};
#define DKIMHEAD_INIT {.fields = NULL}

/* header: without the empty line; lent as long as h is used.  h is as DKIMHEAD_INIT left it, or has been
 * opened before: then its storage serves again, unless that is much. */
void dkimhead_open(struct dkimhead *h, struct span header);
void dkimhead_free(struct dkimhead *h);

/* The lowest field of that name, and the next one above another: DKIMHEAD_NONE where there is none. */
uint32_t dkimhead_last(const struct dkimhead *h, struct span name);
size_t dkimhead_count(const struct dkimhead *h, struct span name);

/* What a signature hashes of the header, 3.7, behind what is in out: the fields that `names`, the value of
 * h=, lists, each from the bottom up and nothing for those that are not there (or not so often), and then
 * the signature's field itself, without the value of b= and without its last line end.  Names are without
 * case; white space and folds between them are passed over.  Writes its notes into h: one thread at a time. */
void dkimhead_form(const struct dkimhead *h, enum dkim_canon canon, struct span names,
    struct span signature, struct buf *out);

#endif
