#include "notetext.h"

#include <string.h>

/* What a person is told who has never heard of mail servers. */
const char notetext_usual[] =
    "[failed]\n"
    "Subject: Not delivered: {subject}\n"
    "\n"
    "Your message\n"
    "\n"
    "    Subject: {subject}\n"
    "    Date:    {date}\n"
    "\n"
    "was not delivered to:\n"
    "\n"
    "{recipients}\n"
    "It will not be tried again. If the address is misspelt, please correct\n"
    "it and send the message once more. Otherwise please try to reach the\n"
    "recipient in another way.\n"
    "\n"
    "[delayed]\n"
    "Subject: Delayed: {subject}\n"
    "\n"
    "Your message\n"
    "\n"
    "    Subject: {subject}\n"
    "    Date:    {date}\n"
    "\n"
    "has not been delivered yet to:\n"
    "\n"
    "{recipients}\n"
    "There is nothing you have to do. It will be tried again until\n"
    "{until}; if it cannot be delivered\n"
    "by then you will be told.\n"
    "\n"
    "[delivered]\n"
    "Subject: Delivered: {subject}\n"
    "\n"
    "You have asked to be told what became of your message\n"
    "\n"
    "    Subject: {subject}\n"
    "    Date:    {date}\n"
    "\n"
    "{recipients}\n"
    "[digest]\n"
    "Subject: {count} more reports\n"
    "\n"
    "So many of your messages met trouble that you were not told of each.\n"
    "This is what became of them for {count} recipients:\n"
    "\n"
    "{recipients}\n"
    "[end]\n"
    "This was written by the mail server {host}.\n"
    "What follows is for programs, and for whoever looks after your mail;\n"
    "{contact} can help.\n";

static const char *const part_names[] = {"failed", "delayed", "delivered", "digest", "end"};
static const char *const value_names[] = {[NOTETEXT_RECIPIENTS] = "recipients",
    [NOTETEXT_COUNT] = "count", [NOTETEXT_SUBJECT] = "subject", [NOTETEXT_DATE] = "date",
    [NOTETEXT_SENDER] = "sender", [NOTETEXT_UNTIL] = "until", [NOTETEXT_HOST] = "host",
    [NOTETEXT_CONTACT] = "contact", [NOTETEXT_ID] = "id"};
_Static_assert(sizeof part_names / sizeof *part_names == NOTETEXT_PARTS, "a name each");
_Static_assert(sizeof value_names / sizeof *value_names == NOTETEXT_VALUES, "a name each");

/* --- placeholders */

static bool
is_name(int c)
{
	return c >= 'a' && c <= 'z';
}

enum piece { LITERAL, BRACE, VALUE, BAD };

/* The next piece of a text at the cursor, which moves past it. */
static enum piece
next_piece(struct cur *c, struct span *literal, enum notetext_value *value)
{
	struct cur t;
	struct span name;

	*literal = cur_until(c, '{');
	if (literal->n > 0)
		return LITERAL;
	t = *c;
	cur_ch(&t, '{');
	if (cur_ch(&t, '{')) {
		*c = t;
		return BRACE;
	}
	name = cur_while(&t, is_name);
	*literal = name;
	if (!cur_ch(&t, '}'))
		return BAD;
	*c = t;
	for (int i = 0; i < NOTETEXT_VALUES; i++)
		if (span_eq(name, span_of(value_names[i]))) {
			*value = (enum notetext_value)i;
			return VALUE;
		}
	return BAD;
}

/* --- reading */

struct reading {
	struct notetext *t;
	const char *name;
	unsigned line;
	struct notetext_section *now;
	bool in_body;      /* of the section at hand; before it come Subject and an empty line */
	bool recipients;   /* its body names them */
};

static int
refuse(const struct reading *r, const char *what, struct err *e)
{
	return err_set(e, EX_CONFIG, "%s:%u: %s", r->name, r->line, what);
}

static int
check_line(struct reading *r, struct span line, struct err *e)
{
	struct cur c = cur_span(line);
	struct span literal;
	enum notetext_value v = NOTETEXT_COUNT;

	if (line.n > NOTETEXT_LINE_MAX)
		return err_set(e, EX_CONFIG, "%s:%u: over %d bytes", r->name, r->line, NOTETEXT_LINE_MAX);
	if (!utf8_valid(line))
		return refuse(r, "not UTF-8", e);
	for (size_t i = 0; i < line.n; i++)
		if (!is_text((unsigned char)line.p[i]))
			return refuse(r, "a control character", e);
	while (!cur_end(&c)) {
		enum piece is = next_piece(&c, &literal, &v);

		if (is == BAD)
			return err_set(e, EX_CONFIG, "%s:%u: \"{%.*s\" is no placeholder ({{ is a brace)",
			    r->name, r->line, SPAN_ARG(literal));
		if (is == VALUE && v == NOTETEXT_RECIPIENTS) {
			if (!r->in_body)
				return refuse(r, "{recipients} cannot stand in a subject", e);
			r->recipients = true;
		}
	}
	return 0;
}

static int
end_section(struct reading *r, struct err *e)
{
	struct notetext_section *s = r->now;
	bool end = s == &r->t->parts[NOTETEXT_END];
	const char *name = s ? part_names[s - r->t->parts] : "";

	if (!s || end || r->recipients)
		return 0;
	if (!s->subject.p)
		return err_set(e, EX_CONFIG, "%s: [%s] does not begin with \"Subject: \"", r->name, name);
	return err_set(e, EX_CONFIG, "%s: [%s] does not say {recipients}", r->name, name);
}

static int
begin_section(struct reading *r, struct span line, struct err *e)
{
	struct span name = {line.p + 1, line.n - 2};
	int rc = end_section(r, e);

	for (int i = 0; i < NOTETEXT_PARTS && !rc; i++) {
		if (!span_eq(name, span_of(part_names[i])))
			continue;
		r->now = &r->t->parts[i];
		if (r->now->there)
			return refuse(r, "this section was there before", e);
		r->now->there = true;
		r->now->body = (struct span){line.p + line.n, 0};
		r->in_body = i == NOTETEXT_END;
		r->recipients = false;
		return 0;
	}
	return rc ? rc : refuse(r, "no section of this name", e);
}

/* "Subject: ..." and the empty line behind it. */
static int
head_line(struct reading *r, struct span line, struct err *e)
{
	struct cur c = cur_span(line);

	if (r->now->subject.p) {
		if (line.n > 0)
			return refuse(r, "an empty line stands behind the subject", e);
		r->in_body = true;
		return 0;
	}
	if (!cur_lit(&c, "Subject:"))
		return refuse(r, "a section begins with \"Subject: \"", e);
	r->now->subject = span_trim(cur_rest(&c));
	return r->now->subject.n > 0 ? check_line(r, line, e) : refuse(r, "an empty subject", e);
}

static int
read_line(struct reading *r, struct span line, const char *end, struct err *e)
{
	int rc;

	if (line.n > 2 && *line.p == '[' && line.p[line.n - 1] == ']')
		return begin_section(r, line, e);
	if (!r->now) /* remarks may stand before the first section */
		return line.n == 0 || *line.p == '#' ? 0 : refuse(r, "text before the first [section]", e);
	if (!r->in_body)
		return head_line(r, line, e);
	rc = check_line(r, line, e);
	if (r->now->body.n == 0)
		r->now->body.p = line.p;
	r->now->body.n = (size_t)(end - r->now->body.p);
	return rc;
}

int
notetext_parse(struct notetext *t, const char *name, struct span text, struct err *e)
{
	struct reading r = {.t = t, .name = name};
	struct span line;
	struct cur c;
	int rc = 0;

	*t = (struct notetext){.text = BUF_INIT};
	if (text.n > NOTETEXT_MAX)
		return err_set(e, EX_CONFIG, "%s: over %d bytes", name, NOTETEXT_MAX);
	buf_add(&t->text, text.p, text.n);
	c = cur_of(t->text.s, t->text.len);
	while (!rc && cur_line(&c, &line)) {
		r.line++;
		rc = read_line(&r, line, c.p, e);
	}
	if (!rc)
		rc = end_section(&r, e);
	for (int i = 0; i < NOTETEXT_PARTS && !rc; i++)
		if (!t->parts[i].there)
			rc = err_set(e, EX_CONFIG, "%s: no section [%s]", name, part_names[i]);
	return rc;
}

void
notetext_free(struct notetext *t)
{
	buf_free(&t->text);
	*t = (struct notetext){.text = BUF_INIT};
}

/* --- writing */

/* A character of more than one byte that would make a line, turn the order of those around it or be
 * obeyed by a terminal: U+0080 to 9F, 2028 to 202E, 2066 to 2069. */
static bool
is_trick(const unsigned char *p, size_t n)
{
	if (n == 2)
		return p[0] == 0xc2 && p[1] < 0xa0;
	return n == 3 && p[0] == 0xe2 &&
	    ((p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae) || (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
}

static void
put_value(struct buf *out, struct span v, bool lines)
{
	for (size_t i = 0, n; i < v.n; i += n) {
		const unsigned char *p = (const unsigned char *)v.p + i;

		n = utf8_len(v.p + i, v.n - i);
		if (n == 0)
			buf_ch(out, '?');
		else if (n == 1)
			buf_ch(out, is_text(*p) || (lines && *p == '\n') ? (char)*p : ' ');
		else if (is_trick(p, n))
			buf_ch(out, ' ');
		else
			buf_add(out, p, n);
		n += n == 0;
	}
}

static void
expand(struct span text, const struct notetext_values *v, bool lines, struct buf *out)
{
	struct cur c = cur_span(text);

	while (!cur_end(&c)) {
		enum notetext_value value = NOTETEXT_COUNT;
		struct span literal;
		enum piece is = next_piece(&c, &literal, &value);

		if (is == LITERAL)
			for (size_t i = 0; i < literal.n; i++) {
				if (literal.p[i] != '\r')
					buf_ch(out, literal.p[i]);
			}
		else if (is == BRACE)
			buf_ch(out, '{');
		else if (is == VALUE)
			put_value(out, v->v[value], lines && value == NOTETEXT_RECIPIENTS);
		else
			break; /* no text that was parsed has it */
	}
}

void
notetext_subject(const struct notetext *t, enum notetext_part part,
    const struct notetext_values *v, struct buf *out)
{
	expand(t->parts[part].subject, v, false, out);
}

void
notetext_body(const struct notetext *t, enum notetext_part part, const struct notetext_values *v,
    struct buf *out)
{
	expand(t->parts[part].body, v, true, out);
}
