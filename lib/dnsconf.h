/* dnsconf.h - which name servers to ask, and what /etc/hosts knows without them.
 *
 * Of resolv.conf(5) only the nameserver lines count: mail domains are complete,
 * so nothing is searched, and how often to ask is decided in dns.c.  Lines that
 * make no sense are passed over, as the C library does.
 */
#ifndef DNSCONF_H
#define DNSCONF_H

#include "cur.h"
#include "err.h"
#include "net.h"

#include <stddef.h>

#define DNSCONF_SERVERS_MAX 8

struct dnsconf_host {
	char *name;  /* lower case */
	size_t line; /* of the file: the order among addresses of one name */
	struct net_addr addr;
};

struct dnsconf {
	struct net_addr servers[DNSCONF_SERVERS_MAX];
	size_t n_servers;
	struct dnsconf_host *hosts; /* sorted by name, then line */
	size_t n_hosts;
};
#define DNSCONF_INIT {.n_servers = 0}

/* Reads /etc/hosts, and /etc/resolv.conf where servers is NULL or ""; a missing file is an empty one. */
int dnsconf_read(struct dnsconf *c, const char *servers, struct err *e);
void dnsconf_free(struct dnsconf *c);

/* The parts, without files.  servers: "ADDR@PORT" or "ADDR", comma-separated; EX_CONFIG. */
int dnsconf_servers(struct dnsconf *c, struct span list, struct err *e);
void dnsconf_resolv(struct dnsconf *c, struct span text); /* without any: 127.0.0.1 */
void dnsconf_hosts(struct dnsconf *c, struct span text);

/* The first entry whose name is not before this one: n_hosts where there is none. */
size_t dnsconf_find(const struct dnsconf *c, const char *name);

#endif
