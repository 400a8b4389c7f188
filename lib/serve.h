/* serve.h - one SMTP client, from its first byte to its last: input, output, TLS and deadlines.
 *
 * The client is at a connected socket, or at two descriptors of any other kind.  Blocks; one client a
 * process.  Every wait has a deadline: a command's begins with the reply to the one before, and a
 * byte a minute does not move it; content has to come on; all together is over after session_time.
 */
#ifndef SERVE_H
#define SERVE_H

#include "door.h"

struct tls_identity;
struct locals;
struct resolve;

struct serve_client {
	const struct door_house *house;
	const struct tls_identity *identity; /* NULL: no TLS */
	struct login *login;    /* NULL: nobody can log in */
	const struct locals *locals; /* NULL: no domain is ours */
	struct resolve *dns;    /* NULL: nothing is found out about strangers' mail */
	struct quota *quota;    /* NULL: nothing is counted */
	struct events *events;  /* NULL: nothing is logged */
	int in, out;            /* the same for a socket */
	bool socket;
	bool has_peer;          /* of a socket: an internet address */
	struct net_addr peer;
	bool local;             /* whoever is there runs us: a pipe, a terminal */
};

/* What is at a descriptor: a socket and its peer, or else a local program.  EX_NOINPUT: a socket whose
 * peer is gone. */
int serve_look(struct serve_client *c, int in, int out, struct err *e);
/* The same of what net_accept_now() gave, which is known. */
void serve_accepted(struct serve_client *c, int fd, const struct net_addr *peer);

/* Until it is gone.  Takes the descriptors over.  Non-zero only for what a person should know. */
int serve(const struct serve_client *c, struct err *e);

#endif
