/* An addresses file of any bytes: refused with its line, or somebody is postmaster, every name and target
 * is an address that is parsed again, and who is asked for by any spelling is one and the same. */
#include "fuzz.h"

#include "addr.h"
#include "addresses.h"

#include <stdlib.h>
#include <string.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

static void
is_address(struct span s)
{
	struct cur c = cur_span(s);
	struct err e = ERR_INIT;
	struct addr a;

	want(s.n > 0 && !memchr(s.p, '\n', s.n) && !memchr(s.p, '\0', s.n) && utf8_valid(s));
	want(addr_mailbox(&c, &a, &e) == 0 && cur_end(&c));
	err_free(&e);
}

static void
ask(const struct addresses *a, struct span local)
{
	static const struct span domain = {"h.example", 9};
	char *upper = malloc(local.n + 1);
	struct addresses_found one, other;

	for (size_t i = 0; i < local.n; i++)
		upper[i] = local.p[i] >= 'a' && local.p[i] <= 'z' ? (char)(local.p[i] - 32) : local.p[i];
	want(addresses_find(a, local, domain, "+", &one) ==
	    addresses_find(a, (struct span){upper, local.n}, domain, "+", &other));
	want(one.entry == other.entry && one.extension.n == other.extension.n);
	if (one.entry) {
		is_address(one.entry->name);
		want(one.extension.n < local.n + !local.n);
		want(one.entry->alias == (one.entry->n > 0));
		for (size_t i = 0; i < one.entry->n; i++)
			is_address(one.entry->targets[i]);
	}
	free(upper);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span text = {(const char *)p, n};
	struct cur c = cur_span(text);
	struct err e = ERR_INIT;
	struct addresses *a = NULL;
	struct addresses_found f;
	struct span line;

	if (addresses_parse(&a, text, 1, &e)) {
		want(e.code == EX_DATAERR && strncmp(err_text(&e), "line ", 5) == 0 && !a);
		err_free(&e);
		return 0;
	}
	want(addresses_find(a, SPAN("Postmaster"), SPAN("h.example"), "", &f) && f.entry);
	want(addresses_find(a, SPAN("abuse"), SPAN("h.example"), "+", &f) && f.entry);
	while (cur_line(&c, &line)) {
		struct cur w = cur_span(line);

		ask(a, cur_until(&w, ':'));
		ask(a, line);
	}
	addresses_free(a);
	return 0;
}
