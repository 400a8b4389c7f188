#include "dmarc.h"

#include "dkim.h"

#include <stdlib.h>
#include <string.h>

#define LABELS_KEPT 7 /* RFC 9989 4.10 step 4: of a name with 8 labels or more, after the first question */

const char *
dmarc_result_name(enum dmarc_result r)
{
	static const char *const names[] = {"none", "pass", "fail", "temperror", "permerror"};

	return names[r];
}

const char *
dmarc_policy_name(enum dmarc_policy p)
{
	static const char *const names[] = {"none", "quarantine", "reject"};

	return names[p];
}

/* --- records */

bool
dmarc_is(struct span text)
{
	struct cur c = cur_span(text);
	struct span version = cur_until(&c, ';'), name;
	struct cur v = cur_span(version);

	/* RFC 9989 4.8: "v" *WSP "=" *WSP "DMARC1", in this case. */
	name = span_trim(cur_until(&v, '='));
	return span_eq(name, SPAN("v")) && cur_ch(&v, '=') && span_eq(span_trim(cur_rest(&v)), SPAN("DMARC1"));
}

static bool
policy(const struct dkim_tags *t, const char *tag, bool *has, enum dmarc_policy *out)
{
	const struct span *v = dkim_tag(t, tag);

	*has = v != NULL;
	if (!v)
		return true;
	for (int p = DMARC_POLICY_NONE; p <= DMARC_POLICY_REJECT; p++)
		if (span_ieq(*v, span_of(dmarc_policy_name((enum dmarc_policy)p)))) {
			*out = (enum dmarc_policy)p;
			return true;
		}
	return false;
}

static bool
is_value(const struct dkim_tags *t, const char *tag, const char *value)
{
	const struct span *v = dkim_tag(t, tag);

	return v && span_ieq(*v, span_of(value));
}

/* A scheme and something behind it, in a comma-separated list: enough to tell that reports are
 * wanted (RFC 3986 3). */
static bool
has_uri(struct span list)
{
	struct cur c = cur_span(list);

	do {
		struct span uri = span_trim(cur_until(&c, ','));
		struct cur u = cur_span(uri);

		if (is_alpha(cur_peek(&u))) {
			cur_while(&u, is_alnum);
			if (cur_ch(&u, ':') && !cur_end(&u))
				return true;
		}
	} while (cur_ch(&c, ','));
	return false;
}

static void
other_tags(const struct dkim_tags *t, struct dmarc_record *out)
{
	const struct span *pct = dkim_tag(t, "pct"), *rua = dkim_tag(t, "rua"), *ruf = dkim_tag(t, "ruf");
	struct cur c = pct ? cur_span(*pct) : cur_of("", 0);
	uint64_t v;

	out->adkim_strict = is_value(t, "adkim", "s");
	out->aspf_strict = is_value(t, "aspf", "s");
	out->testing = is_value(t, "t", "y");
	out->psd = is_value(t, "psd", "y") ? DMARC_PSD_YES : is_value(t, "psd", "n") ? DMARC_PSD_NO :
	    DMARC_PSD_UNKNOWN;
	out->pct = pct && cur_u64(&c, 100, &v) && cur_end(&c) ? (unsigned)v : 100;
	out->rua = rua ? *rua : (struct span){"", 0};
	out->ruf = ruf ? *ruf : (struct span){"", 0};
}

/* A tag list of which what is no tag is passed over, as "syntax errors in the remainder of the record"
 * are (RFC 9989 4.7, RFC 7489 6.3); but a name that comes twice leaves open what is meant. */
static int
tags(struct span text, struct dkim_tags *out, struct err *e)
{
	struct cur c = cur_span(text);

	dkim_tags_begin(out);
	while (!cur_end(&c)) {
		struct span piece = cur_until(&c, ';');
		struct err why = ERR_INIT;
		struct dkim_tags one;
		int rc = dkim_tags(piece, &one, &why);

		cur_ch(&c, ';');
		err_free(&why);
		if (rc)
			continue;
		if (dkim_tags_add(out, one.v[0].name, one.v[0].value, e))
			return e->code;
	}
	return 0;
}

int
dmarc_parse(struct span text, struct dmarc_record *out, struct err *e)
{
	struct dkim_tags t;
	bool good;

	*out = (struct dmarc_record){.pct = 100};
	if (!dmarc_is(text))
		return err_set(e, EX_DATAERR, "v= is not DMARC1, or not at the beginning");
	if (tags(text, &t, e))
		return e->code;
	other_tags(&t, out);
	good = policy(&t, "p", &out->has_p, &out->p) && out->has_p;
	good &= policy(&t, "sp", &out->has_sp, &out->sp);
	good &= policy(&t, "np", &out->has_np, &out->np);
	if (!good) {
		if (!has_uri(out->rua))
			return err_set(e, EX_DATAERR, "p=, sp= or np= is not a policy, or p= is missing, "
			    "and no report is asked for");
		out->p = DMARC_POLICY_NONE;
		out->has_sp = out->has_np = false;
	}
	if (!out->has_sp)
		out->sp = out->p;
	if (!out->has_np)
		out->np = out->sp;
	return 0;
}

/* --- one question */

struct found {
	enum answers_says says; /* of the name asked */
	struct buf text;        /* the one valid record; empty: none */
	struct dmarc_record record;
	struct buf trouble;     /* a record that is wrong: what is wrong with it */
};

static void
found_free(struct found *f)
{
	buf_free(&f->text);
	buf_free(&f->trouble);
}

/* Records that do not begin with v=DMARC1 are discarded; of several all (RFC 9989 4.10 step 2). */
static void
ask(const struct asker *dns, struct span domain, struct found *f)
{
	struct answers a = ANSWERS_INIT;
	struct buf name = BUF_INIT;
	struct err e = ERR_INIT;
	size_t n = 0;

	*f = (struct found){.text = BUF_INIT, .trouble = BUF_INIT};
	buf_fmt(&name, "_dmarc.%.*s", SPAN_ARG(domain));
	answers_ask(dns, (struct span){name.s, name.len}, ANSWERS_TXT, &a);
	f->says = a.says;
	for (size_t i = 0; i < a.n; i++)
		if (dmarc_is((struct span){a.v[i].text.s, a.v[i].text.len}) && n++ == 0)
			buf_add(&f->text, a.v[i].text.s, a.v[i].text.len);
	if (n > 1) {
		buf_fmt(&f->trouble, "%zu DMARC records", n);
		buf_cut(&f->text, 0);
	} else if (n == 1 && dmarc_parse((struct span){f->text.s, f->text.len}, &f->record, &e)) {
		buf_str(&f->trouble, err_text(&e));
		buf_cut(&f->text, 0);
	} else if (answers_temporary(&a)) {
		buf_fmt(&f->trouble, "%s: ", name.s);
		answers_say(&a, ANSWERS_TXT, &f->trouble);
	}
	answers_free(&a);
	buf_free(&name);
	err_free(&e);
}

static bool
temporary(const struct found *f)
{
	return f->says == ANSWERS_SERVFAIL || f->says == ANSWERS_TIMEOUT;
}

static size_t
labels(struct span domain)
{
	size_t n = 1;

	for (size_t i = 0; i < domain.n; i++)
		n += domain.p[i] == '.';
	return n;
}

static struct span
without_label(struct span domain)
{
	const char *dot = memchr(domain.p, '.', domain.n);

	if (!dot)
		return (struct span){domain.p + domain.n, 0};
	return (struct span){dot + 1, (size_t)(domain.p + domain.n - dot - 1)};
}

/* --- the walk, RFC 9989 4.10 */

struct walk {
	struct span organization; /* of the domain that was asked for, lent by it */
	struct found first;       /* what that domain itself has */
	struct found top;         /* the record of the organizational domain, or of a public suffix domain */
	struct span first_at, top_at;
	struct found psd;         /* of a public suffix domain above the organizational domain */
	struct span psd_at;
	bool temporary;
	struct buf trouble;
};

static void
walk_free(struct walk *w)
{
	found_free(&w->first);
	found_free(&w->top);
	found_free(&w->psd);
	buf_free(&w->trouble);
}

static void
walk_trouble(struct walk *w, const struct found *f)
{
	w->temporary |= temporary(f);
	if (f->trouble.len && w->trouble.len == 0)
		buf_add(&w->trouble, f->trouble.s, f->trouble.len);
}

/* Takes one answer of the walk; true where it ends here. */
static bool
walk_take(struct walk *w, struct span at, struct span below, struct found *f)
{
	bool is_first = w->first_at.n == 0;

	walk_trouble(w, f);
	if (f->text.len == 0) {
		if (is_first)
			w->first = *f;
		else
			found_free(f);
		w->first_at = is_first ? at : w->first_at;
		return false;
	}
	if (is_first) {
		w->first = *f;
		w->first_at = w->organization = at;
		return f->record.psd != DMARC_PSD_UNKNOWN;
	}
	if (f->record.psd == DMARC_PSD_YES) { /* the organization is one label below, 4.10.2 */
		w->psd = *f;
		w->psd_at = at;
		/* What was found in between stays: only the one directly below is the organization. */
		if (w->organization.n != below.n || w->organization.n == 0) {
			found_free(&w->top);
			w->top = (struct found){.text = BUF_INIT, .trouble = BUF_INIT};
			w->top_at = (struct span){NULL, 0};
		}
		w->organization = below;
		return true;
	}
	found_free(&w->top);
	w->top = *f;
	w->top_at = w->organization = at;
	return f->record.psd == DMARC_PSD_NO;
}

/* The name with at most that many labels at the right. */
static struct span
rightmost(struct span domain, size_t n)
{
	while (labels(domain) > n)
		domain = without_label(domain);
	return domain;
}

static void
walk(const struct asker *dns, struct span domain, struct walk *w)
{
	struct span at = domain, below = domain;
	bool ended;

	*w = (struct walk){.organization = {NULL, 0}, .trouble = BUF_INIT,
	    .first = {.text = BUF_INIT, .trouble = BUF_INIT}, .top = {.text = BUF_INIT, .trouble = BUF_INIT},
	    .psd = {.text = BUF_INIT, .trouble = BUF_INIT}};
	for (int step = 0; step < DMARC_STEPS_MAX && at.n > 0; step++) {
		struct found f;

		ask(dns, at, &f);
		ended = walk_take(w, at, below, &f);
		if (ended)
			break;
		below = at;
		if (step == 0 && labels(at) > LABELS_KEPT) {
			at = rightmost(at, LABELS_KEPT);
			below = rightmost(domain, LABELS_KEPT + 1);
		} else {
			at = without_label(at);
		}
	}
	if (w->organization.n == 0)
		w->organization = domain;
}

/* --- alignment and policy */

struct check {
	const struct dmarc_query *q;
	const struct asker *dns;
	struct dmarc *out;
	bool temporary;
};

/* The organizational domain of another identifier. */
static void
organization_of(struct check *c, struct span domain, struct buf *out)
{
	struct walk w;

	if (c->q->organization) {
		c->q->organization(c->q->arg, domain, out);
		return;
	}
	walk(c->dns, domain, &w);
	c->temporary |= w.temporary;
	buf_add(out, w.organization.p, w.organization.n);
	walk_free(&w);
}

static bool
aligned(struct check *c, struct span domain, bool strict)
{
	struct buf organization = BUF_INIT;
	bool good = span_ieq(domain, c->q->from);

	if (good || strict || domain.n == 0)
		return good;
	/* Only a domain below or above, or beside it, can be of one organization: no question else. */
	if (!span_ends(domain, (struct span){c->out->organization.s, c->out->organization.len}))
		return false;
	organization_of(c, domain, &organization);
	good = span_ieq((struct span){organization.s, organization.len},
	    (struct span){c->out->organization.s, c->out->organization.len});
	buf_free(&organization);
	return good;
}

/* RFC 9989 3.2.12, after RFC 8020: NXDOMAIN, whatever the type. */
static bool
does_not_exist(struct check *c)
{
	struct answers a = ANSWERS_INIT;
	bool gone;

	answers_ask(c->dns, c->q->from, ANSWERS_A, &a);
	gone = a.says == ANSWERS_NXDOMAIN;
	answers_free(&a);
	return gone;
}

static void
keep_record(struct dmarc *out, struct span at, const struct found *f)
{
	struct err e = ERR_INIT;

	buf_add(&out->at, at.p, at.n);
	buf_add(&out->record, f->text.s, f->text.len);
	dmarc_parse((struct span){out->record.s, out->record.len}, &out->parsed, &e); /* was good */
	err_free(&e);
}

/* RFC 9989 4.10.1: the author domain's, the organizational domain's, the public suffix domain's. */
static void
discover(struct check *c)
{
	struct dmarc *out = c->out;
	struct walk w;

	walk(c->dns, c->q->from, &w);
	buf_add(&out->organization, w.organization.p, w.organization.n);
	if (w.first.text.len)
		keep_record(out, w.first_at, &w.first);
	else if (w.top.text.len)
		keep_record(out, w.top_at, &w.top);
	else if (w.psd.text.len)
		keep_record(out, w.psd_at, &w.psd);
	c->temporary |= w.temporary;
	buf_add(&out->why, w.trouble.s, w.trouble.len);
	walk_free(&w);
}

/* RFC 7489 6.6.3: the author domain's, else the organizational domain's. */
static void
discover_by_list(struct check *c)
{
	struct dmarc *out = c->out;
	struct span domain = c->q->from;

	c->q->organization(c->q->arg, domain, &out->organization);
	for (int i = 0; i < 2 && out->at.len == 0; i++) {
		struct found f;

		ask(c->dns, domain, &f);
		c->temporary |= temporary(&f);
		if (f.text.len)
			keep_record(out, domain, &f);
		else if (f.trouble.len && out->why.len == 0)
			buf_add(&out->why, f.trouble.s, f.trouble.len);
		found_free(&f);
		domain = (struct span){out->organization.s, out->organization.len};
		if (span_ieq(domain, c->q->from))
			break;
	}
}

static void
judge_alignment(struct check *c)
{
	struct dmarc *out = c->out;

	for (size_t i = 0; i < c->q->n_dkim && !out->dkim_aligned; i++)
		if (aligned(c, c->q->dkim[i], out->parsed.adkim_strict)) {
			out->dkim_aligned = true;
			buf_fmt(&out->why, "DKIM of %.*s is aligned", SPAN_ARG(c->q->dkim[i]));
		}
	if (aligned(c, c->q->spf, out->parsed.aspf_strict)) {
		out->spf_aligned = true;
		buf_fmt(&out->why, "%sSPF of %.*s is aligned", out->why.len ? ", " : "", SPAN_ARG(c->q->spf));
	}
}

static void
judge(struct check *c)
{
	struct dmarc *out = c->out;

	out->policy = out->parsed.p;
	if (out->at.len != c->q->from.n || !span_ieq((struct span){out->at.s, out->at.len}, c->q->from))
		out->policy = !c->q->organization && does_not_exist(c) ? out->parsed.np : out->parsed.sp;
	buf_cut(&out->why, 0);
	judge_alignment(c);
	if (out->dkim_aligned || out->spf_aligned) {
		out->result = DMARC_PASS;
		return;
	}
	if (c->q->dkim_temporary || c->q->spf_temporary || c->temporary) {
		out->result = DMARC_TEMPERROR;
		buf_str(&out->why, "neither SPF nor DKIM is aligned, and not all could be checked");
		return;
	}
	out->result = DMARC_FAIL;
	buf_str(&out->why, "neither SPF nor DKIM is aligned");
	out->applied = out->policy;
	/* RFC 9989 4.7, t=y: one step milder. */
	if (out->parsed.testing && !c->q->organization && out->applied > DMARC_POLICY_NONE)
		out->applied--;
}

void
dmarc_check(const struct dmarc_query *q, const struct asker *dns, struct dmarc *out)
{
	struct check c = {q, dns, out, false};

	*out = (struct dmarc){.why = BUF_INIT, .record = BUF_INIT, .at = BUF_INIT, .organization = BUF_INIT};
	if (q->organization)
		discover_by_list(&c);
	else
		discover(&c);
	/* Where there is a record, what could not be asked above it matters only if nothing is aligned. */
	if (out->at.len == 0 && c.temporary) {
		out->result = DMARC_TEMPERROR;
	} else if (out->at.len == 0) {
		out->result = out->why.len ? DMARC_PERMERROR : DMARC_NONE;
		if (out->why.len == 0)
			buf_fmt(&out->why, "%.*s has no DMARC record", SPAN_ARG(q->from));
	} else {
		judge(&c);
	}
}

void
dmarc_free(struct dmarc *d)
{
	buf_free(&d->why);
	buf_free(&d->record);
	buf_free(&d->at);
	buf_free(&d->organization);
	*d = (struct dmarc){.why = BUF_INIT, .record = BUF_INIT, .at = BUF_INIT, .organization = BUF_INIT};
}
