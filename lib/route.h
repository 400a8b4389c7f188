/* route.h - from a recipient's domain to the hosts to try, in order, and their site.
 *
 * relaykit-routing(7) tells it to people.  A configured route (smarthost) wins; else MX by
 * preference, shuffled among equals (RFC 5321 5.1); else, without MX, the domain itself (implicit
 * MX); the null MX is a permanent 5.1.10 (RFC 7505).  Loop protection, RFC 5321 5.1: MX
 * hosts that are ourselves, and all at their preference or behind, are dropped; nothing
 * left is 5.4.6.  A loopback address is reached by a configured route only.
 *
 * Host addresses are looked up when a connection is made (routeaddrs.h), so a
 * dead first host does not cost queries for the rest.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include "buf.h"
#include "conf.h"
#include "confsite.h"
#include "dns.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

struct route_host {
	char *name;          /* host name or address literal's text, without brackets; "unix:/PATH";
	                      * where there is nobody to connect to what is done instead, "maildir:/PATTERN" */
	uint16_t preference; /* 0 for configured routes */
	uint16_t port;       /* 25, or 24, unless the route says otherwise; 0: it has none */
};

enum route_kind { ROUTE_SMTP, ROUTE_LMTP, ROUTE_MAILDIR, ROUTE_PIPE };
extern const char *const route_kinds[]; /* "smtp", "lmtp", "maildir", "pipe" */

/* The best of an MX set by preference, then by name; nobody needs more. */
#define ROUTE_HOSTS_MAX 32
#define ROUTE_SITE_MAX 200 /* bytes of a site's name */

struct route {
	enum route_kind kind;
	struct route_host *hosts;
	size_t n;
	bool configured; /* by a route: loopback is allowed, names may come from /etc/hosts */
	bool literal;    /* the host's name is an address */
	bool secure;     /* the hosts come from a signed zone (struct answers) */
	char *site;      /* what shares budgets: of a section of the configuration, of the shipped table, the
	                  * relay's HOST:PORT or a name for the MX set; of [a-z0-9.:_+-] and brackets, fit
	                  * for a file's name */
	char *own;       /* what site would be without them */
	bool shared;     /* it is one of the former two: other sets of hosts may belong to it */
	const struct confsite *limits; /* the site's section, or NULL */
	enum confsite_ip ip;
	char *set;       /* all hosts in canonical order.  Whoever shares a connection between two
	                  * domains compares this, not the site: sites are told apart by a crc,
	                  * and whoever owns a domain can forge one */
	uint32_t ttl_s;  /* how long this may be remembered */
	const struct conf_route *login; /* the section, where it says how to log in; else NULL */
	const struct conf_route *ends;  /* the section, where the mail's way ends by it: all kinds but SMTP */
	const struct conf_route *by; /* the section that covers it, or NULL */
	enum conf_tls tls; /* of the route section, the site's, or the configuration's */
	bool mta_sts;      /* the configuration's: with auto, policies count */
};

/* What this machine is called and where it lives, for loop protection. */
struct route_self {
	const char *const *names; /* lower case; the EHLO name is among them */
	size_t n_names;
	const struct net_addr *addrs;
	size_t n_addrs;
};

bool route_is_own(const struct route_self *self, const struct net_addr *a);

/* Nobody is connected to: this process delivers itself. */
bool route_is_here(const struct route *r);
/* Whether a section (NULL: there is none) leaves the hosts to the DNS. */
bool route_asks_dns(const struct conf_route *c);
/* Whether all mail goes to addresses, sockets and programs that are configured: no name is ever looked up. */
bool route_never_asks(const struct conf *c);

/* The route section that covers a domain's mail from a sender, or NULL: the domain's own, the longest
 * ".suffix"; else the sender's own, its "@domain", the longest "@.suffix"; else "*".  What the recipient's
 * domain has to itself comes first, as mail that ends here must end here whoever sends it.
 * sender: local@domain, empty for <>, as the envelope has it (neither rewritten nor with verp.h's return
 * path); NULL: sections for senders do not count. */
const struct conf_route *route_find(const struct conf *c, const char *domain, const struct span *sender);
/* Whether that depends on the sender. */
bool route_by_sender(const struct conf *c, const char *domain);

/* domain: lower-case A-labels or an address literal with its brackets.  by: route_find()'s.
 * Errors: status receives the enhanced status code to report ("5.1.2", "5.1.10", "5.4.6",
 * "4.4.3", ...) and e->code says EX_NOHOST / EX_UNAVAILABLE (permanent) or EX_TEMPFAIL. */
int route_resolve(const struct conf *c, const struct conf_route *by, const struct route_self *self,
    struct dns *d, const char *domain, uint64_t seed, int64_t deadline_ms, struct route *out, char status[12],
    struct err *e);
void route_free(struct route *r);
void route_copy(const struct route *from, struct route *to);

/* The part of it without DNS: an MX set (empty: implicit MX) to hosts.  Errors as above. */
int route_from_mx(const struct dns_mx_list *mx, const char *domain, const struct route_self *self,
    uint64_t seed, struct route *out, char status[12], struct err *e);

/* Whether some destination may be held to that: by the configuration, a route or a site of it. */
bool route_may_want(const struct conf *c, enum conf_tls tls);
/* Whether an MTA-STS policy counts (RFC 8461): of the domain, or, for relays, of each one's name (3.4). */
bool route_heeds_sts(const struct route *r);
struct sts_policy;
/* RFC 8460 5.3.1: what has to arrive all the same: neither DANE nor MTA-STS, whoever asks for it. */
void route_relax(struct route *r);
/* Connections are shared only between domains that hold the same hosts to the same. */
void route_hold(struct route *r, const struct sts_policy *p);

/* How many hosts are strictly preferred to this one. */
size_t route_before(const struct route *r, size_t host);

#endif
