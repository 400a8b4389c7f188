/* sandbox.h - what a deliverer needs from now on, and nothing else: landlock and seccomp.
 *
 * Files: the queue directory, read and written.  System calls: no new program, no other identity, no
 * tracing, mounting, module or key.  Entered before threads are made; they inherit it.  A kernel
 * without landlock (ABI below 2: renames between directories could not be allowed) goes without
 * that half; one without seccomp is EX_OSERR.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "err.h"

int sandbox_enter(const char *queue_dir, struct err *e);

/* No socket but those that are open, no connection but those that come in, no other program. */
int sandbox_receive_only(struct err *e);

#endif
