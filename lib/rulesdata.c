#include "rules.h"

/* share/bounce.rules as scripts/rulesc.c writes it: rules_shipped and rules_shipped_ready. */
#include <rules.inc>

void
rules_add_shipped(struct rules *r)
{
	struct err e = ERR_INIT;

	if (!r->grown && !r->words)
		*r = rules_shipped_ready;
	else /* it cannot fail: that it is well was seen when this was built */
		rules_add(r, (struct span){rules_shipped, rules_shipped_len}, "bounce.rules", &e);
	err_free(&e);
}
