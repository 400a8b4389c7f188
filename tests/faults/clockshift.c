/* clockshift - LD_PRELOAD: the wall clock is wrong.
 *
 *   CLOCKSHIFT=SECONDS       added to CLOCK_REALTIME; may be negative
 *   CLOCKSHIFT_FILE=FILE     the same, read from FILE at every call: a clock that jumps while the
 *                            program runs
 *   CLOCKSHIFT_BOTH=1        the monotonic clock too: time has passed
 *
 * clock_gettime, gettimeofday and time are covered; the monotonic clock stays right otherwise, as it
 * does when an administrator or a lost battery changes the other.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t
shift(void)
{
	const char *file = getenv("CLOCKSHIFT_FILE"), *s = getenv("CLOCKSHIFT");
	char text[32] = "";
	int fd;

	if (!file)
		return s ? strtol(s, NULL, 10) : 0;
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
		text[0] = '\0';
	if (fd >= 0)
		close(fd);
	return strtol(text, NULL, 10);
}

int
clock_gettime(clockid_t clock, struct timespec *t)
{
	long rc = syscall(SYS_clock_gettime, clock, t);

	if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ||
	    (clock == CLOCK_MONOTONIC && getenv("CLOCKSHIFT_BOTH"))))
		t->tv_sec += shift();
	return (int)rc;
}

int
gettimeofday(struct timeval *restrict t, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	t->tv_sec = now.tv_sec;
	t->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *t)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (t)
		*t = now.tv_sec;
	return now.tv_sec;
}
