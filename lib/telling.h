/* telling.h - what happens to an entry, as event lines (events.h): what its name and envelope say.
 *
 * All of them may be called with events NULL, which swallows all.
 */
#ifndef TELLING_H
#define TELLING_H

#include "events.h"
#include "taken.h"

/* v with the entry's id, sender, stream, tag and size, and its time in the queue. */
void tell_entry(struct events *events, const struct queue_entry *t, struct event v);
/* One line a recipient. Whoever first touches an entry says that it was accepted; submitters cannot. */
void tell_accepted(struct events *events, const struct queue_entry *t);
/* What was set aside: the id of its name, where that is an entry's, is all there is. */
void tell_damaged(struct events *events, const char *name, const struct err *why);

#endif
