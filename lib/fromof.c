#include "fromof.h"

#include "addr.h"
#include "idn.h"

struct authors {
	struct buf domain; /* of the first */
	size_t n;
	bool differ;
};

static int
author(void *arg, struct span mailbox, struct err *e)
{
	struct authors *a = arg;
	struct buf one = BUF_INIT;

	if (idn_to_ascii(addr_domain(mailbox), &one, e)) {
		buf_free(&one);
		return e->code;
	}
	if (a->n++ == 0)
		buf_add(&a->domain, one.s, one.len);
	a->differ |= !span_eq((struct span){one.s, one.len}, (struct span){a->domain.s, a->domain.len});
	buf_free(&one);
	return 0;
}

int
fromof_domain(const struct dkimhead *h, struct buf *out, struct err *e)
{
	size_t n = dkimhead_count(h, SPAN("From"));
	struct authors a = {.domain = BUF_INIT};
	int rc;

	if (n != 1)
		return err_set(e, EX_DATAERR, n ? "%zu From fields" : "no From field", n);
	rc = addr_list(h->fields[dkimhead_last(h, SPAN("From"))].value, NULL, author, &a, e);
	if (!rc && a.n == 0)
		rc = err_set(e, EX_DATAERR, "no address in From");
	if (!rc && a.differ)
		rc = err_set(e, EX_DATAERR, "addresses of several domains in From");
	if (!rc)
		buf_add(out, a.domain.s, a.domain.len);
	buf_free(&a.domain);
	return rc;
}
