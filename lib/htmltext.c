#include "htmltext.h"

#include <string.h>

/* "&lt;", "&#60;", "&#x3c;" at the cursor, behind "&"; what is none stays. */
static void
entity(struct cur *c, struct buf *out)
{
	static const struct named {
		const char *name;
		char is;
	} named[] = {{"lt;", '<'}, {"gt;", '>'}, {"amp;", '&'}, {"quot;", '"'}, {"apos;", '\''},
	    {"nbsp;", ' '}, {"#39;", '\''}, {"#x27;", '\''}, {"#64;", '@'}, {"#46;", '.'},
	    {"#x40;", '@'}};

	for (size_t i = 0; i < sizeof named / sizeof *named; i++)
		if (cur_lit(c, named[i].name)) {
			buf_ch(out, named[i].is);
			return;
		}
	buf_ch(out, '&');
}

static bool
tag_is(struct cur c, const char *name)
{
	cur_ch(&c, '/');
	return cur_lit(&c, name) && !is_alnum(cur_peek(&c));
}

static bool
begins_line(const struct cur *c)
{
	static const char *const blocks[] = {"br", "p", "div", "tr", "li", "h1", "h2", "h3", "pre",
	    "table", "blockquote", "td"};

	for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
		if (tag_is(*c, blocks[i]))
			return true;
	return false;
}

static void
skip_to(struct cur *c, const char *end)
{
	while (!cur_end(c)) {
		struct cur t = *c;

		if (cur_lit(&t, end))
			return;
		c->p++;
	}
}

void
html_text(struct span html, struct buf *out)
{
	struct cur c = cur_span(html);

	while (!cur_end(&c)) {
		char ch = *c.p++;

		if (ch == '&')
			entity(&c, out);
		else if (ch != '<')
			buf_ch(out, ch == '\n' ? ' ' : ch);
		else if (cur_lit(&c, "!--"))
			skip_to(&c, "-->");
		else {
			if (begins_line(&c))
				buf_ch(out, '\n');
			if (tag_is(c, "style"))
				skip_to(&c, "</style");
			else if (tag_is(c, "script"))
				skip_to(&c, "</script");
			cur_until(&c, '>');
			cur_ch(&c, '>');
		}
	}
}

bool
html_has_tags(struct span html)
{
	struct cur c = cur_span(html);

	while (!cur_end(&c)) {
		cur_until(&c, '<');
		if (!cur_ch(&c, '<'))
			break;
		if (!cur_ch(&c, '/'))
			cur_ch(&c, '!');
		if (cur_while(&c, is_alnum).n > 0 && (cur_peek(&c) == '>' || is_space(cur_peek(&c))))
			return true;
	}
	return false;
}
