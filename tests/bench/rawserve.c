/* rawserve - how many messages a second an SMTP server can take that keeps the promise and does nothing else.
 *
 *     rawserve DIR [nofile]
 *
 * The limit of smtp-serve --listen beside a given client: a process for each connection, forked by one that
 * links nothing but the C library; the replies are fixed, a command is known by its first letter, and what
 * is between DATA and CRLF.CRLF becomes a file of DIR as it came: O_TMPFILE, write, linkat, fsync, 250.
 * With "nofile" content is thrown away: the client and the network alone.  Prints its port, and goes on
 * until it is killed.  Raw system calls on purpose.
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int dirfd_;
static bool nofile;

static void
say(int fd, const char *line)
{
	if (write(fd, line, strlen(line)) < 0)
		_exit(0);
}

static void
keep(const char *content, size_t n)
{
	static long count;
	char proc[64], name[64];
	int fd;

	if (nofile)
		return;
	fd = openat(dirfd_, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0660);
	if (fd < 0 || write(fd, content, n) != (ssize_t)n)
		err(75, "write");
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	snprintf(name, sizeof name, "%d.%ld", (int)getpid(), count++);
	if (linkat(AT_FDCWD, proc, dirfd_, name, AT_SYMLINK_FOLLOW) || fsync(fd))
		err(75, "%s", name);
	close(fd);
}

/* One command, or all of a content, lies in `in`. */
static bool
answer(int fd, const char *in, size_t n, bool *data)
{
	if (*data) {
		keep(in, n);
		*data = false;
		say(fd, "250 2.0.0 Ok: queued as 0123456789abcdef\r\n");
		return true;
	}
	*data = *in == 'D';
	say(fd, *data ? "354 End data with <CR><LF>.<CR><LF>\r\n" : *in == 'Q' ? "221 2.0.0 Bye\r\n"
	                                                                       : "250 2.1.0 Ok\r\n");
	return *in != 'Q';
}

static void
serve(int fd)
{
	static char in[65536];
	size_t have = 0;
	bool data = false;
	ssize_t got;

	say(fd, "220 bench.example ESMTP\r\n");
	while ((got = read(fd, in + have, sizeof in - have)) > 0) {
		have += (size_t)got;
		if (data ? have >= 5 && memcmp(in + have - 5, "\r\n.\r\n", 5) == 0 : in[have - 1] == '\n') {
			if (!answer(fd, in, have, &data))
				return;
			have = 0;
		}
	}
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t n = sizeof at;
	int fd, s, one = 1;

	if (argc < 2)
		errx(64, "usage: rawserve DIR [nofile]");
	nofile = argc > 2;
	dirfd_ = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	signal(SIGCHLD, SIG_IGN);
	if (dirfd_ < 0 || s < 0 || bind(s, (struct sockaddr *)&at, sizeof at) < 0 || listen(s, 511) < 0 ||
	    getsockname(s, (struct sockaddr *)&at, &n) < 0)
		err(75, "%s", argv[1]);
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	while ((fd = accept(s, NULL, NULL)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		if (fork() == 0) {
			serve(fd);
			_exit(0);
		}
		close(fd);
	}
	err(75, "accept");
}
