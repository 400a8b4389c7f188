/* local.h - deliveries that end on this machine: in maildirs and by programs, for routes that say so.
 *
 * A recipient is a transaction of its own: what becomes of one is written down before the next is
 * begun, so that whoever is killed in between repeats one of them at most.
 */
#ifndef LOCAL_H
#define LOCAL_H

#include "conf.h"
#include "err.h"

/* The deliverer's sandbox, with what the routes of the configuration need beside: the directories of
 * maildirs to put letters into, sockets of LMTP servers. */
int local_confine(const struct conf *c, struct err *e);

#endif
