/* zonetext.h - DNS records as people write them in a file: --keys and --overlay.  Pure.
 *
 *     NAME TXT "string1" "string2"        s2026._domainkey.example.com TXT "v=DKIM1; p=..."
 *     NAME A|AAAA ADDRESS                 mail.example.com A 192.0.2.25
 *     NAME MX PREFERENCE HOST             example.com MX 10 mail.example.com
 *     NAME PTR|CNAME NAME                 192.0.2.25 PTR mail.example.com
 *     NAME NXDOMAIN|SERVFAIL|TIMEOUT|NODATA
 *
 * As in a zone file (RFC 1035 5.1) a TTL and the class IN may stand before the type, "(" and ")"
 * let a record go on over lines, ";" begins a comment ("#" does at the beginning of a line), \DDD
 * and \X stand for odd bytes.  All names are complete, with or without the last dot; an IP address
 * as NAME means the name that its PTR records have.  A string may be over 255 bytes: who publishes it splits it.
 *
 * The last kind of line is the answer for all types of which the file has no record for that name.
 */
#ifndef ZONETEXT_H
#define ZONETEXT_H

#include "answers.h"
#include "cur.h"
#include "err.h"

#define ZONETEXT_BYTES_MAX (16 << 20) /* of a file */
#define ZONETEXT_TXT_MAX 65535        /* of a record: RFC 1035 3.2.1, RDLENGTH */
#define ZONETEXT_TTL_S 300            /* where the line has none */

struct zonetext;

/* EX_DATAERR "FILE:LINE: what".  *z is NULL then. */
int zonetext_parse(struct zonetext **z, struct span text, const char *file, struct err *e);
void zonetext_free(struct zonetext *z);

enum zonetext_says {
	ZONETEXT_ANSWER,  /* it is in out */
	ZONETEXT_CNAME,   /* out has the CNAME record to follow */
	ZONETEXT_LISTED,  /* the name is there, with nothing of this type */
	ZONETEXT_UNKNOWN  /* the file has no such name */
};
/* out is empty before; it stays so for the last two. */
enum zonetext_says zonetext_find(const struct zonetext *z, const char *name,
    enum answers_type type, struct answers *out);

#endif
