#include "owner.h"

#include "buf.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool
owner_in_group(gid_t gid)
{
	int n = getgroups(0, NULL);
	gid_t *v = mem_alloc((size_t)(n > 0 ? n : 1) * sizeof *v);
	bool yes = gid == getegid();

	n = n > 0 ? getgroups(n, v) : 0;
	for (int i = 0; i < n; i++)
		yes |= v[i] == gid;
	free(v);
	return yes;
}

/* The groups of a user, and the submitters': their entries are to be read. */
static int
take_groups(const struct passwd *pw, gid_t gid, const char *dir)
{
	struct buf path = BUF_INIT;
	struct stat st;
	int n = 0, rc;
	gid_t *v;

	if (pw)
		getgrouplist(pw->pw_name, gid, NULL, &n);
	v = mem_alloc((size_t)(n + 1) * sizeof *v);
	if (pw && getgrouplist(pw->pw_name, gid, v, &n) < 0)
		n = 0;
	buf_fmt(&path, "%s/new", dir);
	if (stat(path.s, &st) == 0 && st.st_mode & 020)
		v[n++] = st.st_gid;
	rc = setgroups((size_t)n, v);
	buf_free(&path);
	free(v);
	return rc;
}

int
owner_become(const char *dir, struct err *e)
{
	const struct passwd *pw;
	struct stat st;
	gid_t gid;

	if (geteuid() != 0 || stat(dir, &st) < 0 || st.st_uid == 0)
		return 0;
	pw = getpwuid(st.st_uid);
	gid = pw ? pw->pw_gid : st.st_gid;
	if (take_groups(pw, gid, dir) < 0 || setgid(gid) < 0 || setuid(st.st_uid) < 0)
		return err_sys(e, "become uid %u, the owner of %s", (unsigned)st.st_uid, dir);
	return 0;
}
