/* entry.h - what a queue file's name and content say.  Pure: bytes in, values out.
 *
 * relaykit-queue(5) is the grammar.  In short:
 *
 *     name     = due "." id "," stream "," size "," domain          at most 255 bytes
 *     file     = head LF header content journal
 *     head     = "relaykit 1" and fixed-width fields, ENTRY_HEAD bytes with its LF,
 *                written last: a file whose head is missing was never accepted
 *     header   = lines "key=value" LF: sender, one rcpt a recipient, options
 *     content  = the message, CRLF line ends, as it goes out before dot-stuffing
 *     journal  = JSON lines, each with a crc of its own, appended under the lock
 */
#ifndef ENTRY_H
#define ENTRY_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

/* --- the id: 54 bits of microseconds and 26 random bits, 16 of 0-9a-hjkmnp-tv-z */

#define ENTRY_ID 16
void entry_id(char out[ENTRY_ID + 1], uint64_t time_us, uint32_t random);
bool entry_id_ok(struct span id);
uint64_t entry_id_us(const char *id); /* when it was made; id must be ok */
uint32_t entry_id_random(const char *id); /* its other bits */

/* --- the name */

#define ENTRY_NAME_MAX 255
#define ENTRY_STREAM_MAX 16
#define ENTRY_DUE_MAX 9999999999u /* ten digits: the year 2286 */

struct entry_name { /* spans are lent by the text that was parsed */
	uint64_t due;       /* seconds since 1970 */
	struct span id, stream, domain; /* domain "+": the envelope says */
	uint64_t size;      /* bytes of content */
};
bool entry_name_parse(struct span text, struct entry_name *out);
#define ENTRY_DUE 10 /* digits */
static inline struct span
entry_name_id(const char *name) /* of one that has been parsed before: it always stands at one place */
{
	return (struct span){name + ENTRY_DUE + 1, ENTRY_ID};
}
void entry_name_format(struct buf *out, const struct entry_name *n); /* due: at most ENTRY_DUE_MAX */

/* What may stand as the name's domain field for this recipient domain, lower-cased into out;
 * "+" where it may not (non-ASCII, too long, an odd byte). */
void entry_name_domain(struct span domain, struct buf *out);

/* --- the head */

#define ENTRY_HEAD 61
#define ENTRY_HEADER_MAX (4 << 20) /* 1,000 recipients with all their parameters need half */
struct entry_head {
	uint32_t header_bytes;
	uint64_t content_bytes;
	uint32_t header_crc, content_crc; /* CRC-32C */
	bool eightbit;    /* content has bytes over 127 */
	bool utf8_header; /* the header section has them */
	bool long_lines;  /* a line over 998 bytes */
};
void entry_head_format(char out[ENTRY_HEAD], const struct entry_head *h);
int entry_head_parse(struct span text, struct entry_head *out, struct err *e);

/* --- the header, that is the envelope */

#define ENTRY_RCPT_MAX 1000

struct entry_rcpt {
	struct span addr;   /* local@domain */
	struct span params; /* "NOTIFY=NEVER ORCPT=rfc822;..." as RCPT would have them; may be empty */
};
struct envelope {
	struct span sender; /* empty: <> */
	struct span params; /* "RET=HDRS ENVID=..." for MAIL; may be empty */
	struct entry_rcpt *rcpts;
	size_t n;
	struct span tag;    /* the sender's own mark, told in events; may be empty */
	uint64_t hold_until_s; /* 0: none; not before this time */
	uint64_t user;      /* uid of the submitter */
	bool verp;          /* a return path with recipient and proof for each (verp.h) */
	bool smtputf8;      /* asked for: -O smtputf8=yes */
	bool received;      /* from a stranger, for a domain of ours: it is never signed as ours */
	uint64_t lifetime_s; /* 0: the configuration's */
	struct entry_wish {  /* what MAIL asked for besides, of those who know the extension */
		bool requiretls;     /* RFC 8689 */
		int priority;        /* RFC 6710, -9 to 9; 0 is as not asked for */
		uint64_t by_s;       /* RFC 2852: since 1970; 0: not asked for */
		bool by_return;      /* mode R, else N */
		bool by_trace;
		struct span auth;    /* RFC 4954 5, xtext or "<>"; empty: not told */
	} wish;
};

/* Writes the header's lines; a CR, LF or NUL in any value, or a hold_until_s past ENTRY_DUE_MAX, is
 * EX_DATAERR. */
int envelope_format(struct buf *out, const struct envelope *v, struct err *e);
/* Spans are lent by text; rcpts is allocated, envelope_free() frees it.  Unknown keys are
 * refused: a reader refuses what it does not know. */
int envelope_parse(struct span text, struct envelope *out, struct err *e);
void envelope_free(struct envelope *v);
/* The sender alone, of a header of which perhaps only the beginning is there. */
bool envelope_sender(struct span text, struct span *sender);
/* In seconds since 1970: when its lifetime begins, for what was accepted under that id, or with its sender's
 * hold-until; and when it ends, or by when its sender wants it returned (RFC 2852).  lifetime_s: of what has
 * none of its own. */
uint64_t envelope_begins_s(const struct envelope *v, struct span id);
uint64_t envelope_ends_s(const struct envelope *v, struct span id, uint64_t lifetime_s);

/* --- the journal */

/* {"...","crc":"0a1b2c3d"} LF: the crc is over all bytes before ,"crc". `line` holds an open
 * object begun at `start` by json_open; this closes it. */
void journal_seal(struct buf *line, size_t start);

/* The next whole, sealed line at the cursor, with its LF: false at the first that is not one
 * (a crash cut it), and the cursor stays before it. */
bool journal_next(struct cur *c, struct span *line);

#endif
