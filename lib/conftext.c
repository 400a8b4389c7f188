#include "conftext.h"

#include "buf.h"

#include <stdlib.h>
#include <string.h>

enum kind { END, WORD, EQUALS, OPEN, CLOSE };

struct scan {
	struct cur c;
	struct conftext *out;
	const char *file;
	unsigned line, scope, scopes, opened_line;
};

struct token {
	enum kind kind;
	unsigned line;
	struct span text; /* of a word, without quotes, but with its backslashes */
	char quote;       /* what it stood in, or NUL */
};

static int
bad(const struct scan *s, unsigned line, struct err *e, const char *what)
{
	return err_set(e, EX_CONFIG, "%s:%u: %s", s->file, line, what);
}

static int
bad_key(const struct scan *s, const struct token *key, struct err *e, const char *what)
{
	return err_set(
	    e, EX_CONFIG, "%s:%u: %.*s: %s", s->file, key->line, SPAN_ARG(key->text), what);
}

static bool
at(const struct scan *s, const char *two)
{
	return s->c.end - s->c.p >= 2 && s->c.p[0] == two[0] && s->c.p[1] == two[1];
}

static bool
is_word(int c)
{
	return c > ' ' && c != 127 && !strchr("#\"'={}()+,", c);
}

static int
comment(struct scan *s, struct err *e)
{
	unsigned from = s->line;

	s->c.p += 2;
	while (!at(s, "*/")) {
		if (cur_end(&s->c))
			return bad(s, from, e, "comment is not closed");
		if (*s->c.p++ == '\n')
			s->line++;
	}
	s->c.p += 2;
	return 0;
}

/* Over white space and comments. */
static int
skip(struct scan *s, struct err *e)
{
	int rc = 0;

	while (!rc && !cur_end(&s->c)) {
		if (*s->c.p == '\n')
			s->line++;
		if (*s->c.p == '#' || at(s, "//"))
			cur_until(&s->c, '\n');
		else if (at(s, "/*"))
			rc = comment(s, e);
		else if (is_space(*s->c.p) || *s->c.p == '\n' || *s->c.p == '\r')
			s->c.p++;
		else
			break;
	}
	return rc;
}

static int
quoted(struct scan *s, struct token *t, struct err *e)
{
	char quote = *s->c.p++;
	unsigned char ch;

	t->quote = quote;
	t->text.p = s->c.p;
	while (!cur_end(&s->c) && *s->c.p != quote && *s->c.p != '\n') {
		if (at(s, "${"))
			return bad(s, s->line, e, "${...} is not expanded here: write the value");
		if (*s->c.p == '\\' && s->c.end - s->c.p >= 2 && s->c.p[1] != '\n') {
			s->c.p++;
			if (quote == '"' && is_alnum((unsigned char)*s->c.p))
				return bad(s, s->line, e, "a backslash before a letter or a digit: write two where one is meant");
		}
		ch = (unsigned char)*s->c.p;
		if ((ch < ' ' && ch != '\t') || ch == 127)
			return bad(s, s->line, e, "control character");
		s->c.p++;
	}
	if (cur_peek(&s->c) != (unsigned char)quote)
		return bad(s, s->line, e, "quote is not closed on its line");
	t->text.n = (size_t)(s->c.p++ - t->text.p);
	return 0;
}

static int
word(struct scan *s, struct token *t, struct err *e)
{
	t->text.p = s->c.p;
	while (!cur_end(&s->c) && is_word((unsigned char)*s->c.p) && !at(s, "//") && !at(s, "/*"))
		s->c.p++;
	t->text.n = (size_t)(s->c.p - t->text.p);
	if (t->text.n == 0)
		return bad(s, s->line, e, "unexpected character");
	if (t->text.p[t->text.n - 1] == '$' && cur_peek(&s->c) == '{')
		return bad(s, s->line, e, "${...} is not expanded here: write the value");
	return 0;
}

static int
next(struct scan *s, struct token *t, struct err *e)
{
	int rc = skip(s, e), c = cur_peek(&s->c);

	*t = (struct token){.kind = c < 0 ? END : WORD, .line = s->line, .text = {s->c.p, 0}};
	if (rc || c < 0)
		return rc;
	if (c == '"' || c == '\'')
		return quoted(s, t, e);
	if (c != '=' && c != '{' && c != '}')
		return word(s, t, e);
	t->kind = c == '=' ? EQUALS : c == '{' ? OPEN : CLOSE;
	s->c.p++;
	return 0;
}

/* A word as it is meant, without the backslashes that only shield what follows. */
static struct span
said(struct scan *s, const struct token *t)
{
	struct span out = arena_dup(&s->out->words, t->text);
	char *to = (char *)out.p;
	size_t n = 0;

	for (size_t i = 0; i < t->text.n; i++) {
		char c = t->text.p[i], next = i + 1 < t->text.n ? t->text.p[i + 1] : '\0';

		if (c == '\\' && (t->quote == '"' || (t->quote == '\'' && (next == '\'' || next == '\\'))))
			c = t->text.p[++i];
		to[n++] = c;
	}
	to[n] = '\0';
	return (struct span){to, n};
}

static struct conftext_item *
add(struct scan *s, const struct token *key)
{
	struct conftext *o = s->out;

	o->items = mem_grow(o->items, o->n + 1, sizeof *o->items);
	o->items[o->n] = (struct conftext_item){
	    .scope = s->scope, .line = key->line, .name = key->text};
	return &o->items[o->n++];
}

/* What follows a key. */
static int
item(struct scan *s, const struct token *key, struct err *e)
{
	struct conftext_item *i = add(s, key);
	struct token t;
	int rc = next(s, &t, e);

	if (!rc && t.kind == EQUALS) {
		rc = next(s, &t, e);
		if (!rc && t.kind != WORD)
			rc = bad_key(s, key, e, "a value is expected behind \"=\"");
		if (!rc)
			i->said = said(s, &t);
		return rc;
	}
	if (!rc && t.kind == WORD) {
		i->said = said(s, &t);
		rc = next(s, &t, e);
	}
	if (rc)
		return rc;
	if (t.kind != OPEN)
		return bad_key(s, key, e, "\"=\" or a section is expected");
	if (s->scope)
		return err_set(e, EX_CONFIG,
		    "%s:%u: %.*s: a section inside the section of line %u: is "
		    "its closing brace missing?",
		    s->file, key->line, SPAN_ARG(key->text), s->opened_line);
	s->scope = i->opens = ++s->scopes;
	s->opened_line = key->line;
	return 0;
}

static int
items(struct scan *s, struct err *e)
{
	struct token t;
	int rc;

	while ((rc = next(s, &t, e)) == 0 && t.kind != END) {
		if (t.kind == WORD)
			rc = item(s, &t, e);
		else if (t.kind == CLOSE && s->scope)
			s->scope = 0;
		else
			rc = bad(s, s->line, e,
			    t.kind == CLOSE ? "closing brace without an opening one"
					    : "a key is expected");
		if (rc)
			return rc;
	}
	if (!rc && s->scope)
		rc = bad(s, s->opened_line, e, "the closing brace of this section is missing");
	return rc;
}

static int
compare_span(struct span a, struct span b)
{
	for (size_t i = 0; i < a.n && i < b.n; i++) {
		int d = ascii_lower((unsigned char)a.p[i]) - ascii_lower((unsigned char)b.p[i]);

		if (d)
			return d;
	}
	return a.n < b.n ? -1 : a.n > b.n;
}

static struct span
title(const struct conftext_item *i)
{
	return i->opens && i->said.p ? i->said : (struct span){"", 0};
}

/* By the place and the name, a section's by its title, too. */
static int
compare_item(const struct conftext_item *a, const struct conftext_item *b)
{
	int d = a->scope < b->scope ? -1 : a->scope > b->scope;

	if (!d)
		d = compare_span(a->name, b->name);
	return d ? d : compare_span(title(a), title(b));
}

static int
compare(const void *va, const void *vb)
{
	const struct conftext_item *const *a = va, *const *b = vb;
	int d = compare_item(*a, *b);

	return d ? d : *a < *b ? -1 : *a > *b;
}

static int
repeats(const struct conftext *t, const char *file, struct err *e)
{
	const struct conftext_item **sorted = mem_alloc((t->n + 1) * sizeof(struct conftext_item *));
	int rc = 0;

	for (size_t i = 0; i < t->n; i++)
		sorted[i] = &t->items[i];
	qsort(sorted, t->n, sizeof *sorted, compare);
	for (size_t i = 1; !rc && i < t->n; i++) {
		const struct conftext_item *a = sorted[i - 1], *b = sorted[i];

		if (compare_item(a, b) == 0)
			rc = err_set(e, EX_CONFIG, "%s:%u: %.*s%s%.*s is given twice, first in line %u", file,
			    b->line, SPAN_ARG(b->name), title(b).n ? " " : "", SPAN_ARG(title(b)), a->line);
	}
	free(sorted);
	return rc;
}

int
conftext_check(struct span text, const char *file, struct conftext *out, struct err *e)
{
	struct scan s = {.c = cur_span(text), .out = out, .file = file, .line = 1};
	int rc;

	*out = (struct conftext){.words = ARENA_INIT};
	cur_lit(&s.c, "\xef\xbb\xbf"); /* some editors put a byte order mark there */
	rc = items(&s, e);
	return rc ? rc : repeats(out, file, e);
}

void
conftext_free(struct conftext *t)
{
	arena_free(&t->words);
	free(t->items);
	*t = (struct conftext){.words = ARENA_INIT};
}
