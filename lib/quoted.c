#include "quoted.h"

#include "msg.h"

#include <string.h>

#define LABEL_MAX 20 /* of a field, as people see it */
#define FIELDS 2     /* behind a line of dashes, */
#define FIELDS_BARE 3 /* and without one, */
#define FIELDS_LINES 32 /* in so many lines: a letter may have as many that begin such fields as it has lines */
#define TAB_WIDTH 8

enum way { WAY_NONE, WAY_MARK, WAY_BEHIND, WAY_INDENT };

struct quotation {
	enum way way;
	const char *begins; /* at this line */
	char mark;          /* WAY_MARK: which, and how many; WAY_INDENT: how many columns */
	size_t depth;
};

/* --- lines that are marked */

/* "> > text" has two, ">>> RCPT TO" is a dialogue, ">>>> RCPT TO" one that is quoted. */
static size_t
marks(struct span line, char mark)
{
	struct cur c = cur_span(line);
	size_t n = 0;

	cur_ch(&c, ' ');
	while (cur_peek(&c) == mark) {
		size_t run = 0;

		while (c.p + run < c.end && c.p[run] == mark)
			run++;
		if (mark == '>' && run >= 3)
			return n + run - 3;
		if (mark == '|' && (run > 1 || (c.end - c.p > 1 && c.p[1] != ' ' && c.p[1] != '\t')))
			return n; /* a rule, or a table */
		c.p++;
		n++;
		cur_ch(&c, ' ');
	}
	return n;
}

static struct span
unmarked(struct span line, char mark, size_t depth)
{
	struct cur c = cur_span(line);

	cur_ch(&c, ' ');
	for (; depth > 0 && cur_ch(&c, mark); depth--)
		cur_ch(&c, ' ');
	return cur_rest(&c);
}

static void
find_marked(struct span text, char mark, struct quotation *q)
{
	struct quotation found = {.way = WAY_MARK, .mark = mark};
	struct cur c = cur_span(text);
	struct span line;
	size_t lines = 0;

	while (cur_line(&c, &line)) {
		size_t n = marks(line, mark);

		if (n == 0)
			continue;
		if (lines++ == 0)
			found.begins = line.p;
		if (found.depth == 0 || n < found.depth)
			found.depth = n;
	}
	if (lines >= QUOTED_LINES && (q->way == WAY_NONE || found.begins < q->begins))
		*q = found;
}

/* --- all behind a line */

static bool
is_name(int c)
{
	return c > ' ' && c != ':' && c != '<' && c != '@';
}

/* "From: ...", "*From:* ...", "Date : ...": a field as a mail program shows it, in any language. */
static bool
is_field(struct span line)
{
	struct cur c = cur_span(line);
	struct span name;

	cur_ch(&c, '*');
	name = cur_while(&c, is_name);
	cur_ch(&c, ' ');
	if (name.n == 0 || name.n > LABEL_MAX || !cur_ch(&c, ':'))
		return false;
	cur_ch(&c, '*');
	return cur_peek(&c) == ' ' || cur_peek(&c) == '\t';
}

static bool
is_from(struct span line)
{
	static const char *const names[] = {"from", "von", "de", "da", "van", "från", "fra", "od", "от", "发件人",
	    "寄件者", "差出人", "보낸 사람"};
	struct cur c = cur_span(line);

	cur_ch(&c, '*');
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct cur t = c;

		if (cur_lit(&t, names[i])) {
			cur_ch(&t, ' ');
			if (cur_ch(&t, ':'))
				return is_field(line);
		}
	}
	return false;
}

/* "-----Original Message-----", "---------- Forwarded message ---------", "Begin forwarded message:" and the
 * same in other languages: for what they begin is told by the fields behind them. */
static bool
is_opening(struct span line)
{
	struct cur c = cur_span(line);

	return (cur_lit(&c, "----") && span_ends(line, SPAN("---"))) ||
	    (line.n > 10 && line.p[line.n - 1] == ':' && !memchr(line.p, ':', line.n - 1));
}

/* As many fields as matter, one of them of who has written it. */
static bool
fields_at(struct cur c, size_t want, struct span *first)
{
	struct span line;
	bool from = false;
	size_t n = 0;

	for (size_t i = 0; i < FIELDS_LINES && (n < want || !from) && cur_line(&c, &line); i++) {
		struct span text = span_trim(line);

		if (n == 0 && text.n == 0)
			continue;
		if (n > 0 && text.n > 0 && is_space((unsigned char)*line.p))
			continue; /* folded */
		if (!is_field(text))
			break;
		from |= is_from(text);
		if (n++ == 0)
			*first = line;
	}
	return n >= want && from;
}

static void
find_behind(struct span text, struct quotation *q)
{
	struct cur c = cur_span(text);
	struct span line, first;

	for (const char *at = c.p; cur_line(&c, &line); at = c.p) {
		struct span trimmed = span_trim(line);

		if (q->way != WAY_NONE && at >= q->begins)
			return;
		if (is_opening(trimmed) ? fields_at(c, FIELDS, &first)
		    : is_from(trimmed) && fields_at(cur_of(at, (size_t)(c.end - at)), FIELDS_BARE, &first)) {
			*q = (struct quotation){.way = WAY_BEHIND, .begins = first.p};
			return;
		}
	}
}

/* --- lines that are further in */

/* How far, in columns; *n bytes of it. */
static size_t
indent(struct span line, size_t max, size_t *n)
{
	size_t column = 0;

	for (*n = 0; *n < line.n && column < max; ++*n) {
		if (line.p[*n] == '\t')
			column += TAB_WIDTH - column % TAB_WIDTH;
		else if (line.p[*n] == ' ')
			column++;
		else
			break;
	}
	return column;
}

/* A run of them behind a line that is not. */
static void
find_indented(struct span text, struct quotation *q)
{
	struct quotation found = {.way = WAY_INDENT};
	struct cur c = cur_span(text);
	struct span line;
	bool flush = false;
	size_t lines = 0, bytes;

	while (cur_line(&c, &line)) {
		size_t columns = indent(line, SIZE_MAX, &bytes);

		if (bytes == line.n)
			continue;
		if (columns < 2) {
			if (lines >= QUOTED_LINES)
				break;
			flush = true;
			lines = 0;
			continue;
		}
		if (!flush)
			continue;
		if (lines++ == 0) {
			found.begins = line.p;
			found.depth = columns;
		} else if (columns < found.depth) {
			found.depth = columns;
		}
	}
	if (lines >= QUOTED_LINES && (q->way == WAY_NONE || found.begins < q->begins))
		*q = found;
}

/* --- what is whose */

static bool
is_quoted(const struct quotation *q, struct span line, struct span *text)
{
	size_t n;

	*text = line;
	switch (q->way) {
	case WAY_MARK:
		*text = unmarked(line, q->mark, q->depth);
		return marks(line, q->mark) > 0;
	case WAY_INDENT:
		if (indent(line, q->depth, &n) < q->depth && n < line.n)
			return false;
		*text = (struct span){line.p + n, line.n - n};
		return true;
	case WAY_BEHIND: return true;
	default: return false;
	}
}

bool
quoted_split(struct span text, struct buf *own, struct buf *quoted)
{
	struct quotation q = {.way = WAY_NONE};
	struct cur c = cur_span(text);
	struct span line, bare;

	buf_cut(own, 0);
	buf_cut(quoted, 0);
	find_marked(text, '>', &q);
	find_marked(text, '|', &q);
	find_indented(text, &q);
	find_behind(text, &q);
	if (q.way == WAY_NONE)
		return false;
	while (cur_line(&c, &line)) {
		struct buf *to = line.p >= q.begins && is_quoted(&q, line, &bare) ? quoted : own;

		if (to == own)
			bare = line;
		buf_add(to, bare.p, bare.n);
		buf_ch(to, '\n');
	}
	return true;
}

struct span
quoted_header(struct span quoted, struct span *body)
{
	struct cur c = cur_span(quoted);
	struct span line, first, header;

	*body = quoted;
	if (!fields_at(c, FIELDS, &first))
		return (struct span){"", 0};
	c.p = first.p;
	while (cur_line(&c, &line) && span_trim(line).n > 0)
		;
	header = (struct span){first.p, (size_t)(c.p - first.p)};
	*body = cur_rest(&c);
	return header;
}

bool
quoted_answers(struct span subject)
{
	static const char *const words[] = {"re:", "fwd:", "fw:", "aw:", "wg:", "antw:", "sv:", "vs:", "vl:", "tr:",
	    "rv:", "res:", "enc:", "rif:", "odp:"};
	struct cur c = cur_span(span_trim(subject));

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (cur_lit(&c, words[i]))
			return true;
	return false;
}

bool
quoted_is_answer(struct span header)
{
	struct cur c = cur_span(header);
	struct msg_field f;

	while (msg_next(&c, &f))
		if (span_ieq(f.name, SPAN("In-Reply-To")) || span_ieq(f.name, SPAN("References")) ||
		    (span_ieq(f.name, SPAN("Subject")) && quoted_answers(f.value)))
			return true;
	return false;
}
