/* archive.h - the members of an archive, one after another; the door to libarchive.
 *
 * tar, cpio, zip, 7zip and ar, compressed by gzip, bzip2, xz, lzma, zstd, lz4 or compress, or not
 * at all; a single compressed file is an archive of one member.  Nothing is unpacked to disk, no
 * program is started, and formats that name files outside of themselves (mtree) are not taken:
 * archives come from outside.
 *
 * The library is loaded when the first archive is opened, not when the program starts: it and what
 * it stands on (libxml2, ICU, six compressors) cost 2 ms, four times what the rest of a start does,
 * and a single message on stdin needs none of it.
 */
#ifndef ARCHIVE_DOOR_H
#define ARCHIVE_DOOR_H

#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

#define ARCHIVE_HEAD 512 /* bytes that archive_is() wants to see */

/* Whether a file that begins so is an archive or compressed, by its magic number. */
bool archive_is(struct span head);

struct archive_in; /* an archive while it is read */

/* Called for each regular file in its order.  name is lent until the callback returns; it may hold
 * any bytes, "/" and ".." among them.  Data that is not fetched is skipped.  Non-zero ends it all. */
typedef int archive_each(void *arg, struct archive_in *a, struct span name, struct err *e);

/* The next block of the member's data, lent until the next call; *n is 0 at its end.  Holes of sparse
 * files are left out.  EX_DATAERR where the archive is broken. */
int archive_block(struct archive_in *a, const char **p, size_t *n, struct err *e);

/* fd from where it stands; head: what has been read from it already, lent until the return.
 * EX_DATAERR: broken (all members before that have had their callback); EX_UNAVAILABLE: no
 * libarchive on this machine. */
int archive_members(int fd, struct span head, archive_each *each, void *arg, struct err *e);

/* Whether the member at hand is another name of one before it, whose data it has: none comes with it (tar). */
bool archive_link(const struct archive_in *a);

/* When the member at hand was last changed, seconds since 1970; 0 where that is not known. */
int64_t archive_mtime(const struct archive_in *a);

struct archive_out; /* an uncompressed tar while it is written */

/* fd from where it stands.  EX_UNAVAILABLE as above. */
int archive_out_open(struct archive_out **o, int fd, struct err *e);
/* A regular file, mode 0644, which must then get exactly `size` bytes. */
int archive_out_member(struct archive_out *o, const char *name, uint64_t size, int64_t mtime_s,
    struct err *e);
int archive_out_data(struct archive_out *o, const void *p, size_t n, struct err *e);
/* Writes the end; frees o in any case. */
int archive_out_close(struct archive_out *o, struct err *e);
void archive_out_drop(struct archive_out *o); /* without the end */

#endif
