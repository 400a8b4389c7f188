/* cert.h - whether a server's certificates are what its clients were told to insist on: DANE and CAs.
 *
 * The door to GnuTLS's X.509 verification.  A chain is the DER of each certificate as the server
 * sent them, its own first.  Nothing here talks to anybody; the time is the system's, as GnuTLS
 * sees it.  Names are lower-case A-labels without the last dot.
 *
 * DANE as mail uses it, RFC 7671 and 7672: usages DANE-TA(2) and DANE-EE(3); PKIX-TA and PKIX-EE are
 * unusable (7672 3.1.3).  A DANE-EE match is all that is asked: neither names nor dates count
 * (7671 5.1).  With DANE-TA a name and the dates do (7671 5.2, 7672 3.2.2).
 */
#ifndef CERT_H
#define CERT_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CERT_DANE_TA = 2, CERT_DANE_EE = 3 };              /* usage, RFC 6698 2.1.1, RFC 7218 */
enum { CERT_WHOLE = 0, CERT_SPKI = 1 };                   /* selector */
enum { CERT_FULL = 0, CERT_SHA256 = 1, CERT_SHA512 = 2 }; /* matching type */

struct cert_tlsa { /* RFC 6698 2.1 */
	uint8_t usage, selector, matching;
	struct span data;
};
/* False for what a mail client must treat as if it were not there. */
bool cert_tlsa_usable(const struct cert_tlsa *t);

enum cert_is { /* why not: the words of RFC 8460 4.3 in cert_failure() */
	CERT_GOOD,
	CERT_MISSING,   /* the server showed none */
	CERT_MALFORMED,
	CERT_NO_MATCH,  /* no TLSA record is about it */
	CERT_OTHER_NAME,
	CERT_EXPIRED,
	CERT_NOT_YET,   /* valid in the future only */
	CERT_UNTRUSTED, /* self-signed, or of a CA that is not trusted */
	CERT_WEAK       /* signed in a way, or for a purpose, that does not count */
};
const char *cert_failure(enum cert_is is); /* "certificate-expired"; "" for CERT_GOOD */

struct cert_chain {
	const struct span *v;
	size_t n;
};
struct cert_names { /* one of which must be in the certificate */
	const char *const *v;
	size_t n;
};

/* why: for people, "the certificate of mx1.example expired on 2026-11-01", ...; on success what has
 * matched: "DANE-EE 3 1 1".  Both are appended. */
enum cert_is cert_dane(const struct cert_chain *c, const struct cert_tlsa *v, size_t n,
    const struct cert_names *names, struct buf *why);

/* CAs: of a file in PEM, or with NULL those the system trusts.  Read once, used by all threads.
 * EX_CONFIG where there is none. */
struct cert_store;
int cert_store_open(struct cert_store **s, const char *file, struct err *e);
/* The same, but they are only read now, which takes a tenth of a millisecond; they are understood when the
 * first certificate is looked at, which takes fifty.  What is wrong with them is CERT_UNTRUSTED then, and so
 * is a machine on which no CAs are installed: that it trusts nobody stops no mail that needs nobody's word. */
int cert_store_later(struct cert_store **s, const char *file, struct err *e);
void cert_store_free(struct cert_store *s);
/* RFC 8461 4.1, RFC 6125: a chain to a CA, and a DNS name among the subjectAltNames. */
enum cert_is cert_ca(const struct cert_chain *c, const struct cert_store *s,
    const struct cert_names *names, struct buf *why);

#endif
