#include "checkmsg.h"

#include "addr.h"
#include "date.h"
#include "dkimsign.h"

#include <stdlib.h>
#include <string.h>

#define SIZE_USUAL (25 << 20) /* bytes that Gmail and Yahoo take; Outlook.com takes 20 to 25 MB */

void
checkmsg_begin(struct checkmsg *m, uint64_t now_s)
{
	struct dkimverify_rules rules = {.now_s = now_s};

	*m = (struct checkmsg){.from = BUF_INIT};
	dkimverify_new(&m->v, &rules);
}

void
checkmsg_free(struct checkmsg *m)
{
	dkimverify_free(m->v);
	buf_free(&m->from);
	*m = (struct checkmsg){.from = BUF_INIT};
}

int
checkmsg_add(struct checkmsg *m, const void *bytes, size_t n, struct err *e)
{
	const char *p = bytes;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n') {
			m->n_lf++;
			m->n_crlf += m->cr;
			m->line -= m->cr;
			if (m->line > m->longest)
				m->longest = m->line;
			m->line = 0;
		} else {
			m->line++;
			m->bare_cr |= m->cr;
			m->nul |= p[i] == '\0';
		}
		m->cr = p[i] == '\r';
	}
	m->bytes += n;
	return dkimverify_add(m->v, p, n, e);
}

int
checkmsg_end(struct checkmsg *m, const struct asker *dns, struct err *e)
{
	struct err none = ERR_INIT;

	if (m->line > m->longest)
		m->longest = m->line;
	m->bare_cr |= m->cr;
	if (dkimverify_end(m->v, dns, e))
		return e->code;
	if (dkimsign_from(dkimverify_head(m->v), &m->from, &none))
		buf_cut(&m->from, 0); /* rfc5322 says why */
	err_free(&none);
	return 0;
}

/* --- DKIM */

static void
signature(const struct checkmsg *m, struct findings *l)
{
	static const char expected[] = "a DKIM signature that verifies";
	enum dkim_result best = dkimverify_best(m->v);
	struct finding *f;

	for (size_t i = 0; i < dkimverify_count(m->v); i++) {
		const struct dkim_checked *c = dkimverify_at(m->v, i);

		if (c->result == DKIM_PASS) {
			finding_pass(l, CHECK_DKIM_SIGNATURE, expected, "%s, selector %s: %s", c->sig.d.s,
			    c->sig.s.s, c->why.s);
			return;
		}
	}
	f = best == DKIM_TEMPERROR ? finding_add(l, CHECK_DKIM_SIGNATURE, FINDING_UNSURE) :
	    finding_violated(l, CHECK_DKIM_SIGNATURE);
	buf_str(&f->expected, expected);
	if (dkimverify_count(m->v) == 0)
		buf_str(&f->found, "the message is not signed");
	for (size_t i = 0; i < dkimverify_count(m->v); i++) {
		const struct dkim_checked *c = dkimverify_at(m->v, i);

		buf_fmt(&f->found, "%s%s, selector %s: %s (%s)", i ? "; " : "", c->sig.d.s, c->sig.s.s,
		    dkim_result_name(c->result), c->why.s);
	}
	buf_str(&f->fix, "sign with dkim-sign as the last step before sending, and publish its key");
}

/* --- RFC 5322 3.6 */

static void
complain(struct buf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void
complain(struct buf *out, const char *fmt, ...)
{
	va_list ap;

	if (out->len)
		buf_str(out, "; ");
	va_start(ap, fmt);
	buf_vfmt(out, fmt, ap);
	va_end(ap);
}

static void
field_counts(const struct dkimhead *h, struct buf *out)
{
	static const struct {
		const char *name;
		size_t least;
	} fields[] = {{"From", 1}, {"Date", 1}, {"Message-ID", 1}, {"Sender", 0}, {"Reply-To", 0}, {"To", 0},
	    {"Cc", 0}, {"Bcc", 0}, {"In-Reply-To", 0}, {"References", 0}, {"Subject", 0}, {"MIME-Version", 0},
	    {"Content-Type", 0}, {"Content-Transfer-Encoding", 0}};

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		size_t n = dkimhead_count(h, span_of(fields[i].name));

		if (n < fields[i].least)
			complain(out, "no %s", fields[i].name);
		else if (n > 1)
			complain(out, "%zu %s fields", n, fields[i].name);
	}
}

/* "<" id-left "@" id-right ">"    3.6.4, white space around it */
static bool
is_message_id(struct span v)
{
	const char *at;

	v = span_trim(v);
	if (v.n < 5 || v.p[0] != '<' || v.p[v.n - 1] != '>')
		return false;
	at = memchr(v.p, '@', v.n);
	if (!at || at == v.p + 1 || at == v.p + v.n - 2)
		return false;
	for (size_t i = 1; i < v.n - 1; i++) {
		int c = (unsigned char)v.p[i];

		if (c <= ' ' || c == 127 || c == '<' || c == '>')
			return false;
	}
	return true;
}

static int
count(void *n, struct span mailbox, struct err *e)
{
	(void)mailbox;
	(void)e;
	++*(size_t *)n;
	return 0;
}

/* Addresses that are some; and of several authors one Sender must say who sends it, 3.6.2. */
static void
addresses(const struct dkimhead *h, struct buf *out)
{
	static const char *const names[] = {"From", "Sender", "Reply-To", "To", "Cc"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		uint32_t at = dkimhead_last(h, span_of(names[i]));
		struct err e = ERR_INIT;
		size_t n = 0;

		if (at == DKIMHEAD_NONE)
			continue;
		if (addr_list(h->fields[at].value, NULL, count, &n, &e))
			complain(out, "%s: %s", names[i], err_text(&e));
		else if (i == 0 && n > 1 && dkimhead_count(h, SPAN("Sender")) == 0)
			complain(out, "%zu authors and no Sender", n);
		else if (i == 1 && n != 1)
			complain(out, "Sender with %zu addresses", n);
		err_free(&e);
	}
}

static void
fields(const struct checkmsg *m, struct buf *out)
{
	const struct dkimhead *h = dkimverify_head(m->v);
	uint32_t id = dkimhead_last(h, SPAN("Message-ID")), date = dkimhead_last(h, SPAN("Date"));
	bool utf8 = true;

	if (h->bad != SIZE_MAX)
		complain(out, "a line of the header that is no field");
	field_counts(h, out);
	if (id != DKIMHEAD_NONE && !is_message_id(h->fields[id].value))
		complain(out, "Message-ID is not <left@right>");
	if (date != DKIMHEAD_NONE && !date_rfc5322_ok(h->fields[date].value))
		complain(out, "Date is no date");
	addresses(h, out);
	for (size_t i = 0; i < h->n; i++)
		utf8 &= utf8_valid(h->fields[i].whole);
	if (!utf8) /* RFC 6532 3 */
		complain(out, "bytes over 127 in the header that are not UTF-8");
}

static void
format(const struct checkmsg *m, struct findings *l)
{
	static const char expected[] = "From, Date, Message-ID once, lines up to 998 bytes, no NUL, no bare CR or LF";
	struct buf wrong = BUF_INIT;
	struct finding *f;

	fields(m, &wrong);
	if (m->longest > MSG_LINE_MAX)
		complain(&wrong, "a line of %llu bytes", (unsigned long long)m->longest);
	if (m->nul)
		complain(&wrong, "a NUL");
	if (m->bare_cr)
		complain(&wrong, "a bare CR");
	if (m->n_crlf > 0 && m->n_crlf < m->n_lf)
		complain(&wrong, "a bare LF among CRLFs");
	if (wrong.len == 0) {
		finding_pass(l, CHECK_FORMAT, expected, "so it is");
		return;
	}
	f = finding_violated(l, CHECK_FORMAT);
	buf_str(&f->expected, expected);
	buf_add(&f->found, wrong.s, wrong.len);
	buf_str(&f->fix, "let smtp-submit complete the message, and mend what makes it");
	buf_free(&wrong);
}

/* --- RFC 8058 */

/* Whether one signature with that result covers both fields (RFC 8058 4). */
static bool
covered(const struct checkmsg *m, enum dkim_result result)
{
	for (size_t i = 0; i < dkimverify_count(m->v); i++) {
		const struct dkim_checked *c = dkimverify_at(m->v, i);

		if (c->result == result && dkimsig_covers(&c->sig, SPAN("List-Unsubscribe")) &&
		    dkimsig_covers(&c->sig, SPAN("List-Unsubscribe-Post")))
			return true;
	}
	return false;
}

/* One of the URIs in angle brackets begins with https: (RFC 8058 3.1). */
static bool
has_https(struct span v)
{
	struct cur c = cur_span(v);

	while (!cur_end(&c)) {
		struct span uri;
		struct cur u;

		cur_until(&c, '<');
		cur_ch(&c, '<');
		uri = span_trim(cur_until(&c, '>'));
		u = cur_span(uri);
		if (cur_lit(&u, "https://") && !cur_end(&u))
			return true;
	}
	return false;
}

static void
unsubscribe(const struct checkmsg *m, struct findings *l)
{
	static const char expected[] = "List-Unsubscribe with https: and List-Unsubscribe-Post, both signed";
	const struct dkimhead *h = dkimverify_head(m->v);
	uint32_t list = dkimhead_last(h, SPAN("List-Unsubscribe"));
	uint32_t post = dkimhead_last(h, SPAN("List-Unsubscribe-Post"));
	struct buf wrong = BUF_INIT;
	bool unsure = false;
	struct finding *f;

	if (list == DKIMHEAD_NONE)
		complain(&wrong, "no List-Unsubscribe");
	else if (!has_https(h->fields[list].value))
		complain(&wrong, "List-Unsubscribe without an https: URI");
	if (post == DKIMHEAD_NONE)
		complain(&wrong, "no List-Unsubscribe-Post");
	else if (!span_ieq(span_trim(h->fields[post].value), SPAN("List-Unsubscribe=One-Click")))
		complain(&wrong, "List-Unsubscribe-Post is not \"List-Unsubscribe=One-Click\"");
	if (wrong.len == 0 && !covered(m, DKIM_PASS)) {
		unsure = covered(m, DKIM_TEMPERROR);
		complain(&wrong, "%s", unsure ? "the signature that covers both could not be verified today" :
		    "no valid signature covers both");
	}
	if (wrong.len == 0) {
		finding_pass(l, CHECK_UNSUBSCRIBE, expected, "so it is");
		return;
	}
	f = unsure ? finding_add(l, CHECK_UNSUBSCRIBE, FINDING_UNSURE) : finding_violated(l, CHECK_UNSUBSCRIBE);
	buf_str(&f->expected, expected);
	buf_add(&f->found, wrong.s, wrong.len);
	buf_str(&f->fix, "add both before signing; mail that is no bulk mail needs neither");
	buf_free(&wrong);
}

void
checkmsg_findings(const struct checkmsg *m, struct findings *l)
{
	static const char small[] = "at most 25 MiB";
	struct finding *f;

	signature(m, l);
	unsubscribe(m, l);
	format(m, l);
	if (m->bytes <= SIZE_USUAL) {
		finding_pass(l, CHECK_SIZE, small, "%llu bytes", (unsigned long long)m->bytes);
		return;
	}
	f = finding_violated(l, CHECK_SIZE);
	buf_str(&f->expected, small);
	buf_fmt(&f->found, "%llu bytes", (unsigned long long)m->bytes);
	buf_str(&f->fix, "send a link instead of the attachment");
}
