#include "hex.h"

void
hex_put(struct buf *out, const unsigned char *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		buf_ch(out, digits[p[i] >> 4]);
		buf_ch(out, digits[p[i] & 15]);
	}
}

static int
digit(int c)
{
	c = ascii_lower(c);
	return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
hex_byte(const char two[2])
{
	int high = digit((unsigned char)two[0]), low = digit((unsigned char)two[1]);

	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool
hex_get(struct span text, unsigned char *out, size_t n)
{
	if (text.n != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int byte = hex_byte(text.p + 2 * i);

		if (byte < 0)
			return false;
		out[i] = (unsigned char)byte;
	}
	return true;
}
