#include "gtls.h"

#include "sys.h"

#include <pthread.h>

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
