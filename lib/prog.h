/* prog.h - what every utility does the same way: its start, its messages, its end.
 *
 * People read stderr, data goes to stdout.  Messages are "name: text", with
 * control characters of the text escaped as \xNN, so a peer's reply cannot
 * drive a terminal.
 */
#ifndef PROG_H
#define PROG_H

#include "buf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>

#define PROG_VERSION "0.1.0"

/* Name for messages, SIGPIPE and SIGXFSZ ignored, SIGCHLD not, no signal blocked, umask 077,
 * descriptors 0 to 2 open (one that was closed fails when it is used). */
void prog_start(const char *prog);

_Noreturn void prog_usage(const char *usage);   /* on stderr, EX_USAGE */
/* The same, behind what is wrong: "name: text". */
_Noreturn void prog_wrong(const char *usage, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void prog_help(const char *usage);    /* on stdout, 0 */
_Noreturn void prog_version(void);              /* on stdout, 0 */
_Noreturn void prog_die(const struct err *e);   /* "name: text", exits with e->code */
_Noreturn void prog_value_wrong(struct err *e, const char *option); /* what it was given: "name: option: text", EX_USAGE */
void prog_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void prog_trouble(void *arg, const struct err *e); /* the same, for those who call back; arg is nothing */

/* Long options every utility has; `c` values are above any letter. */
enum { PROG_HELP = 256, PROG_VERSION_OPT, PROG_QUEUE, PROG_CONFIG, PROG_JSON, PROG_OWN };
#define PROG_OPTIONS                                                                               \
	{"help", no_argument, NULL, PROG_HELP}, {"version", no_argument, NULL, PROG_VERSION_OPT}

/* Text fit for one line of a terminal or log: bytes below SP, DEL and invalid UTF-8 as \xNN,
 * backslash doubled.  Appends to b. */
void prog_escape(struct buf *b, struct span s);

/* A record on stdout: fields joined by TAB, each escaped.  The list ends with NULL. */
void out_record(const char *first, ...) __attribute__((sentinel));
void out_bytes(const void *p, size_t n);
void out_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void out_flush(void); /* what was written so far, for whoever reads along; out_close() tells of errors */

/* Flushes and closes stdout: 0, or EX_TEMPFAIL and a message when it could not be written
 * (without the message where the reader of a pipe went away). */
int out_close(void);

#endif
