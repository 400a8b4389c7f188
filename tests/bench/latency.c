/* latency - how long a message takes from the start of a program to the end of its content at the
 * server, which is this program too.
 *
 *     latency PORT COUNT PAUSE_MS FILE PROGRAM [ARGUMENT...]
 *
 * COUNT times: starts PROGRAM with FILE as standard input, waits until a message has wholly arrived on
 * 127.0.0.1:PORT, then for the program's end and PAUSE_MS.  Prints "MEDIAN P95" in milliseconds.
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINE_ROOM 4096
#define ARRIVES_S 30 /* a message that takes longer is lost, and the run is over */

extern char **environ;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static long n_arrived;       /* under lock, as the next */
static double last_arrival;

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
tell_arrival(void)
{
	pthread_mutex_lock(&lock);
	last_arrival = now_ms();
	n_arrived++;
	pthread_cond_signal(&arrived);
	pthread_mutex_unlock(&lock);
}

/* The content of a DATA command: up to a line that is a dot. */
static bool
skip_data(FILE *in)
{
	char line[LINE_ROOM];
	bool at_start = true;

	while (fgets(line, sizeof line, in)) {
		if (at_start && strcmp(line, ".\r\n") == 0)
			return true;
		at_start = strchr(line, '\n') != NULL;
	}
	return false;
}

static bool
skip_bytes(FILE *in, unsigned long n)
{
	while (n-- > 0)
		if (getc(in) == EOF)
			return false;
	return true;
}

/* One command; the reply goes to out.  False where the connection is over. */
static bool
command(char *line, FILE *in, FILE *out)
{
	if (strncasecmp(line, "EHLO", 4) == 0) {
		fputs("250-latency.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n"
		    "250-SIZE 0\r\n250 SMTPUTF8\r\n", out);
	} else if (strncasecmp(line, "DATA", 4) == 0) {
		fputs("354 go on\r\n", out);
		fflush(out);
		if (!skip_data(in))
			return false;
		tell_arrival();
		fputs("250 2.0.0 taken\r\n", out);
	} else if (strncasecmp(line, "BDAT ", 5) == 0) {
		if (!skip_bytes(in, strtoul(line + 5, NULL, 10)))
			return false;
		if (strcasestr(line, "LAST"))
			tell_arrival();
		fputs("250 2.0.0 taken\r\n", out);
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		fputs("221 2.0.0 bye\r\n", out);
		return false;
	} else {
		fputs("250 2.0.0 ok\r\n", out);
	}
	return true;
}

static void *
serve(void *arg)
{
	int fd = (int)(intptr_t)arg, one = 1;
	FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
	char line[LINE_ROOM];

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (!in || !out)
		err(75, "fdopen");
	fputs("220 latency.example\r\n", out);
	fflush(out);
	/* Replies are gathered by stdio and leave before the next command is waited for. */
	while (fgets(line, sizeof line, in) && command(line, in, out))
		fflush(out);
	fclose(out);
	fclose(in);
	return NULL;
}

static void *
accept_all(void *arg)
{
	int fd;

	while ((fd = accept4((int)(intptr_t)arg, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		pthread_t t;

		if (pthread_create(&t, NULL, serve, (void *)(intptr_t)fd))
			errx(75, "thread");
		pthread_detach(t);
	}
	return NULL;
}

static void
listen_on(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	pthread_t t;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 16))
		err(75, "listen on port %u", port);
	if (pthread_create(&t, NULL, accept_all, (void *)(intptr_t)fd))
		errx(75, "thread");
	pthread_detach(t);
}

/* One message: milliseconds from the program's start to its arrival. */
static double
once(const char *file, char *argv[], long seen)
{
	posix_spawn_file_actions_t fa;
	struct timespec until;
	pid_t pid;
	int status, rc = 0;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, file, O_RDONLY, 0);
	double start = now_ms();
	if (posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ))
		errx(69, "cannot start %s", argv[0]);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ARRIVES_S;
	pthread_mutex_lock(&lock);
	while (n_arrived <= seen && rc == 0)
		rc = pthread_cond_timedwait(&arrived, &lock, &until);
	double took = last_arrival - start;
	pthread_mutex_unlock(&lock);
	posix_spawn_file_actions_destroy(&fa);
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		errx(75, "%s failed", argv[0]);
	if (rc)
		errx(75, "no message arrived within %d s", ARRIVES_S);
	return took;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char *argv[])
{
	if (argc < 6)
		errx(64, "usage: latency PORT COUNT PAUSE_MS FILE PROGRAM [ARGUMENT...]");
	long count = strtol(argv[2], NULL, 10), pause_ms = strtol(argv[3], NULL, 10);
	double *ms = calloc((size_t)(count > 0 ? count : 1), sizeof *ms);

	if (!ms || count < 1)
		errx(64, "not a count: %s", argv[2]);
	listen_on((uint16_t)strtol(argv[1], NULL, 10));
	for (long i = 0; i < count; i++) {
		ms[i] = once(argv[4], argv + 5, i);
		usleep((useconds_t)pause_ms * 1000);
	}
	qsort(ms, (size_t)count, sizeof *ms, by_value);
	printf("%.1f %.1f\n", ms[count / 2], ms[count * 95 / 100]);
	free(ms);
	return 0;
}
