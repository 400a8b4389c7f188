/* resolv.conf, hosts and a list of servers: what is found is sorted, and found again. */
#include "fuzz.h"

#include "dnsconf.h"

#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span text = {(const char *)p, n};
	struct dnsconf c = DNSCONF_INIT, listed = DNSCONF_INIT;
	struct err e = ERR_INIT;
	int rc = dnsconf_servers(&listed, text, &e);

	if (rc != 0 && rc != EX_CONFIG)
		abort();
	if (rc == 0 && (listed.n_servers < 1 || listed.n_servers > DNSCONF_SERVERS_MAX))
		abort();
	dnsconf_resolv(&c, text);
	if (c.n_servers < 1 || c.n_servers > DNSCONF_SERVERS_MAX)
		abort();
	dnsconf_hosts(&c, text);
	for (size_t i = 0; i < c.n_hosts; i++) {
		size_t at = dnsconf_find(&c, c.hosts[i].name);

		if (at > i || strcmp(c.hosts[at].name, c.hosts[i].name) != 0 ||
		    (i > 0 && strcmp(c.hosts[i - 1].name, c.hosts[i].name) > 0))
			abort();
	}
	dnsconf_free(&listed);
	dnsconf_free(&c);
	err_free(&e);
	return 0;
}
