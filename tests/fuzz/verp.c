/* verp over any bytes: what is read without a key's help proves nothing; what was made is read again. */
#include "fuzz.h"

#include "verp.h"

#include <stdlib.h>
#include <string.h>

#define NOW 1795335612

static void
want(bool good)
{
	if (!good)
		abort();
}

/* A path made for any two addresses comes back as the recipient it was made for. */
static void
around(const unsigned char *key, struct span sender, struct span rcpt)
{
	struct buf path = BUF_INIT, found = BUF_INIT;
	const char *at;
	enum verp_is is;

	if (verp_make(key, sender, rcpt, NOW, &path)) {
		struct span made = {path.s, path.len};

		at = memrchr(path.s, '@', path.len);
		want(at && (size_t)(at - path.s) <= 64);
		is = verp_read(key, made, NOW, &found);
		want(is == VERP_GOOD || is == VERP_SHORT);
		want(is == VERP_SHORT || span_eq((struct span){found.s, found.len}, rcpt));
		want(verp_proves(key, made, rcpt));
	}
	buf_free(&path);
	buf_free(&found);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const unsigned char key[VERP_KEY_BYTES] = {1, 2, 3}, none[VERP_KEY_BYTES];
	struct span in = {(const char *)p, n}, sender, rcpt;
	struct buf found = BUF_INIT;
	struct cur c = cur_span(in);
	enum verp_is is = verp_read(key, in, NOW, &found);

	want(is == VERP_GOOD || found.len == 0);
	/* 60 bits: an input that holds under both keys would be a discovery. */
	want(is != VERP_GOOD || verp_read(none, in, NOW, &found) == VERP_FORGED);
	sender = cur_until(&c, '\n');
	cur_ch(&c, '\n');
	rcpt = cur_rest(&c);
	if (rcpt.n > 0)
		around(key, sender, rcpt);
	buf_free(&found);
	return 0;
}
