/* submitopt.h - what sendmail's options ask of a message: the values of -B, -N, -O, -o, -R, -V and -X.
 *
 * Pure but for the clock, by which a deadline that is told in seconds becomes a time.
 */
#ifndef SUBMITOPT_H
#define SUBMITOPT_H

#include "buf.h"
#include "conf.h"
#include "entry.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

#define SUBMITOPT_ENVID_MAX 100 /* RFC 3461 4.4 */
#define SUBMITOPT_TAG_MAX 100

struct submitopt {
	bool delivery_said;
	enum conf_delivery delivery;
	bool ignore_dots, quiet, smtputf8, verp;
	uint64_t hold_until_s;
	struct entry_wish asked;
	const char *stream, *tag;  /* lent by the arguments; "": not said */
	struct buf notify, params; /* NOTIFY= of recipients, parameters of MAIL */
};
#define SUBMITOPT_INIT {.stream = "", .tag = "", .notify = BUF_INIT, .params = BUF_INIT}

/* One option and its value: letter is one of "BNOoRVX".  EX_USAGE: no such value. */
int submitopt_take(struct submitopt *o, int letter, const char *value, struct err *e);
void submitopt_free(struct submitopt *o);

#endif
