/* door.h - what an SMTP conversation asks of the world, answered: by the queue, the users, the
 * counters and the configuration.
 *
 * Closed by default: who has not logged in and is not in a listed network relays nothing, and reaches
 * nobody but who is in a domain of ours.  What comes from such a stranger is not completed or mended:
 * it gets a Received field, and what is found out about it.  A message goes straight into its entry, and is on stable storage when end() says yes.
 */
#ifndef DOOR_H
#define DOOR_H

#include "confserve.h"
#include "meter.h"
#include "net.h"
#include "smtpdo.h"
#include "submit.h"

struct door_house { /* what all clients share; the caller's */
	const struct conf *conf;
	const struct confserve *serve;
	const struct confserve_listen *listen;
	struct queue *queue;
	bool tls;               /* there is a certificate */
	/* Local trouble, of which the client hears only that there is some. */
	void (*trouble)(void *arg, const struct err *e);
	void *arg;
};

/* Domains of our own, doorlocal.h: mail for who is there is taken from everybody. */
struct door_ours {
	void *arg;
	/* false: it is in no domain of ours.  Else v says whether somebody is there. */
	bool (*rcpt)(void *arg, struct span to, struct smtpd_verdict *v);
	/* Where mail for the transaction's recipient i goes, into msg.rcpts.  EX_NOHOST: it is in no domain
	 * of ours. */
	int (*expand)(void *arg, size_t i, struct span params, struct err *e);
};

/* What is found out about mail from strangers, doorverdict.h. */
struct door_judge {
	void *arg;
	void (*mail)(void *arg);                              /* a transaction begins */
	void (*rcpt)(void *arg, struct smtpd_verdict *v);     /* with somebody who is there */
	void (*content)(void *arg, const void *p, size_t n);
	/* The message is whole: fields for its top, or a refusal. */
	void (*end)(void *arg, struct buf *top, struct smtpd_verdict *v);
};

struct doorauth;
struct doorlimit;

struct door {
	const struct door_house *house;
	struct doorauth *auth;  /* NULL: nobody can log in */
	/* Of a user who has: whether the address (local@domain) is his; NULL: any is. */
	bool (*may_send)(const struct door *d, struct span sender);
	/* A front end has said whom it speaks for: what the connection proves it proves of the front end. */
	void (*spoken_for)(struct door *d);
	const struct door_ours *ours; /* NULL: there are none */
	const struct door_judge *judge; /* NULL: nothing is */
	struct suppress *list;  /* NULL: nobody is on it */
	struct doorlimit *limits;
	/* One more connection, message or recipient; NULL: any number. */
	void (*limit)(struct door *d, enum meter_what what, struct smtpd_verdict *v);
	struct smtpd s;
	struct smtpd_rules rules;
	struct smtpd_world world;
	bool has_peer;          /* else a local program, at the other end of a pipe */
	bool front_end;         /* the peer is one, and has not told whom it speaks for */
	struct net_addr peer;
	struct buf peer_text;   /* "192.0.2.1" */
	struct buf suite;       /* of TLS */
	struct submit submit;
	struct submit_work *work;
	struct submit_msg msg;
	struct compose_trace trace;
	struct buf params, trace_peer, with, top;
};

/* peer NULL: a local program. */
void door_open(struct door *d, const struct door_house *h, const struct net_addr *peer);
void door_close(struct door *d);

/* Another peer than the connection's, told by a listed front end in a PROXY header; NULL: that did not
 * tell whom it speaks for. */
void door_proxied(struct door *d, const struct net_addr *client);
bool door_is_front_end(const struct door_house *h, const struct net_addr *peer);
void door_tls(struct door *d, struct span description); /* the handshake is done; as tls_describe() says */

#endif
