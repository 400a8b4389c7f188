/* addresses.h - an addresses file, relaykit-addresses(5): who has a mailbox, and whose mail goes
 * elsewhere.  Pure.
 *
 *     ann                                  a mailbox
 *     info: ann, bob@elsewhere.example     an alias
 *     sales@example.net: ann               at this domain alone
 *     *: ann                               for everybody who is not listed; "*" alone: all have mailboxes
 *
 * A line that begins with a blank continues the one before; empty lines and those with "#" first are
 * passed over.  Names are local parts as RFC 5321 and 6531 write them; their ASCII letters have no case.
 */
#ifndef ADDRESSES_H
#define ADDRESSES_H

#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESSES_FILE_MAX 67108864 /* bytes */
#define ADDRESSES_TARGETS_MAX 1000  /* of one alias */

struct addresses_entry { /* spans are the struct addresses' own */
	struct span name;       /* the local part as it is written, with the least quoting; "*" */
	struct span *targets;   /* local parts, or local@domain as written */
	size_t n;
	bool alias;             /* it has targets: at least one */
	unsigned line;
	uint32_t number;        /* from 0, in the file's order */
};

struct addresses;

/* EX_DATAERR "line 3: what".  seed: of the hash table. */
int addresses_parse(struct addresses **a, struct span text, uint64_t seed, struct err *e);
void addresses_free(struct addresses *a);

struct addresses_found {
	const struct addresses_entry *entry;
	struct span extension; /* from the delimiter on; lent by local */
	bool exact;            /* the name itself is listed, or is postmaster or abuse */
};

/* Who gets mail for local@domain.  local as addr_put() writes it, domain as idn_to_ascii() does;
 * delimiters: any of these bytes ends a name, "ann+lists".  In this order: the name at the domain, the
 * name, both without the extension, postmaster (RFC 5321 4.5.1) and abuse (RFC 2142; it is
 * postmaster's), "*" at the domain, "*".  False: nobody; but somebody always is postmaster. */
bool addresses_find(const struct addresses *a, struct span local, struct span domain,
    const char *delimiters, struct addresses_found *out);

#endif
