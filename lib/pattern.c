#include "pattern.h"

bool
pattern_plain(int c)
{
	static const bool not[256] = {['#'] = 1, ['%'] = 1, ['$'] = 1, ['\\'] = 1, ['*'] = 1, ['^'] = 1,
	    ['~'] = 1, ['{'] = 1, ['}'] = 1};

	return !not[c & 255];
}

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

bool
pattern_address(struct cur *c, struct span *addr)
{
	struct cur t = *c;
	const char *start = t.p;
	struct span domain;

	if (cur_ch(&t, '"')) {
		cur_until(&t, '"');
		if (!cur_ch(&t, '"'))
			return false;
	} else if (cur_while(&t, is_local).n == 0)
		return false;
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

/* --- matching */

/* Up to one of two characters that is not escaped, or to the end. */
static struct span
up_to(struct cur *p, char a, char b)
{
	const char *start = p->p;

	while (!cur_end(p) && *p->p != a && *p->p != b)
		p->p += *p->p == '\\' && p->p + 1 < p->end ? 2 : 1;
	return (struct span){start, (size_t)(p->p - start)};
}

/* What is asked: a pattern, and where in it alternatives end. */
struct asked {
	const char *pattern;
	const uint16_t *skip; /* may be NULL */
	struct span *addr;
};

/* The alternative that begins at a pattern's cursor; moved to the "|" or "}" behind it. */
static inline struct span
alternative(const struct asked *a, struct cur *p)
{
	struct span way = {p->p, 0};

	if (!a->skip)
		return up_to(p, '|', '}');
	way.n = a->skip[p->p - a->pattern];
	p->p += way.n;
	return way;
}

static bool here(const struct asked *a, struct cur p, struct cur *text);

/* "a|b}rest": an alternative and what follows it. */
static bool
one_of(const struct asked *a, struct cur p, struct cur *text)
{
	int c = cur_peek(text);

	do {
		struct span way = alternative(a, &p);
		struct cur t = *text, rest;

		if (way.n > 0 && pattern_plain((unsigned char)*way.p) && (unsigned char)*way.p != c)
			continue;
		if (!here(a, cur_span(way), &t))
			continue;
		rest = p;
		while (cur_ch(&rest, '|'))
			alternative(a, &rest);
		cur_ch(&rest, '}');
		if (here(a, rest, &t)) {
			*text = t;
			return true;
		}
	} while (cur_ch(&p, '|'));
	return false;
}

/* Bytes that what is at the cursor of a pattern can begin with; false: any. */
static bool
firsts(const struct asked *a, struct cur p, bool first[256])
{
	memset(first, 0, 256);
	if (!cur_ch(&p, '{')) {
		if (cur_end(&p) || !pattern_plain((unsigned char)*p.p))
			return false;
		first[(unsigned char)*p.p] = true;
		return true;
	}
	do {
		struct span way = alternative(a, &p);

		if (way.n == 0 || !pattern_plain((unsigned char)*way.p))
			return false;
		first[(unsigned char)*way.p] = true;
	} while (cur_ch(&p, '|'));
	return true;
}

/* A group that is looked for begins with a word, or with no letter. */
static bool
inside_word(struct cur p, struct cur t)
{
	return cur_peek(&p) == '{' && is_alnum(cur_peek(&t)) && is_alnum((unsigned char)t.p[-1]);
}

static bool
near(const struct asked *a, struct cur p, struct cur *text)
{
	bool first[256], known = firsts(a, p, first);
	struct cur t = *text;

	for (size_t i = 0; i <= PATTERN_NEAR; i++, t.p++) {
		struct cur try = t;

		if ((!known || (!cur_end(&t) && first[(unsigned char)*t.p])) && (i == 0 || !inside_word(p, t)) &&
		    here(a, p, &try)) {
			*text = try;
			return true;
		}
		if (cur_end(&t))
			break;
	}
	return false;
}

/* A piece of a pattern without "*", at the cursor of the text. */
static bool
here(const struct asked *a, struct cur p, struct cur *text)
{
	struct cur t = *text;

	while (!cur_end(&p)) {
		char c = *p.p++;
		bool good = true;

		if (pattern_plain((unsigned char)c))
			good = cur_ch(&t, c);
		else if (c == '{' || c == '~') {
			good = c == '{' ? one_of(a, p, &t) : near(a, p, &t);
			p.p = p.end;
		} else if (c == '#')
			good = cur_while(&t, is_digit).n > 0;
		else if (c == '%' && cur_ch(&p, 'a'))
			good = pattern_address(&t, a->addr);
		else if (c == '%' && cur_ch(&p, 'w'))
			good = cur_while(&t, not_blank).n > 0;
		else if (c == '$' && cur_end(&p))
			good = cur_end(&t);
		else {
			if (c == '\\' && !cur_end(&p))
				c = *p.p++;
			good = cur_ch(&t, c);
		}
		if (!good)
			return false;
	}
	*text = t;
	return true;
}

static bool
all_plain(struct span piece)
{
	for (size_t i = 0; i < piece.n; i++)
		if (!pattern_plain((unsigned char)piece.p[i]))
			return false;
	return true;
}

/* The same, anywhere behind the cursor. */
static bool
behind(const struct asked *a, struct span piece, struct cur *text)
{
	struct cur p = cur_span(piece);
	bool first[256], known;

	if (!(a->skip && piece.n > 0 && *piece.p == '{') && all_plain(piece)) { /* most are */
		const char *at = memmem(text->p, (size_t)(text->end - text->p), piece.p, piece.n);

		if (at)
			text->p = at + piece.n;
		return at != NULL;
	}
	known = firsts(a, p, first);
	for (struct cur t = *text;; t.p++) {
		struct cur try;

		while (known && t.p < t.end && !first[(unsigned char)*t.p])
			t.p++;
		if (known && cur_end(&t))
			return false;
		if (t.p > text->p && inside_word(p, t))
			continue;
		try = t;
		if (here(a, p, &try)) {
			*text = try;
			return true;
		}
		if (cur_end(&t))
			return false;
	}
}

bool
pattern_matches(struct span pattern, const uint16_t *skip, struct span folded, struct span *addr)
{
	const struct asked a = {pattern.p, skip, addr};
	struct cur p = cur_span(pattern), t = cur_span(folded);
	bool begin = cur_ch(&p, '^');

	do {
		struct span piece = skip && skip[pattern.n] ? cur_rest(&p) : up_to(&p, '*', '*');

		if (skip && skip[pattern.n])
			p.p = p.end;
		if (begin ? !here(&a, cur_span(piece), &t) : !behind(&a, piece, &t))
			return false;
		begin = false;
	} while (cur_ch(&p, '*'));
	return true;
}

bool
pattern_has_groups(struct span pattern)
{
	return memchr(pattern.p, '{', pattern.n) != NULL;
}

bool
pattern_names(struct span pattern)
{
	struct cur c = cur_span(pattern);

	for (; !cur_end(&c); c.p++) {
		if (*c.p == '{')
			up_to(&c, '}', '}');
		else if (*c.p == '\\')
			c.p++;
		else if (*c.p == '%' && c.end - c.p > 1 && c.p[1] == 'a')
			return true;
	}
	return false;
}

void
pattern_skips(struct span pattern, uint16_t *skip)
{
	struct cur c = cur_span(pattern);

	skip[pattern.n] = !memchr(pattern.p, '*', pattern.n);
	for (up_to(&c, '{', '{'); cur_ch(&c, '{'); up_to(&c, '{', '{'))
		do {
			size_t at = (size_t)(c.p - pattern.p);
			size_t n = up_to(&c, '|', '}').n;

			skip[at] = (uint16_t)n;
		} while (cur_ch(&c, '|'));
}

/* --- keys */

/* The next bytes in a row that a text must contain where this holds, from *c on: false at the end. */
static inline bool
next_gram(struct cur *c, size_t *run, uint32_t *gram)
{
	while (!cur_end(c)) {
		char ch = *c->p++;

		*run = pattern_plain((unsigned char)ch) ? *run + 1 : 0;
		if (ch == '{')
			up_to(c, '}', '}');
		else if ((ch == '%' || ch == '\\') && !cur_end(c))
			c->p++;
		if (*run >= PATTERN_GRAM) {
			*gram = pattern_gram(c->p - PATTERN_GRAM);
			return true;
		}
	}
	return false;
}

/* The rarest of a text without groups, and how many have it; NONE where there is none. */
#define NONE UINT32_MAX
static uint32_t
rarest(struct span text, const uint16_t *buckets, uint32_t *key)
{
	struct cur c = cur_span(text);
	uint32_t best = NONE, gram;
	size_t run = 0;

	while (next_gram(&c, &run, &gram))
		if (buckets[pattern_bucket(gram)] < best) {
			best = buckets[pattern_bucket(gram)];
			*key = gram;
		}
	return best;
}

/* The next group, "a|b". */
static bool
next_group(struct cur *c, struct span *group)
{
	up_to(c, '{', '{');
	if (!cur_ch(c, '{'))
		return false;
	*group = up_to(c, '}', '}');
	cur_ch(c, '}');
	return true;
}

/* The keys of a group, one an alternative; NONE: an alternative has none. */
static void
group_part(struct span group, const uint16_t *buckets, struct pattern_part *out)
{
	struct cur c = cur_span(group);

	out->n = out->cost = 0;
	do {
		uint32_t one = out->n == PATTERN_KEYS_MAX ? NONE :
		    rarest(up_to(&c, '|', '|'), buckets, &out->key[out->n]);

		if (one == NONE) {
			out->cost = NONE;
			return;
		}
		out->n++;
		out->cost += one;
	} while (cur_ch(&c, '|'));
}

void
pattern_count(struct span pattern, uint16_t *buckets)
{
	struct cur c = cur_span(pattern), groups = c;
	struct span group;
	uint32_t gram;
	size_t run = 0;

	while (next_gram(&c, &run, &gram))
		buckets[pattern_bucket(gram)]++;
	while (next_group(&groups, &group))
		for (c = cur_span(group), run = 0; next_gram(&c, &run, &gram);)
			buckets[pattern_bucket(gram)]++;
}

/* The rarest stay. */
static size_t
keep_part(struct pattern_part *out, size_t n, const struct pattern_part *part)
{
	size_t worst = n;

	if (part->cost == NONE)
		return n;
	if (n == PATTERN_PARTS) {
		worst = 0;
		for (size_t i = 1; i < n; i++)
			if (out[i].cost > out[worst].cost)
				worst = i;
		if (out[worst].cost <= part->cost)
			return n;
	}
	out[worst].cost = part->cost;
	out[worst].n = part->n;
	memcpy(out[worst].key, part->key, part->n * sizeof *part->key);
	return worst == n ? n + 1 : n;
}

size_t
pattern_parts(struct span pattern, const uint16_t *buckets, struct pattern_part out[PATTERN_PARTS])
{
	struct pattern_part part;
	struct cur c = cur_span(pattern);
	struct span group;
	size_t n;

	part.n = 1;
	part.cost = rarest(pattern, buckets, part.key);
	n = keep_part(out, 0, &part);
	while (next_group(&c, &group)) {
		group_part(group, buckets, &part);
		n = keep_part(out, n, &part);
	}
	return n;
}

/* --- whether it is one */

static const char *
group_bad(struct cur *c)
{
	size_t n = 1, nears = 0;

	for (; !cur_end(c) && *c->p != '}'; c->p++) {
		if (*c->p == '{' || *c->p == '*' || *c->p == '^' || *c->p == '$')
			return "no *, ^, $ or { stands between { and }";
		if (*c->p >= 'A' && *c->p <= 'Z')
			return "a pattern is in lower case";
		n += *c->p == '|';
		nears = *c->p == '|' ? 0 : nears + (*c->p == '~');
		if (nears > 1)
			return "more than one ~ in an alternative";
		c->p += *c->p == '\\' && c->p + 1 < c->end;
	}
	if (n > PATTERN_KEYS_MAX)
		return "too many alternatives";
	return cur_ch(c, '}') ? NULL : "} is missing";
}

static const char *
bytes_bad(struct span pattern)
{
	struct cur c = cur_span(pattern);
	const char *why;
	size_t nears = 0;

	while (!cur_end(&c)) {
		char ch = *c.p++;

		if (ch >= 'A' && ch <= 'Z')
			return "a pattern is in lower case";
		if (ch == '%' && cur_peek(&c) != 'a' && cur_peek(&c) != 'w')
			return "% stands before a or w";
		if (ch == '\\' && cur_end(&c))
			return "a backslash ends the pattern";
		if (ch == ' ' && cur_peek(&c) == ' ')
			return "two blanks in a row never match";
		nears += ch == '~';
		if (ch == '\\')
			c.p++;
		else if (ch == '{' && (why = group_bad(&c)))
			return why;
	}
	return nears > PATTERN_NEAR_MAX ? "more than two ~" : NULL;
}

const char *
pattern_bad(struct span pattern)
{
	static const uint16_t none[PATTERN_BUCKETS];
	struct pattern_part parts[PATTERN_PARTS];
	const char *why;

	if (span_eq(pattern, SPAN("*")))
		return NULL;
	if (pattern.n > PATTERN_MAX)
		return "a pattern is too long";
	why = bytes_bad(pattern);
	/* The few that only look for an address are asked about every line. */
	if (why || pattern_parts(pattern, none, parts) > 0 ||
	    (pattern.n > 2 && memmem(pattern.p, pattern.n, "%a", 2)))
		return why;
	return "a pattern has four characters in a row that stand for themselves";
}
