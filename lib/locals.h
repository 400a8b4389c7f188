/* locals.h - the domains that are ours and who is there: the local sections with their addresses files.
 *
 * A file is read by locals_refresh(), and again when it has changed.  One that cannot be
 * read or makes no sense says nothing about who is there: until it does, every question about its
 * domains is EX_TEMPFAIL, so that mail waits and none is refused or lost.
 */
#ifndef LOCALS_H
#define LOCALS_H

#include "conftab.h"

struct locals;

#define LOCALS_DEPTH_MAX 50     /* aliases of aliases */
#define LOCALS_TARGETS_MAX 1000 /* addresses that one recipient may become */

/* *l NULL: no section says that there are any.  A domain that stands twice is EX_CONFIG. */
int locals_open(struct locals **l, const struct conftab *t, struct err *e);
void locals_free(struct locals *l);

/* Looks at the files.  What is wrong with one is told once. */
void locals_refresh(struct locals *l, void (*trouble)(void *arg, const struct err *e), void *arg);

/* Whether a domain, UTF-8 or A-labels, is ours. */
bool locals_has(const struct locals *l, struct span domain);
/* The i-th of them as A-labels, in the order of the configuration; NULL past the last. */
const char *locals_domain(const struct locals *l, size_t i);

/* What parts a user from an extension in a domain, UTF-8 or A-labels; NULL: it is not ours. */
const char *locals_delimiter(const struct locals *l, struct span domain);

/* Where mail for local@domain, as addr_put() writes it, goes: each address once it is found (and it may
 * be found again), of which domains that are ours are A-labels.  A callback that returns non-zero ends
 * it with that code.
 * EX_NOHOST: the domain is not ours.  EX_NOUSER: nobody is there by that name, or only "*" would be and
 * the name is a way to another host.  EX_TEMPFAIL: the file.
 * EX_CONFIG: an alias leads in a circle, to nobody or to too many. */
int locals_expand(const struct locals *l, struct span address,
    int (*each)(void *arg, struct span address, struct err *e), void *arg, struct err *e);

#endif
