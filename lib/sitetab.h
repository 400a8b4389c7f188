/* sitetab.h - the shipped table of receiving operations, share/sites: what a site is called by its MX hosts.
 *
 * A pattern is a name, ".name" (it and all below it), or "*".  Host names are lower-case.
 */
#ifndef SITETAB_H
#define SITETAB_H

#include "cur.h"

#include <stdbool.h>

/* The site that a host belongs to, or NULL; lent for good. */
const char *sitetab_find(struct span host);
bool sitetab_has(const char *site);

/* How well a pattern fits: 0 not at all; "*" 1; ".suffix" more the longer it is; itself best.  Without
 * case. */
size_t sitetab_fit(struct span pattern, struct span name);

#endif
