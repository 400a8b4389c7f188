/* rawqueue - how many durable files a second this machine can make: the limit of every queue.
 *
 *     rawqueue DIR COUNT STREAMS BYTES [nosync]
 *
 * Each of STREAMS processes makes its share of COUNT files as smtp-submit does - O_TMPFILE, write,
 * linkat, fsync - and nothing else.  Prints files a second.  Raw system calls on purpose.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long
number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || n < 1)
		errx(64, "not a count: %s", text);
	return n;
}

static void
make_files(const char *dir, long count, long stream, const char *content, size_t n, int sync)
{
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char proc[64], name[64];

	if (dirfd < 0)
		err(75, "%s", dir);
	for (long i = 0; i < count; i++) {
		int fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0660);

		if (fd < 0 || write(fd, content, n) != (ssize_t)n)
			err(75, "write in %s", dir);
		snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
		snprintf(name, sizeof name, "%ld.%ld", stream, i);
		if (linkat(AT_FDCWD, proc, dirfd, name, AT_SYMLINK_FOLLOW) || (sync && fsync(fd)))
			err(75, "%s/%s", dir, name);
		close(fd);
	}
}

int
main(int argc, char *argv[])
{
	if (argc != 5 && argc != 6)
		errx(64, "usage: rawqueue DIR COUNT STREAMS BYTES [nosync]");
	const char *dir = argv[1];
	long count = number(argv[2]), streams = number(argv[3]), bytes = number(argv[4]);
	char *content = malloc((size_t)bytes + 128);
	int bad = 0, status;

	if (!content)
		err(75, "memory");
	/* A small message: a header and lines of 64 bytes. */
	int head = snprintf(content, 128, "From: a@sender.example\r\nTo: b@rcpt.example\r\n\r\n");
	for (long i = head; i < bytes; i++)
		content[i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : 'x';
	memcpy(content + (bytes > head + 2 ? bytes - 2 : head), "\r\n", 2);

	double start = now_s();
	for (long s = 0; s < streams; s++) {
		pid_t pid = fork();

		if (pid < 0)
			err(75, "fork");
		if (pid == 0) {
			make_files(dir, count / streams, s, content, (size_t)bytes, argc == 5);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		bad |= status;
	if (bad)
		return 75;
	printf("%.0f\n", (double)(count / streams * streams) / (now_s() - start));
	free(content);
	return 0;
}
