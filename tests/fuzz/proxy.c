/* A PROXY header: what is whole is whole with more behind it, and any beginning of it asks for more. */
#include "fuzz.h"

#include "proxy.h"

#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct net_addr client, again;
	size_t taken = 0, same = 0;
	enum proxy_is is = proxy_parse((struct span){(const char *)p, n}, &client, &taken), part;

	if (is == PROXY_MORE && n >= PROXY_MAX)
		abort();
	if (is != PROXY_CLIENT && is != PROXY_NOBODY)
		return 0;
	if (taken == 0 || taken > n || taken > PROXY_MAX)
		abort();
	if (proxy_parse((struct span){(const char *)p, taken}, &again, &same) != is || same != taken)
		abort();
	if (is == PROXY_CLIENT && !net_addr_eq(&client, &again))
		abort();
	for (size_t i = 0; i < taken; i++) {
		part = proxy_parse((struct span){(const char *)p, i}, &again, &same);
		if (part != PROXY_MORE)
			abort();
	}
	return 0;
}
