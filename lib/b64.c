#include "b64.h"

#include "sys.h"

#include <stdint.h>

#define BEHIND 4 /* bytes that may be written behind the last one decoded */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static inline void
four_digits(char *to, unsigned first, unsigned second, unsigned third)
{
	unsigned bits = first << 16 | second << 8 | third;

	to[0] = digits[bits >> 18];
	to[1] = digits[bits >> 12 & 63];
	to[2] = digits[bits >> 6 & 63];
	to[3] = digits[bits & 63];
}

void
b64_encode(struct buf *out, const void *p, size_t n)
{
	const unsigned char *s = p;
	size_t len = (n + 2) / 3 * 4;
	char *to = buf_room(out, len);

	for (; n >= 3; n -= 3, s += 3, to += 4)
		four_digits(to, s[0], s[1], s[2]);
	if (n > 0) {
		four_digits(to, s[0], n > 1 ? s[1] : 0, 0);
		memset(to + 1 + n, '=', 3 - n);
	}
	buf_grew(out, len);
}

/* What each byte stands for, and one more; all else for nothing. */
static const unsigned char value[256] = {
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8,
    ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15,
    ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22,
    ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29,
    ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
    ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43,
    ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50,
    ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57,
    ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64};

static int /* 0 to 63, or -1 */
digit(unsigned char c)
{
	return value[c] - 1;
}

/* What stands behind `have` digits of a last group: padding to four, and no bit that says nothing. */
static bool
group_ends(int have, int pads, uint32_t bits)
{
	switch (have) {
	case 0: return pads == 0;
	case 2: return pads == 2 && (bits & 15) == 0;
	case 3: return pads == 1 && (bits & 3) == 0;
	default: return false;
	}
}

#ifdef SYS_WIDE
typedef unsigned char v32 __attribute__((vector_size(32)));
typedef uint16_t pairs __attribute__((vector_size(32)));
typedef uint32_t groups __attribute__((vector_size(32)));

#define AMONG(v, first, n) ((v32)((v32)((v) - (first)) < (n)))
#define IS(v, what) ((v32)((v) == (what)))

/* 32 digits at a time, up to the first that are not all digits.  BEHIND bytes behind what it makes are
 * written. */
SYS_WIDE static size_t
wide_groups(struct span text, char **out)
{
	/* Of each half, which byte stands where: three of each group's four, the first one highest. */
	static const v32 order = {2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, 3, 3, 3, 3,
	    2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, 3, 3, 3, 3};
	size_t i;

	for (i = 0; text.n - i >= sizeof order; i += sizeof order) {
		v32 v, upper, lower, decimal, plus, slash;
		pairs two;
		groups four;

		memcpy(&v, text.p + i, sizeof v);
		upper = AMONG(v, 'A', 26);
		lower = AMONG(v, 'a', 26);
		decimal = AMONG(v, '0', 10);
		plus = IS(v, '+');
		slash = IS(v, '/');
		if (SYS_WIDE_LANES(upper | lower | decimal | plus | slash) != UINT32_MAX)
			break;
		v -= (upper & 'A') + (lower & ('a' - 26)) + (plus & (unsigned char)('+' - 62)) +
		    (slash & (unsigned char)('/' - 63)) + (decimal & (unsigned char)('0' - 52));
		two = (pairs)v;
		two = (two << 6 | two >> 8) & 0xfff;
		four = (groups)two;
		v = SYS_WIDE_SHUFFLE(four << 12 | four >> 16, order);
		memcpy(*out, &v, 16);
		memcpy(*out + 12, (char *)&v + 16, 16);
		*out += 24;
	}
	return i;
}
#endif

/* The fast way, up to the first group of four that is not all digits; how many bytes of text that were. */
static size_t
whole_groups(struct span text, char **out)
{
	const unsigned char *p = (const unsigned char *)text.p;
	char *to = *out;
	size_t i = 0;

#ifdef SYS_WIDE
	if (SYS_HAS_WIDE)
		i = wide_groups(text, &to);
#endif
	for (; text.n - i >= 4; i += 4) {
		int a = digit(p[i]), b = digit(p[i + 1]), c = digit(p[i + 2]), d = digit(p[i + 3]);

		if ((a | b | c | d) < 0)
			break;
		*to++ = (char)(a << 2 | b >> 4);
		*to++ = (char)(b << 4 | c >> 2);
		*to++ = (char)(c << 6 | d);
	}
	*out = to;
	return i;
}

bool
b64_decode(struct span text, struct buf *out)
{
	char *start = buf_room(out, text.n / 4 * 3 + BEHIND); /* where out's NUL stands */
	char *to = start;
	uint32_t bits = 0;
	int have = 0, pads = 0;

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c;
		int d;

		if (have == 0 && pads == 0)
			i += whole_groups((struct span){text.p + i, text.n - i}, &to);
		if (i == text.n)
			break;
		c = (unsigned char)text.p[i];
		d = digit(c);
		if (d < 0 && (is_space(c) || c == '\r' || c == '\n'))
			continue;
		if (c == '=' && pads < 2) {
			pads++;
			continue;
		}
		if (d < 0 || pads > 0) {
			*start = '\0';
			return false;
		}
		bits = bits << 6 | (uint32_t)d;
		if (++have == 4) {
			*to++ = (char)(bits >> 16);
			*to++ = (char)(bits >> 8);
			*to++ = (char)bits;
			have = 0;
			bits = 0;
		}
	}
	if (!group_ends(have, pads, bits)) {
		*start = '\0';
		return false;
	}
	if (have == 3)
		*to++ = (char)(bits >> 10);
	if (have >= 2)
		*to++ = (char)(have == 3 ? bits >> 2 : bits >> 4);
	buf_grew(out, (size_t)(to - start));
	return true;
}
