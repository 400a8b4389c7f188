#include "cidr.h"

#include <arpa/inet.h>
#include <string.h>

struct net {
	uint8_t bytes[16];
	size_t n;
	uint64_t bits;
};

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool
is_between(int c)
{
	return is_space(c) || c == ',';
}

static bool
is_address(int c)
{
	return is_alnum(c) || c == '.' || c == ':';
}

static bool
address(struct span text, struct net *out)
{
	char s[INET6_ADDRSTRLEN];

	if (text.n == 0 || text.n >= sizeof s)
		return false;
	memcpy(s, text.p, text.n);
	s[text.n] = '\0';
	out->n = 4;
	if (inet_pton(AF_INET, s, out->bytes) == 1)
		return true;
	out->n = 16;
	return inet_pton(AF_INET6, s, out->bytes) == 1;
}

/* Whether the first `bits` of both are the same. */
static bool
same(const uint8_t *a, const uint8_t *b, uint64_t bits)
{
	size_t whole = (size_t)(bits / 8), rest = (size_t)(bits % 8);

	return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

/* The next one at the cursor. */
static bool
next(struct cur *c, struct net *out)
{
	static const uint8_t zero[16];
	uint8_t host[16];

	if (!address(cur_while(c, is_address), out))
		return false;
	out->bits = out->n * 8;
	if (cur_ch(c, '/') && !cur_u64(c, out->n * 8, &out->bits))
		return false;
	if (!cur_end(c) && !is_between(cur_peek(c)))
		return false;
	memcpy(host, out->bytes, out->n);
	for (uint64_t i = 0; i < out->bits; i++)
		host[i / 8] &= (uint8_t)~(0x80u >> (i % 8));
	return same(host, zero, out->n * 8);
}

bool
cidr_ok(const char *list)
{
	struct cur c = cur_span(span_of(list));
	struct net n;

	for (;;) {
		cur_while(&c, is_between);
		if (cur_end(&c))
			return true;
		if (!next(&c, &n))
			return false;
	}
}

bool
cidr_match(const char *list, const uint8_t *a, size_t size)
{
	struct cur c = cur_span(span_of(list));
	struct net n;

	if (size == 16 && memcmp(a, mapped, sizeof mapped) == 0) {
		a += 12;
		size = 4;
	}
	for (;;) {
		cur_while(&c, is_between);
		if (cur_end(&c) || !next(&c, &n))
			return false;
		if (n.n == size && same(n.bytes, a, n.bits))
			return true;
	}
}
