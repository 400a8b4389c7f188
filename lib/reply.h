/* reply.h - what an SMTP server says: replies, enhanced status codes, EHLO keywords.
 *
 * Pure: bytes in, values out.  RFC 5321 4.2, RFC 2034/3463 (enhanced codes),
 * RFC 5321 4.1.1.1 (EHLO response).  A reply's text may hold any byte but CR,
 * LF and NUL; whoever prints it escapes it.
 */
#ifndef REPLY_H
#define REPLY_H

#include "buf.h"
#include "cur.h"
#include "err.h"
#include "mech.h"

#include <stdbool.h>
#include <stdint.h>

#define REPLY_LINE_MAX 4096   /* RFC 5321 4.5.3.1.5 says 512; the world is sloppy, up to here */
#define REPLY_MAX 65536       /* all lines of one reply; more is a fault of the peer */

struct reply_line {
	int code;         /* 200 to 599 */
	bool last;        /* no "-" after the code */
	struct span text; /* borrowed from the cursor's bytes */
};

/* One line of a reply: Reply-code ( "-" / [ SP ] ) [ textstring ] CRLF    RFC 5321 4.2
 * EX_PROTOCOL where it is not one.  Needs the whole line in the cursor. */
int reply_line(struct cur *c, struct reply_line *out, struct err *e);

struct reply {
	int code;        /* 0: no reply (connection lost, timed out) */
	char status[12]; /* enhanced status code "5.1.1", "" where the reply has none */
	struct buf text; /* lines joined by LF, enhanced code taken off; not NUL-safe for C strings */
};
#define REPLY_INIT {0, "", BUF_INIT}

/* Adds a line: a code other than the first line's is EX_PROTOCOL; over REPLY_MAX likewise. */
int reply_add(struct reply *r, const struct reply_line *line, struct err *e);
void reply_clear(struct reply *r); /* keeps the storage */
void reply_free(struct reply *r);

/* What a server that we can talk to offers, RFC 5321 4.1.1.1 and the extensions' RFCs. */
struct ehlo {
	bool pipelining, chunking, eightbitmime, smtputf8, dsn, starttls, enhanced, binarymime;
	bool auth_known;   /* AUTH, RFC 4954, whatever it names */
	unsigned auth;     /* the mechanisms of it that we know */
	bool requiretls, deliverby, mt_priority; /* RFC 8689, 2852, 6710 */
	bool size_known;
	uint64_t size;     /* RFC 1870; 0 with size_known: no fixed limit */
	uint64_t rcpt_max; /* LIMITS RCPTMAX, RFC 9422; 0: not said */
	uint64_t mail_max; /* LIMITS MAILMAX; 0: not said */
};
void ehlo_parse(struct ehlo *h, const struct reply *r); /* zeroes h, then all lines after the first */

/* Seconds the peer asks us to wait ("try again in 300 seconds", "retry in 5 minutes"); 0: none. */
uint32_t reply_wait_hint(struct span text);

#endif
