/* intake.h - mail from a descriptor: lines to be looked at, header sections, bodies in large pieces.
 *
 * Input has LF or CRLF line ends, mixed as it may be; what is handed out has CRLF.  NUL is
 * EX_DATAERR; so is a CR that is not part of a CRLF, or with repair_cr it becomes a space (a line
 * break there could forge a header field).  Reads are large, memory is a constant number of bytes
 * and the longest header line; a body may be of any length and so may its lines.
 *
 *     intake_begin(&t, INTAKE_DOT);
 *     rc = intake_header(&t, max, &header, e);
 *     if (!rc)
 *             rc = intake_body(&t, emit, arg, e);
 */
#ifndef INTAKE_H
#define INTAKE_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>

enum intake_end {   /* what ends a message */
	INTAKE_EOF, /* the end of input alone, sendmail -i */
	INTAKE_DOT, /* that, or a line with nothing but "." */
	INTAKE_SMTP /* that line; a dot that begins any other line is removed, RFC 5321 4.5.2; the
	             * end of input before it is EX_DATAERR */
};

struct intake {
	int fd;
	bool repair_cr;
	/* Called before each read, where it may wait for long; may be NULL.  A code ends the reading. */
	int (*before_read)(void *arg, struct err *e);
	void *arg;
	/* inside */
	enum intake_end end;
	bool over;     /* the message is at its end */
	bool eof;      /* so is the input */
	bool mid_line; /* the bytes at hand continue a line that was given in part */
	bool wide_pipe;
	struct buf in; /* what is read; unread from `at` on */
	size_t at;
	struct buf out;
};
#define INTAKE_INIT(descriptor) {.fd = (descriptor), .in = BUF_INIT, .out = BUF_INIT}
void intake_free(struct intake *t);

/* The next line without its line end, lent until the next call; false in *more at the end of
 * input.  EX_DATAERR over max bytes: the line is still there, intake_skip_line() goes past it. */
int intake_line(struct intake *t, size_t max, struct span *line, bool *more, struct err *e);
int intake_skip_line(struct intake *t, struct err *e);
int intake_skip_bytes(struct intake *t, uint64_t n, struct err *e);

/* A message begins here. */
void intake_begin(struct intake *t, enum intake_end end);

/* The fields of the header section, without the empty line that ends it, appended to out.  It also
 * ends before a line that is no field: then that line begins the body.  A first line "From " or
 * ">From ", as mbox files have it, is left out.  EX_DATAERR over max bytes. */
int intake_header(struct intake *t, size_t max, struct buf *out, struct err *e);

/* All the rest, in pieces of whole lines or large parts of long ones.  With emit NULL it is
 * skipped whatever it holds. */
int intake_body(struct intake *t, int (*emit)(void *arg, const void *p, size_t n, struct err *e),
    void *arg, struct err *e);

#endif
