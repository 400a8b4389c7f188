/* What is read of a site: never more than its limits, and what is written is read the same. */
#include "pace.h"

#include "fuzz.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct pace_limits limits = {20, 60, 300000, 14400000, 0};
	struct pace a, b;
	struct buf text = BUF_INIT, again = BUF_INIT;
	int64_t until = 0;

	pace_init(&a, &limits, 1000);
	b = a;
	if (pace_parse(&a, (struct span){(const char *)p, n}, 1000)) {
		if (a.allowed < 1 || a.allowed > 20 ||
		    (pace_closed(&a, 1000, &until) && until > 1000 + PACE_HINT_MAX_S * 1000))
			abort();
		pace_text(&a, 1000, &text);
		if (!pace_parse(&b, (struct span){text.s, text.len}, 1000))
			abort();
		pace_text(&b, 1000, &again);
		if (!span_eq((struct span){text.s, text.len}, (struct span){again.s, again.len}))
			abort();
	}
	buf_free(&text);
	buf_free(&again);
	return 0;
}
