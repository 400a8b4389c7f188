/* tlstell.h - what came of TLS with a host, as an event line: what TLS reports (RFC 8460) are made of.
 *
 * One line a connection over which it could be seen: where STARTTLS was offered or should have been, and
 * where the policy did not let the host be used at all.  A host that cannot be reached says nothing.
 */
#ifndef TLSTELL_H
#define TLSTELL_H

#include "events.h"
#include "session.h"
#include "tlspolicy.h"

struct tlstell {
	struct events *events;       /* NULL: nothing is told */
	const char *domain;          /* the policy's: the recipients', or a configured relay's name */
	struct span site;
	const struct stsfile *known; /* what is known of its MTA-STS policy, valid or not; NULL: nothing */
	const struct tlspolicy *policy;
	const char *addr, *source;   /* of the host, with its port; ours, without; "" where there is none */
};

/* After smtp_open(), which had this result; tried: TLS was wanted of it at all. */
void tlstell_session(const struct tlstell *t, const struct smtp *s, bool tried, int rc,
    const struct err *why);
/* The host was not connected to: tlspolicy_find() did not let it be. */
void tlstell_refused(const struct tlstell *t, const struct err *why);

#endif
