/* A page of any bytes: each line that is found is whole and within it, and those of a key are among them. */
#include "fuzz.h"

#include "paged.h"

#include <stdlib.h>
#include <string.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cur c = cur_of(p, n), of;
	struct paged_line l, same;
	const char *end = (const char *)p + n;

	while (paged_next(&c, &l)) {
		size_t found = 0;

		want(l.key.p >= (const char *)p && l.value.p == l.key.p + l.key.n + 1);
		want(l.value.p + l.value.n + 10 <= end && l.value.p[l.value.n + 9] == '\n');
		want(!memchr(l.key.p, '\t', l.key.n) && !memchr(l.key.p, '\n', (size_t)(c.p - l.key.p - 1)));
		of = cur_of(p, n);
		while (paged_next_of(&of, l.key, &same)) {
			want(span_eq(same.key, l.key));
			found += same.value.p == l.value.p;
		}
		want(found == 1);
	}
	return 0;
}
