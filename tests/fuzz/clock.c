/* The state of the clock: what is written is read the same, and a day of minutes is believed
 * whatever was remembered. */
#include "clock.h"

#include "fuzz.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const uint64_t now = 1763769600;
	struct clock_state a, b;
	struct buf text = BUF_INIT;

	if (!clock_parse(&a, (struct span){(const char *)p, n}))
		return 0;
	clock_text(&a, &text);
	if (!clock_parse(&b, (struct span){text.s, text.len}) || a.latest_s != b.latest_s ||
	    a.candidate_s != b.candidate_s || a.candidate_last_s != b.candidate_last_s)
		abort();
	for (uint64_t t = now; t < now + CLOCK_TRUST_S; t += 60)
		clock_judge(&a, t);
	if (clock_judge(&a, now + CLOCK_TRUST_S) != CLOCK_OK)
		abort();
	buf_free(&text);
	return 0;
}
