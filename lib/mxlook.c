#include "mxlook.h"

#include "addr.h"
#include "entry.h"
#include "idn.h"
#include "io.h"
#include "knock.h"
#include "prog.h"
#include "routeaddrs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what is asked for */

static int
domain_of(struct span text, struct buf *out, struct err *e)
{
	struct span t = span_trim(text);
	struct span d = addr_domain(t);

	if (d.n == 0 && (t.n == 0 || t.p[t.n - 1] != '@'))
		d = t;
	if (d.n > 1 && d.p[d.n - 1] == '.')
		d.n--;
	if (d.n == 0)
		return err_set(e, EX_DATAERR, "not a domain");
	if (d.p[0] != '[')
		return idn_to_ascii(d, out, e);
	entry_name_domain(d, out);
	return span_eq((struct span){out->s, out->len}, SPAN("+")) ? err_set(e, EX_DATAERR, "not an address literal") : 0;
}

/* --- explaining */

static void
say_answers(struct buf *b, const struct answers *a, const char *type)
{
	bool tlsa = strcmp(type, answers_type_name(ANSWERS_TLSA)) == 0;
	bool txt = strcmp(type, answers_type_name(ANSWERS_TXT)) == 0;

	for (size_t i = 0; i < a->n; i++) {
		const struct answers_record *r = &a->v[i];

		buf_str(b, i ? ", " : " ");
		if (r->addr.u.sa.sa_family != AF_UNSPEC) {
			net_addr_text(&r->addr, b);
		} else if (tlsa && r->text.len >= 3) {
			buf_fmt(b, "%u %u %u", (unsigned char)r->text.s[0], (unsigned char)r->text.s[1],
			    (unsigned char)r->text.s[2]);
		} else if (txt) { /* it stays one line, whatever stands in it */
			buf_ch(b, '"');
			prog_escape(b, (struct span){r->text.s, r->text.len});
			buf_ch(b, '"');
		} else if (!tlsa) {
			buf_fmt(b, "%u %s", r->preference, r->text.len ? r->text.s : ".");
		}
	}
}

static void
told(void *arg, const struct dns_told *t)
{
	static const char *const says[] = {[ANSWERS_SOME] = "", [ANSWERS_NODATA] = " none",
	    [ANSWERS_NXDOMAIN] = " no such name", [ANSWERS_SERVFAIL] = " failed",
	    [ANSWERS_TIMEOUT] = " timed out"};
	struct mxlook *m = arg;
	struct buf *b = &m->told;

	buf_fmt(b, "%s %s:", t->type, t->name);
	say_answers(b, t->is, t->type);
	buf_fmt(b, "%s (", says[t->is->says]);
	if (answers_temporary(t->is))
		buf_str(b, t->is->why.s);
	else if (t->from)
		net_addr_text(t->from, b);
	else
		buf_str(b, "known already");
	if (!answers_temporary(t->is))
		buf_fmt(b, ", %s, %u s", t->is->secure ? "secure" : "insecure", t->is->ttl_s);
	buf_str(b, ")\n");
}

static bool
is_kept(const struct route *r, const char *host)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->hosts[i].name, host) == 0)
			return true;
	return false;
}

/* Which section of the configuration covers it, if any. */
static void
say_route(struct mxlook *m, const struct mxlook_with *with)
{
	if (m->route.by)
		buf_fmt(&m->told, "route \"%s\" of the configuration\n", m->route.by->match);
	if (!with->sender && route_by_sender(with->conf, m->domain.s))
		buf_str(&m->told, "some senders' mail may go elsewhere: --sender\n");
}

/* MX hosts that the route does not have: route.h says why there are such. */
static void
say_dropped(struct mxlook *m, const struct mxlook_with *with, struct dns *d, int64_t deadline)
{
	struct dns_mx_list mx = {0};
	struct err e = ERR_INIT;

	if (m->route.configured || m->route.literal)
		return;
	dns_tell(d, NULL, NULL); /* it was told already */
	dns_mx(d, m->domain.s, deadline, &mx, &e);
	dns_tell(d, told, m);
	err_free(&e);
	for (size_t i = 0; i < mx.n; i++)
		if (*mx.v[i].host && !is_kept(&m->route, mx.v[i].host))
			buf_fmt(&m->told, "left out: %u %s, which is %s\n", mx.v[i].preference, mx.v[i].host,
			    span_ieq(span_of(mx.v[i].host), span_of(with->conf->hostname)) ? "ourselves"
			    : span_ends(span_of(mx.v[i].host), SPAN("localhost"))
			    ? "nobody's mail exchanger"
			    : "at or behind ourselves, or one too many");
	dns_mx_free(&mx);
}

static void
say_policy(struct mxlook *m, const struct mxlook_host *h, const char *host, const struct dns *d,
    const struct dns_addrs *addrs)
{
	bool asked = h->policy.tlsa.says != ANSWERS_NXDOMAIN || h->policy.tlsa.ttl_s > 0;

	buf_fmt(&m->told, "policy of %s: %s", host, tlspolicy_name(h->policy.level));
	if (h->policy.because[0])
		buf_fmt(&m->told, ", by %s", h->policy.because);
	else if (h->policy.testing)
		buf_fmt(&m->told, ", by %s, which is being tested", h->policy.by.s);
	else if (m->route.tls == CONF_TLS_AUTO && !asked)
		buf_fmt(&m->told, ", DANE is off: %s", !dns_validates(d)
		    ? "the resolver is not on loopback, and trust_ad is not set"
		    : !m->route.secure && !m->route.configured ? "the MX records are not signed"
		    : !addrs->secure ? "its addresses are not signed" : "");
	else if (m->route.tls == CONF_TLS_AUTO)
		buf_str(&m->told, ", without TLSA records that are secure");
	buf_ch(&m->told, '\n');
}

/* --- hosts */

static void
keep_error(struct mxlook_host *h, const char *status, struct err *e)
{
	h->code = e->code;
	snprintf(h->status, sizeof h->status, "%s", status);
	buf_str(&h->why, err_text(e));
	err_free(e);
}

/* As they were said: ehlo_parse() keeps only what it knows. */
static void
keep_keywords(struct mxlook_host *h, const struct smtp *s)
{
	struct cur c = cur_of(s->hello.s, s->hello.len);
	struct span line;
	bool first = true;

	while (cur_line(&c, &line)) {
		if (!first) { /* the first is a greeting */
			buf_str(&h->keywords, h->keywords.len ? ", " : "");
			buf_add(&h->keywords, line.p, line.n);
		}
		first = false;
	}
}

/* As a delivery of the stream would, from its pool's address. */
static int
open_at(const struct mxlook_with *with, const struct mxlook_host *h, const struct net_addr *a,
    struct smtp *s, struct err *e)
{
	struct knock k = {.conf = with->conf, .host = h->policy.host, .policy = &h->policy, .lmtp = h->lmtp};

	if (identities_get(with->identities, h->by, &k.identity, e))
		return e->code;
	if (h->pool != SOURCES_NONE) {
		k.source = sources_pick(with->sources, h->pool, a->u.sa.sa_family);
		if (!k.source)
			return err_set(e, EX_TEMPFAIL, "pool \"%s\" has no address that can be used now",
			    sources_name(with->sources, h->pool));
	}
	return knock(&k, a, s, e);
}

int
mxlook_open(const struct mxlook_with *with, const struct mxlook_host *h, struct smtp *s, struct err *e)
{
	return h->addrs.n > h->met_at ? open_at(with, h, &h->addrs.v[h->met_at], s, e)
	                              : err_set(e, EX_TEMPFAIL, "no address");
}

static int
meet(struct mxlook_host *h, const struct mxlook_with *with, const struct net_addr *a, struct err *e)
{
	struct smtp s;
	int rc;

	smtp_init(&s);
	rc = open_at(with, h, a, &s, e);
	h->met = s.reply.code != 0 || !rc;
	h->trouble_status = s.tls_status ? s.tls_status : "4.4.1";
	if (!rc)
		keep_keywords(h, &s);
	buf_add(&h->tls, s.tls.s, s.tls.len);
	smtp_quit(&s);
	smtp_free(&s);
	return rc;
}

static void
connect_host(struct mxlook_host *h, const struct mxlook_with *with)
{
	for (size_t i = 0; i < h->addrs.n && !h->met; i++) {
		struct err e = ERR_INIT;

		buf_cut(&h->addr, 0);
		net_endpoint_text(&h->addrs.v[i], &h->addr);
		buf_cut(&h->trouble, 0);
		h->met_at = i;
		if (meet(h, with, &h->addrs.v[i], &e))
			buf_str(&h->trouble, err_text(&e));
		err_free(&e);
	}
}

/* And which of the hosts are in it, from the first to before the end-th. */
static void
say_sts(struct mxlook *m, const struct stsfile *f, size_t first, size_t end)
{
	const struct stsfile *valid = stskeep_valid(f);
	uint64_t now_s = io_time_us() / 1000000;

	if (valid)
		buf_fmt(&m->told, "MTA-STS policy of %s: %s, id %s, fetched %llu s ago, max_age %llu s\n", f->domain,
		    sts_mode_name(f->policy.mode), f->id.s,
		    (unsigned long long)(now_s > f->fetched_s ? now_s - f->fetched_s : 0),
		    (unsigned long long)f->policy.max_age_s);
	for (size_t i = first; valid && i < end; i++)
		buf_fmt(&m->told, "%s is %sin it\n", m->route.hosts[i].name,
		    sts_policy_has(&valid->policy, m->route.hosts[i].name) ? "" : "not ");
	if (stskeep_why(f))
		buf_fmt(&m->told, "MTA-STS policy of %s: %s%s\n", f->domain, valid ? "no newer one: " : "none: ",
		    f->why.s);
}

static void
find_sts(struct mxlook *m, const struct mxlook_with *with, struct dns *d, int64_t deadline)
{
	bool old;

	if (m->route.configured || !with->sts || !route_heeds_sts(&m->route))
		return;
	stskeep_wait(with->sts, m->domain.s, d, deadline, &m->sts, &old);
	if (m->explain)
		say_sts(m, m->sts, 0, m->route.n);
}

/* What is known of the policy that a host is held to: the domain's, or a relay's own. */
static const struct stsfile *
find_known(struct mxlook *m, size_t i, const struct mxlook_with *with, struct dns *d, int64_t deadline)
{
	struct mxlook_host *h = &m->hosts[i];
	bool old;

	if (!m->route.configured)
		return m->sts;
	if (!route_heeds_sts(&m->route))
		return NULL;
	stskeep_relay(with->sts, m->route.hosts[i].name, d, deadline, &h->sts, &old);
	if (m->explain)
		say_sts(m, h->sts, i, i + 1);
	return h->sts;
}

static void
find_host(struct mxlook *m, size_t i, const struct mxlook_with *with, struct dns *d, int64_t deadline)
{
	struct mxlook_host *h = &m->hosts[i];
	const char *name = m->route.hosts[i].name;
	const struct stsfile *known;
	struct err e = ERR_INIT;
	int rc = route_addrs(&m->route, i, with->self, d, deadline, &h->addrs, &h->loop, &e);

	if (rc) {
		keep_error(h, rc == EX_NOHOST ? "5.4.4" : "4.4.3", &e);
		return;
	}
	if (h->loop) {
		err_set(&e, EX_UNAVAILABLE, "%s leads back to this machine", name);
		keep_error(h, "5.4.6", &e);
		return;
	}
	if (route_is_here(&m->route))
		return;
	h->lmtp = m->route.kind == ROUTE_LMTP;
	h->by = m->route.by;
	h->pool = SOURCES_NONE;
	if (!m->route.ends)
		h->pool = sources_pool(with->sources, conf_pool(with->conf, m->route.limits, with->stream));
	if (h->pool != SOURCES_NONE && knock_reachable(with->sources, h->pool, name, &h->addrs, &e)) {
		keep_error(h, "4.3.5", &e);
		return;
	}
	known = find_known(m, i, with, d, deadline);
	rc = tlspolicy_find(&m->route, i, &h->addrs, stskeep_valid(known), stskeep_why(known), d, deadline,
	    &h->policy, h->status, &e);
	h->policy.domain = m->route.configured ? NULL : m->domain.s;
	h->policy.cas = with->cas;
	h->policy.sts_cas = with->sts_cas;
	if (m->explain)
		say_policy(m, h, name, d, &h->addrs);
	if (rc)
		keep_error(h, "4.7.5", &e);
	else if (with->connect)
		connect_host(h, with);
}

/* RFC 5321 5.1: behind a host that is ourselves nobody is tried. */
static void
pass_over(struct mxlook_host *h)
{
	struct err e = ERR_INIT;

	err_set(&e, EX_UNAVAILABLE, "behind one that leads back to this machine");
	keep_error(h, "5.4.6", &e);
}

/* --- the whole */

/* No host of all can be used: for good only if all say so (reach.h). */
static void
judge(struct mxlook *m)
{
	const struct mxlook_host *worst = &m->hosts[0];

	for (size_t i = 0; i < m->route.n; i++) {
		if (m->hosts[i].code == 0)
			return;
		if (m->hosts[i].code == EX_TEMPFAIL && worst->code != EX_TEMPFAIL)
			worst = &m->hosts[i];
	}
	m->code = worst->code;
	memcpy(m->status, worst->status, sizeof m->status);
	buf_add(&m->why, worst->why.s, worst->why.len);
}

void
mxlook_find(struct mxlook *m, const struct mxlook_with *with, struct dns *d, struct span text,
    bool explain)
{
	int64_t deadline = io_now_ms() + with->wait_ms;
	struct err e = ERR_INIT;
	bool stop = false;

	*m = (struct mxlook){.domain = BUF_INIT, .why = BUF_INIT, .told = BUF_INIT, .explain = explain};
	dns_tell(d, explain ? told : NULL, m);
	m->code = domain_of(text, &m->domain, &e);
	if (m->code)
		memcpy(m->status, "5.1.2", 6);
	else
		m->code = route_resolve(with->conf, route_find(with->conf, m->domain.s, with->sender), with->self, d,
		    m->domain.s, with->seed, deadline, &m->route, m->status, &e);
	if (m->code == EX_NOHOST && m->domain.len > 0 && m->domain.s[0] == '[')
		m->code = EX_DATAERR; /* no literal: not a domain either, and nobody was asked */
	if (m->domain.len > 0 && explain)
		say_route(m, with);
	buf_str(&m->why, m->code ? err_text(&e) : "");
	err_free(&e);
	if (m->code)
		return;
	if (explain)
		say_dropped(m, with, d, deadline);
	if (with->addresses)
		find_sts(m, with, d, deadline);
	m->hosts = mem_alloc(m->route.n * sizeof *m->hosts);
	for (size_t i = 0; i < m->route.n; i++) {
		m->hosts[i] = (struct mxlook_host){.why = BUF_INIT, .addr = BUF_INIT, .keywords = BUF_INIT,
		    .tls = BUF_INIT, .trouble = BUF_INIT, .policy = TLSPOLICY_INIT};
		if (with->addresses && stop)
			pass_over(&m->hosts[i]);
		else if (with->addresses)
			find_host(m, i, with, d, deadline);
		stop = stop || (m->hosts[i].loop && i >= route_before(&m->route, i));
	}
	if (with->addresses)
		judge(m);
}

void
mxlook_free(struct mxlook *m)
{
	for (size_t i = 0; m->hosts && i < m->route.n; i++) {
		struct mxlook_host *h = &m->hosts[i];

		dns_addrs_free(&h->addrs);
		tlspolicy_free(&h->policy);
		stsfile_drop(h->sts);
		buf_free(&h->why);
		buf_free(&h->addr);
		buf_free(&h->keywords);
		buf_free(&h->tls);
		buf_free(&h->trouble);
	}
	free(m->hosts);
	m->hosts = NULL;
	stsfile_drop(m->sts);
	m->sts = NULL;
	route_free(&m->route);
	buf_free(&m->domain);
	buf_free(&m->why);
	buf_free(&m->told);
}
