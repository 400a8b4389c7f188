#include "eventseek.h"

#include "date.h"
#include "entry.h"
#include "err.h"
#include "io.h"
#include "jsonread.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 65536
#define DAY_S 86400
#define STAMP "\"timestamp\":\""
#define NEAR (2 * BLOCK) /* bytes between which it is not worth to go on halving */

/* The time of the first whole line at or behind a place; false: there is none. */
static bool
time_at(int fd, uint64_t at, struct buf *block, uint64_t *s)
{
	struct err e = ERR_INIT;
	const char *line, *stamp, *end;
	size_t got = 0;

	buf_cut(block, 0);
	if (io_pread(fd, buf_room(block, BLOCK), BLOCK, at, &got, &e))
		err_free(&e);
	buf_grew(block, got);
	line = at == 0 ? block->s : memchr(block->s, '\n', got);
	stamp = line ? memmem(line, (size_t)(block->s + got - line), STAMP, sizeof STAMP - 1) : NULL;
	if (!stamp)
		return false;
	stamp += sizeof STAMP - 1;
	end = memchr(stamp, '"', (size_t)(block->s + got - stamp));
	return end && date_iso_parse((struct span){stamp, (size_t)(end - stamp)}, s);
}

/* Before the first line of that second. */
static uint64_t
place_of(int fd, uint64_t size, uint64_t s, struct buf *block)
{
	uint64_t low = 0, high = size, at;

	while (high - low > NEAR) {
		uint64_t mid = low + (high - low) / 2;

		if (time_at(fd, mid, block, &at) && at < s)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* What the line says where it is one of that message with a stream. */
static bool
read_line(struct span line, struct span id, struct buf *stream, struct buf *tag)
{
	struct json_doc *doc = NULL;
	struct err e = ERR_INIT;
	const struct json_val *root;
	struct span text;
	bool good = false;

	if (json_doc_parse(&doc, line, &e)) {
		err_free(&e);
		return false;
	}
	root = json_doc_root(doc);
	if (span_eq(json_get_str(root, "id"), id)) {
		text = json_get_str(root, "stream");
		buf_add(stream, text.p, text.n);
		good = text.n > 0;
		text = json_get_str(root, "tag");
		if (good)
			buf_add(tag, text.p, text.n);
	}
	json_doc_free(doc);
	return good;
}

static bool
look(int fd, uint64_t from, struct span id, struct buf *stream, struct buf *tag)
{
	struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	size_t got = 1;
	bool found = false;

	for (uint64_t at = from; got > 0 && !found && at - from < EVENTSEEK_BYTES; at += got) {
		const char *hit, *end, *start;

		if (io_pread(fd, buf_room(&text, BLOCK), BLOCK, at, &got, &e)) {
			err_free(&e);
			break;
		}
		buf_grew(&text, got);
		hit = memmem(text.s, text.len, id.p, id.n);
		end = hit ? memchr(hit, '\n', (size_t)(text.s + text.len - hit)) : NULL;
		while (end && !found) {
			start = memrchr(text.s, '\n', (size_t)(hit - text.s));
			start = start ? start + 1 : text.s;
			found = read_line((struct span){start, (size_t)(end - start)}, id, stream, tag);
			hit = memmem(end, (size_t)(text.s + text.len - end), id.p, id.n);
			end = hit ? memchr(hit, '\n', (size_t)(text.s + text.len - hit)) : NULL;
		}
		/* The last line may not be whole. */
		start = memrchr(text.s, '\n', text.len);
		if (start)
			buf_drop(&text, (size_t)(start + 1 - text.s));
		if (text.len > 16 * BLOCK)
			buf_cut(&text, 0);
	}
	buf_free(&text);
	return found;
}

bool
eventseek(int log_dir, struct span id, struct buf *stream, struct buf *tag)
{
	struct buf name = BUF_INIT, block = BUF_INIT;
	uint64_t s = entry_id_us(id.p) / 1000000;
	bool found = false;

	for (uint64_t day = 0; day < EVENTSEEK_DAYS && !found; day++) {
		char text[9];
		struct stat st;
		int fd;

		date_day(text, s + day * DAY_S);
		buf_cut(&name, 0);
		buf_fmt(&name, "events-%s.jsonl", text);
		fd = openat(log_dir, name.s, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0)
			found = look(fd, day > 0 ? 0 : place_of(fd, (uint64_t)st.st_size, s, &block), id,
			    stream, tag);
		close(fd);
	}
	buf_free(&name);
	buf_free(&block);
	return found;
}
