#include "rules.h"

#include <stdlib.h>
#include <string.h>

enum rules_phase
rules_at(const struct rule *rule)
{
	return rule->is >= RULES_AT_CONN && rule->is <= RULES_AT_DATA
	    ? (enum rules_phase)(rule->is - RULES_AT_CONN + RULES_CONN) : RULES_NO_PHASE;
}

/* --- texts of rules, first their conditions */

bool
rules_when(struct span when, const struct rules_facts *f, struct span *bad)
{
	struct rules_cond *c = mem_alloc(rulescond_max(when) * sizeof *c);
	size_t n = rulescond_read(when, c, bad);
	bool all = bad->n == 0 && rulescond_hold(c, n, f);

	free(c);
	return all;
}

static enum rules_is
word_is(struct span what)
{
	static const char *const words[] = {[RULES_BOUNCE] = "@bounce", [RULES_AUTO] = "@auto",
	    [RULES_FEEDBACK] = "@feedback", [RULES_DAEMON] = "@daemon", [RULES_JSON] = "@json",
	    [RULES_DELAYED] = "@delayed", [RULES_ORIGINAL] = "@original", [RULES_HEADER] = "@header",
	    [RULES_DSN] = "@dsn", [RULES_ALIAS] = "@alias", [RULES_TO] = "@to", [RULES_SKIP] = "@skip",
	    [RULES_END] = "@end", [RULES_SITE] = "@site", [RULES_AT_CONN] = "@conn",
	    [RULES_AT_HELO] = "@helo", [RULES_AT_MAIL] = "@mail", [RULES_AT_RCPT] = "@rcpt",
	    [RULES_AT_DATA] = "@data"};

	if (what.n == 0 || *what.p != '@')
		return RULES_REASON;
	for (unsigned i = 1; i < sizeof words / sizeof *words; i++)
		if (span_eq(what, span_of(words[i])))
			return (enum rules_is)i;
	return RULES_NO_WORD;
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
	if (!why || word_is(rule->what) == RULES_SITE)
		return 0;
	return err_set(e, EX_CONFIG, "%s:%u: %s", rule->file, rule->line, why);
}

/* What is asked again and again is read but once. */
static void
compile(struct rules *r, struct rule *rule)
{
	struct rules_cond *c = arena_get(&r->arena, rulescond_max(rule->when) * sizeof *c);
	struct buf code = BUF_INIT;
	struct span bad;

	rule->conds = c;
	rule->n_conds = (unsigned)rulescond_read(rule->when, c, &bad);
	rule->is = word_is(rule->what);
	if (rule->is != RULES_SITE && !span_eq(rule->pattern, SPAN("*")))
		pattern_code(rule->pattern, &code);
	rule->code = arena_dup(&r->arena, (struct span){code.s, code.len});
	buf_free(&code);
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
		if (n < 4 && columns[n]->n == 0)
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
	if (r->n == RULES_MAX)
		return err_set(e, EX_CONFIG, "%s:%u: over %d rules", file, no, RULES_MAX);
	if (r->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 1024;
		r->v = r->grown = mem_grow(r->grown, r->cap, sizeof *r->grown);
	}
	compile(r, &rule);
	r->grown[r->n++] = rule;
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

/* Keys while they are gathered, and who has each, the last first. */
struct filing {
	struct filed {
		struct rules_key key;
		uint32_t next, owner; /* of the same bucket; numbers are one more than the index, 0: none */
	} *key;
	struct owner {
		uint16_t who;
		uint32_t next;
	} *owner;
	struct buf literals;
	size_t n, cap, n_owners, cap_owners;
	uint32_t bucket[PATTERN_BUCKETS];
	uint64_t *some, *names, *address, *any, *literal, *free[PATTERN_PARTS], *begin[RULES_BEGINS], *ask[RULES_ASKS];
};

/* What is found in a text: a bit for each part of each rule of a set, those of a part side by side. */
#define WORDS (RULES_MAX / 64 + 1)
_Static_assert(PATTERN_PARTS * WORDS * 64 <= UINT16_MAX, "the number of such a bit is an owner");

/* Words are in many patterns: a key with the same literal is one. */
static struct filed *
filed_key(struct filing *f, const struct pattern_key *k)
{
	uint32_t *bucket = &f->bucket[pattern_bucket(k->gram)];

	for (uint32_t i = *bucket; i; i = f->key[i - 1].next) {
		const struct rules_key *key = &f->key[i - 1].key;

		if (key->gram == k->gram && key->before == k->before &&
		    (size_t)key->before + PATTERN_GRAM + key->behind == k->literal.n &&
		    memcmp(f->literals.s + key->literal, k->literal.p, k->literal.n) == 0)
			return &f->key[i - 1];
	}
	if (f->n == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 4096;
		f->key = mem_grow(f->key, f->cap, sizeof *f->key);
	}
	f->key[f->n] = (struct filed){{.gram = k->gram, .literal = (uint32_t)f->literals.len,
	    .before = (uint8_t)k->before, .behind = (uint8_t)(k->literal.n - k->before - PATTERN_GRAM)},
	    *bucket, 0};
	*bucket = (uint32_t)++f->n;
	buf_add(&f->literals, k->literal.p, k->literal.n);
	set_bit(f->some, key_bit(k->gram));
	return &f->key[f->n - 1];
}

static void
add_key(struct filing *f, size_t i, size_t part, const struct pattern_key *k)
{
	struct filed *key = filed_key(f, k);

	if (f->n_owners == f->cap_owners) {
		f->cap_owners = f->cap_owners ? f->cap_owners * 2 : 4096;
		f->owner = mem_grow(f->owner, f->cap_owners, sizeof *f->owner);
	}
	f->owner[f->n_owners] = (struct owner){(uint16_t)(part * WORDS * 64 + i), key->owner};
	key->owner = (uint32_t)++f->n_owners;
	key->key.owners++;
}

/* What a field can tell; the other words are about lines of the text alone. */
static bool
about_header(const struct rule *rule)
{
	return rule->is == RULES_BOUNCE || rule->is == RULES_AUTO || rule->is == RULES_DAEMON ||
	    rule->is == RULES_DELAYED || rule->is == RULES_FEEDBACK || rule->is == RULES_JSON;
}

/* Filed under the keys that fewest patterns have; a part that it lacks is in every text. */
static void
file_under(struct filing *f, size_t i, const struct rule *rule, const uint16_t *count)
{
	struct span pattern = rule->pattern;
	struct pattern_part part[PATTERN_PARTS];
	size_t n = pattern_parts(pattern, count, part);

	if (pattern_names(pattern))
		set_bit(f->names, i);
	if (pattern_begins_address(rule->code))
		set_bit(f->address, i);
	for (unsigned b = 0, begins = pattern_begins(rule->code); b < RULES_BEGINS; b++)
		if (begins >> b & 1)
			set_bit(f->begin[b], i);
	/* It is but one literal, and that is its key's. */
	if (n == 1 && part[0].n == 1 && part[0].key[0].literal.n == pattern.n && f->n_owners < RULES_KEYS_MAX)
		set_bit(f->literal, i);
	for (size_t p = 0; p < PATTERN_PARTS; p++) {
		if (p >= n || f->n_owners + part[p].n > RULES_KEYS_MAX) {
			set_bit(f->free[p], i);
			continue;
		}
		for (size_t k = 0; k < part[p].n; k++)
			add_key(f, i, p, &part[p].key[k]);
	}
	set_bit(f->ask[RULES_ASK_ALL], i);
	if (about_header(rule) && n > 0)
		set_bit(f->ask[RULES_ASK_FIELD], i);
	if (rules_at(rule) != RULES_NO_PHASE && n > 0)
		set_bit(f->ask[RULES_ASK_PHASE], i);
}

/* The keys of a bucket stand side by side, and so do the owners of a key. */
static void
sort_keys(struct rules *r, struct rules_set *s, const struct filing *f)
{
	struct rules_key *key = arena_get(&r->arena, (f->n + 1) * sizeof *key);
	uint16_t *at = arena_get(&r->arena, (PATTERN_BUCKETS + 1) * sizeof *at);
	uint16_t *owner = arena_get(&r->arena, (f->n_owners + 1) * sizeof *owner);
	size_t n = 0, o = 0;

	for (size_t b = 0; b < PATTERN_BUCKETS; b++) {
		at[b] = (uint16_t)n;
		for (uint32_t i = f->bucket[b]; i; i = f->key[i - 1].next) {
			key[n] = f->key[i - 1].key;
			key[n++].owner = (uint32_t)o;
			for (uint32_t k = f->key[i - 1].owner; k; k = f->owner[k - 1].next)
				owner[o++] = f->owner[k - 1].who;
		}
	}
	at[PATTERN_BUCKETS] = (uint16_t)n;
	s->key = key;
	s->n_keys = n;
	s->at = at;
	s->owner = owner;
	s->n_owners = o;
}

/* The rules of each site that reasons ask about; of a line's rule the site is what it tells. */
static void
sort_sites(struct rules *r, struct rules_set *s, uint64_t *any)
{
	struct rules_site *site = arena_get(&r->arena, (s->n + 1) * sizeof *site);
	uint64_t **bits = mem_alloc(s->n * sizeof *bits);

	s->site = site;
	for (size_t i = 0, k; i < s->n; i++) {
		const struct rule *rule = &r->v[s->v[i]];

		if (rule->is != RULES_REASON || span_eq(rule->site, SPAN("*"))) {
			set_bit(any, i);
			continue;
		}
		for (k = 0; k < s->n_sites && !span_eq(site[k].name, rule->site); k++)
			;
		if (k == s->n_sites) {
			bits[k] = arena_get(&r->arena, (r->n / 64 + 1) * sizeof **bits);
			site[k] = (struct rules_site){rule->site, bits[k]};
			s->n_sites++;
		}
		set_bit(bits[k], i);
	}
	free(bits);
}

static void
set_ready(struct rules *r, struct rules_set *s, bool lines)
{
	size_t words = r->n / 64 + 1;
	uint16_t *count = mem_alloc(PATTERN_BUCKETS * sizeof *count);
	uint16_t *v = arena_get(&r->arena, (r->n + 1) * sizeof *v);
	struct filing f = {.literals = BUF_INIT};

	f.some = arena_get(&r->arena, RULES_KEY_BITS / 8);
	f.names = arena_get(&r->arena, words * sizeof *f.names);
	f.address = arena_get(&r->arena, words * sizeof *f.address);
	f.any = arena_get(&r->arena, words * sizeof *f.any);
	f.literal = arena_get(&r->arena, words * sizeof *f.literal);
	for (size_t p = 0; p < PATTERN_PARTS; p++)
		s->free[p] = f.free[p] = arena_get(&r->arena, words * sizeof *f.free[p]);
	for (size_t a = 0; a < RULES_ASKS; a++)
		s->ask[a] = f.ask[a] = arena_get(&r->arena, words * sizeof *f.ask[a]);
	for (size_t b = 0; b < RULES_BEGINS; b++)
		s->begin[b] = f.begin[b] = arena_get(&r->arena, words * sizeof *f.begin[b]);
	for (size_t i = 0; i < r->n; i++)
		if ((r->v[i].is != RULES_REASON) == lines && r->v[i].is != RULES_SITE)
			v[s->n++] = (uint16_t)i;
	for (size_t i = 0; i < s->n; i++)
		pattern_count(r->v[v[i]].pattern, count);
	for (size_t i = 0; i < s->n; i++)
		file_under(&f, i, &r->v[v[i]], count);
	s->v = v;
	sort_keys(r, s, &f);
	sort_sites(r, s, f.any);
	s->some = f.some;
	s->names = f.names;
	s->address = f.address;
	s->any = f.any;
	s->literal = f.literal;
	s->literals = arena_dup(&r->arena, (struct span){f.literals.s, f.literals.len});
	buf_free(&f.literals);
	free(f.key);
	free(f.owner);
	free(count);
}

/* A header has few fields that matter and many that do not: those are told apart by name. */
static size_t
field_bit(struct span name)
{
	const size_t at[] = {0, name.n / 2, name.n - 1}; /* no letter more is needed to tell most apart */
	uint32_t h = (uint32_t)name.n;

	for (size_t i = 0; i < sizeof at / sizeof *at && name.n > 0; i++)
		h = h * 31 + (uint32_t)ascii_lower((unsigned char)name.p[at[i]]);
	return (h * 2654435769u) >> 22; /* RULES_FIELD_BITS is 2^10 */
}

static void
note_field(struct rules *r, const struct rule *rule)
{
	struct cur c = cur_span(rule->pattern);
	struct span name;
	size_t bit;

	if (!about_header(rule) || !cur_ch(&c, '^'))
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
	struct rules_host *hosts;

	if (r->reasons.v) /* they came so */
		return;
	set_ready(r, &r->reasons, false);
	set_ready(r, &r->lines, true);
	hosts = arena_get(&r->arena, (r->n + 1) * sizeof *hosts);
	for (size_t i = 0; i < r->n; i++) {
		struct span tail = r->v[i].pattern;

		if (r->v[i].is == RULES_SITE)
			hosts[r->n_hosts++] = (struct rules_host){tail, r->v[i].site, tail.p[tail.n - 1]};
		note_field(r, &r->v[i]);
	}
	r->hosts = hosts;
}

void
rules_free(struct rules *r)
{
	free(r->grown);
	arena_free(&r->arena);
	memset(r, 0, sizeof *r);
}

/* --- asking */

/* What stands around the key in the pattern stands around it in the text; its ends tell mostly. */
static inline bool
stands_at(const struct rules_set *s, const struct rules_key *k, struct span text, size_t at)
{
	const char *want = s->literals.p + k->literal, *got;
	size_t n = (size_t)k->before + PATTERN_GRAM + k->behind;

	if (at < k->before || text.n - at < PATTERN_GRAM + (size_t)k->behind)
		return false;
	got = text.p + at - k->before;
	return *got == *want && got[n - 1] == want[n - 1] && memcmp(got, want, n) == 0;
}

static inline void
mark(const struct rules_set *s, const struct rules_key *k, uint64_t *found)
{
	for (const uint16_t *p = s->owner + k->owner, *end = p + k->owners; p < end; p++)
		set_bit(found, *p);
}

/* Once over the text, for all rules. */
static void
look_up(const struct rules_set *s, struct span text, uint64_t *found)
{
	const uint64_t *some = s->some;
	const char *last;

	if (text.n < PATTERN_GRAM)
		return;
	last = text.p + text.n - PATTERN_GRAM;
	for (const char *p = text.p; p <= last; p++) {
		uint32_t g = pattern_gram(p), h = key_bit(g);

		if (!(some[h / 64] >> h % 64 & 1))
			continue;
		for (size_t b = pattern_bucket(g), k = s->at[b]; k < s->at[b + 1]; k++)
			if (s->key[k].gram == g && stands_at(s, &s->key[k], text, (size_t)(p - text.p)))
				mark(s, &s->key[k], found);
	}
}

static const struct rules_site *
site_of(const struct rules_set *s, struct span name)
{
	for (const struct rules_site *k = s->site, *end = k + s->n_sites; k < end; k++)
		if (span_eq(k->name, name))
			return k;
	return NULL;
}

bool
rules_has_site(const struct rules *r, struct span name)
{
	return site_of(&r->reasons, name) != NULL;
}

/* Of bits, the rules of the sites that are asked about. */
static void
of_sites(const struct rules_set *s, const struct rules_facts *f, uint64_t *bits)
{
	const struct rules_site *site[RULES_SITES];
	size_t n = 0;

	for (size_t i = 0; i < RULES_SITES && f->sites[i].n > 0; i++) {
		site[n] = site_of(s, f->sites[i]);
		n += site[n] != NULL;
	}
	for (size_t w = 0; w < s->n / 64 + 1; w++) {
		uint64_t of = f->site_only ? 0 : s->any[w];

		for (size_t i = 0; i < n; i++)
			of |= site[i]->rules[w];
		bits[w] &= of;
	}
}

/* Not those that look for an address where the text has none, or does not begin with it. */
static void
drop_names(const struct rules_set *s, struct span text, uint64_t *bits)
{
	const uint64_t *out = s->names;
	struct cur start = cur_span(text);

	if (memchr(text.p, '@', text.n)) {
		if (pattern_address(&start, NULL))
			return;
		out = s->address;
	}
	for (size_t w = 0; w < s->n / 64 + 1; w++)
		bits[w] &= ~out[w];
}

void
rules_begin(struct rules_scan *c, const struct rules *r, const struct rules_set *s,
    struct span t, const struct rules_facts *f, enum rules_ask ask)
{
	/* Who may hold for an empty text may begin with anything. */
	const uint64_t *begin = s->begin[t.n > 0 ? *t.p & (RULES_BEGINS - 1) : 0];
	size_t words = s->n / 64 + 1;
	uint64_t found[PATTERN_PARTS * WORDS];

	c->r = r;
	c->s = s;
	c->f = f;
	c->text = t;
	c->word = 0;
	for (size_t p = 0; p < PATTERN_PARTS; p++)
		memcpy(found + p * WORDS, s->free[p], words * sizeof *found);
	look_up(s, t, found);
	for (size_t w = 0; w < words; w++) {
		uint64_t all = begin[w] & s->ask[ask][w];

		for (size_t p = 0; p < PATTERN_PARTS; p++)
			all &= found[p * WORDS + w];
		c->bits[w] = all;
	}
	of_sites(s, f, c->bits);
	drop_names(s, t, c->bits);
}

/* What most rules fail by comes first.  found: that it is in the text is known. */
static bool
holds(struct rules_scan *c, const struct rule *rule, bool found)
{
	if (rule->code.n == 0 && c->f->site_only) /* "*" */
		return false;
	return pattern_may_begin(rule->code, c->text) &&
	    (rule->n_conds == 0 || rulescond_hold(rule->conds, rule->n_conds, c->f)) &&
	    (found || pattern_matches(rule->code, c->text, &c->addr));
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
			if (holds(c, rule, c->s->literal[c->word] >> bit & 1))
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
	for (size_t i = 0; i < r->n_hosts && n < max && host.n > 0; i++) {
		const struct rules_host *h = &r->hosts[i];

		if (ascii_lower(host.p[host.n - 1]) != h->last || !span_ends(host, h->tail))
			continue;
		if (host.n == h->tail.n || *h->tail.p == '.' || host.p[host.n - h->tail.n - 1] == '.')
			out[n++] = h->site;
	}
	return n;
}
