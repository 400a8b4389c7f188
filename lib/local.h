/* local.h - deliveries that end on this machine: in maildirs and by programs, for routes that say so.
 *
 * A recipient is a transaction of its own: what becomes of one is written down before the next is
 * begun, so that whoever is killed in between repeats one of them at most - and a maildir knows
 * its letters by their names and takes none twice (maildir.h).
 *
 * Both get Return-Path (RFC 5321 4.4) and Delivered-To in front of the message.  One that has been
 * delivered to the same recipient before goes round in circles: 5.4.6.
 */
#ifndef LOCAL_H
#define LOCAL_H

#include "conf.h"
#include "err.h"
#include "smtp.h"

#include <stdbool.h>

#define LOCAL_PRINTED_MAX 4096 /* bytes of what a program prints that are kept */
#define LOCAL_GRACE_MS 10000   /* between SIGTERM and SIGKILL, of a program that takes too long */

/* The deliverer's sandbox, with what the routes of the configuration need beside: the directories of
 * maildirs to put letters into, sockets of LMTP servers. */
int local_confine(const struct conf *c, struct err *e);

/* Where there are routes with a program they are started by a spawner (spawn.h), which is forked now:
 * before threads and sandbox.  c is kept.  EX_CONFIG: a command that is none; a local domain that stands
 * twice. */
struct local;
int local_open(struct local **l, const struct conf *c, struct err *e);
void local_close(struct local *l);
int local_end_fd(const struct local *l); /* as spawn_end_fd(), of the spawner */

/* Whether the route can be used at all: EX_TEMPFAIL where the directory of its maildirs is not there. */
int local_ready(const struct conf_route *r, struct err *e);

/* What would become of a recipient, as far as can be seen without delivering: 0, EX_TEMPFAIL or EX_NOUSER
 * with its status.  where receives the maildir or the program. */
int local_look(const struct conf *c, const struct conf_route *r, struct span rcpt, struct buf *where,
    char status[12], struct err *e);

/* By smtp_send()'s contract, with no connection: the first recipient of m is decided, the others are
 * SMTP_AGAIN.  *halt: as in struct parcel_way. */
int local_send(struct local *l, const struct conf_route *r, struct smtp_mail *m, const char **halt,
    struct err *e);

#endif
