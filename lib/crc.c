#include "crc.h"

#include <stdbool.h>
#include <string.h>

/* Reflected polynomial, by the byte: four lines of table a nibble would save are
 * not worth it, since this runs only where the instruction is missing. */
static uint32_t
crc_soft(uint32_t crc, const unsigned char *p, size_t n)
{
	while (n--) {
		crc ^= *p++;
		for (int k = 0; k < 8; k++)
			crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
	}
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
crc_hard(uint32_t crc, const unsigned char *p, size_t n)
{
	uint64_t c = crc, v;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&v, p, 8);
		c = __builtin_ia32_crc32di(c, v);
	}
	for (; n > 0; n--)
		c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
	return (uint32_t)c;
}

static bool
have_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#else
#define crc_hard crc_soft
static bool
have_instruction(void)
{
	return false;
}
#endif

uint32_t
crc32c(uint32_t crc, const void *p, size_t n)
{
	return ~(have_instruction() ? crc_hard : crc_soft)(~crc, p, n);
}
