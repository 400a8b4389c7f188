#include "sts.h"

#include "buf.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 32
#define AGE_DIGITS 10
#define LABEL_MAX 63
#define HOST_MAX 253

const char *
sts_mode_name(enum sts_mode mode)
{
	static const char *const names[] = {"none", "testing", "enforce"};

	return names[mode];
}

bool
sts_id_ok(struct span id)
{
	struct cur c = cur_span(id);

	return cur_while(&c, is_alnum).n == id.n && id.n > 0 && id.n <= STS_ID_MAX;
}

/* --- the policy */

static bool
is_name(int c)
{
	return is_alnum(c) || c == '_' || c == '-' || c == '.';
}

/* RFC 5321 4.1.2 has no "_", but hosts that are mail exchangers do. */
static bool
is_label(int c)
{
	return is_alnum(c) || c == '-' || c == '_';
}

/* ["*."] Domain; U-labels are none (RFC 8461 3.2). */
static bool
is_pattern(struct span s)
{
	struct cur c = cur_span(s);

	cur_lit(&c, "*.");
	if (cur_rest(&c).n == 0 || cur_rest(&c).n > HOST_MAX)
		return false;
	do {
		struct span label = cur_while(&c, is_label);

		if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
			return false;
	} while (cur_ch(&c, '.'));
	return cur_end(&c);
}

struct seen {
	bool version, mode, max_age;
};

static int
version(struct span value, struct seen *seen, struct err *e)
{
	if (seen->version)
		return 0;
	seen->version = true;
	return span_eq(value, SPAN("STSv1")) ? 0 : err_set(e, EX_DATAERR, "its version is not STSv1");
}

static int
mode(struct span value, struct sts_policy *p, struct seen *seen, struct err *e)
{
	if (seen->mode)
		return 0;
	seen->mode = true;
	for (int m = STS_NONE; m <= STS_ENFORCE; m++)
		if (span_eq(value, span_of(sts_mode_name((enum sts_mode)m)))) {
			p->mode = (enum sts_mode)m;
			return 0;
		}
	return err_set(e, EX_DATAERR, "its mode is none of enforce, testing, none");
}

static int
max_age(struct span value, struct sts_policy *p, struct seen *seen, struct err *e)
{
	struct cur c = cur_span(value);

	if (seen->max_age)
		return 0;
	seen->max_age = true;
	if (value.n > AGE_DIGITS || !cur_u64(&c, STS_MAX_AGE_S, &p->max_age_s) || !cur_end(&c))
		return err_set(e, EX_DATAERR, "its max_age is no number from 0 to %d", STS_MAX_AGE_S);
	return 0;
}

static int
mx(struct span value, struct sts_policy *p, struct err *e)
{
	if (!is_pattern(value))
		return err_set(e, EX_DATAERR, "an mx is neither a host name nor \"*.\" and one");
	if ((p->n & (p->n - 1)) == 0)
		p->mx = mem_grow(p->mx, p->n ? p->n * 2 : 1, sizeof *p->mx);
	p->mx[p->n++] = value;
	return 0;
}

/* Blanks at its end are the grammar's; what begins or ends the line otherwise is not trimmed away. */
static struct span
without_tail(struct span s)
{
	while (s.n > 0 && is_space((unsigned char)s.p[s.n - 1]))
		s.n--;
	return s;
}

static int
line(struct span text, struct sts_policy *p, struct seen *seen, struct err *e)
{
	struct cur c = cur_span(without_tail(text));
	struct span name = cur_while(&c, is_name), value;

	if (cur_end(&c) && name.n == 0)
		return 0; /* empty lines are none of the grammar's, and some files end in them */
	if (name.n == 0 || name.n > NAME_MAX_BYTES || !is_alnum((unsigned char)name.p[0]) ||
	    !cur_ch(&c, ':'))
		return err_set(e, EX_DATAERR, "a line is not \"name: value\"");
	cur_while(&c, is_space);
	value = cur_rest(&c);
	for (size_t i = 0; i < value.n; i++)
		if (!is_text((unsigned char)value.p[i]))
			return err_set(e, EX_DATAERR, "a control character in a value");
	/* The names are %s in the grammar: their case counts. */
	if (span_eq(name, SPAN("version")))
		return version(value, seen, e);
	if (span_eq(name, SPAN("mode")))
		return mode(value, p, seen, e);
	if (span_eq(name, SPAN("max_age")))
		return max_age(value, p, seen, e);
	return span_eq(name, SPAN("mx")) ? mx(value, p, e) : 0;
}

int
sts_policy_parse(struct span text, struct sts_policy *p, struct err *e)
{
	struct cur c = cur_span(text);
	struct seen seen = {false, false, false};
	struct span l;

	*p = (struct sts_policy){0};
	if (text.n > STS_POLICY_MAX)
		return err_set(e, EX_DATAERR, "it has over %d bytes", STS_POLICY_MAX);
	while (cur_line(&c, &l))
		if (line(l, p, &seen, e))
			return e->code;
	if (!seen.version)
		return err_set(e, EX_DATAERR, "it has no version");
	if (!seen.mode)
		return err_set(e, EX_DATAERR, "it has no mode");
	if (!seen.max_age)
		return err_set(e, EX_DATAERR, "it has no max_age");
	if (p->n == 0 && p->mode != STS_NONE)
		return err_set(e, EX_DATAERR, "it has no mx");
	return 0;
}

void
sts_policy_free(struct sts_policy *p)
{
	free(p->mx);
	*p = (struct sts_policy){0};
}

bool
sts_policy_has(const struct sts_policy *p, const char *host)
{
	struct span h = span_of(host);
	const char *dot = memchr(h.p, '.', h.n);

	for (size_t i = 0; i < p->n; i++) {
		struct span m = p->mx[i];

		if (m.p[0] != '*' && span_ieq(m, h))
			return true;
		if (m.p[0] == '*' && dot && dot > h.p &&
		    span_ieq((struct span){m.p + 1, m.n - 1}, (struct span){dot, h.n - (size_t)(dot - h.p)}))
			return true;
	}
	return false;
}
