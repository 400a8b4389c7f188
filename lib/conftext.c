#include "conftext.h"

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
	struct span text; /* of a word, without quotes */
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

/* What libconfuse takes as a word of its own, less what would surprise ("$" in front of "{"). */
static bool
is_word(int c)
{
	return c > ' ' && c != 127 && !strchr("#\"'={}()+,", c);
}

static void
blank_line(struct scan *s)
{
	cur_until(&s->c, '\n');
}

static int
blank_comment(struct scan *s, struct err *e)
{
	unsigned from = s->line;

	s->c.p += 2;
	while (!at(s, "*/")) {
		if (cur_end(&s->c))
			return bad(s, from, e, "comment is not closed");
		if (*s->c.p++ == '\n') {
			s->line++;
			buf_ch(&s->out->clean, '\n');
		}
	}
	s->c.p += 2;
	buf_ch(&s->out->clean, ' ');
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
			blank_line(s);
		else if (at(s, "/*"))
			rc = blank_comment(s, e);
		else if (*s->c.p == ' ' || *s->c.p == '\t' || *s->c.p == '\n')
			buf_ch(&s->out->clean, *s->c.p++);
		else if (*s->c.p == '\r')
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

	t->text.p = s->c.p;
	while (!cur_end(&s->c) && *s->c.p != quote && *s->c.p != '\n') {
		unsigned char ch = (unsigned char)*s->c.p;

		if ((ch < ' ' && ch != '\t') || ch == 127)
			return bad(s, s->line, e, "control character");
		if (at(s, "${"))
			return bad(s, s->line, e, "${...} is not expanded here: write the value");
		if (ch == '\\' && s->c.end - s->c.p >= 2 && s->c.p[1] != '\n')
			s->c.p++;
		s->c.p++;
	}
	if (cur_peek(&s->c) != (unsigned char)quote)
		return bad(s, s->line, e, "quote is not closed on its line");
	t->text.n = (size_t)(s->c.p++ - t->text.p);
	buf_add(&s->out->clean, t->text.p - 1, t->text.n + 2);
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
	buf_add(&s->out->clean, t->text.p, t->text.n);
	return 0;
}

static int
next(struct scan *s, struct token *t, struct err *e)
{
	int rc = skip(s, e), c = cur_peek(&s->c);

	*t = (struct token){c < 0 ? END : WORD, s->line, {s->c.p, 0}};
	if (rc || c < 0)
		return rc;
	if (c == '"' || c == '\'')
		return quoted(s, t, e);
	if (c != '=' && c != '{' && c != '}')
		return word(s, t, e);
	t->kind = c == '=' ? EQUALS : c == '{' ? OPEN : CLOSE;
	buf_ch(&s->out->clean, *s->c.p++);
	return 0;
}

static struct conftext_item *
add(struct scan *s, const struct token *key)
{
	struct conftext *o = s->out;

	o->items = mem_grow(o->items, o->n + 1, sizeof *o->items);
	o->items[o->n] = (struct conftext_item){
	    .scope = s->scope, .line = key->line, .name = key->text, .title = {key->text.p, 0}};
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
		return rc;
	}
	if (!rc && t.kind == WORD) {
		i->title = t.text;
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

static int
compare(const void *va, const void *vb)
{
	const struct conftext_item *a = va, *b = vb;
	int d = a->scope < b->scope ? -1 : a->scope > b->scope;

	if (!d)
		d = compare_span(a->name, b->name);
	if (!d)
		d = compare_span(a->title, b->title);
	return d ? d : a->line < b->line ? -1 : a->line > b->line;
}

static int
repeats(const struct conftext *t, const char *file, struct err *e)
{
	for (size_t i = 1; i < t->n; i++) {
		const struct conftext_item *a = &t->items[i - 1], *b = &t->items[i];

		if (a->scope == b->scope && compare_span(a->name, b->name) == 0 &&
		    compare_span(a->title, b->title) == 0)
			return err_set(e, EX_CONFIG,
			    "%s:%u: %.*s%s%.*s is given twice, first in line %u", file, b->line,
			    SPAN_ARG(b->name), b->title.n ? " " : "", SPAN_ARG(b->title), a->line);
	}
	return 0;
}

int
conftext_check(struct span text, const char *file, struct conftext *out, struct err *e)
{
	struct scan s = {.c = cur_span(text), .out = out, .file = file, .line = 1};
	int rc;

	*out = (struct conftext){.clean = BUF_INIT};
	rc = items(&s, e);
	if (!rc && out->n > 1)
		qsort(out->items, out->n, sizeof *out->items, compare);
	return rc ? rc : repeats(out, file, e);
}

void
conftext_free(struct conftext *t)
{
	buf_free(&t->clean);
	free(t->items);
	*t = (struct conftext){.clean = BUF_INIT};
}

unsigned
conftext_line(const struct conftext *t, const char *section, const char *title, const char *name)
{
	unsigned scope = 0;

	for (size_t i = 0; section && i < t->n; i++)
		if (t->items[i].opens && span_ieq(t->items[i].name, span_of(section)) &&
		    span_ieq(t->items[i].title, span_of(title))) {
			scope = t->items[i].opens;
			if (!name)
				return t->items[i].line;
		}
	for (size_t i = 0; name && i < t->n; i++)
		if (t->items[i].scope == scope && span_ieq(t->items[i].name, span_of(name)))
			return t->items[i].line;
	return 0;
}
