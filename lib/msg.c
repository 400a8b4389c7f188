#include "msg.h"

/* RFC 5322 2.2: printable US-ASCII except colon. */
static inline bool
is_ftext(int c)
{
	return (unsigned)c - 33 < 127 - 33 && c != ':';
}

static bool
at_line_end(const struct cur *c)
{
	struct cur t = *c;

	cur_ch(&t, '\r');
	return cur_ch(&t, '\n');
}

/* To the end of the line at hand and of those folded onto it. */
static void
folded_lines(struct cur *c)
{
	do {
		cur_until(c, '\n');
		cur_ch(c, '\n');
	} while (is_space(cur_peek(c)));
}

/* field-name and its colon. */
static bool
field_name(struct cur *c, struct span *name)
{
	struct cur t = *c;

	*name = cur_while(&t, is_ftext);
	cur_while(&t, is_space); /* RFC 5322 4.5.8 lets white space stand before the colon */
	if (name->n == 0 || !cur_ch(&t, ':'))
		return false;
	*c = t;
	return true;
}

bool
msg_header_line(struct span line, bool first)
{
	struct cur c = cur_span(line);
	struct span name;

	return (!first && is_space(cur_peek(&c))) || field_name(&c, &name);
}

bool
msg_field(struct cur *c, struct msg_field *f, bool *bad)
{
	struct cur t = *c;

	*bad = false;
	if (cur_end(c) || at_line_end(c))
		return false;
	if (!field_name(&t, &f->name)) {
		*bad = true;
		return false;
	}
	f->value.p = t.p;
	folded_lines(&t);
	f->value.n = (size_t)(t.p - f->value.p);
	f->whole = (struct span){c->p, (size_t)(t.p - c->p)};
	*c = t;
	return true;
}

bool
msg_next(struct cur *c, struct msg_field *f)
{
	struct span line;
	bool bad;

	while (!msg_field(c, f, &bad))
		if (!cur_line(c, &line))
			return false;
	return true;
}

bool
msg_find(struct span header, const char *name, struct msg_field *f)
{
	struct cur c = cur_span(header);
	bool bad;

	while (msg_field(&c, f, &bad))
		if (span_ieq(f->name, span_of(name)))
			return true;
	return false;
}
