#include "tidy.h"

#include "file.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_SWOLLEN (4 << 20) /* bytes of directory after which new/ is exchanged */

static int
remove_one(void *arg, const struct queue_at *at, const char *name, const struct entry_name *n)
{
	const struct queue *q = arg;
	struct buf path = BUF_INIT;
	char dir[QUEUE_DIR_MAX];

	(void)n;
	queue_dir(at, dir);
	buf_fmt(&path, "%s/%s", dir, name);
	unlinkat(queue_root_fd(q), path.s, 0);
	buf_free(&path);
	return 0;
}

/* Buckets whose hour is over: emptied first where their keeping time is over too. */
static int
tidy_place(struct queue *q, enum queue_place place, uint64_t now_s, uint64_t keep_s, struct err *e)
{
	struct queue_hours h;
	char path[QUEUE_DIR_MAX];
	int root = queue_root_fd(q), rc = queue_hours(q, place, &h, e);

	for (size_t i = 0; i < h.n && !rc; i++) {
		const struct queue_at at = {place, h.v[i]};

		if (h.v[i] + 3600 > now_s)
			break;
		if (place != IN_CUR && now_s - h.v[i] - 3600 >= keep_s)
			rc = queue_scan_hours(q, place, h.v[i], h.v[i], remove_one, q, e);
		queue_dir(&at, path);
		unlinkat(root, path, AT_REMOVEDIR); /* stays while something is in it */
	}
	free(h.v);
	return rc;
}

/* The new directory becomes new/, with its group and mode, and has its name afterwards, unless that is empty.
 * By its descriptor: a run that follows is confined by then, and may not change owners by name. */
static int
exchange_new(int root, const char *fresh, const struct stat *like, struct err *e)
{
	int fd = openat(root, fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc = 0;

	if (fd < 0 || fchown(fd, (uid_t)-1, like->st_gid) < 0 || fchmod(fd, like->st_mode & 07777) < 0 ||
	    renameat2(root, "new", root, fresh, RENAME_EXCHANGE) < 0)
		rc = err_sys(e, "exchange new for a fresh one");
	if (fd >= 0)
		close(fd);
	unlinkat(root, fresh, AT_REMOVEDIR);
	return rc;
}

/* A directory does not shrink: one that a burst has swollen is exchanged for a fresh one and
 * drained.  rmdir and a submitter's linkat exclude each other, so nothing is lost between. */
static int
tidy_new(struct queue *q, struct err *e)
{
	struct queue_at drain = {IN_NEW, 0};
	struct queue_hours h;
	struct stat st;
	char path[QUEUE_DIR_MAX];
	int root = queue_root_fd(q), rc = queue_hours(q, IN_NEW, &h, e);

	if (rc)
		return rc;
	for (size_t i = 0; i < h.n; i++) {
		drain.hour_s = h.v[i];
		queue_dir(&drain, path);
		if (unlinkat(root, path, AT_REMOVEDIR) < 0)
			drain.hour_s = 0; /* still being drained: one at a time */
	}
	/* Not where a submitter syncs new/ by its name, after it has linked: it might be another by then. */
	if (fstatat(root, "new", &st, 0) < 0 || st.st_size <= NEW_SWOLLEN ||
	    !file_sync_keeps_name(root) ||
	    (h.n > 0 && drain.hour_s == 0)) {
		free(h.v);
		return 0;
	}
	drain.hour_s = h.n > 0 ? h.v[h.n - 1] + 1 : 1;
	free(h.v);
	queue_dir(&drain, path);
	if (mkdirat(root, path, st.st_mode & 07777) < 0)
		return errno == EEXIST ? 0 /* another run is at it */ : err_sys(e, "mkdir %s", path);
	return exchange_new(root, path, &st, e);
}

struct sites {
	uint64_t before_s;
};

/* Who uses it has a lock on it.  Who has opened it and has none yet keeps to its limit alone, once. */
static int
forget_site(void *arg, int dir, const char *name)
{
	const struct sites *s = arg;
	struct err ignored = ERR_INIT;
	struct stat st;
	bool busy = true;
	int fd;

	if (name[0] == '.' || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_mtime >= s->before_s)
		return 0;
	fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	if (file_trylock(fd, &busy, &ignored) == 0 && !busy)
		unlinkat(dir, name, 0);
	close(fd);
	err_free(&ignored);
	return 0;
}

int
queue_tidy_sites(struct queue *q, uint64_t now_s, struct err *e)
{
	struct sites s = {now_s > TIDY_SITES_S ? now_s - TIDY_SITES_S : 0};

	return file_each(queue_state_fd(q), "sites", forget_site, &s, e);
}

int
queue_tidy(struct queue *q, uint64_t now_s, uint64_t keep_failed_s, uint64_t keep_sent_s,
    struct err *e)
{
	int rc = tidy_place(q, IN_CUR, now_s, 0, e);

	if (!rc)
		rc = tidy_place(q, IN_FAILED, now_s, keep_failed_s, e);
	if (!rc)
		rc = tidy_place(q, IN_SENT, now_s, keep_sent_s, e);
	if (!rc)
		rc = tidy_new(q, e);
	return rc;
}
