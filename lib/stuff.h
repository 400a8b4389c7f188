/* stuff.h - content over a connection as DATA wants it: dots doubled, and its end.
 *
 * RFC 5321 4.5.2.  Lines are ended by CRLF already; content whose last line is not
 * gets the CRLF that the end needs.
 */
#ifndef STUFF_H
#define STUFF_H

#include "conn.h"

struct stuff {
	struct span prefix;  /* goes in front: whole lines */
	const char *content; /* in memory, or NULL: then file and off */
	int file;
	uint64_t off, size;
	bool vet;            /* the file may be changed by whose it is: see vet.h */
};

/* All of it, in blocks as conn_send().  *whole: everything and the end have left, and no reply was
 * there before.  A peer that makes up its mind before the end is not sent the end: the message
 * stays incomplete there; so it does where a file that is vetted has NUL, a bare CR or a bare LF by now
 * (EX_TEMPFAIL). */
int stuff_send(struct conn *c, const struct stuff *s, int64_t block_ms, bool *whole, struct err *e);

#endif
