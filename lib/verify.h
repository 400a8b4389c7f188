/* verify.h - whether an entry's content is what was put there. */
#ifndef VERIFY_H
#define VERIFY_H

#include "cur.h"
#include "entry.h"
#include "err.h"

#include <stdbool.h>
#include <sys/stat.h>

/* The content, h->content_bytes from off on, against its crc; read: what of the file is in memory
 * already.  stranger: it is not of our making, and its lines are vetted as well (vet.h).
 * EX_DATAERR where it is wrong. */
int verify_content(int fd, uint64_t off, struct span read, const struct entry_head *h,
    bool stranger, struct err *e);

/* EX_DATAERR where the file has a hole before end: there NUL would be read, which no content has, for
 * hours perhaps.  stranger: also for a huge file of which next to nothing is on the disk, as a filesystem
 * that tells of no holes still says. */
int verify_no_hole(int fd, const struct stat *st, uint64_t end, bool stranger, struct err *e);

#endif
