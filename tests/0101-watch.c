/* What inotify says, as a run understands it: the events that cannot be had from a kernel at will. */
#include "found.h"
#include "tap.h"
#include "watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#define NAME "1795312377.361mxnchny6mb288,mail,5,x.example"
#define HOUR 1795309200 /* 2026-11-22 01:00 */

static struct watch watch = {.fd = -1, .cur = true, .new_wd = 1, .cur_wd = 2, .hour_wd = 3,
    .past_wd = 4, .hour_s = HOUR, .past_s = HOUR - 3600};

static size_t
put(char *out, int wd, uint32_t mask, const char *name)
{
	struct inotify_event v = {.wd = wd, .mask = mask};

	v.len = name ? (uint32_t)((strlen(name) + 1 + 15) / 16 * 16) : 0;
	memcpy(out, &v, sizeof v);
	memset(out + sizeof v, 0, v.len);
	if (name)
		memcpy(out + sizeof v, name, strlen(name));
	return sizeof v + v.len;
}

static void
one(int wd, uint32_t mask, const char *name, int names, unsigned look, const char *what)
{
	char b[512] __attribute__((aligned(8)));
	struct found s = {0};
	unsigned got = 0;
	size_t n = put(b, wd, mask, name);

	ok(watch_events(&watch, b, n, on_name, &s, &got) == 0 && s.n == names && got == look, "%s", what);
	if (names)
		ok(s.at.place == (wd == 1 ? IN_NEW : IN_CUR) &&
		    s.at.hour_s == (wd == 1 ? 0 : wd == 3 ? HOUR : HOUR - 3600) &&
		    strcmp(s.name, name) == 0, "with its place");
}

int
main(void)
{
	char b[2048] __attribute__((aligned(8)));
	struct found s = {0};
	unsigned look = 0;
	size_t n = 0;

	one(1, IN_CREATE, NAME, 1, 0, "a name in new/");
	one(1, IN_MOVED_TO, NAME, 1, 0, "a name moved there");
	one(3, IN_MOVED_TO, NAME, 1, 0, "a name in the bucket of the hour");
	one(4, IN_MOVED_TO, NAME, 1, 0, "a name in one of an hour that is over");
	one(-1, IN_Q_OVERFLOW, NULL, 0, WATCH_LOOK_ALL, "events were lost");
	one(1, IN_MOVE_SELF, NULL, 0, WATCH_LOOK_ALL, "new/ was exchanged");
	one(1, IN_IGNORED, NULL, 0, WATCH_LOOK_ALL, "new/ is gone");
	one(3, IN_IGNORED, NULL, 0, 0, "the bucket is gone");
	one(2, IN_CREATE | IN_ISDIR, "2026112201", 0, WATCH_LOOK_CUR, "the bucket of this hour is made");
	one(2, IN_CREATE | IN_ISDIR, "2026112123", 0, WATCH_LOOK_CUR, "one of an hour that is over");
	ok(watch.past_s == HOUR - 2 * 3600, "which is watched from now on");
	one(2, IN_CREATE | IN_ISDIR, "2026112202", 0, 0, "one of the next hour");
	one(2, IN_CREATE, "nonsense", 0, 0, "something else in cur/");
	one(9, IN_CREATE, NAME, 0, 0, "a watch that was taken back");
	n = put(b, 1, IN_CREATE, NAME);
	n += put(b + n, -1, IN_Q_OVERFLOW, NULL);
	n += put(b + n, 3, IN_MOVED_TO, NAME);
	n += put(b + n, 2, IN_CREATE | IN_ISDIR, "2026112201");
	ok(watch_events(&watch, b, n, on_name, &s, &look) == 0 && s.n == 2 &&
	    look == (WATCH_LOOK_ALL | WATCH_LOOK_CUR), "several at once");
	return tap_done();
}
