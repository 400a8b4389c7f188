/* dkimkey.h - a DKIM key record, RFC 6376 3.6.1, RFC 8301, RFC 8463.  Pure. */
#ifndef DKIMKEY_H
#define DKIMKEY_H

#include "buf.h"
#include "crypt.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>

struct dkimkey {
	enum crypt_kind kind;
	bool known;           /* k= is one of the two kinds */
	struct buf p;         /* the key's bytes; empty: revoked */
	bool sha1, sha256;    /* h= allows it; both without h= */
	bool email;           /* s= has "*" or "email"; or is absent */
	bool testing;         /* t=y */
	bool strict;          /* t=s: no subdomain in i= */
};

/* EX_DATAERR says what is wrong: no tag list, v= that is not DKIM1 or not the first tag, no p=, p=
 * that is no base64.  dkimkey_free() in any case. */
int dkimkey_parse(struct span record, struct dkimkey *out, struct err *e);
void dkimkey_free(struct dkimkey *k);

/* Whether a TXT record is meant as one: an SPF record beside it is not a broken key. */
bool dkimkey_is(struct span record);

#endif
