/* Descriptors that others close: all of them are closed, and never more are open than was promised. */
#include "reaper.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#define MANY 3000 /* more than it keeps, so that some are closed at once */
#define LIMIT 256

static int
fresh(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* The highest descriptor that was needed: the kernel gives the lowest that is free. */
static int
hand_over(struct reaper *r, int n)
{
	int highest = -1;

	for (int i = 0; i < n; i++) {
		int fd = fresh();

		if (fd < 0)
			return -1;
		if (fd > highest)
			highest = fd;
		reaper_close(r, fd);
	}
	return highest;
}

static int
still_open(int from, int to)
{
	int n = 0;

	for (int fd = from; fd <= to; fd++)
		n += !(fcntl(fd, F_GETFD) < 0 && errno == EBADF);
	return n;
}

static void
try(int n, int most, const char *what)
{
	struct reaper *r = reaper_new();
	int first = fresh(), highest;

	close(first);
	highest = hand_over(r, n);
	reaper_del(r);
	/* One is not yet handed over while the others are with it. */
	ok(highest >= first && highest <= first + most, "%s: %d of them were enough (at most %d)", what,
	    highest - first + 1, most + 1);
	is_num(still_open(first, highest), 0, "and when it ends all are closed");
}

int
main(void)
{
	struct rlimit files = {LIMIT, LIMIT};

	for (int fd = 3; fd < MANY; fd++) /* what a shell has left us, among those that we count */
		close(fd);
	reaper_del(NULL);
	reaper_del(reaper_new());
	ok(true, "one that never had anything to do ends");
	try(1, 1, "a single one");
	try(31, 31, "fewer than are worth waking a thread for");
	try(MANY, 512, "many");
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		return 1;
	try(MANY, LIMIT / REAPER_SHARE, "many, where there are few descriptors");
	return tap_done();
}
