#include "rules.h"

#include <stdlib.h>
#include <string.h>

const char *const rules_phases[] = {"", "conn", "helo", "mail", "rcpt", "data"};
#define PHASES (sizeof rules_phases / sizeof *rules_phases)

void
rules_fold(struct span text, struct buf *out)
{
	char *p = buf_room(out, text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c > ' ' && c != 127)
			p[n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
		else if (n > 0 && p[n - 1] != ' ')
			p[n++] = ' ';
	}
	if (n > 0 && p[n - 1] == ' ')
		n--;
	buf_grew(out, n);
}

/* --- conditions */

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
	struct cur a = cur_span(w), b = cur_span(status);

	if (status.n == 0)
		return false;
	for (int i = 0; i < 3; i++) {
		struct span x = cur_until(&a, '.'), y = cur_until(&b, '.');

		if (!span_eq(x, y) && !(span_eq(x, SPAN("x")) && y.n > 0))
			return false;
		cur_ch(&a, '.');
		cur_ch(&b, '.');
	}
	return true;
}

/* One alternative; *known: it is a condition at all. */
static bool
alternative(struct span w, const struct rules_facts *f, bool *known)
{
	*known = true;
	if (is_code(w))
		return code_is(w, f->code);
	if (is_status(w))
		return status_is(w, f->status);
	if (span_eq(w, SPAN("4")) || span_eq(w, SPAN("5"))) /* the class, from either */
		return f->code ? f->code / 100 == *w.p - '0' : f->status.n > 0 && *f->status.p == *w.p;
	if (span_eq(w, SPAN("nocode")))
		return f->code == 0;
	if (span_eq(w, SPAN("nostatus")))
		return f->status.n == 0;
	if (w.n > 1 && *w.p == '@') {
		struct span name = {w.p + 1, w.n - 1};

		for (size_t i = 1; i < PHASES; i++)
			if (span_eq(name, span_of(rules_phases[i])))
				return f->phase == i;
		if (span_eq(name, SPAN("none")))
			return f->phase == RULES_NO_PHASE;
	}
	if (span_eq(w, SPAN("failed")) || span_eq(w, SPAN("delayed")) ||
	    span_eq(w, SPAN("delivered")) || span_eq(w, SPAN("relayed")) ||
	    span_eq(w, SPAN("expanded")))
		return span_eq(w, f->action);
	*known = false;
	return false;
}

/* "550/5.7.1": either; "!" before the word: none of them. */
static bool
condition(struct span word, const struct rules_facts *f, struct span *bad)
{
	struct cur c = cur_span(word);
	bool negated = cur_ch(&c, '!'), any = false, known;

	do {
		any |= alternative(cur_until(&c, '/'), f, &known);
		if (!known)
			*bad = word;
	} while (cur_ch(&c, '/'));
	return any != negated;
}

bool
rules_when(struct span when, const struct rules_facts *f, struct span *bad)
{
	struct cur c = cur_span(when);
	bool all = true;

	*bad = (struct span){"", 0};
	if (span_eq(when, SPAN("*")))
		return true;
	while (!cur_end(&c)) {
		struct span word = cur_until(&c, ' ');

		if (word.n > 0)
			all &= condition(word, f, bad);
		cur_ch(&c, ' ');
	}
	return all;
}

static bool
site_is(struct span site, const struct rules_facts *f)
{
	if (site.n == 1 && *site.p == '*')
		return !f->site_only;
	for (size_t i = 0; i < RULES_SITES && f->sites[i].n > 0; i++)
		if (span_eq(site, f->sites[i]))
			return true;
	return false;
}

/* --- texts of rules */

static bool
is_site(const struct rule *r)
{
	return span_eq(r->what, SPAN("@site"));
}

/* --- families of words */

static struct rules_words *
words_of(struct rules *r, struct span name)
{
	for (struct rules_words *w = r->words; w; w = w->next)
		if (span_eq(w->name, name))
			return w;
	return NULL;
}

static struct span
joined(struct rules *r, struct span a, const char *between, struct span b)
{
	struct buf text = BUF_INIT;
	struct span out;

	buf_add(&text, a.p, a.n);
	buf_add(&text, between, strlen(between));
	buf_add(&text, b.p, b.n);
	out = arena_dup(&r->arena, (struct span){text.s, text.len});
	buf_free(&text);
	return out;
}

/* "@words": more lines of a name are more of its words. */
static void
add_words(struct rules *r, struct span name, struct span list)
{
	struct rules_words *w = words_of(r, name);

	if (w) {
		w->list = joined(r, w->list, "|", list);
		return;
	}
	w = arena_get(&r->arena, sizeof *w);
	*w = (struct rules_words){name, list, r->words};
	r->words = w;
}

/* The first name in a pattern: "=NAME" behind "{" or "|", up to "|" or "}". */
static bool
find_words(struct span pattern, struct span *name)
{
	for (size_t i = 1; i < pattern.n; i++)
		if (pattern.p[i] == '=' && (pattern.p[i - 1] == '{' || pattern.p[i - 1] == '|')) {
			const char *start = pattern.p + i + 1;
			size_t n = 0, max = pattern.n - i - 1;

			while (n < max && start[n] != '|' && start[n] != '}')
				n++;
			*name = (struct span){start, n};
			return true;
		}
	return false;
}

/* Each name becomes its words; what does not change stays where it is. */
static int
expand(struct rules *r, struct rule *rule, struct err *e)
{
	struct span name;

	while (find_words(rule->pattern, &name)) {
		const struct rules_words *w = words_of(r, name);
		const char *end = rule->pattern.p + rule->pattern.n, *behind = name.p + name.n;
		struct span before = {rule->pattern.p, (size_t)(name.p - 1 - rule->pattern.p)};

		if (!w)
			return err_set(e, EX_CONFIG, "%s:%u: no @words are named \"%.*s\"", rule->file, rule->line,
			    SPAN_ARG(name));
		before = joined(r, before, "", w->list);
		rule->pattern = joined(r, before, "", (struct span){behind, (size_t)(end - behind)});
	}
	return 0;
}

static int
check_rule(const struct rule *rule, struct err *e)
{
	static const struct rules_facts none;
	const char *why = pattern_bad(rule->pattern);
	struct span bad;

	if (*rule->what.p == '|' || rule->what.p[rule->what.n - 1] == '|')
		return err_set(e, EX_CONFIG, "%s:%u: a reason is missing beside \"|\"", rule->file, rule->line);
	rules_when(rule->when, &none, &bad);
	if (bad.n > 0)
		return err_set(e, EX_CONFIG, "%s:%u: \"%.*s\" is no condition", rule->file, rule->line,
		    SPAN_ARG(bad));
	return !why || is_site(rule) ? 0 : err_set(e, EX_CONFIG, "%s:%u: %s", rule->file, rule->line, why);
}

static int
rule_line(struct rules *r, struct span line, const char *file, unsigned no, bool check,
    struct err *e)
{
	struct rule rule = {.file = file, .line = no};
	struct span *columns[] = {&rule.what, &rule.site, &rule.when, &rule.pattern, &rule.sample};
	struct cur c = cur_span(line);
	size_t n = 0;
	int rc;

	for (; n < 5; n++) {
		*columns[n] = cur_until(&c, '\t');
		if (columns[n]->n == 0 && n < 4)
			break;
		if (!cur_ch(&c, '\t')) {
			n++;
			break;
		}
	}
	if (n < 4 || !cur_end(&c))
		return err_set(e, EX_CONFIG, "%s:%u: not four or five columns with a TAB between two",
		    file, no);
	if (span_eq(rule.what, SPAN("@words"))) {
		if (memchr(rule.pattern.p, '{', rule.pattern.n) || memmem(rule.pattern.p, rule.pattern.n, "|=", 2) ||
		    *rule.pattern.p == '=')
			return err_set(e, EX_CONFIG, "%s:%u: no { or =NAME stands among words", file, no);
		add_words(r, rule.site, rule.pattern);
		return 0;
	}
	rc = expand(r, &rule, e);
	if (!rc && check)
		rc = check_rule(&rule, e);
	if (rc)
		return rc;
	if (pattern_has_groups(rule.pattern)) {
		rule.skip = arena_get(&r->arena, (rule.pattern.n + 1) * sizeof *rule.skip);
		pattern_skips(rule.pattern, rule.skip);
	}
	if (r->n == RULES_MAX)
		return err_set(e, EX_CONFIG, "%s:%u: over %d rules", file, no, RULES_MAX);
	if (r->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 1024;
		r->v = mem_grow(r->v, r->cap, sizeof *r->v);
	}
	r->v[r->n++] = rule;
	return 0;
}

static int
add_text(struct rules *r, struct span text, const char *file, bool check, struct err *e)
{
	struct cur c = cur_span(text);
	struct span line;
	unsigned no = 0;
	int rc = 0;

	while (!rc && cur_line(&c, &line)) {
		no++;
		if (line.n > 0 && *line.p != '#')
			rc = rule_line(r, line, file, no, check, e);
	}
	return rc;
}

int
rules_add(struct rules *r, struct span text, const char *file, struct err *e)
{
	return add_text(r, text, file, true, e);
}

void
rules_add_shipped(struct rules *r)
{
	struct err e = ERR_INIT;

	add_text(r, (struct span){rules_shipped, rules_shipped_len}, "bounce.rules", false, &e);
	err_free(&e);
}

static void
set_bit(uint64_t *bits, size_t i)
{
	bits[i / 64] |= (uint64_t)1 << i % 64;
}

static inline uint32_t
key_bit(uint32_t gram)
{
	return (gram * 2654435769u) >> 16; /* RULES_KEY_BITS is 2^16 */
}

/* Filed under the keys that fewest patterns have; a part that it lacks is in every text. */
static void
file_under(struct rules_set *s, size_t i, struct span pattern, const uint16_t *count)
{
	struct pattern_part part[PATTERN_PARTS];
	size_t n = pattern_parts(pattern, count, part);

	if (pattern_names(pattern))
		set_bit(s->names, i);
	for (size_t p = n; p < PATTERN_PARTS; p++)
		set_bit(s->free[p], i);
	for (size_t p = 0; p < n; p++) {
		if (s->n_keys + part[p].n > UINT16_MAX) {
			set_bit(s->free[p], i);
			continue;
		}
		while (s->n_keys + part[p].n > s->cap) {
			s->cap = s->cap ? s->cap * 2 : 1024;
			s->key = mem_grow(s->key, s->cap, sizeof *s->key);
		}
		for (size_t k = 0; k < part[p].n; k++) {
			size_t b = pattern_bucket(part[p].key[k]);

			s->key[s->n_keys] = (struct rules_key){part[p].key[k], (uint16_t)i, (uint16_t)p,
			    s->bucket[b]};
			s->bucket[b] = (uint16_t)++s->n_keys;
			set_bit(s->some, key_bit(part[p].key[k]));
		}
	}
}

static void
set_ready(const struct rules *r, struct rules_set *s, bool lines)
{
	uint16_t *count = mem_alloc(PATTERN_BUCKETS * sizeof *count);

	memset(s->bucket, 0, sizeof s->bucket);
	memset(s->some, 0, sizeof s->some);
	s->v = mem_alloc((r->n + 1) * sizeof *s->v);
	s->names = mem_alloc((r->n / 64 + 1) * sizeof *s->names);
	for (size_t p = 0; p < PATTERN_PARTS; p++)
		s->free[p] = mem_alloc((r->n / 64 + 1) * sizeof *s->free[p]);
	for (size_t i = 0; i < r->n; i++)
		if ((*r->v[i].what.p == '@') == lines && !is_site(&r->v[i]))
			s->v[s->n++] = (uint16_t)i;
	for (size_t i = 0; i < s->n; i++)
		pattern_count(r->v[s->v[i]].pattern, count);
	for (size_t i = 0; i < s->n; i++)
		file_under(s, i, r->v[s->v[i]].pattern, count);
	free(count);
}

static void
set_free(struct rules_set *s)
{
	free(s->v);
	free(s->key);
	free(s->names);
	for (size_t p = 0; p < PATTERN_PARTS; p++)
		free(s->free[p]);
}

/* A header has few fields that matter and many that do not: those are told apart by name. */
static size_t
field_bit(struct span name)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ (uint32_t)ascii_lower((unsigned char)name.p[i])) * 16777619u;
	return h % RULES_FIELD_BITS;
}

/* What a field can tell; the other words are about lines of the text alone. */
static bool
about_header(struct span what)
{
	return span_eq(what, SPAN("@bounce")) || span_eq(what, SPAN("@auto")) ||
	    span_eq(what, SPAN("@daemon")) || span_eq(what, SPAN("@delayed")) ||
	    span_eq(what, SPAN("@feedback"));
}

static void
note_field(struct rules *r, const struct rule *rule)
{
	struct cur c = cur_span(rule->pattern);
	struct span name;
	size_t bit;

	if (!about_header(rule->what) || !cur_ch(&c, '^'))
		return;
	name = cur_until(&c, ':');
	bit = field_bit(name);
	if (cur_ch(&c, ':'))
		r->fields[bit / 64] |= (uint64_t)1 << bit % 64;
}

bool
rules_field(const struct rules *r, struct span name)
{
	size_t bit = field_bit(name);

	return r->fields[bit / 64] >> bit % 64 & 1;
}

void
rules_ready(struct rules *r)
{
	set_ready(r, &r->reasons, false);
	set_ready(r, &r->lines, true);
	r->sites = mem_alloc((r->n + 1) * sizeof *r->sites);
	for (size_t i = 0; i < r->n; i++) {
		if (is_site(&r->v[i]))
			r->sites[r->n_sites++] = (uint16_t)i;
		note_field(r, &r->v[i]);
	}
}

void
rules_free(struct rules *r)
{
	free(r->v);
	free(r->sites);
	set_free(&r->reasons);
	set_free(&r->lines);
	arena_free(&r->arena);
	memset(r, 0, sizeof *r);
}

/* --- asking */

/* The rules of which all parts are in the text; with_key: not those that have none. */
static void
find_parts(struct rules_scan *c, bool with_key)
{
	const struct rules_set *s = c->s;
	size_t words = s->n / 64 + 1;
	uint64_t found[PATTERN_PARTS][RULES_MAX / 64 + 1];
	bool at = memchr(c->text.p, '@', c->text.n) != NULL;

	if (with_key)
		memset(found[0], 0, words * sizeof *found[0]);
	else
		memcpy(found[0], s->free[0], words * sizeof *found[0]);
	for (size_t p = 1; p < PATTERN_PARTS; p++)
		memcpy(found[p], s->free[p], words * sizeof *found[p]);
	for (size_t i = 0; i + PATTERN_GRAM <= c->text.n; i++) {
		uint32_t g = pattern_gram(c->text.p + i), h = key_bit(g);

		if (!(s->some[h / 64] >> h % 64 & 1))
			continue;
		for (uint16_t k = s->bucket[pattern_bucket(g)]; k; k = s->key[k - 1].next) {
			const struct rules_key *key = &s->key[k - 1];

			if (key->gram == g)
				set_bit(found[key->part], key->rule);
		}
	}
	for (size_t w = 0; w < words; w++) {
		c->bits[w] = found[0][w] & (at ? ~(uint64_t)0 : ~s->names[w]);
		for (size_t p = 1; p < PATTERN_PARTS; p++)
			c->bits[w] &= found[p][w];
	}
}

void
rules_begin(struct rules_scan *c, const struct rules *r, const struct rules_set *s,
    struct span t, const struct rules_facts *f, bool header)
{
	struct cur start = cur_span(t);

	c->r = r;
	c->s = s;
	c->f = f;
	c->text = t;
	c->word = 0;
	find_parts(c, header);
	c->begins_address = pattern_address(&start, NULL);
}

/* What most rules fail by comes first. */
static bool
holds(struct rules_scan *c, const struct rule *rule)
{
	struct span p = rule->pattern, bad;

	if (p.n == 1 && *p.p == '*') {
		if (c->f->site_only)
			return false;
	} else if (p.n > 2 && p.p[0] == '^') {
		if (p.p[1] == '%' && p.p[2] == 'a') {
			if (!c->begins_address)
				return false;
		} else if (pattern_plain((unsigned char)p.p[1]) && (c->text.n == 0 || *c->text.p != p.p[1]))
			return false;
	}
	/* Of a line's rule the site is what it tells, not what it asks. */
	if (c->s != &c->r->lines && !site_is(rule->site, c->f))
		return false;
	if (!(rule->when.n == 1 && *rule->when.p == '*') && !rules_when(rule->when, c->f, &bad))
		return false;
	return (p.n == 1 && *p.p == '*') || pattern_matches(p, rule->skip, c->text, &c->addr);
}

const struct rule *
rules_next(struct rules_scan *c)
{
	size_t words = c->s->n / 64 + 1;

	for (; c->word < words; c->word++)
		while (c->bits[c->word]) {
			size_t bit = (size_t)__builtin_ctzll(c->bits[c->word]);
			const struct rule *rule = &c->r->v[c->s->v[c->word * 64 + bit]];

			c->bits[c->word] &= c->bits[c->word] - 1;
			c->addr = (struct span){"", 0};
			if (holds(c, rule))
				return rule;
		}
	return NULL;
}

size_t
rules_sites(const struct rules *r, struct span host, struct span *out, size_t max)
{
	size_t n = 0;

	while (host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	for (size_t i = 0; i < r->n_sites && n < max && host.n > 0; i++) {
		const struct rule *rule = &r->v[r->sites[i]];
		struct span tail = rule->pattern;

		if (!span_ends(host, tail))
			continue;
		if (host.n == tail.n || *tail.p == '.' || host.p[host.n - tail.n - 1] == '.')
			out[n++] = rule->site;
	}
	return n;
}
