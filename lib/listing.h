/* listing.h - waiting messages as text: for people, for mailq's readers, for machines.
 *
 * Each function appends whole lines to out.  What came from outside is escaped, as prog_escape
 * and json.h do it.
 */
#ifndef LISTING_H
#define LISTING_H

#include "buf.h"
#include "journal.h"
#include "taken.h"

#include <stdbool.h>
#include <stdint.h>

/* By the name alone: id, state, due, size, stream, domain, joined by TAB; or one JSON object. */
void listing_brief(struct buf *out, enum queue_place place, const struct entry_name *n);
void listing_brief_json(struct buf *out, enum queue_place place, const struct entry_name *n);

/* id, state, accepted, due, size, stream, attempts, sender, recipients still open, last reply. */
void listing_line(struct buf *out, const struct queue_entry *t, const struct journal *j);

/* postqueue -j's members and ours. */
void listing_json(struct buf *out, const struct queue_entry *t, const struct journal *j);

/* As Postfix's mailq prints it with long queue ids, in local time. */
void listing_mailq_head(struct buf *out);
void listing_mailq(struct buf *out, const struct queue_entry *t, const struct journal *j);
void listing_mailq_foot(struct buf *out, uint64_t messages, uint64_t bytes);

/* Envelope, state of each recipient, journal; without the headers. */
void listing_show(struct buf *out, const struct queue_entry *t, const struct journal *j);

/* "451 4.3.0 text" of a reply, as it came: not escaped. */
void listing_reply(struct buf *out, const struct journal_reply *r);

/* "2026-11-22T10:00:00Z" */
void listing_time(struct buf *out, uint64_t s);
void listing_json_time(struct buf *out, const char *key, uint64_t s); /* a member; none for 0 */

#endif
