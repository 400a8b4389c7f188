/* smtp.h - the client's side of SMTP and LMTP: transaction after transaction over a session.
 *
 * Straight-line and blocking, with the deadlines of RFC 5321 4.5.3.2.  Extensions used
 * where offered: PIPELINING (2920), SIZE (1870), 8BITMIME (6152), CHUNKING (3030), DSN (3461),
 * ENHANCEDSTATUSCODES (2034), SMTPUTF8 (6531), STARTTLS (3207), LIMITS (9422), and for messages that
 * ask for it REQUIRETLS (8689), DELIVERBY (2852), MT-PRIORITY (6710).  Over LMTP (2033) each recipient
 * that was taken has a final reply of its own.
 *
 * One struct smtp belongs to one thread.  What a transaction did is told a
 * recipient; the journal, the queue and the log are the caller's.
 */
#ifndef SMTP_H
#define SMTP_H

#include "entry.h"
#include "session.h"

#include <stdbool.h>
#include <stdint.h>

enum smtp_is {
	SMTP_UNDECIDED, /* nothing was said about it: the connection ended before */
	SMTP_DELIVERED, /* the final reply was 2xx */
	SMTP_DEFERRED,  /* 4xx, or trouble that may pass */
	SMTP_FAILED,    /* 5xx, or cannot be done at this server */
	SMTP_AGAIN      /* too many for one transaction: send it in another, at once */
};

struct smtp_rcpt {
	struct span addr, params; /* in: local@domain; "NOTIFY=... ORCPT=..." or empty */
	enum smtp_is is;          /* out */
	int code;                 /* 0: we say so, not the peer */
	char status[12];          /* enhanced status code, "" where there is none */
	struct buf text;
	bool at_rcpt;    /* it was refused by itself, at RCPT */
	bool needs_utf8; /* its local part has a byte over 127 */
	uint32_t number; /* in: which of the queue entry's it is; for local.h */
	bool again;      /* in: an earlier attempt may have brought it the message; likewise */
};

struct smtp_mail {
	struct span id;      /* of the queue's entry; for local.h */
	struct span sender, params; /* sender empty: <>; params "RET=... ENVID=..." */
	bool notice;         /* its sender was null before a route put one in its place */
	struct smtp_rcpt *rcpts;
	size_t n;
	struct span prefix;  /* whole lines that go out in front of the content: signatures */
	const char *content; /* in memory, or NULL: then file and off */
	int file;
	uint64_t off, size;  /* of the content */
	bool vet;            /* that file is another's: what is read of it is looked at as it leaves (vet.h) */
	bool eightbit, utf8_header;
	struct span rigid;   /* set: it goes to no server without 8BITMIME, and why */
	const struct entry_wish *wish; /* NULL: none */
	uint64_t now_s;      /* since 1970, for DELIVERBY */
	bool envelope_only;  /* a question: RSET instead of content; SMTP_DELIVERED says that it would be taken */
	bool wary; /* nothing is sent twice: no content over a connection before it has proved alive */

	/* Called once, when the first byte of content is about to leave (with the recipients whose
	 * `is` is SMTP_UNDECIDED at that moment): non-zero ends the transaction unsent. */
	int (*sending)(void *arg, struct err *e);
	/* Called, where it is not NULL, when all content has left and the peer has its work to do: time
	 * for something useful that does not wait for anybody. */
	void (*meanwhile)(void *arg);
	void *arg;

	bool asked;    /* out: sending() was called */
	bool in_doubt; /* out: all content has left and no final reply came */
	bool useless;  /* out: a fresh connection ended, or was 421, where MAIL should have been answered */
	bool unfit;    /* out: all have failed: the server cannot do what the message asks for; another host might */
	bool stale;    /* out: a reused connection died before any reply: try a fresh one, at once */
};

/* One transaction.  0: every recipient is decided or SMTP_AGAIN.  Otherwise those that stayed
 * SMTP_UNDECIDED are to be deferred for the reason in e - except when e->code is that of sending(),
 * which is local trouble - and s->open is false. */
int smtp_send(struct smtp *s, struct smtp_mail *m, struct err *e);

void smtp_rcpt_free(struct smtp_rcpt *r);

#endif
