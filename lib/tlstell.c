#include "tlstell.h"

#include "io.h"

#include <stdlib.h>
#include <string.h>

#define LINES_MAX 2048 /* bytes of a policy that a line repeats; a longer one goes without */
#define LINES_MOST 64

/* --- the policy, as RFC 8460 4.4 wants it */

struct strings {
	struct buf text;
	struct span v[LINES_MOST];
	size_t n;
};

static void
sts_lines(struct strings *l, const struct stsfile *f)
{
	struct cur c = cur_of(f->text.s, f->text.len);
	struct span line;

	if (f->text.len > LINES_MAX)
		return;
	while (l->n < LINES_MOST && cur_line(&c, &line))
		if (span_trim(line).n > 0)
			l->v[l->n++] = span_trim(line);
}

/* "3 1 1 0123...", RFC 6698 2.2. */
static void
tlsa_lines(struct strings *l, const struct tlspolicy *p)
{
	static const char hex[] = "0123456789abcdef";
	size_t at[LINES_MOST + 1], n = 0;

	for (size_t i = 0; i < p->n && n < LINES_MOST && l->text.len < LINES_MAX; i++) {
		at[n++] = l->text.len;
		buf_fmt(&l->text, "%u %u %u ", p->v[i].usage, p->v[i].selector, p->v[i].matching);
		for (size_t k = 0; k < p->v[i].data.n; k++) {
			buf_ch(&l->text, hex[(unsigned char)p->v[i].data.p[k] >> 4]);
			buf_ch(&l->text, hex[p->v[i].data.p[k] & 15]);
		}
	}
	at[n] = l->text.len;
	if (l->text.len > LINES_MAX)
		return;
	for (; l->n < n; l->n++)
		l->v[l->n] = (struct span){l->text.s + at[l->n], at[l->n + 1] - at[l->n]};
}

static void
tell(const struct tlstell *t, const char *type, const struct stsfile *sts, const char *result,
    struct span text, struct span tls)
{
	struct strings l = {.text = BUF_INIT};
	struct event_policy p = {.type = span_of(type), .domain = span_of(t->domain)};
	struct event v = {.type = EVENT_SESSION, .domain = span_of(t->domain), .site = t->site,
	    .peer = span_of(t->policy->host), .peer_addr = span_of(t->addr), .source_addr = span_of(t->source),
	    .policy = &p, .result = span_of(result), .text = text, .tls = tls};

	if (strcmp(type, "tlsa") == 0) {
		p.domain = span_of(t->policy->host); /* RFC 8460 1.1: the TLSA base domain */
		tlsa_lines(&l, t->policy);
	} else if (sts && sts->fetched_s > 0) {
		p.id = (struct span){sts->id.s, sts->id.len};
		p.mode = span_of(sts_mode_name(sts->policy.mode));
		sts_lines(&l, sts);
	}
	p.lines = l.v;
	p.n = l.n;
	events_write(t->events, &v, io_time_us());
	buf_free(&l.text);
}

static const char *
type_of(const struct tlspolicy *p)
{
	return p->level == TLSPOLICY_DANE ? "tlsa" : p->sts ? "sts" : "no-policy-found";
}

/* A policy that is published and cannot be had is a failure of its own (RFC 8460 4.3.2.2). */
static void
tell_fetch(const struct tlstell *t)
{
	const struct stsfile *f = t->known;

	if (f && f->tried_s > 0 && t->policy->level != TLSPOLICY_DANE)
		tell(t, "sts", f, f->result.s, (struct span){f->why.s, f->why.len}, (struct span){"", 0});
}

/* --- what came of it */

static const char *
result_of(const struct tlstell *t, const struct smtp *s, int rc, const struct err *why, struct span *text)
{
	const struct tlspolicy *p = t->policy;

	*text = (struct span){"", 0};
	if (s->tls.len == 0 || s->tls_failed) { /* no TLS */
		*text = rc ? span_of(err_text(why)) : *text;
		return s->tls_failed ? "validation-failure" : "starttls-not-supported";
	}
	if (p->is) {
		*text = (struct span){p->is_why.s, p->is_why.len};
		return cert_failure(p->is);
	}
	if (p->stranger) {
		*text = SPAN("the policy does not name the host");
		return "validation-failure";
	}
	return "";
}

void
tlstell_session(const struct tlstell *t, const struct smtp *s, bool tried, int rc,
    const struct err *why)
{
	struct span text;
	const char *result;

	/* What broke before STARTTLS could be offered, or behind a good handshake, is not TLS's affair. */
	if (!t->events || !tried || (rc && !s->tls_status && !s->tls_failed && s->tls.len == 0))
		return;
	result = result_of(t, s, rc, why, &text);
	tell(t, type_of(t->policy), t->policy->sts, result, text, (struct span){s->tls.s, s->tls.len});
	tell_fetch(t);
}

void
tlstell_refused(const struct tlstell *t, const struct err *why)
{
	const struct tlspolicy *p = t->policy;

	if (!t->events)
		return;
	if (p->stranger)
		tell(t, "sts", p->sts, "validation-failure", span_of(err_text(why)), (struct span){"", 0});
	else if (answers_temporary(&p->tlsa))
		tell(t, "tlsa", NULL, "dnssec-invalid", span_of(err_text(why)), (struct span){"", 0});
	tell_fetch(t);
}
