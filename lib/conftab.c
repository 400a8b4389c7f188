#include "conftab.h"

#include "buf.h"
#include "conftext.h"
#include "dl.h"
#include "sys.h"

#include <confuse.h>
#include <errno.h>
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

/* What is called of libconfuse, loaded by name while a file is read; the types are its header's. */
#define CALLS(f)                                                                                   \
	f(cfg_free) f(cfg_getnsec) f(cfg_getstr) f(cfg_init) f(cfg_parse_buf)                      \
	f(cfg_set_error_function) f(cfg_size) f(cfg_title)
static struct {
	CALLS(DL_POINTER)
} lib;
static struct dl library = DL_INIT(lib, CALLS, SYS_LIBCONFUSE);

struct reading {
	const char *name;
	struct conftext text;
	const struct conftab_section *file;
	void *base;
	struct conftab *t;
};

/* libconfuse tells its errors to a function without an argument of ours. */
static _Thread_local struct {
	struct buf text;
	int line;
} complaint;

static void __attribute__((format(printf, 2, 0)))
complain(cfg_t *cfg, const char *fmt, va_list ap)
{
	if (complaint.text.len > 0)
		return;
	complaint.line = cfg ? cfg->line : 0;
	buf_vfmt(&complaint.text, fmt, ap);
}

static unsigned
line_of(const struct reading *r, const struct conftab_section *s, const char *title,
    const char *key)
{
	return conftext_line(&r->text, s->name, title, key);
}

/* What the file says of one section, over what is in the struct; cfg NULL: nothing. */
static int
values(const struct reading *r, cfg_t *cfg, void *item, const struct conftab_section *s,
    struct err *e)
{
	const char *title = cfg && s->titled ? lib.cfg_title(cfg) : NULL;
	unsigned line;

	for (size_t i = 0; cfg && i < s->n_keys; i++) {
		const char *key = s->keys[i].name;
		const char *text = lib.cfg_size(cfg, key) ? lib.cfg_getstr(cfg, key) : NULL;

		if (text && set(item, &s->keys[i], text, e))
			return err_in(e, "%s:%u", r->name, line_of(r, s, title, key));
	}
	if (!s->check || s->check(item, e) == 0)
		return 0;
	line = s->name ? line_of(r, s, title, NULL) : 0;
	if (line == 0)
		return err_in(e, "%s", r->name);
	return err_in(e, title ? "%s:%u: %s \"%s\"" : "%s:%u: %s", r->name, line, s->name, title);
}

static int
section(const struct reading *r, cfg_t *cfg, void *item, const struct conftab_section *s,
    struct err *e)
{
	const char *title = s->titled ? lib.cfg_title(cfg) : NULL;

	if (title && !s->title_ok(title))
		return err_set(e, EX_CONFIG, "%s:%u: %s \"%s\": %s", r->name,
		    line_of(r, s, title, NULL), s->name, title, s->title_is);
	if (title)
		set_text_at(item, s->title_at, title);
	if (defaults(item, s, e))
		return e->code;
	if (s->begin)
		s->begin(item, r->base);
	return values(r, cfg, item, s, e);
}

static int
sections(const struct reading *r, cfg_t *cfg, struct err *e)
{
	for (size_t i = 0; i < r->t->n; i++) {
		struct conftab_list *l = &r->t->v[i];
		const struct conftab_section *s = l->section;
		size_t n = !s->titled ? 1 : cfg ? lib.cfg_size(cfg, s->name) : 0;

		l->items = n ? mem_alloc(n * s->size) : NULL;
		for (unsigned k = 0; k < n; k++) {
			cfg_t *sec = cfg ? lib.cfg_getnsec(cfg, s->name, k) : NULL;

			l->n++;
			if (section(r, sec, item_at(l->items, s, k), s, e))
				return e->code;
		}
	}
	return 0;
}

static int
parse_clean(const struct reading *r, cfg_t *cfg, struct err *e)
{
	int rc;

	lib.cfg_set_error_function(cfg, complain);
	buf_cut(&complaint.text, 0);
	rc = lib.cfg_parse_buf(cfg, r->text.clean.s);
	if (errno == ENOMEM)
		return err_sys(e, "%s", r->name);
	if (rc != CFG_SUCCESS || complaint.text.len > 0)
		return err_set(e, EX_CONFIG, "%s:%d: %s", r->name, complaint.line,
		    complaint.text.len > 0 ? complaint.text.s : "cannot be read");
	rc = values(r, cfg, r->base, r->file, e);
	return rc ? rc : sections(r, cfg, e);
}

/* --- libconfuse's own tables, made from ours */

static cfg_opt_t *
options(const struct conftab_section *s, size_t more)
{
	cfg_opt_t *v = mem_alloc((s->n_keys + more + 1) * sizeof *v);

	for (size_t i = 0; i < s->n_keys; i++)
		v[i] = (cfg_opt_t)CFG_STR(s->keys[i].name, NULL, CFGF_NODEFAULT);
	v[s->n_keys + more] = (cfg_opt_t)CFG_END();
	return v;
}

static int
parse_loaded(const struct reading *r, struct err *e)
{
	size_t n = r->t->n, first = r->file->n_keys;
	cfg_opt_t *top = options(r->file, n), **sub = mem_alloc((n + 1) * sizeof(cfg_opt_t *));
	cfg_t *cfg;
	int rc;

	for (size_t i = 0; i < n; i++) {
		const struct conftab_section *s = r->t->v[i].section;

		sub[i] = options(s, 0);
		top[first + i] = (cfg_opt_t)CFG_SEC(
		    s->name, sub[i], s->titled ? CFGF_MULTI | CFGF_TITLE : CFGF_NONE);
	}
	errno = 0;
	cfg = lib.cfg_init(top, CFGF_NONE); /* copies them */
	rc = cfg && errno != ENOMEM ? parse_clean(r, cfg, e) : err_sys(e, "%s", r->name);
	/* Where memory has run out it has left sections half made, and would fall over them. */
	if (cfg && errno != ENOMEM)
		lib.cfg_free(cfg);
	buf_free(&complaint.text);
	for (size_t i = 0; i < n; i++)
		free(sub[i]);
	free(sub);
	free(top);
	return rc;
}

/* It goes as soon as the file is read: each process that smtp-serve makes would inherit it. */
static int
parse(const struct reading *r, struct err *e)
{
	int rc = dl_need(&library, EX_TEMPFAIL, e);

	if (rc)
		return err_in(e, "%s", r->name);
	rc = parse_loaded(r, e);
	dl_close(&library);
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
	/* A file of comments is no work for libconfuse. */
	if (!rc)
		rc = r.text.n > 0 ? parse(&r, e) : sections(&r, NULL, e);
	conftext_free(&r.text);
	return rc;
}
