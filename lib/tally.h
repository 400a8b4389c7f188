/* tally.h - messages counted by state, stream and domain.  Spans are the caller's. */
#ifndef TALLY_H
#define TALLY_H

#include "queue.h"

#include <stdbool.h>
#include <stdint.h>

struct tally_row {
	enum queue_place place;
	struct span stream, domain; /* empty in a tally by state alone */
	uint64_t messages, bytes;
};
struct tally {
	struct tally_row *v;
	size_t n, cap;
};
#define TALLY_INIT {NULL, 0, 0}

void tally_add(struct tally *t, enum queue_place place, const struct entry_name *n);
void tally_sum(struct tally *t); /* equal rows become one; sorted by state, stream, domain */
void tally_states(struct tally *t, unsigned places); /* one row a state, also where there is none */
void tally_free(struct tally *t);

/* A line: messages, bytes, state, and stream and domain unless by_state; or a JSON object. */
void tally_text(struct buf *out, const struct tally_row *r, bool by_state);
void tally_json(struct buf *out, const struct tally_row *r, bool by_state);

#endif
