#include "dl.h"

#include "buf.h"

#include <dlfcn.h>
#include <string.h>

_Static_assert(sizeof(void *) == sizeof(void (*)(void)), "as POSIX has it for dlsym(3)");

char *
dl_load(const char *library, const char *const *names, size_t n, void *pointers)
{
	void *so = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	struct buf why = BUF_INIT;

	if (!so) {
		buf_fmt(&why, "%s cannot be loaded", library);
		return buf_steal(&why);
	}
	for (size_t i = 0; i < n; i++) {
		void *at = dlsym(so, names[i]);

		if (!at) {
			buf_fmt(&why, "%s lacks %s", library, names[i]);
			return buf_steal(&why);
		}
		memcpy((char *)pointers + i * sizeof at, &at, sizeof at);
	}
	return NULL;
}
