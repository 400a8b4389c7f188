/* dsn, arf and the JSON of Amazon SES over any bytes: what is found is of the form that is promised. */
#include "fuzz.h"

#include "arf.h"
#include "dsn.h"
#include "sesjson.h"

#include <stdlib.h>
#include <string.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

static void
check_address(struct span a)
{
	want(a.n == 0 || (memchr(a.p, '@', a.n) && *a.p != '@'));
}

static void
check_status(struct span s)
{
	struct cur c = cur_span(s);
	uint64_t n;

	if (s.n == 0)
		return;
	want(cur_u64(&c, 5, &n) && (n == 2 || n == 4 || n == 5) && cur_ch(&c, '.'));
	want(cur_u64(&c, 999, &n) && cur_ch(&c, '.') && cur_u64(&c, 999, &n) && cur_end(&c));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span text = {(const char *)p, n};
	struct arena a = ARENA_INIT;
	struct dsn d;
	struct arf f;
	size_t count = 0;
	int code;

	want(dsn_parse(text, &a, &d) == (d.rcpts != NULL));
	for (const struct dsn_rcpt *r = d.rcpts; r; r = r->next) {
		check_address(r->final);
		check_address(r->original);
		check_address(r->actual);
		check_status(r->status);
		count++;
	}
	want(count <= DSN_RCPT_MAX && count <= d.n);
	arf_parse(text, &a, &f);
	want(f.n <= ARF_RCPT_MAX);
	for (size_t i = 0; i < f.n; i++)
		check_address(f.rcpts[i]);
	check_status(dsn_status_in(text));
	check_address(dsn_address(text, &a));
	code = dsn_code_in(text);
	want(code == 0 || (code >= 400 && code <= 599));
	sesjson_parse(text, &a, &d, &f);
	arena_free(&a);
	return 0;
}
