/* confined - goes into the deliverer's sandbox and tries what it should not be able to do.
 *
 * usage: confined QUEUE OUTSIDE [DROP]
 *        confined crowd QUEUE OUTSIDE
 *        confined hall QUEUE OUTSIDE
 *        confined without landlock|seccomp COMMAND [ARGUMENT ...]
 *
 * Prints a line for each attempt: its name, and "ok" or the name of the error.  OUTSIDE is a
 * directory in which a file "file" stands, owned by whoever calls.  DROP is one that letters are put
 * into, with "tmp", "new" and in it a letter "read": then only what that allows is tried.  crowd: nothing
 * is tried but that many threads want memory at once.  hall: by a process that one made which lets clients in.
 * without: as on a kernel that has none. */
#include "buf.h"
#include "prog.h"
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *queue, *outside;
static int old_fd; /* a file outside, opened before */

static const char *
at(const char *dir, const char *name)
{
	static struct buf paths[2];
	static int turn;
	struct buf *b = &paths[turn++ & 1];

	buf_cut(b, 0);
	buf_fmt(b, "%s/%s", dir, name);
	return b->s;
}

static void
told(const char *what, long r)
{
	printf("%s %s\n", what, r < 0 ? strerrorname_np(errno) : "ok");
}

static int
opened(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd;
}

static void
without(const char *what)
{
	uint32_t call = strcmp(what, "seccomp") == 0 ? SYS_seccomp : SYS_landlock_create_ruleset;
	struct sock_filter f[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog p = {sizeof f / sizeof *f, f};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p);
}

static void
try_files(void)
{
	told("read-passwd", opened("/etc/passwd", O_RDONLY));
	told("read-outside", opened(at(outside, "file"), O_RDONLY));
	told("write-outside", opened(at(outside, "file"), O_WRONLY));
	told("create-outside", opened(at(outside, "new"), O_WRONLY | O_CREAT));
	told("list-outside", opened(outside, O_RDONLY | O_DIRECTORY));
	told("truncate-outside", truncate(at(outside, "file"), 0));
	told("unlink-outside", unlink(at(outside, "file")));
	told("rename-out", rename(at(queue, "new/a"), at(outside, "a")));
	told("rename-in", rename(at(outside, "file"), at(queue, "new/file")));
	told("link-out", link(at(queue, "new/a"), at(outside, "a")));
	told("link-in", link(at(outside, "file"), at(queue, "new/file")));
	told("symlink", symlink(at(outside, "file"), at(queue, "new/link")));
	told("mkfifo", mkfifo(at(queue, "new/fifo"), 0600));
	told("mknod", mknod(at(queue, "new/node"), S_IFREG | 0600, 0));
	told("proc-self", opened("/proc/self/mem", O_RDWR));
	told("proc-environ", opened("/proc/1/environ", O_RDONLY));
	told("device", opened("/dev/null", O_WRONLY));
	told("open-by-handle", syscall(SYS_open_by_handle_at, AT_FDCWD, "", O_RDONLY));
	told("set-uid-open", opened(at(queue, "new/none"), O_RDONLY) >= 0 ? 0 :
	    open(at(queue, "new/s"), O_CREAT | O_WRONLY | O_CLOEXEC, 04755));
	told("set-uid-chmod", fchmodat(AT_FDCWD, at(queue, "new/a"), 04755, 0));
	told("xattr", setxattr(at(outside, "file"), "user.x", "1", 1, 0));
	told("utime", utimensat(AT_FDCWD, at(outside, "file"), NULL, 0));
	told("chown", chown(at(outside, "file"), (uid_t)-1, (gid_t)-1));
	told("chown-at", fchownat(AT_FDCWD, at(outside, "file"), (uid_t)-1, (gid_t)-1, 0));
}

static void
try_processes(void)
{
	char *argv[] = {(char *)(uintptr_t)"true", NULL};
	struct rlimit none = {0, 0};
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	told("fork", child);
	told("vfork-flags", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
	told("clone3", syscall(SYS_clone3, NULL, 0));
	told("execve", execv("/bin/true", argv));
	told("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	told("kill-parent", kill(getppid(), 0));
	told("tgkill-parent", syscall(SYS_tgkill, getppid(), getppid(), 0));
	told("sigqueue", sigqueue(getppid(), 0, (union sigval){0}));
	told("pidfd", syscall(SYS_pidfd_open, getppid(), 0));
	told("setown", fcntl(old_fd, F_SETOWN, getppid()));
	told("prlimit", prlimit(getppid(), RLIMIT_CORE, &none, NULL));
	told("setuid", setuid(getuid()));
	told("setgroups", (long)syscall(SYS_setgroups, 0, NULL));
	told("unshare", unshare(CLONE_NEWUSER));
	told("mount", mount("none", outside, "tmpfs", 0, NULL));
	told("chroot", chroot("/"));
	told("tiocsti", ioctl(0, TIOCSTI, "x"));
	told("exec-memory", mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	            MAP_FAILED ? -1 : 0);
	told("memfd", (long)syscall(SYS_memfd_create, "x", 0));
	told("io-uring", syscall(SYS_io_uring_setup, 1, NULL));
	told("bpf", syscall(SYS_bpf, 0, NULL, 0));
	told("newer-call", syscall(1000, 0));
	told("x32", syscall(0x40000000 | SYS_getpid));
}

static void
try_sockets(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), pair[2];

	told("unix-socket", fd);
	snprintf(un.sun_path, sizeof un.sun_path, "%s", at(queue, "s"));
	if (fd >= 0)
		told("socket-file", bind(fd, (const struct sockaddr *)&un, sizeof un));
	told("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
	told("packet", socket(AF_PACKET, SOCK_RAW, 0));
	told("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	told("listen", listen(fd, 1));
	told("inet", fd);
	told("inet6", socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static void *
thread(void *arg)
{
	told("thread-passwd", opened("/etc/passwd", O_RDONLY));
	return arg;
}

static void
try_allowed(void)
{
	struct rlimit files;
	pthread_t t;
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	told("memory", p == MAP_FAILED || mprotect(p, 4096, PROT_READ) < 0 ? -1 : 0);
	told("create", opened(at(queue, "new/b"), O_WRONLY | O_CREAT | O_EXCL));
	told("read", opened(at(queue, "new/a"), O_RDWR));
	told("rename", rename(at(queue, "new/a"), at(queue, "cur/a")));
	told("truncate", truncate(at(queue, "cur/a"), 0));
	told("mkdir", mkdir(at(queue, "cur/2026112123"), 0700));
	told("rename-deep", rename(at(queue, "cur/a"), at(queue, "cur/2026112123/a")));
	told("unlink", unlink(at(queue, "cur/2026112123/a")));
	told("rmdir", rmdir(at(queue, "cur/2026112123")));
	told("give", fchown(open(at(queue, "new"), O_RDONLY | O_CLOEXEC), (uid_t)-1, (gid_t)-1));
	told("exchange", renameat2(AT_FDCWD, at(queue, "new"), AT_FDCWD, at(queue, "cur"), RENAME_EXCHANGE));
	told("inotify", inotify_add_watch(inotify_init1(0), at(queue, "new"), IN_CREATE));
	told("old-descriptor", write(old_fd, "x", 1));
	told("getrlimit", getrlimit(RLIMIT_NOFILE, &files));
	told("thread", pthread_create(&t, NULL, thread, NULL) == 0 ? 0 : -1);
	pthread_join(t, NULL);
	fflush(stdout);
	signal(SIGUSR1, SIG_IGN);
	told("raise", raise(SIGUSR1));
}

/* Where maildirs are, and sockets in files are for an LMTP server. */
static void
try_drop(const char *drop)
{
	told("drop-create", opened(at(drop, "tmp/a"), O_WRONLY | O_CREAT | O_EXCL));
	told("drop-link", link(at(drop, "tmp/a"), at(drop, "new/a")));
	told("drop-unlink", unlink(at(drop, "tmp/a")));
	told("drop-list", opened(at(drop, "new"), O_RDONLY | O_DIRECTORY));
	told("drop-read", opened(at(drop, "new/read"), O_RDONLY));
	told("drop-mkdir", mkdir(at(drop, "more"), 0700));
	told("drop-to-queue", rename(at(drop, "new/read"), at(queue, "new/read")));
	told("outside-read", opened(at(outside, "file"), O_RDONLY));
	told("outside-link", link(at(outside, "file"), at(drop, "new/file")));
	told("unix-socket", socket(AF_UNIX, SOCK_STREAM, 0));
	told("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
	told("listen", listen(socket(AF_UNIX, SOCK_STREAM, 0), 1));
	told("execve", execl("/bin/true", "true", (char *)NULL));
}

static pthread_barrier_t all_have;

static void *
want_memory(void *arg)
{
	char *volatile p = malloc(1000); /* else it would be left out */

	pthread_barrier_wait(&all_have);
	free(p);
	return arg;
}

static int
crowd(void)
{
	pthread_t t[16];

	pthread_barrier_init(&all_have, NULL, sizeof t / sizeof *t);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		if (pthread_create(&t[i], NULL, want_memory, NULL) != 0)
			return 71;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		pthread_join(t[i], NULL);
	return 0;
}

static int
enter(const char *drop, struct err *e)
{
	struct sandbox_drop d = {drop, false};
	struct sandbox_also also = {&d, 1, true};

	return drop ? sandbox_enter_also(queue, &also, e) : sandbox_enter(queue, e);
}

/* Threads are processes to RLIMIT_NPROC, hence none is tried. */
static int
hall(struct err *e)
{
	pid_t child;
	int rules, status = 0;

	if (sandbox_hall(e) || sandbox_rules(queue, &rules, e))
		return e->code;
	child = fork();
	if (child == 0) {
		if (sandbox_client(rules, e))
			_exit(75);
		try_files();
		try_processes();
		try_sockets();
		_exit(out_close());
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 75;
}

int
main(int argc, char *argv[])
{
	struct err e = ERR_INIT;
	bool is_hall, is_crowd;

	prog_start("confined");
	if (argc < 3)
		return 64;
	if (strcmp(argv[1], "without") == 0 && argc > 3) {
		without(argv[2]);
		execvp(argv[3], argv + 3);
		return 127;
	}
	is_hall = strcmp(argv[1], "hall") == 0 && argc == 4;
	is_crowd = strcmp(argv[1], "crowd") == 0 && argc == 4;
	argv += is_hall || is_crowd;
	queue = argv[1];
	outside = argv[2];
	old_fd = open(at(outside, "file"), O_RDWR | O_APPEND | O_CLOEXEC);
	if (is_hall)
		return hall(&e);
	if (old_fd < 0 || enter(argv[3], &e)) {
		prog_warn("%s", err_text(&e));
		return 75;
	}
	if (is_crowd)
		return crowd();
	if (argv[3]) {
		try_drop(argv[3]);
		return out_close();
	}
	try_files();
	try_processes();
	try_sockets();
	try_allowed();
	return out_close();
}
