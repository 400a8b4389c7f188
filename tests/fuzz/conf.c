/* The text of a configuration file, through our check and libconfuse. */
#include "fuzz.h"

#include "conf.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct err e = ERR_INIT;
	struct conf c;
	int rc = conf_parse(&c, "fuzz", (struct span){(const char *)p, n}, &e);

	if (rc != 0 && rc != EX_CONFIG)
		__builtin_trap();
	conf_free(&c);
	err_free(&e);
	return 0;
}
