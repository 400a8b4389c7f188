#include "verdict.h"

#include "authres.h"
#include "dkimsign.h"

#include <stdlib.h>
#include <string.h>

static struct span
text_of(const struct buf *b)
{
	return (struct span){b->s, b->len};
}

void
verdict_begin(struct verdict *v, const struct verdict_wish *wish)
{
	*v = (struct verdict){.wish = *wish, .from = BUF_INIT,
	    .spf = {.why = BUF_INIT, .explanation = BUF_INIT, .domain = BUF_INIT},
	    .helo = {.why = BUF_INIT, .explanation = BUF_INIT, .domain = BUF_INIT},
	    .dmarc = {.why = BUF_INIT, .record = BUF_INIT, .at = BUF_INIT, .organization = BUF_INIT}};
	dkimverify_new(&v->dkim, &wish->dkim);
}

void
verdict_free(struct verdict *v)
{
	if (!v->dkim)
		return;
	dkimverify_free(v->dkim);
	spf_free(&v->spf);
	spf_free(&v->helo);
	dmarc_free(&v->dmarc);
	buf_free(&v->from);
	v->dkim = NULL;
}

/* --- SPF */

/* Whether a client calls itself by a name that can have a record. */
static bool
is_domain(struct span helo)
{
	return helo.n > 0 && helo.p[0] != '[' && memchr(helo.p, '.', helo.n);
}

void
verdict_spf(struct verdict *v, const struct asker *dns)
{
	struct spf_query q = v->wish.query;

	if (!v->wish.spf || v->has_spf)
		return;
	v->has_spf = true;
	spf_check(&q, dns, &v->spf);
	if (!v->wish.helo || q.sender.n == 0 || !is_domain(q.helo))
		return;
	v->has_helo = true;
	q.sender.n = 0;
	spf_check(&q, dns, &v->helo);
}

/* --- DMARC */

static void
check_dmarc(struct verdict *v, const struct asker *dns)
{
	size_t n = dkimverify_count(v->dkim);
	struct span *domains = mem_grow(NULL, n + 1, sizeof *domains);
	struct dmarc_query q = {.dkim = domains, .organization = v->wish.organization, .arg = v->wish.arg};
	struct err e = ERR_INIT;

	if (dkimsign_from(dkimverify_head(v->dkim), &v->from, &e)) {
		v->dmarc.result = DMARC_PERMERROR;
		buf_str(&v->dmarc.why, err_text(&e));
		buf_cut(&v->from, 0);
		err_free(&e);
		free(domains);
		return;
	}
	for (size_t i = 0; i < n && !v->wish.no_dkim; i++) {
		const struct dkim_checked *c = dkimverify_at(v->dkim, i);

		if (c->result == DKIM_PASS)
			domains[q.n_dkim++] = text_of(&c->sig.d);
		q.dkim_temporary |= c->result == DKIM_TEMPERROR;
	}
	q.from = text_of(&v->from);
	if (v->has_spf && v->spf.result == SPF_PASS)
		q.spf = text_of(&v->spf.domain);
	q.spf_temporary = v->has_spf && v->spf.result == SPF_TEMPERROR;
	dmarc_check(&q, dns, &v->dmarc);
	free(domains);
}

/* --- the message */

int
verdict_add(struct verdict *v, const void *p, size_t n, struct err *e)
{
	return dkimverify_add(v->dkim, p, n, e);
}

int
verdict_end(struct verdict *v, const struct asker *dns, struct err *e)
{
	if (dkimverify_end(v->dkim, dns, e))
		return e->code;
	verdict_spf(v, dns);
	if (v->wish.dmarc)
		check_dmarc(v, dns);
	return 0;
}

/* --- what is said */

static void
dkim_clause(const struct dkim_checked *c, struct buf *out)
{
	authres_clause(out, "dkim", dkim_result_name(c->result), text_of(&c->why));
	authres_prop(out, "header.d", text_of(&c->sig.d));
	authres_prop(out, "header.s", text_of(&c->sig.s));
	authres_prop(out, "header.a", c->sig.a);
	authres_prop(out, "header.b", (struct span){c->sig.b_text.s, c->b_shown});
	buf_ch(out, '\n');
}

static void
dkim_clauses(const struct dkimverify *d, struct buf *out)
{
	size_t n = dkimverify_count(d), beyond = dkimverify_beyond(d);
	struct buf why = BUF_INIT;

	for (size_t i = 0; i < n; i++)
		dkim_clause(dkimverify_at(d, i), out);
	if (beyond) {
		buf_fmt(&why, "%zu more signatures than the %zu that are looked at", beyond, n);
		authres_clause(out, "dkim", dkim_result_name(DKIM_POLICY), text_of(&why));
		buf_ch(out, '\n');
	} else if (n == 0) {
		authres_clause(out, "dkim", dkim_result_name(DKIM_NONE), SPAN("message is not signed"));
		buf_ch(out, '\n');
	}
	buf_free(&why);
}

/* RFC 8601 2.7.2 */
static void
spf_clause(const struct spf *s, struct span sender, struct span helo, struct buf *out)
{
	authres_clause(out, "spf", spf_result_name(s->result), text_of(&s->why));
	authres_prop(out, sender.n ? "smtp.mailfrom" : "smtp.helo", sender.n ? sender : helo);
	buf_ch(out, '\n');
}

static void
dmarc_clause(const struct verdict *v, struct buf *out)
{
	const struct dmarc *d = &v->dmarc;
	struct buf why = BUF_INIT;

	buf_add(&why, d->why.s, d->why.len);
	if (d->at.len) {
		buf_fmt(&why, "; p=%s", dmarc_policy_name(d->policy));
		if (d->parsed.testing)
			buf_str(&why, " t=y");
		if (v->wish.organization && d->parsed.pct < 100)
			buf_fmt(&why, " pct=%u", d->parsed.pct);
		buf_fmt(&why, " of %s", d->at.s);
	}
	authres_clause(out, "dmarc", dmarc_result_name(d->result), text_of(&why));
	authres_prop(out, "header.from", text_of(&v->from));
	buf_ch(out, '\n');
	buf_free(&why);
}

void
verdict_clauses(const struct verdict *v, struct buf *out)
{
	const struct spf_query *q = &v->wish.query;

	if (!v->wish.no_dkim)
		dkim_clauses(v->dkim, out);
	if (v->has_spf)
		spf_clause(&v->spf, q->sender, q->helo, out);
	if (v->has_helo)
		spf_clause(&v->helo, SPAN(""), q->helo, out);
	if (v->wish.dmarc)
		dmarc_clause(v, out);
}
