#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_STEP 256

/* False where it is not there; out is its path all the same. */
static bool
beside_us(const char *name, struct buf *out)
{
	const char *slash;
	size_t room = 0;
	ssize_t n;

	do {
		room += PATH_STEP;
		buf_cut(out, 0);
		n = readlink("/proc/self/exe", buf_room(out, room), room);
	} while (n == (ssize_t)room);
	if (n > 0)
		buf_grew(out, (size_t)n);
	slash = strrchr(out->s, '/');
	buf_cut(out, slash ? (size_t)(slash + 1 - out->s) : 0);
	buf_str(out, name);
	return slash && access(out->s, X_OK) == 0;
}

int
launch_path(const char *name, struct buf *out, struct err *e)
{
	return beside_us(name, out) ? 0 : err_set(e, EX_UNAVAILABLE, "%s: %s", out->s, strerror(errno));
}

/* Beside us, or its bare name where there is none and PATH may be asked. */
static int
find(const struct launch *l, struct buf *out, struct err *e)
{
	if (beside_us(l->name, out))
		return 0;
	if (l->privileged)
		return err_sys(e, "%s", out->s);
	buf_cut(out, 0);
	buf_str(out, l->name);
	return 0;
}

static char **
args(const struct launch *l)
{
	return (char **)(uintptr_t)l->argv; /* exec does not change them, its prototype is older than const */
}

int
launch_exec(const struct launch *l, struct err *e)
{
	struct buf path = BUF_INIT;
	int rc = find(l, &path, e);

	if (!rc && (setresgid(getgid(), getgid(), getgid()) < 0 ||
	    setresuid(getuid(), getuid(), getuid()) < 0))
		rc = err_sys(e, "drop privileges");
	if (!rc) {
		signal(SIGPIPE, SIG_DFL);
		signal(SIGXFSZ, SIG_DFL);
		execvp(path.s, args(l));
		rc = err_sys(e, "%s", path.s);
	}
	buf_free(&path);
	return rc;
}

static int
spawn(const struct launch *l, bool detached, pid_t *pid, struct err *e)
{
	short flags = POSIX_SPAWN_RESETIDS | POSIX_SPAWN_SETSIGDEF | (detached ? POSIX_SPAWN_SETSID : 0);
	posix_spawn_file_actions_t files;
	struct buf path = BUF_INIT;
	posix_spawnattr_t attr;
	sigset_t usual;
	int rc = find(l, &path, e), why;

	if (rc) {
		buf_free(&path);
		return rc;
	}
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	sigaddset(&usual, SIGXFSZ);
	sigaddset(&usual, SIGCHLD);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, flags);
	posix_spawnattr_setsigdefault(&attr, &usual);
	posix_spawn_file_actions_init(&files);
	for (int fd = 0; detached && fd <= 2; fd++)
		posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
	why = posix_spawnp(pid, path.s, &files, &attr, args(l), environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	if (why) {
		errno = why;
		rc = err_sys(e, "%s", path.s);
	}
	buf_free(&path);
	return rc;
}

int
launch_wait(const struct launch *l, int *status, struct err *e)
{
	pid_t pid = -1;
	int rc = spawn(l, false, &pid, e);

	while (!rc && waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			rc = err_sys(e, "wait for %s", l->name);
	return rc;
}

int
launch_detached(const struct launch *l, struct err *e)
{
	pid_t pid;

	signal(SIGCHLD, SIG_IGN); /* nobody waits: no zombie stays while we live */
	return spawn(l, true, &pid, e);
}
