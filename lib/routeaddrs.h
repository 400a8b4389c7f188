/* routeaddrs.h - the addresses of one of a route's hosts, in the order in which they are tried.
 */
#ifndef ROUTEADDRS_H
#define ROUTEADDRS_H

#include "route.h"

#define ROUTE_ADDRS_MAX 16 /* of one host */

/* The addresses to try for one host, IPv6 and IPv4 interleaved beginning with IPv6 where this
 * machine has it, or as the site's section wants them; ours and (for MX hosts) loopback left out.
 * *loop tells that some were
 * dropped as being ourselves; then neither this host nor any at or behind its preference may be
 * tried, route_before() says where to stop, and if that leaves no host at all it is 5.4.6.
 * EX_NOHOST: the host has no address, for good; when all hosts say so it is 5.4.4.
 * EX_TEMPFAIL: 4.4.3; also a configured relay without address, which is nobody's fault but ours.
 * 0 with an empty list comes with *loop, and where route_is_here(). */
int route_addrs(const struct route *r, size_t host, const struct route_self *self, struct dns *d,
    int64_t deadline_ms, struct dns_addrs *out, bool *loop, struct err *e);

#endif
