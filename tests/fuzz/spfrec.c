/* An SPF record's terms, and every domain specification and explanation expanded. */
#include "fuzz.h"

#include "spfrec.h"

#include <stdlib.h>

static void
validated(void *arg, struct buf *out)
{
	(void)arg;
	buf_str(out, "unknown");
}

static void
expand(struct span text, bool explain)
{
	struct net_addr ip;
	struct spfrec_values v = {SPAN("strong-bad@email.example.com"), SPAN("strong-bad"),
	    SPAN("email.example.com"), SPAN("email.example.com"), SPAN("h.example"), &ip, SPAN("r.example"),
	    1763769600, validated, NULL};
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;

	net_addr_parse(&ip, SPAN("2001:db8::cb01"), 0);
	if (explain)
		spfrec_explanation(text, &v, &out, &e);
	else if (spfrec_domain(text, &v, &out, &e) == 0 && out.len > 253)
		abort();
	if (out.len > SPFREC_EXPANDED_MAX)
		abort();
	buf_free(&out);
	err_free(&e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span text = {(const char *)p, n};
	struct err e = ERR_INIT;
	struct spfrec r;
	int rc = spfrec_parse(text, &r, &e);

	if (rc != 0 && rc != EX_DATAERR)
		abort();
	for (size_t i = 0; rc == 0 && i < r.n; i++) {
		if (r.v[i].cidr4 > 32 || r.v[i].cidr6 > 128)
			abort();
		if (r.v[i].domain.n > 0)
			expand(r.v[i].domain, false);
	}
	expand(text, false);
	expand(text, true);
	spfrec_free(&r);
	err_free(&e);
	return 0;
}
