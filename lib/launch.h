/* launch.h - our other utilities, started from where our own binary lies, else from PATH.
 *
 * The programs started get no privilege of ours: real ids replace effective ones.  Signals are as at
 * the start.  A privileged process (AT_SECURE) never looks at PATH.
 */
#ifndef LAUNCH_H
#define LAUNCH_H

#include "buf.h"
#include "err.h"

#include <stdbool.h>

struct launch {
	const char *name; /* "smtp-deliver" */
	const char **argv; /* with argv[0] and a NULL at the end */
	bool privileged;
};

/* The program beside our own binary, with its path; EX_UNAVAILABLE: it is not there. */
int launch_path(const char *name, struct buf *out, struct err *e);

/* Becomes that program; returns only when it cannot be. */
int launch_exec(const struct launch *l, struct err *e);

/* Waits for it; *status is as wait(2) gives it. */
int launch_wait(const struct launch *l, int *status, struct err *e);

/* In a session of its own, on /dev/null; nobody waits for it. */
int launch_detached(const struct launch *l, struct err *e);

#endif
