/* spf.h - whether an address may send for a domain: RFC 7208's check_host().  Pure: the DNS is
 * passed in, and so are the time and whatever else a macro may ask for.
 *
 * Limits (4.6.4): 10 terms that ask the DNS in all, 10 hosts of an "mx", the first 10 names of a
 * "ptr", 2 lookups that find nothing.  Not counted as such are the addresses of a PTR's names,
 * %{p} and an explanation: the one who connects chooses the former, and the latter changes no result.
 */
#ifndef SPF_H
#define SPF_H

#include "answers.h"
#include "buf.h"
#include "cur.h"
#include "net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPF_LOOKUPS_MAX 10 /* RFC 7208 4.6.4 */
#define SPF_VOIDS_MAX 2
#define SPF_HOSTS_MAX 10
#define SPF_ALL_MAX 100 /* lookups, where all of a record is walked for its costs */

enum spf_result {
	SPF_NONE, SPF_NEUTRAL, SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_TEMPERROR, SPF_PERMERROR
};

struct spf_query {
	struct net_addr ip;
	struct span sender;   /* MAIL FROM's mailbox; empty: postmaster@helo (2.4) */
	struct span helo;
	struct span receiver; /* %{r}; empty: "unknown" */
	uint64_t time_s;      /* %{t} */
	bool walk;            /* all terms are looked at, matched or not, for the tree and its costs */
};

/* A record or a term of it, in the order of evaluation. */
struct spf_node {
	unsigned depth;
	char *text;     /* "include:_spf.example.com" */
	char *domain;   /* whose record it stands in */
	unsigned cost;  /* lookups, its own and those of all below it */
	bool decided;   /* this term gave the result, or led to where it was given */
	char *trouble;  /* why it cannot be evaluated; NULL: it can */
};

struct spf {
	enum spf_result result;
	struct buf why;         /* one clause: "ip4:192.0.2.0/24 of example.com matches" */
	struct buf explanation; /* of a fail, where the domain gives one; ASCII, from strangers */
	struct buf domain;      /* what was checked, A-labels */
	unsigned lookups, voids;
	struct spf_node *nodes;
	size_t n_nodes;
};

void spf_check(const struct spf_query *q, const struct asker *dns, struct spf *out);
void spf_free(struct spf *s);

const char *spf_result_name(enum spf_result r); /* "softfail" */

#endif
