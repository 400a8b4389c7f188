/* answers.h - what the DNS says, as values, and whoever says it as one function that is passed in.
 *
 * SPF, DKIM and DMARC ask through a struct asker, so they do not know whether the DNS, a file of
 * keys or a test answers.  Names are written with dots and without the last one; bytes that no
 * host name has may stand in a label (SPF macros make such names, RFC 7208 7.3), a dot or NUL
 * may not.  A chain of CNAMEs has been followed by whoever answers, unless CNAME was asked for.
 */
#ifndef ANSWERS_H
#define ANSWERS_H

#include "buf.h"
#include "cur.h"
#include "net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers of the DNS (RFC 1035 3.2.2, RFC 3596 2.1). */
enum answers_type {
	ANSWERS_A = 1,
	ANSWERS_CNAME = 5,
	ANSWERS_PTR = 12,
	ANSWERS_MX = 15,
	ANSWERS_TXT = 16,
	ANSWERS_AAAA = 28,
	ANSWERS_TLSA = 52 /* RFC 6698 7.1 */
};

enum answers_says {
	ANSWERS_SOME,     /* records, at least one */
	ANSWERS_NODATA,   /* the name exists, without records of the type */
	ANSWERS_NXDOMAIN, /* it does not exist */
	ANSWERS_SERVFAIL, /* a server failed, or said what makes no sense */
	ANSWERS_TIMEOUT
};

struct answers_record {
	struct buf text;       /* TXT: its strings joined, any bytes; MX, PTR, CNAME: a name, "" the root;
	                        * TLSA: its RDATA (RFC 6698 2.1) */
	size_t n_strings;      /* TXT: how many strings they were */
	uint16_t preference;   /* MX */
	struct net_addr addr;  /* A, AAAA; port 0 */
};

struct answers {
	enum answers_says says;
	struct answers_record *v;
	size_t n;
	size_t n_bad; /* MX and PTR records whose host is no host name; they are not in v */
	uint32_t ttl_s;
	bool secure;  /* a resolver that we trust has validated all of it (AD, RFC 4035 3.2.3) */
	struct buf owner; /* whose the records are, where CNAMEs led away from the name; else empty */
	struct buf why; /* SERVFAIL, TIMEOUT: more words, or empty */
};
#define ANSWERS_INIT {.says = ANSWERS_NXDOMAIN, .v = NULL, .n = 0, .n_bad = 0, .ttl_s = 0, .secure = false, \
    .owner = BUF_INIT, .why = BUF_INIT}

/* name: lower-case ASCII letters, 1 to 253 bytes, labels of 1 to 63: answers_ask() sees to that.
 * out is empty; ask() fills it and never fails otherwise. */
struct asker {
	void (*ask)(void *arg, const char *name, enum answers_type type, struct answers *out);
	void *arg;
};

/* Asks for that name in lower case, a dot at its end dropped.  What cannot be a name (an empty
 * label, one over 63 bytes, over 253 in all, a NUL) does not exist, and nobody is asked.  out is
 * emptied first; answers_free() in any case. */
void answers_ask(const struct asker *from, struct span name, enum answers_type type,
    struct answers *out);
void answers_free(struct answers *a);

/* A new record at the end of a: its text is empty, its address zero.  says becomes ANSWERS_SOME. */
struct answers_record *answers_add(struct answers *a);
void answers_copy(const struct answers *from, struct answers *to); /* to is emptied first */

/* Whether the same question may be answered another day: SERVFAIL and TIMEOUT. */
bool answers_temporary(const struct answers *a);
/* NODATA and NXDOMAIN: what RFC 7208 4.6.4 calls a void lookup. */
bool answers_void(const struct answers *a);

const char *answers_type_name(enum answers_type type); /* "TXT" */
bool answers_type_of(struct span name, enum answers_type *type); /* without case */
/* "does not exist", "no TXT record", "SERVFAIL: why", "timed out: why"; "" for ANSWERS_SOME. */
void answers_say(const struct answers *a, enum answers_type type, struct buf *out);

/* The name under which an address is looked up: "25.2.0.192" or 32 nibbles, then a dot and zone.
 * zone NULL: in-addr.arpa or ip6.arpa (RFC 1035 3.5, RFC 3596 2.5).  A mapped address is IPv4. */
void answers_reverse(const struct net_addr *addr, const char *zone, struct buf *out);

#endif
