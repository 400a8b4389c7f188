/* crashfs - an in-memory file system that forgets what was not synced when it "loses power".
 *
 *   crashfs [-s] [-t] MOUNTPOINT         in the foreground, until it is unmounted
 *
 * What a successful fsync makes durable:
 *   journal (default; as ext4, xfs, btrfs)   of a file: its data and all earlier changes of names;
 *                                            of a directory: all earlier changes of names
 *   strict (-s; what POSIX promises)         of a file: its data; of a directory: the changes of names in it
 * A rename is one change, in both directories or in neither.  -t: no O_TMPFILE, like an old server.
 *
 * Control, one command a write(2) to MOUNTPOINT/.crashfs:
 *   crash [rand SEED]    power loss now: what is not durable is dropped, or kept by the dice: of the
 *                        names a first part of the changes (journal) or any of them (strict); of a
 *                        file's data nothing, all, half, or its length with zeros
 *   at N [rand SEED]     power loss before the N-th changing call from now; it and all later ones fail
 *   recover              after `at`: what survived may be used again
 *   fail OP ERRNO N      the N-th OP from now (write create tmpfile rename unlink link fsync fsyncdir mkdir
 *                        rmdir truncate any) fails with that number; `short` for write: half the bytes
 *   quota BYTES          ENOSPC beyond it; 0: none
 * Reading it: "ops N fsync N fsyncdir N unsynced_files N unsynced_names N crashed 0|1".
 *
 * Files opened before a crash give EIO afterwards.  syncfs(2) never reaches a FUSE server
 * (Linux sends it to virtiofs only): here it makes nothing durable.
 */
#include "durable.h"
#include "fusedev.h"

#define CONTROL_ID 2 /* the node id of .crashfs; real nodes are known by their address */

struct handle {
	struct node *node;
	unsigned generation; /* of the power: a handle does not survive a crash */
	char *list;
	size_t list_len;
};

static bool no_tmpfile, crashed;
static unsigned generation;
static unsigned long ops, fsyncs, fsyncdirs;
static size_t quota;

static struct { /* what was ordered through .crashfs */
	long at;
	bool at_dice;
	uint64_t at_seed;
	char op[16];
	long op_at;
	int op_errno; /* 0: a short write */
} order;

static void
lose_power(bool by_dice, uint64_t seed)
{
	power_loss(by_dice, seed);
	generation++;
}

/* Before every call that changes something: 0, or the errno it gets instead.  A short write is
 * told by *cut. */
static int
change_allowed(const char *op, bool *cut)
{
	if (crashed)
		return EIO;
	ops++;
	if (order.at && --order.at == 0) {
		lose_power(order.at_dice, order.at_seed);
		crashed = true;
		return EIO;
	}
	if (!order.op_at || (strcmp(order.op, op) && strcmp(order.op, "any")) || --order.op_at)
		return 0;
	if (!order.op_errno && cut)
		*cut = true;
	return order.op_errno;
}

/* --- the control file */

static void
control_read(const struct request *r)
{
	const struct fuse_read_in *in = (const void *)r->body;
	unsigned files = 0, names = 0;
	char t[200];
	size_t n;

	for (struct node *x = nodes; x; x = x->next)
		files += !S_ISDIR(x->mode) && x->dirty && x->links;
	for (struct change *c = changes; c; c = c->next)
		names++;
	n = (size_t)snprintf(t, sizeof t,
	    "ops %lu fsync %lu fsyncdir %lu unsynced_files %u unsynced_names %u crashed %d\n", ops,
	    fsyncs, fsyncdirs, files, names, crashed);
	n = in->offset < n ? n - in->offset : 0; /* a shell reads byte by byte */
	fusedev_reply(r, 0, t + in->offset, n < in->size ? n : in->size);
}

static bool
command(char *text)
{
	char *save, *w[4] = {NULL};
	bool by_dice;
	uint64_t seed;

	for (size_t i = 0; i < 4; i++)
		if (!(w[i] = strtok_r(i ? NULL : text, " \n", &save)))
			break;
	if (!w[0])
		return false;
	by_dice = w[1] && (!strcmp(w[1], "rand") || (w[2] && !strcmp(w[2], "rand")));
	seed = by_dice ? strtoull(w[3] ? w[3] : w[2] ? w[2] : "0", NULL, 10) : 0;
	if (!strcmp(w[0], "crash")) {
		lose_power(by_dice, seed);
	} else if (!strcmp(w[0], "recover")) {
		crashed = false;
		order.at = 0;
	} else if (!strcmp(w[0], "at") && w[1]) {
		order.at = strtol(w[1], NULL, 10);
		order.at_dice = by_dice;
		order.at_seed = seed;
	} else if (!strcmp(w[0], "quota") && w[1]) {
		quota = strtoul(w[1], NULL, 10);
	} else if (!strcmp(w[0], "fail") && w[3]) {
		snprintf(order.op, sizeof order.op, "%s", w[1]);
		order.op_errno = strcmp(w[2], "short") ? (int)strtol(w[2], NULL, 10) : 0;
		order.op_at = strtol(w[3], NULL, 10);
	} else {
		return false;
	}
	return true;
}

/* --- requests.  Each returns an errno, 0 after it has replied. */

static struct node *
node_of(uint64_t id)
{
	return id == FUSE_ROOT_ID ? root : (struct node *)(uintptr_t)id;
}

static struct fuse_attr
attr_of(const struct node *n)
{
	struct fuse_attr a = {.ino = n->ino, .size = n->size, .blocks = (n->size + 511) / 512,
	    .mode = n->mode, .uid = n->uid, .gid = n->gid, .blksize = 4096};

	a.atime = a.mtime = a.ctime = (uint64_t)n->mtime.tv_sec;
	a.atimensec = a.mtimensec = a.ctimensec = (uint32_t)n->mtime.tv_nsec;
	a.nlink = S_ISDIR(n->mode) ? 2 : (uint32_t)n->links;
	return a;
}

static struct fuse_attr
attr_of_control(void)
{
	return (struct fuse_attr){.ino = CONTROL_ID, .mode = S_IFREG | 0600, .nlink = 1,
	    .uid = getuid(), .gid = getgid()};
}

static struct fuse_entry_out
entry_of(struct node *n)
{
	n->refs++; /* the kernel will FORGET it */
	return (struct fuse_entry_out){.nodeid = (uintptr_t)n, .generation = n->ino, .attr = attr_of(n)};
}

static int
do_entry(const struct request *r, struct node *n)
{
	struct fuse_entry_out out = entry_of(n);

	fusedev_reply(r, 0, &out, sizeof out);
	return 0;
}

static void
touch(struct node *n)
{
	clock_gettime(CLOCK_REALTIME, &n->mtime);
}

static int
do_lookup(const struct request *r)
{
	struct node *dir = node_of(r->in.nodeid), *n;

	if (dir == root && !strcmp(r->body, ".crashfs")) {
		struct fuse_entry_out out = {.nodeid = CONTROL_ID, .attr = attr_of_control()};

		fusedev_reply(r, 0, &out, sizeof out);
		return 0;
	}
	if (crashed)
		return EIO;
	n = name_get(dir, r->body);
	return n ? do_entry(r, n) : ENOENT;
}

static int
do_attr(const struct request *r, const struct node *n)
{
	struct fuse_attr_out out = {.attr = n ? attr_of(n) : attr_of_control()};

	fusedev_reply(r, 0, &out, sizeof out);
	return 0;
}

static int
do_getattr(const struct request *r)
{
	if (r->in.nodeid == CONTROL_ID)
		return do_attr(r, NULL);
	return crashed && r->in.nodeid != FUSE_ROOT_ID ? EIO : do_attr(r, node_of(r->in.nodeid));
}

static int
resize(struct node *n, size_t size)
{
	if (size > n->size && quota && used + size - n->size > quota)
		return ENOSPC;
	if (size + 1 > n->cap) {
		n->cap = size + size / 2 + 4096;
		n->data = must(realloc(n->data, n->cap));
	}
	if (size > n->size)
		memset(n->data + n->size, 0, size - n->size);
	used += size;
	used -= n->size;
	n->size = size;
	n->dirty = true;
	return 0;
}

static int
do_setattr(const struct request *r)
{
	const struct fuse_setattr_in *in = (const void *)r->body;
	struct node *n = node_of(r->in.nodeid);
	int rc;

	if (r->in.nodeid == CONTROL_ID)
		return do_attr(r, NULL);
	if (crashed)
		return EIO;
	if (in->valid & FATTR_SIZE) {
		rc = change_allowed("truncate", NULL);
		if (!rc)
			rc = resize(n, in->size);
		if (rc)
			return rc;
		touch(n);
	}
	if (in->valid & FATTR_MODE)
		n->mode = (n->mode & S_IFMT) | (in->mode & 07777);
	if (in->valid & FATTR_UID)
		n->uid = in->uid;
	if (in->valid & FATTR_GID)
		n->gid = in->gid;
	if (in->valid & FATTR_MTIME)
		n->mtime = (struct timespec){(time_t)in->mtime, in->mtimensec};
	return do_attr(r, n);
}

static uint64_t
handle_new(struct node *n)
{
	struct handle *h = must(calloc(1, sizeof *h));

	h->node = n;
	n->refs++;
	h->generation = generation;
	return (uintptr_t)h;
}

static struct node *
handle_node(uint64_t id)
{
	const struct handle *h = (const void *)(uintptr_t)id;

	return h && h->generation == generation ? h->node : NULL;
}

/* A new name for a node: the end of create, mkdir and link. */
static void
name_add(struct node *dir, const char *name, struct node *n)
{
	change_to(change_new(n), dir, name);
	name_set(&dir->now, name, n);
	n->links++;
	touch(dir);
}

static int
do_create(const struct request *r, const char *op)
{
	const struct fuse_create_in *in = (const void *)r->body;
	const char *name = r->body + sizeof *in;
	struct node *dir = node_of(r->in.nodeid), *n;
	bool unnamed = r->in.opcode == FUSEDEV_TMPFILE;
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out = {0};
	int rc;

	if (unnamed && no_tmpfile)
		return ENOSYS; /* the kernel makes EOPNOTSUPP of it */
	if (!unnamed && name_get(dir, name))
		return EEXIST;
	if ((rc = change_allowed(op, NULL)) != 0)
		return rc;
	n = node_new(S_IFREG | (in->mode & 07777), r->in.uid, r->in.gid);
	n->dirty = true;
	if (!unnamed)
		name_add(dir, name, n);
	out.entry = entry_of(n);
	out.open.fh = handle_new(n);
	out.open.open_flags = FOPEN_DIRECT_IO;
	fusedev_reply(r, 0, &out, sizeof out);
	return 0;
}

static int
do_mkdir(const struct request *r)
{
	const struct fuse_mkdir_in *in = (const void *)r->body;
	const char *name = r->body + sizeof *in;
	struct node *dir = node_of(r->in.nodeid), *n;
	int rc;

	if (name_get(dir, name))
		return EEXIST;
	if ((rc = change_allowed("mkdir", NULL)) != 0)
		return rc;
	n = node_new(S_IFDIR | (in->mode & 07777), r->in.uid, r->in.gid);
	if (dir->mode & S_ISGID) {
		n->gid = dir->gid;
		n->mode |= S_ISGID;
	}
	name_add(dir, name, n);
	return do_entry(r, n);
}

static int
do_link(const struct request *r)
{
	const struct fuse_link_in *in = (const void *)r->body;
	const char *name = r->body + sizeof *in;
	struct node *dir = node_of(r->in.nodeid), *n = node_of(in->oldnodeid);
	int rc;

	if (name_get(dir, name))
		return EEXIST;
	if ((rc = change_allowed("link", NULL)) != 0)
		return rc;
	name_add(dir, name, n);
	return do_entry(r, n);
}

static void
name_gone(struct node *dir, const char *name)
{
	struct node *n = name_get(dir, name);

	change_from(change_new(n), dir, name);
	n->links--;
	name_drop(&dir->now, name);
	touch(dir);
}

static int
do_remove(const struct request *r)
{
	struct node *dir = node_of(r->in.nodeid), *n = name_get(dir, r->body);
	bool rmdir = r->in.opcode == FUSE_RMDIR;
	int rc;

	if (!n)
		return crashed ? EIO : ENOENT;
	if (S_ISDIR(n->mode) != rmdir)
		return rmdir ? ENOTDIR : EISDIR;
	if (n->now)
		return ENOTEMPTY;
	if ((rc = change_allowed(rmdir ? "rmdir" : "unlink", NULL)) != 0)
		return rc;
	name_gone(dir, r->body);
	fusedev_reply(r, 0, NULL, 0);
	return 0;
}

static void
move(struct node *from, const char *a, struct node *to, const char *b, bool exchange)
{
	struct node *n = name_get(from, a), *other = name_get(to, b);
	struct change *c = change_new(n);

	change_from(c, from, a);
	change_to(c, to, b);
	if (exchange) {
		c->other = other;
		other->refs++;
		other->refs++; /* across the two name_set below */
		name_set(&to->now, b, n);
		name_set(&from->now, a, other);
		unref(other, 1);
	} else {
		if (other)
			other->links--;
		name_set(&to->now, b, n);
		name_drop(&from->now, a);
	}
	touch(from);
	touch(to);
}

static int
do_rename(const struct request *r)
{
	bool two = r->in.opcode == FUSE_RENAME2;
	const struct fuse_rename2_in *in2 = (const void *)r->body;
	const struct fuse_rename_in *in1 = (const void *)r->body;
	unsigned flags = two ? in2->flags : 0;
	const char *a = r->body + (two ? sizeof *in2 : sizeof *in1), *b = a + strlen(a) + 1;
	struct node *from = node_of(r->in.nodeid), *to = node_of(two ? in2->newdir : in1->newdir);
	struct node *n = name_get(from, a), *other = name_get(to, b);
	int rc;

	if (flags & ~3u)
		return EINVAL;
	if (!n || (flags & 2 && !other))
		return crashed ? EIO : ENOENT;
	if (flags & 1 && other)
		return EEXIST;
	if (other && !(flags & 2) && other->now)
		return ENOTEMPTY;
	if ((rc = change_allowed("rename", NULL)) != 0)
		return rc;
	if (n != other)
		move(from, a, to, b, flags & 2);
	fusedev_reply(r, 0, NULL, 0);
	return 0;
}

static int
do_open(const struct request *r)
{
	struct fuse_open_out out = {.open_flags = FOPEN_DIRECT_IO};

	if (r->in.nodeid != CONTROL_ID) {
		if (crashed)
			return EIO;
		out.fh = handle_new(node_of(r->in.nodeid));
	}
	fusedev_reply(r, 0, &out, sizeof out);
	return 0;
}

static int
do_opendir(const struct request *r)
{
	struct node *dir = node_of(r->in.nodeid);
	struct fuse_open_out out = {0};
	struct handle *h;
	size_t cap = 2048;

	if (crashed && dir != root)
		return EIO;
	out.fh = handle_new(dir);
	h = (void *)(uintptr_t)out.fh;
	for (struct entry *e = dir->now; e; e = e->next)
		cap += FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + strlen(e->name));
	h->list = must(malloc(cap));
	h->list_len = fusedev_dirent(h->list, 0, dir->ino, S_IFDIR, ".");
	h->list_len += fusedev_dirent(h->list + h->list_len, h->list_len, dir->ino, S_IFDIR, "..");
	for (struct entry *e = dir->now; e; e = e->next)
		h->list_len += fusedev_dirent(h->list + h->list_len, h->list_len, e->node->ino,
		    e->node->mode, e->name);
	fusedev_reply(r, 0, &out, sizeof out);
	return 0;
}

static int
do_readdir(const struct request *r)
{
	const struct fuse_read_in *in = (const void *)r->body;
	const struct handle *h = (const void *)(uintptr_t)in->fh;

	if (!handle_node(in->fh) || crashed)
		return EIO;
	fusedev_list(r, h->list, h->list_len);
	return 0;
}

static int
do_release(const struct request *r)
{
	const struct fuse_release_in *in = (const void *)r->body;
	struct handle *h = (void *)(uintptr_t)in->fh;

	if (h) {
		unref(h->node, 1);
		free(h->list);
		free(h);
	}
	fusedev_reply(r, 0, NULL, 0);
	return 0;
}

static int
do_read(const struct request *r)
{
	const struct fuse_read_in *in = (const void *)r->body;
	const struct node *n;
	size_t left;

	if (r->in.nodeid == CONTROL_ID) {
		control_read(r);
		return 0;
	}
	n = handle_node(in->fh);
	if (!n || crashed)
		return EIO;
	left = in->offset < n->size ? n->size - in->offset : 0;
	fusedev_reply(r, 0, left ? n->data + in->offset : "", left < in->size ? left : in->size);
	return 0;
}

static int
do_write(struct request *r)
{
	const struct fuse_write_in *in = (const void *)r->body;
	char *bytes = r->body + sizeof *in;
	struct fuse_write_out out = {.size = in->size};
	uint64_t off = in->offset;
	struct node *n;
	bool cut = false;
	int rc;

	if (r->in.nodeid == CONTROL_ID) {
		if (!command(bytes))
			return EINVAL;
		fusedev_reply(r, 0, &out, sizeof out);
		return 0;
	}
	if ((rc = change_allowed("write", &cut)) != 0)
		return rc;
	if (!(n = handle_node(in->fh)))
		return EIO;
	if (cut && out.size > 1)
		out.size /= 2;
	if (in->flags & O_APPEND)
		off = n->size;
	if (off + out.size > n->size && (rc = resize(n, off + out.size)) != 0)
		return rc;
	memcpy(n->data + off, bytes, out.size);
	n->dirty = true;
	touch(n);
	fusedev_reply(r, 0, &out, sizeof out);
	return 0;
}

static int
do_fsync(const struct request *r)
{
	const struct fuse_fsync_in *in = (const void *)r->body;
	bool dir = r->in.opcode == FUSE_FSYNCDIR;
	struct node *n;
	int rc;

	if (r->in.nodeid != CONTROL_ID) {
		if ((rc = change_allowed(dir ? "fsyncdir" : "fsync", NULL)) != 0)
			return rc;
		if (!(n = handle_node(in->fh)))
			return EIO;
		*(dir ? &fsyncdirs : &fsyncs) += 1;
		if (!dir)
			file_sync(n);
		if (dir || !strict)
			changes_sync(strict ? n : NULL);
	}
	fusedev_reply(r, 0, NULL, 0);
	return 0;
}

static int
do_statfs(const struct request *r)
{
	size_t all = (quota ? quota : (size_t)1 << 30) / 4096, taken = used / 4096;
	struct fuse_statfs_out out = {.st = {.bsize = 4096, .frsize = 4096, .namelen = 255,
						 .files = 1 << 20, .ffree = 1 << 20, .blocks = all}};

	out.st.bfree = out.st.bavail = taken < all ? all - taken : 0;
	fusedev_reply(r, 0, &out, sizeof out);
	return 0;
}

static void
forget(uint64_t id, uint64_t times)
{
	if (id > CONTROL_ID)
		unref(node_of(id), (long)times);
}

static void
do_batch_forget(const struct request *r)
{
	const struct fuse_batch_forget_in *in = (const void *)r->body;
	const struct fuse_forget_one *one = (const void *)(r->body + sizeof *in);

	for (uint32_t i = 0; i < in->count; i++)
		forget(one[i].nodeid, one[i].nlookup);
}

static int
serve(struct request *r)
{
	switch (r->in.opcode) {
	case FUSE_INIT: fusedev_init(r); return 0;
	case FUSE_FORGET: forget(r->in.nodeid, *(const uint64_t *)(const void *)r->body); return 0;
	case FUSE_BATCH_FORGET: do_batch_forget(r); return 0;
	case FUSE_INTERRUPT: return 0; /* every request is answered at once */
	case FUSE_LOOKUP: return do_lookup(r);
	case FUSE_GETATTR: return do_getattr(r);
	case FUSE_SETATTR: return do_setattr(r);
	case FUSE_CREATE: return do_create(r, "create");
	case FUSEDEV_TMPFILE: return do_create(r, "tmpfile");
	case FUSE_MKDIR: return do_mkdir(r);
	case FUSE_LINK: return do_link(r);
	case FUSE_UNLINK:
	case FUSE_RMDIR: return do_remove(r);
	case FUSE_RENAME:
	case FUSE_RENAME2: return do_rename(r);
	case FUSE_OPEN: return do_open(r);
	case FUSE_OPENDIR: return do_opendir(r);
	case FUSE_READDIR: return do_readdir(r);
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR: return do_release(r);
	case FUSE_READ: return do_read(r);
	case FUSE_WRITE: return do_write(r);
	case FUSE_FSYNC:
	case FUSE_FSYNCDIR: return do_fsync(r);
	case FUSE_STATFS: return do_statfs(r);
	default: return ENOSYS;
	}
}

int
main(int argc, char **argv)
{
	static struct request r;
	int c, rc;

	while ((c = getopt(argc, argv, "st")) != -1) {
		strict |= c == 's';
		no_tmpfile |= c == 't';
		if (c == '?')
			errx(64, "usage: crashfs [-s] [-t] MOUNTPOINT");
	}
	if (optind + 1 != argc)
		errx(64, "usage: crashfs [-s] [-t] MOUNTPOINT");
	root = node_new(S_IFDIR | 0700, getuid(), getgid());
	root->refs = 1;
	fusedev_mount(argv[optind], "fuse.crashfs");
	while (fusedev_next(&r))
		if ((rc = serve(&r)) != 0)
			fusedev_reply(&r, rc, NULL, 0);
	return 0;
}
