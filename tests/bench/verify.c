/* verify - DKIM verification a second, one thread, nothing asked of the DNS:
 *
 *     verify raw MESSAGE KEYS SECONDS    the first signature's public-key operation alone, key loaded
 *     verify ours MESSAGE KEYS SECONDS   the message as dkim-verify verifies it, key record and all
 *
 * MESSAGE is signed, KEYS as zonetext.h has them.  Prints operations a second. */
#include "answers.h"
#include "crypt.h"
#include "dkimkey.h"
#include "dkimverify.h"
#include "io.h"
#include "prog.h"
#include "zonetext.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (64 << 20)
#define SECOND_MS 1000

struct bench {
	struct buf message, keys;
	struct zonetext *zone;
	struct asker dns;
};

static void
answer(void *arg, const char *name, enum answers_type type, struct answers *out)
{
	zonetext_find(arg, name, type, out);
}

static void
or_die(int rc, struct err *e)
{
	if (rc)
		prog_die(e);
}

static struct dkimverify *
verify(const struct bench *b, struct err *e)
{
	struct dkimverify_rules rules = {.now_s = io_time_us() / 1000000};
	struct dkimverify *v;

	dkimverify_new(&v, &rules);
	or_die(dkimverify_add(v, b->message.s, b->message.len, e), e);
	or_die(dkimverify_end(v, &b->dns, e), e);
	if (dkimverify_best(v) != DKIM_PASS)
		or_die(err_set(e, EX_DATAERR, "the message does not verify"), e);
	return v;
}

/* A digest that the signature is not of costs the same arithmetic, twice: crypt_verify() asks again. */
static void
raw(const struct bench *b, int64_t until, uint64_t *n, struct err *e)
{
	struct dkimverify *v = verify(b, e);
	const struct dkimsig *s = &dkimverify_at(v, 0)->sig;
	struct answers a = ANSWERS_INIT;
	struct buf name = BUF_INIT;
	struct dkimkey k;
	struct crypt_pub *pub;

	buf_fmt(&name, "%s._domainkey.%s", s->s.s, s->d.s);
	answers_ask(&b->dns, (struct span){name.s, name.len}, ANSWERS_TXT, &a);
	or_die(dkimkey_parse((struct span){a.v[0].text.s, a.v[0].text.len}, &k, e), e);
	or_die(crypt_pub_load(&pub, k.kind, (struct span){k.p.s, k.p.len}, e), e);
	for (*n = 0; io_now_ms() < until; *n += 2)
		crypt_verify(pub, CRYPT_SHA256, (const unsigned char *)s->bh.s, (struct span){s->b.s, s->b.len});
	crypt_pub_free(pub);
	dkimkey_free(&k);
	answers_free(&a);
	buf_free(&name);
	dkimverify_free(v);
}

int
main(int argc, char *argv[])
{
	struct bench b = {.message = BUF_INIT, .keys = BUF_INIT};
	struct err e = ERR_INIT;
	struct cur c;
	uint64_t seconds, n = 0;
	int64_t until;

	prog_start("verify");
	if (argc != 5)
		prog_usage("usage: verify raw|ours MESSAGE KEYS SECONDS");
	c = cur_span(span_of(argv[4]));
	if (!cur_u64(&c, 3600, &seconds) || seconds == 0)
		prog_usage("usage: verify raw|ours MESSAGE KEYS SECONDS");
	or_die(io_slurp_at(AT_FDCWD, argv[2], FILE_MAX, &b.message, &e), &e);
	or_die(io_slurp_at(AT_FDCWD, argv[3], FILE_MAX, &b.keys, &e), &e);
	or_die(zonetext_parse(&b.zone, (struct span){b.keys.s, b.keys.len}, argv[3], &e), &e);
	b.dns = (struct asker){answer, b.zone};
	until = io_now_ms() + (int64_t)seconds * SECOND_MS;
	if (strcmp(argv[1], "raw") == 0)
		raw(&b, until, &n, &e);
	else
		for (; io_now_ms() < until; n++)
			dkimverify_free(verify(&b, &e));
	out_fmt("%llu\n", (unsigned long long)(n / seconds));
	zonetext_free(b.zone);
	buf_free(&b.message);
	buf_free(&b.keys);
	err_free(&e);
	return out_close();
}
