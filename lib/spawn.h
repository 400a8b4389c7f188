/* spawn.h - the one process that may start programs, forked before threads and confinement.
 *
 * A confined process cannot exec.  So what it may ever start is listed at the start - argument vectors
 * of the configuration - and a child that keeps the right to do so waits for the number of one of
 * them, and for nothing else.  A program is started without a shell, in a session of its own, with its
 * standard input and output as told, standard error ours or as told, an environment of PATH, HOME, LANG and
 * what the caller adds, and nothing else that is open.  When its time is over it and its session
 * are killed.  When we die the spawner sees it and kills what it started; none of them takes what it has got
 * by then for the whole, for the spawner holds its input open until all of it was given.
 *
 * Safe for many threads; programs run beside each other, SPAWN_MAX at most.
 */
#ifndef SPAWN_H
#define SPAWN_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

#define SPAWN_MAX 256           /* programs at one time; more wait */
#define SPAWN_TEXT_MAX 65536    /* bytes of arguments and environment that a job adds */

struct spawn;

/* programs: vectors that end with NULL, copied; argv[0] is an absolute path. */
int spawn_start(struct spawn **s, const char *const *const *programs, size_t n, struct err *e);
void spawn_stop(struct spawn *s); /* what still runs is killed */
/* A descriptor that can be read once it has died, and nothing can be started any more; of NULL -1, which poll(2)
 * passes over. */
int spawn_end_fd(const struct spawn *s);

struct spawn_job {
	uint32_t program;           /* its number in the list */
	const char *const *args;    /* behind the list's own, ending with NULL; NULL: none */
	const char *const *env;     /* "NAME=value", likewise */
	struct span in;             /* what it reads, of any length */
	int in_at;                  /* the descriptor it reads that from: 0, or 3 as checkpassword does */
	int in_file;                /* with in empty: this is its standard input, from where it stands; -1: none */
	size_t out_max;             /* of what it prints: more is EX_DATAERR.  0: it prints to /dev/null */
	int64_t deadline_ms;
	const _Atomic bool *stop;   /* NULL, or whoever sets it ends the wait: EX_TEMPFAIL "the run ends" */
	/* What it reads when `in` is empty, a block at a time; an empty block ends it.  Where this fails the
	 * program is killed. */
	int (*next)(void *arg, struct span *block, struct err *e);
	void *arg;
	bool err_too;               /* standard error goes where standard output goes */
	bool cut;                   /* what it prints beyond out_max is thrown away, and is no error */
	int64_t grace_ms;           /* between SIGTERM at the deadline and SIGKILL; 0: at once SIGKILL, and
	                             * nobody waits for it */
};
#define SPAWN_JOB_INIT {.in_file = -1}

/* Waits for it.  *status as wait(2) gives it.  EX_TEMPFAIL "timed out"; what could not be started at
 * all exits 127 as in a shell. */
int spawn_run(struct spawn *s, const struct spawn_job *j, struct buf *out, int *status,
    struct err *e);

/* "/usr/bin/pass show 'my mail'" to a vector (of one piece of memory, free() it): blanks separate,
 * '...' and "..." keep them, nothing else has a meaning.  EX_CONFIG: no closing quote, nothing, or not an
 * absolute path. */
int spawn_words(const char *text, char ***argv, struct err *e);

#endif
