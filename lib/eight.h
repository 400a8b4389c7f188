/* eight.h - eight bytes at once, each a lane of a word.
 *
 * A test leaves the top bit of each lane where it holds.  Such a bit may also stand in the lane above one
 * that holds: none tells the truth, and who sees one looks again byte by byte.
 */
#ifndef EIGHT_H
#define EIGHT_H

#include <stdint.h>
#include <string.h>

#define EIGHT(byte) (UINT64_MAX / 255 * (byte)) /* that byte in each lane */

static inline uint64_t
eight_at(const void *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof x);
	return x;
}
static inline uint64_t
eight_below(uint64_t x, unsigned char byte) /* byte is 128 at most */
{
	return (x - EIGHT(byte)) & ~x & EIGHT(0x80);
}
static inline uint64_t
eight_are(uint64_t x, unsigned char byte)
{
	return eight_below(x ^ EIGHT(byte), 1);
}
static inline uint64_t
eight_high(uint64_t x) /* over 127 */
{
	return x & EIGHT(0x80);
}
static inline uint64_t
eight_lower(uint64_t x) /* ASCII letters in lower case */
{
	uint64_t seven = x & EIGHT(0x7f);
	uint64_t from_a = seven + EIGHT(0x80 - 'A'), behind_z = seven + EIGHT(0x7f - 'Z');

	return x | (~x & EIGHT(0x80) & (from_a ^ behind_z)) >> 2;
}

#endif
