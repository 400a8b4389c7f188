#include "suppressline.h"

#include "date.h"

#define SCOPE_MAX 16 /* a stream's name */

static bool
is_word(int c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-';
}

bool
suppressline_reason_ok(struct span reason)
{
	struct cur c = cur_span(reason);

	return reason.n > 0 && reason.n <= SUPPRESSLINE_WORD_MAX && cur_while(&c, is_word).n == reason.n;
}

static bool
is_source(int c)
{
	return is_text(c) && c != '\t';
}

bool
suppressline_scope_ok(struct span scope)
{
	struct cur c = cur_span(scope);

	return scope.n > 0 && scope.n <= SCOPE_MAX && cur_while(&c, is_word).n == scope.n;
}

bool
suppressline_source_ok(struct span source)
{
	struct cur c = cur_span(source);

	return source.n > 0 && source.n <= SUPPRESSLINE_SOURCE_MAX && cur_while(&c, is_source).n == source.n &&
	       utf8_valid(source);
}

bool
suppressline_removed(const struct suppressline *v)
{
	return span_eq(v->reason, SPAN("removed"));
}

void
suppressline_put_time(struct buf *out, uint64_t s)
{
	if (s == 0) {
		buf_ch(out, '-');
		return;
	}
	date_iso(out, s * 1000000);
	buf_cut(out, out->len - 5); /* without the thousandths */
	buf_ch(out, 'Z');
}

bool
suppressline_get_time(struct span text, uint64_t *s)
{
	*s = 0;
	return span_eq(text, SPAN("-")) || (date_iso_parse(text, s) && *s <= SUPPRESSLINE_TIME_MAX);
}

/* What a peer said, without what does not belong into a line. */
static void
put_note(struct buf *out, struct span note)
{
	size_t n = note.n < SUPPRESSLINE_NOTE_MAX ? note.n : SUPPRESSLINE_NOTE_MAX, k;

	for (size_t i = 0; i < n; i += k) {
		k = utf8_len(note.p + i, note.n - i);
		if (k > 0 && i + k > n)
			break;
		if (k == 0 || (unsigned char)note.p[i] < ' ' || note.p[i] == 127) {
			buf_ch(out, k == 0 ? '?' : ' ');
			k = 1;
		} else {
			buf_add(out, note.p + i, k);
		}
	}
}

void
suppressline_put(const struct suppressline *v, struct buf *out)
{
	const struct span words[] = {v->reason, v->source, v->scope};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		buf_add(out, words[i].p, words[i].n);
		buf_ch(out, '\t');
	}
	suppressline_put_time(out, v->since_s);
	buf_ch(out, '\t');
	suppressline_put_time(out, v->until_s);
	buf_ch(out, '\t');
	put_note(out, v->note);
}

struct span
suppressline_field(struct cur *c, bool *more)
{
	struct span s = cur_until(c, '\t');

	*more = cur_ch(c, '\t');
	return s;
}

bool
suppressline_get(struct span value, struct suppressline *v)
{
	struct cur c = cur_span(value);
	bool more;

	v->reason = suppressline_field(&c, &more);
	v->source = suppressline_field(&c, &more);
	v->scope = suppressline_field(&c, &more);
	if (!more || !suppressline_get_time(suppressline_field(&c, &more), &v->since_s) || !more ||
	    !suppressline_get_time(suppressline_field(&c, &more), &v->until_s) || !more)
		return false;
	v->note = cur_rest(&c);
	return true;
}

void
suppressline_text(const struct suppressline *v, struct buf *out)
{
	buf_add(out, v->address.p, v->address.n);
	buf_ch(out, '\t');
	suppressline_put(v, out);
}

int
suppressline_parse(struct span line, struct suppressline *out, struct err *e)
{
	struct cur c = cur_span(line);
	bool more;
	struct span s;

	out->address = span_trim(suppressline_field(&c, &more));
	if (more && (s = suppressline_field(&c, &more)).n > 0)
		out->reason = s;
	if (more && (s = suppressline_field(&c, &more)).n > 0)
		out->source = s;
	if (more && (s = suppressline_field(&c, &more)).n > 0)
		out->scope = s;
	if (more && (s = suppressline_field(&c, &more)).n > 0 && !suppressline_get_time(s, &out->since_s))
		return err_set(e, EX_DATAERR, "\"%.*s\" is no time", SPAN_ARG(s));
	if (more && (s = suppressline_field(&c, &more)).n > 0 && !suppressline_get_time(s, &out->until_s))
		return err_set(e, EX_DATAERR, "\"%.*s\" is no time", SPAN_ARG(s));
	if (more)
		out->note = cur_rest(&c);
	return 0;
}

bool
suppressline_active(const struct suppressline *v, uint64_t now_s)
{
	return !suppressline_removed(v) && (v->until_s == 0 || v->until_s > now_s);
}
