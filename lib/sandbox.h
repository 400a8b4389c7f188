/* sandbox.h - what a deliverer needs from now on, and nothing else: landlock and seccomp.
 *
 * Files: the queue directory, read and written; in it files and directories are made, nothing else.
 * System calls: no other program or process, no identity, no memory to run code from, no socket but
 * to the internet, no tracing, mounting, module or key.  Entered before threads are made; they
 * inherit it.  What is open already stays usable.  It is for good.
 *
 * A kernel without landlock (ABI below 2: renames between directories could not be allowed) goes
 * without that half; one without seccomp is EX_TEMPFAIL; a processor whose calls nobody has looked
 * at (sys.h) goes without seccomp.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>

int sandbox_enter(const char *queue_dir, struct err *e);

/* The same for a process that makes another by fork for each client, before the first of them, which
 * inherit it; and in each of these, for its files, when it is the queue's user.  To put a filter in place is
 * not for every client: it is compiled, and newer kernels make all processors forget their branches when
 * one is (measured, the half of what a client with one message cost).
 * Left, since the first process needs them: fork, but for root alone once sandbox_client was called
 * (RLIMIT_NPROC is 0; threads too, therefore); accept, with nothing that listens; identities, with no right to
 * another.  abort() ends with another signal: nobody may send one. */
int sandbox_hall(struct err *e);
int sandbox_client(int rules, struct err *e);
/* What sandbox_client keeps to, as a descriptor, made once for many: for the directory that is there now, not for
 * another one that takes its place.  -1: the kernel has no landlock. */
int sandbox_rules(const char *queue_dir, int *rules, struct err *e);

/* As sandbox_enter, and what deliveries on this machine need. */
struct sandbox_also {
	struct sandbox_drop { /* files are made, linked and removed below, and none is read */
		const char *dir;  /* missing: nothing can be done there */
		bool make_dirs;
	} *drops;
	size_t n_drops;
	bool unix_sockets; /* to connect to; which, only their permissions say */
};
int sandbox_enter_also(const char *queue_dir, const struct sandbox_also *also, struct err *e);

/* No socket but those that are open, no connection but those that come in, no other program. */
int sandbox_receive_only(struct err *e);

#endif
