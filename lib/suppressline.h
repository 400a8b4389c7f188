/* suppressline.h - one entry of the suppression list, and its line: in the list, in what is exported, and
 * as it is imported.  Pure.
 *
 *     ADDRESS TAB REASON TAB SOURCE TAB SCOPE TAB SINCE TAB UNTIL TAB NOTE
 *
 * Times are as 2026-11-22T10:00:00Z, or "-" for none.
 */
#ifndef SUPPRESSLINE_H
#define SUPPRESSLINE_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

#define SUPPRESSLINE_WORD_MAX 32
#define SUPPRESSLINE_SOURCE_MAX 64
#define SUPPRESSLINE_TIME_MAX 253402300799 /* the last second of year 9999 */
#define SUPPRESSLINE_NOTE_MAX 300 /* bytes; what is longer is cut */

struct suppressline { /* lent */
	struct span address;  /* as it is kept: "#..." is a keyed hash */
	struct span reason;   /* a word; "removed": it is on the list no more */
	struct span source;   /* "person", "delivery", "bounce", "feedback", ... */
	struct span scope;    /* a stream, or SUPPRESS_EVERY */
	struct span note;     /* what was said; may be empty */
	uint64_t since_s, until_s; /* until 0: for ever */
	bool latest;          /* to put: it is said now, so a removal in this same second came before */
};

bool suppressline_reason_ok(struct span reason); /* 1 to 32 of a-z, 0-9 and "-" */
bool suppressline_scope_ok(struct span scope);   /* as a stream's name is */
bool suppressline_source_ok(struct span source);

bool suppressline_removed(const struct suppressline *v);
bool suppressline_active(const struct suppressline *v, uint64_t now_s);

/* All of it, without LF.  parse: an address alone is enough, what is missing is as in *out; EX_DATAERR. */
void suppressline_text(const struct suppressline *v, struct buf *out);
int suppressline_parse(struct span line, struct suppressline *out, struct err *e);

/* What stands behind the address, which get() leaves alone. */
void suppressline_put(const struct suppressline *v, struct buf *out);
bool suppressline_get(struct span value, struct suppressline *v);

void suppressline_put_time(struct buf *out, uint64_t s);
bool suppressline_get_time(struct span text, uint64_t *s);
struct span suppressline_field(struct cur *c, bool *more); /* up to the next TAB, which is taken; *more: there was one */

#endif
