#include "look.h"

#include "io.h"

#include <stdlib.h>

#define BLOCK 65536

struct collect {
	const struct pick *pick;
	struct names *out;
};

static int
collect(void *arg, const struct queue_at *at, const char *name, const struct entry_name *n)
{
	struct collect *c = arg;

	if (pick_name(c->pick, n) != PICK_NO)
		names_add(c->out, at, name);
	return 0;
}

int
look_names(struct queue *q, const struct pick *p, unsigned places, struct names *out,
    struct err *e)
{
	struct collect c = {p, out};
	int rc = 0;

	for (int place = IN_NEW; place <= IN_SENT && q && !rc; place++)
		if (places & 1u << place)
			rc = queue_scan(q, (enum queue_place)place, UINT64_MAX, collect, &c, e);
	names_sort(out);
	return rc;
}

int
look_open(struct queue *q, const struct pick *p, const struct names *l, size_t i, struct look *k,
    enum look_says *says, struct err *e)
{
	enum queue_took took;
	struct err journal = ERR_INIT;
	int rc = queue_peek(q, &l->v[i].at, names_text(l, i), &k->t, &took, e);

	*says = took == QUEUE_DAMAGED ? LOOK_DAMAGED : LOOK_NO;
	if (rc || took != QUEUE_TOOK)
		return rc;
	if (pick_name(p, &k->t.is) == PICK_OPEN && !pick_envelope(p, &k->t.env)) {
		queue_release(&k->t);
		return 0;
	}
	*says = LOOK_OPEN;
	if (journal_replay(
		(struct span){k->t.journal.s, k->t.journal.len}, k->t.env.n, &k->j, &journal))
		err_set(e, 0, "%s", err_text(&journal));
	err_free(&journal);
	return 0;
}

void
look_close(struct look *k)
{
	journal_free(&k->j);
	queue_release(&k->t);
}

/* How many bytes of the block belong to the header section; *seen of CR LF CR LF went before. */
static size_t
header_part(const char *p, size_t n, unsigned *seen)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == (*seen % 2 ? '\n' : '\r'))
			++*seen;
		else
			*seen = p[i] == '\r';
		if (*seen == 4)
			return i + 1;
	}
	return n;
}

int
look_content(const struct look *k, bool header_only, look_each *each, void *arg, struct err *e)
{
	uint64_t at = k->t.content_off, end = at + k->t.head.content_bytes;
	unsigned seen = 2; /* a message may begin with the empty line */
	char *block = mem_alloc(BLOCK);
	int rc = 0;

	while (at < end && !rc && !(header_only && seen == 4)) {
		size_t n = end - at < BLOCK ? (size_t)(end - at) : BLOCK, got;

		rc = io_pread(k->t.fd, block, n, at, &got, e);
		if (!rc && got < n)
			rc = err_set(e, EX_TEMPFAIL, "%s: cut short", k->t.name);
		if (!rc)
			each(arg, block, header_only ? header_part(block, n, &seen) : n);
		at += n;
	}
	free(block);
	return rc;
}
