/* An MTA-STS policy, a record of its kind, and what is remembered of one, over any bytes. */
#include "fuzz.h"

#include "sts.h"
#include "stsfile.h"
#include "tagtext.h"

#include <stdlib.h>
#include <string.h>

static void
remembered(struct span text)
{
	struct buf again = BUF_INIT;
	struct err e = ERR_INIT;
	struct stsfile *f;

	/* What is taken is written as it was read. */
	if (stsfile_parse(text, "example.com", &f, &e) == 0) {
		stsfile_text(f, &again);
		if (f->fetched_s > 0 && again.len > text.n + 64)
			abort();
		stsfile_drop(f);
	}
	buf_free(&again);
	err_free(&e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span text = {(const char *)p, n}, id = {"", 0};
	struct sts_policy policy;
	struct err e = ERR_INIT;

	if (tagtext_get(text, STS_VERSION, "id", &id, &e) == 0 && (!tagtext_is(text, STS_VERSION) || id.n == 0))
		abort();
	if (tagtext_get(text, "v=TLSRPTv1", "rua", &id, &e) == 0 && memchr(id.p, ';', id.n))
		abort();
	if (sts_policy_parse(text, &policy, &e) == 0) {
		if (policy.max_age_s > STS_MAX_AGE_S || (policy.n == 0 && policy.mode != STS_NONE))
			abort();
		sts_policy_has(&policy, "mx.example.com");
		for (size_t i = 0; i < policy.n; i++) {
			struct buf host = BUF_INIT;

			buf_add(&host, policy.mx[i].p, policy.mx[i].n);
			if (policy.mx[i].n == 0 || (host.s[0] != '*' && !sts_policy_has(&policy, host.s)))
				abort();
			if (host.s[0] == '*') {
				host.s[0] = 'x';
				if (!sts_policy_has(&policy, host.s))
					abort();
			}
			buf_free(&host);
		}
	}
	sts_policy_free(&policy);
	remembered(text);
	err_free(&e);
	return 0;
}
