/* dnscache.h - answers by name and type, shared by threads: each is asked for once, and remembered
 * for its TTL, or for a moment where it was a failure (RFC 2308 5, 7).
 *
 * Whoever is told DNSCACHE_ASK asks, and puts the answer; others who want the same wait for it.
 */
#ifndef DNSCACHE_H
#define DNSCACHE_H

#include "answers.h"

#include <stdint.h>

struct dnscache;
struct dnscache *dnscache_new(void);
void dnscache_del(struct dnscache *c);

#define DNSCACHE_MOST 65536   /* answers; past that the older half is forgotten */
#define DNSCACHE_BYTES (32 << 20) /* likewise: whoever owns a zone says how large its answers are */
#define DNSCACHE_FAILURE_S 5  /* for so long a server that failed is not asked the same again */
#define DNSCACHE_TTL_MAX_S 86400

enum dnscache_is {
	DNSCACHE_KNOWN, /* it is in out, its TTL what is left */
	DNSCACHE_ASK,   /* yours to ask; dnscache_put() or dnscache_drop() in any case */
	DNSCACHE_LATE   /* another is asking, and the deadline is over */
};
/* type: any number beside those of answers.h, too. out is empty before. */
enum dnscache_is dnscache_get(struct dnscache *c, const char *name, unsigned type, int64_t now_ms,
    int64_t deadline_ms, struct answers *out);
void dnscache_put(struct dnscache *c, const char *name, unsigned type, int64_t now_ms,
    const struct answers *a);
/* Nothing was found out: whoever waits for it asks. */
void dnscache_drop(struct dnscache *c, const char *name, unsigned type);

#endif
