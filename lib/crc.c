#include "crc.h"

#include "sys.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define POLY 0x82f63b78u /* reflected */

/* By the bit: this runs only where the instruction is missing. */
static uint32_t
crc_soft(uint32_t crc, const unsigned char *p, size_t n)
{
	while (n--) {
		crc ^= *p++;
		for (int k = 0; k < 8; k++)
			crc = (crc >> 1) ^ (POLY & (0u - (crc & 1)));
	}
	return crc;
}

#if defined(__x86_64__)

/* The instruction has a latency of three cycles and can be begun every cycle: three stretches beside
 * each other take a third of the time.  To join them, the crc of the first is moved past STRETCH
 * zero bytes, which is linear in its bits: one table lookup for four of them.  With whole bytes the table
 * would be a page of its own in every process. */
#define STRETCH 4096
#define NIBBLES 8

static uint32_t past_zeros[NIBBLES][16];
static pthread_once_t made = PTHREAD_ONCE_INIT;

__attribute__((target("sse4.2"))) static uint32_t
crc_one(uint32_t crc, const unsigned char *p, size_t n)
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

static void
make_table(void)
{
	static const unsigned char zeros[STRETCH];
	uint32_t bit[32];

	for (int i = 0; i < 32; i++)
		bit[i] = crc_one(1u << i, zeros, STRETCH);
	for (int b = 0; b < NIBBLES; b++)
		for (unsigned v = 0; v < 16; v++)
			for (int i = 0; i < 4; i++)
				if (v & (1u << i))
					past_zeros[b][v] ^= bit[4 * b + i];
}

static uint32_t
shift(uint32_t crc)
{
	uint32_t moved = 0;

	for (int b = 0; b < NIBBLES; b++, crc >>= 4)
		moved ^= past_zeros[b][crc & 15];
	return moved;
}

__attribute__((target("sse4.2"))) static uint32_t
crc_three(uint32_t crc, const unsigned char *p)
{
	uint64_t a = crc, b = 0, c = 0, va, vb, vc;

	for (size_t i = 0; i < STRETCH; i += 8) {
		memcpy(&va, p + i, 8);
		memcpy(&vb, p + STRETCH + i, 8);
		memcpy(&vc, p + 2 * STRETCH + i, 8);
		a = __builtin_ia32_crc32di(a, va);
		b = __builtin_ia32_crc32di(b, vb);
		c = __builtin_ia32_crc32di(c, vc);
	}
	return shift(shift((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
}

static uint32_t
crc_hard(uint32_t crc, const unsigned char *p, size_t n)
{
	if (n >= 8 * STRETCH) { /* the table costs some 20 us */
		pthread_once(&made, make_table);
		for (; n >= 3 * STRETCH; n -= 3 * STRETCH, p += 3 * STRETCH)
			crc = crc_three(crc, p);
	}
	return crc_one(crc, p, n);
}

#else
#define SYS_HAS_CRC32C false
#define crc_hard crc_soft
#endif

uint32_t
crc32c(uint32_t crc, const void *p, size_t n)
{
	return ~(SYS_HAS_CRC32C ? crc_hard : crc_soft)(~crc, p, n);
}
