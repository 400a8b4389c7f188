#include "local.h"

#include "mailbox.h"
#include "net.h"
#include "sandbox.h"

#include <stdlib.h>

int
local_confine(const struct conf *c, struct err *e)
{
	struct sandbox_drop *drops = mem_alloc((c->n_routes + 1) * sizeof *drops);
	struct sandbox_also also = {.drops = drops};
	struct net_addr a;
	char **dirs = mem_alloc((c->n_routes + 1) * sizeof *dirs);
	int rc;

	for (size_t i = 0; i < c->n_routes; i++) {
		const struct conf_route *r = &c->routes[i];
		struct buf dir = BUF_INIT;

		if (r->maildir) {
			mailbox_base(r->maildir, &dir);
			dirs[also.n_drops] = buf_steal(&dir);
			drops[also.n_drops] = (struct sandbox_drop){dirs[also.n_drops], r->create};
			also.n_drops++;
		}
		also.unix_sockets |= r->lmtp && net_addr_unix(&a, span_of(r->lmtp));
	}
	rc = sandbox_enter_also(c->queue, &also, e);
	for (size_t i = 0; i < also.n_drops; i++)
		free(dirs[i]);
	free(dirs);
	free(drops);
	return rc;
}
