#include "sitetab.h"

#include <stdint.h>
#include <string.h>

/* share/sites, as the Makefile turns it into an initializer. */
static const struct {
	const char *pattern, *site;
} shipped[] = {
#include <sites.inc>
};
#define SHIPPED (sizeof shipped / sizeof *shipped)

size_t
sitetab_fit(struct span pattern, struct span name)
{
	struct span below = {pattern.p + 1, pattern.n - 1};

	if (pattern.n == 0)
		return 0;
	if (span_ieq(pattern, name))
		return SIZE_MAX;
	if (span_eq(pattern, SPAN("*")))
		return 1;
	if (pattern.p[0] == '.' && (span_ends(name, pattern) || span_ieq(name, below)))
		return 1 + pattern.n;
	return 0;
}

const char *
sitetab_find(struct span host)
{
	for (size_t i = 0; i < SHIPPED; i++)
		if (sitetab_fit(span_of(shipped[i].pattern), host) > 0)
			return shipped[i].site;
	return NULL;
}

bool
sitetab_has(const char *site)
{
	for (size_t i = 0; i < SHIPPED; i++)
		if (strcmp(shipped[i].site, site) == 0)
			return true;
	return false;
}
