/* Digests whose hour is over: one that cannot be made keeps no other waiting, and none is forgotten. */
#include "buf.h"
#include "noticelimit.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOUR_AT 1790000000u /* seconds since 1970; any */
#define FILES 5

struct seen {
	int calls, fail; /* the first so many of them */
};

static int
make(void *arg, int fd, struct err *e)
{
	struct seen *s = arg;

	(void)fd;
	return s->calls++ < s->fail ? err_set(e, EX_TEMPFAIL, "no %d", s->calls) : 0;
}

int
main(void)
{
	char path[] = "/tmp/relaykit-test-notices.XXXXXX";
	struct err e = ERR_INIT;
	struct seen s = {0, 2};
	struct buf b = BUF_INIT;
	int dir;

	if (!mkdtemp(path) || (dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return 1;
	for (int i = 0; i < FILES; i++) {
		buf_cut(&b, 0);
		buf_fmt(&b, "reader%d@example.org", i);
		ok(noticelimit_keep(dir, (struct span){b.s, b.len}, HOUR_AT, SPAN("{\"do\":\"keep\"}\n"), &e) == 0,
		    "kept for %s", b.s);
	}
	is_num(noticelimit_due(dir, HOUR_AT + 7200, make, &s, &e), EX_TEMPFAIL, "two of five cannot be made");
	is_num(s.calls, FILES, "the others are");
	is_str(err_text(&e), "no 1", "the first reason is told");
	err_free(&e);
	s = (struct seen){0, 0};
	is_num(noticelimit_due(dir, HOUR_AT + 7200, make, &s, &e), 0, "later they can be");
	is_num(s.calls, 2, "they alone");
	s.calls = 0;
	is_num(noticelimit_due(dir, HOUR_AT + 40 * 86400, make, &s, &e), 0, "after a month");
	is_num(s.calls, 0, "nothing is left to be told");
	ok(unlinkat(dir, "notices", AT_REMOVEDIR) == 0, "nor to be remembered");
	buf_free(&b);
	err_free(&e);
	close(dir);
	rmdir(path);
	return tap_done();
}
