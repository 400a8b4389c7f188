/* quota.h - meters in state/, shared by all processes: by user, client address and network.
 *
 * One file of a fixed size (state/quota, 22 MB at most and sparse), a hash table: a key is a keyed hash,
 * so that nobody outside can choose whose meter his own displaces.  When a set is full the one
 * that counts least goes: users have a part of their own, which no flood of addresses reaches.  A meter
 * is read, decided upon and written under a lock on its set, whose wait ends at a deadline.  After
 * a crash a meter is whole or unknown; after a power cut it may be an old one.
 *
 * Connections at one time are counted by locks in state/clients, which the kernel drops with their
 * process.  Safe for many threads, not across fork: locks belong to the open file, so each process opens
 * it for itself.
 */
#ifndef QUOTA_H
#define QUOTA_H

#include "err.h"
#include "meter.h"
#include "net.h"

#include <stdbool.h>
#include <stdint.h>

struct quota;

enum quota_who { QUOTA_USER, QUOTA_ADDR, QUOTA_NET };
#define QUOTA_WAIT_MS 2000 /* for a lock, unless the caller knows better */

/* Made where it is not there; a file that is none of ours is begun anew.  state_dir: as in queue.h. */
int quota_open(struct quota **q, int state_dir, struct err *e);
void quota_close(struct quota *q);

/* The key of an address: itself, IPv6 its /64; of its network: IPv4 /24, IPv6 /48. */
void quota_key(const struct net_addr *a, enum quota_who who, struct buf *out);

/* As meter_take().  EX_TEMPFAIL: the lock or the disk; then nothing is counted or known, and a relay
 * that keeps its limits says "try again". */
int quota_take(struct quota *q, enum quota_who who, struct span key, const struct meter_limits *l,
    enum meter_what what, uint32_t n, bool *ok, uint32_t *wait_s, struct err *e);

/* A failed login counts for the address and its network, a success forgives the address. *failures: those
 * that count now, with this one. */
int quota_failed(struct quota *q, const struct net_addr *a, uint32_t *failures, struct err *e);
int quota_forgive(struct quota *q, const struct net_addr *a, struct err *e);

/* One of `limit` connections of a key, until quota_close() or the process's end. false: all are taken.
 * Within one struct quota a slot is taken once: one connection a process, or the caller counts. */
bool quota_enter(struct quota *q, enum quota_who who, struct span key, uint32_t limit);

#endif
