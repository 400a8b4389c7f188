/* What inotify(7) tells, of any bytes: the names that are given are entries' names. */
#include "fuzz.h"

#include "watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

static int
each(void *arg, const struct queue_at *at, const char *name, const struct entry_name *n)
{
	struct entry_name again;

	if (!entry_name_parse(span_of(name), &again) || again.due != n->due ||
	    (at->place != IN_NEW && at->place != IN_CUR))
		abort();
	++*(size_t *)arg;
	return 0;
}

/* The bytes become whole events, as the kernel writes no others: a name's length, then the name. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct watch w = {-1, true, 1, 2, 3, 4, 1795309200, 1795305600};
	_Alignas(struct inotify_event) char events[4096];
	size_t used = 0, at = 0, count = 0;
	unsigned look = 0;

	while (at + 3 <= n) {
		struct inotify_event v = {.wd = p[at] % 6, .mask = 1u << (p[at + 1] % 32)};
		size_t len = p[at + 2] < n - at - 3 ? p[at + 2] : n - at - 3;

		v.len = len > 0 ? (uint32_t)((len + 16) / 16 * 16) : 0;
		if (used + sizeof v + v.len > sizeof events)
			break;
		memcpy(events + used, &v, sizeof v);
		memset(events + used + sizeof v, 0, v.len);
		memcpy(events + used + sizeof v, p + at + 3, len);
		used += sizeof v + v.len;
		at += 3 + len;
	}
	if (watch_events(&w, events, used, each, &count, &look) != 0)
		abort();
	return 0;
}
