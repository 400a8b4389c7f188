#include "gtls.h"

#include "buf.h"
#include "sys.h"

#include <pthread.h>
#include <string.h>

struct gtls gtls;
static const char *lib_error; /* why there is none */

static void
load(void)
{
	static const char *const names[] = {GTLS_CALLS(DL_NAME)};

	lib_error = dl_load(SYS_LIBGNUTLS, names, sizeof names / sizeof *names, &gtls);
}

int
gtls_load(struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	return lib_error ? err_set(e, EX_TEMPFAIL, "%s", lib_error) : 0;
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
