/* spfrec.h - an SPF record read: its terms, RFC 7208 4.6.1, 5, 6, 7.1 and 12.  Pure.
 *
 * All of a record is checked before anything of it is evaluated (4.6): one wrong term, wherever it
 * stands, is EX_DATAERR, which is a permerror.  Domain specifications are checked but not expanded.
 */
#ifndef SPFREC_H
#define SPFREC_H

#include "cur.h"
#include "err.h"
#include "net.h"

#include <stdbool.h>
#include <stddef.h>

enum spfrec_kind {
	SPFREC_ALL, SPFREC_INCLUDE, SPFREC_A, SPFREC_MX, SPFREC_PTR, SPFREC_IP4, SPFREC_IP6, SPFREC_EXISTS,
	SPFREC_REDIRECT, SPFREC_EXP, SPFREC_OTHER /* a modifier that we do not know, and ignore */
};

struct spfrec_term {
	enum spfrec_kind kind;
	char qualifier;         /* + - ~ ?; of a mechanism */
	struct span text;       /* all of it, as written */
	struct span domain;     /* domain-spec, n 0: none is there */
	struct net_addr addr;   /* ip4, ip6 */
	unsigned cidr4, cidr6;  /* 32 and 128 where none is there */
};

struct spfrec { /* spans are lent by the text */
	struct spfrec_term *v;
	size_t n;
	const struct spfrec_term *redirect, *exp; /* NULL: none */
	bool all;
};

/* "v=spf1", then a space or nothing (4.5). */
bool spfrec_is(struct span text);

int spfrec_parse(struct span text, struct spfrec *out, struct err *e);
void spfrec_free(struct spfrec *r);

/* --- macros, 7.1 to 7.4 */

#define SPFREC_EXPANDED_MAX 65536 /* bytes: short macros of long senders are no way to fill memory */

struct spfrec_values { /* what the letters stand for; lent */
	struct span sender, local, sender_domain; /* s, l, o */
	struct span domain;                       /* d */
	struct span helo;                         /* h */
	const struct net_addr *ip;                /* i, v, c */
	struct span receiver;                     /* r */
	uint64_t time_s;                          /* t */
	/* p: appends the validated name of ip, or "unknown". */
	void (*validated)(void *arg, struct buf *out);
	void *arg;
};

/* A domain-spec, expanded; left labels are dropped where it is over 253 bytes (7.3). */
int spfrec_domain(struct span spec, const struct spfrec_values *v, struct buf *out, struct err *e);
/* An explanation: c, r and t are there too, and spaces are text (6.2). */
int spfrec_explanation(struct span text, const struct spfrec_values *v, struct buf *out,
    struct err *e);

#endif
