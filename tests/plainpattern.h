/* plainpattern.h - a pattern asked as it is written, character by character: what lib/pattern.c's code must
 * agree with, and the plainest reading of relaykit-rules(5) there is. */
#ifndef PLAINPATTERN_H
#define PLAINPATTERN_H

#include "cur.h"
#include "pattern.h"
#include "rules.h"

#include <stdbool.h>
#include <string.h>

/* Up to one of two characters that is not escaped, or to the end. */
static inline struct span
plain_up_to(struct cur *p, char a, char b)
{
	const char *start = p->p;

	while (!cur_end(p) && *p->p != a && *p->p != b)
		p->p += *p->p == '\\' && p->p + 1 < p->end ? 2 : 1;
	return (struct span){start, (size_t)(p->p - start)};
}

static bool plain_here(struct cur p, struct cur *text, struct span *addr);

/* "a|b}rest": an alternative and what follows it. */
static inline bool
plain_one_of(struct cur p, struct cur *text, struct span *addr)
{
	do {
		struct span way = plain_up_to(&p, '|', '}');
		struct cur t = *text, rest = p;

		if (!plain_here(cur_span(way), &t, addr))
			continue;
		while (cur_ch(&rest, '|'))
			plain_up_to(&rest, '|', '}');
		cur_ch(&rest, '}');
		if (plain_here(rest, &t, addr)) {
			*text = t;
			return true;
		}
	} while (cur_ch(&p, '|'));
	return false;
}

/* A group that is looked for begins with a word, or with no letter. */
static inline bool
plain_inside_word(struct cur p, struct cur t)
{
	return cur_peek(&p) == '{' && is_alnum(cur_peek(&t)) && is_alnum((unsigned char)t.p[-1]);
}

static inline bool
plain_near(struct cur p, struct cur *text, struct span *addr)
{
	struct cur t = *text;

	for (size_t i = 0; i <= PATTERN_NEAR; i++, t.p++) {
		struct cur try = t;

		if ((i == 0 || !plain_inside_word(p, t)) && plain_here(p, &try, addr)) {
			*text = try;
			return true;
		}
		if (cur_end(&t))
			break;
	}
	return false;
}

/* A piece of a pattern without "*", at the cursor of the text. */
static inline bool
plain_here(struct cur p, struct cur *text, struct span *addr)
{
	struct cur t = *text;

	while (!cur_end(&p)) {
		char c = *p.p++;
		bool good = true;

		if (c == '{' || c == '~') {
			good = c == '{' ? plain_one_of(p, &t, addr) : plain_near(p, &t, addr);
			p.p = p.end;
		} else if (c == '#') {
			good = is_digit(cur_peek(&t));
			while (is_digit(cur_peek(&t)))
				t.p++;
		} else if (c == '%' && cur_ch(&p, 'a'))
			good = pattern_address(&t, addr);
		else if (c == '%' && cur_ch(&p, 'w')) {
			good = !cur_end(&t) && *t.p != ' ';
			while (!cur_end(&t) && *t.p != ' ')
				t.p++;
		} else if (c == '$' && cur_end(&p))
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

static inline bool
plain_matches(struct span pattern, struct span folded, struct span *addr)
{
	struct cur p = cur_span(pattern), t = cur_span(folded);
	bool begin = cur_ch(&p, '^');

	do {
		struct cur piece = cur_span(plain_up_to(&p, '*', '*')), at = t;
		bool good = plain_here(piece, &at, addr);

		while (!begin && !good && !cur_end(&t)) {
			t.p++;
			at = t;
			good = !plain_inside_word(piece, t) && plain_here(piece, &at, addr);
		}
		if (!good)
			return false;
		t = at;
		begin = false;
	} while (cur_ch(&p, '*'));
	return true;
}

/* Whether a rule holds, asked alone. */
static inline bool
plain_holds(const struct rule *rule, struct span folded, const struct rules_facts *f, struct span *addr)
{
	bool every = span_eq(rule->pattern, SPAN("*")), site = *rule->what.p == '@';
	struct span bad;

	*addr = (struct span){"", 0};
	if (every && f->site_only)
		return false;
	if (span_eq(rule->site, SPAN("*")))
		site |= !f->site_only;
	for (size_t i = 0; i < RULES_SITES && f->sites[i].n > 0; i++)
		site |= span_eq(rule->site, f->sites[i]);
	return site && rules_when(rule->when, f, &bad) && (every || plain_matches(rule->pattern, folded, addr));
}

/* The next rule from *at on that holds, all asked one by one; NULL: none. */
static inline const struct rule *
plain_next(const struct rules *r, bool lines, size_t *at, struct span folded, const struct rules_facts *f,
    struct span *addr)
{
	while (*at < r->n) {
		const struct rule *rule = &r->v[(*at)++];

		if ((*rule->what.p == '@') == lines && !span_eq(rule->what, SPAN("@site")) &&
		    plain_holds(rule, folded, f, addr))
			return rule;
	}
	return NULL;
}

#endif
