/* rawsend - how fast a client can hand files to an SMTP server when it keeps no queue.
 *
 *     rawsend PORT DIR CONNECTIONS [data | unlink | queue]
 *
 * The loop that smtp-deliver would be without a queue: one thread a connection; open a file of DIR,
 * read it, write MAIL, RCPT and BDAT with the content at once, read the three replies, next.
 * With "data": MAIL, RCPT and DATA, then content and dot.  With "unlink": each file is removed once it
 * is sent, the least that any queue of files has to do.  With "queue": with the system calls that the
 * queue's promises cost, and nothing else of a queue: lock, two looks at the inode, the journal's line
 * before the content leaves, unlink after the reply, three lines of the event log.  The files are gone
 * afterwards.  Files must have CRLF line ends and no line that begins with a dot.  Prints messages a
 * second.  Raw system calls on purpose.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <netinet/tcp.h>
#include <time.h>
#include <unistd.h>

#define COMMAND_ROOM 256 /* bytes for the commands before the content */

static char **names;
static size_t n_names;
static atomic_size_t next_name;
static int dirfd_;
static uint16_t port;
static bool use_data, unlinks, as_queue;
static int log_fd;

struct conn {
	int fd;
	size_t have;
	char in[4096];
};

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Reads `want` replies; a line whose fourth byte is "-" goes on. */
static void
replies(struct conn *c, int want)
{
	for (;;) {
		char *end;

		while (want > 0 && (end = memchr(c->in, '\n', c->have)) != NULL) {
			size_t n = (size_t)(end - c->in) + 1;

			if (c->in[0] > '3')
				errx(69, "%.*s", (int)n, c->in);
			if (n < 4 || c->in[3] != '-')
				want--;
			c->have -= n;
			memmove(c->in, c->in + n, c->have);
		}
		if (want == 0)
			return;
		ssize_t n = read(c->fd, c->in + c->have, sizeof c->in - c->have);
		if (n <= 0)
			errx(75, "connection closed");
		c->have += (size_t)n;
	}
}

static void
send_all(struct conn *c, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(c->fd, p, n);

		if (w <= 0)
			err(75, "write");
		p += w;
		n -= (size_t)w;
	}
}

static void
connect_to(struct conn *c)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int one = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->have = 0;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0)
		err(75, "connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	replies(c, 1);
	send_all(c, "EHLO bench.example\r\n", 20);
	replies(c, 1);
}

/* What a taken entry costs before its content leaves. */
static void
take(int fd, const char *name, size_t size)
{
	static const char line[700];
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct stat st;

	if (fcntl(fd, F_OFD_SETLK, &lock) < 0 || fstatat(dirfd_, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    pwrite(fd, line, sizeof line, (off_t)size) < 0)
		err(75, "%s", name);
}

/* And what one that is delivered costs. */
static void
settle(int fd, const char *name)
{
	static const char line[300];

	if (unlinkat(dirfd_, name, 0) < 0)
		err(75, "%s", name);
	for (int i = 0; i < 3; i++)
		if (write(log_fd, line, sizeof line) < 0)
			err(75, "log");
	close(fd);
}

/* One file: commands and content in one buffer, so that they leave in one write. */
static void
send_file(struct conn *c, const char *name, char **buf, size_t *cap)
{
	int fd = openat(dirfd_, name, (as_queue ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		err(75, "%s", name);
	size_t size = (size_t)st.st_size, need = size + COMMAND_ROOM + 3;
	if (need > *cap && (*buf = realloc(*buf, *cap = need)) == NULL)
		err(75, "memory");
	size_t got = 0;
	char *content = *buf + COMMAND_ROOM;
	while (got < size) {
		ssize_t r = read(fd, content + got, size - got);

		if (r <= 0)
			err(75, "%s", name);
		got += (size_t)r;
	}
	if (as_queue)
		take(fd, name, size);
	else
		close(fd);
	char command[COMMAND_ROOM];
	int n = snprintf(command, sizeof command, "MAIL FROM:<a@sender.example>\r\n"
	    "RCPT TO:<b@rcpt.example>\r\n%s", use_data ? "DATA\r\n" : "");
	if (use_data) {
		send_all(c, command, (size_t)n);
		replies(c, 3);
		memcpy(content + size, ".\r\n", 3);
		send_all(c, content, size + 3);
		replies(c, 1);
		return;
	}
	n += snprintf(command + n, sizeof command - (size_t)n, "BDAT %zu LAST\r\n", size);
	memcpy(content - n, command, (size_t)n);
	send_all(c, content - n, (size_t)n + size);
	replies(c, 3);
	if (as_queue)
		settle(fd, name);
	else if (unlinks && unlinkat(dirfd_, name, 0) < 0)
		err(75, "%s", name);
}

static void *
worker(void *arg)
{
	struct conn c;
	char *buf = NULL;
	size_t cap = 0, i;

	(void)arg;
	connect_to(&c);
	while ((i = atomic_fetch_add(&next_name, 1)) < n_names)
		send_file(&c, names[i], &buf, &cap);
	send_all(&c, "QUIT\r\n", 6);
	close(c.fd);
	free(buf);
	return NULL;
}

static void
list(void)
{
	DIR *d = fdopendir(dup(dirfd_));
	struct dirent *entry;
	size_t cap = 0;

	if (!d)
		err(75, "opendir");
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (n_names == cap && (names = realloc(names, (cap = cap * 2 + 64) * sizeof *names)) == NULL)
			err(75, "memory");
		names[n_names++] = strdup(entry->d_name);
	}
	closedir(d);
}

int
main(int argc, char *argv[])
{
	if (argc != 4 && argc != 5)
		errx(64, "usage: rawsend PORT DIR CONNECTIONS [data | unlink | queue]");
	long connections = strtol(argv[3], NULL, 10);
	port = (uint16_t)strtol(argv[1], NULL, 10);
	use_data = argc == 5 && strcmp(argv[4], "data") == 0;
	unlinks = argc == 5 && strcmp(argv[4], "unlink") == 0;
	as_queue = argc == 5 && !use_data && !unlinks;
	dirfd_ = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd_ < 0)
		err(75, "%s", argv[2]);
	if (as_queue && (log_fd = openat(dirfd_, ".log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) < 0)
		err(75, "log");
	if (connections < 1)
		errx(64, "not a count: %s", argv[3]);
	pthread_t *threads = calloc((size_t)connections, sizeof *threads);
	if (!threads)
		err(75, "memory");

	double start = now_s();
	list();
	for (long i = 0; i < connections; i++)
		if (pthread_create(&threads[i], NULL, worker, NULL))
			errx(75, "thread");
	for (long i = 0; i < connections; i++)
		pthread_join(threads[i], NULL);
	printf("%.0f\n", (double)n_names / (now_s() - start));
	for (size_t i = 0; i < n_names; i++)
		free(names[i]);
	free(names);
	free(threads);
	return 0;
}
