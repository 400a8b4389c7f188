/* addr over any bytes: what comes out is clean, within its limits, and comes out of itself again;
 * any phrase stands before an address without changing it. */
#include "fuzz.h"

#include "addr.h"

#include <stdlib.h>
#include <string.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

static void
clean(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		want((unsigned char)s.p[i] >= ' ' && s.p[i] != 127);
	want(utf8_valid(s));
}

static void
same_again(struct span mailbox)
{
	struct buf again = BUF_INIT;
	struct err e = ERR_INIT;

	clean(mailbox);
	want(addr_domain(mailbox).n > 0);
	want(addr_one(mailbox, NULL, &again, &e) == 0);
	want(span_eq(mailbox, (struct span){again.s, again.len}));
	buf_free(&again);
}

static int
each(void *arg, struct span mailbox, struct err *e)
{
	(void)e;
	same_again(mailbox);
	++*(int *)arg;
	return 0;
}

static void
parts(const struct addr *a, struct span from)
{
	want(a->whole.p >= from.p && a->whole.p + a->whole.n <= from.p + from.n);
	want(a->local.p == a->whole.p && a->local.n > 0 && a->local.n <= ADDR_LOCAL_MAX);
	want(a->domain.n <= ADDR_DOMAIN_MAX);
	want(a->whole.n == a->local.n + (a->domain.n ? 1 + a->domain.n : 0));
	want(span_eq(addr_domain(a->whole), a->domain));
	clean(a->whole);
}

static void
cursors(struct span in, struct err *e)
{
	struct cur c = cur_span(in), before = c;
	struct addr a;
	bool null = false;

	if (addr_mailbox(&c, &a, e) == 0)
		parts(&a, (struct span){before.p, (size_t)(c.p - before.p)});
	else
		want(c.p == before.p);
	c = before;
	if (addr_path(&c, &a, &null, e) != 0)
		want(c.p == before.p);
	else if (!null)
		parts(&a, (struct span){before.p, (size_t)(c.p - before.p)});
	else
		want(c.p == before.p + 2);
	want(c.p >= before.p && c.p <= c.end);
}

static void
phrases(struct span in, struct err *e)
{
	struct buf b = BUF_INIT;
	int found = 0;

	addr_phrase(in, &b);
	clean((struct span){b.s, b.len});
	buf_str(&b, " <ann@x.test>");
	want(addr_list((struct span){b.s, b.len}, NULL, each, &found, e) == 0 && found == 1);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = {(const char *)p, n};
	struct err e = ERR_INIT;
	struct buf out = BUF_INIT;
	int found = 0, rc;

	cursors(in, &e);
	if (addr_one(in, "h.test", &out, &e) == 0)
		same_again((struct span){out.s, out.len});
	else
		want(out.len == 0);
	err_free(&e);
	rc = addr_list(in, "h.test", each, &found, &e);
	want(rc == 0 ? !e.text : rc == EX_DATAERR && e.text);
	err_free(&e);
	phrases(in, &e);
	err_free(&e);
	buf_free(&out);
	return 0;
}
