/* A text of rules, the first line of the input a text to ask it about: whatever is accepted can be asked,
 * and what the index finds is what asking each rule finds. */
#include "fold.h"
#include "fuzz.h"

#include "plainpattern.h"
#include "reason.h"
#include "rules.h"

#include <stdlib.h>
#include <string.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

static void
ask(const struct rules *r, const struct rules_set *s, struct span folded)
{
	const struct rules_facts f = {.code = 550, .status = SPAN("5.1.1"), .phase = RULES_RCPT,
	    .sites = {SPAN("a")}};
	struct rules_scan c;
	const struct rule *rule, *plain;
	struct span addr;
	size_t at = 0;

	rules_begin(&c, r, s, folded, &f, RULES_ASK_ALL);
	do {
		rule = rules_next(&c);
		plain = plain_next(r, s == &r->lines, &at, folded, &f, &addr);
		want(rule == plain);
		want(c.addr.n == 0 || (c.addr.p >= folded.p && c.addr.p + c.addr.n <= folded.p + folded.n));
	} while (rule);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cur c = cur_of(p, n);
	struct rules r = {.n = 0};
	struct err e = ERR_INIT;
	struct buf folded = BUF_INIT, scratch = BUF_INIT;
	struct span line = {"", 0}, names[2];
	struct reason why;

	if (n > 65536)
		return 0;
	cur_line(&c, &line);
	fold(line, &folded);
	if (rules_add(&r, cur_rest(&c), "x", &e) == 0) {
		const struct reason_in in = {.code = 550, .text = line, .remote = line, .domain = line};

		rules_ready(&r);
		ask(&r, &r.lines, (struct span){folded.s, folded.len});
		ask(&r, &r.reasons, (struct span){folded.s, folded.len});
		rules_sites(&r, line, names, 2);
		reason_find(&r, &in, &scratch, &why);
		want(why.word.n > 0);
	}
	rules_free(&r);
	buf_free(&folded);
	buf_free(&scratch);
	err_free(&e);
	return 0;
}
