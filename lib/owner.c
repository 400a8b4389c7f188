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

#define NO_GROUP ((gid_t)-1)

/* Of new/: their entries are to be read. */
static gid_t
submitters(const char *dir)
{
	struct buf path = BUF_INIT;
	struct stat st;
	bool shared;

	buf_fmt(&path, "%s/new", dir);
	shared = stat(path.s, &st) == 0 && st.st_mode & 020;
	buf_free(&path);
	return shared ? st.st_gid : NO_GROUP;
}

static void
find_groups(struct owner *o, const struct passwd *pw)
{
	int n = 0;

	if (pw)
		getgrouplist(pw->pw_name, o->gid, NULL, &n);
	o->groups = mem_alloc((size_t)(n + 1) * sizeof *o->groups);
	if (pw && getgrouplist(pw->pw_name, o->gid, o->groups, &n) < 0)
		n = 0;
	o->n = (size_t)n;
	if (o->submitters != NO_GROUP)
		o->groups[o->n++] = o->submitters;
}

void
owner_find(struct owner *o, const char *dir)
{
	const struct passwd *pw;
	struct stat st;
	gid_t group;

	if (geteuid() != 0 || stat(dir, &st) < 0)
		return;
	group = st.st_uid == 0 ? NO_GROUP : submitters(dir);
	if (o->other && o->uid == st.st_uid && o->submitters == group)
		return;
	owner_free(o);
	if (st.st_uid == 0)
		return;
	pw = getpwuid(st.st_uid);
	*o = (struct owner){.other = true, .uid = st.st_uid, .gid = pw ? pw->pw_gid : st.st_gid,
	    .submitters = group};
	find_groups(o, pw);
}

int
owner_be(const struct owner *o, const char *dir, struct err *e)
{
	if (o->other && (setgroups(o->n, o->groups) < 0 || setgid(o->gid) < 0 || setuid(o->uid) < 0))
		return err_sys(e, "become uid %u, the owner of %s", (unsigned)o->uid, dir);
	return 0;
}

void
owner_free(struct owner *o)
{
	free(o->groups);
	*o = (struct owner){.other = false};
}

int
owner_become(const char *dir, struct err *e)
{
	struct owner o = {.other = false};
	int rc;

	owner_find(&o, dir);
	rc = owner_be(&o, dir, e);
	owner_free(&o);
	return rc;
}
