#include "stsfetch.h"

#include "https.h"
#include "tagtext.h"

#include <stdlib.h>
#include <string.h>

#define HTTPS_PORT 443

/* --- the record */

static int
ask_id(const struct stsfetch *w, const char *domain, struct buf *id, struct err *e)
{
	struct answers a = ANSWERS_INIT;
	struct buf name = BUF_INIT;
	struct span text, value = {"", 0};
	int rc;

	buf_fmt(&name, "_mta-sts.%s", domain);
	answers_ask(w->dns, (struct span){name.s, name.len}, ANSWERS_TXT, &a);
	rc = tagtext_only(&a, STS_VERSION, &text, e);
	if (!rc && tagtext_get(text, STS_VERSION, "id", &value, e))
		rc = EX_UNAVAILABLE; /* RFC 8461 3.1: as if there were none */
	if (!rc && !sts_id_ok(value)) {
		err_set(e, EX_UNAVAILABLE, "its id is not 1 to %d letters and digits", STS_ID_MAX);
		rc = EX_UNAVAILABLE;
	}
	if (rc)
		err_in(e, "TXT record at %s", name.s);
	buf_add(id, value.p, rc ? 0 : value.n);
	answers_free(&a);
	buf_free(&name);
	return rc ? e->code = rc : 0;
}

/* --- the policy */

static int
judge(const struct https_answer *a, const char **result, struct err *e)
{
	*result = "sts-policy-fetch-error";
	if (a->status != 200)
		return err_set(e, EX_TEMPFAIL, "HTTP status %ld", a->status);
	if (!https_type_is(a, "text/plain"))
		return err_set(e, EX_TEMPFAIL, "its type is \"%s\", not text/plain", a->type.s);
	return 0;
}

/* RFC 8461 3.3. *result: the word of RFC 8460 4.3 for what went wrong. */
static int
get(const struct stsfetch *w, const char *domain, struct buf *text, const char **result, struct err *e)
{
	struct https_answer a = HTTPS_ANSWER_INIT;
	struct buf host = BUF_INIT, url = BUF_INIT;
	struct net_addr addrs[HTTPS_ADDRS_MAX];
	struct https_wish h = {.port = HTTPS_PORT, .addrs = addrs, .connect_to = w->connect_to,
	    .ca_file = w->ca_file, .max = STS_POLICY_MAX, .deadline_ms = w->deadline_ms};
	int rc = 0;

	buf_fmt(&host, "mta-sts.%s", domain);
	buf_fmt(&url, "https://%s/.well-known/mta-sts.txt", host.s);
	h.url = url.s;
	h.host = host.s;
	*result = "sts-policy-fetch-error";
	if (!w->connect_to)
		h.n_addrs = https_addrs(w->dns, host.s, addrs);
	if (!w->connect_to && h.n_addrs == 0)
		rc = err_set(e, EX_TEMPFAIL, "it has no address");
	if (!rc)
		rc = https_do(&h, &a, e);
	if (rc == EX_DATAERR)
		*result = "sts-policy-invalid";
	else if (rc)
		*result = a.untrusted ? "sts-webpki-invalid" : *result;
	else
		rc = judge(&a, result, e);
	if (rc)
		err_in(e, "%s", host.s);
	else
		buf_add(text, a.body.s, a.body.len);
	https_free(&a);
	buf_free(&host);
	buf_free(&url);
	return rc;
}

static int
fetch(const struct stsfetch *w, struct stsfile *f, struct span id, struct err *e)
{
	struct buf text = BUF_INIT;
	const char *result;
	int rc = get(w, f->domain, &text, &result, e);

	if (!rc && stsfile_take(f, id, (struct span){text.s, text.len}, w->now_s, e)) {
		result = "sts-policy-invalid";
		rc = err_in(e, "the policy of %s", f->domain);
	}
	if (rc)
		stsfile_failed(f, id, result, err_text(e), w->now_s);
	buf_free(&text);
	return rc;
}

/* --- the whole */

/* What cannot be read is fetched again. */
static struct stsfile *
remembered(const struct stsfetch *w, const char *domain)
{
	struct stsfile *f = NULL;
	struct err e = ERR_INIT;

	if (w->state_dir >= 0)
		stsfile_load(w->state_dir, domain, &f, &e);
	err_free(&e);
	return f;
}

int
stsfetch(const struct stsfetch *w, const char *domain, struct stsfile **out, enum stsfetch_how *how,
    struct err *e)
{
	struct stsfile *f = remembered(w, domain);
	bool valid = f && stsfile_valid(f, w->now_s);
	struct buf id = BUF_INIT;
	int rc = ask_id(w, domain, &id, e);
	struct span now = {id.s, id.len};
	bool same = valid && span_eq(now, (struct span){f->id.s, f->id.len});

	*how = STSFETCH_KNOWN;
	if (rc && valid) {
		rc = 0; /* RFC 8461 3.3: without a record, too, what is remembered counts */
	} else if (!rc && !w->refresh && same && !stsfile_old(f, w->now_s)) {
		/* it is what it was */
	} else if (!rc && !w->refresh && f && stsfile_resting(f, now, w->now_s)) {
		if (!valid)
			rc = err_set(e, EX_TEMPFAIL, "%s (%llu s ago; --refresh tries again)", f->why.s,
			    (unsigned long long)(w->now_s - f->tried_s));
	} else if (!rc) {
		f = f ? f : stsfile_new(domain);
		rc = fetch(w, f, now, e);
		*how = rc ? STSFETCH_FAILED : STSFETCH_FETCHED;
		if (valid)
			rc = 0;
	}
	buf_free(&id);
	*out = f;
	return rc;
}
