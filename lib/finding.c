#include "finding.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define I FINDING_INFO
#define W FINDING_WARNING
#define F FINDING_FAILURE

/* What a violation weighs for: all three at once, Gmail, Yahoo, Microsoft, strict.
 * Gmail: support.google.com/a/answer/81126; Yahoo: senders.yahooinc.com/best-practices;
 * Microsoft: "Outlook's new requirements for high-volume senders", 2025.  Spam rates, which all of
 * them count, nobody but they can see. */
static const struct {
	const char *name, *reference;
	enum finding_says weight[FINDING_STRICT + 1];
} checks[] = {
    [CHECK_SPF] = {"spf", "RFC 7208", {F, F, F, F, F}},
    [CHECK_SPF_LOOKUPS] = {"spf-lookups", "RFC 7208 4.6.4", {F, F, F, F, F}},
    [CHECK_SPF_OPEN] = {"spf-open", "RFC 7208 5.1", {F, F, F, F, F}},
    [CHECK_DKIM_KEY] = {"dkim-key", "RFC 6376 3.6", {F, F, F, F, F}},
    [CHECK_DKIM_STRENGTH] = {"dkim-strength", "RFC 8301 3.2", {W, W, W, W, F}},
    [CHECK_DKIM_MATCH] = {"dkim-match", "RFC 6376 3.6", {F, F, F, F, F}},
    [CHECK_DKIM_SIGNATURE] = {"dkim-signature", "RFC 6376 6", {F, F, F, F, F}},
    [CHECK_DMARC] = {"dmarc", "RFC 9989 4.7", {F, F, F, F, F}},
    [CHECK_DMARC_POLICY] = {"dmarc-policy", "RFC 9989 4.7", {I, I, I, I, F}},
    [CHECK_DMARC_REPORTS] = {"dmarc-reports", "RFC 9989 4.7", {W, I, W, I, W}},
    [CHECK_ALIGNMENT] = {"dmarc-alignment", "RFC 9989 4.4", {F, F, F, F, F}},
    [CHECK_PTR] = {"ptr", "RFC 1912 2.1", {F, F, F, W, F}},
    [CHECK_PTR_FORWARD] = {"ptr-forward", "RFC 1912 2.1", {F, F, F, W, F}},
    [CHECK_HELO] = {"helo", "RFC 5321 4.1.1.1", {W, W, W, W, F}},
    [CHECK_MX] = {"mx", "RFC 7505 4.2", {F, F, F, F, F}},
    [CHECK_MX_TLS] = {"mx-tls", "RFC 3207", {W, W, W, W, F}},
    [CHECK_MTA_STS] = {"mta-sts", "RFC 8461 3.1", {I, I, I, I, W}},
    [CHECK_MTA_STS_POLICY] = {"mta-sts-policy", "RFC 8461 3.2", {W, W, W, W, F}},
    [CHECK_TLSRPT] = {"tlsrpt", "RFC 8460 3", {I, I, I, I, W}},
    [CHECK_DNSBL] = {"dnsbl", "RFC 5782 2.1", {F, F, F, F, F}},
    [CHECK_UNSUBSCRIBE] = {"list-unsubscribe", "RFC 8058", {F, F, F, W, F}},
    [CHECK_FORMAT] = {"rfc5322", "RFC 5322 3.6", {F, F, F, F, F}},
    [CHECK_SIZE] = {"size", "RFC 1870", {W, W, W, W, W}},
};

bool
finding_profile_of(const char *name, enum finding_profile *out)
{
	static const char *const names[] = {NULL, "gmail", "yahoo", "microsoft", "strict"};

	for (int i = FINDING_GMAIL; i <= FINDING_STRICT; i++)
		if (strcmp(name, names[i]) == 0) {
			*out = (enum finding_profile)i;
			return true;
		}
	return false;
}

const char *
finding_name(enum finding_id id)
{
	return checks[id].name;
}

const char *
finding_reference(enum finding_id id)
{
	return checks[id].reference;
}

const char *
finding_severity(enum finding_says says)
{
	static const char *const names[] = {"pass", "info", "warning", "failure", "not-checked", "not-checked"};

	return names[says];
}

struct finding *
finding_add(struct findings *l, enum finding_id id, enum finding_says says)
{
	l->v = mem_grow(l->v, l->n + 1, sizeof *l->v);
	l->v[l->n] = (struct finding){id, says, BUF_INIT, BUF_INIT, BUF_INIT};
	return &l->v[l->n++];
}

struct finding *
finding_violated(struct findings *l, enum finding_id id)
{
	return finding_add(l, id, checks[id].weight[l->profile]);
}

void
finding_pass(struct findings *l, enum finding_id id, const char *expected, const char *fmt, ...)
{
	struct finding *f = finding_add(l, id, FINDING_PASS);
	va_list ap;

	buf_str(&f->expected, expected);
	va_start(ap, fmt);
	buf_vfmt(&f->found, fmt, ap);
	va_end(ap);
}

void
finding_unseen(struct findings *l, enum finding_id id, const char *expected, const char *why,
    const char *fix)
{
	struct finding *f = finding_add(l, id, FINDING_UNSEEN);

	buf_str(&f->expected, expected);
	buf_str(&f->found, why);
	buf_str(&f->fix, fix);
}

void
findings_free(struct findings *l)
{
	for (size_t i = 0; i < l->n; i++) {
		buf_free(&l->v[i].expected);
		buf_free(&l->v[i].found);
		buf_free(&l->v[i].fix);
	}
	free(l->v);
	l->v = NULL;
	l->n = 0;
}

int
findings_exit(const struct findings *l)
{
	bool seen[FINDING_UNSURE + 1] = {false};

	for (size_t i = 0; i < l->n; i++)
		seen[l->v[i].says] = true;
	return seen[FINDING_FAILURE] ? 2 : seen[FINDING_UNSURE] ? EX_TEMPFAIL : seen[FINDING_WARNING] ? 1 : 0;
}
