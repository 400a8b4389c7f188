/* dl.h: a library that is there, one that is not, and one without a name that is wanted. */
#include "dl.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

static void
fails(const char *library, const char *const *names, size_t n, const char *want)
{
	void *at[2] = {NULL, NULL};
	char *why = dl_load(library, names, n, at);

	is_str(why, want, want);
	free(why);
}

int
main(void)
{
	static const char *const names[] = {"strlen", "memcmp"}, *const wrong[] = {"strlen", "no_such_function"};
	struct {
		DL_POINTER(strlen) DL_POINTER(memcmp)
	} c = {NULL, NULL};
	char *why = dl_load("libc.so.6", names, 2, &c);

	ok(why == NULL && c.strlen && c.memcmp, "the C library is there");
	if (c.strlen)
		is_num((long long)c.strlen("four"), 4, "and is called");
	free(why);
	fails("libno-such-library.so.1", names, 2, "libno-such-library.so.1 cannot be loaded");
	fails("libc.so.6", wrong, 2, "libc.so.6 lacks no_such_function");
	return tap_done();
}
