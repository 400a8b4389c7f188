/* zonetext_parse over any bytes: what it keeps can be looked up, and names are names. */
#include "fuzz.h"

#include "zonetext.h"

#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const enum answers_type types[] = {ANSWERS_A, ANSWERS_AAAA, ANSWERS_TXT, ANSWERS_MX,
	    ANSWERS_PTR, ANSWERS_CNAME};
	struct zonetext *z;
	struct err e = ERR_INIT;

	if (zonetext_parse(&z, (struct span){(const char *)p, n}, "fuzz", &e) == 0)
		for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
			struct answers a = ANSWERS_INIT;
			enum zonetext_says says = zonetext_find(z, "a.example", types[i], &a);

			if ((says == ZONETEXT_UNKNOWN || says == ZONETEXT_LISTED) != (a.n == 0 &&
			    a.says == ANSWERS_NXDOMAIN) && says != ZONETEXT_ANSWER)
				abort();
			for (size_t k = 0; k < a.n; k++)
				if ((types[i] == ANSWERS_A && says == ZONETEXT_ANSWER &&
				    a.v[k].addr.u.sa.sa_family != AF_INET) || a.v[k].text.len > ZONETEXT_TXT_MAX)
					abort();
			answers_free(&a);
		}
	zonetext_free(z);
	err_free(&e);
	return 0;
}
