/* forge - an entry as somebody would write it by hand: every check is right, what it says need not be.
 *
 * usage: forge PATH [-s BYTES] [-z BYTES] [-h BYTES] [-k CONTENT] [-j JOURNAL] [ENVELOPE]
 *   ENVELOPE  its header lines, with printf's escapes for CR (\r) and NUL (\0), lines ended by \n
 *   -k        the content, likewise escaped
 *   -z        or that many NULs, as a hole
 *   -h        a header of that many bytes, as a hole
 *   -s        the head says that many bytes of content
 *   -j        a journal line, sealed
 */
#include "crc.h"
#include "entry.h"
#include "io.h"
#include "prog.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZEROS (1 << 20)

static void
escaped(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s != '\\') {
			buf_ch(out, *s);
			continue;
		}
		s++;
		buf_ch(out, (char)(*s == 'r' ? '\r' : *s == 'n' ? '\n' : *s == '0' ? '\0' : *s));
	}
}

static uint32_t
crc_of_zeros(uint64_t n)
{
	char *zeros = mem_alloc(ZEROS);
	uint32_t crc = 0;

	for (; n > 0; n -= n < ZEROS ? n : ZEROS)
		crc = crc32c(crc, zeros, n < ZEROS ? (size_t)n : ZEROS);
	free(zeros);
	return crc;
}

int
main(int argc, char *argv[])
{
	struct buf header = BUF_INIT, content = BUF_INIT, journal = BUF_INIT;
	struct entry_head h = {0};
	uint64_t said = UINT64_MAX, zeros = 0, hole = 0, at;
	char head[ENTRY_HEAD];
	struct err e = ERR_INIT;
	int c, fd;

	prog_start("forge");
	while ((c = getopt(argc, argv, "s:z:h:k:j:")) != -1)
		switch (c) {
		case 's': said = strtoull(optarg, NULL, 10); break;
		case 'z': zeros = strtoull(optarg, NULL, 10); break;
		case 'h': hole = strtoull(optarg, NULL, 10); break;
		case 'k': escaped(&content, optarg); break;
		case 'j':
			escaped(&journal, optarg);
			journal_seal(&journal, 0);
			break;
		default: return 64;
		}
	if (optind + 1 < argc)
		escaped(&header, argv[optind + 1]);
	h.header_bytes = (uint32_t)(hole ? hole : header.len);
	h.header_crc = hole ? crc_of_zeros(hole) : crc32c(0, header.s, header.len);
	h.content_bytes = said != UINT64_MAX ? said : zeros ? zeros : content.len;
	h.content_crc = zeros ? crc_of_zeros(zeros) : crc32c(0, content.s, content.len);
	entry_head_format(head, &h);
	at = ENTRY_HEAD + (uint64_t)h.header_bytes;
	fd = open(argv[optind], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0660);
	if (fd < 0 || fchmod(fd, 0660) < 0 || io_pwrite(fd, head, ENTRY_HEAD, 0, &e) ||
	    io_pwrite(fd, header.s, header.len, ENTRY_HEAD, &e) ||
	    io_pwrite(fd, content.s, content.len, at, &e) ||
	    ftruncate(fd, (off_t)(at + (zeros ? zeros : content.len))) < 0 ||
	    io_pwrite(fd, journal.s, journal.len, at + (zeros ? zeros : content.len), &e)) {
		prog_warn("%s: %s", argv[optind], err_text(&e));
		return 75;
	}
	buf_free(&header);
	buf_free(&content);
	buf_free(&journal);
	return 0;
}
