/* sources.h - the local addresses of the configuration's pools, and which of them a connection leaves by.
 *
 * The members of a pool take turns by weight, exactly: of weights 3 and 1, three of four connections, one
 * family of addresses apart from the other.  One whose address this machine does not have is passed over for a
 * minute.  One struct a run, safe for many threads.
 */
#ifndef SOURCES_H
#define SOURCES_H

#include "conf.h"
#include "net.h"

#include <stddef.h>
#include <stdint.h>

#define SOURCES_NONE UINT32_MAX
#define SOURCES_BAD_MS 60000

struct source {
	const char *title, *helo; /* the configuration's */
	uint64_t weight;
	uint32_t pool;
	struct net_addr addr[2];  /* IPv4, IPv6; AF_UNSPEC: none */
	int64_t due[2];           /* how far behind its turn it is */
	int64_t bad_ms;
};

struct sources;

/* NULL where the configuration has no pool. */
void sources_open(struct sources **s, const struct conf *c);
void sources_close(struct sources *s);

uint32_t sources_pools(const struct sources *s); /* how many: numbered from 0 */
uint32_t sources_pool(const struct sources *s, struct span name); /* SOURCES_NONE: there is none */
const char *sources_name(const struct sources *s, uint32_t pool);

/* The one whose turn it is, for a connection to an address of that family; NULL: the pool has none that can
 * be used now. */
const struct source *sources_pick(struct sources *s, uint32_t pool, sa_family_t family);
bool sources_has(const struct sources *s, uint32_t pool, sa_family_t family); /* any at all */
const struct net_addr *source_addr(const struct source *s, sa_family_t family);
/* After a connection from it has failed: whether that was for want of the address. */
bool sources_missing(struct sources *s, const struct source *from, sa_family_t family);

/* Whether this machine has all of them: EX_CONFIG and which not. */
int sources_check(const struct sources *s, struct err *e);

/* The names that pools say in EHLO: *v is free()d by the caller, not what it points to. */
size_t sources_helos(const struct sources *s, const char ***v);

#endif
