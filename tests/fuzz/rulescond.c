/* A rule's column WHEN: what is read of it stays in the room that was promised, lends from it, and can be asked. */
#include "fuzz.h"

#include "buf.h"
#include "rulescond.h"

#include <stdlib.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

static bool
lies_in(struct span part, struct span all)
{
	return part.n == 0 || (part.p >= all.p && part.p + part.n <= all.p + all.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct rules_facts facts[] = {{0},
	    {.code = 550, .status = SPAN("5.1.1"), .action = SPAN("failed"), .phase = RULES_RCPT}};
	struct span when = {(const char *)data, size}, bad;
	size_t max = rulescond_max(when), n;
	struct rules_cond *v = mem_grow(NULL, max + 1, sizeof *v);

	n = rulescond_read(when, v, &bad);
	want(n <= max && lies_in(bad, when));
	for (size_t i = 0; i < n; i++)
		want(lies_in(v[i].w, when));
	for (size_t i = 0; bad.n == 0 && i < sizeof facts / sizeof *facts; i++)
		rulescond_hold(v, n, &facts[i]);
	free(v);
	return 0;
}
