#include "psl.h"

#include <libpsl.h>

/* psl_ctx_t is a struct of libpsl's; ours only names it. */
static const psl_ctx_t *
context(const struct psl *p)
{
	return (const psl_ctx_t *)p;
}

int
psl_open(struct psl **p, struct err *e)
{
	*p = (struct psl *)psl_latest(NULL);
	return *p ? 0 : err_set(e, EX_UNAVAILABLE, "no public suffix list on this machine");
}

void
psl_close(struct psl *p)
{
	if (p)
		psl_free((psl_ctx_t *)p);
}

void
psl_organization(const struct psl *p, struct span domain, struct buf *out)
{
	struct buf name = BUF_INIT;
	const char *found;

	for (size_t i = 0; i < domain.n; i++)
		buf_ch(&name, (char)ascii_lower((unsigned char)domain.p[i]));
	found = psl_registrable_domain(context(p), name.s);
	buf_str(out, found ? found : name.s);
	buf_free(&name);
}
