/* resolve.h - an asker over the DNS, over a file of keys, or over the DNS with an overlay.
 *
 * What was answered once is remembered for the life of the struct, failures too: a message with
 * fifty signatures of one dead domain waits for it once.  One thread each.
 *
 * keys: nothing but the file is asked; a name that it does not have does not exist, and no
 * question leaves the machine.  overlay: its records take the place of the DNS's for that name and
 * type, as if they were published; all else comes from the DNS.  Both files as zonetext.h says.
 */
#ifndef RESOLVE_H
#define RESOLVE_H

#include "answers.h"
#include "err.h"

#include <stdint.h>

#define RESOLVE_CACHE_MAX 4096   /* answers remembered; further ones are asked for again */
#define RESOLVE_QUESTION_MS 5000 /* of one question, unless set otherwise */

struct resolve;

struct resolve_from {
	const char *servers; /* as dns_open() takes them; NULL: /etc/resolv.conf */
	const char *keys;    /* files; NULL: none */
	const char *overlay;
	int64_t question_ms; /* 0: RESOLVE_QUESTION_MS */
};
/* EX_NOINPUT, EX_DATAERR for the files; EX_USAGE for keys and overlay together; as dns_open(). */
int resolve_open(struct resolve **r, const struct resolve_from *from, struct err *e);
void resolve_close(struct resolve *r);

/* No question waits past this time of io_now_ms(): what is asked later has timed out. */
void resolve_deadline(struct resolve *r, int64_t deadline_ms);

const struct asker *resolve_asker(struct resolve *r); /* as long as r lives */

#endif
