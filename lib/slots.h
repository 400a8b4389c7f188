/* slots.h - what deliverers that run beside each other share about one site.
 *
 * One small file a site, state/sites/NAME.  Byte 0 is locked to read or write the learned pace (one line,
 * pace_text); a moment's work, and who cannot have it within another reads without it or writes nothing,
 * for its holder may have been stopped; each byte from 1 on is a connection's slot, locked while the
 * connection lasts.  The kernel lets go when a process dies.  One struct a
 * process and site, under the caller's lock.
 *
 * Where there is a rate, state/sites/NAME,rate says when the next message would be due if none were
 * early: 20 digits, microseconds since 1970.  No file of its own would do: a line's age counts.
 */
#ifndef SLOTS_H
#define SLOTS_H

#include "err.h"
#include "pace.h"

#include <stdbool.h>
#include <stdint.h>

struct slots {
	int fd;
	bool *held;
	uint32_t n;
};
#define SLOTS_INIT {-1, NULL, 0}
#define SLOTS_NONE UINT32_MAX /* for a connection that has none: never taken */

int slots_open(struct slots *s, int state_dir, const char *site, struct err *e);
void slots_close(struct slots *s); /* lets all go */
bool slots_known(int state_dir, const char *site); /* whether there is a file: slots_open() makes one */

/* One of `limit` slots, if there is one that nobody holds; false otherwise. */
bool slots_take(struct slots *s, uint32_t limit, uint32_t *which);
void slots_give(struct slots *s, uint32_t which);

/* One message more at a rate, of all runs: *wait_us is 0 where it may go now, which then is counted,
 * else how long not.  At once go as many as struct pace allows: one second's worth, or one. */
int slots_rate(int state_dir, const char *site, uint32_t rate_per_min, uint64_t now_us,
    uint64_t *wait_us, struct err *e);

/* Nothing here waits longer than SLOTS_LOCK_MS. */
#define SLOTS_LOCK_MS 10
bool slots_load(struct slots *s, struct pace *p, int64_t now_ms); /* false: nothing known */
int slots_save(struct slots *s, const struct pace *p, int64_t now_ms, struct err *e);

#endif
