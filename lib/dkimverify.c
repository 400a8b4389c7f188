#include "dkimverify.h"

#include "crypt.h"
#include "dkim.h"
#include "dkimkey.h"

#include <stdlib.h>
#include <string.h>

#define B_SHOWN 8       /* RFC 6008 3: at least */
#define B_COMPARED 1400 /* bytes: no signature of RSA-8192 has as many in base64 */

/* A hash of the body that one or more signatures want. */
struct bodyhash {
	struct bodyhash *next;
	enum dkim_canon canon;
	uint64_t limit;
	struct dkim_body body;
	struct crypt_hash hash;
	unsigned char digest[CRYPT_DIGEST_MAX];
};

struct signature {
	struct dkim_checked c;
	struct span field; /* whole, lent by the header */
	struct bodyhash *body;
	bool done;         /* decided before the key is asked for */
};

struct dkimverify {
	struct dkimverify_rules rules;
	struct dkim_split split;
	struct dkimhead head;
	bool started; /* the header is complete, and the fields below are valid */
	struct signature *v;
	size_t n, beyond;
	struct bodyhash *bodies;
};

const char *
dkim_result_name(enum dkim_result r)
{
	static const char *const names[] = {"none", "pass", "fail", "policy", "neutral", "temperror",
	    "permerror"};

	return names[r];
}

void
dkimverify_new(struct dkimverify **v, const struct dkimverify_rules *rules)
{
	*v = mem_alloc(sizeof **v);
	(*v)->rules = *rules;
	(*v)->split = (struct dkim_split)DKIM_SPLIT_INIT;
	if ((*v)->rules.max_signatures == 0)
		(*v)->rules.max_signatures = DKIMVERIFY_SIGNATURES;
}

void
dkimverify_free(struct dkimverify *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->n; i++) {
		dkimsig_free(&v->v[i].c.sig);
		buf_free(&v->v[i].c.why);
	}
	free(v->v);
	for (struct bodyhash *b = v->bodies, *next; b; b = next) {
		next = b->next;
		crypt_hash_drop(&b->hash);
		free(b);
	}
	if (v->started)
		dkimhead_free(&v->head);
	buf_free(&v->split.header);
	free(v);
}

/* --- the header is there: which signatures, and what of the body they want */

static void
settle(struct signature *s, enum dkim_result result)
{
	s->done = true;
	s->c.result = result;
	buf_cut(&s->c.why, 0);
}

static void __attribute__((format(printf, 3, 4)))
decide(struct signature *s, enum dkim_result result, const char *fmt, ...)
{
	va_list ap;

	settle(s, result);
	va_start(ap, fmt);
	buf_vfmt(&s->c.why, fmt, ap);
	va_end(ap);
}

static void
body_sink(void *arg, const void *p, size_t n)
{
	crypt_hash_add(arg, p, n);
}

/* One for each (canonicalization, l=), shared. */
static int
want_body(struct dkimverify *v, struct signature *s, struct err *e)
{
	struct bodyhash *b;

	for (b = v->bodies; b; b = b->next)
		if (b->canon == s->c.sig.body_canon && b->limit == s->c.sig.limit) {
			s->body = b;
			return 0;
		}
	b = mem_grow(NULL, 1, sizeof *b); /* not zeroed: most of it is room for bytes */
	b->next = v->bodies;
	v->bodies = b;
	b->canon = s->c.sig.body_canon;
	b->limit = s->c.sig.limit;
	b->hash = (struct crypt_hash){0};
	dkim_body_begin(&b->body, b->canon, b->limit, body_sink, &b->hash);
	s->body = b;
	return crypt_hash_begin(&b->hash, CRYPT_SHA256, e);
}

/* x= and t= are for the verifier's policy (RFC 6376 3.5: MAY). */
static void
check_times(const struct dkimverify *v, struct signature *s)
{
	const struct dkimsig *g = &s->c.sig;
	uint64_t now = v->rules.now_s;

	if (g->has_expiry && g->expiry_s < now)
		decide(s, DKIM_POLICY, "signature expired %llu s ago",
		    (unsigned long long)(now - g->expiry_s));
	else if (g->has_time && g->time_s > now && g->time_s - now > DKIMVERIFY_SKEW_S)
		decide(s, DKIM_POLICY, "signature is from the future, by %llu s",
		    (unsigned long long)(g->time_s - now));
}

static int
add_signature(struct dkimverify *v, const struct msg_field *f, struct err *e)
{
	struct err why = ERR_INIT;
	struct signature *s;
	enum dkimsig_says says;

	if (v->n == v->rules.max_signatures) {
		v->beyond++;
		return 0;
	}
	v->v = mem_grow(v->v, v->n + 1, sizeof *v->v);
	s = &v->v[v->n++];
	*s = (struct signature){.c = {.why = BUF_INIT}, .field = f->whole};
	says = dkimsig_parse(f->value, &s->c.sig, &why);
	if (dkimhead_last(&v->head, SPAN("From")) == DKIMHEAD_NONE) /* RFC 6376 3.8: not a message to verify */
		decide(s, DKIM_PERMERROR, "the message has no From field");
	else if (v->head.bad != SIZE_MAX) /* what stands behind it is no field for us, and may be one for a reader */
		decide(s, DKIM_PERMERROR, "a line of the header is no field");
	else if (says != DKIMSIG_GOOD)
		decide(s, says == DKIMSIG_SYNTAX ? DKIM_NEUTRAL : DKIM_PERMERROR, "%s", err_text(&why));
	else
		check_times(v, s);
	err_free(&why);
	return s->done ? 0 : want_body(v, s, e);
}

/* How many bytes two of them have in common at the beginning, of those that are looked at. */
static size_t
alike(const struct buf *a, const struct buf *b)
{
	size_t n = 0;

	while (n < B_COMPARED && n < a->len && n < b->len && a->s[n] == b->s[n])
		n++;
	return n;
}

/* RFC 6008 3: enough of b= to tell the signatures of one message apart. */
static void
show_b(struct dkimverify *v)
{
	for (size_t i = 0; i < v->n; i++) {
		const struct buf *mine = &v->v[i].c.sig.b_text;
		size_t n = B_SHOWN;

		for (size_t k = 0; k < v->n; k++) {
			size_t same = k == i ? 0 : alike(mine, &v->v[k].c.sig.b_text);

			n = n > same ? n : same + 1;
		}
		v->v[i].c.b_shown = n < mine->len ? n : mine->len;
	}
}

static int
start(struct dkimverify *v, struct err *e)
{
	struct span header = {v->split.header.s, v->split.header.len};
	struct cur c = cur_span(header);
	struct span line;
	int rc = 0;

	if (cur_lit(&c, "From ") && memcmp(header.p, "From ", 5) == 0 && cur_line(&c, &line))
		header = cur_rest(&c);
	dkimhead_open(&v->head, header);
	v->started = true;
	for (size_t i = 0; !rc && i < v->head.n; i++)
		if (span_ieq(v->head.fields[i].name, SPAN("DKIM-Signature")))
			rc = add_signature(v, &v->head.fields[i], e);
	show_b(v);
	return rc;
}

int
dkimverify_add(struct dkimverify *v, const void *p, size_t n, struct err *e)
{
	struct span rest;

	if (dkim_split_add(&v->split, p, n, &rest, e))
		return e->code;
	if (!v->split.body)
		return 0;
	if (!v->started && start(v, e))
		return e->code;
	for (struct bodyhash *b = v->bodies; rest.n > 0 && b; b = b->next)
		dkim_body_add(&b->body, rest.p, rest.n);
	return 0;
}

/* --- the message is complete: key and signature */

static int
signature_good(const struct dkimverify *v, const struct signature *s, const struct crypt_pub *pub,
    bool *good, struct err *e)
{
	struct buf form = BUF_INIT;
	unsigned char digest[CRYPT_DIGEST_MAX];
	int rc;

	dkimhead_form(&v->head, s->c.sig.header_canon, s->c.sig.h, s->field, &form);
	rc = crypt_hash(CRYPT_SHA256, (struct span){form.s, form.len}, digest, e);
	*good = !rc && crypt_verify(pub, CRYPT_SHA256, digest, (struct span){s->c.sig.b.s, s->c.sig.b.len});
	buf_free(&form);
	return rc;
}

/* What the record says of the key before it is used, RFC 6376 3.6.1 and 6.1.2. */
static bool
key_fits(struct signature *s, const struct dkimkey *k)
{
	struct span i = {s->c.sig.i.s, s->c.sig.i.len};
	const char *at = memrchr(i.p, '@', i.n);
	struct span host = {at + 1, (size_t)(i.p + i.n - at - 1)};

	if (k->p.len == 0)
		decide(s, DKIM_PERMERROR, "key revoked");
	else if (!k->known || k->kind != s->c.sig.kind)
		decide(s, DKIM_PERMERROR, "inappropriate key algorithm");
	else if (!k->sha256)
		decide(s, DKIM_PERMERROR, "inappropriate hash algorithm");
	else if (!k->email)
		decide(s, DKIM_PERMERROR, "key is not for email");
	else if (k->strict && !span_ieq(host, (struct span){s->c.sig.d.s, s->c.sig.d.len}))
		decide(s, DKIM_PERMERROR, "domain mismatch: the key allows no subdomain in i=");
	else
		return true;
	return false;
}

/* What is good, and what should be known of it all the same. */
static void
passed(struct signature *s)
{
	struct dkim_checked *c = &s->c;

	settle(s, DKIM_PASS);
	buf_num(&c->why, c->bits);
	buf_str(&c->why, "-bit key");
	if (c->sig.kind == CRYPT_RSA && c->bits < CRYPT_RSA_WEAK_BELOW)
		buf_fmt(&c->why, ", under the %d that RFC 8301 asks for", CRYPT_RSA_WEAK_BELOW);
	if (c->unsigned_bytes)
		buf_fmt(&c->why, ", %llu bytes of the body are not signed",
		    (unsigned long long)c->unsigned_bytes);
	if (c->testing)
		buf_str(&c->why, ", the domain is testing DKIM");
}

/* RFC 6376 3.6.1, t=y: no worse than a message without a signature. */
static void
failed(struct signature *s, const char *what)
{
	if (s->c.testing)
		decide(s, DKIM_NEUTRAL, "%s, the domain is testing DKIM", what);
	else
		decide(s, DKIM_FAIL, "%s", what);
}

static void
with_key(const struct dkimverify *v, struct signature *s, const struct crypt_pub *pub)
{
	uint64_t len = s->body->body.len;
	struct err e = ERR_INIT;
	bool good;

	s->c.bits = crypt_pub_bits(pub);
	s->c.unsigned_bytes = len > s->c.sig.limit ? len - s->c.sig.limit : 0;
	if (s->c.sig.kind == CRYPT_RSA && s->c.bits < CRYPT_RSA_MIN)
		decide(s, DKIM_POLICY, "key of %u bits, RFC 8301 wants %d", s->c.bits,
		    CRYPT_RSA_MIN);
	else if (s->c.sig.limit != DKIM_NO_LIMIT && s->c.sig.limit > len)
		failed(s, "l= is over the length of the body");
	else if (memcmp(s->body->digest, s->c.sig.bh.s, CRYPT_SHA256_BYTES) != 0)
		failed(s, "body hash did not verify");
	else if (signature_good(v, s, pub, &good, &e))
		decide(s, DKIM_TEMPERROR, "%s", err_text(&e));
	else if (!good)
		failed(s, "signature did not verify");
	else
		passed(s);
	err_free(&e);
}

/* One record of the key's name. */
static void
try_record(const struct dkimverify *v, struct signature *s, struct span record)
{
	struct dkimkey k;
	struct crypt_pub *pub = NULL;
	struct err e = ERR_INIT;

	s->c.testing = false;
	if (dkimkey_parse(record, &k, &e)) {
		decide(s, DKIM_PERMERROR, "invalid key record: %s", err_text(&e));
	} else {
		s->c.testing = k.testing;
		if (key_fits(s, &k)) {
			if (crypt_pub_load(&pub, k.kind, (struct span){k.p.s, k.p.len}, &e))
				decide(s, DKIM_PERMERROR, "invalid public key: %s", err_text(&e));
			else
				with_key(v, s, pub);
		}
	}
	crypt_pub_free(pub);
	dkimkey_free(&k);
	err_free(&e);
}

static void
ask_key(const struct dkimverify *v, struct signature *s, const struct asker *dns)
{
	struct answers a = ANSWERS_INIT;
	struct buf name = BUF_INIT, say = BUF_INIT;
	size_t tried = 0;

	buf_add(&name, s->c.sig.s.s, s->c.sig.s.len);
	buf_str(&name, "._domainkey.");
	buf_add(&name, s->c.sig.d.s, s->c.sig.d.len);
	answers_ask(dns, (struct span){name.s, name.len}, ANSWERS_TXT, &a);
	if (answers_temporary(&a)) {
		answers_say(&a, ANSWERS_TXT, &say);
		decide(s, DKIM_TEMPERROR, "key unavailable: %s", say.s);
	} else if (a.says != ANSWERS_SOME) {
		decide(s, DKIM_PERMERROR, "no key for signature");
	}
	/* RFC 6376 6.1.2 lets us try each of several; text that is no key record is none of them,
	 * unless it is all there is. */
	for (size_t i = 0; i < a.n && tried < DKIMVERIFY_KEYS_MAX && s->c.result != DKIM_PASS; i++) {
		struct span record = {a.v[i].text.s, a.v[i].text.len};

		if (a.n > 1 && !dkimkey_is(record))
			continue;
		try_record(v, s, record);
		tried++;
	}
	if (a.n > 0 && tried == 0)
		decide(s, DKIM_PERMERROR, "no key for signature");
	answers_free(&a);
	buf_free(&name);
	buf_free(&say);
}

int
dkimverify_end(struct dkimverify *v, const struct asker *dns, struct err *e)
{
	if (!v->started && start(v, e))
		return e->code;
	for (struct bodyhash *b = v->bodies; b; b = b->next) {
		dkim_body_end(&b->body);
		if (crypt_hash_end(&b->hash, b->digest, e))
			return e->code;
	}
	for (size_t i = 0; i < v->n; i++)
		if (!v->v[i].done)
			ask_key(v, &v->v[i], dns);
	return 0;
}

size_t
dkimverify_count(const struct dkimverify *v)
{
	return v->n;
}

const struct dkim_checked *
dkimverify_at(const struct dkimverify *v, size_t i)
{
	return &v->v[i].c;
}

size_t
dkimverify_beyond(const struct dkimverify *v)
{
	return v->beyond;
}

const struct dkimhead *
dkimverify_head(const struct dkimverify *v)
{
	return &v->head;
}

enum dkim_result
dkimverify_best(const struct dkimverify *v)
{
	enum dkim_result best = v->n ? v->v[0].c.result : v->beyond ? DKIM_POLICY : DKIM_NONE;

	for (size_t i = 0; i < v->n; i++) {
		if (v->v[i].c.result == DKIM_PASS)
			return DKIM_PASS;
		if (v->v[i].c.result == DKIM_TEMPERROR)
			best = DKIM_TEMPERROR;
	}
	return best;
}
