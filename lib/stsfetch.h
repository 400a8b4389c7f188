/* stsfetch.h - a domain's MTA-STS policy as it is now: the TXT record, what is remembered, HTTPS.
 *
 * RFC 8461 3.1, 3.3, 5.1.  What is remembered and valid is used while the record has the same id, and
 * where no better can be had; it is fetched anew when the id is another, and when it is a day old.
 */
#ifndef STSFETCH_H
#define STSFETCH_H

#include "answers.h"
#include "err.h"
#include "stsfile.h"

#include <stdbool.h>
#include <stdint.h>

#define STSFETCH_MS 60000 /* for one domain, RFC 8461 3.3 */

struct stsfetch {
	const struct asker *dns;
	const char *ca_file;    /* NULL: the system's */
	const char *connect_to; /* as in https.h */
	int state_dir;          /* -1: nothing is remembered */
	bool refresh;           /* fetched in any case where there is a record */
	uint64_t now_s;
	int64_t deadline_ms;
};

enum stsfetch_how { STSFETCH_KNOWN, STSFETCH_FETCHED, STSFETCH_FAILED };

/* domain: lower-case A-labels.  0: *f has a policy that is valid; with STSFETCH_FAILED it is what was
 * remembered, and *f and e say why there is no newer.  EX_UNAVAILABLE: the domain has none; EX_TEMPFAIL
 * and EX_DATAERR: it cannot be had now, or is none.  *f is the caller's to drop, and to save where *how is
 * not STSFETCH_KNOWN; NULL where there is nothing to remember. */
int stsfetch(const struct stsfetch *w, const char *domain, struct stsfile **f, enum stsfetch_how *how,
    struct err *e);

#endif
