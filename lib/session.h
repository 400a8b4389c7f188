/* session.h - an SMTP or LMTP client's connection: greeting, EHLO, STARTTLS, commands and replies, QUIT.
 *
 * Straight-line and blocking, with the deadlines of RFC 5321 4.5.3.2.  Transactions over it are
 * smtp.h's.  One struct smtp belongs to one thread.
 */
#ifndef SESSION_H
#define SESSION_H

#include "conf.h"
#include "conn.h"
#include "reply.h"

#include <stdbool.h>
#include <stdint.h>

struct tls;
struct tls_identity;
struct tickets;

struct smtp_options {
	const char *helo; /* our name */
	enum smtp_tls { SMTP_TLS_NEVER, SMTP_TLS_MAY, SMTP_TLS_MUST } tls; /* MAY: where it is offered */
	const char *because; /* MUST: who says so */
	/* Whether the server's certificates do; how is told in smtp.tls.  NULL: any. */
	int (*trust)(void *arg, const struct tls *t, struct buf *how, struct err *e);
	void *arg;
	const struct conf_timeouts *wait;
	const struct tls_identity *identity; /* shown where the server asks for a certificate; or NULL */
	struct tickets *tickets; /* tickets.h; NULL: each handshake is a full one */
	const char *ticket_key;  /* whom they are for; ticket: one of them to begin with, or empty */
	struct span ticket;
	bool strong;      /* whom trust lets pass has proved to be who the policy wants */
	bool here;        /* a socket of this machine's: nobody stands on the way */
	bool lmtp;        /* RFC 2033: LHLO, and behind the content a reply for each recipient */
};

struct smtp {
	struct conn c;
	struct smtp_options opt;
	struct ehlo can;
	bool open;        /* another transaction may begin */
	bool need_reset;  /* RSET goes before the next MAIL */
	bool logged_in;   /* by AUTH */
	bool tls_failed;  /* smtp_open: the handshake is what failed; try again in clear */
	bool trusted;     /* TLS with what opt.trust let pass */
	struct buf ticket_key; /* for what the server gives us */
	const char *tls_status; /* what to report where TLS or a login is the trouble, "4.7.5"; else NULL */
	bool whole;       /* all content of the transaction at hand has left, with its end */
	bool slow_down;   /* the peer said 421, or that there is too much of us */
	uint32_t wait_hint_s; /* "try again in 300 seconds" of the last transaction; 0: none */
	uint32_t done;    /* transactions on this connection */
	int64_t idle_since_ms;
	struct reply reply; /* the last one read: after a failed smtp_open its code (0: none) and text */
	struct buf hello;   /* what EHLO was answered with, last */
	struct buf out;     /* commands to be sent together */
	struct buf tls;     /* "TLS1.3 TLS_AES_256_GCM_SHA384 DANE-EE 3 1 1", "" in clear text */
};

/* Greeting, EHLO (else HELO), STARTTLS where offered and wanted, EHLO again.  Takes fd over; sni may
 * be NULL.  On failure the connection is closed and e says why, s->reply what the peer said. */
int smtp_open(struct smtp *s, int fd, const char *sni, const struct smtp_options *opt,
    struct err *e);
void smtp_init(struct smtp *s);  /* before the first smtp_open */
void smtp_forget(struct smtp *s); /* what was learned and said over the last connection */
void smtp_close(struct smtp *s); /* at once, without QUIT; the storage stays for the next smtp_open */
bool smtp_used_up(const struct smtp *s); /* no other transaction: closed, or as many as MAILMAX */
void smtp_quit(struct smtp *s);  /* QUIT, waits shortly for the answer, closes */
void smtp_free(struct smtp *s);

/* --- for transactions */

/* One command (without its CRLF) and its reply, which is in s->reply. */
int smtp_command(struct smtp *s, const char *line, uint64_t wait_s, const char *where, struct err *e);
int smtp_reply(struct smtp *s, uint64_t wait_s, const char *where, struct err *e);
/* s->out, with RFC 2920 4.2's eye on replies that nothing has asked for. */
int smtp_flush(struct smtp *s, const char *where, struct err *e);
int smtp_in_turn(const struct smtp *s, struct err *e);
/* What breaks with rc ends the connection; rc 0: nothing did. Returns rc. */
int smtp_broken(struct smtp *s, int rc, const char *where, struct err *e);

#endif
