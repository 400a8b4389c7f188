/* cert_dane() over any records and any certificates:
 *
 *     input  = records *chain      records = count *(usage selector matching length *data)
 *     chain  = length length *der  the certificates; numbers are bytes, the latter two big-endian
 *
 * A verdict is one of the words, with its reason; what a mail client cannot use never counts. */
#include "fuzz.h"

#include "cert.h"

#include <stdlib.h>

#define RECORDS 8
#define CHAIN 4

static uint8_t
byte(const uint8_t **p, const uint8_t *end)
{
	return *p < end ? *(*p)++ : 0;
}

static struct span
piece(const uint8_t **p, const uint8_t *end, size_t n)
{
	size_t left = (size_t)(end - *p);
	struct span s = {(const char *)*p, n < left ? n : left};

	*p += s.n;
	return s;
}

static void
want(bool good)
{
	if (!good)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t size)
{
	static const char *const own[] = {"mx.example", "example"};
	const uint8_t *end = p + size;
	struct cert_names names = {own, 2};
	struct cert_tlsa v[RECORDS];
	struct span certs[CHAIN];
	struct cert_chain chain = {certs, 0};
	struct buf why = BUF_INIT;
	size_t n = byte(&p, end) % (RECORDS + 1), usable = 0;
	enum cert_is is;

	for (size_t i = 0; i < n; i++) {
		v[i].usage = byte(&p, end);
		v[i].selector = byte(&p, end);
		v[i].matching = byte(&p, end);
		v[i].data = piece(&p, end, byte(&p, end));
		usable += cert_tlsa_usable(&v[i]);
	}
	while (p < end && chain.n < CHAIN) {
		size_t length = (size_t)byte(&p, end) << 8;

		length |= byte(&p, end);
		certs[chain.n++] = piece(&p, end, length);
	}
	is = cert_dane(&chain, v, n, &names, &why);
	want(is <= CERT_WEAK && why.len > 0);
	want(is != CERT_GOOD || (usable > 0 && chain.n > 0));
	want((is == CERT_MISSING) == (chain.n == 0));
	buf_free(&why);
	return 0;
}
