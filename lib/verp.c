#include "verp.h"

#include "hmac.h"

#include <string.h>

#define LOCAL_MAX 64 /* RFC 5321 4.5.3.1.1 */
#define DAY_S 86400
#define DAY_CHARS 4
#define PROOF_CHARS 12
#define TAG_CHARS (DAY_CHARS + PROOF_CHARS)
#define BITS 5

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

struct parts { /* lent by the address */
	struct span local, day, proof, user, domain, origin;
	bool named;
};

static bool
is_atom(int c) /* atext and ".", RFC 5322 3.2.3; what no quotes are needed for */
{
	return is_alnum(c) || (c > 0 && c < 128 && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

static bool
is_host(int c)
{
	return is_alnum(c) || c == '-' || c == '.';
}

static bool
all(struct span s, bool (*is)(int))
{
	struct cur c = cur_span(s);

	return s.n > 0 && cur_while(&c, is).n == s.n;
}

/* At the last "@": both halves are plain, so there is no other. */
static bool
split(struct span address, char at, struct span *before, struct span *behind)
{
	const char *p = memrchr(address.p, at, address.n);

	if (!p)
		return false;
	*before = (struct span){address.p, (size_t)(p - address.p)};
	*behind = (struct span){p + 1, address.n - before->n - 1};
	return all(*before, is_atom) && all(*behind, is_host);
}

static void
put_number(struct buf *out, uint64_t v, unsigned chars)
{
	for (; chars > 0; chars--)
		buf_ch(out, alphabet[v >> BITS * (chars - 1) & 31]);
}

static bool
get_number(struct span text, uint64_t *v)
{
	*v = 0;
	for (size_t i = 0; i < text.n; i++) {
		const char *p = text.p[i] ? strchr(alphabet, ascii_lower((unsigned char)text.p[i])) : NULL;

		if (!p)
			return false;
		*v = *v << BITS | (uint64_t)(p - alphabet);
	}
	return true;
}

static void
put_lower(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_ch(out, (char)ascii_lower((unsigned char)s.p[i]));
}

/* PROOF_CHARS of the alphabet. */
static void
put_proof(const unsigned char *key, struct span day, struct span local, struct span origin,
    struct span rcpt, struct buf *out)
{
	struct buf from = BUF_INIT, to = BUF_INIT;
	unsigned char digest[HMAC_SHA256_BYTES];
	uint64_t v = 0;

	buf_str(&from, "return path ");
	put_lower(&from, day);
	buf_ch(&from, ' ');
	put_lower(&from, local);
	buf_ch(&from, '@');
	put_lower(&from, origin);
	put_lower(&to, rcpt);
	hmac_sha256_of((struct span){(const char *)key, VERP_KEY_BYTES}, (struct span){from.s, from.len},
	    (struct span){to.s, to.len}, digest);
	for (size_t i = 0; i < sizeof v; i++)
		v = v << 8 | digest[i];
	put_number(out, v >> (64 - BITS * PROOF_CHARS), PROOF_CHARS);
	buf_free(&from);
	buf_free(&to);
}

bool
verp_make(const unsigned char key[VERP_KEY_BYTES], struct span sender, struct span rcpt, uint64_t now_s,
    struct buf *out)
{
	struct span local, origin, user, domain;
	struct buf tag = BUF_INIT;
	bool named = split(rcpt, '@', &user, &domain), fits;

	fits = split(sender, '@', &local, &origin) && local.n + 2 + TAG_CHARS <= LOCAL_MAX;
	if (!fits)
		return false;
	named = named && local.n + 2 + TAG_CHARS + 1 + rcpt.n <= LOCAL_MAX;
	put_number(&tag, now_s / DAY_S, DAY_CHARS);
	put_proof(key, (struct span){tag.s, DAY_CHARS}, local, origin, rcpt, &tag);
	buf_fmt(out, "%.*s+%c%s", SPAN_ARG(local), named ? 'b' : 'c', tag.s);
	if (named)
		buf_fmt(out, "-%.*s=%.*s", SPAN_ARG(user), SPAN_ARG(domain));
	buf_fmt(out, "@%.*s", SPAN_ARG(origin));
	buf_free(&tag);
	return true;
}

/* The tag that begins at a "+": false where there is none. */
static bool
tag_at(struct span local, size_t plus, struct parts *out)
{
	struct span rest = {local.p + plus + 1, local.n - plus - 1};
	uint64_t v;
	int kind;

	if (rest.n < 1 + TAG_CHARS)
		return false;
	kind = ascii_lower((unsigned char)*rest.p);
	out->local = (struct span){local.p, plus};
	out->day = (struct span){rest.p + 1, DAY_CHARS};
	out->proof = (struct span){rest.p + 1 + DAY_CHARS, PROOF_CHARS};
	if (plus == 0 || !get_number(out->day, &v) || !get_number(out->proof, &v))
		return false;
	rest.p += 1 + TAG_CHARS;
	rest.n -= 1 + TAG_CHARS;
	out->named = kind == 'b';
	if (!out->named)
		return kind == 'c' && rest.n == 0;
	return rest.n > 0 && *rest.p == '-' &&
	    split((struct span){rest.p + 1, rest.n - 1}, '=', &out->user, &out->domain);
}

/* The next place behind *at that looks like a tag: a sender's or a recipient's own name may look so
 * too, hence there may be several, of which a proof tells the right one. */
static bool
next_tag(struct span address, size_t *at, struct parts *out)
{
	struct span local;

	if (!split(address, '@', &local, &out->origin))
		return false;
	while (*at < local.n) {
		size_t i = (*at)++;

		if (local.p[i] == '+' && tag_at(local, i, out))
			return true;
	}
	return false;
}

static bool
proves(const unsigned char *key, const struct parts *p, struct span rcpt)
{
	struct buf proof = BUF_INIT, said = BUF_INIT;
	bool good;

	put_proof(key, p->day, p->local, p->origin, rcpt, &proof);
	put_lower(&said, p->proof);
	good = hmac_equal(proof.s, said.s, PROOF_CHARS);
	buf_free(&proof);
	buf_free(&said);
	return good;
}

bool
verp_proves(const unsigned char key[VERP_KEY_BYTES], struct span address, struct span rcpt)
{
	struct parts p;
	size_t at = 0;
	bool good = false;

	while (!good && next_tag(address, &at, &p))
		good = proves(key, &p, rcpt);
	return good;
}

static bool
is_over(const struct parts *p, uint64_t now_s)
{
	uint64_t day, today = now_s / DAY_S;

	get_number(p->day, &day);
	return day > today + 1 || day + VERP_DAYS < today;
}

enum verp_is
verp_read(const unsigned char key[VERP_KEY_BYTES], struct span address, uint64_t now_s,
    struct buf *rcpt)
{
	enum verp_is is = VERP_NONE;
	size_t start = rcpt->len, at = 0;
	struct parts p;
	bool good;

	while (next_tag(address, &at, &p)) {
		if (!p.named) {
			is = is_over(&p, now_s) ? VERP_OVER : VERP_SHORT;
			continue;
		}
		buf_fmt(rcpt, "%.*s@%.*s", SPAN_ARG(p.user), SPAN_ARG(p.domain));
		good = proves(key, &p, (struct span){rcpt->s + start, rcpt->len - start});
		if (good && !is_over(&p, now_s))
			return VERP_GOOD;
		if (is == VERP_NONE)
			is = good ? VERP_OVER : VERP_FORGED;
		buf_cut(rcpt, start);
	}
	return is;
}
