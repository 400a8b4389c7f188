/* A DKIM-Signature's value, a key record and a DMARC record over any bytes. */
#include "fuzz.h"

#include "dkimkey.h"
#include "dkimsig.h"
#include "dmarc.h"

#include <stdlib.h>
#include <string.h>

static void
want(bool good)
{
	if (!good)
		abort();
}

static void
signature(struct span text)
{
	struct dkimsig s;
	struct err why = ERR_INIT;

	if (dkimsig_parse(text, &s, &why) == DKIMSIG_GOOD) {
		const char *at = memrchr(s.i.s, '@', s.i.len);

		want(s.d.len > 0 && s.s.len > 0 && s.d.len + s.s.len < 253 && s.bh.len == CRYPT_SHA256_BYTES);
		want(s.b.len > 0 && dkimsig_covers(&s, SPAN("FROM")) && at);
		want(!s.has_expiry || !s.has_time || s.expiry_s > s.time_s);
		for (size_t i = 0; i < s.d.len; i++)
			want(strchr("-._", s.d.s[i]) || is_alnum((unsigned char)s.d.s[i]));
	} else {
		want(*err_text(&why));
	}
	dkimsig_free(&s);
	err_free(&why);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span text = {(const char *)p, n};
	struct dkimkey k;
	struct dmarc_record d;
	struct err e = ERR_INIT;

	signature(text);
	want(dkimkey_parse(text, &k, &e) != 0 || k.p.len == 0 || dkimkey_is(text));
	if (k.known && k.p.len > 0) {
		struct crypt_pub *pub = NULL;

		if (crypt_pub_load(&pub, k.kind, (struct span){k.p.s, k.p.len}, &e) == 0)
			want(crypt_pub_bits(pub) <= CRYPT_RSA_MAX);
		crypt_pub_free(pub);
	}
	dkimkey_free(&k);
	if (dmarc_parse(text, &d, &e) == 0)
		want(dmarc_is(text) && d.p <= DMARC_POLICY_REJECT && d.np <= DMARC_POLICY_REJECT && d.pct <= 100);
	err_free(&e);
	return 0;
}
