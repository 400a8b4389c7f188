/* notice.h - a delivery status notification, written: what became of a message, for people and
 * for programs.  Pure.
 *
 * RFC 3464 in the multipart/report of RFC 6522 (once RFC 3462): a text for people (notetext.h), a
 * message/delivery-status, and the message or its header section.
 *
 * It is plain ASCII, so that it comes through wherever its reader is, with three exceptions:
 *   - A reader whose own address has bytes over 127 gets RFC 6533's types with addresses as they are.
 *     For others an address that is not ASCII is told as utf-8-addr-xtext (RFC 6533 3).
 *   - The text for people is UTF-8 in quoted-printable where it is not ASCII; so is a header section,
 *     as message/global-headers where it is UTF-8, else as text/rfc822-headers.
 *   - A whole message with bytes over 127 in its body goes back as 8bit.
 *
 * What a peer has said is told as it came: its lines are folded onto each other, a control is "?",
 * and in ASCII what is not ASCII is \x{HEX}, as RFC 6533 writes it in addresses.
 */
#ifndef NOTICE_H
#define NOTICE_H

#include "buf.h"
#include "cur.h"
#include "notetext.h"

#include <stdbool.h>
#include <stdint.h>

enum notice_action { NOTICE_FAILED, NOTICE_DELAYED, NOTICE_RELAYED, NOTICE_DELIVERED };
extern const char *const notice_action_names[]; /* "failed", ...: RFC 3464 2.3.3 */

struct notice_rcpt {
	struct span addr;      /* local@domain */
	struct span orcpt;     /* ORCPT's value as RCPT had it, "rfc822;ann+2B@x"; may be empty */
	enum notice_action action;
	struct span status;    /* "5.1.1"; may be empty */
	struct span said;      /* the status in the reply itself, where there was one */
	int code;              /* of the reply; 0: text is our own word */
	struct span text;      /* UTF-8, its lines parted by LF; may be empty */
	struct span remote;    /* name or address of the host that said so; may be empty */
	uint64_t at_s;         /* when, since 1970; 0: not known */
	struct span message;   /* id of the message, where a notice is about several; may be empty */
};

struct notice { /* spans are lent by the caller */
	struct span host;      /* our name */
	struct span from, to;  /* mailboxes; from in ASCII */
	struct span id;        /* of the notice: Message-ID is id@host, and the boundary has it */
	uint64_t now_s;        /* its Date */
	struct span about;     /* id of the message; empty: of several, `digest` */
	bool last;             /* of what nobody could be told: nobody is told where this cannot be delivered */
	struct span sender;    /* of the message */
	struct span envid;     /* ENVID's value, xtext as it came; may be empty */
	uint64_t arrival_s, until_s; /* accepted; given up; 0: not told */
	const struct notice_rcpt *rcpts;
	size_t n;
	struct span original;  /* the message or the beginning of it; empty: there is none */
	bool whole;            /* that is all of it, and it may go back so; else its header section does */
	size_t returned_max;   /* bytes of header section that go back */
	const struct notetext *text;
};

/* RFC 6533: whether it has to be delivered with SMTPUTF8. */
bool notice_is_global(const struct notice *n);
/* Whether the original has our mark: it is a notice of ours that somebody has sent round. */
bool notice_has_mark(struct span original, struct span from);
/* Whether it is a notice to a postmaster, ours or another host's, about one that could not be delivered:
 * by an alias that leads back to us they would go on for ever. */
bool notice_is_last(struct span original);
/* The length of its header section, without the empty line that ends it. */
size_t notice_header_len(struct span original);

/* Header section with its empty line, and body; CRLF line ends. */
void notice_write(const struct notice *n, struct buf *header, struct buf *body);

#endif
