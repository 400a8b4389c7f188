/* The state of a site, of any bytes: what cannot be read is not closed, what is closed opens after now, and
 * a list of one says the same. */
#include "fuzz.h"

#include "closures.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW_S 1795309200

static char dir[] = "/tmp/relaykit-fuzz.XXXXXX";
static int state = -1;
static struct conf conf;

static void
want(bool good)
{
	if (!good)
		abort();
}

static void
drop(void)
{
	unlinkat(state, "sites/a.example", 0);
	unlinkat(state, "sites", AT_REMOVEDIR);
	rmdir(dir);
	conf_free(&conf);
}

static void
begin(void)
{
	struct err e = ERR_INIT;

	want(mkdtemp(dir) && conf_parse(&conf, "fuzz", SPAN(""), &e) == 0);
	state = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	want(state >= 0 && mkdirat(state, "sites", 0700) == 0 && atexit(drop) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct timespec now[2] = {{NOW_S, 0}, {NOW_S, 0}};
	struct closures l = CLOSURES_INIT;
	struct closure one = {0};
	struct err e = ERR_INIT;
	size_t others = 0;
	bool closed;
	int fd;

	if (state < 0)
		begin();
	fd = openat(state, "sites/a.example", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	want(fd >= 0 && write(fd, p, n) == (ssize_t)n && futimens(fd, now) == 0);
	close(fd);
	closed = closure_of(state, &conf, SPAN("a.example"), NOW_S, &one);
	want(!closed || one.until_s >= NOW_S);
	want(closures_read(&l, state, &conf, NOW_S, &e) == 0 && l.n == (closed ? 1 : 0));
	if (closed)
		want(l.v[0].until_s == one.until_s && closures_explain(&l, one.until_s, &others) == l.v &&
		    others == 0);
	closures_free(&l);
	err_free(&e);
	return 0;
}
