#include "tagtext.h"

#include <string.h>

#define NAME_MAX_BYTES 32

static bool
is_name(int c)
{
	return is_alnum(c) || c == '_' || c == '-' || c == '.';
}

/* Of MTA-STS no "=" either; the URIs of rua= may have one. */
static bool
is_value(int c)
{
	return c > ' ' && c != ';' && c != 127 && c < 128;
}

static bool
delim(struct cur *c)
{
	struct cur t = *c;

	cur_while(&t, is_space);
	if (!cur_ch(&t, ';'))
		return false;
	cur_while(&t, is_space);
	*c = t;
	return true;
}

/* The version is %s in the grammar: its case counts. */
static bool
version_of(struct cur *c, const char *version)
{
	struct cur t = *c;

	if (!span_eq(cur_take(&t, strlen(version)), span_of(version)))
		return false;
	*c = t;
	return true;
}

bool
tagtext_is(struct span text, const char *version)
{
	struct cur c = cur_span(text);

	return version_of(&c, version) && delim(&c);
}

/* Blanks inside of a value are those around the commas of rua=. */
static bool
field(struct cur *c, struct span *name, struct span *value)
{
	struct cur t = *c, end;

	*name = cur_while(&t, is_name);
	if (name->n == 0 || name->n > NAME_MAX_BYTES || !is_alnum((unsigned char)name->p[0]) ||
	    !cur_ch(&t, '='))
		return false;
	value->p = t.p;
	do {
		end = t;
		cur_while(&t, is_space);
	} while (cur_while(&t, is_value).n > 0);
	value->n = (size_t)(end.p - value->p);
	*c = end;
	return value->n > 0 && !is_space((unsigned char)value->p[0]);
}

int
tagtext_get(struct span text, const char *version, const char *wanted, struct span *value,
    struct err *e)
{
	struct cur c = cur_span(text);
	struct span name, v;
	bool found = false;

	if (!version_of(&c, version))
		return err_set(e, EX_DATAERR, "it does not begin with %s", version);
	while (!cur_end(&c)) {
		if (!delim(&c))
			return err_set(e, EX_DATAERR, "no \";\" where there should be one, at byte %zu",
			    (size_t)(c.p - text.p));
		if (cur_end(&c)) /* one may stand at the end */
			break;
		if (!field(&c, &name, &v))
			return err_set(e, EX_DATAERR, "no name=value at byte %zu", (size_t)(c.p - text.p));
		if (!found && span_eq(name, span_of(wanted))) {
			*value = v;
			found = true;
		}
	}
	return found ? 0 : err_set(e, EX_DATAERR, "%s= is missing", wanted);
}

int
tagtext_only(const struct answers *a, const char *version, struct span *text, struct err *e)
{
	size_t n = 0;

	*text = (struct span){"", 0};
	if (answers_temporary(a))
		return err_set(e, EX_TEMPFAIL, "%s", a->why.len ? a->why.s : "no answer");
	for (size_t i = 0; i < a->n; i++) {
		struct span t = {a->v[i].text.s, a->v[i].text.len};

		if (tagtext_is(t, version)) {
			*text = t;
			n++;
		}
	}
	if (n == 1)
		return 0;
	*text = (struct span){"", 0};
	if (n == 0)
		return err_set(e, EX_UNAVAILABLE, "no record begins with %s;", version);
	return err_set(e, EX_UNAVAILABLE, "%zu records begin with %s;", n, version);
}
