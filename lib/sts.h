/* sts.h - MTA-STS (RFC 8461): what a domain's record and its policy say.
 *
 * Pure; both come from strangers.  What is lent is lent by the text that was given.
 */
#ifndef STS_H
#define STS_H

#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STS_VERSION "v=STSv1"   /* of the TXT record at _mta-sts.DOMAIN */
#define STS_ID_MAX 32           /* bytes of an id, RFC 8461 3.1 */
#define STS_MAX_AGE_S 31557600  /* RFC 8461 3.2: about a year */
#define STS_POLICY_MAX 65536    /* bytes, RFC 8461 3.3 */

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };
const char *sts_mode_name(enum sts_mode mode); /* "none", "testing", "enforce" */

struct sts_policy {
	enum sts_mode mode;
	uint64_t max_age_s;
	struct span *mx; /* "mx.example.com", "*.example.net"; lent */
	size_t n;
};

/* An id: 1 to 32 letters and digits. */
bool sts_id_ok(struct span id);

/* EX_DATAERR and why it is none.  sts_policy_free() in any case. */
int sts_policy_parse(struct span text, struct sts_policy *p, struct err *e);
void sts_policy_free(struct sts_policy *p);

/* Whether one of its patterns is for this host, RFC 8461 4.1: "*." stands for one label. */
bool sts_policy_has(const struct sts_policy *p, const char *host);

#endif
