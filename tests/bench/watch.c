/* watch - runs a program and says what it cost.
 *
 *     watch FILE PROGRAM [ARGUMENT...]
 *
 * FILE gets one line "WALL CPU PRIVATE PSS": milliseconds from start to end, milliseconds of processor
 * time with its children's, and the peaks of its private and proportional memory in KiB, children
 * included, sampled every 20 ms from smaps_rollup.  The exit status is the program's.
 */
#include <err.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAMPLE_MS 20

extern char **environ;

struct memory {
	long private_kib, pss_kib;
};

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
add_process(long pid, struct memory *m)
{
	char path[64], line[256];

	snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return; /* it has ended meanwhile */
	while (fgets(line, sizeof line, f)) {
		const char *colon = strchr(line, ':');

		if (!colon)
			continue;
		if (strncmp(line, "Private_", 8) == 0 && strncmp(line + 8, "Hugetlb", 7) != 0)
			m->private_kib += strtol(colon + 1, NULL, 10);
		else if (strncmp(line, "Pss:", 4) == 0)
			m->pss_kib += strtol(colon + 1, NULL, 10);
	}
	fclose(f);
}

static void
add_family(long pid, struct memory *m)
{
	char path[64];
	long child;

	add_process(pid, m);
	snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", pid, pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return;
	while (fscanf(f, "%ld", &child) == 1)
		add_family(child, m);
	fclose(f);
}

int
main(int argc, char *argv[])
{
	struct memory peak = {0, 0};
	struct rusage u;
	pid_t pid;
	int status;

	if (argc < 3)
		errx(64, "usage: watch FILE PROGRAM [ARGUMENT...]");
	double start = now_ms();
	if (posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ))
		errx(69, "cannot start %s", argv[2]);
	struct pollfd end = {(int)syscall(SYS_pidfd_open, pid, 0), POLLIN, 0};
	while (end.fd >= 0 && poll(&end, 1, SAMPLE_MS) == 0) {
		struct memory m = {0, 0};

		add_family(pid, &m);
		if (m.private_kib > peak.private_kib)
			peak.private_kib = m.private_kib;
		if (m.pss_kib > peak.pss_kib)
			peak.pss_kib = m.pss_kib;
	}
	double took = now_ms() - start;
	if (wait4(pid, &status, 0, &u) < 0)
		err(75, "wait4");
	double cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
	FILE *f = fopen(argv[1], "we");
	if (!f || fprintf(f, "%.1f %.1f %ld %ld\n", took, cpu, peak.private_kib, peak.pss_kib) < 0 ||
	    fclose(f))
		err(75, "%s", argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 75;
}
