#include "cfws.h"

bool
cfws(struct cur *c)
{
	size_t depth = 0;

	for (; !cur_end(c); c->p++) {
		int ch = cur_peek(c);

		if (ch == '(')
			depth++;
		else if (depth == 0 && !is_space(ch) && ch != '\r' && ch != '\n')
			break;
		else if (ch == ')')
			depth--;
		else if (ch == '\\' && c->end - c->p > 1)
			c->p++;
	}
	return depth == 0;
}
