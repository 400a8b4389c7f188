#include "rulescond.h"

const char *const rules_phases[] = {"", "conn", "helo", "mail", "rcpt", "data"};
#define PHASES (sizeof rules_phases / sizeof *rules_phases)

static bool
same_digit(char pattern, char c)
{
	return pattern == c || (pattern == 'x' && is_digit((unsigned char)c));
}

/* "550", "5xx" */
static bool
is_code(struct span w)
{
	return w.n == 3 && is_digit((unsigned char)w.p[0]) &&
	    (is_digit((unsigned char)w.p[1]) || w.p[1] == 'x') &&
	    (is_digit((unsigned char)w.p[2]) || w.p[2] == 'x');
}

static bool
code_is(struct span w, int code)
{
	char digits[3] = {(char)('0' + code / 100 % 10), (char)('0' + code / 10 % 10),
	    (char)('0' + code % 10)};

	return code > 0 && same_digit(w.p[0], digits[0]) && same_digit(w.p[1], digits[1]) &&
	    same_digit(w.p[2], digits[2]);
}

/* "5.1.1", "x.2.2", "5.7.x": x is any number */
static bool
is_status(struct span w)
{
	size_t dots = 0;

	for (size_t i = 0; i < w.n; i++) {
		if (w.p[i] == '.')
			dots++;
		else if (!is_digit((unsigned char)w.p[i]) && w.p[i] != 'x')
			return false;
	}
	return dots == 2;
}

static bool
status_is(struct span w, struct span status)
{
	size_t at = 0;

	for (size_t i = 0; i < w.n; i++) {
		if (w.p[i] == 'x' && (i == 0 || w.p[i - 1] == '.') && (i + 1 == w.n || w.p[i + 1] == '.')) {
			size_t start = at;

			while (at < status.n && status.p[at] != '.')
				at++;
			if (at == start)
				return false;
		} else if (at == status.n || status.p[at++] != w.p[i])
			return false;
	}
	return at == status.n || status.p[at] == '.';
}

/* What a word asks; false: it is no condition. */
static bool
read_cond(struct span w, struct rules_cond *out)
{
	static const char *const actions[] = {"failed", "delayed", "delivered", "relayed", "expanded"};

	out->is = 0;
	out->w = w;
	if (is_code(w))
		out->is = RULES_CODE;
	else if (is_status(w))
		out->is = RULES_STATUS;
	else if (w.n == 1 && (*w.p == '4' || *w.p == '5'))
		out->is = RULES_CLASS;
	else if (span_eq(w, SPAN("nocode")))
		out->is = RULES_NO_CODE;
	else if (span_eq(w, SPAN("nostatus")))
		out->is = RULES_NO_STATUS;
	for (unsigned i = 0; i < PHASES && w.n > 1 && *w.p == '@'; i++)
		if (span_eq((struct span){w.p + 1, w.n - 1}, span_of(i ? rules_phases[i] : "none"))) {
			out->is = RULES_PHASE;
			out->phase = (unsigned char)i;
		}
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		if (span_eq(w, span_of(actions[i])))
			out->is = RULES_ACTION;
	return out->is != 0;
}

static bool
cond_holds(const struct rules_cond *c, const struct rules_facts *f)
{
	switch ((enum rules_cond_is)c->is) {
	case RULES_CODE: return code_is(c->w, f->code);
	case RULES_STATUS: return status_is(c->w, f->status);
	case RULES_CLASS: /* from either */
		return f->code ? f->code / 100 == *c->w.p - '0' : f->status.n > 0 && *f->status.p == *c->w.p;
	case RULES_NO_CODE: return f->code == 0;
	case RULES_NO_STATUS: return f->status.n == 0;
	case RULES_PHASE: return f->phase == c->phase;
	case RULES_ACTION: return span_eq(c->w, f->action);
	}
	return false;
}

size_t
rulescond_read(struct span when, struct rules_cond *out, struct span *bad)
{
	struct cur c = cur_span(when);
	size_t n = 0;

	*bad = (struct span){"", 0};
	if (span_eq(when, SPAN("*")))
		return 0;
	for (; !cur_end(&c); cur_ch(&c, ' ')) {
		struct span word = cur_until(&c, ' ');
		struct cur w = cur_span(word);
		bool negated = cur_ch(&w, '!');

		for (bool more = word.n > 0; more; n++) {
			if (!read_cond(cur_until(&w, '/'), &out[n]))
				*bad = word;
			more = cur_ch(&w, '/');
			out[n].negated = negated;
			out[n].more = more;
		}
	}
	return n;
}

size_t
rulescond_max(struct span when)
{
	size_t n = 1;

	for (size_t i = 0; i < when.n; i++)
		n += when.p[i] == ' ' || when.p[i] == '/';
	return n;
}

bool
rulescond_hold(const struct rules_cond *c, size_t n, const struct rules_facts *f)
{
	for (size_t i = 0; i < n; i++) {
		bool any = cond_holds(&c[i], f);

		while (c[i].more)
			any |= cond_holds(&c[++i], f);
		if (any == c[i].negated)
			return false;
	}
	return true;
}
