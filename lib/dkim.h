/* dkim.h - what signing and verifying have in common: RFC 6376's canonical forms and tag lists.
 *
 * Pure and streaming: bytes in as they come, canonical bytes out to a callback, constant memory.
 * Line ends are CRLF in every canonical form whatever the input has: LF alone is taken for CRLF,
 * as a message kept in a file has it.  CR alone and NUL are bytes like any other here; what of them
 * was met is told, since a signer refuses such a message (RFC 6376 5.3) and a verifier does not.
 */
#ifndef DKIM_H
#define DKIM_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dkim_canon { DKIM_SIMPLE, DKIM_RELAXED }; /* RFC 6376 3.4 */

typedef void dkim_sink(void *arg, const void *p, size_t n);

/* --- header and body of a message, as its bytes come */

#define DKIM_HEADER_MAX (4 << 20) /* bytes of a header section */

struct dkim_split {
	struct buf header; /* the header section, without the empty line; bytes as they came */
	bool body;         /* the empty line was met: what follows is the body */
	size_t line;       /* where header's last line begins */
};
/* Takes the next piece of the message.  *rest is what of it belongs to the body, lent by p; empty
 * while the header lasts.  A message that ends without an empty line is all header.  EX_DATAERR: a
 * header section over DKIM_HEADER_MAX. */
int dkim_split_add(struct dkim_split *s, const void *p, size_t n, struct span *rest, struct err *e);
#define DKIM_SPLIT_INIT {BUF_INIT, false, 0}

/* --- the body, 3.4.3 and 3.4.4 */

#define DKIM_GATHER 4096     /* small pieces go to the sink together */
#define DKIM_GATHER_SLACK 80 /* and are copied in steps that write past their ends: as long as most lines */

struct dkim_body {
	dkim_sink *sink;
	void *arg;
	enum dkim_canon canon;
	uint64_t limit;   /* l=: no more than so many canonical bytes go to the sink */
	uint64_t len;     /* canonical bytes so far, those behind the limit too: all of them after the end */
	uint64_t pending; /* line ends that came and may be the last: empty lines at the end do not count */
	bool cr;          /* the last byte was CR: with LF it ends a line */
	bool space;       /* relaxed: white space came, and nothing after it */
	bool bare_cr, bare_lf, nul; /* out: met somewhere */
	size_t held;
	char gather[DKIM_GATHER + DKIM_GATHER_SLACK];
};
#define DKIM_NO_LIMIT UINT64_MAX
void dkim_body_begin(struct dkim_body *b, enum dkim_canon canon, uint64_t limit, dkim_sink *sink,
    void *arg);
void dkim_body_add(struct dkim_body *b, const void *p, size_t n);
void dkim_body_end(struct dkim_body *b);

/* --- header fields, 3.4.1 and 3.4.2 */

/* One field, its name, colon, folding and last line end included (struct msg_field's `whole`), in its
 * canonical form with CRLF; a line end that lacks is added. */
void dkim_field(enum dkim_canon canon, struct span field, struct buf *out);
/* A DKIM-Signature field as it is hashed (3.7): without the value of b=, without its last CRLF. */
void dkim_field_unsigned(enum dkim_canon canon, struct span field, struct buf *out);

/* --- tag lists, 3.2 */

#define DKIM_TAGS_MAX 64 /* a signature has a dozen */

struct dkim_tag {
	struct span name, value; /* value: without the white space around it, folding inside */
	unsigned char before;    /* with the same first letter, as in last; 0: none */
};
struct dkim_tags {
	struct dkim_tag v[DKIM_TAGS_MAX];
	size_t n;
	unsigned char last[64]; /* by the first letter of the name: its last tag's index and one */
};
/* Spans are lent by text.  Bytes over 127 are taken where they are UTF-8 (RFC 8616 3).
 * EX_DATAERR says what is wrong: no name, no "=", a byte that may not stand there, a name
 * that comes twice, too many. */
int dkim_tags(struct span text, struct dkim_tags *out, struct err *e);
/* A list made tag by tag; EX_DATAERR: that name is there, or there are too many. */
void dkim_tags_begin(struct dkim_tags *t);
int dkim_tags_add(struct dkim_tags *t, struct span name, struct span value, struct err *e);
/* The value of that tag, NULL where it is absent.  Names are case-sensitive. */
const struct span *dkim_tag(const struct dkim_tags *t, const char *name);

/* Without white space and line ends, wherever they stand: base64 (b64.h does so too), and lists. */
void dkim_unfold(struct span value, struct buf *out);

#endif
