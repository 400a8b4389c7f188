#include "verify.h"

#include "buf.h"
#include "crc.h"
#include "io.h"
#include "vet.h"

#include <unistd.h>

#define BLOCK (128 * 1024)
#define HOLES_FROM (1ULL << 30) /* a file above this size that takes up less than */
#define HOLES_SHARE 64          /* a 64th of it on the disk is a trick */

int
verify_content(int fd, uint64_t off, struct span read, const struct entry_head *h, bool stranger,
    struct err *e)
{
	const uint64_t end = off + h->content_bytes;
	struct buf b = BUF_INIT;
	struct vet vet = {false};
	bool lines = true;
	uint32_t crc = 0;
	int rc = 0;

	while (off < end && lines && !rc) {
		size_t n = end - off < BLOCK ? (size_t)(end - off) : BLOCK, got = n;
		const char *p = read.n < end ? NULL : read.p + off;

		if (!p) {
			buf_cut(&b, 0);
			rc = io_pread(fd, buf_room(&b, n), n, off, &got, e);
			p = b.s;
		}
		crc = crc32c(crc, p, got);
		lines = !stranger || vet_content(&vet, (struct span){p, got});
		off += got;
		if (got < n)
			break;
	}
	buf_free(&b);
	if (!rc && (!lines || vet.cr))
		rc = err_set(e, EX_DATAERR, "NUL, bare CR or bare LF in the content");
	else if (!rc && (off != end || crc != h->content_crc))
		rc = err_set(e, EX_DATAERR, "content does not match its check");
	return rc;
}

/* Filesystems have been known to see holes in what was just written: what is there has the last word. */
static bool
is_hole(int fd, uint64_t at)
{
	struct err ignored = ERR_INIT;
	size_t got = 0;
	char c = 1;
	bool read = io_pread(fd, &c, 1, at, &got, &ignored) == 0;

	err_free(&ignored);
	return read && got == 1 && c == '\0';
}

int
verify_no_hole(int fd, const struct stat *st, uint64_t end, bool stranger, struct err *e)
{
	uint64_t size = (uint64_t)st->st_size;
	off_t hole = end > BLOCK ? lseek(fd, 0, SEEK_HOLE) : -1; /* the small are read as fast */

	if (hole >= 0 && (uint64_t)hole < end && is_hole(fd, (uint64_t)hole))
		return err_set(e, EX_DATAERR, "a hole at byte %llu", (unsigned long long)hole);
	if (!stranger || size <= HOLES_FROM || (uint64_t)st->st_blocks * 512 >= size / HOLES_SHARE)
		return 0;
	return err_set(e, EX_DATAERR, "it is mostly holes");
}
