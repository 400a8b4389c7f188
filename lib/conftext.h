/* conftext.h - the text of a configuration file, checked before libconfuse sees it.  Pure.
 *
 * libconfuse 3.3 accepts a missing closing brace and an endless comment, lets a repeated key win
 * silently, expands ${VAR}, and counts lines wrongly behind comments.  So: here the grammar is
 * checked, what it would swallow is refused, and what is handed on has its comments blanked out.
 *
 *     file  = *( key "=" value / section )
 *     section = key [ title ] "{" *( key "=" value ) "}"
 *     key, value, title = word / "..." / '...'       with backslash escapes, on one line
 *     comment = "#" or "//" to the end of the line, or between slash-star and star-slash
 */
#ifndef CONFTEXT_H
#define CONFTEXT_H

#include "buf.h"
#include "cur.h"
#include "err.h"

struct conftext_item {     /* spans lent by the text */
	unsigned scope;    /* 0: the file, else the number of the section it stands in */
	unsigned opens;    /* a section: the number of its scope; else 0 */
	unsigned line;
	struct span name;
	struct span title; /* a section's, without its quotes */
};
struct conftext {
	struct buf clean; /* the same lines without comments and CR */
	struct conftext_item *items; /* sorted by scope, name, title, line */
	size_t n;
};

/* EX_CONFIG "FILE:LINE: what".  conftext_free() in any case. */
int conftext_check(struct span text, const char *file, struct conftext *out, struct err *e);
void conftext_free(struct conftext *t);

/* The line of key `name` in section `section` `title` (NULL, NULL: in the file itself), 0: none. */
unsigned conftext_line(const struct conftext *t, const char *section, const char *title,
    const char *name);

#endif
