/* A message/feedback-report part. */
#include "fuzz.h"

#include "arf.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena a = ARENA_INIT;
	struct arf f;

	if (arf_parse((struct span){(const char *)p, n}, &a, &f)) {
		if (f.type.n == 0 || f.n > ARF_RCPT_MAX)
			abort();
		for (size_t i = 0; i < f.n; i++)
			if (f.rcpts[i].n == 0 || f.rcpts[i].n > n)
				abort();
	}
	arena_free(&a);
	return 0;
}
