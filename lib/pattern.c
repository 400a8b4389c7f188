#include "pattern.h"

/* A byte that stands for itself wherever it is. */
static bool
is_plain(int c)
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
	while (domain.n > 0 && (domain.p[domain.n - 1] == '.' || domain.p[domain.n - 1] == '-'))
		domain.n--;
	if (domain.n == 0)
		return false;
	t.p = domain.p + domain.n;
	if (addr)
		*addr = (struct span){start, (size_t)(t.p - start)};
	*c = t;
	return true;
}

/* --- code
 *
 * What a pattern asks, so that nothing of its text is read again when it is asked: one byte "begins", then
 * for each piece between two "*" its length and its operations.  A length is two bytes, the lower first.
 *
 *     LITERAL length bytes             DIGITS  WORD  ADDRESS  END (of the text)
 *     NEAR: what follows, up to the end of the sequence, is near
 *     GROUP length n first[n] end[n] alternatives: an alternative ends at end, counted from the first's
 *         begin; first is the byte that it begins with, 0: any
 */

enum op { LITERAL, DIGITS, WORD, ADDRESS, END, NEAR, GROUP };

#define LENGTH 2 /* bytes of one */

static size_t
length_at(const unsigned char *p)
{
	return (size_t)p[0] | (size_t)p[1] << 8;
}

static void
put_length(struct buf *out, size_t n)
{
	buf_ch(out, (char)(n & 255));
	buf_ch(out, (char)(n >> 8));
}

/* Up to one of two characters that is not escaped, or to the end. */
static struct span
up_to(struct cur *p, char a, char b)
{
	const char *start = p->p;

	while (!cur_end(p) && *p->p != a && *p->p != b)
		p->p += *p->p == '\\' && p->p + 1 < p->end ? 2 : 1;
	return (struct span){start, (size_t)(p->p - start)};
}

/* The operation at the cursor; LITERAL: *c is a byte of it. */
static enum op
next_op(struct cur *p, char *c)
{
	*c = *p->p++;
	if (*c == '#')
		return DIGITS;
	if (*c == '~')
		return NEAR;
	if (*c == '{')
		return GROUP;
	if (*c == '%' && cur_ch(p, 'a'))
		return ADDRESS;
	if (*c == '%' && cur_ch(p, 'w'))
		return WORD;
	if (*c == '$' && cur_end(p))
		return END;
	if (*c == '\\' && !cur_end(p))
		*c = *p->p++;
	return LITERAL;
}

static void group_code(struct span group, struct buf *out);

/* A sequence: a piece, or an alternative. */
static void
sequence_code(struct span text, struct buf *out)
{
	struct cur p = cur_span(text);
	struct buf bytes = BUF_INIT;
	char c;

	while (!cur_end(&p)) {
		enum op op = next_op(&p, &c);

		if (op == LITERAL) {
			buf_ch(&bytes, c);
			if (!cur_end(&p))
				continue;
		}
		if (bytes.len > 0) {
			buf_ch(out, LITERAL);
			put_length(out, bytes.len);
			buf_add(out, bytes.s, bytes.len);
			buf_cut(&bytes, 0);
			if (op == LITERAL)
				break;
		}
		if (op == GROUP) {
			group_code(up_to(&p, '}', '}'), out);
			cur_ch(&p, '}');
		} else
			buf_ch(out, (char)op);
	}
	buf_free(&bytes);
}

static void
group_code(struct span group, struct buf *out)
{
	struct buf first = BUF_INIT, ends = BUF_INIT, code = BUF_INIT;
	struct cur p = cur_span(group);
	size_t n = 0;

	do {
		size_t at = code.len;

		sequence_code(up_to(&p, '|', '|'), &code);
		buf_ch(&first, code.len > at && code.s[at] == LITERAL ? code.s[at + 1 + LENGTH] : 0);
		put_length(&ends, code.len);
		n++;
	} while (cur_ch(&p, '|'));
	buf_ch(out, GROUP);
	put_length(out, 1 + first.len + ends.len + code.len);
	buf_ch(out, (char)n);
	buf_add(out, first.s, first.len);
	buf_add(out, ends.s, ends.len);
	buf_add(out, code.s, code.len);
	buf_free(&first);
	buf_free(&ends);
	buf_free(&code);
}

void
pattern_code(struct span pattern, struct buf *out)
{
	struct cur p = cur_span(pattern);

	buf_ch(out, cur_ch(&p, '^'));
	do {
		struct buf piece = BUF_INIT;

		sequence_code(up_to(&p, '*', '*'), &piece);
		put_length(out, piece.len);
		buf_add(out, piece.s, piece.len);
		buf_free(&piece);
	} while (cur_ch(&p, '*'));
}

/* --- matching */

struct code { /* a sequence, or what is left of it */
	const unsigned char *p, *end;
};

struct group {
	size_t n;
	const unsigned char *first, *ends, *code;
	struct code behind; /* what follows it */
};

/* Behind the byte GROUP. */
static inline struct group
group_at(struct code c)
{
	struct group g = {.n = c.p[LENGTH]};

	g.first = c.p + LENGTH + 1;
	g.ends = g.first + g.n;
	g.code = g.ends + g.n * LENGTH;
	g.behind = (struct code){c.p + LENGTH + length_at(c.p), c.end};
	return g;
}

static bool here(struct code c, struct cur *text, struct span *addr);

static bool
one_of(const struct group *g, struct cur *text, struct span *addr)
{
	unsigned char c = cur_end(text) ? 0 : (unsigned char)*text->p;
	struct code way;

	for (size_t i = 0; i < g->n; i++) {
		struct cur t = *text;

		if (g->first[i] && g->first[i] != c)
			continue;
		way.p = i ? g->code + length_at(g->ends + (i - 1) * LENGTH) : g->code;
		way.end = g->code + length_at(g->ends + i * LENGTH);
		if (here(way, &t, addr) && here(g->behind, &t, addr)) {
			*text = t;
			return true;
		}
	}
	return false;
}

/* Bytes that what follows can begin with. */
struct firsts {
	bool known; /* else any, or none at all */
	bool group; /* it is one */
	uint64_t bits[4];
};

static struct firsts
firsts_of(struct code c)
{
	struct firsts f = {.known = false};

	if (c.p == c.end || (*c.p != LITERAL && *c.p != GROUP))
		return f;
	f.known = true;
	if (*c.p == LITERAL) {
		unsigned char b = c.p[1 + LENGTH];

		f.bits[b / 64] = (uint64_t)1 << b % 64;
	} else {
		struct group g = group_at((struct code){c.p + 1, c.end});

		f.group = true;
		for (size_t i = 0; i < g.n; i++) {
			f.known &= g.first[i] != 0;
			f.bits[g.first[i] / 64] |= (uint64_t)1 << g.first[i] % 64;
		}
	}
	return f;
}

static inline bool
may_begin(const struct firsts *f, char c)
{
	unsigned char b = (unsigned char)c;

	return f->bits[b / 64] >> b % 64 & 1;
}

/* A group that is looked for begins with a word, or with no letter. */
static bool
inside_word(const struct firsts *f, struct cur t)
{
	return f->group && is_alnum(cur_peek(&t)) && is_alnum((unsigned char)t.p[-1]);
}

static bool
near(struct code c, struct cur *text, struct span *addr)
{
	struct firsts f = firsts_of(c);
	struct cur t = *text;

	for (size_t i = 0; i <= PATTERN_NEAR; i++, t.p++) {
		struct cur try = t;

		if ((!f.known || (!cur_end(&t) && may_begin(&f, *t.p))) && (i == 0 || !inside_word(&f, t)) &&
		    here(c, &try, addr)) {
			*text = try;
			return true;
		}
		if (cur_end(&t))
			break;
	}
	return false;
}

/* A sequence at the cursor of the text. */
static bool
here(struct code c, struct cur *text, struct span *addr)
{
	struct cur t = *text;
	struct group g;
	size_t n;

	while (c.p < c.end)
		switch ((enum op)*c.p++) {
		case LITERAL:
			n = length_at(c.p);
			c.p += LENGTH;
			if ((size_t)(t.end - t.p) < n || (unsigned char)*t.p != *c.p || memcmp(t.p, c.p, n) != 0)
				return false;
			t.p += n;
			c.p += n;
			break;
		case DIGITS:
			if (cur_while(&t, is_digit).n == 0)
				return false;
			break;
		case WORD:
			if (cur_while(&t, not_blank).n == 0)
				return false;
			break;
		case ADDRESS:
			if (!pattern_address(&t, addr))
				return false;
			break;
		case END:
			if (!cur_end(&t))
				return false;
			break;
		case NEAR:
			if (!near(c, &t, addr))
				return false;
			c.p = c.end;
			break;
		case GROUP:
			g = group_at(c);
			if (!one_of(&g, &t, addr))
				return false;
			c.p = c.end;
			break;
		}
	*text = t;
	return true;
}

/* The same, anywhere behind the cursor. */
static bool
behind(struct code c, struct cur *text, struct span *addr)
{
	bool literal = c.p < c.end && *c.p == LITERAL;
	size_t n = literal ? length_at(c.p + 1) : 0;
	struct firsts f = firsts_of(c);
	struct cur t = *text;

	for (;; t.p++) {
		struct cur try;

		if (literal)
			t.p = memmem(t.p, (size_t)(t.end - t.p), c.p + 1 + LENGTH, n);
		if (literal && !t.p)
			return false;
		while (!literal && f.known && t.p < t.end && !may_begin(&f, *t.p))
			t.p++;
		if (f.known && cur_end(&t))
			return false;
		try = t;
		if ((t.p == text->p || !inside_word(&f, t)) && here(c, &try, addr)) {
			*text = try;
			return true;
		}
		if (cur_end(&t))
			return false;
	}
}

bool
pattern_matches(struct span code, struct span folded, struct span *addr)
{
	const unsigned char *p = (const unsigned char *)code.p, *end = p + code.n;
	struct cur t = cur_span(folded);
	bool begin;

	if (p == end)
		return true;
	for (begin = *p++; p < end; begin = false) {
		struct code piece = {p + LENGTH, p + LENGTH + length_at(p)};

		if (begin ? !here(piece, &t, addr) : !behind(piece, &t, addr))
			return false;
		p = piece.end;
	}
	return true;
}

/* What a pattern with "^" asks first of a text; NULL: anything. */
static const char *
first_op(struct span code)
{
	return code.n > 1 + LENGTH && *code.p && length_at((const unsigned char *)code.p + 1) > 0
	    ? code.p + 1 + LENGTH : NULL;
}

bool
pattern_may_begin(struct span code, struct span folded)
{
	const char *op = first_op(code);
	struct group g;

	if (!op || (*op != LITERAL && *op != GROUP))
		return true;
	if (*op == LITERAL)
		return folded.n > 0 && *folded.p == op[1 + LENGTH];
	g = group_at((struct code){(const unsigned char *)op + 1, (const unsigned char *)code.p + code.n});
	for (size_t i = 0; i < g.n; i++)
		if (!g.first[i] || (folded.n > 0 && (unsigned char)*folded.p == g.first[i]))
			return true;
	return false;
}

uint16_t
pattern_begins(struct span code)
{
	const char *op = first_op(code);
	unsigned bits = 0;
	struct group g;

	if (!op || (*op != LITERAL && *op != GROUP))
		return UINT16_MAX;
	if (*op == LITERAL)
		return (uint16_t)(1u << (op[1 + LENGTH] & 15));
	g = group_at((struct code){(const unsigned char *)op + 1, (const unsigned char *)code.p + code.n});
	for (size_t i = 0; i < g.n; i++)
		bits |= g.first[i] ? 1u << (g.first[i] & 15) : UINT16_MAX;
	return (uint16_t)bits;
}

bool
pattern_begins_address(struct span code)
{
	const char *op = first_op(code);

	return op && *op == ADDRESS;
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

/* --- keys */

/* The next bytes in a row that a text must contain where this holds, from *c on: false at the end.  The key's
 * literal has no more than stands before it yet. */
static inline bool
next_gram(struct cur *c, size_t *run, struct pattern_key *key)
{
	while (!cur_end(c)) {
		char ch = *c->p++;

		*run = is_plain((unsigned char)ch) ? *run + 1 : 0;
		if (ch == '{')
			up_to(c, '}', '}');
		else if ((ch == '%' || ch == '\\') && !cur_end(c))
			c->p++;
		if (*run >= PATTERN_GRAM) {
			key->gram = pattern_gram(c->p - PATTERN_GRAM);
			key->before = *run - PATTERN_GRAM;
			key->literal = (struct span){c->p - *run, *run};
			return true;
		}
	}
	return false;
}

/* The rarest of a text without groups, and how many have it; NONE where there is none. */
#define NONE UINT32_MAX
static uint32_t
rarest(struct span text, const uint16_t *buckets, struct pattern_key *key)
{
	struct cur c = cur_span(text);
	struct pattern_key gram;
	uint32_t best = NONE;
	size_t run = 0;

	while (next_gram(&c, &run, &gram))
		if (buckets[pattern_bucket(gram.gram)] < best) {
			best = buckets[pattern_bucket(gram.gram)];
			*key = gram;
		}
	for (const char *end = text.p + text.n; best != NONE && key->literal.p + key->literal.n < end &&
	    is_plain((unsigned char)key->literal.p[key->literal.n]);)
		key->literal.n++;
	if (best != NONE && key->before > PATTERN_AROUND) {
		size_t cut = key->before - PATTERN_AROUND;

		key->before = PATTERN_AROUND;
		key->literal = (struct span){key->literal.p + cut, key->literal.n - cut};
	}
	if (best != NONE && key->literal.n > key->before + PATTERN_GRAM + PATTERN_AROUND)
		key->literal.n = key->before + PATTERN_GRAM + PATTERN_AROUND;
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
	struct pattern_key key;
	struct span group;
	size_t run = 0;

	while (next_gram(&c, &run, &key))
		buckets[pattern_bucket(key.gram)]++;
	while (next_group(&groups, &group))
		for (c = cur_span(group), run = 0; next_gram(&c, &run, &key);)
			buckets[pattern_bucket(key.gram)]++;
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
