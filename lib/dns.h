/* dns.h - questions to the DNS and how they travel.
 *
 * One struct dns a thread.  Answers are values: names lower-case, without the
 * last dot.  Deadlines as in io.h; UDP, then TCP on truncation; every server of
 * the list is tried.  What is known is shared between clones: each name is asked once (dnscache.h).
 *
 * Errors: EX_NOHOST the name does not exist (NXDOMAIN); EX_TEMPFAIL anything
 * that may pass (SERVFAIL, timeout, bogus packet); EX_DATAERR not a domain name.
 * A name that exists without records of the type is 0 and an empty list.
 *
 * dnsmsg builds and reads the messages; the sockets are ours, so that a deadline
 * holds whatever the server does.  Every question has an id and a source port
 * of its own; what does not repeat id and question is not an answer and is
 * waited past.  EDNS0 is used (1232 bytes), and left out for a server that
 * does not know it.  DNSSEC is the resolver's affair: its AD bit is believed (`secure`) where nobody
 * stands between it and us, on a loopback address, or where that was asked for; a bogus answer is
 * its SERVFAIL.
 */
#ifndef DNS_H
#define DNS_H

#include "dnsmsg.h"
#include "err.h"

#include <stdint.h>

struct dns;

/* servers: "ADDR@PORT" or "ADDR", comma-separated, at most 8 (EX_CONFIG); NULL or
 * "" takes /etc/resolv.conf.  Reads files here, so call it before confinement and clone it for
 * each thread: a clone shares what was read and costs a few bytes. */
int dns_open(struct dns **d, const char *servers, struct err *e);
/* The same for who will hardly ask: the library, which takes longer to load than all else that starts a run,
 * is loaded by the first question.  After confinement that cannot be done any more: EX_TEMPFAIL. */
int dns_open_idle(struct dns **d, const char *servers, struct err *e);
int dns_clone(struct dns **d, const struct dns *from, struct err *e);
void dns_close(struct dns *d);

/* Whoever sets this flag, in another thread, ends the waits of this clone within DNS_HEED_MS: what is not
 * answered has timed out. */
#define DNS_HEED_MS 250
void dns_heed(struct dns *d, const _Atomic bool *stop);

/* The configuration says that the way to the servers is safe.  Before the first clone. */
void dns_trust_ad(struct dns *d);
bool dns_validates(const struct dns *d); /* whether AD is believed from all of them; else no answer need be secure */

/* Called for each question of this clone, with its answer; dnscache's too. */
struct dns_told {
	const char *name, *type;
	const struct net_addr *from; /* NULL: it was known */
	const struct answers *is;
};
typedef void dns_told(void *arg, const struct dns_told *t);
void dns_tell(struct dns *d, dns_told *told, void *arg);

/* CNAMEs are followed.  EX_UNAVAILABLE: there are MX records, and none of them has a host name. */
int dns_mx(struct dns *d, const char *domain, int64_t deadline_ms, struct dns_mx_list *out,
    struct err *e);

/* One question of any type of answers.h, CNAMEs followed (but for CNAME); never fails otherwise than
 * in out, which is empty before.  SERVFAIL: a server has answered, TIMEOUT: none has. */
void dns_ask(struct dns *d, const char *name, enum answers_type type, int64_t deadline_ms,
    struct answers *out);

/* A and AAAA; "localhost" and names in /etc/hosts (as it was at dns_open) need no query. */
int dns_addrs(struct dns *d, const char *host, int64_t deadline_ms, struct dns_addrs *out,
    struct err *e);
/* Whether /etc/hosts has it. */
bool dns_in_hosts(const struct dns *d, const char *host);
/* The DNS alone, for names that strangers chose (MX hosts). */
int dns_query_addrs(struct dns *d, const char *host, int64_t deadline_ms, struct dns_addrs *out,
    struct err *e);

#endif
