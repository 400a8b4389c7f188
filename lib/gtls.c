#include "gtls.h"

#include "buf.h"
#include "sys.h"

#include <string.h>

struct gtls gtls;
static struct dl library = DL_INIT(gtls, GTLS_CALLS, SYS_LIBGNUTLS);

int
gtls_load(struct err *e)
{
	return dl_need(&library, EX_TEMPFAIL, e);
}

int
gtls_fail(struct err *e, int code, const char *what, int why)
{
	const char *text = gtls.gnutls_strerror(why);
	size_t n = strlen(text);

	if (why == GNUTLS_E_MEMORY_ERROR)
		mem_none();
	if (n > 0 && text[n - 1] == '.')
		n--;
	return err_set(e, code, "%s: %.*s", what, (int)n, text);
}
