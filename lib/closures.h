/* closures.h - which sites are closed, and until when, as deliverers have left it in state/sites/.
 *
 * For telling people: nothing is locked, and what cannot be read is not closed.
 */
#ifndef CLOSURES_H
#define CLOSURES_H

#include "conf.h"
#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct closure {
	char *site;
	uint64_t until_s;
	uint32_t failures; /* in a row; 0: it asked for the wait */
};
struct closures {
	struct closure *v; /* by until_s, then by name */
	size_t n;
};
#define CLOSURES_INIT {NULL, 0}

/* Whether this site is closed at now_s; out->site stays NULL. */
bool closure_of(int state_dir, const struct conf *conf, struct span site, uint64_t now_s,
    struct closure *out);

int closures_read(struct closures *l, int state_dir, const struct conf *conf, uint64_t now_s,
    struct err *e);
/* What is moved on because its site is closed becomes due when that opens, to the second or two of a
 * clock that was read twice.  The site that opens nearest to due_s, NULL if none does; *others: how many
 * more it may be as well. */
const struct closure *closures_explain(const struct closures *l, uint64_t due_s, size_t *others);
void closures_free(struct closures *l);

#endif
