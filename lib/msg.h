/* msg.h - the header section of a message: its fields, found and changed.  Pure.
 *
 * RFC 5322 2.2 and 3.6.  Works on a header section in memory (the body never is).
 */
#ifndef MSG_H
#define MSG_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>

#define MSG_LINE_MAX 998 /* RFC 5322 2.1.1, without CRLF */

struct msg_field {
	struct span name;  /* without the colon and what stands before it */
	struct span value; /* behind the colon, folding and its last line end included */
	struct span whole; /* all of it, last line end included */
};

/* Whether a line without its line end belongs to a header section: a field's first, or, where it is
 * not the section's first, one that is folded onto it. */
bool msg_header_line(struct span line, bool first);

/* The next field at the cursor, CRLF or LF line ends, folded lines included.  False at the
 * empty line, at the end, and at a line that is no field (*bad then). */
bool msg_field(struct cur *c, struct msg_field *f, bool *bad);

/* The next field, however much that is none stands before it; false at the end. */
bool msg_next(struct cur *c, struct msg_field *f);

/* The first field of that name in a header section, from the top; false if none. */
bool msg_find(struct span header, const char *name, struct msg_field *f);

#endif
