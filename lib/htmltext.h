/* htmltext.h - the words of an HTML page, for who looks for words.  Pure.
 *
 * Tags go, blocks begin a line, script and style are left out, the usual entities become what they
 * stand for.  This is no rendering: it is enough for a sentence to be found in one line.
 */
#ifndef HTMLTEXT_H
#define HTMLTEXT_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>

void html_text(struct span html, struct buf *out);
bool html_has_tags(struct span text); /* no: it is HTML by name alone */

#endif
