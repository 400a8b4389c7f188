/* trap.h - the conversation of a mail sink: SMTP's server side, taking everything, sending
 * nothing on, and misbehaving where rules or a recipient's local part (trapwish.h) ask for it.
 *
 * Pure: bytes and the time in; replies, lent content and events out.  The caller reads, calls
 * trap_step() until it says TRAP_MORE, writes t->out, and does what the events say:
 *
 *     while ((what = trap_step(&t, rest, &used, now_ms)) != TRAP_MORE) ...
 *
 * Strict where a sender's faults should show: commands and content need CRLF, only CRLF.CRLF ends
 * DATA (RFC 5321 4.1.1.4, 2.3.8), parameters must have been offered.
 */
#ifndef TRAP_H
#define TRAP_H

#include "buf.h"
#include "cur.h"
#include "trapworld.h"

#include <stdbool.h>
#include <stdint.h>

#define TRAP_LINE_MAX 4096       /* a command; RFC 5321 4.5.3.1.4 asks for 512 and parameters */
#define TRAP_ERRORS_MAX 50       /* then 421: this is not SMTP */
#define TRAP_REFUSED_MAX 100000  /* recipients of a transaction that are remembered, though refused */

/* What is offered and what goes wrong; read only, shared by all connections. */
struct trap_rules {
	const char *name; /* of this server */
	bool no_ehlo, no_pipelining, no_chunking, no_8bitmime, no_smtputf8, no_dsn, no_size;
	bool no_enhanced; /* neither the keyword nor the codes */
	bool starttls;
	bool always_354; /* DATA is answered 354 though no recipient was accepted (RFC 2920 3.1) */
	unsigned defer_percent, reject_percent; /* of the recipients */
	uint64_t size_limit;
	uint64_t max_messages; /* a connection, then 421; 0: no end */
	size_t max_recipients; /* a transaction, then 452 4.5.3 */
};

struct trap_rcpt {
	size_t at, n, params_n; /* in text: address, then parameters */
	int code;               /* what it was answered */
};

enum trap_event {
	TRAP_MORE,     /* nothing left to do: more bytes are needed */
	TRAP_CONTENT,  /* t->content: a piece, lent by the bytes given, dots removed */
	TRAP_MESSAGE,  /* all of the content is here: call trap_answer() */
	TRAP_RESET,    /* a transaction ends without a message; its data stay until the next step */
	TRAP_SLOW,     /* what stands in t->out from slow_from on is to wait slow_ms */
	TRAP_STARTTLS, /* send t->out, throw away what else came, shake hands, trap_secured() */
	TRAP_QUIT,     /* send t->out, close */
	TRAP_CLOSE,    /* the same, but the peer may not expect it */
	TRAP_DROP,     /* close without a word for the last command */
	TRAP_BREAK,    /* the same, by bytes that are not TLS */
	TRAP_NEXT,     /* never seen outside: one command is done */
};

struct trap {
	const struct trap_rules *rules;
	struct trapworld *world;
	struct buf out; /* replies to be sent; the caller removes them */

	struct buf helo;   /* "EHLO name", "" before it */
	uint64_t messages; /* accepted in this connection */

	/* the transaction */
	struct buf text; /* sender, its parameters, then the recipients */
	size_t mail_n, mail_params_n;
	struct trap_rcpt *rcpt;
	size_t n_rcpt, room_rcpt, accepted;
	uint64_t size;
	const char *fault; /* why the content is refused, NULL: it is not */
	struct span content;
	size_t slow_from;
	int64_t slow_ms;
	int code;  /* the reply to the content; 0: none yet, or none at all */
	bool open; /* MAIL was accepted */
	bool bdat; /* the content came by BDAT */
	bool tls;

	/* for trap.c alone */
	bool ehlo, utf8, over, more, mid_line, after_cr, bare, last;
	enum { TRAP_AT_COMMAND, TRAP_AT_LONG_LINE, TRAP_AT_DATA, TRAP_AT_BDAT, TRAP_AT_END } at;
	unsigned errors;
	uint64_t chunk; /* bytes of BDAT still to come */
	struct { int code; char status[12]; int64_t slow_ms; bool drop_data, drop_dot; } wish;
};
#define TRAP_INIT {.out = BUF_INIT, .helo = BUF_INIT, .text = BUF_INIT}

/* Says the greeting.  The storage is the caller's, TRAP_INIT or used before. */
void trap_init(struct trap *t, const struct trap_rules *rules, struct trapworld *world);
void trap_free(struct trap *t);

enum trap_event trap_step(struct trap *t, struct span in, size_t *used, int64_t now_ms);

/* The reply to the content: what rules and wishes say, or 452 where it could not be kept.
 * TRAP_MORE: go on; TRAP_SLOW, TRAP_DROP as above.  t->code tells; data stay until the next step. */
enum trap_event trap_answer(struct trap *t, bool kept);
bool trap_accepts(const struct trap *t); /* at TRAP_MESSAGE: it would be answered 250 */

void trap_secured(struct trap *t); /* hands are shaken: all is forgotten, RFC 3207 4.2 */

/* 421 with this text, for a caller who closes: too many connections, a timeout. */
void trap_refuse(struct trap *t, const char *status, const char *text);

/* Parts of the transaction, lent until the next step. */
struct span trap_sender(const struct trap *t);
struct span trap_sender_params(const struct trap *t);
struct span trap_rcpt(const struct trap *t, size_t i);
struct span trap_rcpt_params(const struct trap *t, size_t i);

#endif
