/* dkimmsg.h - one message signed: read once, its keys chosen by the domain that it is from. */
#ifndef DKIMMSG_H
#define DKIMMSG_H

#include "dkimkeys.h"

#include <stdint.h>

/* The next piece of the message, lent until the next call; *n 0 at its end. */
typedef int dkimmsg_next(void *arg, const char **p, size_t *n, struct err *e);

/* Appends the fields that belong in front of it to out; nothing where it fails.  EX_DATAERR as
 * dkimsign_begin() and dkimkeys_choose().  *from (may be NULL): the domain, where that was found. */
int dkimmsg_sign(struct dkimkeys *ks, dkimmsg_next *next, void *arg, uint64_t now_s, struct buf *out,
    struct buf *from, struct err *e);

/* What a thread needs for one message after the other: storage. */
struct dkimmsg_desk {
	struct dkim_split split;
	struct dkimhead head;
	struct dkimsign sign;
	struct buf domain;
};
void dkimmsg_desk_init(struct dkimmsg_desk *d);
void dkimmsg_desk_free(struct dkimmsg_desk *d);

/* The same in two steps (dkimsign.h); the second is dkimsign_make() of what is ready.  One that has been
 * ready before serves again with its storage; dkimmsg_free() in any case. */
struct dkimmsg {
	struct dkimkeys_choice choice;
	struct dkimsign_ready ready;
};
#define DKIMMSG_INIT {DKIMKEYS_CHOICE_INIT, DKIMSIGN_READY_INIT}
int dkimmsg_ready(struct dkimkeys *ks, struct dkimmsg_desk *d, dkimmsg_next *next, void *arg,
    uint64_t now_s, struct dkimmsg *m, struct err *e);
void dkimmsg_free(struct dkimmsg *m);

#endif
