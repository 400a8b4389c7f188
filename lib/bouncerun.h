/* bouncerun.h - many bounces read by all processors, their lines written in the order of the input.
 *
 * The caller feeds messages (it is a mailsrc_sink); they are gathered into jobs, read by threads,
 * and written by the caller's thread as soon as it is their turn.  No thread is started for what
 * fits into one job.  A message over BOUNCERUN_BIG is read as it comes, by the caller.  So
 * memory is bounded: two jobs a thread and what a bounce_reader keeps.
 */
#ifndef BOUNCERUN_H
#define BOUNCERUN_H

#include "bounceout.h"
#include "mailsrc.h"

#include <stdbool.h>

#define BOUNCERUN_JOB (256 * 1024)   /* bytes, or */
#define BOUNCERUN_MESSAGES 128       /* messages in a job */
#define BOUNCERUN_BIG (1024 * 1024)
#define BOUNCERUN_THREADS 64

struct bouncerun_options {
	const struct rules *rules;
	enum bounceout_form form;
	bool explain;
	bool tell;         /* of every message that is no bounce, or names nobody, by note() */
	unsigned threads;  /* 0: as many as there are processors */
	/* In the caller's thread: lines, and notes for people. */
	void (*write)(void *arg, struct span lines);
	void (*note)(void *arg, struct span line);
	/* In any thread: whatever is known or done of one.  NULL: nothing. */
	void (*look)(void *arg, const struct bounce *b, struct bounceout_more *more);
	const unsigned char *key; /* of return paths (verp.h); NULL: none */
	uint64_t now_s;
	void *arg;
};

struct bouncerun;

struct bouncerun *bouncerun_new(const struct bouncerun_options *o);
void bouncerun_sink(struct bouncerun *r, struct mailsrc_sink *out); /* but bad() */

struct bouncerun_sum {
	size_t messages, recipients, others, nobody; /* others: no bounces; nobody: bounces of nobody */
};
void bouncerun_end(struct bouncerun *r, struct bouncerun_sum *sum); /* all is written; r is gone */

#endif
