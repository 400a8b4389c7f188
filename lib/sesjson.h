/* sesjson.h - what Amazon SES tells by SNS instead of by a DSN: a JSON object in the text of a message.
 *
 * Pure.  The notification contents of the SES developer guide: notificationType (or eventType)
 * Bounce and Complaint.  Spans are the arena's.
 */
#ifndef SESJSON_H
#define SESJSON_H

#include "arena.h"
#include "arf.h"
#include "cur.h"
#include "dsn.h"

enum sesjson_is { SESJSON_NONE, SESJSON_BOUNCE, SESJSON_COMPLAINT };

/* text: where such an object may stand.  A bounce fills dsn, a complaint arf. */
enum sesjson_is sesjson_parse(struct span text, struct arena *a, struct dsn *dsn, struct arf *arf);

#endif
