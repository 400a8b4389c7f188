/* trapwish.h - what a recipient's local part asks smtp-trap to do with it.
 *
 *     wish = ("reject-" 5yz / "defer-" 4yz / "multiline-" (2yz / 4yz / 5yz)) [ "-" status ]
 *          / "data-reject-" 5yz [ "-" status ] / "data-defer-" 4yz [ "-" status ]
 *          / ("slow-" / "data-slow-") 1*DIGIT ("ms" / "s") / "greylist-" 1*DIGIT
 *          / "drop-at-rcpt" / "drop-after-data" / "drop-after-dot"
 *          / "421-at-rcpt" / "toomany" / "tls-fail"
 *     local-part = wish [ "+" anything ]
 *
 * "+" and what follows makes many recipients with one wish.  Letters without case.  Pure.
 */
#ifndef TRAPWISH_H
#define TRAPWISH_H

#include "cur.h"

#include <stdbool.h>
#include <stdint.h>

#define TRAPWISH_WAIT_MAX_MS 86400000 /* a day */

enum trapwish_what {
	TRAPWISH_NONE,      /* an ordinary recipient: accepted */
	TRAPWISH_REPLY,     /* this code, to RCPT or (at_data) to the content */
	TRAPWISH_SLOW,      /* accepted, after wait_ms; at_data: the content is */
	TRAPWISH_MULTILINE, /* this code, in three lines */
	TRAPWISH_GREYLIST,  /* 451 until wait_ms after the first time */
	TRAPWISH_DROP_RCPT, /* closed without a word, at RCPT */
	TRAPWISH_DROP_DATA, /* ... at DATA or the first BDAT */
	TRAPWISH_DROP_DOT,  /* ... when all of the content has come */
	TRAPWISH_421,       /* 421 and closed, at RCPT */
	TRAPWISH_TLS_FAIL,  /* within TLS, bytes that are not TLS; in clear, accepted */
};

struct trapwish {
	enum trapwish_what what;
	bool at_data;
	int code;
	struct span status; /* enhanced status code; lent by the local part, or a constant */
	int64_t wait_ms;
};

struct trapwish trapwish_of(struct span local);

#endif
