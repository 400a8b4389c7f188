/* batch.h - batch SMTP: a stream of commands and messages that nobody answers, sendmail -bS.
 *
 * HELO, EHLO, LHLO, MAIL, RCPT, DATA, RSET, NOOP, VRFY, QUIT and comments ("#") as RFC 5321 and its extensions
 * write them, lines ended by LF or CRLF.  MAIL takes SIZE, BODY, SMTPUTF8, RET, ENVID (RFC 3461), HOLDFOR,
 * HOLDUNTIL (RFC 4865) and AUTH (RFC 4954; like AUTH=<>); RCPT takes NOTIFY and ORCPT.  Each message has one
 * result, in the order of the input: it was queued for all its recipients or for none.  An error in one
 * does not end the batch.
 *
 * Messages are linked as they come and synced together: before a read that would block, at
 * BATCH_GROUP messages, or BATCH_MS after the first of them.  Results follow the sync.
 */
#ifndef BATCH_H
#define BATCH_H

#include "submit.h"

#define BATCH_GROUP 256
#define BATCH_MS 50
#define BATCH_LINE_MAX 4096 /* RFC 5321 4.5.3.1.4 says 512, its extensions add to it */

struct batch_result {
	int code;            /* 250, or what a server would have replied */
	const char *status;  /* "2.0.0" */
	struct span text;    /* why it was refused */
	struct span ids;     /* of its entries, a space between two */
	size_t rcpts;
};

struct batch {
	struct submit *submit;
	struct intake *in;
	struct submit_msg m;  /* name, stream, tag, hold_until_s are those of all messages */
	int (*result)(void *arg, const struct batch_result *r, struct err *e);
	int (*synced)(void *arg, struct err *e); /* behind the last result of a group */
	void *arg;
	size_t queued, refused, deferred; /* messages so far */
	/* inside */
	struct buf sender, params;
	bool open;            /* a transaction is */
	int code;             /* of its refusal, 0: none */
	const char *status;
	struct buf text;
	bool unknown;         /* garbage outside of transactions was told */
	struct batch_pending *pending;
	size_t n, cap;
	int64_t since_ms;
};

/* A result as a line for a person, or as a JSON object; without its LF. */
void batch_text(const struct batch_result *r, bool json, struct buf *out);

/* Until QUIT or the end of input. Non-zero only where no more can be read or told. */
int batch_run(struct batch *b, struct err *e);

#endif
