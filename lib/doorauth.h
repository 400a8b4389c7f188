/* doorauth.h - AUTH at a door: SASL behind the conversation, and what a user may send as.
 *
 * A failed login costs time, twice as much with each, and is an event; so is one that succeeds.
 */
#ifndef DOORAUTH_H
#define DOORAUTH_H

#include "door.h"
#include "events.h"
#include "login.h"

struct tls;

struct doorauth {
	struct door *door;
	struct login *login;
	struct events *events; /* may be NULL */
	struct sasl *sasl;
	enum mech mech;
	struct sasl_channel channel;
	struct sasl_channel bound; /* the same, as far as its bindings are offered */
	struct buf exporter, unique, certificate;
	struct sasl_server server;
	struct login_session session;
};

/* login NULL: nobody can log in.  The door is open, with its limits, and closed after this. */
void doorauth_open(struct doorauth *a, struct door *d, struct login *login, struct events *events);
void doorauth_close(struct doorauth *a);
void doorauth_tls(struct doorauth *a, const struct tls *t); /* the handshake is done */

#endif
