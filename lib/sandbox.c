#include "sandbox.h"

#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define X32 0x40000000 /* its numbers begin there */

/* Numbers above were given out after 2022 (Linux 6.0): nobody has thought about them here, and every
 * library has to do without them on an older kernel. */
#define LAST_KNOWN 450
#define SET_UID_BIT 04000
#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	    CLONE_NEWPID | CLONE_NEWNET)

/* A list of what is forbidden, not of what is allowed: GnuTLS, ldns and the C library choose their own
 * calls, another release other ones, and what an allow-list forgets shows as mail that is not
 * delivered on somebody's machine.  What such a list would add, that is calls nobody needs to
 * keep an attacker from, the numbers above LAST_KNOWN and the arguments below mostly give. */
enum when { ALWAYS, IF_ANY, UNLESS_ALL, IF_EQUAL, UNLESS_EQUAL, UNLESS_EITHER };
struct rule {
	uint32_t call;
	enum when when;
	uint32_t arg; /* which */
	uint32_t value, other;
	int error;
	bool hall; /* a process that makes one for each client has to be let */
};
#define NEVER(name) {SYS_##name, ALWAYS, 0, 0, 0, EPERM, false}
#define HALL(name) {SYS_##name, ALWAYS, 0, 0, 0, EPERM, true}
#define OWN_PID 0xffffffff /* value: replaced by this process's id, or by nobody's for those to come */

/* What a process that moves mail never does, and one that was taken over would want to. */
static const struct rule deliverer[] = {
    /* No memory that is both written and run, now or later. */
    {SYS_mmap, IF_ANY, 2, PROT_EXEC, 0, EPERM, false},
    {SYS_mprotect, IF_ANY, 2, PROT_EXEC, 0, EPERM, false},
    {SYS_pkey_mprotect, IF_ANY, 2, PROT_EXEC, 0, EPERM, false},
    /* No file that gives our identity to whoever runs it. */
    {SYS_openat, IF_ANY, 3, SET_UID_BIT, 0, EPERM, false},
    SYS_OLD_OPEN(IF_ANY, SET_UID_BIT, EPERM)
    {SYS_fchmod, IF_ANY, 1, SET_UID_BIT, 0, EPERM, false},
    {SYS_fchmodat, IF_ANY, 2, SET_UID_BIT, 0, EPERM, false},
    {SYS_openat2, ALWAYS, 0, 0, 0, ENOSYS, false},
    /* The internet, and not D-Bus or a container's manager, unless one is configured; and no server. */
    {SYS_socket, UNLESS_EITHER, 0, AF_INET, AF_INET6, EAFNOSUPPORT, false},
    NEVER(socketpair), NEVER(listen), HALL(accept), HALL(accept4),
    /* Threads, but no process, and no namespace; clone3 hides its flags, and then clone is used. */
    {SYS_clone, UNLESS_ALL, 0, CLONE_THREAD, 0, EPERM, true},
    {SYS_clone, IF_ANY, 0, NAMESPACES, 0, EPERM, false},
    {SYS_clone3, ALWAYS, 0, 0, 0, ENOSYS, false},
    /* Signals to ourselves at most (abort), also by way of descriptors; no keys typed for others. */
    {SYS_tgkill, UNLESS_EQUAL, 0, OWN_PID, 0, EPERM, false},
    {SYS_prlimit64, UNLESS_EQUAL, 0, 0, 0, EPERM, false},
    {SYS_fcntl, IF_EQUAL, 1, F_SETOWN, 0, EPERM, false},
    {SYS_fcntl, IF_EQUAL, 1, F_SETOWN_EX, 0, EPERM, false},
    {SYS_ioctl, IF_EQUAL, 1, TIOCSTI, 0, EPERM, false},
    {SYS_ioctl, IF_EQUAL, 1, TIOCLINUX, 0, EPERM, false},
    NEVER(kill), NEVER(tkill), NEVER(rt_sigqueueinfo), NEVER(rt_tgsigqueueinfo),
    NEVER(pidfd_open), NEVER(pidfd_send_signal), NEVER(pidfd_getfd),
    /* Other programs and processes. */
    NEVER(execve), NEVER(execveat), NEVER(ptrace), NEVER(process_vm_readv),
    NEVER(process_vm_writev), NEVER(process_madvise), NEVER(kcmp), NEVER(move_pages),
    NEVER(migrate_pages), NEVER(memfd_create), NEVER(userfaultfd), NEVER(personality),
    NEVER(remap_file_pages), NEVER(sched_setaffinity), NEVER(sched_setscheduler),
    NEVER(sched_setparam), NEVER(sched_setattr), NEVER(setpriority), NEVER(ioprio_set),
    NEVER(shmget), NEVER(shmat), NEVER(semget), NEVER(msgget), NEVER(mq_open), NEVER(mq_unlink),
    SYS_OLD_FORKS(HALL) SYS_OLD_CALLS(NEVER)
    /* Files that landlock does not speak of, and ways around it. */
    NEVER(symlinkat), NEVER(mknodat), NEVER(fchownat), NEVER(utimensat), NEVER(setxattr),
    NEVER(lsetxattr), NEVER(fsetxattr), NEVER(removexattr), NEVER(lremovexattr), NEVER(fremovexattr),
    NEVER(name_to_handle_at), NEVER(open_by_handle_at), NEVER(fanotify_init),
    NEVER(io_uring_setup), NEVER(io_uring_enter), NEVER(io_uring_register),
    /* Identity. */
    HALL(setuid), HALL(setgid), HALL(setreuid), HALL(setregid), HALL(setresuid),
    HALL(setresgid), HALL(setfsuid), HALL(setfsgid), HALL(setgroups), NEVER(capset),
    NEVER(unshare), NEVER(setns), NEVER(keyctl), NEVER(add_key), NEVER(request_key),
    /* The machine. */
    NEVER(mount), NEVER(umount2), NEVER(pivot_root), NEVER(chroot), NEVER(fsopen), NEVER(fsconfig),
    NEVER(fsmount), NEVER(fspick), NEVER(move_mount), NEVER(open_tree), NEVER(init_module),
    NEVER(finit_module), NEVER(delete_module), NEVER(kexec_load), NEVER(bpf),
    NEVER(perf_event_open), NEVER(reboot), NEVER(swapon), NEVER(swapoff), NEVER(acct),
    NEVER(quotactl), NEVER(settimeofday), NEVER(clock_settime), NEVER(clock_adjtime),
    NEVER(adjtimex), NEVER(sethostname), NEVER(setdomainname), NEVER(syslog), NEVER(vhangup),
    NEVER(nfsservctl), NEVER(lookup_dcookie)};

/* By these something could leave a process whose sockets are all open already. */
static const struct rule ways_out[] = {NEVER(socket), NEVER(connect), NEVER(execve),
    NEVER(execveat), NEVER(io_uring_setup), NEVER(io_uring_enter), NEVER(io_uring_register)};

#define RULE_MAX 10 /* instructions of one rule, with its share of the tree's */
#define LEAF 4
#define N_RULES(list) (sizeof(list) / sizeof *(list))

struct program {
	struct sock_filter f[RULE_MAX * N_RULES(deliverer) + 10];
	unsigned short n;
	uint32_t family; /* of sockets, beside the internet's; 0: none */
	uint32_t own_pid;
};

static void
load(struct program *p, size_t offset)
{
	p->f[p->n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

/* Goes on with the next instruction where it is true, past `skip` where it is not. */
static void
test(struct program *p, unsigned how, uint32_t value, unsigned char if_true, unsigned char if_false)
{
	p->f[p->n++] = (struct sock_filter)BPF_JUMP(
	    (unsigned short)(BPF_JMP | BPF_K | how), value, if_true, if_false);
}

static void
answer(struct program *p, uint32_t what)
{
	p->f[p->n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what);
}

/* The number is loaded, before and after. */
static void
add_rule(struct program *p, const struct rule *r)
{
	static const size_t args = offsetof(struct seccomp_data, args);
	uint32_t value = r->value == OWN_PID ? p->own_pid : r->value;
	unsigned char rest = r->when == ALWAYS ? 1 : r->when == UNLESS_EITHER ? 6 : 4;

	test(p, BPF_JEQ, r->call, 0, rest);
	/* The arguments are ints: their low halves count, which come first on both processors. */
	if (r->when != ALWAYS)
		load(p, args + r->arg * sizeof(uint64_t));
	switch (r->when) {
	case ALWAYS: break;
	case IF_ANY: test(p, BPF_JSET, value, 0, 1); break;
	case UNLESS_ALL: test(p, BPF_JSET, value, 1, 0); break; /* one bit */
	case IF_EQUAL: test(p, BPF_JEQ, value, 0, 1); break;
	case UNLESS_EQUAL: test(p, BPF_JEQ, value, 1, 0); break;
	case UNLESS_EITHER: /* of families */
		test(p, BPF_JEQ, value, 3, 0);
		test(p, BPF_JEQ, r->other, 2, 0);
		test(p, BPF_JEQ, p->family ? p->family : r->other, 1, 0);
	}
	answer(p, SECCOMP_RET_ERRNO | (uint32_t)r->error);
	if (r->when != ALWAYS)
		load(p, offsetof(struct seccomp_data, nr));
}

static int
by_call(const void *a, const void *b)
{
	const struct rule *const *x = a, *const *y = b;

	return (*x)->call != (*y)->call ? ((*x)->call < (*y)->call ? -1 : 1) : (*x < *y ? -1 : *x > *y);
}

/* A tree: the kernel tries the whole program for each call there is when it is put in place, to know which
 * pass in any case, and a list would cost each client's process more than its mail. */
static void
add_rules(struct program *p, const struct rule *const *v, size_t n)
{
	size_t half = n / 2;
	unsigned short jump;

	while (half > 0 && half < n && v[half]->call == v[half - 1]->call)
		half++;
	if (n <= LEAF || half == n) {
		for (size_t i = 0; i < n; i++)
			add_rule(p, v[i]);
		answer(p, SECCOMP_RET_ALLOW);
		return;
	}
	test(p, BPF_JGE, v[half]->call, 0, 1);
	jump = p->n++;
	add_rules(p, v, half);
	p->f[jump] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(p->n - jump - 1));
	add_rules(p, v + half, n - half);
}

/* For all threads there may be; in a hall: for processes to come. */
static int
forbid_calls(const struct rule *list, size_t count, bool hall, uint32_t last, uint32_t family,
    struct err *e)
{
	struct program p = {.family = family, .own_pid = hall ? 0 : (uint32_t)getpid()};
	struct sock_fprog prog = {0, p.f};
	const struct rule *sorted[N_RULES(deliverer)] = {NULL};
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (!hall || !list[i].hall)
			sorted[n++] = &list[i];
	qsort(sorted, n, sizeof *sorted, by_call);
	load(&p, offsetof(struct seccomp_data, arch));
	test(&p, BPF_JEQ, SYS_ARCH, 1, 0);
	answer(&p, SECCOMP_RET_KILL_PROCESS);
	load(&p, offsetof(struct seccomp_data, nr));
	/* x32's numbers would walk around the list; they are higher than all. */
	test(&p, BPF_JGT, last, 0, 1);
	answer(&p, SECCOMP_RET_ERRNO | ENOSYS);
	add_rules(&p, sorted, n);
	prog.len = p.n;
	if (SYS_ARCH != 0 &&
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog) != 0)
		return err_sys(e, "cannot confine this process (--no-sandbox does without): seccomp");
	return 0;
}

#define READ_ACCESS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define QUEUE_ACCESS                                                                               \
	(READ_ACCESS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |             \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                         \
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER)
#define DROP_ACCESS                                                                                \
	(LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_WRITE_FILE |                             \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER)
#define HANDLED                                                                                    \
	(QUEUE_ACCESS | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                \
	    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                          \
	    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

/* What newer kernels can forbid as well; the headers that we are built with may not know it. */
#define FS_TRUNCATE (1ULL << 14)        /* ABI 3 */
#define FS_IOCTL_DEV (1ULL << 15)       /* ABI 5 */
#define SCOPE_ABSTRACT_SOCKET (1ULL << 0) /* ABI 6 */
#define SCOPE_SIGNAL (1ULL << 1)
struct ruleset {
	uint64_t fs, net, scoped;
};

static size_t
what_to_handle(long abi, struct ruleset *r)
{
	*r = (struct ruleset){.fs = HANDLED};
	if (abi >= 3)
		r->fs |= FS_TRUNCATE;
	if (abi >= 5)
		r->fs |= FS_IOCTL_DEV;
	if (abi < 6)
		return offsetof(struct ruleset, net);
	r->scoped = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL;
	return sizeof *r;
}

/* What may be done below a directory. */
static int
allow(long set, const char *dir, uint64_t access)
{
	struct landlock_path_beneath_attr rule = {
	    .allowed_access = access, .parent_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC)};
	int rc = -1;

	if (rule.parent_fd < 0)
		return -1;
	rc = (int)syscall(SYS_landlock_add_rule, (int)set, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
	return rc;
}

/* Letters are put there, and what is there cannot be read.  A directory that is missing now is no reason
 * to keep all other mail: what is for it will wait. */
static int
allow_drops(long set, const struct sandbox_also *also, struct err *e)
{
	for (size_t i = 0; also && i < also->n_drops; i++)
		if (allow(set, also->drops[i].dir,
		        DROP_ACCESS | (also->drops[i].make_dirs ? LANDLOCK_ACCESS_FS_MAKE_DIR : 0)) < 0 &&
		    errno != ENOENT && errno != ENOTDIR && errno != EACCES && errno != ELOOP)
			return err_sys(e, "landlock %s", also->drops[i].dir);
	return 0;
}

/* -1: the kernel has no landlock that is of use. */
static int
make_rules(const char *queue_dir, const struct sandbox_also *also, int *rules, struct err *e)
{
	uint64_t access = QUEUE_ACCESS;
	struct ruleset all;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	long set;
	size_t size;
	int rc = 0;

	*rules = -1;
	if (abi < 2)
		return 0;
	size = what_to_handle(abi, &all);
	if (abi >= 3)
		access |= FS_TRUNCATE;
	set = syscall(SYS_landlock_create_ruleset, &all, size, 0);
	if (set < 0)
		return err_sys(e, "landlock");
	if (allow(set, queue_dir, access) < 0)
		rc = err_sys(e, "landlock %s", queue_dir);
	if (!rc)
		rc = allow_drops(set, also, e);
	if (rc)
		close((int)set);
	else
		*rules = (int)set;
	return rc;
}

static int
keep_rules(int rules, struct err *e)
{
	return rules >= 0 && syscall(SYS_landlock_restrict_self, rules, 0) < 0 ? err_sys(e, "landlock") : 0;
}

static int
confine_files(const char *queue_dir, const struct sandbox_also *also, struct err *e)
{
	int rules, rc = make_rules(queue_dir, also, &rules, e);

	if (!rc)
		rc = keep_rules(rules, e);
	if (rules >= 0)
		close(rules);
	return rc;
}

/* From the ninth thread on the C library asks files in /sys and /proc how many processors there are, to know
 * how many pools of memory may be; unanswered, it takes as many as this. */
static void
settle_memory_pools(void)
{
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, 16);
#endif
}

static int
no_more_rights(struct err *e)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? err_sys(e, "no_new_privs") : 0;
}

int
sandbox_enter_also(const char *queue_dir, const struct sandbox_also *also, struct err *e)
{
	uint32_t family = also && also->unix_sockets ? AF_UNIX : 0;
	int rc = no_more_rights(e);

	settle_memory_pools();
	if (!rc)
		rc = confine_files(queue_dir, also, e);
	return rc ? rc : forbid_calls(deliverer, N_RULES(deliverer), false, LAST_KNOWN, family, e);
}

int
sandbox_enter(const char *queue_dir, struct err *e)
{
	return sandbox_enter_also(queue_dir, NULL, e);
}

int
sandbox_hall(struct err *e)
{
	int rc = no_more_rights(e);

	return rc ? rc : forbid_calls(deliverer, N_RULES(deliverer), true, LAST_KNOWN, 0, e);
}

int
sandbox_rules(const char *queue_dir, int *rules, struct err *e)
{
	return make_rules(queue_dir, NULL, rules, e);
}

int
sandbox_client(int rules, struct err *e)
{
	static const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_NPROC, &none) < 0)
		return err_sys(e, "limit of processes");
	return keep_rules(rules, e);
}

int
sandbox_receive_only(struct err *e)
{
	int rc = no_more_rights(e);

	_Static_assert(sizeof ways_out <= sizeof deliverer, "the filter has room for the longer list");
	return rc ? rc : forbid_calls(ways_out, N_RULES(ways_out), false, X32 - 1, 0, e);
}
