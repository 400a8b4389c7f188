/* mailsrc.h - messages out of whatever holds them: a file, an mbox, a maildir, a directory, an archive
 * of such, compressed or not, a pipe.
 *
 * What a thing is, its first bytes tell, not its name: archive.h's magic numbers, "From " of an mbox,
 * else a message.  An mbox is cut before a line "From " with a time of day in it that has an empty
 * line before it, or a whole date in it as asctime(3) writes it.  Messages are handed on in pieces as they come, so that
 * none is too large.
 *
 * A maildir gives cur/ and new/; any other directory all regular files in and below it, by name,
 * except those whose name begins with a dot; symbolic links to directories are not followed.
 */
#ifndef MAILSRC_H
#define MAILSRC_H

#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>

#define MAILSRC_DEPTH 16  /* of directories in each other */

struct mailsrc_sink {
	/* A message begins; file: the path as given, "ARCHIVE/MEMBER" in archives; n: 1 for the first
	 * of that file, 2 for the next of an mbox, ... */
	int (*begin)(void *arg, struct span file, size_t n, struct err *e);
	int (*data)(void *arg, struct span piece, struct err *e);
	int (*end)(void *arg, struct err *e);
	/* What could not be read, but does not end it all: e is lent.  Returns a code to end it. */
	int (*bad)(void *arg, struct err *e);
	void *arg;
};

/* EX_NOINPUT and so on go to bad(); what is returned is what a callback returned, or 0. */
int mailsrc_path(const char *path, const struct mailsrc_sink *sink, struct err *e);
int mailsrc_fd(int fd, struct span name, const struct mailsrc_sink *sink, struct err *e);

#endif
