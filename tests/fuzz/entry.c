/* What a queue directory may hold: names, heads, envelopes, journals.  The first byte chooses. */
#include "entry.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static void
check(bool good)
{
	if (!good)
		abort();
}

static void
name(struct span text)
{
	struct entry_name n, again;
	struct buf b = BUF_INIT;

	if (entry_name_parse(text, &n)) {
		check(!memchr(text.p, '/', text.n) && entry_id_ok(n.id));
		entry_name_format(&b, &n);
		check(entry_name_parse((struct span){b.s, b.len}, &again));
		check(again.due == n.due && again.size == n.size && span_eq(again.id, n.id) &&
		    span_eq(again.stream, n.stream) && span_eq(again.domain, n.domain));
	}
	buf_cut(&b, 0);
	entry_name_domain(text, &b);
	check(b.len > 0 && b.len < ENTRY_NAME_MAX && !memchr(b.s, '/', b.len));
	buf_free(&b);
}

static void
head(struct span text)
{
	struct entry_head h, again;
	struct err e = ERR_INIT;
	char out[ENTRY_HEAD];

	if (entry_head_parse(text, &h, &e) == 0) {
		entry_head_format(out, &h);
		check(memcmp(out, text.p, ENTRY_HEAD) == 0);
		check(entry_head_parse((struct span){out, sizeof out}, &again, &e) == 0);
	}
	err_free(&e);
}

static void
envelope(struct span text)
{
	struct envelope v, again;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	if (envelope_parse(text, &v, &e) == 0) {
		check(envelope_format(&b, &v, &e) == 0);
		check(envelope_parse((struct span){b.s, b.len}, &again, &e) == 0);
		check(again.n == v.n && span_eq(again.sender, v.sender) && span_eq(again.tag, v.tag));
		for (size_t i = 0; i < v.n; i++) {
			check(span_eq(v.rcpts[i].addr, again.rcpts[i].addr) &&
			    span_eq(v.rcpts[i].params, again.rcpts[i].params));
			check(!memchr(v.rcpts[i].params.p, '\r', v.rcpts[i].params.n));
		}
		envelope_free(&again);
		envelope_free(&v);
	}
	err_free(&e);
	buf_free(&b);
}

static void
journal(struct span text)
{
	struct cur c = cur_span(text);
	struct span line;
	struct buf b = BUF_INIT;

	while (journal_next(&c, &line))
		check(line.n > 0 && line.p[line.n - 1] == '\n' && !memchr(line.p, '\n', line.n - 1));
	/* What we seal is whole, whatever stands in it. */
	if (text.n > 0 && !memchr(text.p, '\n', text.n)) {
		buf_ch(&b, '{');
		buf_add(&b, text.p, text.n);
		journal_seal(&b, 0);
		c = cur_of(b.s, b.len);
		check(journal_next(&c, &line) && line.n == b.len);
	}
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span rest = {(const char *)p + 1, n - 1};

	if (n == 0)
		return 0;
	switch (p[0]) {
	case 'n': name(rest); break;
	case 'h': head(rest); break;
	case 'e': envelope(rest); break;
	default: journal(rest); break;
	}
	return 0;
}
