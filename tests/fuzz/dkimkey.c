/* A DKIM key record. */
#include "fuzz.h"

#include "dkimkey.h"

#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span text = {(const char *)p, n};
	struct err e = ERR_INIT;
	struct dkimkey k;
	int rc = dkimkey_parse(text, &k, &e);

	if (rc != 0 && rc != EX_DATAERR)
		abort();
	if (rc == 0 && (k.p.len > n || !dkimkey_is(text)))
		abort();
	dkimkey_free(&k);
	err_free(&e);
	return 0;
}
