/* mimeread.h - a message taken apart while it comes in.  Pure: pieces in, callbacks out.
 *
 * RFC 2045 and 2046, for mail from anybody: any bytes, any size, any nesting, in constant memory.
 * Lines may end in LF, CRLF, CR or CR CR LF, mixed as they like; a boundary of an outer multipart
 * ends all that is inside it; a header ends at its empty line, and a line in it that is no field is
 * passed over (a boundary line ends it, too).  What is past a limit below is not told apart any
 * more, but never lost silently: mimeread_cut() tells that there was such a thing.
 *
 * An entity is announced with its header, and who wants its content gets it decoded (base64,
 * quoted-printable) in blocks with LF line ends.  A message inside (message/rfc822, message/global)
 * is announced as the part that holds it, then, one deeper, as a message of its own; where it is
 * itself encoded, which RFC 2046 5.2.1 forbids and mailers do, it is a part with content.
 * The text before the first part of a multipart is content of the multipart itself.
 */
#ifndef MIMEREAD_H
#define MIMEREAD_H

#include "buf.h"
#include "cur.h"

#include <stdbool.h>

#define MIMEREAD_DEPTH 16        /* entities inside each other; deeper ones are one part */
#define MIMEREAD_PARTS 200       /* parts of a message; what follows is not announced */
#define MIMEREAD_HEADER_MAX 65536 /* bytes of a header that are kept */
#define MIMEREAD_LINE_MAX 65536  /* a longer line comes in pieces */
#define MIMEREAD_BOUNDARY_MAX 255 /* RFC 2046 5.1.1 says 70; a longer one is no boundary */

enum mimeread_kind {
	MIMEREAD_LEAF,
	MIMEREAD_MULTIPART,
	MIMEREAD_MESSAGE /* a part that is a message; its entity follows, one deeper */
};

struct mimeread_part {      /* lent for the time of the callback */
	struct span header; /* LF line ends, without the empty line */
	struct span type;   /* "text/plain", lower case; as RFC 2045 5.2 says where there is none */
	struct span charset, name; /* parameters, empty: not said; name: file name */
	struct span report; /* report-type */
	enum mimeread_kind kind;
	unsigned depth;     /* 0: the message itself */
	unsigned messages;  /* so many messages inside of each other: 0 for the first and its parts */
	bool message;       /* this is the header section of a message */
	bool attachment;    /* Content-Disposition says so */
};

struct mimeread_sink {
	/* True: its content is wanted. */
	bool (*part)(void *arg, const struct mimeread_part *p);
	void (*data)(void *arg, struct span text);
	void *arg;
};

struct mimeread;

struct mimeread *mimeread_new(const struct mimeread_sink *sink);
void mimeread_feed(struct mimeread *m, struct span piece);
void mimeread_end(struct mimeread *m); /* no more pieces; ready for the next message */
bool mimeread_cut(const struct mimeread *m); /* of the message that ended last: a limit was met */
void mimeread_del(struct mimeread *m);

/* RFC 2047 encoded words and folding of a header's value, as UTF-8 where the charset is known: to first, if it is
 * given (charset.h), or readable.h knows it. */
typedef bool mimeread_convert(struct span charset, struct span text, struct buf *out);
void mimeread_words(struct span value, mimeread_convert *to, struct buf *out);

#endif
