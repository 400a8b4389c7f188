#include "gtls.h"

#include "sys.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

struct gtls gtls;
static const char *lib_error; /* why there is none */

static void
load(void)
{
	void *so = dlopen(SYS_LIBGNUTLS, RTLD_NOW | RTLD_LOCAL);
	void *f;

	if (!so) {
		lib_error = SYS_LIBGNUTLS " cannot be loaded";
		return;
	}
#define FIND(name)                                                                                 \
	f = dlsym(so, #name);                                                                      \
	if (!f)                                                                                    \
		lib_error = SYS_LIBGNUTLS " lacks " #name;                                         \
	memcpy(&gtls.name, &f, sizeof f);
	GTLS_CALLS(FIND)
}

int
gtls_load(struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	return lib_error ? err_set(e, EX_TEMPFAIL, "%s", lib_error) : 0;
}
