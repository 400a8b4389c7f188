/* conftext.h - the grammar of a configuration file: what is said where, by lines.  Pure.
 *
 *     file    = *( key "=" value / section )
 *     section = key [ title ] "{" *( key "=" value ) "}"
 *     key, value, title = word / "..." / '...'       on one line
 *     comment = "#" or "//" to the end of the line, or between slash-star and star-slash
 *
 * In quotes a backslash stands before a quote or a backslash that is meant itself.  Between double
 * quotes it takes any other sign that is no letter and no digit likewise, and before those it is an
 * error; between single quotes it is a backslash.  In a word it always is.
 */
#ifndef CONFTEXT_H
#define CONFTEXT_H

#include "arena.h"
#include "cur.h"
#include "err.h"

struct conftext_item {
	unsigned scope;   /* 0: the file, else the number of the section it stands in */
	unsigned opens;   /* a section: the number of its scope; else 0 */
	unsigned line;
	struct span name; /* lent by the text */
	/* A key's value, a section's title, as it is meant, with a NUL behind; p is NULL where a section has none. */
	struct span said;
};
struct conftext {
	struct conftext_item *items; /* in the order of the file: a section, what it holds, the next */
	size_t n;
	struct arena words;
};

/* EX_CONFIG "FILE:LINE: what".  conftext_free() in any case. */
int conftext_check(struct span text, const char *file, struct conftext *out, struct err *e);
void conftext_free(struct conftext *t);

#endif
