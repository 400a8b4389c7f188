/* A DMARC record, alone and as the only one that the DNS has. */
#include "fuzz.h"

#include "dmarc.h"

#include <stdlib.h>

static bool
inside(struct span s, const uint8_t *p, size_t n)
{
	return s.n == 0 || ((const uint8_t *)s.p >= p && (const uint8_t *)s.p + s.n <= p + n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span text = {(const char *)p, n};
	struct err e = ERR_INIT;
	struct dmarc_record r;
	int rc = dmarc_parse(text, &r, &e);

	if (rc != 0 && rc != EX_DATAERR)
		abort();
	if (rc == 0 && (!dmarc_is(text) || !inside(r.rua, p, n) || !inside(r.ruf, p, n) || r.pct > 100 ||
	                   (!r.has_sp && r.sp != r.p)))
		abort();
	err_free(&e);
	return 0;
}
