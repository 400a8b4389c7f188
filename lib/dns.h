/* dns.h - questions to the DNS; the door to ldns.
 *
 * One struct dns a thread.  Answers are values: names lower-case, without the
 * last dot.  Deadlines as in io.h; UDP, then TCP on truncation; every server of
 * the list is tried.  Nothing is cached here.
 *
 * Errors: EX_NOHOST the name does not exist (NXDOMAIN); EX_TEMPFAIL anything
 * that may pass (SERVFAIL, timeout, bogus packet); EX_DATAERR not a domain name.
 * A name that exists without records of the type is 0 and an empty list.
 */
#ifndef DNS_H
#define DNS_H

#include "err.h"
#include "net.h"

#include <stddef.h>
#include <stdint.h>

struct dns;

/* servers: "ADDR@PORT" or "ADDR", comma-separated; NULL or "" takes /etc/resolv.conf.
 * Reads files here, so call it before confinement and clone it for each thread. */
int dns_open(struct dns **d, const char *servers, struct err *e);
int dns_clone(struct dns **d, const struct dns *from, struct err *e);
void dns_close(struct dns *d);

struct dns_mx {
	uint16_t preference;
	char *host; /* "" for the null MX "." */
};
struct dns_mx_list {
	struct dns_mx *v;
	size_t n;
	uint32_t ttl_s; /* the least of the answer */
};
int dns_mx(struct dns *d, const char *domain, int64_t deadline_ms, struct dns_mx_list *out,
    struct err *e);
void dns_mx_free(struct dns_mx_list *l);

struct dns_addrs {
	struct net_addr *v; /* port 0 */
	size_t n;
};
/* A and AAAA; "localhost" and names in /etc/hosts (as it was at dns_open) need no query. */
int dns_addrs(struct dns *d, const char *host, int64_t deadline_ms, struct dns_addrs *out,
    struct err *e);
void dns_addrs_free(struct dns_addrs *l);

#endif
