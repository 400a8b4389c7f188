/* esmtp.h - MAIL and RCPT as a client writes them: paths and parameters, parsed strictly.  Pure.
 *
 * RFC 5321 4.1.2 with SIZE (1870), BODY (6152), SMTPUTF8 (6531), RET, ENVID, NOTIFY and ORCPT (3461,
 * 6533), REQUIRETLS (8689), HOLDFOR and HOLDUNTIL (4865), BY (2852), MT-PRIORITY (6710) and
 * AUTH (4954).  A parameter that is not known, given twice, without the value it needs or with one
 * that is wrong is refused with the reply that its RFC gives.
 */
#ifndef ESMTP_H
#define ESMTP_H

#include "addr.h"
#include "buf.h"
#include "cur.h"

#include <stdbool.h>
#include <stdint.h>

struct esmtp_refusal { /* code 0: none */
	int code;
	const char *status;  /* "5.5.4" */
	const char *text;
};

#define ESMTP_BY_MAX 999999999   /* RFC 2852 4 */
#define ESMTP_HOLD_MAX 999999999 /* RFC 4865 5.1 */
#define ESMTP_ENVID_MAX 100      /* RFC 3461 4.4 */
#define ESMTP_ORCPT_MAX 500      /* RFC 3461 4.2 */

enum esmtp_body { ESMTP_7BIT, ESMTP_8BITMIME, ESMTP_BODY_NONE };
enum esmtp_ret { ESMTP_RET_NONE, ESMTP_RET_FULL, ESMTP_RET_HDRS };
enum esmtp_by { ESMTP_BY_NONE, ESMTP_BY_NOTIFY, ESMTP_BY_RETURN };

struct esmtp_mail {    /* spans are lent by the line */
	struct addr from;
	bool null;         /* <> */
	bool has_size;
	uint64_t size;
	enum esmtp_body body;
	bool smtputf8, requiretls;
	enum esmtp_ret ret;
	struct span envid; /* xtext as it came; empty: none */
	bool has_auth;
	struct span auth;  /* xtext as it came; "<>" where nobody vouches */
	uint64_t hold_s;   /* HOLDFOR: seconds */
	uint64_t hold_until_s; /* HOLDUNTIL: since 1970; at most one of both, 0: none */
	enum esmtp_by by;
	bool by_trace;
	int64_t by_s;      /* seconds, may be negative */
	bool has_priority;
	int priority;      /* -9 to 9 */
};
struct esmtp_rcpt {
	struct addr to;
	struct span notify; /* as it came, "NEVER" or a list; empty: none */
	struct span orcpt;  /* as it came; empty: none */
};

/* What stands behind the verb: "FROM:<path> parameters", without CRLF; blanks behind the colon and
 * at the end are forgiven.  <Postmaster> without a domain is taken in RCPT (RFC 5321 4.1.1.3) with
 * an empty domain; any other bare local part is the caller's to judge. */
void esmtp_mail(struct span args, struct esmtp_mail *out, struct esmtp_refusal *why);
void esmtp_rcpt(struct span args, bool smtputf8, struct esmtp_rcpt *out, struct esmtp_refusal *why);

/* Values alone, for those who take them by other ways. */
bool esmtp_notify_ok(struct span value);
bool esmtp_orcpt_ok(struct span value, bool smtputf8);
bool esmtp_by_parse(struct span value, int64_t *by_s, enum esmtp_by *by, bool *trace);
bool esmtp_priority_parse(struct span value, int *priority);

#endif
