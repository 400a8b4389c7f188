/* Lines of an import: what is taken comes out as a line that is taken again, and says the same. */
#include "fuzz.h"

#include "suppress.h"

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
	struct suppressline v = {.reason = SPAN("manual"), .source = SPAN("import"), .scope = SUPPRESS_EVERY,
	    .since_s = 1}, again = v;
	struct buf line = BUF_INIT, twice = BUF_INIT;
	struct err e = ERR_INIT;

	if (suppressline_parse((struct span){(const char *)p, n}, &v, &e) == 0 && v.address.n > 0 && v.since_s > 0) {
		suppressline_text(&v, &line);
		want(suppressline_parse((struct span){line.s, line.len}, &again, &e) == 0);
		want(span_eq(again.address, v.address) && span_eq(again.reason, v.reason) &&
		    span_eq(again.scope, v.scope) && again.since_s == v.since_s && again.until_s == v.until_s);
		suppressline_text(&again, &twice);
		want(span_eq((struct span){line.s, line.len}, (struct span){twice.s, twice.len}));
	}
	suppressline_reason_ok((struct span){(const char *)p, n});
	err_free(&e);
	buf_free(&line);
	buf_free(&twice);
	return 0;
}
