#include "checkdns.h"

#include "dkimkey.h"
#include "dmarc.h"
#include "sts.h"
#include "tagtext.h"
#include "tlsrpt.h"

#include <stdlib.h>
#include <string.h>

struct look {
	const struct checkdns *c;
	const struct asker *dns;
	struct findings *l;
	struct spf spf;     /* where an address is given */
	bool spf_known;
};

static struct span
text_of(const struct buf *b)
{
	return (struct span){b->s, b->len};
}

/* "NAME: SERVFAIL" is no verdict. */
static void
unsure(struct look *k, enum finding_id id, const char *expected, const char *name,
    const struct answers *a, enum answers_type type)
{
	struct finding *f = finding_add(k->l, id, FINDING_UNSURE);

	buf_str(&f->expected, expected);
	buf_fmt(&f->found, "%s of %s: ", answers_type_name(type), name);
	answers_say(a, type, &f->found);
	buf_str(&f->fix, "look again later; if it stays, mend the name servers");
}

static struct finding *
violated(struct look *k, enum finding_id id, const char *expected, const char *fix)
{
	struct finding *f = finding_violated(k->l, id);

	buf_str(&f->expected, expected);
	buf_str(&f->fix, fix);
	return f;
}

/* --- SPF */

static void
spf_query(const struct look *k, struct spf_query *q)
{
	*q = (struct spf_query){.ip = k->c->ip, .sender = k->c->sender, .helo = k->c->helo};
}

static void
spf_passes(struct look *k)
{
	static const char expected[] = "SPF passes for the address";
	struct spf_query q;
	struct finding *f;

	if (!k->c->has_ip) {
		finding_unseen(k->l, CHECK_SPF, expected, "no address is given", "name it: --ip ADDRESS");
		return;
	}
	spf_query(k, &q);
	spf_check(&q, k->dns, &k->spf);
	k->spf_known = true;
	if (k->spf.result == SPF_PASS) {
		finding_pass(k->l, CHECK_SPF, expected, "%s", k->spf.why.s);
		return;
	}
	f = k->spf.result == SPF_TEMPERROR ? finding_add(k->l, CHECK_SPF, FINDING_UNSURE) :
	    finding_violated(k->l, CHECK_SPF);
	buf_str(&f->expected, expected);
	buf_fmt(&f->found, "%s: %s", spf_result_name(k->spf.result), k->spf.why.s);
	buf_fmt(&f->fix, "publish a TXT record for %s like \"v=spf1 %s:", k->spf.domain.s,
	    net_addr_v4(&k->c->ip) ? "ip4" : "ip6");
	net_addr_text(&k->c->ip, &f->fix);
	buf_str(&f->fix, " -all\", or add the address to the one that is there");
}

static const char spf_open[] = "SPF does not pass for any address whatever";

/* An address of nobody that passes: everybody does.  False where there is nothing more to ask. */
static bool
spf_refuses(struct look *k, const char *nobody, struct buf *found)
{
	struct spf_query q;
	struct spf s;
	bool good;

	spf_query(k, &q);
	net_addr_parse(&q.ip, span_of(nobody), 0);
	spf_check(&q, k->dns, &s);
	good = s.result != SPF_PASS && s.result != SPF_TEMPERROR;
	if (s.result == SPF_PASS) {
		struct finding *f = violated(k, CHECK_SPF_OPEN, spf_open,
		    "end the record with \"-all\" or \"~all\", and name your own networks only");

		buf_fmt(&f->found, "%s passes: %s", nobody, s.why.s);
	} else if (s.result == SPF_TEMPERROR) {
		struct finding *f = finding_add(k->l, CHECK_SPF_OPEN, FINDING_UNSURE);

		buf_str(&f->expected, spf_open);
		buf_add(&f->found, s.why.s, s.why.len);
	}
	buf_fmt(found, "%s%s for %s", found->len ? ", " : "", spf_result_name(s.result), nobody);
	spf_free(&s);
	return good;
}

/* RFC 5737 3, RFC 6666 */
static void
spf_closed(struct look *k)
{
	struct buf found = BUF_INIT;

	if (spf_refuses(k, "203.0.113.255", &found) && spf_refuses(k, "100::ffff", &found))
		finding_pass(k->l, CHECK_SPF_OPEN, spf_open, "%s", found.s);
	buf_free(&found);
}

static void
spf_costs(struct look *k, struct spf *tree)
{
	static const char expected[] = "at most 10 lookups, 2 of them void";
	struct spf_query q;
	struct finding *f;

	spf_query(k, &q);
	if (!k->c->has_ip && !net_addr_parse(&q.ip, SPAN("203.0.113.255"), 0))
		return;
	q.walk = true;
	spf_check(&q, k->dns, tree);
	if (tree->result == SPF_NONE) {
		finding_unseen(k->l, CHECK_SPF_LOOKUPS, expected, tree->why.s, "publish an SPF record");
	} else if (tree->result == SPF_TEMPERROR) {
		f = finding_add(k->l, CHECK_SPF_LOOKUPS, FINDING_UNSURE);
		buf_str(&f->expected, expected);
		buf_add(&f->found, tree->why.s, tree->why.len);
	} else if (tree->lookups > SPF_LOOKUPS_MAX || tree->voids > SPF_VOIDS_MAX) {
		f = violated(k, CHECK_SPF_LOOKUPS, expected,
		    "replace the costliest includes by the networks they stand for, drop what finds nothing");
		buf_fmt(&f->found, "%u lookups, %u void", tree->lookups, tree->voids);
	} else {
		finding_pass(k->l, CHECK_SPF_LOOKUPS, expected, "%u lookups, %u void", tree->lookups,
		    tree->voids);
	}
}

/* --- DKIM keys */

static void
key_strength(struct look *k, const char *name, const struct dkimkey *key, unsigned bits)
{
	static const char expected[] = "RSA of 2048 bits or more, or Ed25519";
	struct finding *f;

	if (key->kind == CRYPT_ED25519 || bits >= CRYPT_RSA_WEAK_BELOW) {
		finding_pass(k->l, CHECK_DKIM_STRENGTH, expected, "%s: %s, %u bits", name,
		    key->kind == CRYPT_RSA ? "RSA" : "Ed25519", bits);
		return;
	}
	f = violated(k, CHECK_DKIM_STRENGTH, expected, "make a new key with dkim-keygen and change over to it");
	if (bits < CRYPT_RSA_MIN)
		f->says = FINDING_FAILURE; /* no verifier accepts it */
	buf_fmt(&f->found, "%s: RSA, %u bits", name, bits);
}

static void
key_matches(struct look *k, const char *name, const struct dkimkey *key)
{
	static const char expected[] = "the published key is the one that signs";
	struct span mine = k->c->public_key;

	if (mine.n == 0)
		return;
	if (key->kind == k->c->key_kind && span_eq(mine, text_of(&key->p)))
		finding_pass(k->l, CHECK_DKIM_MATCH, expected, "%s: so it is", name);
	else
		buf_fmt(&violated(k, CHECK_DKIM_MATCH, expected, "publish the record of this key, or sign with "
		    "the key that is published")->found, "%s: another key", name);
}

static void
key_record(struct look *k, const char *name, struct span record)
{
	static const char expected[] = "a key record that verifiers can use";
	struct dkimkey key;
	struct crypt_pub *pub = NULL;
	struct err e = ERR_INIT;
	int rc = dkimkey_parse(record, &key, &e);

	if (!rc && key.p.len == 0)
		rc = err_set(&e, EX_DATAERR, "revoked: p= is empty");
	if (!rc && !key.known)
		rc = err_set(&e, EX_DATAERR, "k= is neither rsa nor ed25519");
	if (!rc && (!key.sha256 || !key.email))
		rc = err_set(&e, EX_DATAERR, "%s= excludes %s", key.sha256 ? "s" : "h", key.sha256 ? "email" : "sha256");
	if (!rc)
		rc = crypt_pub_load(&pub, key.kind, text_of(&key.p), &e);
	if (rc) {
		buf_fmt(&violated(k, CHECK_DKIM_KEY, expected, "publish what dkim-keygen prints")->found, "%s: %s",
		    name, err_text(&e));
	} else {
		if (key.testing)
			buf_fmt(&violated(k, CHECK_DKIM_KEY, expected, "take t=y out of the record when it works")->found,
			    "%s: t=y, a test that need not be believed", name);
		else
			finding_pass(k->l, CHECK_DKIM_KEY, expected, "%s: published", name);
		key_strength(k, name, &key, crypt_pub_bits(pub));
		key_matches(k, name, &key);
	}
	crypt_pub_free(pub);
	dkimkey_free(&key);
	err_free(&e);
}

static void
key(struct look *k, struct span selector, struct span domain)
{
	struct answers a = ANSWERS_INIT;
	struct buf name = BUF_INIT;
	size_t records = 0, which = 0;

	buf_fmt(&name, "%.*s._domainkey.%.*s", SPAN_ARG(selector), SPAN_ARG(domain));
	answers_ask(k->dns, text_of(&name), ANSWERS_TXT, &a);
	for (size_t i = 0; i < a.n; i++)
		if (dkimkey_is(text_of(&a.v[i].text))) {
			records++;
			which = i;
		}
	if (answers_temporary(&a)) {
		unsure(k, CHECK_DKIM_KEY, "a key is published", name.s, &a, ANSWERS_TXT);
	} else if (a.n == 0 || records > 1) {
		struct finding *f = violated(k, CHECK_DKIM_KEY, "one key record", "publish what dkim-keygen prints");

		if (records > 1)
			buf_fmt(&f->found, "%s: %zu key records", name.s, records);
		else {
			buf_fmt(&f->found, "%s: ", name.s);
			answers_say(&a, ANSWERS_TXT, &f->found);
		}
	} else {
		key_record(k, name.s, text_of(&a.v[which].text));
	}
	answers_free(&a);
	buf_free(&name);
}

/* Those named, and those of the message's signatures. */
static void
keys(struct look *k)
{
	const struct checkmsg *m = k->c->message;
	size_t n = 0;

	for (size_t i = 0; i < k->c->n_selectors; i++, n++)
		key(k, span_of(k->c->selectors[i]), k->c->domain);
	for (size_t i = 0; m && k->c->n_selectors == 0 && i < dkimverify_count(m->v); i++) {
		const struct dkimsig *s = &dkimverify_at(m->v, i)->sig;

		if (s->s.len && s->d.len && dkimverify_at(m->v, i)->result != DKIM_NEUTRAL) {
			key(k, text_of(&s->s), text_of(&s->d));
			n++;
		}
	}
	if (n == 0)
		finding_unseen(k->l, CHECK_DKIM_KEY, "a key is published",
		    "neither a selector nor a signed message is given",
		    "name it: --selector NAME, or --message FILE");
}

/* --- DMARC */

static void
dmarc_record(struct look *k, const struct dmarc *d)
{
	static const char expected[] = "a valid DMARC record", reports[] = "rua= for reports";
	const struct dmarc_record *r = &d->parsed;
	struct finding *f;

	if (d->at.len == 0) {
		bool temporary = d->result == DMARC_TEMPERROR;

		f = temporary ? finding_add(k->l, CHECK_DMARC, FINDING_UNSURE) : finding_violated(k->l, CHECK_DMARC);
		buf_str(&f->expected, expected);
		buf_add(&f->found, d->why.s, d->why.len);
		buf_fmt(&f->fix, "publish TXT at _dmarc.%.*s: \"v=DMARC1; p=none; rua=mailto:dmarc@%.*s\"",
		    SPAN_ARG(k->c->domain), SPAN_ARG(k->c->domain));
		return;
	}
	finding_pass(k->l, CHECK_DMARC, expected, "_dmarc.%s: %s", d->at.s, d->record.s);
	if (d->policy == DMARC_POLICY_NONE || r->testing) {
		f = violated(k, CHECK_DMARC_POLICY, "p=quarantine or p=reject",
		    "when the reports show that all of your mail is aligned: p=quarantine, then p=reject");
		buf_fmt(&f->found, "p=%s%s", dmarc_policy_name(d->policy), r->testing ? ", t=y" : "");
	} else {
		finding_pass(k->l, CHECK_DMARC_POLICY, "p=quarantine or p=reject", "p=%s", dmarc_policy_name(d->policy));
	}
	if (r->rua.n)
		finding_pass(k->l, CHECK_DMARC_REPORTS, reports, "rua=%.*s", SPAN_ARG(r->rua));
	else
		buf_str(&violated(k, CHECK_DMARC_REPORTS, reports,
		    "add rua=mailto:ADDRESS: reports tell who sends in your name")->found, "no rua=");
}

static void
alignment(struct look *k, const struct dmarc *d, struct span from)
{
	bool strict = k->l->profile == FINDING_STRICT, spf_seen = k->spf_known, dkim_seen = k->c->message != NULL;
	const char *expected = strict ? "SPF and DKIM are aligned with From" : "SPF or DKIM is aligned with From";
	struct finding *f;

	if (strict ? d->dkim_aligned && d->spf_aligned : d->dkim_aligned || d->spf_aligned) {
		finding_pass(k->l, CHECK_ALIGNMENT, expected, "From %.*s: %s", SPAN_ARG(from), d->why.s);
	} else if ((!spf_seen && !d->spf_aligned) || (!dkim_seen && !d->dkim_aligned)) {
		finding_unseen(k->l, CHECK_ALIGNMENT, expected, spf_seen ?
		    "SPF is not enough, and without a message there is no DKIM" :
		    "DKIM is not enough, and without an address there is no SPF",
		    spf_seen ? "give a signed message: --message FILE" : "name the address: --ip ADDRESS");
	} else {
		f = d->result == DMARC_TEMPERROR ? finding_add(k->l, CHECK_ALIGNMENT, FINDING_UNSURE) :
		    finding_violated(k->l, CHECK_ALIGNMENT);
		buf_str(&f->expected, expected);
		buf_fmt(&f->found, "From %.*s: %s", SPAN_ARG(from), d->why.s);
		buf_fmt(&f->fix, "sign with d=%.*s, or use a sender of this domain in the envelope", SPAN_ARG(from));
	}
}

static void
dmarc(struct look *k)
{
	const struct checkmsg *m = k->c->message;
	size_t n = m ? dkimverify_count(m->v) : 0;
	struct span *domains = mem_grow(NULL, n + 1, sizeof *domains);
	struct dmarc_query q = {.from = k->c->domain, .dkim = domains};
	struct dmarc d;

	if (m && m->from.len)
		q.from = text_of(&m->from);
	for (size_t i = 0; i < n; i++) {
		const struct dkim_checked *c = dkimverify_at(m->v, i);

		if (c->result == DKIM_PASS)
			domains[q.n_dkim++] = text_of(&c->sig.d);
		q.dkim_temporary |= c->result == DKIM_TEMPERROR;
	}
	if (k->spf_known && k->spf.result == SPF_PASS)
		q.spf = text_of(&k->spf.domain);
	q.spf_temporary = k->spf_known && k->spf.result == SPF_TEMPERROR;
	dmarc_check(&q, k->dns, &d);
	dmarc_record(k, &d);
	if (d.at.len)
		alignment(k, &d, q.from);
	else
		finding_unseen(k->l, CHECK_ALIGNMENT, "SPF or DKIM is aligned with From",
		    "without a DMARC record there is no alignment", "publish one");
	dmarc_free(&d);
	free(domains);
}

/* --- the address and its names */

static bool
has_address(struct look *k, struct span name, struct answers *a)
{
	enum answers_type type = net_addr_v4(&k->c->ip) ? ANSWERS_A : ANSWERS_AAAA;

	answers_ask(k->dns, name, type, a);
	for (size_t i = 0; i < a->n; i++)
		if (net_addr_eq(&a->v[i].addr, &k->c->ip))
			return true;
	return false;
}

static void
forward(struct look *k, const struct answers *names)
{
	static const char expected[] = "a name of the PTR record has the address";
	struct answers a = ANSWERS_INIT;
	bool temporary = false;
	struct finding *f;
	size_t i;

	for (i = 0; i < names->n && i < SPF_HOSTS_MAX; i++) {
		if (has_address(k, text_of(&names->v[i].text), &a)) {
			finding_pass(k->l, CHECK_PTR_FORWARD, expected, "%s", names->v[i].text.s);
			answers_free(&a);
			return;
		}
		temporary |= answers_temporary(&a);
	}
	f = temporary ? finding_add(k->l, CHECK_PTR_FORWARD, FINDING_UNSURE) :
	    finding_violated(k->l, CHECK_PTR_FORWARD);
	buf_str(&f->expected, expected);
	buf_fmt(&f->found, "%s has not", names->v[0].text.s);
	buf_fmt(&f->fix, "publish %s for %s: ", net_addr_v4(&k->c->ip) ? "A" : "AAAA", names->v[0].text.s);
	net_addr_text(&k->c->ip, &f->fix);
	answers_free(&a);
}

static void
reverse(struct look *k)
{
	static const char expected[] = "a PTR record";
	struct answers a = ANSWERS_INIT;
	struct buf name = BUF_INIT;

	if (!k->c->has_ip) {
		finding_unseen(k->l, CHECK_PTR, expected, "no address is given", "name it: --ip ADDRESS");
		finding_unseen(k->l, CHECK_PTR_FORWARD, expected, "no address is given", "name it: --ip ADDRESS");
		return;
	}
	answers_reverse(&k->c->ip, NULL, &name);
	answers_ask(k->dns, text_of(&name), ANSWERS_PTR, &a);
	if (a.n > 0) {
		finding_pass(k->l, CHECK_PTR, expected, "%s", a.v[0].text.s);
		forward(k, &a);
	} else if (answers_temporary(&a)) {
		unsure(k, CHECK_PTR, expected, name.s, &a, ANSWERS_PTR);
		unsure(k, CHECK_PTR_FORWARD, expected, name.s, &a, ANSWERS_PTR);
	} else {
		struct finding *f = violated(k, CHECK_PTR, expected,
		    "ask whoever gave you the address to publish one with the host's name");

		buf_fmt(&f->found, "%s: ", name.s);
		answers_say(&a, ANSWERS_PTR, &f->found);
		finding_unseen(k->l, CHECK_PTR_FORWARD, "a name of the PTR record has the address",
		    "there is no PTR record", "publish one");
	}
	answers_free(&a);
	buf_free(&name);
}

static void
helo(struct look *k)
{
	static const char expected[] = "the EHLO name is a host's full name and has the address";
	struct answers a = ANSWERS_INIT;
	struct finding *f;

	if (k->c->helo.n == 0 || !k->c->has_ip) {
		finding_unseen(k->l, CHECK_HELO, expected, k->c->has_ip ? "no EHLO name is given" :
		    "no address is given", k->c->has_ip ? "name it: --helo NAME" : "name it: --ip ADDRESS");
		return;
	}
	if (!memchr(k->c->helo.p, '.', k->c->helo.n) || k->c->helo.p[0] == '[') {
		f = violated(k, CHECK_HELO, expected, "set hostname in relaykit.conf to the host's full name");
		buf_fmt(&f->found, "%.*s", SPAN_ARG(k->c->helo));
		return;
	}
	if (has_address(k, k->c->helo, &a)) {
		finding_pass(k->l, CHECK_HELO, expected, "%.*s", SPAN_ARG(k->c->helo));
	} else if (answers_temporary(&a)) {
		f = finding_add(k->l, CHECK_HELO, FINDING_UNSURE);
		buf_str(&f->expected, expected);
		buf_fmt(&f->found, "addresses of %.*s: ", SPAN_ARG(k->c->helo));
		answers_say(&a, ANSWERS_A, &f->found);
	} else {
		f = violated(k, CHECK_HELO, expected, "use the name that the PTR record has, and publish its address");
		buf_fmt(&f->found, "%.*s has not", SPAN_ARG(k->c->helo));
	}
	answers_free(&a);
}

/* --- the domain */

/* A domain that refuses all mail is refused as a sender (RFC 7505 4.2), and so is one that cannot get any. */
static void
mx(struct look *k)
{
	static const char expected[] = "the domain takes mail";
	struct answers a = ANSWERS_INIT;
	struct buf name = BUF_INIT;

	buf_add(&name, k->c->domain.p, k->c->domain.n);
	answers_ask(k->dns, k->c->domain, ANSWERS_MX, &a);
	if (answers_temporary(&a)) {
		unsure(k, CHECK_MX, expected, name.s, &a, ANSWERS_MX);
	} else if (a.n == 1 && a.v[0].text.len == 0) {
		buf_str(&violated(k, CHECK_MX, expected, "replace the null MX by a host that takes replies and bounces, "
		    "or use another domain in From")->found, "a null MX: it takes none");
	} else if (a.n > 0) {
		finding_pass(k->l, CHECK_MX, expected, "MX %s", a.v[0].text.s);
	} else {
		answers_ask(k->dns, k->c->domain, ANSWERS_A, &a);
		if (a.n == 0 && !answers_temporary(&a))
			answers_ask(k->dns, k->c->domain, ANSWERS_AAAA, &a);
		if (answers_temporary(&a))
			unsure(k, CHECK_MX, expected, name.s, &a, ANSWERS_A);
		else if (a.n > 0)
			finding_pass(k->l, CHECK_MX, expected, "no MX, but an address");
		else
			buf_str(&violated(k, CHECK_MX, expected, "publish an MX record")->found,
			    "neither MX nor address");
	}
	answers_free(&a);
	buf_free(&name);
}

/* One TXT record at prefix + domain of that version, which has a key (RFC 8461 3.1, 8460 3). */
static void
small_record(struct look *k, enum finding_id id, const char *prefix, const char *version, const char *tag,
    const char *fix)
{
	struct answers a = ANSWERS_INIT;
	struct buf name = BUF_INIT, expected = BUF_INIT;
	struct span text, value = {"", 0};
	struct err e = ERR_INIT;
	int rc;

	buf_fmt(&name, "%s.%.*s", prefix, SPAN_ARG(k->c->domain));
	buf_fmt(&expected, "\"%s; %s=...\" at %s", version, tag, name.s);
	answers_ask(k->dns, text_of(&name), ANSWERS_TXT, &a);
	rc = tagtext_only(&a, version, &text, &e);
	if (!rc)
		rc = tagtext_get(text, version, tag, &value, &e);
	if (!rc && id == CHECK_MTA_STS && !sts_id_ok(value))
		rc = err_set(&e, EX_DATAERR, "its id is not 1 to %d letters and digits", STS_ID_MAX);
	if (answers_temporary(&a))
		unsure(k, id, expected.s, name.s, &a, ANSWERS_TXT);
	else if (rc)
		buf_str(&violated(k, id, expected.s, fix)->found, err_text(&e));
	else
		finding_pass(k->l, id, expected.s, "%.*s", SPAN_ARG(text));
	answers_free(&a);
	buf_free(&name);
	buf_free(&expected);
	err_free(&e);
}

/* --- block lists */

static void
one_list(struct look *k, const char *zone)
{
	struct answers a = ANSWERS_INIT;
	struct buf name = BUF_INIT, code = BUF_INIT, expected = BUF_INIT;
	struct finding *f;

	buf_fmt(&expected, "not listed by %s", zone);
	answers_reverse(&k->c->ip, zone, &name);
	answers_ask(k->dns, text_of(&name), ANSWERS_A, &a);
	if (a.n > 0)
		net_addr_text(&a.v[0].addr, &code);
	if (answers_temporary(&a)) {
		unsure(k, CHECK_DNSBL, expected.s, name.s, &a, ANSWERS_A);
	} else if (a.n == 0) {
		finding_pass(k->l, CHECK_DNSBL, expected.s, "not listed");
	} else if (strncmp(code.s, "127.255.255.", 12) == 0 || strncmp(code.s, "127.", 4) != 0) {
		/* RFC 5782 2.1: entries are in 127/8; and some lists say so that they do not answer us. */
		f = finding_add(k->l, CHECK_DNSBL, FINDING_UNSEEN);
		buf_add(&f->expected, expected.s, expected.len);
		buf_fmt(&f->found, "%s answers %s, which is no entry", zone, code.s);
		buf_str(&f->fix, "ask through a resolver of your own");
	} else {
		f = violated(k, CHECK_DNSBL, expected.s, "find out why, stop it, then ask the list for removal");
		buf_fmt(&f->found, "listed: %s", code.s);
		answers_ask(k->dns, text_of(&name), ANSWERS_TXT, &a);
		if (a.n > 0)
			buf_fmt(&f->found, ", %s", a.v[0].text.s);
	}
	answers_free(&a);
	buf_free(&name);
	buf_free(&code);
	buf_free(&expected);
}

static void
lists(struct look *k)
{
	if (!k->c->has_ip || k->c->n_lists == 0) {
		finding_unseen(k->l, CHECK_DNSBL, "not listed", k->c->has_ip ? "no list is named" :
		    "no address is given", k->c->has_ip ? "name one: --dnsbl ZONE" : "name it: --ip ADDRESS");
		return;
	}
	for (size_t i = 0; i < k->c->n_lists; i++)
		one_list(k, k->c->lists[i]);
}

void
checkdns_findings(const struct checkdns *c, const struct asker *dns, struct findings *l,
    struct spf *tree)
{
	struct look k = {.c = c, .dns = dns, .l = l};

	*tree = (struct spf){.why = BUF_INIT, .explanation = BUF_INIT, .domain = BUF_INIT};
	spf_passes(&k);
	spf_costs(&k, tree);
	spf_closed(&k);
	keys(&k);
	dmarc(&k);
	reverse(&k);
	helo(&k);
	mx(&k);
	small_record(&k, CHECK_MTA_STS, "_mta-sts", STS_VERSION, "id", "publish a policy, then this record");
	small_record(&k, CHECK_TLSRPT, "_smtp._tls", TLSRPT_VERSION, "rua", "publish it, and read the reports");
	lists(&k);
	if (k.spf_known)
		spf_free(&k.spf);
}
