/* dnsmsg.h - DNS messages: a question as bytes, bytes as an answer; the door to ldns.
 *
 * Pure.  Names are lower-case, without the last dot.  Answers come from strangers:
 * what is malformed is EX_TEMPFAIL, and so is every response code but NOERROR and
 * NXDOMAIN, for another server may do better.
 */
#ifndef DNSMSG_H
#define DNSMSG_H

#include "answers.h"
#include "buf.h"
#include "cur.h"
#include "err.h"
#include "net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Loads the library, whose file a process that is confined cannot open any more.  Whoever asks does it
 * by himself, if nobody has.  EX_TEMPFAIL: it is not there, or there is no memory. */
int dnsmsg_load(struct err *e);

enum { DNSMSG_NOERROR = 0, DNSMSG_FORMERR = 1, DNSMSG_SERVFAIL = 2, DNSMSG_NXDOMAIN = 3, DNSMSG_NOTIMP = 4 };

#define DNSMSG_CNAMES_MAX 16 /* in a chain */

struct dns_mx {
	uint16_t preference;
	char *host; /* "" for the null MX "." */
};
struct dns_mx_list {
	struct dns_mx *v;
	size_t n;
	uint32_t ttl_s; /* the least of the answer */
	bool secure;    /* as in struct answers */
};
struct dns_addrs {
	struct net_addr *v; /* port 0 */
	size_t n;
	bool secure;
	char *owner; /* whose they are, where CNAMEs led there from the host; else NULL */
};
void dns_mx_free(struct dns_mx_list *l);
void dns_addrs_free(struct dns_addrs *l);

/* Labels of letters, digits, "-" and "_", 63 bytes each and 253 in all, no dot at the end. */
bool dnsmsg_name_ok(const char *name);

/* Appends a question with RD and AD, which asks for the answer's AD (RFC 6840 5.7).  The name may hold
 * bytes that dnsmsg_name_ok() does not like, but no NUL; edns: with an OPT record that allows 1232
 * bytes (RFC 6891). */
int dnsmsg_query(struct buf *out, const char *name, uint16_t type, uint16_t id, bool edns,
    struct err *e);

/* Whether these bytes repeat our id and question, the name without case (RFC 5452 4.2).  A
 * refusal may come without the question.  Only then ask: */
bool dnsmsg_matches(struct span query, struct span answer);
int dnsmsg_rcode(struct span answer);
bool dnsmsg_truncated(struct span answer);

/* What the answer says to that question: SOME, NODATA or NXDOMAIN.  secure is the AD bit as it came. */
struct dnsmsg_answer {
	struct answers is;
	char *cname; /* the chain of CNAMEs leads to this name, of which the answer says nothing */
};
int dnsmsg_parse(struct span answer, const char *name, uint16_t type, struct dnsmsg_answer *out,
    struct err *e);
void dnsmsg_free(struct dnsmsg_answer *a);

#endif
