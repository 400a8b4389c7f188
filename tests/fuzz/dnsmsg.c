/* dnsmsg_parse over any bytes: what it hands out is fit to be asked for and connected to.  The
 * first byte chooses the type; the name is the question's own where it can be read, so that inputs
 * reach the records. */
#include "fuzz.h"

#include "dnsmsg.h"

#include <stdlib.h>
#include <string.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

/* The question's name as text, or "x" where it is none that we would ask for. */
static char *
asked(const uint8_t *p, size_t n)
{
	struct buf b = BUF_INIT;

	for (size_t i = 12; i < n && p[i] > 0 && i + p[i] < n; i += p[i] + 1u) {
		if (b.len)
			buf_ch(&b, '.');
		buf_add(&b, p + i + 1, p[i]);
	}
	if (strlen(b.s) != b.len || !dnsmsg_name_ok(b.s)) {
		buf_cut(&b, 0);
		buf_ch(&b, 'x');
	}
	return buf_steal(&b);
}

static void
check(const struct dnsmsg_answer *a, uint16_t type)
{
	for (size_t i = 0; i < a->is.n; i++) {
		const struct answers_record *r = &a->is.v[i];

		if (type == ANSWERS_MX)
			want(r->text.len == 0 || dnsmsg_name_ok(r->text.s));
		if (type == ANSWERS_A || type == ANSWERS_AAAA)
			want(r->addr.u.sa.sa_family == AF_INET || r->addr.u.sa.sa_family == AF_INET6);
	}
	want(!a->cname || (dnsmsg_name_ok(a->cname) && a->is.says == ANSWERS_NODATA && a->is.n == 0));
	want(a->is.ttl_s <= INT32_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint16_t types[] = {ANSWERS_MX, ANSWERS_A, ANSWERS_AAAA, ANSWERS_TLSA};
	struct span answer = {(const char *)p + 1, n - 1};
	struct dnsmsg_answer a;
	struct buf query = BUF_INIT;
	struct err e = ERR_INIT;
	uint16_t type;
	char *name;

	if (n < 3)
		return 0;
	type = types[p[0] % 4];
	name = asked(p + 1, n - 1);
	want(dnsmsg_query(&query, name, type, (uint16_t)(p[1] << 8 | p[2]), p[0] & 128, &e) == 0);
	if (dnsmsg_matches((struct span){query.s, query.len}, answer))
		want(answer.n >= 12 && dnsmsg_rcode(answer) < 16);
	if (dnsmsg_parse(answer, name, type, &a, &e) == 0) {
		check(&a, type);
		dnsmsg_free(&a);
	}
	free(name);
	buf_free(&query);
	err_free(&e);
	return 0;
}
