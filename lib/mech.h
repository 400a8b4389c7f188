/* mech.h - SASL mechanisms by name, and the lines of an AUTH exchange (RFC 4954).  Pure.
 *
 * A set of mechanisms is an unsigned with a MECH_BIT() for each.  The order of the enum is ours of
 * preference: what keeps the password to itself and is tied to the TLS channel comes first.
 */
#ifndef MECH_H
#define MECH_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>

enum mech {
	MECH_SCRAM_SHA_256_PLUS, MECH_SCRAM_SHA_1_PLUS, /* RFC 7677, RFC 5802, bound to the channel */
	MECH_SCRAM_SHA_256, MECH_SCRAM_SHA_1,
	MECH_EXTERNAL,    /* RFC 4422 A: by the client's certificate */
	MECH_OAUTHBEARER, /* RFC 7628 */
	MECH_XOAUTH2,     /* Google's and Microsoft's elder form of it */
	MECH_CRAM_MD5,    /* RFC 2195 */
	MECH_PLAIN,       /* RFC 4616 */
	MECH_LOGIN,       /* draft-murchison-sasl-login; never a standard, always asked for */
	MECH_NONE         /* none of them; how many there are */
};
#define MECH_BIT(m) (1u << (m))
#define MECH_SCRAM                                                                                 \
	(MECH_BIT(MECH_SCRAM_SHA_256_PLUS) | MECH_BIT(MECH_SCRAM_SHA_1_PLUS) |                     \
	    MECH_BIT(MECH_SCRAM_SHA_256) | MECH_BIT(MECH_SCRAM_SHA_1))
#define MECH_PLUS (MECH_BIT(MECH_SCRAM_SHA_256_PLUS) | MECH_BIT(MECH_SCRAM_SHA_1_PLUS))
/* Whoever reads the line can come back with it: never without TLS. */
#define MECH_BARE                                                                                  \
	(MECH_BIT(MECH_PLAIN) | MECH_BIT(MECH_LOGIN) | MECH_BIT(MECH_OAUTHBEARER) |                \
	    MECH_BIT(MECH_XOAUTH2))
#define MECH_TOKEN (MECH_BIT(MECH_OAUTHBEARER) | MECH_BIT(MECH_XOAUTH2))

const char *mech_name(enum mech m);   /* "SCRAM-SHA-256-PLUS" */
enum mech mech_of(struct span name);  /* without case; MECH_NONE: not one of these */

/* Words separated by blanks or commas, as behind EHLO's AUTH; what is not known is passed over.
 * *unknown, where not NULL, is the first of those. */
unsigned mech_set(struct span words, struct span *unknown);
void mech_text(unsigned set, struct buf *out); /* the names, best first, a SP between two */

/* --- the lines */

/* base64 of a line (initial: "=" stands for nothing, RFC 4954 4) to bytes: EX_DATAERR where it is
 * none.  *cancel: the line is "*", by which a client ends the exchange; never an initial response. */
int mech_decode(struct span line, bool initial, struct buf *out, bool *cancel, struct err *e);

#endif
