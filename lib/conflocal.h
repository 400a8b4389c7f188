/* conflocal.h - the domains that are ours: section local of relaykit.conf(5). */
#ifndef CONFLOCAL_H
#define CONFLOCAL_H

#include "conftab.h"

struct conflocal {       /* local "example.org, example.net" { ... } */
	char *domains;   /* commas or blanks between two; UTF-8 or A-labels */
	char *addresses; /* path */
	char *delimiter; /* bytes that end a name before an extension; "": none */
};

extern const struct conftab_section conflocal_section;

const struct conflocal *conflocal(const struct conftab *t, size_t *n);
/* The next of the domains, as written; false at the end. */
bool conflocal_domain(struct cur *domains, struct span *out);

#endif
