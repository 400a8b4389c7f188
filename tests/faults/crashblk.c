/* crashblk - records what a file system writes to its disk, and rebuilds the disk as a power cut
 * would have left it.
 *
 *   crashblk serve MOUNTPOINT IMAGE LOG   two files appear at MOUNTPOINT: `disk`, the image, for
 *                                         losetup or `mount -o loop` alone; and `mark`: what is written
 *                                         there lands in LOG between the disk's writes and flushes
 *   crashblk count LOG                    "records N writes N flushes N marks N"
 *   crashblk replay START LOG OUT AT HOW SEED
 *                                         OUT = START and every write up to the last flush before
 *                                         record AT; of the writes since then HOW of them: none,
 *                                         all, or rand: of their 4 KiB pieces every other by SEED.
 *                                         The marks before AT go to stdout: what they promise
 *                                         must be found on OUT.
 *
 * What dm-log-writes does, without device-mapper.  LOG is records of struct record, each
 * followed by its bytes; IMAGE is written in place, so keep a copy of it as START.
 */
#include "fusedev.h"

#include <sys/stat.h>

#define DISK_ID 2
#define MARK_ID 3
#define PIECE 4096

struct record {
	uint32_t type; /* 'W' write, 'F' flush, 'M' mark */
	uint32_t len;
	uint64_t off;
};

static int image = -1, journal = -1;
static uint64_t image_size;

/* --- serve */

static bool
write_all(int fd, const char *p, size_t n)
{
	for (ssize_t k; n; p += k, n -= (size_t)k)
		if ((k = write(fd, p, n)) <= 0)
			return false;
	return true;
}

static int
record(uint32_t type, uint64_t off, const void *p, uint32_t n)
{
	struct record r = {type, n, off};

	return write_all(journal, (const char *)&r, sizeof r) && write_all(journal, p, n) ? 0 : EIO;
}

static struct fuse_attr
attr_of(uint64_t id)
{
	if (id == FUSE_ROOT_ID)
		return (struct fuse_attr){.ino = id, .mode = S_IFDIR | 0700, .nlink = 2};
	return (struct fuse_attr){.ino = id, .mode = S_IFREG | 0600, .nlink = 1,
	    .size = id == DISK_ID ? image_size : 0, .uid = getuid(), .gid = getgid()};
}

static int
do_lookup(const struct request *r)
{
	struct fuse_entry_out out = {.attr_valid = 60, .entry_valid = 60};

	out.nodeid = !strcmp(r->body, "disk") ? DISK_ID : !strcmp(r->body, "mark") ? MARK_ID : 0;
	if (!out.nodeid)
		return ENOENT;
	out.attr = attr_of(out.nodeid);
	fusedev_reply(r, 0, &out, sizeof out);
	return 0;
}

static int
do_attr(const struct request *r)
{
	struct fuse_attr_out out = {.attr = attr_of(r->in.nodeid)};

	fusedev_reply(r, 0, &out, sizeof out);
	return 0;
}

static int
do_open(const struct request *r)
{
	struct fuse_open_out out = {.open_flags = FOPEN_DIRECT_IO};

	fusedev_reply(r, 0, &out, sizeof out);
	return 0;
}

static int
do_read(const struct request *r)
{
	static char bytes[FUSEDEV_WRITE_MAX];
	const struct fuse_read_in *in = (const void *)r->body;
	ssize_t n = 0;

	if (r->in.nodeid == DISK_ID)
		n = pread(image, bytes, in->size < sizeof bytes ? in->size : sizeof bytes,
		    (off_t)in->offset);
	if (n < 0)
		return errno;
	fusedev_reply(r, 0, bytes, (size_t)n);
	return 0;
}

static int
do_write(const struct request *r)
{
	const struct fuse_write_in *in = (const void *)r->body;
	const char *bytes = r->body + sizeof *in;
	struct fuse_write_out out = {.size = in->size};
	bool disk = r->in.nodeid == DISK_ID;

	if (disk && pwrite(image, bytes, in->size, (off_t)in->offset) != (ssize_t)in->size)
		return EIO;
	if (record(disk ? 'W' : 'M', in->offset, bytes, in->size))
		return EIO;
	fusedev_reply(r, 0, &out, sizeof out);
	return 0;
}

static int
answer(const struct request *r)
{
	switch (r->in.opcode) {
	case FUSE_INIT: fusedev_init(r); return 0;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT: return 0;
	case FUSE_LOOKUP: return do_lookup(r);
	case FUSE_GETATTR:
	case FUSE_SETATTR: return do_attr(r); /* `>mark` truncates: nothing to do */
	case FUSE_OPEN:
	case FUSE_OPENDIR: return do_open(r);
	case FUSE_READ: return do_read(r);
	case FUSE_WRITE: return do_write(r);
	case FUSE_FSYNC:
		if (r->in.nodeid == DISK_ID && record('F', 0, NULL, 0))
			return EIO;
		/* fall through */
	case FUSE_READDIR:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR: fusedev_reply(r, 0, NULL, 0); return 0;
	default: return ENOSYS; /* discards too: mount without -o discard */
	}
}

static int
serve(const char *dir, const char *image_name, const char *log_name)
{
	static struct request r;
	struct stat st;
	int rc;

	image = open(image_name, O_RDWR | O_CLOEXEC);
	if (image < 0 || fstat(image, &st) < 0)
		err(66, "%s", image_name);
	journal = open(log_name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (journal < 0)
		err(73, "%s", log_name);
	image_size = (uint64_t)st.st_size;
	fusedev_mount(dir, "fuse.crashblk");
	while (fusedev_next(&r))
		if ((rc = answer(&r)) != 0)
			fusedev_reply(&r, rc, NULL, 0);
	return 0;
}

/* --- replay */

struct file {
	char *s;
	size_t n;
};

static struct file
slurp(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct file f = {NULL, 0};
	struct stat st;
	ssize_t k;

	if (fd < 0 || fstat(fd, &st) < 0)
		err(66, "%s", name);
	f.s = malloc((size_t)st.st_size + 1);
	if (!f.s)
		err(71, "malloc");
	while (f.n < (size_t)st.st_size && (k = read(fd, f.s + f.n, (size_t)st.st_size - f.n)) > 0)
		f.n += (size_t)k;
	close(fd);
	return f;
}

/* The record at *at, and *at moves behind it; false at the end of the log. */
static bool
next(const struct file *log, size_t *at, struct record *r, const char **bytes)
{
	if (log->n - *at < sizeof *r)
		return false;
	memcpy(r, log->s + *at, sizeof *r);
	if (log->n - *at - sizeof *r < r->len)
		return false;
	*bytes = log->s + *at + sizeof *r;
	*at += sizeof *r + r->len;
	return true;
}

static int
count(const char *log_name)
{
	struct file log = slurp(log_name);
	size_t at = 0, n = 0, w = 0, f = 0, m = 0;
	struct record r;
	const char *p;

	for (; next(&log, &at, &r, &p); n++) {
		w += r.type == 'W';
		f += r.type == 'F';
		m += r.type == 'M';
	}
	printf("records %zu writes %zu flushes %zu marks %zu\n", n, w, f, m);
	free(log.s);
	return 0;
}

static uint64_t dice;

static bool
flip(void)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice >> 40 & 1;
}

static void
apply(struct file *disk, const struct record *r, const char *p, bool pieces)
{
	for (uint32_t o = 0, n; o < r->len; o += n) {
		n = r->len - o < PIECE ? r->len - o : PIECE;
		if (!pieces || flip())
			memcpy(disk->s + r->off + o, p + o, n);
	}
}

static int
replay(char **v)
{
	struct file disk = slurp(v[0]), log = slurp(v[1]);
	size_t cut = strtoul(v[3], NULL, 10), at, i, flushed = 0;
	char how = v[4][0];
	struct record r;
	const char *p;
	int out;

	dice = (strtoull(v[5], NULL, 10) + 1) * 0x9E3779B97F4A7C15u;
	for (i = at = 0; i < cut && next(&log, &at, &r, &p); i++)
		if (r.type == 'F')
			flushed = i;
	for (i = at = 0; i < cut && next(&log, &at, &r, &p); i++) {
		if (r.type == 'M')
			fwrite(p, 1, r.len, stdout);
		else if (r.type == 'W' && r.off <= disk.n && r.len <= disk.n - r.off &&
		    (i < flushed || how != 'n'))
			apply(&disk, &r, p, i >= flushed && how == 'r');
	}
	out = open(v[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0 || !write_all(out, disk.s, disk.n) || fflush(stdout))
		err(73, "%s", v[2]);
	close(out);
	free(disk.s);
	free(log.s);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "serve"))
		return serve(argv[2], argv[3], argv[4]);
	if (argc == 3 && !strcmp(argv[1], "count"))
		return count(argv[2]);
	if (argc == 8 && !strcmp(argv[1], "replay"))
		return replay(argv + 2);
	fprintf(stderr, "usage: crashblk serve MOUNTPOINT IMAGE LOG | count LOG | "
			"replay START LOG OUT AT none|all|rand SEED\n");
	return 64;
}
