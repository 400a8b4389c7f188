#include "gzip.h"

#include <limits.h>
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* deflateInit2: the largest window, in gzip's wrapping */
#define MEMORY 8

int
gzip_pack(struct span in, struct buf *out, struct err *e)
{
	z_stream z = {.next_in = (unsigned char *)(uintptr_t)in.p};
	uLong room;
	int rc;

	if (in.n > UINT_MAX)
		return err_set(e, EX_DATAERR, "too much to compress at once");
	z.avail_in = (unsigned)in.n;
	if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
		return err_set(e, EX_TEMPFAIL, "zlib cannot begin");
	room = deflateBound(&z, in.n);
	z.next_out = (unsigned char *)buf_room(out, room);
	z.avail_out = (unsigned)room;
	rc = deflate(&z, Z_FINISH);
	if (rc == Z_STREAM_END)
		buf_grew(out, (size_t)z.total_out);
	deflateEnd(&z);
	return rc == Z_STREAM_END ? 0 : err_set(e, EX_SOFTWARE, "zlib: %d", rc);
}
