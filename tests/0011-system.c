/* prog, io and file: the kernel, made unsurprising. */
#include "file.h"
#include "io.h"
#include "prog.h"

#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct err e = ERR_INIT;

/* Runs body in a child with this stdout (-1: closed): its exit code, and what it said on stderr. */
static int
in_child(void (*body)(void), int out_fd, struct buf *said)
{
	int p[2], status = 0;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(p[1], STDERR_FILENO);
		if (out_fd < 0)
			close(STDOUT_FILENO);
		else
			dup2(out_fd, STDOUT_FILENO);
		prog_start("child");
		body();
		exit(out_close());
	}
	close(p[1]);
	buf_cut(said, 0);
	io_slurp(p[0], 65536, said, &e);
	close(p[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
say_little(void)
{
	out_record("a\tb", "c\nd\\", NULL);
}

static void
say_much(void)
{
	for (int i = 0; i < 100000; i++)
		out_fmt("line %d\n", i);
	errno = 0;
}

static void
die_of_peer(void)
{
	struct err why = ERR_INIT;

	err_set(&why, EX_NOHOST, "peer says \x1b[2J\r\nab\xc2\x9b\xff\\");
	prog_die(&why);
}

static void
read_closed_stdin(void)
{
	struct buf b = BUF_INIT;

	close(STDIN_FILENO);
	prog_start("child");
	if (io_slurp(STDIN_FILENO, 10, &b, &e))
		prog_die(&e);
}

static void
test_prog(void)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC), p[2];
	struct buf said = BUF_INIT;

	is_num(in_child(say_little, full, &said), EX_TEMPFAIL, "a full disk is not success");
	is_str(said.s, "child: stdout: No space left on device\n", "and is said");
	is_num(in_child(say_much, full, &said), EX_TEMPFAIL, "when it fails early likewise");
	is_str(said.s, "child: stdout: No space left on device\n", "with its reason");
	close(full);
	is_num(in_child(say_little, -1, &said), EX_TEMPFAIL, "nor is a closed stdout");
	is_str(said.s, "child: stdout: Bad file descriptor\n", "and that is said");
	if (pipe2(p, O_CLOEXEC) == 0) {
		close(p[0]);
		is_num(in_child(say_much, p[1], &said), EX_TEMPFAIL, "a reader that goes away");
		is_str(said.s, "", "needs no words");
		close(p[1]);
	}
	if (pipe2(p, O_CLOEXEC) == 0) {
		struct buf got = BUF_INIT;

		is_num(in_child(say_little, p[1], &said), 0, "a record");
		close(p[1]);
		io_slurp(p[0], 100, &got, &e);
		is_str(got.s, "a\\x09b\tc\\x0ad\\\\\n", "has one line and its fields' tabs only");
		is_num(in_child(die_of_peer, p[0], &said), EX_NOHOST, "the code of the error");
		is_str(said.s, "child: peer says \\x1b[2J\\x0d\\x0aab\\xc2\\x9b\\xff\\\\\n", "escaped");
		is_num(in_child(read_closed_stdin, p[0], &said), EX_TEMPFAIL, "a closed stdin");
		is_str(said.s, "child: read: Bad file descriptor\n", "is not an empty one");
		close(p[0]);
		buf_free(&got);
	}
	buf_free(&said);
}

static void
test_slurp(void)
{
	struct buf b = BUF_INIT;
	int p[2], rc;

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return;
	io_write(p[1], "0123456789", 10, &e);
	ok(io_ready(p[0], POLLIN), "ready");
	close(p[1]);
	is_num(io_slurp(p[0], 10, &b, &e), 0, "as long as may be");
	is_str(b.s, "0123456789", "all of it");
	close(p[0]);
	if (pipe2(p, O_CLOEXEC) < 0)
		return;
	io_write(p[1], "0123456789", 10, &e);
	close(p[1]);
	buf_cut(&b, 3);
	is_num(io_slurp(p[0], 9, &b, &e), EX_DATAERR, "one byte more");
	is_str(err_text(&e), "input over 9 bytes", "is too many");
	close(p[0]);
	is_num(io_slurp_at(AT_FDCWD, "/nonexistent/x", 9, &b, &e), EX_NOINPUT, "no file");
	rc = io_slurp_at(AT_FDCWD, "/", 9, &b, &e);
	ok(!io_is_missing(rc), "a directory is not missing");
	is_num(rc, EX_NOINPUT, "it is no file");
	is_str(err_text(&e), "/: it is a directory", "which is said");
	rc = io_slurp_at(AT_FDCWD, "/none/such", 9, &b, &e);
	ok(rc == EX_NOINPUT && io_is_missing(rc), "what is not there is");
	buf_free(&b);
}

/* Both ends O_NONBLOCK, and more than the pipe holds: io_write and io_slurp wait. */
static void
test_nonblock(void)
{
	struct buf b = BUF_INIT, want = BUF_INIT;
	int p[2], status = -1, parts = 3000;
	struct iovec *iov;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return;
	for (int i = 0; i < parts * 100; i++)
		buf_ch(&want, (char)('a' + i % 26));
	iov = mem_grow(NULL, (size_t)parts, sizeof *iov);
	for (int i = 0; i < parts; i++)
		iov[i] = (struct iovec){want.s + i * 100, i % 7 ? 100 : 0};
	pid = fork();
	if (pid == 0) {
		close(p[0]);
		_exit(io_writev(p[1], iov, parts, &e) || io_write(p[1], want.s, want.len, &e));
	}
	close(p[1]);
	is_num(io_slurp(p[0], 1 << 20, &b, &e), 0, "slurped");
	waitpid(pid, &status, 0);
	is_num(status, 0, "3,000 pieces written, more than one writev takes");
	if (is_num((long long)b.len, (parts - (parts + 6) / 7) * 100 + (int)want.len, "all bytes"))
		is_mem(b.s + b.len - want.len, want.len, want.s, want.len, "as they were");
	close(p[0]);
	free(iov);
	buf_free(&b);
	buf_free(&want);
}

static void
test_wait(void)
{
	int p[2];
	int64_t start = io_now_ms();

	if (pipe2(p, O_CLOEXEC) < 0)
		return;
	is_num(io_wait(p[0], POLLIN, start + 30, &e), EX_TEMPFAIL, "nothing comes");
	is_num(errno, ETIMEDOUT, "errno says so");
	ok(io_now_ms() - start >= 30 && io_now_ms() - start < 3000, "in time");
	is_num(io_wait(p[0], POLLIN, start - 5, &e), EX_TEMPFAIL, "a deadline long over");
	is_num(io_wait(p[1], POLLOUT, start - 5, &e), 0, "but what is ready is ready");
	close(p[1]);
	is_num(io_wait(p[0], POLLIN, IO_NEVER, &e), 0, "an end of file is something to read");
	close(p[0]);
}

static void
test_positions(int dir)
{
	int fd = openat(dir, "pos", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	size_t got = 0;
	char in[8];

	is_num(io_pwrite(fd, "abcdef", 6, 4, &e), 0, "written at 4");
	is_num(io_pread(fd, in, 8, 6, &got, &e), 0, "read at 6");
	is_mem(in, got, "cdef", 4, "short at the end");
	is_num(io_pread(fd, in, 8, 100, &got, &e), 0, "read behind the end");
	is_num((long long)got, 0, "is nothing");
	close(fd);
}

static int
mode_of(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) == 0 ? (int)(st.st_mode & 07777) : -1;
}

static void
test_replace(int dir)
{
	char longest[256];
	struct buf b = BUF_INIT;

	memset(longest, 'n', 255);
	longest[255] = '\0';
	is_num(file_mkdir(dir, "sub", 0700, &e), 0, "a directory");
	is_num(file_mkdir(dir, "sub", 0700, &e), 0, "that is there already");
	is_num(file_mkdirs("", 0700, &e), EX_TEMPFAIL, "nothing is no directory");
	is_num(file_replace(dir, "sub/x", "old", 3, 0600, &e), 0, "made in a directory below");
	is_num(file_replace(dir, "sub/x", "new", 3, 0640, &e), 0, "replaced");
	is_num(io_slurp_at(dir, "sub/x", 10, &b, &e), 0, "read again");
	is_str(b.s, "new", "by the new one");
	is_num(mode_of(dir, "sub/x"), 0640, "with its mode");
	is_num(file_replace(dir, longest, "", 0, 0600, &e), 0, "a name of 255 bytes, an empty file");
	is_num(file_replace(dir, "none/x", "", 0, 0600, &e), EX_TEMPFAIL, "no such directory");
	is_num(unlinkat(dir, "sub/x", 0) | unlinkat(dir, "sub", AT_REMOVEDIR) |
	    unlinkat(dir, longest, 0), 0, "and nothing else is left there");
	buf_free(&b);
}

static bool
leads_to(int fd, int dir, const char *name)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstatat(dir, name, &b, 0) == 0 && a.st_ino == b.st_ino;
}

static void
test_link(int dir)
{
	int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), other;

	if (fd < 0) {
		ok(true, "link # SKIP no O_TMPFILE here");
		return;
	}
	is_num(file_link(fd, dir, "one", &e), 0, "a name");
	ok(leads_to(fd, dir, "one") && !leads_to(fd, dir, "two"), "leads to it");
	other = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	is_num(file_link(other, dir, "one", &e), EX_TEMPFAIL, "a name that is taken");
	ok(leads_to(fd, dir, "one") && !leads_to(other, dir, "one"), "is not taken away");
	unlinkat(dir, "one", 0);
	ok(!leads_to(fd, dir, "one"), "gone");
	close(fd);
	close(other);
}

/* The kernel links a bare descriptor only for those who opened it with the rights that they have. */
static void
test_link_with_fewer_rights(int dir)
{
	int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), status = -1;
	pid_t pid;

	if (fd < 0 || geteuid() != 0) {
		ok(true, "link by another # SKIP needs root and O_TMPFILE");
		return;
	}
	fchmod(fd, 0666); /* fs.protected_hardlinks */
	fchmod(dir, 0777);
	pid = fork();
	if (pid == 0)
		_exit(setuid(65534) < 0 ? 99 : file_link(fd, dir, "theirs", &e));
	waitpid(pid, &status, 0);
	ok(status == 0 && leads_to(fd, dir, "theirs"), "a name, by a process that has given up rights since");
	fchmod(dir, 0700);
	unlinkat(dir, "theirs", 0);
	close(fd);
}

static void
test_locks(int dir)
{
	int a = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int b = openat(dir, "lock", O_RDWR | O_CLOEXEC), c;
	bool busy = true;

	ok(file_trylock(a, &busy, &e) == 0 && !busy, "locked");
	ok(file_trylock(b, &busy, &e) == 0 && busy, "within one process too");
	c = openat(dir, "lock", O_RDWR | O_CLOEXEC);
	close(c);
	ok(file_trylock(b, &busy, &e) == 0 && busy, "closing another descriptor drops nothing");
	ok(file_lock_byte(b, 7, &busy, &e) == 0 && busy, "a byte of it");
	file_unlock(a);
	ok(file_lock_byte(a, 7, &busy, &e) == 0 && !busy &&
	    file_lock_byte(b, 8, &busy, &e) == 0 && !busy, "bytes side by side");
	ok(file_lock_byte(b, 7, &busy, &e) == 0 && busy, "but not the same");
	file_unlock_byte(a, 7);
	ok(file_lock_byte(b, 7, &busy, &e) == 0 && !busy, "until it is let go");
	close(b);
	ok(file_trylock(a, &busy, &e) == 0 && !busy, "closing lets go");
	close(a);
	unlinkat(dir, "lock", 0);
}

int
main(void)
{
	char template[] = "/tmp/relaykit-test.XXXXXX";
	int dir = -1;

	signal(SIGPIPE, SIG_IGN);
	umask(022);
	if (!mkdtemp(template) || file_open_dir(AT_FDCWD, template, &dir, &e))
		return 1;
	test_prog();
	test_slurp();
	test_nonblock();
	test_wait();
	test_positions(dir);
	test_replace(dir);
	test_link(dir);
	test_link_with_fewer_rights(dir);
	test_locks(dir);
	unlinkat(dir, "pos", 0);
	close(dir);
	is_num(rmdir(template), 0, "the directory is empty again");
	err_free(&e);
	return tap_done();
}
