#include "dkimsig.h"

#include "b64.h"
#include "idn.h"

#include <string.h>

#define VERSION "1"
#define IDENTITY_MAX 998 /* bytes of i=: what a line may hold */

static enum dkimsig_says __attribute__((format(printf, 2, 3)))
syntax(struct err *why, const char *fmt, ...)
{
	va_list ap;
	struct buf b = BUF_INIT;

	va_start(ap, fmt);
	buf_vfmt(&b, fmt, ap);
	va_end(ap);
	err_set(why, EX_DATAERR, "%s", b.s);
	buf_free(&b);
	return DKIMSIG_SYNTAX;
}

static enum dkimsig_says
refused(struct err *why, const char *what)
{
	err_set(why, EX_DATAERR, "%s", what);
	return DKIMSIG_REFUSED;
}

/* domain is parent or ends in "." parent; without case. */
static bool
is_below(struct span domain, struct span parent)
{
	return span_ieq(domain, parent) || (domain.n > parent.n && span_ends(domain, parent) &&
	    domain.p[domain.n - parent.n - 1] == '.');
}

bool
dkimsig_covers(const struct dkimsig *s, struct span name)
{
	struct cur c = cur_span(s->h);

	do {
		if (span_ieq(span_trim(cur_until(&c, ':')), name))
			return true;
	} while (cur_ch(&c, ':'));
	return false;
}

static bool
is_name_byte(int c)
{
	return is_alnum(c) || c == '-' || c == '_' || c == '.';
}

static bool
is_name(struct span s)
{
	struct cur c = cur_span(s);

	cur_while(&c, is_name_byte);
	return cur_end(&c);
}

/* Letters, digits, "-" and "_" between dots, as A-labels (RFC 8616 3). */
static bool
domain(struct span text, struct buf *out)
{
	struct buf plain = BUF_INIT;
	struct err e = ERR_INIT;
	bool good;

	if (!is_name(text)) {
		dkim_unfold(text, &plain);
		text = (struct span){plain.s, plain.len};
	}
	good = idn_to_ascii(text, out, &e) == 0 && out->s[out->len - 1] != '.' &&
	    is_name((struct span){out->s, out->len});
	if (!good)
		buf_cut(out, 0);
	buf_free(&plain);
	err_free(&e);
	return good;
}

/* sig-a-tag-alg; unknown ones are to be ignored, 3.5 */
static enum dkimsig_says
algorithm(struct dkimsig *s, struct err *why)
{
	if (span_ieq(s->a, SPAN("rsa-sha256")))
		s->kind = CRYPT_RSA;
	else if (span_ieq(s->a, SPAN("ed25519-sha256")))
		s->kind = CRYPT_ED25519;
	else if (span_ieq(s->a, SPAN("rsa-sha1")))
		return refused(why, "rsa-sha1 is no signature, says RFC 8301");
	else
		return syntax(why, "unsupported algorithm");
	return DKIMSIG_GOOD;
}

/* "relaxed" [ "/" "simple" ]    3.5: the body is simple where nothing is said */
static bool
canonicalization(struct span c, struct dkimsig *s)
{
	struct cur t = cur_span(c);
	struct span header = span_trim(cur_until(&t, '/')), body = SPAN("simple");

	if (cur_ch(&t, '/'))
		body = span_trim(cur_rest(&t));
	if (!span_ieq(header, SPAN("simple")) && !span_ieq(header, SPAN("relaxed")))
		return false;
	if (!span_ieq(body, SPAN("simple")) && !span_ieq(body, SPAN("relaxed")))
		return false;
	s->header_canon = header.n == 7 ? DKIM_RELAXED : DKIM_SIMPLE;
	s->body_canon = body.n == 7 ? DKIM_RELAXED : DKIM_SIMPLE;
	return true;
}

static bool
number(const struct span *v, uint64_t *out)
{
	struct cur c = cur_span(*v);

	return cur_u64(&c, UINT64_MAX - 1, out) && cur_end(&c);
}

/* 3.5: q= is a list of methods; those that are not known are passed over. */
static bool
knows_query(struct span q)
{
	struct cur c = cur_span(q);

	do {
		if (span_ieq(span_trim(cur_until(&c, ':')), SPAN("dns/txt")))
			return true;
	} while (cur_ch(&c, ':'));
	return false;
}

static enum dkimsig_says
options(const struct dkim_tags *t, struct dkimsig *s, struct err *why)
{
	const struct span *c = dkim_tag(t, "c"), *l = dkim_tag(t, "l"), *q = dkim_tag(t, "q");
	const struct span *time = dkim_tag(t, "t"), *expiry = dkim_tag(t, "x");

	s->limit = DKIM_NO_LIMIT;
	if (c && !canonicalization(*c, s))
		return syntax(why, "unsupported canonicalization");
	if (l && !number(l, &s->limit))
		return syntax(why, "l= is no number");
	if (q && !knows_query(*q))
		return syntax(why, "unknown query method");
	s->has_time = time != NULL;
	s->has_expiry = expiry != NULL;
	if (time && !number(time, &s->time_s))
		return syntax(why, "t= is no number");
	if (expiry && !number(expiry, &s->expiry_s))
		return syntax(why, "x= is no number");
	if (time && expiry && s->expiry_s <= s->time_s)
		return syntax(why, "x= is not behind t=");
	return DKIMSIG_GOOD;
}

/* i= is [ local-part ] "@" domain, which is d= or below it. */
static enum dkimsig_says
identity(const struct dkim_tags *t, struct dkimsig *s, struct err *why)
{
	const struct span *i = dkim_tag(t, "i");
	struct buf host = BUF_INIT;
	const char *at;
	bool good;

	if (!i) {
		buf_ch(&s->i, '@');
		buf_add(&s->i, s->d.s, s->d.len);
		return DKIMSIG_GOOD;
	}
	dkim_unfold(*i, &s->i);
	at = s->i.len <= IDENTITY_MAX ? memrchr(s->i.s, '@', s->i.len) : NULL;
	if (!at)
		return syntax(why, "i= is no address");
	good = domain((struct span){at + 1, (size_t)(s->i.s + s->i.len - at - 1)}, &host) &&
	    is_below((struct span){host.s, host.len}, (struct span){s->d.s, s->d.len});
	buf_free(&host);
	return good ? DKIMSIG_GOOD : refused(why, "domain mismatch: i= is not below d=");
}

enum { V, A, B, BH, D, H, S, REQUIRED };
static const char *const names[REQUIRED] = {"v", "a", "b", "bh", "d", "h", "s"};

static enum dkimsig_says
required(const struct span *const tags[REQUIRED], struct dkimsig *s, struct err *why)
{
	for (int i = 0; i < REQUIRED; i++)
		if (!tags[i])
			return syntax(why, "signature missing required tag %s=", names[i]);
	if (!span_eq(*tags[V], SPAN(VERSION)))
		return syntax(why, "incompatible version");
	if (s->d.len == 0)
		return syntax(why, "d= is no domain");
	if (s->s.len == 0)
		return syntax(why, "s= is no selector");
	if (s->d.len + s->s.len + sizeof "._domainkey." - 1 > 253)
		return syntax(why, "s= and d= are too long for a name");
	if (s->b.len == 0)
		return syntax(why, "b= is no base64");
	if (s->h.n == 0)
		return syntax(why, "h= is empty");
	return DKIMSIG_GOOD;
}

static struct span
or_empty(const struct span *tag)
{
	return tag ? *tag : (struct span){"", 0};
}

enum dkimsig_says
dkimsig_parse(struct span value, struct dkimsig *out, struct err *why)
{
	struct dkim_tags t;
	const struct span *tags[REQUIRED];
	enum dkimsig_says says;

	*out = (struct dkimsig){.d = BUF_INIT, .s = BUF_INIT, .i = BUF_INIT, .bh = BUF_INIT, .b = BUF_INIT,
	    .b_text = BUF_INIT, .limit = DKIM_NO_LIMIT};
	if (dkim_tags(value, &t, why))
		return DKIMSIG_SYNTAX;
	for (int i = 0; i < REQUIRED; i++)
		tags[i] = dkim_tag(&t, names[i]);
	out->a = or_empty(tags[A]);
	out->h = or_empty(tags[H]);
	domain(or_empty(tags[D]), &out->d);
	domain(or_empty(tags[S]), &out->s);
	dkim_unfold(or_empty(tags[B]), &out->b_text);
	b64_decode((struct span){out->b_text.s, out->b_text.len}, &out->b);
	says = required(tags, out, why);
	if (says == DKIMSIG_GOOD)
		says = options(&t, out, why);
	if (says == DKIMSIG_GOOD)
		says = algorithm(out, why);
	if (says != DKIMSIG_GOOD)
		return says;
	if (!b64_decode(*tags[BH], &out->bh) || out->bh.len != CRYPT_SHA256_BYTES)
		return syntax(why, "bh= is no SHA-256 hash");
	if (!dkimsig_covers(out, SPAN("from")))
		return refused(why, "From field not signed");
	return identity(&t, out, why);
}

void
dkimsig_free(struct dkimsig *s)
{
	buf_free(&s->d);
	buf_free(&s->s);
	buf_free(&s->i);
	buf_free(&s->bh);
	buf_free(&s->b);
	buf_free(&s->b_text);
}
