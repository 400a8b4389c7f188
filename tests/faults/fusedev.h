/* fusedev.h - just enough of the kernel's FUSE protocol for crashfs and crashblk.
 *
 * Spoken directly on /dev/fuse: libfuse before 3.17 does not know FUSE_TMPFILE (Linux 6.1), and
 * O_TMPFILE is how a message enters the queue.  One request at a time, no threads.
 * mount(2) needs CAP_SYS_ADMIN in the mount namespace: root, or `unshare -rm`.
 */
#ifndef FUSEDEV_H
#define FUSEDEV_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <unistd.h>

#define FUSEDEV_TMPFILE 51 /* headers before 6.1 lack the name */
#define FUSEDEV_WRITE_MAX (128 * 1024)
#define FUSEDEV_EX 69

struct request {
	struct fuse_in_header in;
	_Alignas(8) char body[FUSEDEV_WRITE_MAX + 4096]; /* ends with a NUL that is ours */
	size_t n;
};

static int fusedev;

static inline void
fusedev_mount(const char *dir, const char *type)
{
	char opts[128];

	fusedev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fusedev < 0)
		err(FUSEDEV_EX, "/dev/fuse");
	snprintf(opts, sizeof opts, "fd=%d,rootmode=40000,user_id=%u,group_id=%u,allow_other,"
	    "default_permissions", fusedev, getuid(), getgid());
	if (mount(type, dir, type, MS_NOSUID | MS_NODEV, opts) < 0)
		err(FUSEDEV_EX, "mount %s", dir);
}

/* The next request; false when it has been unmounted. */
static inline bool
fusedev_next(struct request *r)
{
	struct iovec v[2] = {{&r->in, sizeof r->in}, {r->body, sizeof r->body - 1}};
	ssize_t n;

	do
		n = readv(fusedev, v, 2);
	while (n < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN));
	if (n < (ssize_t)sizeof r->in)
		return false;
	r->n = (size_t)n - sizeof r->in;
	r->body[r->n] = '\0';
	return true;
}

static inline void
fusedev_reply(const struct request *r, int error, const void *p, size_t n)
{
	struct fuse_out_header h = {.error = -error, .unique = r->in.unique};
	struct iovec v[2] = {{&h, sizeof h}, {(void *)(uintptr_t)p, error ? 0 : n}};

	h.len = (uint32_t)(sizeof h + v[1].iov_len);
	if (writev(fusedev, v, 2) < 0 && errno != ENOENT && errno != ENODEV)
		warn("reply to request %u", r->in.opcode);
}

static inline void
fusedev_init(const struct request *r)
{
	const struct fuse_init_in *in = (const void *)r->body;
	struct fuse_init_out out = {
	    .major = FUSE_KERNEL_VERSION,
	    .minor = FUSE_KERNEL_MINOR_VERSION,
	    .max_readahead = in->max_readahead,
	    .flags = in->flags & (FUSE_BIG_WRITES | FUSE_MAX_PAGES),
	    .max_background = 16,
	    .max_write = FUSEDEV_WRITE_MAX,
	    .max_pages = FUSEDEV_WRITE_MAX / 4096,
	    .time_gran = 1,
	};

	fusedev_reply(r, 0, &out, sizeof out);
}

/* Adds one name to a directory's listing; its offset is where the next one begins. */
static inline size_t
fusedev_dirent(char *at, size_t begins, uint64_t ino, uint32_t mode, const char *name)
{
	size_t n = strlen(name), whole = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + n);
	struct fuse_dirent d = {.ino = ino, .off = begins + whole, .namelen = (uint32_t)n,
	    .type = (mode & 0170000) >> 12};

	memset(at, 0, whole);
	memcpy(at, &d, FUSE_NAME_OFFSET);
	memcpy(at + FUSE_NAME_OFFSET, name, n);
	return whole;
}

/* The part of a listing that a READDIR asks for: whole entries only. */
static inline void
fusedev_list(const struct request *r, const char *list, size_t len)
{
	const struct fuse_read_in *in = (const void *)r->body;
	size_t at = in->offset, end = at;

	while (end < len) {
		struct fuse_dirent d;
		size_t whole;

		memcpy(&d, list + end, FUSE_NAME_OFFSET);
		whole = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + d.namelen);
		if (end + whole - at > in->size)
			break;
		end += whole;
	}
	fusedev_reply(r, 0, at < len ? list + at : "", at < len ? end - at : 0);
}

#endif
