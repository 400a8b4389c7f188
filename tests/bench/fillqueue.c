/* fillqueue - fills a queue with valid entries quickly, without syncs: a backlog to measure with.
 *
 *     fillqueue QUEUE COUNT [KEY=VALUE...]
 *
 * place=new|cur, after=SECONDS until the first is due, hours=N to spread them over, stream=NAME,
 * domains=N (rcpt0.example and so on), size=BYTES of content, link=yes: names are hard links to a few
 * files - enough wherever only names are read, and a million of them cost no disk.
 */
#include "buf.h"
#include "crc.h"
#include "entry.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINKS_MAX 60000 /* ext4 allows 65,000 names a file */

struct fill {
	const char *queue, *stream;
	bool in_new, links;
	long count, after, hours, domains, size;
	struct buf file; /* head, header, content */
	int from;        /* the file that names are linked to */
	long linked;
};

static long
number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || n < 0 || end == text)
		errx(64, "not a number: %s", text);
	return n;
}

static void
options(struct fill *f, char *argv[])
{
	for (; *argv; argv++) {
		char *v = strchr(*argv, '=');

		if (!v)
			errx(64, "not KEY=VALUE: %s", *argv);
		*v++ = '\0';
		if (strcmp(*argv, "place") == 0)
			f->in_new = strcmp(v, "new") == 0;
		else if (strcmp(*argv, "link") == 0)
			f->links = strcmp(v, "yes") == 0;
		else if (strcmp(*argv, "stream") == 0)
			f->stream = v;
		else if (strcmp(*argv, "after") == 0)
			f->after = number(v);
		else if (strcmp(*argv, "hours") == 0)
			f->hours = number(v);
		else if (strcmp(*argv, "domains") == 0)
			f->domains = number(v);
		else if (strcmp(*argv, "size") == 0)
			f->size = number(v);
		else
			errx(64, "no such key: %s", *argv);
	}
	if (f->hours < 1 || f->domains < 1)
		errx(64, "hours and domains count from 1");
}

/* The bytes of the entry whose recipient is in that domain. */
static void
compose(struct fill *f, const char *domain)
{
	struct err e = ERR_INIT;
	struct buf content = BUF_INIT, rcpt = BUF_INIT, header = BUF_INIT;
	struct entry_rcpt to = {{NULL, 0}, {NULL, 0}};
	struct envelope v = {.sender = {"a@sender.example", 16}, .rcpts = &to, .n = 1};
	struct entry_head head = {0};
	char line[ENTRY_HEAD];

	buf_fmt(&rcpt, "b@%s", domain);
	to.addr = (struct span){rcpt.s, rcpt.len};
	buf_fmt(&content, "From: a@sender.example\r\nTo: %s\r\n\r\n", rcpt.s);
	while (content.len + 64 <= (size_t)f->size)
		buf_str(&content, "A line of a message that nobody will read, 62 bytes and its end\r\n");
	if (envelope_format(&header, &v, &e))
		errx(e.code, "%s", err_text(&e));
	head.header_bytes = (uint32_t)header.len;
	head.content_bytes = content.len;
	head.header_crc = crc32c(0, header.s, header.len);
	head.content_crc = crc32c(0, content.s, content.len);
	entry_head_format(line, &head);
	buf_cut(&f->file, 0);
	buf_add(&f->file, line, sizeof line);
	buf_add(&f->file, header.s, header.len);
	buf_add(&f->file, content.s, content.len);
	f->size = (long)content.len;
	buf_free(&content);
	buf_free(&rcpt);
	buf_free(&header);
}

/* cur/HOUR of that time, made if it is not there. */
static int
bucket(const struct fill *f, time_t due)
{
	struct buf path = BUF_INIT;
	struct tm tm;

	buf_fmt(&path, "%s/%s", f->queue, f->in_new ? "new" : "cur");
	if (!f->in_new) {
		gmtime_r(&due, &tm);
		buf_fmt(&path, "/%04d%02d%02d%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		    tm.tm_hour);
		if (mkdir(path.s, 0700) && errno != EEXIST)
			err(75, "%s", path.s);
	}
	int fd = open(path.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		err(75, "%s", path.s);
	buf_free(&path);
	return fd;
}

static int
new_file(const struct fill *f, int dir)
{
	int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0660);

	if (fd < 0 || write(fd, f->file.s, f->file.len) != (ssize_t)f->file.len)
		err(75, "write in %s", f->queue);
	return fd;
}

static void
add(struct fill *f, int dir, time_t due, long i, const char *domain)
{
	struct entry_name n = {.due = (uint64_t)due, .size = (uint64_t)f->size};
	struct buf name = BUF_INIT;
	char id[ENTRY_ID + 1], proc[64];
	struct timespec now;
	int fd = f->from;

	clock_gettime(CLOCK_REALTIME, &now);
	entry_id(id, (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000, (uint32_t)i);
	n.id = (struct span){id, ENTRY_ID};
	n.stream = (struct span){f->stream, strlen(f->stream)};
	n.domain = (struct span){domain, strlen(domain)};
	entry_name_format(&name, &n);
	if (!f->links || fd < 0 || f->linked == LINKS_MAX) {
		if (f->links && fd >= 0)
			close(fd);
		fd = new_file(f, dir);
		f->linked = 0;
	}
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, proc, dir, name.s, AT_SYMLINK_FOLLOW))
		err(75, "%s", name.s);
	f->linked++;
	if (f->links)
		f->from = fd;
	else
		close(fd);
	buf_free(&name);
}

int
main(int argc, char *argv[])
{
	struct fill f = {.stream = "mail", .hours = 1, .domains = 1, .size = 4096, .from = -1,
	    .file = BUF_INIT};
	char domain[64];

	if (argc < 3)
		errx(64, "usage: fillqueue QUEUE COUNT [KEY=VALUE...]");
	f.queue = argv[1];
	f.count = number(argv[2]);
	options(&f, argv + 3);
	time_t first = time(NULL) + f.after;
	/* Hour by hour, so that one directory is open at a time. */
	for (long h = 0, i = 0; h < f.hours; h++) {
		time_t due = first + h * 3600;
		int dir = bucket(&f, due);

		for (; i < f.count * (h + 1) / f.hours; i++) {
			snprintf(domain, sizeof domain, "rcpt%ld.example", i % f.domains);
			if (i < f.domains || f.domains > 1)
				compose(&f, domain);
			add(&f, dir, due, i, domain);
		}
		close(dir);
	}
	if (f.from >= 0)
		close(f.from);
	buf_free(&f.file);
	return 0;
}
