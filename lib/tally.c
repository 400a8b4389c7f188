#include "tally.h"

#include "json.h"
#include "prog.h"

#include <stdlib.h>
#include <string.h>

void
tally_add(struct tally *t, enum queue_place place, const struct entry_name *n)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap + t->cap / 2 : 64;
		t->v = mem_grow(t->v, t->cap, sizeof *t->v);
	}
	t->v[t->n++] = (struct tally_row){place, n->stream, n->domain, 1, n->size};
}

static int
compare_spans(struct span a, struct span b)
{
	int d = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return d ? d : a.n < b.n ? -1 : a.n > b.n;
}

static int
compare(const void *va, const void *vb)
{
	const struct tally_row *a = va, *b = vb;
	int d = (int)a->place - (int)b->place;

	if (!d)
		d = compare_spans(a->stream, b->stream);
	return d ? d : compare_spans(a->domain, b->domain);
}

void
tally_sum(struct tally *t)
{
	size_t kept = 0;

	if (t->n > 1)
		qsort(t->v, t->n, sizeof *t->v, compare);
	for (size_t i = 0; i < t->n; i++) {
		struct tally_row *to = &t->v[kept ? kept - 1 : 0];

		if (kept > 0 && compare(to, &t->v[i]) == 0) {
			to->messages += t->v[i].messages;
			to->bytes += t->v[i].bytes;
		} else {
			t->v[kept++] = t->v[i];
		}
	}
	t->n = kept;
}

void
tally_states(struct tally *t, unsigned places)
{
	static const struct span none = {"", 0};
	struct tally out = TALLY_INIT;

	for (unsigned p = IN_NEW; p <= IN_DAMAGED; p++) {
		if (!(places & 1u << p))
			continue;
		tally_add(&out, (enum queue_place)p,
		    &(struct entry_name){.stream = none, .domain = none});
		out.v[out.n - 1].messages = 0;
		for (size_t i = 0; i < t->n; i++)
			if (t->v[i].place == (enum queue_place)p) {
				out.v[out.n - 1].messages += t->v[i].messages;
				out.v[out.n - 1].bytes += t->v[i].bytes;
			}
	}
	tally_free(t);
	*t = out;
}

void
tally_free(struct tally *t)
{
	free(t->v);
	*t = (struct tally)TALLY_INIT;
}

void
tally_text(struct buf *out, const struct tally_row *r, bool by_state)
{
	buf_fmt(out, "%llu\t%llu\t%s", (unsigned long long)r->messages,
	    (unsigned long long)r->bytes, queue_place_names[r->place]);
	if (!by_state) {
		buf_ch(out, '\t');
		prog_escape(out, r->stream);
		buf_ch(out, '\t');
		prog_escape(out, r->domain);
	}
	buf_ch(out, '\n');
}

void
tally_json(struct buf *out, const struct tally_row *r, bool by_state)
{
	json_open(out);
	json_str(out, "state", span_of(queue_place_names[r->place]));
	if (!by_state) {
		json_str(out, "stream", r->stream);
		json_str(out, "domain", r->domain);
	}
	json_num(out, "messages", (int64_t)r->messages);
	json_num(out, "bytes", (int64_t)r->bytes);
	json_close(out);
	buf_ch(out, '\n');
}
