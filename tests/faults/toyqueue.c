/* toyqueue - a queue writer with every order of fsync that is found in the wild, right or wrong, and
 * its checker: what the fault tools are tested with.
 *
 *   toyqueue put DIR ORDER COUNT   writes COUNT messages; after each "ACK name" by one write(2), once
 *                                  it believes that the message is safe
 *   toyqueue check DIR [<ACKS]     "acked N present N lost N torn N"; 1 if any is lost or torn
 *
 * ORDER of tmp/ to new/:   n  rename, no sync at all          f  fsync, rename
 *                          d  fsync, rename, fsync new        b  rename, fsync with its error ignored
 *                          l  fsync, link, unlink, fsync new  q  fsync, link
 *    with its final name:  p  create in new, write, fsync
 *    with O_TMPFILE:       u  fsync, link                     x  link, fsync
 *                          t  link, fsync, fsync new
 * A name is NUMBER.SUM.SIZE: a reader can tell by itself whether the content is whole.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE 3000
#define NAME 64

static uint32_t
sum(const char *p, size_t n)
{
	uint32_t h = 2166136261u;

	while (n--)
		h = (h ^ (unsigned char)*p++) * 16777619u;
	return h;
}

static bool
write_all(int fd, const char *p, size_t n)
{
	for (ssize_t k; n; p += k, n -= (size_t)k) {
		k = write(fd, p, n);
		if (k < 0 && errno == EINTR)
			k = 0;
		else if (k <= 0)
			return false;
	}
	return true;
}

static int
link_open(int fd, int dir, const char *name)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW);
}

/* What comes after the content is written: 0 when the message is as safe as this order makes it. */
static int
finish(int fd, int tmp, int new, const char *name, char order)
{
	switch (order) {
	case 'n': return renameat(tmp, name, new, name);
	case 'f': return fsync(fd) || renameat(tmp, name, new, name);
	case 'd': return fsync(fd) || renameat(tmp, name, new, name) || fsync(new);
	case 'b':
		if (renameat(tmp, name, new, name))
			return -1;
		(void)!fsync(fd);
		return 0;
	case 'l':
		return fsync(fd) || linkat(tmp, name, new, name, 0) || unlinkat(tmp, name, 0) ||
		    fsync(new);
	case 'q': return fsync(fd) || linkat(tmp, name, new, name, 0);
	case 'p': return fsync(fd);
	case 'u': return fsync(fd) || link_open(fd, new, name);
	case 'x': return link_open(fd, new, name) || fsync(fd);
	case 't': return link_open(fd, new, name) || fsync(fd) || fsync(new);
	default: errx(64, "order %c", order);
	}
}

/* An honest writer takes back what it did not acknowledge. */
static void
give_up(int tmp, int new, const char *name)
{
	int why = errno;

	unlinkat(tmp, name, 0);
	unlinkat(new, name, 0);
	errno = why;
	err(75, "message %s", name);
}

static void
put_one(int tmp, int new, char order, int number)
{
	char content[SIZE], name[NAME], line[NAME + 8];
	bool unnamed = strchr("uxt", order) != NULL;
	int fd, n;

	for (int i = 0; i < SIZE; i++)
		content[i] = (char)('a' + (i * 31 + number * 7) % 26);
	snprintf(name, sizeof name, "%05d.%08x.%d", number, sum(content, SIZE), SIZE);
	if (unnamed)
		fd = openat(new, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	else
		fd = openat(order == 'p' ? new : tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    0600);
	if (fd < 0 || !write_all(fd, content, SIZE) || finish(fd, tmp, new, name, order))
		give_up(tmp, new, name);
	close(fd);
	n = snprintf(line, sizeof line, "ACK %s\n", name);
	if (!write_all(STDOUT_FILENO, line, (size_t)n))
		give_up(tmp, new, name);
}

static int
open_dir(const char *dir, const char *sub)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, sub);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		err(66, "%s", path);
	return fd;
}

static bool
whole(int dir, const char *name)
{
	static char content[SIZE + 1];
	unsigned want = 0;
	size_t size = 0;
	ssize_t n;
	int fd;

	if (sscanf(name, "%*[0-9].%x.%zu", &want, &size) != 2)
		return false;
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, content, sizeof content);
	if (fd >= 0)
		close(fd);
	return n == (ssize_t)size && sum(content, size) == want;
}

static int
check(int new)
{
	unsigned acked = 0, present = 0, lost = 0, torn = 0;
	char line[NAME + 8];
	DIR *d = fdopendir(dup(new));

	for (struct dirent *e; (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.') {
			present++;
			torn += !whole(new, e->d_name);
		}
	closedir(d);
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = '\0';
		acked++;
		lost += strncmp(line, "ACK ", 4) || faccessat(new, line + 4, F_OK, 0);
	}
	printf("acked %u present %u lost %u torn %u\n", acked, present, lost, torn);
	return lost || torn;
}

int
main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "put")) {
		int tmp = open_dir(argv[2], "tmp"), new = open_dir(argv[2], "new");

		for (int i = 0, n = (int)strtol(argv[4], NULL, 10); i < n; i++)
			put_one(tmp, new, argv[3][0], i);
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "check"))
		return check(open_dir(argv[2], "new"));
	errx(64, "usage: toyqueue put DIR ORDER COUNT | check DIR");
}
