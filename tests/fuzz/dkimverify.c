/* A whole message over any bytes, in pieces of two sizes: the same results, and no pass, for no key
 * is there but one that signed nothing. */
#include "fuzz.h"

#include "dkimsign.h"
#include "dkimverify.h"

#include <stdlib.h>
#include <string.h>

static void
say(void *arg, const char *name, enum answers_type type, struct answers *out)
{
	(void)arg;
	if (type != ANSWERS_TXT || !strstr(name, "._domainkey."))
		abort();
	buf_str(&answers_add(out)->text, "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
}

static enum dkim_result
verify(const uint8_t *p, size_t n, size_t piece, size_t *count)
{
	struct dkimverify_rules rules = {4, 1600000000};
	struct asker dns = {say, NULL};
	struct dkimverify *v;
	struct buf domain = BUF_INIT;
	struct err e = ERR_INIT;
	enum dkim_result best;

	dkimverify_new(&v, &rules);
	for (size_t i = 0; i < n; i += piece)
		if (dkimverify_add(v, p + i, piece < n - i ? piece : n - i, &e))
			abort();
	if (dkimverify_end(v, &dns, &e))
		abort();
	best = dkimverify_best(v);
	*count = dkimverify_count(v) + dkimverify_beyond(v);
	if (best == DKIM_PASS || dkimverify_count(v) > 4)
		abort();
	dkimsign_from(dkimverify_head(v), &domain, &e);
	dkimverify_free(v);
	buf_free(&domain);
	err_free(&e);
	return best;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	size_t a, b;

	if (verify(p, n, 1, &a) != verify(p, n, n + 1, &b) || a != b)
		abort();
	return 0;
}
