#include "dl.h"

#include "buf.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(void *) == sizeof(void (*)(void)), "as POSIX has it for dlsym(3)");

static void
lacks(struct dl *d, const char *file, const char *name)
{
	struct buf why = BUF_INIT;

	if (name)
		buf_fmt(&why, "%s lacks %s", file, name);
	else
		buf_fmt(&why, "%s cannot be loaded", file);
	free(d->why);
	d->why = buf_steal(&why);
}

static bool
load(struct dl *d, const char *file)
{
	void *at = NULL;

	d->handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; d->handle && i < d->n; i++) {
		at = dlsym(d->handle, d->names[i]);
		if (!at) {
			lacks(d, file, d->names[i]);
			dlclose(d->handle);
			d->handle = NULL;
			return false;
		}
		memcpy((char *)d->pointers + i * sizeof at, &at, sizeof at);
	}
	if (!d->handle)
		lacks(d, file, NULL);
	return d->handle;
}

int
dl_need(struct dl *d, int code, struct err *e)
{
	if (!d->tried) {
		pthread_mutex_lock(&d->lock);
		for (size_t i = 0; !d->tried && i < DL_FILES && d->files[i]; i++)
			if (load(d, d->files[i])) {
				free(d->why);
				d->why = NULL;
				break;
			}
		d->tried = true;
		pthread_mutex_unlock(&d->lock);
	}
	return d->why ? err_set(e, code, "%s", d->why) : 0;
}

void
dl_close(struct dl *d)
{
	pthread_mutex_lock(&d->lock);
	if (d->handle)
		dlclose(d->handle);
	free(d->why);
	d->handle = d->why = NULL;
	d->tried = false;
	pthread_mutex_unlock(&d->lock);
}
