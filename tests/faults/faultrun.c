/* faultrun - runs a command and all its children, and strikes at the N-th system call that changes
 * something.
 *
 *   faultrun -n CMD...           counts only: "faultrun: calls N" on stderr
 *   faultrun -k N CMD...         SIGKILL for all of them before call N is executed
 *   faultrun -a N CMD...         the same after it was executed
 *   faultrun -e N ERRNO CMD...   call N is not executed and fails with ERRNO ("EIO" or a number)
 *   faultrun -E N ERRNO CMD...   and so does every later call like it (the disk stays full); a
 *                                call that gives something back (unlink, rmdir) goes on working
 *   faultrun -w N CMD...         call N, where it writes, gets half of its bytes only
 *
 * Before these:  -v says what was struck;  -L counts calls on the network too, and -r calls that only
 * read;  -o NAME,NAME counts these alone;  -m counts from the first umask(2) on, which prog_start()
 * calls: what the loader and a sanitizer read before main() is left alone.  One counter serves all calls of all processes and
 * threads, so that a loop over N meets every point: strace -e inject=SET:when=N counts each
 * call by itself and meets a fraction of them.
 *
 * Exit: the command's own status; 137 when it was killed here; 125 for bad usage.  Needs no
 * root (seccomp and ptrace); set-id bits are not honoured.  x86-64 Linux only.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
int
main(void)
{
	fprintf(stderr, "faultrun: knows the registers of x86-64 only\n");
	return 125;
}
#else

#define EX_FAULTRUN 125
#define KILLED 137

enum kind {
	FREES = 1, /* gives space back: never fails for want of it */
	OPENS = 2, /* counted if it may create or truncate; else it only reads */
	WRITES = 4, /* (fd, bytes, count): may be cut short */
	NET = 8,
	READS = 16,
	VECTOR = 32 /* (fd, iovecs, how many): the same */
};

static const struct call {
	long nr;
	const char *name;
	int kind;
} calls[] = {
    {SYS_write, "write", WRITES},
    {SYS_pwrite64, "pwrite64", WRITES},
    {SYS_writev, "writev", VECTOR},
    {SYS_pwritev, "pwritev", VECTOR},
    {SYS_pwritev2, "pwritev2", VECTOR},
    {SYS_sendfile, "sendfile", 0},
    {SYS_copy_file_range, "copy_file_range", 0},
    {SYS_splice, "splice", 0},
    {SYS_open, "open", OPENS},
    {SYS_openat, "openat", OPENS},
    {SYS_creat, "creat", 0},
    {SYS_fsync, "fsync", 0},
    {SYS_fdatasync, "fdatasync", 0},
    {SYS_syncfs, "syncfs", 0},
    {SYS_sync_file_range, "sync_file_range", 0},
    {SYS_rename, "rename", 0},
    {SYS_renameat, "renameat", 0},
    {SYS_renameat2, "renameat2", 0},
    {SYS_link, "link", 0},
    {SYS_linkat, "linkat", 0},
    {SYS_symlink, "symlink", 0},
    {SYS_symlinkat, "symlinkat", 0},
    {SYS_unlink, "unlink", FREES},
    {SYS_unlinkat, "unlinkat", FREES},
    {SYS_rmdir, "rmdir", FREES},
    {SYS_mkdir, "mkdir", 0},
    {SYS_mkdirat, "mkdirat", 0},
    {SYS_truncate, "truncate", FREES},
    {SYS_ftruncate, "ftruncate", FREES},
    {SYS_fallocate, "fallocate", 0},
    {SYS_chmod, "chmod", 0},
    {SYS_fchmod, "fchmod", 0},
    {SYS_fchmodat, "fchmodat", 0},
    {SYS_fchown, "fchown", 0},
    {SYS_fchownat, "fchownat", 0},
    {SYS_utimensat, "utimensat", 0},
    {SYS_flock, "flock", 0},
    {SYS_connect, "connect", NET},
    {SYS_sendto, "sendto", NET | WRITES},
    {SYS_sendmsg, "sendmsg", NET},
    {SYS_sendmmsg, "sendmmsg", NET},
    {SYS_shutdown, "shutdown", NET},
    {SYS_recvfrom, "recvfrom", NET | READS},
    {SYS_recvmsg, "recvmsg", NET | READS},
    {SYS_read, "read", READS},
    {SYS_pread64, "pread64", READS},
    {SYS_getdents64, "getdents64", READS},
    {SYS_close, "close", READS},
};
#define N_CALLS (sizeof calls / sizeof *calls)

static struct { /* what the command line asks for */
	char mode; /* n k a e E w */
	long at;
	int error;
	bool verbose, net, reads, from_main;
	const char *only;
} want;

static pid_t *kids; /* every traced thread: SIGKILL for one ends its process */
static size_t n_kids, cap_kids;

static void
kid_add(pid_t p)
{
	for (size_t i = 0; i < n_kids; i++)
		if (kids[i] == p)
			return;
	if (n_kids == cap_kids) {
		cap_kids = cap_kids * 2 + 64;
		kids = realloc(kids, cap_kids * sizeof *kids);
		if (!kids)
			abort();
	}
	kids[n_kids++] = p;
}

static void
kid_gone(pid_t p)
{
	for (size_t i = 0; i < n_kids; i++)
		if (kids[i] == p) {
			kids[i] = kids[--n_kids];
			return;
		}
}

static void
kill_kids(void)
{
	for (size_t i = 0; i < n_kids; i++)
		kill(kids[i], SIGKILL);
}

static int
errno_of(const char *s)
{
	static const struct {
		const char *name;
		int value;
	} known[] = {
	    {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS},
	    {"EMFILE", EMFILE}, {"ENFILE", ENFILE}, {"ENOMEM", ENOMEM}, {"EINTR", EINTR},
	    {"EAGAIN", EAGAIN}, {"EACCES", EACCES}, {"EPERM", EPERM}, {"ESTALE", ESTALE},
	    {"EPIPE", EPIPE}, {"ECONNRESET", ECONNRESET}, {"ETIMEDOUT", ETIMEDOUT},
	    {"EOPNOTSUPP", EOPNOTSUPP}, {"EINVAL", EINVAL}, {"ENOENT", ENOENT},
	    {"EXDEV", EXDEV}, {"EBUSY", EBUSY},
	};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(s, known[i].name))
			return known[i].value;
	return (int)strtol(s, NULL, 10);
}

static const struct call *
call_of(long nr)
{
	for (size_t i = 0; i < N_CALLS; i++)
		if (calls[i].nr == nr)
			return &calls[i];
	return NULL;
}

static bool
named(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = list; (p = strstr(p, name)) != NULL; p += n)
		if ((p == list || p[-1] == ',') && (p[n] == ',' || p[n] == '\0'))
			return true;
	return false;
}

static bool
traced(const struct call *c)
{
	if (want.only)
		return named(want.only, c->name);
	return (!(c->kind & NET) || want.net) && (!(c->kind & READS) || want.reads);
}

/* The filter of the child: what is counted stops it, all else runs at full speed.  An open that
 * can neither create nor truncate changes nothing (and is most of what the loader does). */
static void
filter(void)
{
	struct sock_filter f[N_CALLS * 6 + 10];
	struct sock_fprog prog = {.filter = f};
	unsigned short k = 0;
	const unsigned makes = O_CREAT | O_TRUNC | (O_TMPFILE & ~(unsigned)O_DIRECTORY);

	f[k++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	    offsetof(struct seccomp_data, nr));
	if (want.from_main) {
		f[k++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_umask, 0, 1);
		f[k++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	for (size_t i = 0; i < N_CALLS; i++) {
		const struct call *c = &calls[i];
		size_t arg = c->nr == SYS_open ? 1 : 2;

		if (!traced(c))
			continue;
		if (!(c->kind & OPENS) || want.reads) {
			f[k++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			    (unsigned)c->nr, 0, 1);
			f[k++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
			continue;
		}
		f[k++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)c->nr,
		    0, 4);
		f[k++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    (unsigned)(offsetof(struct seccomp_data, args) + 8 * arg));
		f[k++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, makes, 0, 1);
		f[k++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
		f[k++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	f[k++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prog.len = k;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		_exit(EX_FAULTRUN);
}

static pid_t
start(char **argv)
{
	pid_t p = fork();
	int st;

	if (p < 0)
		exit(EX_FAULTRUN);
	if (p == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		filter();
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	waitpid(p, &st, 0);
	ptrace(PTRACE_SETOPTIONS, p, 0,
	    PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
		PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
	kid_add(p);
	ptrace(PTRACE_CONT, p, 0, 0);
	return p;
}

/* A full disk fails writes to files, not to pipes and sockets. */
static bool
is_file(pid_t p, unsigned long long fd)
{
	char path[64], to[16];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/fd/%d", p, (int)fd);
	n = readlink(path, to, sizeof to);
	return n > 0 && to[0] == '/' && (n < 5 || memcmp(to, "/dev/", 5) != 0 ||
	    (n >= 9 && !memcmp(to, "/dev/shm/", 9)));
}

static void
fail(pid_t p, struct user_regs_struct *r)
{
	r->orig_rax = (unsigned long long)-1; /* no call: the kernel leaves rax as it is */
	r->rax = (unsigned long long)-(long long)want.error;
	ptrace(PTRACE_SETREGS, p, 0, r);
}

/* Whether a later call fares like the one that was struck (-E). */
static bool
fares_alike(const struct call *c, pid_t p, unsigned long long fd, bool file)
{
	if (want.only)
		return true;
	if (c->kind & (FREES | READS | NET))
		return false;
	return !(c->kind & (WRITES | VECTOR)) || is_file(p, fd) == file;
}

/* -w: half of the bytes, of a vector half of the first part: by the call that writes a single one. */
static void
cut_short(const struct call *c, pid_t p, struct user_regs_struct *r)
{
	if (c->kind & VECTOR && r->rdx > 0) {
		unsigned long long iov = r->rsi;

		r->orig_rax = c->nr == SYS_writev ? SYS_write : SYS_pwrite64;
		r->rsi = (unsigned long long)ptrace(PTRACE_PEEKDATA, p, iov, 0);
		r->rdx = (unsigned long long)ptrace(PTRACE_PEEKDATA, p,
		    iov + offsetof(struct iovec, iov_len), 0);
	} else if (!(c->kind & WRITES)) {
		return;
	}
	/* A datagram, told by its address, goes whole or not at all. */
	if (c->nr == SYS_sendto && r->r8)
		return;
	r->rdx -= r->rdx / 2;
	ptrace(PTRACE_SETREGS, p, 0, r);
}

static enum { RUNNING, FAILING, KILLING } state;
static long seen;

/* At the entry of a counted call; returns how the thread goes on, or -1: it is being killed. */
static int
at_call(pid_t p)
{
	static bool file, in_main;
	struct user_regs_struct r;
	const struct call *c;

	if (state == KILLING)
		return -1;
	ptrace(PTRACE_GETREGS, p, 0, &r);
	c = call_of((long)r.orig_rax);
	if (r.orig_rax == SYS_umask)
		in_main = true;
	if (!c || (want.from_main && !in_main))
		return PTRACE_CONT;
	if (state == FAILING) {
		if (want.mode == 'E' && fares_alike(c, p, r.rdi, file))
			fail(p, &r);
		return PTRACE_CONT;
	}
	if (++seen != want.at)
		return PTRACE_CONT;
	if (want.verbose)
		fprintf(stderr, "faultrun: -%c at call %ld: %s\n", want.mode, seen, c->name);
	switch (want.mode) {
	case 'k': state = KILLING; kill_kids(); return -1;
	case 'a': return PTRACE_SYSCALL;
	case 'w': cut_short(c, p, &r); break;
	default:
		file = is_file(p, r.rdi);
		fail(p, &r);
	}
	state = FAILING;
	return PTRACE_CONT;
}

/* One stop of one thread; returns the request it goes on with, or -1; *sig is what it gets. */
static int
at_stop(pid_t p, int st, int *sig)
{
	static bool exec_seen; /* what faultrun itself does before is not counted */
	int event = st >> 16;

	*sig = WSTOPSIG(st);
	if (*sig == SIGTRAP && event) {
		*sig = 0;
		if (event == PTRACE_EVENT_EXEC)
			exec_seen = true;
		return event == PTRACE_EVENT_SECCOMP && exec_seen ? at_call(p) : PTRACE_CONT;
	}
	if (*sig == (SIGTRAP | 0x80)) { /* call N has returned: -a */
		state = KILLING;
		kill_kids();
		return -1;
	}
	if (*sig == SIGSTOP) /* the first stop of a new thread */
		*sig = 0;
	return PTRACE_CONT;
}

static int
watch(pid_t top)
{
	int rc = EX_FAULTRUN, st, sig, how;
	pid_t p;

	while ((p = waitpid(-1, &st, __WALL)) > 0) {
		if (WIFSTOPPED(st)) {
			kid_add(p);
			if (state == KILLING)
				kill(p, SIGKILL);
			how = at_stop(p, st, &sig);
			if (how >= 0)
				ptrace((enum __ptrace_request)how, p, 0, sig);
			continue;
		}
		kid_gone(p);
		if (p == top)
			rc = state == KILLING ? KILLED
			    : WIFEXITED(st)   ? WEXITSTATUS(st)
					      : 128 + WTERMSIG(st);
	}
	return rc;
}

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: faultrun [-vLrm] [-o NAME,...] -n | -k N | -a N | -w N | -e N ERRNO | "
			"-E N ERRNO COMMAND...\n");
	exit(EX_FAULTRUN);
}

int
main(int argc, char **argv)
{
	int c, rc;

	while (!want.mode && (c = getopt(argc, argv, "+nk:a:e:E:w:vLrmo:")) != -1)
		switch (c) {
		case 'v': want.verbose = true; break;
		case 'L': want.net = true; break;
		case 'r': want.reads = true; break;
		case 'm': want.from_main = true; break;
		case 'o': want.only = optarg; break;
		case '?': usage();
		default:
			want.mode = (char)c;
			want.at = c == 'n' ? 0 : strtol(optarg, NULL, 10);
			if ((c == 'e' || c == 'E') && optind < argc)
				want.error = errno_of(argv[optind++]);
		}
	if (!want.mode || optind >= argc || (want.mode != 'n' && want.at < 1) ||
	    ((want.mode == 'e' || want.mode == 'E') && want.error <= 0))
		usage();
	rc = watch(start(argv + optind));
	if (want.mode == 'n')
		fprintf(stderr, "faultrun: calls %ld\n", seen);
	return rc;
}
#endif
