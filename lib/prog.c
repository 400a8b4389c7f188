#include "prog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *name = "relaykit";
static int out_errno; /* of the first write to stdout that failed */

void
prog_start(const char *prog)
{
	sigset_t none;
	int fd;

	name = prog;
	/* A closed 0, 1 or 2 would be handed out again as a queue file.  Opened the wrong way
	 * round: reading nothing or writing nowhere stays the error that it is. */
	for (fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(EX_OSFILE);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that is too large is a full disk: nobody is killed for it */
	/* What who starts us ignores or blocks is his: ignored, SIGCHLD hides how our children end. */
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(077);
}

void
prog_usage(const char *usage)
{
	fprintf(stderr, "%s\n", usage);
	exit(EX_USAGE);
}

void
prog_help(const char *usage)
{
	printf("%s\n", usage);
	exit(out_close());
}

void
prog_version(void)
{
	printf("%s (relaykit) " PROG_VERSION "\n", name);
	exit(out_close());
}

void
prog_escape(struct buf *b, struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;

	for (size_t i = 0; i < s.n;) {
		size_t len = utf8_len(s.p + i, s.n - i);
		bool c1 = len == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0; /* they drive terminals too */

		if (len == 0 || p[i] < ' ' || p[i] == 127 || c1) {
			buf_fmt(b, "\\x%02x", (unsigned)p[i++]);
			continue;
		}
		if (p[i] == '\\')
			buf_ch(b, '\\');
		buf_add(b, p + i, len);
		i += len;
	}
}

static void
say(const char *text)
{
	struct buf line = BUF_INIT;

	prog_escape(&line, span_of(text));
	fprintf(stderr, "%s: %s\n", name, line.s);
	buf_free(&line);
}

static void __attribute__((format(printf, 1, 0)))
say_list(const char *fmt, va_list ap)
{
	struct buf b = BUF_INIT;

	buf_vfmt(&b, fmt, ap);
	say(b.s);
	buf_free(&b);
}

void
prog_wrong(const char *usage, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_list(fmt, ap);
	va_end(ap);
	prog_usage(usage);
}

void
prog_trouble(void *arg, const struct err *e)
{
	(void)arg;
	prog_warn("%s", err_text(e));
}

void
prog_die(const struct err *e)
{
	fflush(stdout);
	say(err_text(e));
	exit(e->code ? e->code : EX_SOFTWARE);
}

void
prog_value_wrong(struct err *e, const char *option)
{
	e->code = EX_USAGE;
	err_in(e, "%s", option);
	prog_die(e);
}

void
prog_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_list(fmt, ap);
	va_end(ap);
}

void
out_record(const char *first, ...)
{
	struct buf b = BUF_INIT;
	va_list ap;

	va_start(ap, first);
	for (const char *s = first; s; s = va_arg(ap, const char *)) {
		if (s != first)
			buf_ch(&b, '\t');
		prog_escape(&b, span_of(s));
	}
	va_end(ap);
	buf_ch(&b, '\n');
	out_bytes(b.s, b.len);
	buf_free(&b);
}

void
out_bytes(const void *p, size_t n)
{
	if (fwrite(p, 1, n, stdout) != n && !out_errno)
		out_errno = errno;
}

void
out_flush(void)
{
	if (fflush(stdout) && !out_errno)
		out_errno = errno;
}

void
out_fmt(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vprintf(fmt, ap) < 0 && !out_errno)
		out_errno = errno;
	va_end(ap);
}

int
out_close(void)
{
	bool bad = ferror(stdout) != 0;

	if (fclose(stdout) != 0) {
		bad = true;
		if (!out_errno)
			out_errno = errno;
	}
	if (!bad)
		return 0;
	/* "| head" has read enough; that needs no words. */
	if (out_errno != EPIPE)
		fprintf(stderr, "%s: stdout: %s\n", name,
		    strerror(out_errno ? out_errno : EIO));
	return EX_TEMPFAIL;
}
