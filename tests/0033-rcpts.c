/* rcpts: each address once, parts, and those of a domain together. */
#include "rcpts.h"
#include "tap.h"

#include <stdlib.h>

static void
add(struct rcpts *r, const char *addr, const char *params)
{
	struct err e = ERR_INIT;

	if (rcpts_add(r, span_of(addr), span_of(params), &e))
		abort();
}

static const char *
listed(const struct rcpts *r, size_t from, size_t n)
{
	static struct buf b = BUF_INIT;
	struct entry_rcpt *v = mem_alloc((n + 1) * sizeof *v);

	buf_cut(&b, 0);
	rcpts_get(r, from, n, v);
	for (size_t i = 0; i < n; i++)
		buf_fmt(&b, "%s%.*s[%.*s]", i ? " " : "", SPAN_ARG(v[i].addr), SPAN_ARG(v[i].params));
	free(v);
	return b.s;
}

static void
doubles(void)
{
	struct rcpts r = RCPTS_INIT;

	add(&r, "ann@x.example", "NOTIFY=NEVER");
	add(&r, "bob@x.example", "");
	add(&r, "ann@X.Example", "");
	add(&r, "Ann@x.example", "");
	add(&r, "\"a@b\"@x.example", "");
	add(&r, "\"a@B\"@x.example", "");
	is_str(listed(&r, 0, r.n),
	    "ann@x.example[NOTIFY=NEVER] bob@x.example[] Ann@x.example[] \"a@b\"@x.example[] "
	    "\"a@B\"@x.example[]", "domains without case, local parts with");
	rcpts_clear(&r);
	is_num((long long)r.n, 0, "cleared");
	add(&r, "ann@x.example", "");
	is_str(listed(&r, 0, r.n), "ann@x.example[]", "and used again");
	rcpts_free(&r);
}

static void
many(void)
{
	struct rcpts r = RCPTS_INIT;
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	size_t bad = 0;

	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < RCPTS_MAX; i++) {
			buf_cut(&b, 0);
			buf_fmt(&b, "u%d@d%d.example", i, i % 3);
			if (rcpts_add(&r, (struct span){b.s, b.len}, SPAN(""), &e))
				bad++;
		}
	ok(bad == 0 && r.n == RCPTS_MAX, "as many as there may be, each once");
	is_num(rcpts_add(&r, SPAN("v@w"), SPAN(""), &e), EX_DATAERR, "and no more");
	is_str(listed(&r, 0, 2), "u0@d0.example[] u1@d1.example[]", "in order");
	is_mem(rcpts_domain(&r, 0, 3).p, rcpts_domain(&r, 0, 3).n, "", 0, "no common domain");
	rcpts_group(&r);
	is_str(listed(&r, 0, 3), "u0@d0.example[] u3@d0.example[] u6@d0.example[]", "grouped");
	is_str(listed(&r, 33334, 2), "u1@d1.example[] u4@d1.example[]", "the next domain follows");
	is_mem(rcpts_domain(&r, 0, 33334).p, rcpts_domain(&r, 0, 33334).n, B("d0.example"), "one domain");
	is_num((long long)rcpts_domain(&r, 0, 33335).n, 0, "one more is another");
	rcpts_add(&r, SPAN("u5@d2.example"), SPAN(""), &e);
	is_num((long long)r.n, RCPTS_MAX, "doubles are known after grouping");
	buf_free(&b);
	err_free(&e);
	rcpts_free(&r);
}

int
main(void)
{
	doubles();
	many();
	return tap_done();
}
