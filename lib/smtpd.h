/* smtpd.h - the server's side of an SMTP conversation, as a state machine: what it knows, what it asks
 * of the world, and the content of messages; smtpdo.h has the commands.  No input or output: bytes of
 * the client go in, replies gather in s->out, and whatever is slow, full or lying - the queue,
 * passwords, counters - is behind struct smtpd_world.  RFC 5321, 6409 and the extensions of esmtp.h.
 *
 *     smtpd_init(&s, &rules, &world);
 *     smtpd_greet(&s);
 *     for (;;) {
 *             send s.out, or wait with it while there is more to feed;
 *             what = smtpd_feed(&s, bytes, &taken);
 *     }
 *
 * Never smuggles: a line ends with CRLF and with nothing else; data with CRLF.CRLF and with nothing
 * else.  A bare CR, a bare LF or a NUL in data refuses the message (or, by the rules, is repaired
 * before it is handed on: CR becomes a space, LF gets its CR; NUL never).  A refused message is read
 * to its real end before it is answered, or until its client stops to wait for an answer: then the two
 * do not agree where it ends, and the connection does.  In a command such a byte ends the connection
 * at once.  Data is handed on with its dots unstuffed.
 */
#ifndef SMTPD_H
#define SMTPD_H

#include "buf.h"
#include "cur.h"
#include "err.h"
#include "esmtp.h"
#include "undot.h"

#include <stdbool.h>
#include <stdint.h>

/* --- what the conversation asks of the world */

/* A verdict: code 0 is yes.  Replies are "code status text"; 421 also ends the connection. */
struct smtpd_verdict {
	int code;
	const char *status;  /* "5.7.1" */
	struct buf text;     /* made safe by the conversation: it may quote what the client said */
};
void smtpd_refuse(struct smtpd_verdict *v, int code, const char *status, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

enum smtpd_auth_is {      /* like enum sasl_is, whose replies they get */
	SMTPD_AUTH_MORE,  /* challenge goes out behind 334 */
	SMTPD_AUTH_YES, SMTPD_AUTH_NO, SMTPD_AUTH_BAD, SMTPD_AUTH_CANCELLED, SMTPD_AUTH_LATER,
	SMTPD_AUTH_UNKNOWN /* 504: no such mechanism here */
};

struct smtpd;

struct smtpd_world {
	void *arg;

	/* Before the greeting. */
	void (*connect)(void *arg, struct smtpd_verdict *v);

	/* The names for EHLO's AUTH line, a space between two; nothing: AUTH is not offered. */
	void (*auth_offer)(void *arg, struct buf *out);
	/* name: the mechanism; has_line: an initial response is in line, as base64 or "=". */
	enum smtpd_auth_is (*auth_begin)(void *arg, struct span name, struct span line,
	    bool has_line, struct buf *challenge);
	enum smtpd_auth_is (*auth_step)(void *arg, struct span line, struct buf *challenge);
	void (*auth_end)(void *arg); /* the exchange is over, or given up */

	/* May it?  The address as addr_put() gives it, "" for <>. */
	void (*mail)(void *arg, const struct esmtp_mail *m, struct span sender,
	    struct smtpd_verdict *v);
	void (*rcpt)(void *arg, const struct esmtp_rcpt *r, struct span rcpt,
	    struct smtpd_verdict *v);

	/* Content comes: the transaction is s->mail and s->rcpts.  Once a verdict is no, here, in
	 * content() or in end(), what follows is read and thrown away, and abandon() is called. */
	void (*begin)(void *arg, struct smtpd_verdict *v);
	void (*content)(void *arg, const void *p, size_t n, struct smtpd_verdict *v);
	/* With code 0 the message is on stable storage; id is told to the client. */
	void (*end)(void *arg, struct buf *id, struct smtpd_verdict *v);
	void (*abandon)(void *arg);

	/* XCLIENT from a listed front end; NULL: not offered. */
	void (*xclient)(void *arg, struct span args, struct smtpd_verdict *v);

	uint64_t (*now_s)(void *arg); /* since 1970 */
};

/* --- the rules of a listener */

struct smtpd_rules {
	const char *hostname;
	uint64_t max_size;       /* bytes of a message */
	uint32_t max_rcpts;      /* of a message; more are 452 4.5.3 */
	uint32_t max_messages;   /* of a connection; 0: any */
	uint32_t max_errors;     /* commands refused before 421 */
	uint32_t max_idle;       /* commands in a row that send no mail before 421 */
	uint64_t max_hold_s;     /* FUTURERELEASE; 0: not offered */
	bool starttls;           /* offered, while there is none yet */
	bool need_tls;           /* 530 5.7.0 to all but EHLO, NOOP, STARTTLS, QUIT */
	bool need_auth;          /* 530 5.7.0 to MAIL */
	bool repair;             /* bare CR and bare LF in data, and LF as the end of a command */
};

/* --- the conversation */

#define SMTPD_LINE_MAX 12288 /* RFC 4954 4; RFC 5321 4.5.3.1.4 says 512 and its extensions add to it */

enum smtpd_next {
	SMTPD_READ,   /* needs more input, or there is more to feed */
	SMTPD_SECURE, /* send out, shake hands, smtpd_secured(); input at hand is none of ours */
	SMTPD_CLOSE   /* send out and close */
};

enum smtpd_at { SMTPD_AT_COMMAND, SMTPD_AT_AUTH, SMTPD_AT_DATA, SMTPD_AT_BDAT, SMTPD_AT_END };

struct smtpd_rcpt {
	size_t at, n;                  /* in rcpt_text: the address */
	size_t notify_n, orcpt_n;      /* behind it: the values of NOTIFY and ORCPT */
};

struct smtpd {
	const struct smtpd_rules *rules;
	const struct smtpd_world *world;
	struct buf out;
	enum smtpd_at at;
	/* the client */
	struct buf helo;
	bool ehlo, tls;
	struct buf user;         /* by AUTH; empty: nobody.  Set by the world before SMTPD_AUTH_YES */
	bool trusted;            /* set by the world: a listed network, need_auth is fulfilled */
	uint32_t errors, idle, messages;
	/* the transaction */
	bool open;               /* MAIL was accepted */
	struct esmtp_mail mail;  /* its spans are lent by mail_line */
	struct buf sender, mail_line;
	struct smtpd_rcpt *rcpts;
	size_t n_rcpts, cap_rcpts;
	struct buf rcpt_text;
	bool bdat;               /* it was begun by BDAT */
	/* content */
	bool begun;              /* world->begin() was called and not ended */
	uint64_t bytes;          /* of content so far */
	uint64_t chunk;          /* of BDAT: still to come */
	bool last;
	struct undot undot;
	struct smtpd_verdict verdict; /* on the content */
	struct buf line, piece;  /* a command that is not whole; content without its dots */
	bool skipping;           /* the rest of a line that is too long */
	bool cr;                 /* its last byte so far was CR */
	bool hurry;              /* out has a message's 250, which leaves before more is fed; the
	                          * caller's to clear: a crash must not make two messages of many doubtful */
};

void smtpd_init(struct smtpd *s, const struct smtpd_rules *r, const struct smtpd_world *w);
void smtpd_free(struct smtpd *s);

/* 421 for a reason of the caller's: "4.4.2", "timeout".  What was under way is abandoned. */
void smtpd_end(struct smtpd *s, const char *status, const char *text);
/* How long the client may be silent, in the caller's unit: `soon` where it is not to be waited for. */
int64_t smtpd_patience(const struct smtpd *s, int64_t usual, int64_t soon);
void smtpd_late(struct smtpd *s); /* it was silent for so long: the last reply */
/* The i-th recipient of the transaction, for begin(). */
struct span smtpd_rcpt_addr(const struct smtpd *s, size_t i);
struct span smtpd_rcpt_notify(const struct smtpd *s, size_t i);
struct span smtpd_rcpt_orcpt(const struct smtpd *s, size_t i);

/* --- for smtpdo.c */

enum smtpd_next smtpd_reply(struct smtpd *s, int code, const char *status, const char *text);
enum smtpd_next smtpd_wrong(struct smtpd *s, int code, const char *status, const char *text);
enum smtpd_next smtpd_wrong_verdict(struct smtpd *s, struct smtpd_verdict *v); /* and frees it */
void smtpd_forget(struct smtpd *s); /* the transaction */
void smtpd_begin(struct smtpd *s, bool dots); /* its content; s->verdict says whether it may */
enum smtpd_next smtpd_feed_data(struct smtpd *s, struct span in, size_t *taken);
enum smtpd_next smtpd_feed_bdat(struct smtpd *s, struct span in, size_t *taken);
enum smtpd_next smtpd_end_chunk(struct smtpd *s);

#endif
