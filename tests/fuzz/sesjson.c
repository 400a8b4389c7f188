/* A notification of Amazon SES in the text of a message. */
#include "fuzz.h"

#include "sesjson.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena a = ARENA_INIT;
	static struct dsn dsn;
	static struct arf arf;
	enum sesjson_is is;

	dsn = (struct dsn){0};
	arf = (struct arf){0};
	is = sesjson_parse((struct span){(const char *)p, n}, &a, &dsn, &arf);
	if ((is == SESJSON_COMPLAINT && arf.n > ARF_RCPT_MAX) || is > SESJSON_COMPLAINT)
		abort();
	arena_free(&a);
	return 0;
}
