/* dl.h: a library that is there, one that is not, one without a name that is wanted, and one by its second name. */
#include "dl.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#define CALLS(f) f(strlen) f(memcmp)
static struct {
	CALLS(DL_POINTER)
} lib;

#define MISSING "libno-such-library.so.1"

static void
fails(struct dl *d, const char *want)
{
	struct err e = ERR_INIT;

	is_num(dl_need(d, EX_UNAVAILABLE, &e), EX_UNAVAILABLE, want);
	is_str(err_text(&e), want, "why");
	is_num(dl_need(d, EX_TEMPFAIL, &e), EX_TEMPFAIL, "again, for somebody else");
	is_str(err_text(&e), want, "why");
	err_free(&e);
	dl_close(d);
}

static void
works(struct dl *d, const char *what)
{
	struct err e = ERR_INIT;

	memset(&lib, 0, sizeof lib);
	is_num(dl_need(d, EX_UNAVAILABLE, &e), 0, what);
	ok(lib.strlen && lib.memcmp, "all is there");
	if (lib.strlen)
		is_num((long long)lib.strlen("four"), 4, "and is called");
	is_str(err_text(&e), "", "nothing is said");
	is_num(dl_need(d, EX_UNAVAILABLE, &e), 0, "again");
	dl_close(d);
	memset(&lib, 0, sizeof lib);
	is_num(dl_need(d, EX_UNAVAILABLE, &e), 0, "after it was closed");
	ok(lib.strlen && lib.memcmp, "all is there again");
	dl_close(d);
}

int
main(void)
{
	struct dl there = DL_INIT(lib, CALLS, "libc.so.6"), none = DL_INIT(lib, CALLS, MISSING),
		  second = DL_INIT(lib, CALLS, MISSING, "libc.so.6"),
		  neither = DL_INIT(lib, CALLS, MISSING, "libno-such-library.so.2"),
		  wrong = DL_INIT(lib, CALLS, "libc.so.6");

	works(&there, "the C library is there");
	works(&second, "a library that has another name here");
	fails(&none, MISSING " cannot be loaded");
	fails(&neither, "libno-such-library.so.2 cannot be loaded");
	wrong.names = (const char *const[]){"strlen", "no_such_function"};
	fails(&wrong, "libc.so.6 lacks no_such_function");
	return tap_done();
}
