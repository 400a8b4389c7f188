/* askopt.h - the options of utilities that ask the DNS, and the asker that they lead to.
 *
 *     -C, --config FILE    of the configuration: `resolver`
 *     --resolver LIST      ADDR or ADDR@PORT, comma-separated, instead
 *     --keys FILE          nothing but this file (zonetext.h)
 *     --overlay FILE       these records, as if they were in the DNS
 *     --timeout TIME       of all questions together
 */
#ifndef ASKOPT_H
#define ASKOPT_H

#include "conf.h"
#include "err.h"
#include "resolve.h"

#include <stdbool.h>
#include <stdint.h>

enum { ASKOPT_RESOLVER = 400, ASKOPT_KEYS, ASKOPT_OVERLAY, ASKOPT_TIMEOUT };
#define ASKOPT_OPTIONS                                                                             \
	{"config", required_argument, NULL, 'C'}, {"resolver", required_argument, NULL, ASKOPT_RESOLVER}, \
	    {"keys", required_argument, NULL, ASKOPT_KEYS}, {"overlay", required_argument, NULL, ASKOPT_OVERLAY}, \
	    {"timeout", required_argument, NULL, ASKOPT_TIMEOUT}

struct askopt {
	const char *config, *resolver, *keys, *overlay;
	uint64_t timeout_s; /* 0: the default of the utility */
};

/* Whether option c of getopt_long is one of these: it is kept then.  EX_USAGE in e->code: its value
 * is wrong. */
bool askopt_take(struct askopt *o, int c, const char *value, struct err *e);
/* An option that is none of the utility's own: one of these, --help or --version.  Any other, and a
 * wrong value, ends the process as prog.h does. */
void askopt_other(struct askopt *o, int c, const char *value, const char *usage);

/* Reads the configuration (conf_free() by the caller) and opens the asker. */
int askopt_open(const struct askopt *o, struct conf *conf, struct resolve **r, struct err *e);
/* The time for questions begins: timeout_s, or default_s where none is given. */
void askopt_start(const struct askopt *o, uint64_t default_s, struct resolve *r);

#endif
