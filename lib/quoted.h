/* quoted.h - what a letter quotes: the lines in it that somebody else wrote, without what sets them off.  Pure.
 *
 * Three ways are known, and the one that begins first counts: lines that begin with '>' or '|', as many as all
 * of them have in common; all that is behind the line or the fields with which mail programs begin a
 * message that is sent on as text ("-------- Forwarded Message --------", "From: ..." and other fields); lines
 * that are further in than the letter's own.  A line or two is no quotation, and ">>>" is a dialogue.
 */
#ifndef QUOTED_H
#define QUOTED_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>

#define QUOTED_LINES 3 /* so many at least are set off alike */

/* text: LF line ends.  True: some of it is quoted: *own gets all other lines, *quoted those.  False: both are
 * empty. */
bool quoted_split(struct span text, struct buf *own, struct buf *quoted);

/* The fields that what is quoted begins with, of the header it had; empty: none.  *body: what is behind them. */
struct span quoted_header(struct span quoted, struct span *body);

/* "Re: ...", "Fwd: ...", in many languages: somebody answers a message, or sends one on. */
bool quoted_answers(struct span subject);
/* The same of a header, LF line ends. */
bool quoted_is_answer(struct span header);

#endif
