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

/* --- patterns */

static bool
is_local(int c)
{
	static const bool not[128] = {['<'] = 1, ['>'] = 1, ['('] = 1, [')'] = 1, ['['] = 1, [']'] = 1,
	    [':'] = 1, [';'] = 1, [','] = 1, ['"'] = 1, ['\\'] = 1, ['\''] = 1, ['`'] = 1,
	    ['|'] = 1, ['@'] = 1, [127] = 1};

	return c > ' ' && (c > 127 || !not[c]);
}

static bool
is_domain(int c)
{
	return is_alnum(c) || c == '.' || c == '-' || c == '_' || c >= 0x80;
}

static bool
not_blank(int c)
{
	return c != ' ';
}

/* local@domain; a dot at its end is the sentence's. */
static bool
address(struct cur *c, struct span *addr)
{
	struct cur t = *c;
	const char *start = t.p;
	struct span local, domain;

	if (cur_ch(&t, '"')) {
		cur_until(&t, '"');
		if (!cur_ch(&t, '"'))
			return false;
	} else {
		local = cur_while(&t, is_local);
		if (local.n == 0)
			return false;
	}
	if (!cur_ch(&t, '@'))
		return false;
	domain = cur_while(&t, is_domain);
	while (domain.n > 0 && strchr(".-", domain.p[domain.n - 1]))
		domain.n--;
	if (domain.n == 0)
		return false;
	t.p = domain.p + domain.n;
	if (addr)
		*addr = (struct span){start, (size_t)(t.p - start)};
	*c = t;
	return true;
}

static bool
is_plain(int c)
{
	return c != '#' && c != '%' && c != '$' && c != '\\' && c != '*' && c != '^';
}

/* A piece of a pattern without "*" at the cursor of the text. */
static bool
piece_here(struct span piece, struct cur *text, struct span *addr)
{
	struct cur p = cur_span(piece), t = *text;

	while (!cur_end(&p)) {
		char c = *p.p++;

		if (c == '#') {
			if (cur_while(&t, is_digit).n == 0)
				return false;
		} else if (c == '%' && cur_ch(&p, 'a')) {
			if (!address(&t, addr))
				return false;
		} else if (c == '%' && cur_ch(&p, 'w')) {
			if (cur_while(&t, not_blank).n == 0)
				return false;
		} else if (c == '$' && cur_end(&p)) {
			if (!cur_end(&t))
				return false;
		} else {
			if (c == '\\' && !cur_end(&p))
				c = *p.p++;
			if (cur_end(&t) || *t.p != c)
				return false;
			t.p++;
		}
	}
	*text = t;
	return true;
}

static bool
all_plain(struct span piece)
{
	for (size_t i = 0; i < piece.n; i++)
		if (!is_plain((unsigned char)piece.p[i]))
			return false;
	return true;
}

/* The same, anywhere behind the cursor. */
static bool
piece_behind(struct span piece, struct cur *text, struct span *addr)
{
	bool plain = piece.n > 0 && is_plain((unsigned char)*piece.p);

	if (all_plain(piece)) { /* most are */
		const char *at = memmem(text->p, (size_t)(text->end - text->p), piece.p, piece.n);

		if (at)
			text->p = at + piece.n;
		return at != NULL;
	}
	for (struct cur t = *text;; t.p++) {
		struct cur try;

		if (plain) {
			const char *at = cur_end(&t) ? NULL : memchr(t.p, *piece.p, (size_t)(t.end - t.p));

			if (!at)
				return false;
			t.p = at;
		}
		try = t;
		if (piece_here(piece, &try, addr)) {
			*text = try;
			return true;
		}
		if (cur_end(&t))
			return false;
	}
}

/* Up to a "*" that is not escaped. */
static struct span
next_piece(struct cur *p)
{
	const char *start = p->p;

	while (!cur_end(p) && *p->p != '*')
		p->p += *p->p == '\\' && p->p + 1 < p->end ? 2 : 1;
	return (struct span){start, (size_t)(p->p - start)};
}

bool
rules_matches(struct span pattern, struct span folded, struct span *addr)
{
	struct cur p = cur_span(pattern), t = cur_span(folded);
	bool here = cur_ch(&p, '^');

	do {
		struct span piece = next_piece(&p);

		if (here ? !piece_here(piece, &t, addr) : !piece_behind(piece, &t, addr))
			return false;
		here = false;
	} while (cur_ch(&p, '*'));
	return true;
}

static bool has_gram(struct span pattern);

static uint32_t
gram_at(const char *p)
{
	uint32_t g;

	memcpy(&g, p, sizeof g);
	return g;
}

static size_t
bucket_of(uint32_t gram)
{
	return (gram * 2654435769u) >> 19; /* RULES_BUCKETS is 2^13 */
}

const char *
rules_pattern_bad(struct span pattern)
{
	if (span_eq(pattern, SPAN("*")))
		return NULL;
	for (size_t i = 0; i < pattern.n; i++) {
		unsigned char c = (unsigned char)pattern.p[i];

		if (c >= 'A' && c <= 'Z')
			return "a pattern is in lower case";
		if (c == '%' && (i + 1 == pattern.n || !strchr("aw", pattern.p[i + 1])))
			return "% stands before a or w";
		if (c == '\\' && i + 1 == pattern.n)
			return "a backslash ends the pattern";
		if (c == ' ' && i + 1 < pattern.n && pattern.p[i + 1] == ' ')
			return "two blanks in a row never match";
		i += c == '\\';
	}
	/* The few that only look for an address are asked about every line. */
	return has_gram(pattern) || (pattern.n > 2 && memmem(pattern.p, pattern.n, "%a", 2)) ?
	    NULL : "a pattern has four characters in a row that stand for themselves";
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

static int
check_rule(const struct rule *rule, struct err *e)
{
	static const struct rules_facts none;
	const char *why = rules_pattern_bad(rule->pattern);
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
	rc = check ? check_rule(&rule, e) : 0;
	if (rc)
		return rc;
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

/* The next four bytes in a row that the pattern must contain, from *at on: false at the end. */
static inline bool
next_gram(struct span pattern, size_t *at, size_t *run, uint32_t *gram)
{
	for (size_t i = *at; i < pattern.n; i++) {
		char c = pattern.p[i];

		*run = is_plain((unsigned char)c) ? *run + 1 : 0;
		if (c == '%' || c == '\\')
			i++;
		if (*run >= RULES_GRAM) {
			*gram = gram_at(pattern.p + i + 1 - RULES_GRAM);
			*at = i + 1;
			return true;
		}
	}
	return false;
}

static bool
has_gram(struct span pattern)
{
	size_t at = 0, run = 0;
	uint32_t gram;

	return next_gram(pattern, &at, &run, &gram);
}

static void
count_grams(struct span pattern, uint16_t *count)
{
	size_t at = 0, run = 0;
	uint32_t gram;

	while (next_gram(pattern, &at, &run, &gram))
		count[bucket_of(gram)]++;
}

/* Filed under the gram that fewest patterns have. */
static void
file_under(const struct rules *r, struct rules_set *s, size_t i, const uint16_t *count)
{
	size_t at = 0, run = 0, b;
	unsigned best = UINT16_MAX + 1u;
	uint32_t gram;

	while (next_gram(r->v[s->v[i]].pattern, &at, &run, &gram))
		if (count[bucket_of(gram)] < best) {
			best = count[bucket_of(gram)];
			s->gram[i] = gram;
		}
	if (best > UINT16_MAX) {
		s->always[i / 64] |= (uint64_t)1 << i % 64;
		return;
	}
	b = bucket_of(s->gram[i]);
	s->next[i] = s->bucket[b];
	s->bucket[b] = (uint16_t)(i + 1);
}

static void
set_ready(const struct rules *r, struct rules_set *s, bool lines)
{
	uint16_t *count;

	memset(s->bucket, 0, sizeof s->bucket);
	s->v = mem_alloc((r->n + 1) * sizeof *s->v);
	s->gram = mem_alloc((r->n + 1) * sizeof *s->gram);
	s->next = mem_alloc((r->n + 1) * sizeof *s->next);
	s->always = mem_alloc((r->n / 64 + 1) * sizeof *s->always);
	for (size_t i = 0; i < r->n; i++)
		if ((*r->v[i].what.p == '@') == lines && !is_site(&r->v[i]))
			s->v[s->n++] = (uint16_t)i;
	count = mem_alloc(RULES_BUCKETS * sizeof *count);
	for (size_t i = 0; i < s->n; i++)
		count_grams(r->v[s->v[i]].pattern, count);
	for (size_t i = 0; i < s->n; i++)
		file_under(r, s, i, count);
	free(count);
}

static void
set_free(struct rules_set *s)
{
	free(s->v);
	free(s->gram);
	free(s->next);
	free(s->always);
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
	memset(r, 0, sizeof *r);
}

/* --- asking */

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
	/* Lines that are filed under nothing look for an address. */
	c->begins_address = false;
	if (header || (s == &r->lines && !memchr(t.p, '@', t.n)))
		memset(c->bits, 0, (s->n / 64 + 1) * sizeof *c->bits);
	else
		memcpy(c->bits, s->always, (s->n / 64 + 1) * sizeof *c->bits);
	c->begins_address = address(&start, NULL);
	for (size_t i = 0; i + RULES_GRAM <= t.n; i++) {
		uint32_t g = gram_at(t.p + i);

		for (uint16_t k = s->bucket[bucket_of(g)]; k; k = s->next[k - 1])
			if (s->gram[k - 1] == g)
				c->bits[(k - 1) / 64] |= (uint64_t)1 << (k - 1) % 64;
	}
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
		} else if (is_plain((unsigned char)p.p[1]) && (c->text.n == 0 || *c->text.p != p.p[1]))
			return false;
	}
	/* Of a line's rule the site is what it tells, not what it asks. */
	if (c->s != &c->r->lines && !site_is(rule->site, c->f))
		return false;
	if (!(p.n == 1 && *p.p == '*') && !rules_matches(p, c->text, &c->addr))
		return false;
	return rules_when(rule->when, c->f, &bad);
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
