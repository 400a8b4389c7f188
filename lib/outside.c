#include "outside.h"

#include "cert.h"
#include "dns.h"
#include "guard.h"
#include "identities.h"
#include "keyring.h"
#include "local.h"
#include "net.h"
#include "noticegone.h"
#include "route.h"
#include "sources.h"
#include "stskeep.h"
#include "tickets.h"
#include "tls.h"
#include "tlspolicy.h"

#include <stdlib.h>

int
outside_open(struct outside *o, const struct conf *c, struct queue *q, struct err *e)
{
	int rc;

	if (o->read)
		return 0;
	rc = local_open(&o->local, c, e); /* first: what these fork has nothing of ours */
	if (!rc)
		rc = keyring_open(&o->keys, c, e);
	keyring_heed(o->keys, &o->stop);
	if (!rc)
		rc = stskeep_open(&o->sts, c, queue_state_fd(q), c->queue, &o->stop, e);
	if (!rc)
		rc = guard_open(&o->guard, c, q, e);
	if (!rc)
		rc = net_own_addrs(&o->own, &o->n_own, e);
	if (!rc)
		rc = (route_never_asks(c) ? dns_open_idle : dns_open)(&o->dns, c->resolver, e);
	if (!rc && c->trust_ad)
		dns_trust_ad(o->dns);
	if (!rc)
		rc = tls_start(e);
	if (!rc)
		rc = tlspolicy_cas(c, &o->cas, e);
	if (!rc)
		rc = tlspolicy_sts_cas(c, &o->sts_cas, e);
	if (rc)
		return rc;
	sources_open(&o->sources, c);
	o->tickets = tickets_new();
	identities_open(&o->identities, c);
	o->n_names = sources_helos(o->sources, &o->names);
	o->names[o->n_names++] = c->hostname;
	o->read = true;
	return 0;
}

void
outside_close(struct outside *o)
{
	dns_close(o->dns);
	cert_store_free(o->cas);
	cert_store_free(o->sts_cas);
	stskeep_close(o->sts);
	free(o->own);
	keyring_close(o->keys);
	guard_close(o->guard);
	sources_close(o->sources);
	tickets_del(o->tickets);
	identities_close(o->identities);
	noticegone_del(o->gone);
	free(o->names);
	local_close(o->local);
}

void
outside_ends(const struct outside *o, struct pollfd ends[OUTSIDE_ENDS])
{
	ends[0] = (struct pollfd){local_end_fd(o->local), POLLIN, 0};
	ends[1] = (struct pollfd){keyring_end_fd(o->keys), POLLIN, 0};
	ends[2] = (struct pollfd){stskeep_end_fd(o->sts), POLLIN, 0};
}
