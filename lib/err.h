/* err.h - how failure is told.
 *
 * What can fail returns 0 or a <sysexits.h> code and takes `struct err *` last.
 * The code the deepest function chooses is the code the process exits with.
 * The text is one clause, lower case, no full stop; err_in() puts context in
 * front on the way up.  The struct owns its text; ERR_INIT and zeroed memory
 * are both empty; setting it again replaces what was there.
 *
 *     return err_set(e, EX_DATAERR, "header line over %d bytes", MSG_LINE_MAX);
 *     return err_sys(e, "connect %s", addr.s);        ": strerror(errno)" follows
 *     if (net_connect(&fd, host, deadline_ms, e))
 *             return err_in(e, "relay %s", host);
 *
 * Text from outside goes through err_safe() or is escaped by whoever prints it:
 * prog_die() and the event log escape control characters.
 */
#ifndef ERR_H
#define ERR_H

#include <sysexits.h>

struct err {
	int code;
	char *text;
};
#define ERR_INIT {0, NULL}

int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* From errno, which stays: EX_NOPERM for EACCES and EPERM, EX_TEMPFAIL for all else. */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "context: " in front of what is there; returns the code unchanged. */
int err_in(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const char *err_text(const struct err *e); /* "" where nothing is set; borrowed from e */
void err_free(struct err *e);

#endif
