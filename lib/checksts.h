/* checksts.h - whether the MTA-STS policy that a domain's record promises is there, and is for its mail servers.
 *
 * It is fetched by mta-sts, as the deliverer has it fetched, and nothing that is remembered counts.
 */
#ifndef CHECKSTS_H
#define CHECKSTS_H

#include "answers.h"
#include "finding.h"
#include "stskeep.h"

#include <stdint.h>

struct checksts {
	struct span domain;   /* A-labels */
	struct stskeep *keep; /* NULL: the configuration wants no policies */
	const char *overlay;  /* a file of records that come before the DNS's; NULL: none */
	bool connect;         /* false: nobody is connected to, which is told */
	int64_t deadline_ms;
};

/* Behind checkdns_findings(), which has looked at the record. */
void checksts_findings(const struct checksts *c, const struct asker *dns, struct findings *l);

#endif
