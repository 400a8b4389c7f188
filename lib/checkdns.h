/* checkdns.h - what the DNS says of a sender: SPF, DKIM keys, DMARC, PTR, HELO, MX, MTA-STS, TLSRPT and
 * block lists.  Pure: the DNS is passed in.
 */
#ifndef CHECKDNS_H
#define CHECKDNS_H

#include "answers.h"
#include "checkmsg.h"
#include "crypt.h"
#include "finding.h"
#include "spf.h"

#include <stdbool.h>

struct checkdns {
	struct span domain;     /* of From, A-labels */
	struct span sender;     /* of the envelope: a mailbox, or the domain itself */
	struct span helo;       /* empty: not known */
	bool has_ip;
	struct net_addr ip;
	const char *const *selectors;
	size_t n_selectors;
	const char *const *lists; /* zones of DNSBLs */
	size_t n_lists;
	struct span public_key; /* crypt_key_public() of the key that signs; empty: not given */
	enum crypt_kind key_kind;
	const struct checkmsg *message; /* after its end; NULL: none */
};

/* All but mx-tls.  tree: the walk of the SPF record, for who wants to print it; spf_free() by the caller
 * in any case. */
void checkdns_findings(const struct checkdns *c, const struct asker *dns, struct findings *l,
    struct spf *tree);

#endif
