/* oauth.h - the messages of OAUTHBEARER (RFC 7628) and XOAUTH2.  Pure.
 *
 * XOAUTH2 is described at developers.google.com/gmail/imap/xoauth2-protocol:
 * "user=" user ^A "auth=Bearer " token ^A ^A.
 */
#ifndef OAUTH_H
#define OAUTH_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdint.h>

/* RFC 6750 2.1: b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" */
bool oauth_token_ok(struct span token);

/* client-resp, RFC 7628 3.1.  EX_DATAERR: a token that is none, a user with a control character. */
int oauth_bearer(struct span user, struct span token, const char *host, uint16_t port,
    struct buf *out, struct err *e);
int oauth_xoauth2(struct span user, struct span token, struct buf *out, struct err *e);

struct oauth_message {
	struct buf user;   /* of the gs2-header, decoded; empty: not said */
	struct span token; /* lent by the message */
};
#define OAUTH_MESSAGE_INIT {BUF_INIT, {NULL, 0}}

/* A client's message taken apart.  EX_DATAERR: not one; a channel binding asked for (RFC 7628 3.1: it
 * is 'n' or 'y'); no auth key, or two; another scheme than Bearer, which has no case. */
int oauth_parse(struct span message, struct oauth_message *out, struct err *e);
void oauth_message_free(struct oauth_message *m);

/* What a server says instead of a failure, which the client answers with ^A, RFC 7628 3.2.2. */
#define OAUTH_REFUSAL "{\"status\":\"invalid_token\"}"

#endif
