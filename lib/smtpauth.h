/* smtpauth.h - an SMTP client logs in, RFC 4954.
 *
 * The best mechanism of those that the server offers and the caller allows; none that shows the
 * password without TLS, unless that is said.  Whatever fails is told as trouble of the connection,
 * never of a message: a password that is wrong is ours to mend.
 */
#ifndef SMTPAUTH_H
#define SMTPAUTH_H

#include "keyring.h"
#include "mech.h"
#include "session.h"

struct smtpauth {
	const char *user;
	unsigned mechs;      /* allowed */
	bool bare_clear;     /* MECH_BARE without TLS, too */
	const char *host;    /* the server, as it was asked for */
	uint16_t port;
	/* Asked for when the mechanism is chosen, and not for EXTERNAL. */
	int (*secret)(void *arg, struct buf *out, struct err *e);
	void (*refused)(void *arg); /* it was not taken */
	void *arg;
};

/* What the keys of a route allow where it does not say: all but tokens and EXTERNAL. */
#define SMTPAUTH_USUAL (((1u << MECH_NONE) - 1) & ~(MECH_TOKEN | MECH_BIT(MECH_EXTERNAL)))

/* After smtp_open(): as a route says, with its secret from the keyring; by NULL: nothing to do.
 * EX_TEMPFAIL, EX_PROTOCOL: the connection is closed, e says why and s->tls_status is what to report:
 * "4.7.8" for a refusal, "4.7.9" where there is no mechanism to use. */
int smtpauth_route(struct smtp *s, const struct conf_route *by, const char *host, uint16_t port,
    struct keyring *keys, struct err *e);

#endif
