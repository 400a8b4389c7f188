/* notetext.h - the words of a notice for people, and the file they may be replaced by.  Pure.
 *
 * relaykit-notices(5) is the format: sections [failed], [delayed], [delivered], [digest] and [end],
 * the first four beginning with a line "Subject: ..." and an empty one; {name} is replaced, {{ is a
 * brace.  Nothing in such a file can make a header field or a line that is not text: values come
 * without controls, and a text that is not UTF-8, has a placeholder that is none, lacks a section
 * or its {recipients} is refused with file:line.
 */
#ifndef NOTETEXT_H
#define NOTETEXT_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>

#define NOTETEXT_MAX 65536 /* bytes of a file */
#define NOTETEXT_LINE_MAX 998

enum notetext_part { /* as the sections of the file */
	NOTETEXT_FAILED, NOTETEXT_DELAYED, NOTETEXT_DELIVERED, NOTETEXT_DIGEST, NOTETEXT_END,
	NOTETEXT_PARTS
};

enum notetext_value { /* the placeholders */
	NOTETEXT_RECIPIENTS, /* lines of their own; the others are words */
	NOTETEXT_COUNT, NOTETEXT_SUBJECT, NOTETEXT_DATE, NOTETEXT_SENDER, NOTETEXT_UNTIL,
	NOTETEXT_HOST, NOTETEXT_CONTACT, NOTETEXT_ID,
	NOTETEXT_VALUES
};
struct notetext_values { /* UTF-8; a control in it, or what turns the order of letters, becomes a blank, in
                          * RECIPIENTS all but LF; what is no UTF-8 becomes "?" */
	struct span v[NOTETEXT_VALUES];
};

struct notetext {
	struct buf text; /* ours */
	struct notetext_section {
		bool there;
		struct span subject, body; /* lent by text */
	} parts[NOTETEXT_PARTS];
};

/* The text itself, with LF or CRLF line ends; EX_CONFIG with name:line.  notetext_free() in any case. */
int notetext_parse(struct notetext *t, const char *name, struct span text, struct err *e);
void notetext_free(struct notetext *t);
extern const char notetext_usual[]; /* our own */

/* Appended to out: a subject on one line, a body with LF line ends. */
void notetext_subject(const struct notetext *t, enum notetext_part part,
    const struct notetext_values *v, struct buf *out);
void notetext_body(const struct notetext *t, enum notetext_part part,
    const struct notetext_values *v, struct buf *out);

#endif
