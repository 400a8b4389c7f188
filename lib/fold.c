#include "fold.h"

#include "eight.h"

/* Bytes from i on, one by one, up to `to`; *n counts those written. */
static inline bool
fold_bytes(struct span text, size_t i, size_t to, char *p, size_t *n, bool blank)
{
	for (; i < to; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c > ' ' && c != 127) {
			p[(*n)++] = (char)ascii_lower(c);
			blank = false;
		} else if (!blank) {
			p[(*n)++] = ' ';
			blank = true;
		}
	}
	return blank;
}

void
fold(struct span text, struct buf *out)
{
	char *p = buf_room(out, text.n + 1);
	size_t n = 0, i = 0;
	bool blank = true; /* what comes next is not one more */

	/* Most of a text is eight bytes without a control and without two blanks in a row. */
	for (; text.n - i >= 8; i += 8) {
		uint64_t x = eight_at(text.p + i), blanks = eight_are(x, ' ');

		if (eight_below(x, ' ') | eight_are(x, 127) | (blanks & blanks >> 8) ||
		    (blank && text.p[i] == ' ')) {
			blank = fold_bytes(text, i, i + 8, p, &n, blank);
			continue;
		}
		x = eight_lower(x);
		memcpy(p + n, &x, sizeof x);
		n += sizeof x;
		blank = p[n - 1] == ' ';
	}
	fold_bytes(text, i, text.n, p, &n, blank);
	if (n > 0 && p[n - 1] == ' ')
		n--;
	buf_grew(out, n);
}
