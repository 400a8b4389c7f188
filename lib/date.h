/* date.h - dates as mail and logs write them.  Pure: the time and zone are arguments. */
#ifndef DATE_H
#define DATE_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>
#include <stdint.h>

void date_rfc5322(struct buf *out, int64_t unix_s, int zone_minutes); /* "Sun, 22 Nov 2026 10:00:00 +0000" */
/* Whether a Date field says so, or in one of the obsolete ways (4.3): folded, with comments, two digits of the
 * year, a zone's name.  The day of the week must be the day's. */
bool date_rfc5322_ok(struct span value);
void date_iso(struct buf *out, uint64_t unix_us);      /* "2026-11-22T10:00:00.123Z", UTC */
void date_hour(char out[11], uint64_t unix_s);         /* "2026112210", UTC: a bucket's name */
bool date_hour_parse(struct span name, uint64_t *unix_s); /* its first second */
void date_day(char out[9], uint64_t unix_s);           /* "20261122" */
bool date_iso_parse(struct span text, uint64_t *unix_s); /* "YYYY-MM-DDTHH:MM:SS[.fff](Z|+hh:mm)" */

#endif
