/* The small formats over any bytes: what is encoded is decoded again, what is escaped is one clean
 * line, a domain name that is taken is taken again as it is. */
#include "fuzz.h"

#include "date.h"
#include "idn.h"
#include "json.h"
#include "jsonread.h"
#include "prog.h"
#include "xtext.h"

#include <stdlib.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

static void
no_controls(const struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		want((unsigned char)b->s[i] >= ' ' && b->s[i] != 127);
	want(utf8_valid((struct span){b->s, b->len}));
}

static void
xtexts(struct span in)
{
	struct buf a = BUF_INIT, b = BUF_INIT;

	xtext_encode(in, &a);
	want(in.n == 0 || xtext_ok((struct span){a.s, a.len}));
	want(xtext_decode((struct span){a.s, a.len}, &b));
	want(span_eq(in, (struct span){b.s, b.len}));
	buf_cut(&b, 0);
	want(xtext_decode(in, &b) == (in.n == 0 || xtext_ok(in)));
	buf_cut(&a, 0);
	buf_cut(&b, 0);
	if (xtext_utf8_encode(in, &a)) {
		want(xtext_utf8_decode((struct span){a.s, a.len}, &b));
		want(span_eq(in, (struct span){b.s, b.len}));
	}
	buf_cut(&a, 0);
	buf_cut(&b, 0);
	if (xtext_utf8_decode(in, &a)) {
		no_controls(&a);
		want(xtext_utf8_encode((struct span){a.s, a.len}, &b));
	}
	buf_free(&a);
	buf_free(&b);
}

static void
domains(struct span in, struct err *e)
{
	struct buf a = BUF_INIT, b = BUF_INIT;

	if (idn_to_ascii(in, &a, e) == 0) {
		no_controls(&a);
		for (size_t i = 0; i < a.len; i++)
			want((unsigned char)a.s[i] < 128 && !(a.s[i] >= 'A' && a.s[i] <= 'Z'));
		want(a.len > 0 && a.len <= 253 && idn_to_ascii((struct span){a.s, a.len}, &b, e) == 0);
		want(span_eq((struct span){a.s, a.len}, (struct span){b.s, b.len}));
	}
	want(a.len > 0 || b.len == 0);
	buf_free(&a);
	buf_free(&b);
}

static void
escapes(struct span in, struct err *e)
{
	struct buf a = BUF_INIT;
	struct json_doc *d;

	prog_escape(&a, in);
	no_controls(&a);
	buf_cut(&a, 0);
	json_open(&a);
	json_str(&a, "s", in);
	json_close(&a);
	no_controls(&a);
	want(json_doc_parse(&d, (struct span){a.s, a.len}, e) == 0);
	if (utf8_valid(in))
		want(span_eq(in, json_get_str(json_doc_root(d), "s")));
	json_doc_free(d);
	buf_free(&a);
}

static void
dates(struct span in)
{
	struct buf a = BUF_INIT;
	uint64_t s, again;
	char hour[11];

	if (date_hour_parse(in, &s)) {
		date_hour(hour, s);
		want(span_eq(in, span_of(hour)));
	}
	if (date_iso_parse(in, &s)) {
		date_iso(&a, s * 1000000);
		want(date_iso_parse((struct span){a.s, a.len}, &again) && s == again);
	}
	buf_free(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = {(const char *)p, n};
	struct err e = ERR_INIT;

	xtexts(in);
	domains(in, &e);
	escapes(in, &e);
	dates(in);
	err_free(&e);
	return 0;
}
