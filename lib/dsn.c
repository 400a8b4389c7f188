#include "dsn.h"

#include "msg.h"
#include "xtext.h"

#include <string.h>

static bool
is_type(int c)
{
	return is_alnum(c) || c == '-' || c == '_';
}

struct span
dsn_typed(struct span value, struct span *type)
{
	struct cur c = cur_span(span_trim(value));
	struct span t = cur_while(&c, is_type);

	if (type)
		*type = (struct span){"", 0};
	cur_while(&c, is_space);
	if (t.n == 0 || !cur_ch(&c, ';'))
		return span_trim(value);
	if (type)
		*type = t;
	return span_trim(cur_rest(&c));
}

/* --- addresses */

static struct span
between(struct span s, char open, char close)
{
	const char *a = s.n > 0 ? memrchr(s.p, open, s.n) : NULL;
	const char *z = a ? memchr(a, close, (size_t)(s.p + s.n - a)) : NULL;

	return z ? (struct span){a + 1, (size_t)(z - a - 1)} : s;
}

struct span
dsn_address(struct span value, struct arena *a)
{
	struct span type, s = dsn_typed(value, &type);
	struct buf b = BUF_INIT;
	struct cur c;

	s = span_trim(between(s, '<', '>'));
	if (span_ieq(type, SPAN("utf-8")) && xtext_utf8_decode(s, &b))
		s = arena_dup(a, (struct span){b.s, b.len});
	buf_free(&b);
	c = cur_span(s);
	if (cur_ch(&c, '"') && memchr(c.p, '"', cur_rest(&c).n) == s.p + s.n - 1)
		s = (struct span){s.p + 1, s.n - 2}; /* "ann@x" as a whole */
	/* What stands behind the address is a comment. */
	for (size_t i = 0; i < s.n && *s.p != '"'; i++)
		if (is_space((unsigned char)s.p[i]))
			s.n = i;
	return s.n > 1 && *s.p != '@' && memchr(s.p, '@', s.n) ? s : (struct span){"", 0};
}

/* --- codes in texts */

static bool
stands_alone(struct span t, size_t at, size_t end)
{
	int before = at > 0 ? (unsigned char)t.p[at - 1] : ' ';
	int behind = end < t.n ? (unsigned char)t.p[end] : ' ';
	int after = end + 1 < t.n ? (unsigned char)t.p[end + 1] : ' ';

	return !is_alnum(before) && !strchr("./_-@[", before ? before : '.') &&
	    !is_alnum(behind) && behind != '@' && behind != '_' &&
	    !((behind == '.' || behind == '-') && is_digit(after));
}

struct span
dsn_status_in(struct span t)
{
	const char *dot = t.p, *last = t.n < 5 ? t.p : t.p + t.n - 4;

	while (dot < last && (dot = memchr(dot + 1, '.', (size_t)(last - dot)))) {
		size_t i = (size_t)(dot - t.p) - 1;
		struct cur c = cur_of(t.p + i, t.n - i);
		struct span x, y;

		if (t.p[i] != '5' && t.p[i] != '4' && t.p[i] != '2')
			continue;
		c.p += 2;
		x = cur_while(&c, is_digit);
		if (x.n == 0 || x.n > 3 || !cur_ch(&c, '.'))
			continue;
		y = cur_while(&c, is_digit);
		if (y.n == 0 || y.n > 3)
			continue;
		/* "550-5.1.1" and "550_5.1.1" are codes, too; 1.2.3.4 is an address. */
		if (!stands_alone((struct span){t.p, t.n}, i, (size_t)(c.p - t.p)) &&
		    !(i >= 4 && (t.p[i - 1] == '-' || t.p[i - 1] == '_') &&
		      is_digit((unsigned char)t.p[i - 2]) && is_digit((unsigned char)t.p[i - 3]) &&
		      (cur_end(&c) || (*c.p != '.' && !is_alnum(cur_peek(&c))))))
			continue;
		return (struct span){t.p + i, (size_t)(c.p - t.p) - i};
	}
	return (struct span){"", 0};
}

/* A code of class 4 or 5 at p, where a reply would begin. */
static bool
code_at(struct span t, size_t i)
{
	const char *p = t.p + i;
	int before = i > 0 ? (unsigned char)p[-1] : '\n';
	int behind = i + 3 < t.n ? (unsigned char)p[3] : '\n';

	if ((*p != '5' && *p != '4') || p[1] < '0' || p[1] > '7' || !is_digit((unsigned char)p[2]))
		return false;
	if (!before || !behind || !strchr(" \n\t(:;'\"=<>[#", before) ||
	    !strchr(" -\n\t#:_;,.)]'\"", behind))
		return false;
	/* 550.1 is a number of something else. */
	return behind != '.' || i + 4 >= t.n || !is_alnum((unsigned char)p[4]);
}

/* "554 <ann@x>... 550 Host unknown": sendmail 5 gives its own code, then the one it was told. */
static size_t
inner_code(struct span t, size_t at)
{
	for (size_t i = at + 3; i + 8 <= t.n && t.p[i] != '\n'; i++)
		if (memcmp(t.p + i, ">... ", 5) == 0)
			return code_at(t, i + 5) ? i + 5 : at;
	return at;
}

int
dsn_code_in(struct span t)
{
	for (size_t i = 0; i + 3 <= t.n; i++)
		if ((t.p[i] == '5' || t.p[i] == '4') && code_at(t, i)) {
			const char *p = t.p + inner_code(t, i);

			return (*p - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
		}
	return 0;
}

/* --- fields */

static bool
is_letter_or_dash(int c)
{
	return is_alpha(c) || c == '-';
}

/* Which field a line begins, of those that matter and the others. */
enum field { NONE, OTHER, REPORTING, ARRIVAL, ENVID, ORIGINAL, FINAL, ACTUAL, ACTION, STATUS, DIAGNOSTIC,
	REMOTE, CATEGORY };

static enum field
field_of(struct span line, struct span *value)
{
#define KNOWN(name, is) {{name, sizeof(name) - 1}, is}
	static const struct known {
		struct span name;
		enum field is;
	} known[] = {KNOWN("reporting-mta", REPORTING), KNOWN("arrival-date", ARRIVAL),
	    KNOWN("original-envelope-id", ENVID), KNOWN("original-recipient", ORIGINAL),
	    KNOWN("final-recipient", FINAL), KNOWN("x-actual-recipient", ACTUAL),
	    KNOWN("action", ACTION), KNOWN("status", STATUS), KNOWN("diagnostic-code", DIAGNOSTIC),
	    KNOWN("remote-mta", REMOTE), KNOWN("x-powermta-bouncecategory", CATEGORY)};
#undef KNOWN
	struct cur c = cur_span(line);
	struct span name = cur_while(&c, is_letter_or_dash);

	cur_while(&c, is_space);
	if (name.n == 0 || !cur_ch(&c, ':'))
		return NONE;
	*value = cur_rest(&c);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (name.n == known[i].name.n && span_ieq(name, known[i].name))
			return known[i].is;
	/* "Error: no such user" goes on with a diagnostic; "X-Spam: no" and "Last-Attempt-Date:" do not. */
	return memchr(name.p, '-', name.n) ? OTHER : NONE;
}

/* A value and the lines folded onto it, joined. */
static struct span
gather(struct cur *c, struct span first, bool open, struct buf *b)
{
	struct span line, value;
	struct cur t = *c;

	first = span_trim(first);
	buf_cut(b, 0);
	buf_add(b, first.p, first.n);
	while (cur_line(&t, &line)) {
		struct span text = span_trim(line);

		if (text.n == 0 || (!is_space((unsigned char)*line.p) &&
		    (!open || field_of(line, &value) != NONE)))
			break;
		if (b->len > 0)
			buf_ch(b, ' ');
		buf_add(b, text.p, text.n);
		*c = t;
	}
	return (struct span){b->s, b->len};
}

static struct span
first_word(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (is_space((unsigned char)s.p[i]) || s.p[i] == '(' || s.p[i] == ';')
			s.n = i;
	return s;
}

struct reading {
	struct arena *a;
	struct dsn *dsn;
	struct dsn_rcpt *now, **end;
	bool used; /* now has a final recipient, or an action */
};

static struct dsn_rcpt *
group(struct reading *r)
{
	if (!r->now)
		r->now = arena_get(r->a, sizeof *r->now);
	return r->now;
}

static void
close_group(struct reading *r)
{
	struct dsn_rcpt *g = r->now;

	r->now = NULL;
	/* "Final-Recipient: @host" names nobody; others may know who was meant. */
	if (!g || (g->final.n == 0 && g->original.n == 0 && (g->action.n == 0 || g->status.n == 0)))
		return;
	if (r->dsn->n++ >= DSN_RCPT_MAX)
		return;
	*r->end = g;
	r->end = &g->next;
}

static void
set_diagnostic(struct dsn_rcpt *g, struct span value, struct arena *a)
{
	struct span type;

	value = dsn_typed(value, &type);
	if (g->diagnostic.n == 0) { /* the first is the field's, repeats are other mailers' */
		g->diagnostic = value;
		g->diagnostic_type = arena_lower(a, type);
	}
}

static void
set_address(struct reading *r, enum field is, struct span value)
{
	struct dsn_rcpt *g = group(r);
	struct span address = dsn_address(value, r->a);

	/* Another recipient without an empty line before it. */
	if ((is == FINAL && g->final.n > 0) || (is == ORIGINAL && g->original.n > 0 && g->final.n > 0)) {
		close_group(r);
		g = group(r);
	}
	if (is == FINAL)
		g->final = address;
	else if (is == ORIGINAL)
		g->original = address;
	else if (address.n > 0)
		g->actual = address;
}

static void
set(struct reading *r, enum field is, struct span value)
{
	struct dsn *d = r->dsn;

	if (is == FINAL || is == ORIGINAL || is == ACTUAL)
		set_address(r, is, value);
	else if (is == ACTION)
		group(r)->action = arena_lower(r->a, first_word(value));
	else if (is == STATUS && group(r)->status.n == 0)
		group(r)->status = dsn_status_in(value);
	else if (is == DIAGNOSTIC)
		set_diagnostic(group(r), value, r->a);
	else if (is == REMOTE)
		group(r)->remote = first_word(dsn_typed(value, NULL));
	else if (is == CATEGORY)
		group(r)->category = first_word(value);
	else if (is == REPORTING && d->reporting.n == 0)
		d->reporting = first_word(dsn_typed(value, NULL));
	else if (is == ARRIVAL && d->arrival.n == 0)
		d->arrival = value;
	else if (is == ENVID && d->envid.n == 0)
		d->envid = value;
}

bool
dsn_parse(struct span text, struct arena *a, struct dsn *out)
{
	struct reading r = {.a = a, .dsn = out};
	struct cur c = cur_span(text);
	struct buf joined = BUF_INIT;
	struct span line, value;

	*out = (struct dsn){.rcpts = NULL};
	r.end = &out->rcpts;
	while (cur_line(&c, &line)) {
		enum field is = field_of(line, &value);

		if (span_trim(line).n == 0)
			close_group(&r);
		else if (is != NONE) {
			value = gather(&c, value, is == DIAGNOSTIC, &joined);
			if (is != OTHER)
				set(&r, is, arena_dup(a, value));
		}
	}
	buf_free(&joined);
	close_group(&r);
	return out->rcpts != NULL;
}
