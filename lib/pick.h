/* pick.h - which entries are meant: ids, sender, recipient, domain, stream, age.  Pure.
 *
 * Most questions are answered by the name alone; where the sender or one recipient of several
 * is asked for, the envelope must be read.  All conditions that are given must hold.
 */
#ifndef PICK_H
#define PICK_H

#include "buf.h"
#include "entry.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

struct pick_mailbox {
	char *text; /* NULL: any.  local@domain, "@domain" for all of it, "" for the empty sender */
	char *domain; /* as names have it; NULL: cannot be told from a name */
};
struct pick {
	struct buf ids; /* ENTRY_ID bytes each */
	bool by_id, sorted;
	struct pick_mailbox from, to, domain;
	char *stream;
	uint64_t before_us; /* accepted before; 0: any age */
};
#define PICK_INIT {.ids = BUF_INIT}

/* Each EX_USAGE where it is not such a thing.  Addresses may stand in angle brackets. */
int pick_id(struct pick *p, struct span id, struct err *e);
int pick_from(struct pick *p, const char *address, struct err *e);
int pick_to(struct pick *p, const char *address, struct err *e);
int pick_domain(struct pick *p, const char *domain, struct err *e);
void pick_free(struct pick *p);

bool pick_any(const struct pick *p); /* whether there is any condition */

/* Sorts the ids and drops repeated ones; before the first question. */
void pick_ready(struct pick *p);
size_t pick_ids(const struct pick *p);
struct span pick_id_at(const struct pick *p, size_t i);
bool pick_id_find(const struct pick *p, struct span id, size_t *i);

enum pick_says { PICK_NO, PICK_YES, PICK_OPEN }; /* OPEN: ask pick_envelope */
enum pick_says pick_name(const struct pick *p, const struct entry_name *n);
bool pick_envelope(const struct pick *p, const struct envelope *v);

#endif
