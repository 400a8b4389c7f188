/* returned.h - what the header of a message that came back tells about it, decoded.  Pure.
 *
 * Spans are the arena's; scratch is room that is kept from call to call.
 */
#ifndef RETURNED_H
#define RETURNED_H

#include "arena.h"
#include "buf.h"
#include "cur.h"

struct returned { /* empty: not told */
	struct span message_id; /* without angles */
	struct span sender, subject, date;
	struct span queue_id;   /* of ours: in its Message-ID, or in our Received field */
};

void returned_read(struct span head, struct arena *a, struct buf *scratch, struct returned *out);

/* The first field of that name, RFC 2047's words decoded; an address in it.  Empty: there is none. */
struct span returned_field(struct span head, const char *name, struct arena *a, struct buf *scratch);
struct span returned_address(struct span head, const char *name, struct arena *a,
    struct buf *scratch);

/* A header section that stands in a text: without what is blank in front, max bytes of it. */
struct span returned_header(struct span text, size_t max, struct arena *a);

#endif
