/* The attributes of XCLIENT. */
#include "fuzz.h"

#include "xclient.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct xclient x;
	struct buf text = BUF_INIT;
	struct net_addr back;

	if (xclient_parse((struct span){(const char *)p, n}, &x) && x.known) {
		net_addr_text(&x.addr, &text);
		if (!x.has_addr || !net_addr_parse(&back, (struct span){text.s, text.len}, 0) ||
		    !net_addr_eq(&back, &x.addr))
			abort();
	}
	buf_free(&text);
	xclient_free(&x);
	return 0;
}
