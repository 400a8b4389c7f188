/* xclient.h - XCLIENT, Postfix's way for a front end to say whom it speaks for.  Pure.
 * https://www.postfix.org/XCLIENT_README.html */
#ifndef XCLIENT_H
#define XCLIENT_H

#include "net.h"

struct xclient {
	bool has_addr;   /* ADDR was given */
	bool known;      /* and is an address, not [UNAVAILABLE] or [TEMPUNAVAIL] */
	struct net_addr addr;
	bool has_login;
	struct buf login; /* empty: nobody */
};

/* What stands behind the verb.  NAME, HELO, PROTO, PORT, DESTADDR and DESTPORT are passed over; what is
 * none of all these, has no value or is no xtext is false.  xclient_free() in any case. */
bool xclient_parse(struct span args, struct xclient *out);
void xclient_free(struct xclient *x);

#endif
