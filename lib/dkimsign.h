/* dkimsign.h - DKIM-Signature fields for a message: RFC 6376, 8301, 8463, 8616.  Pure.
 *
 * The header section is in memory, the body passes by once, whatever its size.  Several signatures
 * cost one hash of the body for each of its two canonical forms that they use.
 *
 *     dkimsign_begin(&s, wants, n, header, e), dkimsign_body(&s, piece, len) ..., dkimsign_end(...)
 */
#ifndef DKIMSIGN_H
#define DKIMSIGN_H

#include "crypt.h"
#include "dkim.h"
#include "dkimhead.h"

struct dkimsign_want { /* one signature; all is lent */
	const char *domain, *selector; /* d=, s=: A-labels */
	enum crypt_kind kind;
	/* Appends the signature of the digest; key is its first argument. */
	int (*sign)(const void *key, const unsigned char digest[CRYPT_SHA256_BYTES], struct buf *out,
	    struct err *e);
	const void *key;
	enum dkim_canon header, body;
	const char *identity; /* i=: "local@domain" or "@domain", UTF-8 or A-labels; NULL: none */
	const char *names;    /* which fields: "From:To:..."; NULL: dkimsign_names */
	const char *oversign; /* which once more than they are there; NULL: of names, those of dkimsign_oversign */
	const struct dkimsign_fields *fields; /* those two, parsed for many messages; NULL: for each */
	bool copy;            /* z=: the signed fields again, as they are */
	bool query;           /* q=dns/txt, which is the default anyway */
	bool length;          /* l=: what is appended to the body is not covered (RFC 6376 8.2) */
	uint64_t expire_s;    /* x=: so many seconds after t=; 0: none */
};

/* RFC 6376 5.4.1's fields and those of MIME and RFC 8058.  Received, Return-Path and what else
 * changes on its way are left out. */
extern const char dkimsign_names[];
/* Those that a message may have once, and that are shown or steer how it is shown: a second one
 * that is put in front breaks the signature (RFC 6376 5.4.2, 8.15). */
extern const char dkimsign_oversign[];

/* names and oversign, NULL or not, as dkimsign_want has them; they are lent. */
struct dkimsign_fields *dkimsign_fields_new(const char *names, const char *oversign);
void dkimsign_fields_del(struct dkimsign_fields *l);

/* EX_USAGE says why a list of names is none, or that it lacks From where that must be (5.4). */
int dkimsign_check_names(const char *names, bool need_from, struct err *e);
/* EX_USAGE: no domain that d= can name: other bytes than letters, digits, "-", "_" and dots. */
int dkimsign_check_domain(const char *domain, struct err *e);
/* EX_USAGE: not a selector, 3.1; an i= whose domain is not d= or below it, 3.5. */
int dkimsign_check_selector(const char *selector, struct err *e);
int dkimsign_check_identity(const char *identity, const char *domain, struct err *e);

/* The domain of the one From field as A-labels.  EX_DATAERR: no From, two of them, no address in it,
 * addresses of two domains, or a domain that is none. */
int dkimsign_from(const struct dkimhead *h, struct buf *domain, struct err *e);

#define DKIMSIGN_FIELDS_MAX 1000 /* names in h=; a message with more is not one that people wrote */

struct dkimsign_body {
	bool used;
	struct dkim_body form;
	struct crypt_hash hash;
	unsigned char digest[CRYPT_DIGEST_MAX];
};
struct dkimsign {
	const struct dkimsign_want *wants;
	size_t n;
	const struct dkimhead *head;
	struct dkimsign_body body[2]; /* by enum dkim_canon */
	struct dkimsign_names { /* those of a list in the message */
		struct dkimsign_chosen *v;
		size_t n, room;
	} names;
	struct buf form; /* what is hashed of the header */
};
void dkimsign_init(struct dkimsign *s);

/* One that is begun again, for another message, uses its storage again.  EX_DATAERR where the message cannot
 * be signed so that it will be verified: no From or two (what is in it, dkimsign_from() has looked at), a line
 * of the header that is no field, CR without LF or NUL (RFC 6376 5.3: whoever carries such a message may
 * change it).  head is lent until the end. */
int dkimsign_begin(struct dkimsign *s, const struct dkimsign_want *wants, size_t n,
    const struct dkimhead *head, struct span header, struct err *e);
void dkimsign_body(struct dkimsign *s, const void *p, size_t n);
/* Appends the fields, which belong in front of the message, with line ends as the header section
 * has them.  now_s: t=; 0: none, and then no x= either. */
int dkimsign_end(struct dkimsign *s, struct span header, uint64_t now_s, struct buf *out,
    struct err *e);
void dkimsign_free(struct dkimsign *s);

/* The end in two steps, for many messages: all that is hashed, and then one signature after the other.  An
 * Ed25519 signature takes 2 % longer where a message was read before it: its tables and code are no longer in
 * the processor's nearest cache.  Between the two only the wants need to be there still.
 * What has been ready before serves again with its storage; dkimsign_ready_clear() frees what is much of it,
 * and dkimsign_ready_free() all, in any case. */
struct dkimsign_open { /* a field up to "b=" */
	const struct dkimsign_want *want;
	struct buf text;
	size_t line; /* where its last one begins */
	unsigned char digest[CRYPT_DIGEST_MAX];
};
struct dkimsign_ready {
	struct dkimsign_open *v;
	size_t n, room;
	struct buf sig, code; /* a signature, and something in base64 */
	bool lf;              /* the message's line ends */
};
#define DKIMSIGN_READY_INIT {NULL, 0, 0, BUF_INIT, BUF_INIT, false}
int dkimsign_ready(struct dkimsign *s, struct span header, uint64_t now_s, struct dkimsign_ready *r,
    struct err *e);
int dkimsign_make(struct dkimsign_ready *r, struct buf *out, struct err *e);
void dkimsign_ready_clear(struct dkimsign_ready *r);
void dkimsign_ready_free(struct dkimsign_ready *r);

#endif
