/* dkimkeys.h - which keys sign a message, by the domain that it is from.
 *
 * A key is for a domain and all below it, or for every message.  Of the keys for domains those of
 * the nearest one sign: where example.org and news.example.org have keys, From: x@news.example.org
 * is signed with the latter's.  Those for every message sign too.  Many threads may choose at once.
 */
#ifndef DKIMKEYS_H
#define DKIMKEYS_H

#include "dkimconf.h"
#include "dkimsign.h"
#include "signkey.h"

struct dkimkeys;

/* often: as signkey_open().  warn, which may be NULL, is told of weak keys and of files that others
 * may read. */
struct dkimkeys *dkimkeys_new(bool often, void (*warn)(const char *fmt, ...));
void dkimkeys_del(struct dkimkeys *ks);

/* Another one.  from: as dkimconf's "for"; domain NULL: d= is what the message is from.  form says all
 * but domain, selector and key; what it points to is lent as long as ks lives. */
int dkimkeys_add(struct dkimkeys *ks, const char *from, const char *domain, const char *selector,
    const char *key, const struct signkey_password *password, const struct dkimsign_want *form,
    struct err *e);
/* Those of the configuration; spans of it are lent.  EX_CONFIG. */
int dkimkeys_conf(struct dkimkeys *ks, const struct dkimconf *v, size_t n, struct err *e);
/* DIR/DOMAIN/SELECTOR.pem, looked for when a message is from DOMAIN or below it.  selectors (may be
 * NULL) and n_selectors name those that are taken; all is lent. */
struct dkimkeys_dir {
	const char *path;
	const char *const *selectors;
	size_t n_selectors;
	struct signkey_password password;
	struct dkimsign_want form;
};
void dkimkeys_dir(struct dkimkeys *ks, const struct dkimkeys_dir *dir);
/* Those of all its domains, now; it is not looked at again. */
int dkimkeys_all(struct dkimkeys *ks, struct err *e);
/* Only keys of these kinds sign: bit 1 << CRYPT_RSA, 1 << CRYPT_ED25519. */
void dkimkeys_only(struct dkimkeys *ks, unsigned kinds);

struct dkimkeys_choice {
	struct dkimsign_want *wants; /* lent by ks, but for the array and the domain below */
	size_t n, room;
	struct buf from; /* the domain */
};
#define DKIMKEYS_CHOICE_INIT {NULL, 0, 0, BUF_INIT}
/* One that has been chosen before serves again with its storage; dkimkeys_choice_free() in any case.
 * *domain becomes what dkimsign_from() tells, with its errors.  EX_DATAERR: there is no key for it. */
int dkimkeys_choose(struct dkimkeys *ks, const struct dkimhead *h, struct buf *domain,
    struct dkimkeys_choice *out, struct err *e);
void dkimkeys_choice_free(struct dkimkeys_choice *c);

#endif
