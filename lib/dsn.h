/* dsn.h - what a message/delivery-status part says, RFC 3464 and, for UTF-8 addresses, RFC 6533.
 *
 * Pure.  Reads what the world sends: groups without an empty line between them, fields without a
 * type ("Final-Recipient: ann@x"), continuation lines that are not indented, fields in any order
 * and case, several in one part.  What is not there is an empty span.  Folded lines are
 * joined by a blank.  Spans are the arena's.
 */
#ifndef DSN_H
#define DSN_H

#include "arena.h"
#include "cur.h"

#include <stdbool.h>

#define DSN_RCPT_MAX 1000 /* groups; more are counted, not kept */

struct dsn_rcpt {
	struct span final, original;  /* addresses, without type and angle brackets */
	struct span actual;           /* X-Actual-Recipient: where it was forwarded to */
	struct span action;           /* "failed", lower case, comments taken off */
	struct span status;           /* "5.1.1" */
	struct span diagnostic;       /* without its type */
	struct span diagnostic_type;  /* "smtp", lower case */
	struct span remote;           /* Remote-MTA without its type */
	struct span category;         /* X-PowerMTA-BounceCategory */
	struct dsn_rcpt *next;
};

struct dsn {
	struct span reporting;        /* Reporting-MTA without its type */
	struct span arrival, envid;   /* as written */
	struct dsn_rcpt *rcpts;
	size_t n;                     /* of them, with those past the limit */
};

/* text: LF line ends.  True when there was a recipient. */
bool dsn_parse(struct span text, struct arena *a, struct dsn *out);

/* "type; value": the value, trimmed; the type in *type, if not NULL, as written. */
struct span dsn_typed(struct span value, struct span *type);

/* The address of an address field: RFC 3464 2.3.2, RFC 6533 3; also "<ann@x>", "Ann <ann@x>",
 * "utf-8; \x{E4}nn@x".  Empty where there is none in it. */
struct span dsn_address(struct span value, struct arena *a);

/* The first "d.d.d" (RFC 3463) with class 2, 4 or 5 in a text, standing by itself; empty if none. */
struct span dsn_status_in(struct span text);
/* The first SMTP reply code of class 4 or 5 that stands where a reply would begin; 0 if none. */
int dsn_code_in(struct span text);

#endif
