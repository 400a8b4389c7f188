#include "dkimkey.h"

#include "b64.h"
#include "dkim.h"

/* Whether a colon-separated list has that word; white space around the words is none of them. */
static bool
listed(struct span list, const char *word)
{
	struct cur c = cur_span(list);

	do {
		if (span_ieq(span_trim(cur_until(&c, ':')), span_of(word)))
			return true;
	} while (cur_ch(&c, ':'));
	return false;
}

static bool
allowed(const struct dkim_tags *t, const char *tag, const char *word)
{
	const struct span *list = dkim_tag(t, tag);

	return !list || listed(*list, word);
}

bool
dkimkey_is(struct span record)
{
	struct dkim_tags t;
	struct err e = ERR_INIT;
	bool good = dkim_tags(record, &t, &e) == 0 && (dkim_tag(&t, "p") || dkim_tag(&t, "k"));

	err_free(&e);
	return good;
}

static void
restrictions(const struct dkim_tags *t, struct dkimkey *out)
{
	const struct span *kind = dkim_tag(t, "k"), *flags = dkim_tag(t, "t");

	out->known = true;
	if (!kind || span_eq(*kind, SPAN("rsa")))
		out->kind = CRYPT_RSA;
	else if (span_eq(*kind, SPAN("ed25519")))
		out->kind = CRYPT_ED25519;
	else
		out->known = false;
	out->sha1 = allowed(t, "h", "sha1");
	out->sha256 = allowed(t, "h", "sha256");
	out->email = allowed(t, "s", "*") || allowed(t, "s", "email");
	out->testing = flags && listed(*flags, "y");
	out->strict = flags && listed(*flags, "s");
}

int
dkimkey_parse(struct span record, struct dkimkey *out, struct err *e)
{
	struct dkim_tags t;
	const struct span *v, *p;

	*out = (struct dkimkey){.p = BUF_INIT};
	if (dkim_tags(record, &t, e))
		return e->code;
	v = dkim_tag(&t, "v");
	if (v && (v != &t.v[0].value || !span_eq(*v, SPAN("DKIM1"))))
		return err_set(e, EX_DATAERR, "v= is not DKIM1, or not at the beginning");
	p = dkim_tag(&t, "p");
	if (!p)
		return err_set(e, EX_DATAERR, "no p=");
	restrictions(&t, out);
	if (!b64_decode(*p, &out->p))
		return err_set(e, EX_DATAERR, "p= is no base64");
	return 0;
}

void
dkimkey_free(struct dkimkey *k)
{
	buf_free(&k->p);
	*k = (struct dkimkey){.p = BUF_INIT};
}
