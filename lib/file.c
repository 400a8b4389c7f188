#include "file.h"

#include "buf.h"
#include "io.h"
#include "sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static int
set_lock(int fd, short type, uint64_t at, uint64_t len)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)at,
	    .l_len = (off_t)len};
	int r;

	do
		r = fcntl(fd, F_OFD_SETLK, &l);
	while (r < 0 && errno == EINTR);
	return r;
}

static int
take_lock(int fd, uint64_t at, uint64_t len, bool *busy, struct err *e)
{
	*busy = false;
	if (set_lock(fd, F_WRLCK, at, len) == 0)
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return err_sys(e, "lock");
	*busy = true;
	return 0;
}

int
file_trylock(int fd, bool *busy, struct err *e)
{
	return take_lock(fd, 0, 0, busy, e);
}

int
file_lock_byte(int fd, uint64_t at, bool *busy, struct err *e)
{
	return take_lock(fd, at, 1, busy, e);
}

#define LOCK_FIRST_US 50
#define LOCK_MOST_US 10000

int
file_lock_until(int fd, uint64_t at, int64_t deadline_ms, struct err *e)
{
	useconds_t pause = LOCK_FIRST_US;
	bool busy;
	int rc;

	while (!(rc = take_lock(fd, at, 1, &busy, e)) && busy) {
		if (io_now_ms() >= deadline_ms)
			return err_set(e, EX_TEMPFAIL, "lock: timed out");
		usleep(pause);
		pause = pause * 2 < LOCK_MOST_US ? pause * 2 : LOCK_MOST_US;
	}
	return rc;
}

bool
file_locked(int fd)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

void
file_unlock(int fd)
{
	set_lock(fd, F_UNLCK, 0, 0);
}

void
file_unlock_byte(int fd, uint64_t at)
{
	set_lock(fd, F_UNLCK, at, 1);
}

int
file_link(int fd, int dirfd, const char *name, struct err *e)
{
	char path[64];

	/* ENOENT: before Linux 6.10 it takes CAP_DAC_READ_SEARCH, since then where our rights have changed after the
	 * file was opened.  The way through /proc takes none, but has the kernel make /proc/PID for each process. */
	if (linkat(fd, "", dirfd, name, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOENT)
		return err_sys(e, "link %s", name);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, dirfd, name, AT_SYMLINK_FOLLOW) < 0)
		return err_sys(e, "link %s", name);
	return 0;
}

int
file_rename(int dirfd, const char *from, const char *to)
{
	struct stat st;

	if (renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (fstatat(dirfd, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(dirfd, from, dirfd, to);
}

bool
file_sync_keeps_name(int fd)
{
	struct statfs s;

	if (fstatfs(fd, &s) < 0)
		return false;
	return s.f_type == SYS_MAGIC_EXT4 || s.f_type == SYS_MAGIC_XFS ||
	    s.f_type == SYS_MAGIC_BTRFS;
}

static int
sync_parent(int dirfd, const char *name, struct err *e)
{
	const char *slash = strrchr(name, '/');
	struct buf path = BUF_INIT;
	int fd, rc = 0;

	if (slash)
		buf_add(&path, name, slash == name ? 1 : (size_t)(slash - name));
	else
		buf_ch(&path, '.');
	fd = openat(dirfd, path.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* One who may only pass through it cannot sync it. */
	if (fd < 0 ? errno != EACCES : !file_sync_keeps_name(fd) && fsync(fd) < 0)
		rc = err_sys(e, "fsync %s", path.s);
	if (fd >= 0)
		close(fd);
	buf_free(&path);
	return rc;
}

int
file_mkdir(int dirfd, const char *name, mode_t mode, struct err *e)
{
	if (mkdirat(dirfd, name, mode) == 0)
		return sync_parent(dirfd, name, e);
	return errno == EEXIST ? 0 : err_sys(e, "mkdir %s", name);
}

int
file_mkdirs(const char *path, mode_t mode, struct err *e)
{
	char *copy = mem_dup(path, strlen(path));
	int rc = 0;

	for (char *p = copy; *p && !rc; p++)
		if (*p == '/' && p > copy) {
			*p = '\0';
			if (access(copy, F_OK) < 0)
				rc = file_mkdir(AT_FDCWD, copy, mode, e);
			*p = '/';
		}
	if (!rc)
		rc = file_mkdir(AT_FDCWD, path, mode, e);
	free(copy);
	return rc;
}

int
file_open_dir(int dirfd, const char *name, int *fd, struct err *e)
{
	*fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (*fd < 0)
		return err_sys(e, "open %s", name);
	return 0;
}

int
file_each(int at, const char *path, file_each_name *each, void *arg, struct err *e)
{
	int rc = 0, fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *d;
	DIR *dir;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", path);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return err_sys(e, "read %s", path);
	}
	while (!rc && (errno = 0, d = readdir(dir)))
		rc = each(arg, dirfd(dir), d->d_name);
	if (!rc && !d && errno)
		rc = err_sys(e, "read %s", path);
	closedir(dir);
	return rc;
}

/* like NULL: ours, with that mode as umask has it. */
static int
replace(int dirfd, const char *name, const void *p, size_t n, mode_t mode, const struct stat *like,
    struct err *e)
{
	struct buf tmp = BUF_INIT;
	const char *slash = strrchr(name, '/');
	int fd, rc = 0;

	/* In the same directory, of a length of its own: name may be as long as names can be. */
	buf_add(&tmp, name, slash ? (size_t)(slash + 1 - name) : 0);
	buf_fmt(&tmp, ".tmp.%016llx", (unsigned long long)io_random());
	fd = openat(dirfd, tmp.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		rc = err_sys(e, "create %s", tmp.s);
	if (!rc && like && (fchown(fd, like->st_uid, like->st_gid) < 0 ||
	    fchmod(fd, like->st_mode & 07777) < 0))
		rc = err_sys(e, "give %s its owner and mode", tmp.s);
	if (!rc)
		rc = io_write(fd, p, n, e) ? err_in(e, "%s", name) : 0;
	if (!rc && fsync(fd) < 0)
		rc = err_sys(e, "fsync %s", name);
	if (!rc && renameat(dirfd, tmp.s, dirfd, name) < 0)
		rc = err_sys(e, "rename %s", name);
	if (rc && fd >= 0)
		unlinkat(dirfd, tmp.s, 0);
	if (fd >= 0)
		close(fd);
	buf_free(&tmp);
	return rc;
}

int
file_replace(int dirfd, const char *name, const void *p, size_t n, mode_t mode, struct err *e)
{
	return replace(dirfd, name, p, n, mode, NULL, e);
}

int
file_replace_like(int dirfd, const char *name, const void *p, size_t n, const struct stat *like,
    struct err *e)
{
	return replace(dirfd, name, p, n, S_IRUSR | S_IWUSR, like, e);
}
