/* msg_field over any bytes: fields are in order, do not overlap, and hold their parts. */
#include "fuzz.h"

#include "msg.h"

#include <stdlib.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cur c = cur_of(p, n);
	const char *at = c.p;
	struct msg_field f;
	bool bad;

	while (msg_field(&c, &f, &bad)) {
		want(f.whole.p == at && f.whole.n > 0 && c.p == at + f.whole.n);
		want(f.name.p == at && f.name.n > 0 && f.name.n < f.whole.n);
		want(f.value.p > f.name.p && f.value.p + f.value.n == c.p);
		at = c.p;
	}
	want(c.p == at);
	return 0;
}
