/* confsite.h - the configuration's site and pool sections: what is said, not yet what it leads to.
 *
 *     site "google" { connections = 50 }                   one of share/sites, or with mx and domains
 *     site ".partner.example" { rate = 60 tls = encrypt }  by MX hosts or by the recipient's domain
 *     pool "bulk/1" { address = "192.0.2.1, 2001:db8::1" ehlo = "out1.example.org" weight = 3 }
 *
 * A title with a dot in it is a pattern (sitetab.h).  A pool is all sections whose titles begin with its
 * name; behind a "/" is what tells them apart.
 */
#ifndef CONFSITE_H
#define CONFSITE_H

#include "buf.h"
#include "conftab.h"

enum confsite_ip { /* which addresses of a host, and in which order */
	CONFSITE_IP_AUTO,  /* by turns, beginning with IPv6 where this machine has it */
	CONFSITE_IP_V4,    /* IPv4 first, then the others */
	CONFSITE_IP_V6,
	CONFSITE_IP_ONLY4,
	CONFSITE_IP_ONLY6
};

#define CONFSITE_UNSET UINT64_MAX      /* of numbers: as the file says for all sites */
#define CONFSITE_TLS_UNSET UINT32_MAX

struct confsite {
	char *title;
	char *mx, *domains; /* lists of patterns, comma-separated; NULL: the title's */
	uint64_t connections, messages, rate; /* messages: over one connection */
	unsigned tls;       /* enum conf_tls, or CONFSITE_TLS_UNSET */
	enum confsite_ip ip;
	char *pool;         /* "NAME", or "STREAM:NAME, ..., NAME"; NULL: the stream's */
};
extern const struct conftab_section confsite_section;

/* The section that fits best, or NULL: one by the domain before one by all of the hosts, before the one
 * that is called like `shipped` (NULL: none). */
const struct confsite *confsite_find(const struct conftab *t, struct span domain,
    const struct span *hosts, size_t n, const char *shipped);
/* The site's name, fit for a file's: a dot in front becomes "_". */
void confsite_name(const struct confsite *s, struct buf *out);
/* Its pool for that stream, or an empty span. */
struct span confsite_pool(const struct confsite *s, struct span stream);
/* Whether all pools that it names are there; else which is not. */
bool confsite_pools_ok(const struct confsite *s, const struct conftab *t, struct span *missing);

#define CONFPOOL_NAME_MAX 32
#define CONFPOOL_DEFAULT "default" /* the pool of whatever has no other, where there is one of that name */

struct confpool {
	char *title, *address, *ehlo; /* ehlo NULL: the hostname */
	uint64_t weight;
};
extern const struct conftab_section confpool_section;

struct span confpool_name(const struct confpool *p); /* of the title */
bool confpool_name_ok(const char *text);
/* Its addresses as text: one of each family at most, an empty span where there is none.  False where it
 * is no such list. */
bool confpool_addresses(const char *list, struct span *v4, struct span *v6);
/* Whether there is a pool of that name. */
bool confpool_has(const struct conftab *t, struct span name);

#endif
