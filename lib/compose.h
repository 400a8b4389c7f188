/* compose.h - the header section of a submitted message, read for recipients and made complete.  Pure.
 *
 * Header sections are those intake_header() gives: CRLF line ends, fields only, no empty line.
 *
 * A block of Resent- fields (RFC 5322 3.6.6) ends where a trace field follows, or where a second
 * Resent-Date, -From, -Sender or -Message-ID begins the next; only the first block, the newest, counts.
 */
#ifndef COMPOSE_H
#define COMPOSE_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

struct compose_trace { /* a message that came by SMTP, RFC 5321 4.4; spans printable ASCII */
	struct span helo;   /* as the client calls itself */
	struct span peer;   /* "192.0.2.1" or "IPv6:2001:db8::1"; empty: not known */
	struct span with;   /* "ESMTPSA", RFC 3848 */
	struct span suite;  /* "TLS_AES_256_GCM_SHA384", RFC 8314 4.3; empty: no TLS */
};

struct compose {
	const char *host;    /* who says Received, and the right side of a Message-ID */
	const char *domain;  /* completes bare local names */
	struct span sender;  /* of the envelope, for a missing From; empty: <> */
	struct span name;    /* the display name for it; may be empty */
	const char *id;      /* of the entry */
	struct span rcpt;    /* told in Received; empty where there are several */
	uint64_t user;       /* uid */
	int64_t now_s;
	int zone_minutes;
	bool fold;           /* lines over 998 bytes are folded, not refused */
	const struct compose_trace *trace; /* NULL: from a local user */
	bool as_is;          /* a Received field on top, and nothing else changed but Return-Path */
	struct span top;     /* whole fields to stand above Received */
	struct span forged;  /* Authentication-Results fields that claim this authserv-id are left out; empty: none */
};

/* The recipients it names: To, Cc and Bcc, or in a resent message Resent-To, -Cc and -Bcc of the newest
 * block.  each as with addr_list. */
int compose_recipients(struct span header, const char *qualify,
    int (*each)(void *arg, struct span mailbox, struct err *e), void *arg, struct err *e);

/* Appends to out: a Received field; Resent-Date, Resent-From, Resent-Message-ID where the newest Resent-
 * block stands above all trace fields and lacks them; the fields as they are, but without Bcc,
 * Resent-Bcc, Return-Path (RFC 5321 4.4) and Content-Length, without originator, destination and
 * identification fields that are empty, and with bare local names completed; then Date,
 * From, Message-ID where they are missing, and "To: undisclosed-recipients:;" where no destination
 * field is left.  EX_DATAERR: a line over 998 bytes that may not or cannot be folded. */
int compose_header(struct span header, const struct compose *c, struct buf *out, struct err *e);

#endif
