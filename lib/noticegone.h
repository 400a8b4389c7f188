/* noticegone.h - which notices, there before this run, it has delivered.
 *
 * After a power cut a notice may lie in new/ although it has been delivered, and the entry that it tells
 * of not know that it was told.  Whichever of the two a run comes to first: delivered once more is enough.
 * Threads share it.
 */
#ifndef NOTICEGONE_H
#define NOTICEGONE_H

#include "entry.h"

#include <stdbool.h>

struct noticegone;

struct noticegone *noticegone_new(void);
void noticegone_del(struct noticegone *g); /* NULL is fine */

/* id: of an entry from nobody; it is kept where it is older than g. */
void noticegone_add(struct noticegone *g, const char id[ENTRY_ID]);
bool noticegone_has(struct noticegone *g, const char id[ENTRY_ID]);

#endif
