/* slowrename - LD_PRELOAD: each rename takes its time, as on a disk with much to do.
 *
 *   SLOWRENAME_MS=N    renameat2 returns that much later
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int
renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	int (*real)(int, const char *, int, const char *, unsigned);
	const char *text = getenv("SLOWRENAME_MS");
	long ms = text ? strtol(text, NULL, 10) : 0;
	struct timespec wait = {ms / 1000, ms % 1000 * 1000000};

	/* POSIX's way to make a function of what dlsym returns. */
	*(void **)&real = dlsym(RTLD_NEXT, "renameat2");
	nanosleep(&wait, NULL);
	return real(from_dir, from, to_dir, to, flags);
}
