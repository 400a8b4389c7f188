/* proxy.h - the PROXY protocol of HAProxy, versions 1 and 2: who a front end speaks for.  Pure.
 * https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt */
#ifndef PROXY_H
#define PROXY_H

#include "net.h"

#define PROXY_MAX 4096 /* bytes; version 2 could tell 65,551, most of it in extensions that we pass over */

enum proxy_is {
	PROXY_MORE,    /* there is more to come */
	PROXY_CLIENT,  /* *client is its address and port */
	PROXY_NOBODY,  /* the front end speaks for itself, or does not know: LOCAL, UNKNOWN, another family */
	PROXY_BAD
};

/* At the beginning of the connection.  *taken is the length of the header, but for MORE and BAD. */
enum proxy_is proxy_parse(struct span in, struct net_addr *client, size_t *taken);

/* Where that is MORE: how many bytes are still the header's, at the least.  What is behind them may be the
 * client's TLS handshake. */
size_t proxy_wants(struct span in);

#endif
