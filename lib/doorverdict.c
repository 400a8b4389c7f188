#include "doorverdict.h"

#include "authres.h"
#include "io.h"
#include "resolve.h"

#define CRLF "\r\n"

static struct span
text_of(const struct buf *b)
{
	return (struct span){b->s, b->len};
}

/* However many questions there are, and whoever answers them: the client waits no longer. */
static const struct asker *
asker(struct doorverdict *j)
{
	resolve_deadline(j->dns, io_now_ms() + (int64_t)j->door->house->serve->dns_s * 1000);
	return resolve_asker(j->dns);
}

static void
on_mail(void *arg)
{
	struct doorverdict *j = arg;
	const struct door *d = j->door;
	const struct confserve *c = d->house->serve;
	bool has_ip = d->has_peer && !d->front_end;
	struct verdict_wish w = {.spf = has_ip && c->spf != CONFSERVE_SPF_OFF,
	    .no_dkim = c->dkim == CONFSERVE_DKIM_OFF, .dmarc = c->dmarc != CONFSERVE_DMARC_OFF, .helo = true};

	w.dkim.now_s = io_time_us() / 1000000;
	if (has_ip)
		w.query.ip = d->peer;
	w.query.sender = text_of(&d->s.sender);
	w.query.helo = text_of(&d->s.helo);
	w.query.receiver = span_of(d->house->conf->hostname);
	w.query.time_s = w.dkim.now_s;
	verdict_free(&j->verdict);
	err_free(&j->unreadable);
	verdict_begin(&j->verdict, &w);
}

/* RFC 7372 3.2.  What the domain has to say about it comes from a stranger (RFC 7208 8.4). */
static void
refuse_spf(struct doorverdict *j, struct smtpd_verdict *v)
{
	const struct spf *s = &j->verdict.spf;
	bool says = s->explanation.len > 0;

	smtpd_refuse(v, 550, "5.7.23", "SPF: %s may not send for %s%s%s", j->door->peer_text.s, s->domain.s,
	    says ? ", which explains: " : "", says ? s->explanation.s : "");
}

static void
on_rcpt(void *arg, struct smtpd_verdict *v)
{
	struct doorverdict *j = arg;

	if (j->door->house->serve->spf != CONFSERVE_SPF_REJECT)
		return;
	verdict_spf(&j->verdict, asker(j));
	if (j->verdict.has_spf && j->verdict.spf.result == SPF_FAIL)
		refuse_spf(j, v);
}

static void
on_content(void *arg, const void *p, size_t n)
{
	struct doorverdict *j = arg;

	if (!j->unreadable.code)
		verdict_add(&j->verdict, p, n, &j->unreadable);
}

/* What can be said without the message. */
static void
without_it(struct doorverdict *j, struct buf *clauses)
{
	struct verdict *v = &j->verdict;

	if (!v->wish.no_dkim) {
		authres_clause(clauses, "dkim", dkim_result_name(DKIM_PERMERROR), span_of(err_text(&j->unreadable)));
		buf_ch(clauses, '\n');
	}
	v->wish.no_dkim = true;
	v->wish.dmarc = false;
	verdict_spf(v, asker(j));
}

static void
policy(struct doorverdict *j, struct buf *top, struct smtpd_verdict *v)
{
	const struct dmarc *d = &j->verdict.dmarc;
	enum confserve_dmarc how = j->door->house->serve->dmarc;

	if (!j->verdict.wish.dmarc || d->result != DMARC_FAIL || d->applied == DMARC_POLICY_NONE)
		return;
	if (how == CONFSERVE_DMARC_REJECT && d->applied == DMARC_POLICY_REJECT)
		smtpd_refuse(v, 550, "5.7.26", "DMARC: %s, and %s asks to refuse it", d->why.s,
		    j->verdict.from.s);
	else if (how != CONFSERVE_DMARC_REPORT)
		buf_fmt(top, "X-Quarantine: dmarc" CRLF);
}

static void
on_end(void *arg, struct buf *top, struct smtpd_verdict *v)
{
	struct doorverdict *j = arg;
	struct buf clauses = BUF_INIT;

	if (j->unreadable.code || verdict_end(&j->verdict, asker(j), &j->unreadable))
		without_it(j, &clauses);
	verdict_clauses(&j->verdict, &clauses);
	authres_field(top, span_of(j->door->house->conf->hostname), text_of(&clauses), CRLF);
	policy(j, top, v);
	buf_free(&clauses);
}

bool
doorverdict_wanted(const struct door_house *h)
{
	const struct confserve *c = h->serve;

	return h->listen->auth != CONFSERVE_REQUIRED &&
	       (c->spf != CONFSERVE_SPF_OFF || c->dkim != CONFSERVE_DKIM_OFF || c->dmarc != CONFSERVE_DMARC_OFF);
}

void
doorverdict_open(struct doorverdict *j, struct door *d, struct resolve *dns)
{
	*j = (struct doorverdict){.door = d, .dns = dns, .judge = {.arg = j, .mail = on_mail,
	    .rcpt = on_rcpt, .content = on_content, .end = on_end}};
	if (dns)
		d->judge = &j->judge;
}

void
doorverdict_close(struct doorverdict *j)
{
	verdict_free(&j->verdict);
	err_free(&j->unreadable);
}
