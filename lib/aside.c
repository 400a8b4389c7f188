#include "aside.h"

#include "buf.h"
#include "file.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAMAGED "damaged/"
#define NAME_KEPT 200 /* bytes of the path, where the name is taken */

static bool
move(int root, const char *path, const char *name)
{
	struct buf to = BUF_INIT;
	int r, why;

	buf_fmt(&to, DAMAGED "%s", name);
	r = file_rename(root, path, to.s);
	if (r < 0 && errno == EEXIST) {
		if (to.len > NAME_KEPT)
			buf_cut(&to, NAME_KEPT);
		buf_fmt(&to, "~%016llx", (unsigned long long)io_random());
		r = file_rename(root, path, to.s);
	}
	why = errno;
	buf_free(&to);
	errno = why;
	return r == 0;
}

static bool
remove_it(int root, const char *path, bool dir)
{
	return unlinkat(root, path, dir ? AT_REMOVEDIR : 0) == 0;
}

int
aside_put(int root, const char *path, const char *name, enum aside *how, struct err *e)
{
	struct stat st;
	bool done, dir;

	*how = ASIDE_GONE;
	if (fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "stat %s", path);
	dir = S_ISDIR(st.st_mode);
	*how = S_ISREG(st.st_mode) || dir ? ASIDE_MOVED : ASIDE_REMOVED;
	done = *how == ASIDE_MOVED ? move(root, path, name) : remove_it(root, path, false);
	if (!done && dir && (errno == EACCES || errno == EPERM)) {
		*how = ASIDE_REMOVED;
		done = remove_it(root, path, true);
	}
	if (done)
		return 0;
	switch (errno) {
	case ENOENT: *how = ASIDE_GONE; return 0;
	case ENOTEMPTY:
	case EEXIST:
	case EACCES:
	case EPERM: *how = ASIDE_STUCK; return 0;
	default: return err_sys(e, "set %s aside", path);
	}
}
