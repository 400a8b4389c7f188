/* https.h - one request over HTTPS; the door to libcurl.
 *
 * For programs of their own (mta-sts, tls-report), never for the deliverer.  TLS 1.2 and newer, the
 * certificate is for the host of the URL and by a CA that is trusted; redirects are not followed, nothing
 * is cached, no cookie, password or proxy is looked for, no more is read than max bytes, and all of it is
 * over at the deadline, however slowly the server speaks.
 */
#ifndef HTTPS_H
#define HTTPS_H

#include "answers.h"
#include "buf.h"
#include "cur.h"
#include "err.h"
#include "net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTPS_CONNECT_MS 10000 /* of the deadline, at most, until the connection stands */

struct https_wish {
	const char *url;               /* "https://HOST/path", ASCII */
	const char *host;              /* the URL's, ... */
	uint16_t port;                 /* ... its port, ... */
	const struct net_addr *addrs;  /* ... and where it is; 0 of them with connect_to */
	size_t n_addrs;
	const char *connect_to;        /* instead: "HOST:PORT:ADDR:PORT" as curl(1) has it; NULL */
	const char *ca_file;           /* PEM; NULL: the CAs that the system trusts */
	const char *type;              /* with body: POSTed, of this media type; NULL: GET */
	struct span body;
	size_t max;
	int64_t deadline_ms;
};

struct https_answer {
	long status;      /* 200, ... */
	struct buf type;  /* Content-Type as it came, or empty */
	struct buf body;
	bool untrusted;   /* it failed, and for its certificate's sake */
};
#define HTTPS_ANSWER_INIT {.type = BUF_INIT, .body = BUF_INIT}

/* Any status is 0.  EX_TEMPFAIL: no answer; EX_DATAERR: it has more than max bytes.  https_free() in
 * any case. */
int https_do(const struct https_wish *w, struct https_answer *a, struct err *e);
void https_free(struct https_answer *a);

#define HTTPS_ADDRS_MAX 16
/* Where a host is that strangers named: how many addresses.  One on this very machine is nobody's server, and
 * perhaps somebody's trap. */
size_t https_addrs(const struct asker *dns, const char *host, struct net_addr v[HTTPS_ADDRS_MAX]);

/* Whether a Content-Type is this one, whatever its parameters (RFC 9110 8.3.1). */
bool https_type_is(const struct https_answer *a, const char *type);

#endif
