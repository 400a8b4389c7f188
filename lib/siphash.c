#include "siphash.h"

#include <string.h>

struct state {
	uint64_t a, b, c, d;
};

static uint64_t
word(const unsigned char *p)
{
	uint64_t w = 0;

	for (unsigned i = 8; i > 0; i--)
		w = w << 8 | p[i - 1];
	return w;
}

static void
put_word(unsigned char *p, uint64_t w)
{
	for (unsigned i = 0; i < 8; i++)
		p[i] = (unsigned char)(w >> 8 * i);
}

static inline uint64_t
turn(uint64_t w, unsigned n)
{
	return w << n | w >> (64 - n);
}

static void
rounds(struct state *s, int n)
{
	for (; n > 0; n--) {
		s->a += s->b;
		s->b = turn(s->b, 13) ^ s->a;
		s->a = turn(s->a, 32);
		s->c += s->d;
		s->d = turn(s->d, 16) ^ s->c;
		s->a += s->d;
		s->d = turn(s->d, 21) ^ s->a;
		s->c += s->b;
		s->b = turn(s->b, 17) ^ s->c;
		s->c = turn(s->c, 32);
	}
}

static void
take(struct state *s, uint64_t w)
{
	s->d ^= w;
	rounds(s, 2);
	s->a ^= w;
}

/* All of the text, up to where the result is taken out. */
static struct state
digest(const unsigned char *key, struct span text, bool wide)
{
	uint64_t k0 = word(key), k1 = word(key + 8), last = (uint64_t)(text.n & 0xff) << 56;
	struct state s = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
	    k1 ^ 0x7465646279746573};
	const unsigned char *p = (const unsigned char *)text.p;
	size_t n = text.n;

	if (wide)
		s.b ^= 0xee;
	for (; n >= 8; n -= 8, p += 8)
		take(&s, word(p));
	for (size_t i = 0; i < n; i++)
		last |= (uint64_t)p[i] << 8 * i;
	take(&s, last);
	return s;
}

uint64_t
siphash(const unsigned char key[SIPHASH_KEY_BYTES], struct span text)
{
	struct state s = digest(key, text, false);

	s.c ^= 0xff;
	rounds(&s, 4);
	return s.a ^ s.b ^ s.c ^ s.d;
}

void
siphash_wide(const unsigned char key[SIPHASH_KEY_BYTES], struct span text,
    unsigned char out[SIPHASH_WIDE_BYTES])
{
	struct state s = digest(key, text, true);

	s.c ^= 0xee;
	rounds(&s, 4);
	put_word(out, s.a ^ s.b ^ s.c ^ s.d);
	s.b ^= 0xdd;
	rounds(&s, 4);
	put_word(out + 8, s.a ^ s.b ^ s.c ^ s.d);
}
