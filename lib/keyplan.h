/* keyplan.h - a key's record, whether it is published, and the steps from one key to the next.
 *
 * A key of a directory of keys is a file DIR/DOMAIN/SELECTOR.STATE.  What has happened is in the
 * file's name and when in its modification time, so there is nothing beside it to keep in step:
 *
 *     make     -> SELECTOR.made    its record is to be published
 *     publish  -> SELECTOR.seen    every resolver that was asked has the record, since then
 *     switch   -> SELECTOR.pem     it signs; those of its kind that did so are SELECTOR.old
 *     retire                       .old is removed: messages that it signed have arrived by now
 *
 * Each step refuses (KEYPLAN_REFUSED) where the one before has not taken effect.
 */
#ifndef KEYPLAN_H
#define KEYPLAN_H

#include "answers.h"
#include "crypt.h"
#include "err.h"

#include <stdint.h>

#define KEYPLAN_REFUSED 1 /* an exit code that is in nobody's list: a person must wait or act */
#define KEYPLAN_WAIT_S 3600          /* from publish to switch at least, and the record's TTL */
#define KEYPLAN_GRACE_S (7 * 86400)  /* from switch to retire: a message lives 5 days in a queue */

/* "v=DKIM1; k=rsa; p=...".  flags: what t= says, "" for none; k NULL: of a revoked key. */
int keyplan_record(const struct crypt_key *k, const char *flags, struct buf *out, struct err *e);
/* As a zone file has it, in strings of at most 255 bytes. */
void keyplan_zone(const char *selector, const char *domain, struct span record, struct buf *out);

enum keyplan_is {
	KEYPLAN_MATCHES,
	KEYPLAN_DIFFERS, /* published, but as another key, or as one that cannot be used; why says it */
	KEYPLAN_ABSENT,
	KEYPLAN_UNKNOWN  /* nobody could say, now */
};
/* What the DNS says of this key; why is for people, and has something for KEYPLAN_MATCHES too where
 * the record is odd.  *ttl_s: of the answer. */
enum keyplan_is keyplan_check(const struct crypt_key *k, const char *selector, const char *domain,
    const struct asker *dns, uint32_t *ttl_s, struct buf *why);

struct keyplan {
	const char *dir, *domain;
	const char *selector;
	const struct asker *const *dns; /* every one of these must see a record */
	const char *const *names;       /* of them, for messages */
	size_t n_dns;
	uint64_t now_s, wait_s, grace_s;
};
/* A key's bytes into a file that must not be there, mode 0600, safe on the disk.  EX_CANTCREAT. */
int keyplan_write(const char *path, struct span pem, struct err *e);
int keyplan_make(const struct keyplan *p, const struct crypt_key *k, struct span pem, struct err *e);
/* Where the key of that selector is that is being brought into use, or is in use: k of the next two. */
int keyplan_find(const struct keyplan *p, struct buf *path, struct err *e);
int keyplan_publish(const struct keyplan *p, const struct crypt_key *k, struct err *e);
/* Of a key that signs already it does what is left: another of its kind that signs beside it is one that an
 * interrupted switch has left.  kind_of: the kind of the key in a file, so that only those of the same kind
 * make room. */
int keyplan_switch(const struct keyplan *p, const struct crypt_key *k,
    int (*kind_of)(void *arg, const char *path, enum crypt_kind *kind, struct err *e), void *arg,
    struct buf *said, struct err *e);
int keyplan_retire(const struct keyplan *p, struct buf *said, struct err *e);
/* A line a key: selector, state, seconds since it has it. */
int keyplan_status(const struct keyplan *p, struct buf *out, struct err *e);

#endif
