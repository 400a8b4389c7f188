/* vet.h - what an entry must satisfy that another user than the queue's owner has put there.  Pure.
 *
 * smtp-submit makes no other; but whoever is a member of the submitters' group can write into
 * new/ by hand.  So nothing of such an entry is believed before it has been looked at: the
 * addresses are addresses, the name says what the envelope says, and the lines of the content
 * end in CRLF and nothing else does (a bare CR or LF ends a message for some servers).
 */
#ifndef VET_H
#define VET_H

#include "entry.h"
#include "err.h"

#include <stdbool.h>

/* EX_DATAERR: the name, the head and the envelope do not belong together, or an address is none. */
int vet_envelope(const struct entry_name *n, const struct entry_head *h, const struct envelope *v,
    struct err *e);

struct vet { /* zeroed to begin; over all of the content, in pieces */
	bool cr; /* the last byte was one */
};
bool vet_content(struct vet *v, struct span piece); /* false: NUL, bare CR or bare LF */

#endif
