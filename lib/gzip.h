/* gzip.h - bytes compressed as gzip does it (RFC 1952); the door to zlib. */
#ifndef GZIP_H
#define GZIP_H

#include "buf.h"
#include "cur.h"
#include "err.h"

/* Appends; without a name or a time, so that the same bytes give the same. */
int gzip_pack(struct span in, struct buf *out, struct err *e);

#endif
