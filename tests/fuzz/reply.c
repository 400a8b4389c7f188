/* reply over any bytes: lines are taken whole or not at all, nothing that ends a line gets into
 * the text, a status has the class of its code, a hint its limit. */
#include "fuzz.h"

#include "reply.h"

#include <stdlib.h>
#include <string.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

static void
check_status(const struct reply *r)
{
	struct cur c = cur_of(r->status, strlen(r->status));
	uint64_t part;

	if (r->status[0] == '\0')
		return;
	want(cur_u64(&c, 5, &part) && part == (uint64_t)(r->code / 100) && part != 3);
	want(cur_ch(&c, '.') && cur_u64(&c, 999, &part));
	want(cur_ch(&c, '.') && cur_u64(&c, 999, &part) && cur_end(&c));
}

static void
check_reply(const struct reply *r)
{
	struct span text = {r->text.s, r->text.len};
	struct ehlo h;

	want(text.n <= REPLY_MAX);
	want(r->code == 0 || (r->code >= 200 && r->code <= 599));
	want(!memchr(text.p, '\r', text.n) && !memchr(text.p, '\0', text.n));
	check_status(r);
	ehlo_parse(&h, r);
	want(h.size_known || h.size == 0);
	want(reply_wait_hint(text) <= 86400);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cur c = cur_of(p, n);
	struct reply r = REPLY_INIT;
	struct err e = ERR_INIT;

	want(reply_wait_hint((struct span){(const char *)p, n}) <= 86400);
	while (!cur_end(&c)) {
		struct cur before = c;
		struct reply_line line;

		if (reply_line(&c, &line, &e)) {
			want(c.p == before.p);
			break;
		}
		want(c.p > before.p && c.p[-1] == '\n' && c.p[-2] == '\r');
		want(c.p == line.text.p + line.text.n + 2);
		if (reply_add(&r, &line, &e)) {
			check_reply(&r);
			reply_clear(&r);
		} else if (line.last) {
			check_reply(&r);
			want(r.code == line.code);
			reply_clear(&r);
		}
	}
	check_reply(&r);
	reply_free(&r);
	err_free(&e);
	return 0;
}
