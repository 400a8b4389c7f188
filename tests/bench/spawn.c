/* spawn - starts a program again and again, as scripts and cron jobs start sendmail.
 *
 *     spawn COUNT STREAMS FILE PROGRAM [ARGUMENT...]
 *
 * COUNT times in all, STREAMS of them at any time, with FILE as standard input.  Prints
 * "RATE CPU": starts a second, and milliseconds of processor time each; 75 if any of them failed.
 */
#include <err.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
start(const char *file, char *argv[])
{
	posix_spawn_file_actions_t fa;
	pid_t pid;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, file, O_RDONLY, 0);
	if (posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ))
		errx(69, "cannot start %s", argv[0]);
	posix_spawn_file_actions_destroy(&fa);
}

int
main(int argc, char *argv[])
{
	if (argc < 5)
		errx(64, "usage: spawn COUNT STREAMS FILE PROGRAM [ARGUMENT...]");
	long count = strtol(argv[1], NULL, 10), streams = strtol(argv[2], NULL, 10), running = 0;
	long failed = 0, started = 0;
	struct rusage u;
	int status;

	double begin = now_s();
	while (started < count || running > 0) {
		if (started < count && running < streams) {
			start(argv[3], argv + 4);
			started++;
			running++;
			continue;
		}
		if (wait(&status) < 0)
			err(75, "wait");
		running--;
		failed += status != 0;
	}
	double took = now_s() - begin;
	getrusage(RUSAGE_CHILDREN, &u);
	double cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
	printf("%.2f %.2f\n", (double)count / took, cpu / (double)count);
	if (failed)
		warnx("%ld of %ld starts failed", failed, count);
	return failed ? 75 : 0;
}
