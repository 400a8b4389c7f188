/* sysexit.h - what the end of a program says about the message that it was given.  Pure.
 *
 * The codes of sysexits(3) and of qmail-command(8).  Those that speak of this machine - it was called
 * wrongly, cannot be configured, has no room, has a bug - are no fault of a recipient: they are temporary,
 * and so is every code that is neither's, and every signal.
 *
 *     0 99                     delivered
 *     100 112 65 67 68 69 76 77    failed
 *     111 64 66 70-75 78, others   deferred
 *
 * What it prints are its words.  Where they begin with an enhanced status code (RFC 3463) of the same
 * class, as in "5.2.2 mailbox full", that is the status.
 */
#ifndef SYSEXIT_H
#define SYSEXIT_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>

struct sysexit {
	enum sysexit_is { SYSEXIT_DELIVERED, SYSEXIT_DEFERRED, SYSEXIT_FAILED } is;
	char status[12];
	struct buf text; /* lines joined by LF, no control characters; never empty */
};

/* status: as wait(2) gives it; late: its time was over when it ended. */
void sysexit_judge(struct sysexit *s, int status, bool late, struct span printed);
/* Not the program said it, but who was to start it. */
bool sysexit_not_started(int status);
void sysexit_free(struct sysexit *s);

#endif
