/* tlsrpt.h - TLS reports (RFC 8460): session events counted by domain and policy, and the report's JSON.
 *
 * Pure.  Counting takes memory by distinct policies and failures, not by sessions.
 */
#ifndef TLSRPT_H
#define TLSRPT_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLSRPT_VERSION "v=TLSRPTv1" /* of the TXT record at _smtp._tls.DOMAIN */
#define TLSRPT_DETAILS_MAX 1000 /* failures of one policy told apart; more count by their type alone */

struct tlsrpt; /* a day */

struct tlsrpt *tlsrpt_new(uint64_t seed);
void tlsrpt_free(struct tlsrpt *t);

/* A line of the event log; true: it was a session, and counts. Anything else is passed over. */
bool tlsrpt_add(struct tlsrpt *t, struct span line);

size_t tlsrpt_count(const struct tlsrpt *t);                /* domains */
const char *tlsrpt_domain(const struct tlsrpt *t, size_t i); /* in the order of the alphabet */

struct tlsrpt_from {
	const char *organization, *contact; /* "Example Inc.", "tls@example.com" */
	const char *id;                     /* of the report */
	uint64_t day_s;                     /* the first second of the day */
};
/* RFC 8460 4.4, one object, with its LF. */
void tlsrpt_json(const struct tlsrpt *t, size_t i, const struct tlsrpt_from *from, struct buf *out);

/* --- how it is sent */

struct tlsrpt_uri {
	bool https;       /* else mailto */
	struct buf to;    /* the URL, or the mailbox */
	struct buf host;  /* of the URL */
	uint16_t port;
};
/* The next of rua= "mailto:a@b, https://c/d": false at the end. A URI of another kind, or that is none,
 * is EX_DATAERR in e->code and does not end it. */
bool tlsrpt_next_uri(struct cur *rua, struct tlsrpt_uri *u, struct err *e);
void tlsrpt_uri_free(struct tlsrpt_uri *u);

struct tlsrpt_mail {
	const char *from, *to, *domain, *submitter, *id; /* id: without brackets */
	uint64_t now_s, begin_s, end_s;
	struct span gz;   /* the report */
};
/* RFC 8460 5.3: the whole message, with LF. */
void tlsrpt_message(const struct tlsrpt_mail *m, struct buf *out);

#endif
