/* sasl.h - SASL (RFC 4422) as SMTP AUTH speaks it (RFC 4954), both sides; the door to GNU SASL.
 *
 * A session takes the peer's lines and gives ours, both in base64 without CRLF and without "334 ".
 * GNU SASL has the mechanisms SCRAM, PLAIN, LOGIN and EXTERNAL and the client's CRAM-MD5; OAUTHBEARER,
 * XOAUTH2 (oauth.h) and the server's CRAM-MD5 (which GNU SASL would want the password for, and we
 * have only a key) are ours.
 *
 * Nothing here reads or waits: what a password is worth is asked of struct sasl_check.  One session
 * belongs to one thread.  Channel binding is tls-exporter (RFC 9266) or tls-unique (RFC 5929): GNU SASL
 * knows no tls-server-end-point.
 */
#ifndef SASL_H
#define SASL_H

#include "buf.h"
#include "cur.h"
#include "err.h"
#include "mech.h"

#include <stdbool.h>
#include <stdint.h>

struct sasl;

/* What is below: tls_channel() fills it.  Empty bindings: there is none to be had. */
struct sasl_channel {
	bool tls;
	struct span exporter; /* raw bytes, the caller's while the session lasts */
	struct span unique;
};

/* What is below loads GNU SASL when it is first called for; a process that will be confined by then calls
 * this before.  EX_TEMPFAIL, as from whatever else wants it: it cannot be loaded. */
int sasl_load(struct err *e);

/* --- SCRAM's keys, RFC 5802 3 */

#define SASL_HASH_MAX 32
#define SASL_ITER_MIN 4096    /* RFC 7677 4; a server that asks for fewer wants to guess the password */
#define SASL_ITER_MAX 1000000 /* a server that asks for more wants our time */
#define SASL_ITER_DEFAULT 16384
#define SASL_PASSWORD_MAX 511 /* libcrypt takes no more; bytes */

struct sasl_keys {
	uint32_t iter;
	struct buf salt; /* raw bytes, as the keys */
	unsigned char stored[SASL_HASH_MAX], server[SASL_HASH_MAX];
};
#define SASL_KEYS_INIT {0, BUF_INIT, {0}, {0}}
size_t sasl_hash_bytes(enum mech m); /* 32 for SCRAM-SHA-256 and -PLUS, 20 for SCRAM-SHA-1 */

/* From a prepared password; keys->salt and keys->iter are given. */
int sasl_keys_derive(enum mech m, struct span password, struct sasl_keys *keys, struct err *e);
void sasl_keys_free(struct sasl_keys *k); /* and wipes it */

/* SASLprep, RFC 4013: stored strings have no unassigned code points, queries may.  EX_DATAERR: not
 * UTF-8, a prohibited character, empty, NUL or over SASL_PASSWORD_MAX. */
int sasl_prep(struct span text, bool stored, struct buf *out, struct err *e);

/* --- the server's side */

/* Who may come in.  Each returns 0: yes; EX_NOPERM: no; anything else is local trouble and no
 * verdict.  Names and passwords are as the client gave them.  NULL where a mechanism has no check:
 * then it must not be offered. */
struct sasl_check {
	void *arg;
	int (*password)(void *arg, struct span user, struct span password, struct err *e);
	/* SCRAM: keys for unknown users, too, made up so that they stay the same (or the difference
	 * tells who is a user); such keys fit no password. */
	int (*keys)(void *arg, struct span user, enum mech m, struct sasl_keys *out, struct err *e);
	int (*cram)(void *arg, struct span user, struct span challenge, struct span digest,
	    struct err *e);
	/* EXTERNAL: identity is what the certificate says; user what is asked for, empty: that. *who
	 * becomes the user. */
	int (*certificate)(void *arg, struct span identity, struct span user, struct buf *who,
	    struct err *e);
	int (*token)(void *arg, struct span user, struct span token, struct buf *who, struct err *e);
};

struct sasl_server {
	const struct sasl_channel *channel;
	const char *hostname;    /* for CRAM-MD5's challenge */
	struct span certificate; /* identity of a verified client certificate; empty: none */
	const struct sasl_check *check;
};

enum sasl_is {
	SASL_MORE,      /* `out` goes to the peer, in "334 " + out; its next line comes back */
	SASL_YES,       /* 235: sasl_user() is in */
	SASL_NO,        /* 535: whatever is wrong - user, password, proof - it is told alike */
	SASL_BAD,       /* 501: no base64, or not what the mechanism says */
	SASL_CANCELLED, /* 501: the client said "*" */
	SASL_LATER      /* 454: local trouble, which e tells */
};

/* Begins.  The struct and what it points to must stay.  EX_UNAVAILABLE: a mechanism that cannot be
 * had over this channel (PLUS without binding, EXTERNAL without certificate, no check). */
int sasl_server_new(struct sasl **s, enum mech m, const struct sasl_server *how, struct err *e);

/* One line of the client's.  first: it stands in the AUTH command itself, has_line tells whether it
 * does.  e is set for SASL_BAD, SASL_NO (for the log, not for the peer) and SASL_LATER. */
enum sasl_is sasl_server_step(struct sasl *s, struct span line, bool first, bool has_line,
    struct buf *out, struct err *e);

/* SASL_MORE of OAUTHBEARER, which tells its refusal by a challenge (RFC 7628 3.2.3): that is one, and e is set as
 * for SASL_NO.  What the client says to it changes nothing. */
bool sasl_refused(const struct sasl *s);

/* Who it is (SASL_YES), or who it claims to be, "" where that was not said yet.  In no case a password. */
const char *sasl_user(const struct sasl *s);
enum mech sasl_mech(const struct sasl *s);

/* --- the client's side */

struct sasl_client {
	const struct sasl_channel *channel;
	struct span user, password; /* of EXTERNAL only user, may be empty; password is a token for MECH_TOKEN */
	const char *host; /* the server's name, of OAUTHBEARER */
	uint16_t port;
};

/* The best of what is offered and allowed that can be had over this channel; MECH_NONE.  A token
 * is no password: tokens tells which of them it is.  bare_clear: MECH_BARE even without TLS. */
enum mech sasl_choose(unsigned offered, unsigned allowed, const struct sasl_channel *channel,
    bool bare_clear);

int sasl_client_new(struct sasl **s, enum mech m, const struct sasl_client *how, struct err *e);

/* The initial response where the mechanism begins with the client: *has says so; out is base64, "="
 * where it is empty. */
int sasl_client_first(struct sasl *s, struct buf *out, bool *has, struct err *e);

/* An answer to "334 challenge".  EX_PROTOCOL: the challenge makes no sense, or proves that the server
 * does not know the password. */
int sasl_client_step(struct sasl *s, struct span challenge, struct buf *out, struct err *e);

/* After 235: EX_PROTOCOL where the server has not proved what its mechanism has it prove (SCRAM). */
int sasl_client_end(struct sasl *s, struct err *e);

/* What an OAUTHBEARER or XOAUTH2 server gave as its reason ("invalid_token"), "": nothing. */
const char *sasl_client_error(const struct sasl *s);

void sasl_free(struct sasl *s); /* and wipes what is secret */

#endif
