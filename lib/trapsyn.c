#include "trapsyn.h"

/* "<" path ">": whatever is inside, quoted strings respected; it is never used to send. */
bool
trapsyn_path(struct cur *c, struct span *inside)
{
	struct cur t = *c;
	bool quoted = false;
	const char *start;

	if (!cur_ch(&t, '<'))
		return false;
	for (start = t.p; !cur_end(&t); t.p++) {
		int ch = (unsigned char)*t.p;

		if (ch == '"')
			quoted = !quoted;
		else if (quoted && ch == '\\' && t.p + 1 < t.end)
			t.p++;
		else if (!quoted && (ch == '>' || ch == '<' || ch == ' '))
			break;
	}
	*inside = (struct span){start, (size_t)(t.p - start)};
	if (!cur_ch(&t, '>'))
		return false;
	*c = t;
	return true;
}

bool
trapsyn_8bit(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 127)
			return true;
	return false;
}

static bool
is_keyword(int c)
{
	return is_alnum(c) || c == '-';
}

/* esmtp-value = 1*(%d33-60 / %d62-126), and UTF-8    RFC 5321 4.1.2, RFC 6531 3.3 */
static bool
is_value(int c)
{
	return c > ' ' && c != '=' && c != 127;
}

/* The next of *(SP esmtp-param); false at the end, or, with c not at its end, at a fault. */
bool
trapsyn_param(struct cur *c, struct trapsyn_param *p)
{
	struct cur t = *c;

	if (!cur_ch(&t, ' '))
		return false;
	p->key = cur_while(&t, is_keyword);
	p->value = SPAN("");
	if (p->key.n > 0 && cur_ch(&t, '='))
		p->value = cur_while(&t, is_value);
	if (p->key.n == 0 || (!cur_end(&t) && *t.p != ' '))
		return false;
	*c = t;
	return true;
}
