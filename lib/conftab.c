#include "conftab.h"

#include "buf.h"
#include "conftext.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE 60
#define HOUR 3600
#define DAY 86400
#define KIB 1024ULL

/* --- values */

/* Milliseconds, signed, with the time of day: nobody who adds them may wrap. */
#define DURATION_MAX_MS (INT64_MAX / 2)

/* NUMBER UNIT, the number times the unit's factor; no unit is a factor of 1. */
struct unit {
	const char *name;
	uint64_t factor;
};

static bool
amount(const char *text, const struct unit *units, uint64_t *out)
{
	struct cur c = cur_span(span_of(text));
	uint64_t v;

	if (!cur_u64(&c, UINT64_MAX, &v))
		return false;
	for (; units->name; units++)
		if (span_ieq(cur_rest(&c), span_of(units->name)))
			return !__builtin_mul_overflow(v, units->factor, out);
	return false;
}

static bool
duration_ms(const char *text, uint64_t *ms)
{
	static const struct unit units[] = {{"", 1000}, {"ms", 1}, {"s", 1000},
	    {"m", 1000 * MINUTE}, {"h", 1000 * HOUR}, {"d", 1000ULL * DAY}, {NULL, 0}};

	return amount(text, units, ms) && *ms <= DURATION_MAX_MS;
}

int
conftab_duration(const char *text, uint64_t *seconds, struct err *e)
{
	uint64_t ms;

	if (!duration_ms(text, &ms) || ms % 1000)
		return err_set(
		    e, EX_USAGE, "not a duration such as 90, 15m, 4h or 5d: \"%s\"", text);
	*seconds = ms / 1000;
	return 0;
}

int
conftab_size(const char *text, uint64_t *bytes, struct err *e)
{
	static const struct unit units[] = {{"", 1}, {"K", KIB}, {"M", KIB * KIB},
	    {"G", KIB * KIB * KIB}, {"T", KIB * KIB * KIB * KIB}, {NULL, 0}};

	if (!amount(text, units, bytes))
		return err_set(e, EX_USAGE, "not a size such as 1000, 64K or 50M: \"%s\"", text);
	return 0;
}

bool
conftab_some(const char *text)
{
	return *text;
}

static bool
is_host(int c)
{
	return is_alnum(c) || c == '.' || c == '-' || c == '_';
}

static bool
is_literal(int c) /* of an address, RFC 5321 4.1.3 */
{
	return is_alnum(c) || c == '.' || c == ':';
}

bool
conftab_cur_host(struct cur *c)
{
	if (cur_ch(c, '['))
		return cur_while(c, is_literal).n > 0 && cur_ch(c, ']');
	return cur_while(c, is_host).n > 0;
}

bool
conftab_host(const char *text)
{
	struct cur c = cur_span(span_of(text));

	return strlen(text) <= CONFTAB_HOST_MAX && text[0] != '.' && conftab_cur_host(&c) &&
	       cur_end(&c);
}

void
conftab_text(char **field, const char *text)
{
	char *copy = mem_dup(text, strlen(text));

	free(*field);
	*field = copy;
}

static char *
text_at(const void *item, size_t at)
{
	char *p;

	memcpy(&p, (const char *)item + at, sizeof p);
	return p;
}

static void
set_text_at(void *item, size_t at, const char *text)
{
	char *field = text_at(item, at);

	conftab_text(&field, text);
	memcpy((char *)item + at, &field, sizeof field);
}

static int
set_text(void *item, const struct conftab_key *k, const char *text, struct err *e)
{
	if (k->ok && !k->ok(text))
		return err_set(e, EX_CONFIG, "%s: \"%s\" is not %s", k->name, text, k->is);
	set_text_at(item, k->at, text);
	return 0;
}

_Static_assert(sizeof(enum conftab_type) == sizeof(unsigned), "WORDS are stored as unsigned");

static int
set_word(void *field, const struct conftab_key *k, const char *text, struct err *e)
{
	struct cur c = cur_span(span_of(k->words));

	for (unsigned i = 0; !cur_end(&c); i++) {
		if (span_eq(cur_until(&c, ' '), span_of(text))) {
			memcpy(field, &i, sizeof i);
			return 0;
		}
		cur_ch(&c, ' ');
	}
	return err_set(e, EX_CONFIG, "%s: \"%s\" is none of: %s", k->name, text, k->words);
}

static int
set_bool(void *field, const struct conftab_key *k, const char *text, struct err *e)
{
	bool yes = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0 || strcmp(text, "on") == 0;

	if (!yes && strcmp(text, "no") != 0 && strcmp(text, "false") != 0 &&
	    strcmp(text, "off") != 0)
		return err_set(e, EX_CONFIG, "%s: \"%s\" is neither yes nor no", k->name, text);
	memcpy(field, &yes, sizeof yes);
	return 0;
}

static int
set_number(void *field, const struct conftab_key *k, const char *text, struct err *e)
{
	static const struct unit plain[] = {{"", 1}, {NULL, 0}};
	uint64_t v = 0, scale = k->type == CONFTAB_MILLISECONDS ? 1000 : 1;
	bool good = true;
	int rc = 0;

	if (k->type == CONFTAB_SIZE)
		rc = conftab_size(text, &v, e);
	else if (k->type == CONFTAB_SECONDS)
		rc = conftab_duration(text, &v, e);
	else
		good = k->type == CONFTAB_NUMBER ? amount(text, plain, &v) : duration_ms(text, &v);
	if (rc) {
		e->code = EX_CONFIG;
		return err_in(e, "%s", k->name);
	}
	if (!good)
		return err_set(e, EX_CONFIG, "%s: not a %s: \"%s\"", k->name,
		    k->type == CONFTAB_NUMBER ? "number" : "duration", text);
	if (v < k->min * scale || v > k->max * scale)
		return err_set(e, EX_CONFIG, "%s: %s is not in the range %llu to %llu%s", k->name,
		    text, (unsigned long long)k->min, (unsigned long long)k->max,
		    k->type == CONFTAB_SIZE     ? " bytes"
		    : k->type == CONFTAB_NUMBER ? ""
						: " seconds");
	memcpy(field, &v, sizeof v);
	return 0;
}

static int
set(void *item, const struct conftab_key *k, const char *text, struct err *e)
{
	char *field = (char *)item + k->at;

	switch (k->type) {
	case CONFTAB_TEXT: return set_text(item, k, text, e);
	case CONFTAB_WORDS: return set_word(field, k, text, e);
	case CONFTAB_BOOL: return set_bool(field, k, text, e);
	case CONFTAB_NUMBER:
	case CONFTAB_SIZE:
	case CONFTAB_SECONDS:
	case CONFTAB_MILLISECONDS: break;
	}
	return set_number(field, k, text, e);
}

static int
defaults(void *item, const struct conftab_section *s, struct err *e)
{
	for (size_t i = 0; i < s->n_keys; i++)
		if (s->keys[i].deflt && set(item, &s->keys[i], s->keys[i].deflt, e))
			return e->code;
	return 0;
}

/* --- structs */

static void *
item_at(void *items, const struct conftab_section *s, size_t i)
{
	return (char *)items + i * s->size;
}

void
conftab_clear(const struct conftab_section *s, void *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		void *item = item_at(items, s, i);

		for (size_t k = 0; k < s->n_keys; k++)
			if (s->keys[k].type == CONFTAB_TEXT)
				free(text_at(item, s->keys[k].at));
		if (s->titled)
			free(text_at(item, s->title_at));
		memset(item, 0, s->size);
	}
}

void
conftab_free(struct conftab *t)
{
	for (size_t i = 0; i < t->n; i++) {
		conftab_clear(t->v[i].section, t->v[i].items, t->v[i].n);
		free(t->v[i].items);
	}
	free(t->v);
	*t = (struct conftab){0};
}

static struct conftab_list *
list_of(const struct conftab *t, const struct conftab_section *s)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].section == s)
			return &t->v[i];
	return NULL;
}

void *
conftab_items(const struct conftab *t, const struct conftab_section *s, size_t *n)
{
	const struct conftab_list *l = list_of(t, s);

	*n = l ? l->n : 0;
	return l ? l->items : NULL;
}

void *
conftab_take(struct conftab *t, const struct conftab_section *s, size_t *n)
{
	struct conftab_list *l = list_of(t, s);
	void *items = conftab_items(t, s, n);

	if (l) {
		l->items = NULL;
		l->n = 0;
	}
	return items;
}

/* --- the file */

struct reading {
	const char *name;
	struct conftext text;
	const struct conftab_section *file;
	void *base;
	struct conftab *t;
};

static const struct conftext_item *
items_end(const struct reading *r) /* an empty file's are NULL, to which nothing may be added */
{
	return r->text.n > 0 ? r->text.items + r->text.n : r->text.items;
}

static const struct conftab_key *
key_named(const struct conftab_section *s, struct span name)
{
	for (size_t i = 0; i < s->n_keys; i++)
		if (span_eq(name, span_of(s->keys[i].name)))
			return &s->keys[i];
	return NULL;
}

static const struct conftab_section *
section_named(const struct reading *r, struct span name)
{
	for (size_t i = 0; i < r->t->n; i++)
		if (span_eq(name, span_of(r->t->v[i].section->name)))
			return r->t->v[i].section;
	return NULL;
}

static int
unknown(const struct reading *r, const struct conftext_item *i, struct err *e)
{
	const char *what = i->opens ? "no such section" : "no such key";

	if (i->opens && key_named(r->file, i->name))
		what = "a key, not a section: \"=\" is expected";
	else if (!i->opens && section_named(r, i->name))
		what = "a section, not a key: \"{\" is expected";
	return err_set(e, EX_CONFIG, "%s:%u: %.*s: %s", r->name, i->line, SPAN_ARG(i->name), what);
}

/* Whether the tables have all that the file names, where it stands. */
static int
all_known(const struct reading *r, struct err *e)
{
	const struct conftab_section *s = NULL;

	for (size_t k = 0; k < r->text.n; k++) {
		const struct conftext_item *i = &r->text.items[k];

		if (s && i->scope) { /* a section is behind its own line */
			if (!key_named(s, i->name))
				return err_set(e, EX_CONFIG, "%s:%u: %.*s: no such key in %s", r->name, i->line,
				    SPAN_ARG(i->name), s->name);
			continue;
		}
		s = i->opens ? section_named(r, i->name) : NULL;
		if (i->opens ? !s : !key_named(r->file, i->name))
			return unknown(r, i, e);
		if (s && s->titled != (i->said.p != NULL))
			return err_set(e, EX_CONFIG, "%s:%u: %s: %s", r->name, i->line, s->name,
			    s->titled ? "a title is expected before \"{\"" : "\"{\" is expected, it has no title");
	}
	return 0;
}

/* What stands in the section that opens at `in`, NULL: in the file itself, over what is in the struct. */
static int
values(const struct reading *r, const struct conftext_item *in, void *item,
    const struct conftab_section *s, struct err *e)
{
	const struct conftext_item *i = in ? in + 1 : r->text.items, *end = items_end(r);
	unsigned scope = in ? in->opens : 0;

	for (; i < end && (!in || i->scope == scope); i++)
		if (i->scope == scope && !i->opens && set(item, key_named(s, i->name), i->said.p, e))
			return err_in(e, "%s:%u", r->name, i->line);
	return 0;
}

/* in: NULL where the file does not have it. */
static int
check(const struct reading *r, const struct conftext_item *in, const void *item,
    const struct conftab_section *s, struct err *e)
{
	if (!s->check || s->check(item, e) == 0)
		return 0;
	if (!in)
		return err_in(e, "%s", r->name);
	return err_in(e, s->titled ? "%s:%u: %s \"%s\"" : "%s:%u: %s", r->name, in->line, s->name, in->said.p);
}

static int
section(const struct reading *r, const struct conftext_item *in, void *item,
    const struct conftab_section *s, struct err *e)
{
	if (s->titled) {
		if (!s->title_ok(in->said.p))
			return err_set(e, EX_CONFIG, "%s:%u: %s \"%s\": %s", r->name, in->line, s->name,
			    in->said.p, s->title_is);
		set_text_at(item, s->title_at, in->said.p);
	}
	if (defaults(item, s, e))
		return e->code;
	if (s->begin)
		s->begin(item, r->base);
	if (in && values(r, in, item, s, e))
		return e->code;
	return check(r, in, item, s, e);
}

/* The next of this section at or behind `from`, or NULL. */
static const struct conftext_item *
next_of(const struct reading *r, const struct conftab_section *s, const struct conftext_item *from)
{
	for (const struct conftext_item *i = from; i < items_end(r); i++)
		if (i->opens && span_eq(i->name, span_of(s->name)))
			return i;
	return NULL;
}

static int
sections_of(const struct reading *r, struct conftab_list *l, struct err *e)
{
	const struct conftab_section *s = l->section;
	const struct conftext_item *in = next_of(r, s, r->text.items);
	size_t n = !s->titled;

	for (const struct conftext_item *i = in; s->titled && i; i = next_of(r, s, i + 1))
		n++;
	l->items = n ? mem_alloc(n * s->size) : NULL;
	while (l->n < n) {
		void *item = item_at(l->items, s, l->n++);

		if (section(r, in, item, s, e))
			return e->code;
		in = in ? next_of(r, s, in + 1) : NULL;
	}
	return 0;
}

static int
all_values(const struct reading *r, struct err *e)
{
	int rc = all_known(r, e);

	if (!rc)
		rc = values(r, NULL, r->base, r->file, e);
	if (!rc)
		rc = check(r, NULL, r->base, r->file, e);
	for (size_t i = 0; !rc && i < r->t->n; i++)
		rc = sections_of(r, &r->t->v[i], e);
	return rc;
}

static void
lists(struct conftab *t, const struct conftab_section *const *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	t->v = mem_alloc((n + 1) * sizeof *t->v);
	for (t->n = 0; t->n < n; t->n++)
		t->v[t->n].section = s[t->n];
}

int
conftab_parse(struct conftab *t, const struct conftab_section *file, void *base,
    const struct conftab_section *const *s, const char *name, struct span text, struct err *e)
{
	struct reading r = {.name = name, .file = file, .base = base, .t = t};
	int rc = defaults(base, file, e);

	lists(t, s);
	if (!rc)
		rc = conftext_check(text, name, &r.text, e);
	if (!rc)
		rc = all_values(&r, e);
	conftext_free(&r.text);
	return rc;
}
