/* Dates: an hour that is read is written the same; a time that is read is written and read again, and as a Date field is one. */
#include "fuzz.h"

#include "date.h"

#include <stdlib.h>
#include <string.h>

#define YEAR_10000_S 253402300800u

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span text = {(const char *)p, n};
	struct buf again = BUF_INIT;
	uint64_t s, same;
	char hour[11];

	if (date_hour_parse(text, &s)) {
		date_hour(hour, s);
		if (s % 3600 != 0 || n != 10 || memcmp(hour, p, 10) != 0)
			abort();
	}
	if (date_iso_parse(text, &s) && s < YEAR_10000_S) {
		date_iso(&again, s * 1000000);
		if (!date_iso_parse((struct span){again.s, again.len}, &same) || same != s)
			abort();
		buf_cut(&again, 0);
		date_rfc5322(&again, (int64_t)s, 60);
		if (!date_rfc5322_ok((struct span){again.s, again.len}))
			abort();
	}
	date_rfc5322_ok(text);
	buf_free(&again);
	return 0;
}
