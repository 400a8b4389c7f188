/* letter.h - a queued message as it is read on this machine: its content, with lines in front, in blocks.
 *
 * In the queue lines end in CRLF.  Here they end in LF, unless crlf; a CR that no LF follows stays.
 * What does not end in a line end does not do so here either.
 */
#ifndef LETTER_H
#define LETTER_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

struct letter { /* zeroed but for these: */
	struct span head;    /* whole lines that go in front, with CRLF */
	const char *content; /* in memory, or NULL: then file and off */
	int file;
	uint64_t off, size;
	bool crlf;
	/* its own: */
	bool headed, cr;
	uint64_t at;
	struct buf raw, out;
};

/* The next block, lent until the next call; empty at the end. */
int letter_next(struct letter *l, struct span *block, struct err *e);
void letter_rewind(struct letter *l);
void letter_free(struct letter *l);

/* The header section, or as much of it as stands in the first max bytes; lent by the letter until it is
 * rewound, which it is to be then. */
int letter_header(struct letter *l, size_t max, struct span *header, struct err *e);

#endif
