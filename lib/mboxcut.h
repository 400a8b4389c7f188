/* mboxcut.h - where the messages of an mbox in memory end, and which of their lines were changed to
 * be in it.  Pure.
 *
 * A message begins with a line "From " at the very beginning or behind an empty line.  In one that came as
 * mboxrd each line of ">"s and "From " had one ">" less.
 */
#ifndef MBOXCUT_H
#define MBOXCUT_H

#include "cur.h"

#include <stdbool.h>

/* Whether a message begins at p, of the mbox from start to end. */
bool mboxcut_begins(const char *p, const char *end, const char *start);
/* Where the message that begins at p ends: at the next one, or at the end.  *quoted: one of its lines
 * begins with ">". */
const char *mboxcut_end(const char *p, const char *end, const char *start, bool *quoted);

/* The ">" of the first such line that is not at the beginning of s; NULL: there is none. */
const char *mboxcut_quoted(struct span s);

#endif
