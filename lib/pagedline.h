/* pagedline.h - the lines of a table (paged.h), in the page that has them.  Pure.
 *
 * A line that is not whole is not there, but for who asks for such.  What stands behind the last line's LF, where
 * a torn write has left something, was never confirmed to anybody and is not one of them.
 */
#ifndef PAGEDLINE_H
#define PAGEDLINE_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>

#define PAGED_BYTES 4096
#define PAGEDLINE_ROOM (PAGED_BYTES - 1) /* its last byte is a LF, so that a page ends where a line does */
#define PAGEDLINE_CRC 4

struct paged_line { /* lent by the page */
	struct span key, value;
};

/* Each line that is whole; each of this key; each that is not whole, as far as it can be told apart: its key is up to a
 * TAB or NUL, and may be empty. */
bool paged_next(struct cur *page, struct paged_line *l);
bool paged_next_of(struct cur *page, struct span key, struct paged_line *l);
bool paged_next_hurt(struct cur *page, struct paged_line *l);

/* Whether the newest line of this key may be one that is not whole: it says so, but for a byte of it or of what parts it
 * from others, or the page is none of ours. */
bool paged_is_hurt(struct cur page, struct span key);

/* --- for paged.c */

bool pagedline_clean(struct span s, bool tabs); /* no control character, but perhaps TABs */
void pagedline_put(struct buf *out, const struct paged_line *l);
/* The check of what stands in out from start on, LF behind it, and before it what parts the two. */
void pagedline_put_check(struct buf *out, size_t start, const char *between);
bool pagedline_check(struct span body, struct span check);
size_t pagedline_used(const char *page); /* bytes, up to behind the last line that was confirmed, whole or not */

#endif
