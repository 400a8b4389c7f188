/* check.h - every entry of a queue verified; what is not complete is set aside in damaged/. */
#ifndef CHECK_H
#define CHECK_H

#include "events.h"
#include "queue.h"

#include <stdbool.h>
#include <stdint.h>

enum check_what {
	CHECK_DAMAGED,    /* not a complete entry; now in damaged/ */
	CHECK_EARLIER,    /* was set aside before */
	CHECK_UNREADABLE, /* could not be read, and so it is not known */
	CHECK_JOURNAL,    /* complete, but its journal makes no sense */
	CHECK_TWICE,      /* an id that another entry has, too */
	CHECK_FOREIGN     /* a file that is no entry, left where it is */
};
extern const char *const check_names[]; /* "damaged", ... */

struct check {
	struct queue *q;
	struct events *events;
	/* where: "cur/2026112210" */
	void (*each)(void *arg, enum check_what what, const char *where, const char *name,
	    const char *why);
	void *arg;

	uint64_t good, bytes, busy, damaged, other; /* results; busy: in flight, not looked at */
};
/* What cannot be read does not end it; the first reason is its result. */
int check(struct check *c, struct err *e);

#endif
