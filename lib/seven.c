#include "seven.h"

#include "io.h"
#include "mime.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

struct out {
	int file;
	uint64_t size;
};

static int
append(void *arg, const void *p, size_t n, struct err *e)
{
	struct out *o = arg;
	int rc = io_pwrite(o->file, p, n, o->size, e);

	o->size += n;
	return rc;
}

/* Where the filesystem knows no files without a name it has one for a moment. */
static int
open_unnamed(struct queue *q, struct span id, int *file, struct err *e)
{
	int root = queue_root_fd(q);
	struct buf name = BUF_INIT;

	*file = openat(root, "new", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*file < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
		buf_fmt(&name, "new/" QUEUE_TMP "seven-%.*s-%d", SPAN_ARG(id), (int)gettid());
		*file = openat(root, name.s, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (*file >= 0)
			unlinkat(root, name.s, 0);
		buf_free(&name);
	}
	return *file < 0 ? err_sys(e, "create in new") : 0;
}

int
seven_make(struct queue *q, const struct queue_entry *t, int *file, uint64_t *size, struct err *e)
{
	struct span text = {queue_content(t), (size_t)t->head.content_bytes};
	size_t all = (size_t)t->content_off + text.n;
	struct out o = {-1, 0};
	char *map = NULL;
	int rc = open_unnamed(q, t->is.id, &o.file, e);

	if (!rc && !text.p) {
		map = mmap(NULL, all, PROT_READ, MAP_SHARED, t->fd, 0);
		if (map == MAP_FAILED)
			rc = err_sys(e, "map of an entry");
		else
			text.p = map + t->content_off;
	}
	if (!rc)
		rc = mime_seven(text, append, &o, e);
	if (map && map != MAP_FAILED)
		munmap(map, all);
	if (rc && o.file >= 0)
		close(o.file);
	*file = o.file;
	*size = o.size;
	return rc;
}
