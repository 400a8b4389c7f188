/* returnpath.h - the return path that a bounce came to, and whom it proves (verp.h).  Pure. */
#ifndef RETURNPATH_H
#define RETURNPATH_H

#include "arena.h"
#include "buf.h"
#include "cur.h"
#include "verp.h"

struct returnpath {
	const unsigned char *key; /* lent */
	uint64_t now_s;
	enum verp_is is;
	struct span proved; /* the arena's.  VERP_GOOD: the recipient; VERP_SHORT: the path */
};

/* One address that it may have come to.  The first that is good counts, else the first that is any. */
void returnpath_look(struct returnpath *p, struct span address, struct arena *a, struct buf *scratch);

/* The fields where a server writes whom it has delivered a message to. */
void returnpath_header(struct returnpath *p, struct span header, struct arena *a, struct buf *scratch);

#endif
