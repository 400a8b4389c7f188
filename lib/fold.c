#include "fold.h"

#include <stdint.h>
#include <string.h>

/* Eight bytes at once, each a lane of the word: bits of a lane's top where the test holds.  Such a bit may also
 * stand in the lane above one that holds; that costs time alone. */
#define LANES(byte) (UINT64_MAX / 255 * (byte))

static inline uint64_t
lanes_below(uint64_t x, unsigned char byte)
{
	return (x - LANES(byte)) & ~x & LANES(0x80);
}

static inline uint64_t
lanes_that_are(uint64_t x, unsigned char byte)
{
	return lanes_below(x ^ LANES(byte), 1);
}

static inline uint64_t
lanes_lower(uint64_t x)
{
	uint64_t seven = x & LANES(0x7f);
	uint64_t from_a = seven + LANES(0x80 - 'A'), behind_z = seven + LANES(0x7f - 'Z');

	return x | (~x & LANES(0x80) & (from_a ^ behind_z)) >> 2;
}

void
fold(struct span text, struct buf *out)
{
	char *p = buf_room(out, text.n + 1);
	size_t n = 0, i = 0;
	bool blank = true; /* what comes next is not one more */
	uint64_t x;

	while (i < text.n) {
		unsigned char c = (unsigned char)text.p[i];

		/* Most of a text is eight bytes without a control and without two blanks in a row. */
		if (text.n - i >= sizeof x && !(blank && c == ' ')) {
			uint64_t blanks;

			memcpy(&x, text.p + i, sizeof x);
			blanks = lanes_that_are(x, ' ');
			if (!(lanes_below(x, ' ') | lanes_that_are(x, 127) | (blanks & blanks >> 8))) {
				x = lanes_lower(x);
				memcpy(p + n, &x, sizeof x);
				n += sizeof x;
				i += sizeof x;
				blank = p[n - 1] == ' ';
				continue;
			}
		}
		i++;
		if (c > ' ' && c != 127) {
			p[n++] = (char)ascii_lower(c);
			blank = false;
		} else if (!blank) {
			p[n++] = ' ';
			blank = true;
		}
	}
	if (n > 0 && p[n - 1] == ' ')
		n--;
	buf_grew(out, n);
}
