/* dkimbatch.h - every message of a maildir, an mbox or a tar signed, by all cores, in order.
 *
 * The caller's thread reads and writes, the others sign.  What cannot be signed is told by warn and
 * left out: nothing leaves here unsigned.  Memory does not grow with the number or size of messages.
 *
 *     maildir  DIR NEWDIR: new/ and cur/ of the one into the other, which is made where it is not
 *              there; names stay, but for the sizes in them (",S=..."), which would be wrong
 *     mbox     standard input to output; a body's ">From " is signed as "From " (mboxrd), and written
 *              as it was
 *     tar      the same, compressed or not; regular files alone, written as an uncompressed tar
 */
#ifndef DKIMBATCH_H
#define DKIMBATCH_H

#include "dkimkeys.h"

#include <stddef.h>
#include <stdint.h>

#define DKIMBATCH_JOBS_MAX 1024

struct dkimbatch {
	struct dkimkeys *keys;
	const char *kind;
	char **operands;
	size_t n_operands;
	uint64_t now_s; /* t= of all of them */
	unsigned jobs;  /* threads that sign; 0: one a core */
	void (*warn)(const char *fmt, ...);
};

/* EX_DATAERR: some could not be signed.  EX_USAGE: no such kind, or not its operands.  Any other
 * trouble ends it at once; what has been written until then is whole messages. */
int dkimbatch(const struct dkimbatch *b, struct err *e);

#endif
