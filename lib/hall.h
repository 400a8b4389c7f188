/* hall.h - listening sockets, and a process for each client that comes.
 *
 * Where neither inetd nor a socket unit does it.  When it is stopped those who wait in the kernel's queue
 * are let in, as far as there is room, and nobody else; whoever is in stays: its process goes on by itself.
 */
#ifndef HALL_H
#define HALL_H

#include "err.h"
#include "net.h"

#include <stddef.h>

struct hall {
	const int *listeners; /* non-blocking */
	size_t n;
	size_t max;           /* clients at one time; others wait in the kernel's queue */
	/* In the child, which has no listeners: its exit code.  fd is the client's, as net_accept_now() gives it. */
	int (*client)(void *arg, int fd, const struct net_addr *peer);
	/* In the parent, before a child is made. */
	void (*before)(void *arg);
	void (*trouble)(void *arg, const struct err *e); /* something passing */
	void *arg;
};

/* From now on SIGTERM and SIGINT end hall_run(), and nothing else: before anybody is told that we
 * listen. */
int hall_signals(struct err *e);
void hall_usual_signals(void); /* that was not needed */
int hall_run(const struct hall *h, struct err *e);

/* Sockets that systemd has given us (sd_listen_fds(3)): from 3 on, *n of them; they are made
 * close-on-exec.  0 where there are none. */
void hall_inherited(size_t *n);
/* Whether it is one that listens, and not a client's. */
int hall_is_listener(int fd);

#endif
