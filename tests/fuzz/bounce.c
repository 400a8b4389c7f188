/* A whole bounce of any bytes: read by the shipped rules, the same whatever the pieces, and printed as one
 * JSON object a recipient. */
#include "fuzz.h"

#include "bounce.h"
#include "bounceout.h"
#include "jsonread.h"

#include <stdlib.h>
#include <string.h>

static struct rules rules;

static void
want(bool good)
{
	if (!good)
		abort();
}

static void
check(const struct bounce *b)
{
	size_t n = 0;

	for (const struct bounce_rcpt *r = b->rcpts; r; r = r->next) {
		n++;
		want(r->reply == 0 || (r->reply >= 200 && r->reply <= 599));
		want(r->reason.word.n > 0);
		want(b->is != BOUNCE_NONE);
	}
	want(n == b->n);
	want(b->is != BOUNCE_NONE || n == 0);
}

static void
read_one(const char *p, size_t n, size_t piece, struct buf *out)
{
	struct bounce_reader *b = bounce_new(&rules);
	const struct bounce *found;

	for (size_t at = 0; at < n; at += piece)
		bounce_feed(b, (struct span){p + at, n - at < piece ? n - at : piece});
	found = bounce_end(b);
	check(found);
	bounceout(out, BOUNCEOUT_JSON, SPAN("x"), 2, found, NULL, true);
	bounceout(out, BOUNCEOUT_TSV, SPAN("x"), 2, found, NULL, true);
	bounceout(out, BOUNCEOUT_BRIEF, SPAN("x"), 2, found, NULL, true);
	bounce_del(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf whole = BUF_INIT, pieces = BUF_INIT;
	struct err e = ERR_INIT;
	struct cur c;
	struct span line;

	if (!rules.n) {
		rules_add_shipped(&rules);
		rules_ready(&rules);
	}
	read_one((const char *)p, n, n ? n : 1, &whole);
	read_one((const char *)p, n, 7, &pieces);
	want(whole.len == pieces.len && memcmp(whole.s, pieces.s, whole.len) == 0);
	c = cur_of(whole.s, whole.len);
	while (cur_line(&c, &line) && line.n > 0 && *line.p == '{') {
		struct json_doc *doc = NULL;

		want(json_doc_parse(&doc, line, &e) == 0);
		json_doc_free(doc);
	}
	buf_free(&whole);
	buf_free(&pieces);
	err_free(&e);
	return 0;
}
