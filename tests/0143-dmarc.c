/* DMARC: records, RFC 9989's tree walk, RFC 7489's list, alignment and policy. */
#include "dmarc.h"
#include "zonetext.h"

#include "tap.h"

#include <stdlib.h>

static unsigned asked;

static void
from_zone(void *arg, const char *name, enum answers_type type, struct answers *out)
{
	asked++;
	if (zonetext_find(arg, name, type, out) == ZONETEXT_LISTED)
		out->says = ANSWERS_NODATA;
}

static void
record_test(void)
{
	static const struct {
		const char *text;
		bool good;
		const char *want; /* p sp np adkim aspf t pct psd */
	} r[] = {
	    {"v=DMARC1; p=none", true, "none none none r r - 100 u"},
	    {"v=DMARC1;p=reject;sp=none;np=quarantine;adkim=s;aspf=s;t=y;pct=5;psd=n", true,
	     "reject none quarantine s s y 5 n"},
	    {"v = DMARC1 ; p = Reject ; sp=quarantine; psd=y;", true, "reject quarantine quarantine r r - 100 y"},
	    {"v=DMARC1; p=reject; adkim=x; aspf=; pct=101; t=n; psd=z; x=y", true, "reject reject reject r r - 100 u"},
	    {"v=DMARC1; p=none; p=reject", false, ""},
	    /* RFC 9989 4.7: syntax errors behind v= are discarded */
	    {"v=DMARC1; p=reject; junk; sp=none", true, "reject none none r r - 100 u"},
	    {"v=DMARC1;; ;p=quarantine; =x; 1=2", true, "quarantine quarantine quarantine r r - 100 u"},
	    {"v=DMARC1; adkim=\1s; p=reject", true, "reject reject reject r r - 100 u"},
	    {"v=DMARC1; p reject", false, ""},
	    {"v=DMARC1", false, ""},
	    {"v=DMARC1; p=nothing", false, ""},
	    {"v=DMARC1; p=nothing; rua=mailto:a@b.c", true, "none none none r r - 100 u"},
	    {"v=DMARC1; p=reject; sp=bad; rua=x, mailto:a@b.c!10m", true, "none none none r r - 100 u"},
	    {"v=DMARC1; rua=mailto:a@b.c", true, "none none none r r - 100 u"},
	    {"v=DMARC1; rua=nobody", false, ""},
	    {"v=DMARC1; p=reject; np=bad", false, ""},
	    {"p=none; v=DMARC1", false, ""},
	    {"v=dmarc1; p=none", false, ""}, /* RFC 9989 4.8: case-sensitive */
	    {"v=DMARC10; p=none", false, ""},
	    {"v=DMARC1 p=none", false, ""},
	    {"V=DMARC1; p=none", false, ""},
	    {"", false, ""},
	};

	for (size_t i = 0; i < sizeof r / sizeof *r; i++) {
		struct dmarc_record d;
		struct buf b = BUF_INIT;
		struct err e = ERR_INIT;

		if (dmarc_parse(span_of(r[i].text), &d, &e) == 0)
			buf_fmt(&b, "%s %s %s %s %s %s %u %c", dmarc_policy_name(d.p), dmarc_policy_name(d.sp),
			    dmarc_policy_name(d.np), d.adkim_strict ? "s" : "r", d.aspf_strict ? "s" : "r",
			    d.testing ? "y" : "-", d.pct, "uyn"[d.psd]);
		is_str(b.s, r[i].want, r[i].text);
		ok((b.len > 0) == r[i].good, "which is %sa record", r[i].good ? "" : "not ");
		buf_free(&b);
		err_free(&e);
	}
}

static const char zone[] =
    /* RFC 9989's own: an organization with subdomains; a public suffix that says so */
    "_dmarc.example.com TXT \"v=DMARC1; p=reject; sp=quarantine; np=none\"\n"
    "there.example.com A 192.0.2.1\n"
    "_dmarc.own.example.com TXT \"v=DMARC1; p=none\"\n"
    "_dmarc.unit.example.com TXT \"v=DMARC1; p=quarantine; psd=n; aspf=s\"\n"
    "_dmarc.psd.test TXT \"v=DMARC1; p=reject; np=quarantine; psd=y\"\n"
    "there.psd.test A 192.0.2.1\n"
    "_dmarc.big.psd.test TXT \"v=DMARC1; p=none; adkim=s\"\n"
    "_dmarc.reg.up.test TXT \"v=DMARC1; p=reject; psd=y\"\nhere.reg.up.test A 192.0.2.1\n"
    "_dmarc.up.test TXT \"v=DMARC1; p=none\"\n"
    "_dmarc.com.test TXT \"v=DMARC1; p=none; psd=y\"\n" /* of a registry that sends mail itself */
    "_dmarc.two.test TXT \"v=DMARC1; p=none\"\n_dmarc.two.test TXT \"v=DMARC1; p=reject\"\n"
    "_dmarc.mixed.test TXT \"v=spf1 -all\"\n_dmarc.mixed.test TXT \"v=DMARC1; p=reject\"\n"
    "_dmarc.broken.test TXT \"v=DMARC1; p=perhaps\"\n"
    "_dmarc.away.test SERVFAIL\n"
    "_dmarc.half.away.test TXT \"v=DMARC1; p=reject\"\n"
    "_dmarc.trial.test TXT \"v=DMARC1; p=reject; t=y\"\n"
    "_dmarc.trialq.test TXT \"v=DMARC1; p=quarantine; t=y\"\n"
    "_dmarc.h.i.j.deep.test TXT \"v=DMARC1; p=quarantine\"\n"
    "_dmarc.f.g.h.i.j.deep.test TXT \"v=DMARC1; p=none\"\n"
    /* of 9 labels: from below never asked for */
    "_dmarc.d.e.f.g.h.i.j.deep.test TXT \"v=DMARC1; p=reject; psd=y\"\n"
    "_dmarc.uk TXT \"v=DMARC1; p=reject\"\n"; /* RFC 7489 asks no public suffix */

static const struct {
	const char *what, *from, *dkim, *spf;
	enum dmarc_result result;
	const char *at, *organization;
	enum dmarc_policy policy, applied;
} t[] = {
#define N DMARC_POLICY_NONE
#define Q DMARC_POLICY_QUARANTINE
#define R DMARC_POLICY_REJECT
    {"no record anywhere", "a.none.test", "a.none.test", "", DMARC_NONE, "", "a.none.test", N, N},
    {"DKIM of the same domain", "example.com", "example.com", "", DMARC_PASS, "example.com", "example.com", R, N},
    {"without case", "Example.com", "eXample.com", "", DMARC_PASS, "Example.com", "Example.com", R, N},
    {"SPF of the same domain", "example.com", "", "example.com", DMARC_PASS, "example.com", "example.com", R, N},
    {"neither", "example.com", "example.org", "example.net", DMARC_FAIL, "example.com", "example.com", R, R},
    {"nobody", "example.com", "", "", DMARC_FAIL, "example.com", "example.com", R, R},
    {"relaxed: below", "example.com", "mail.example.com", "", DMARC_PASS, "example.com", "example.com", R, N},
    {"relaxed: above", "there.example.com", "example.com", "", DMARC_PASS, "example.com", "example.com", Q, N},
    {"relaxed: beside", "there.example.com", "", "b.example.com", DMARC_PASS, "example.com", "example.com", Q, N},
    {"not what ends the same", "example.com", "badexample.com", "", DMARC_FAIL, "example.com", "example.com", R, R},
    {"sp= for a subdomain", "there.example.com", "", "", DMARC_FAIL, "example.com", "example.com", Q, Q},
    {"np= for one that does not exist", "gone.example.com", "", "", DMARC_FAIL, "example.com", "example.com", N, N},
    {"its own record first", "own.example.com", "", "", DMARC_FAIL, "own.example.com", "example.com", N, N},
    {"and still the same organization", "own.example.com", "example.com", "", DMARC_PASS, "own.example.com", "example.com", N, N},
    {"psd=n: an organization of its own", "unit.example.com", "example.com", "", DMARC_FAIL, "unit.example.com",
     "unit.example.com", Q, Q},
    {"and below it", "a.unit.example.com", "b.unit.example.com", "", DMARC_PASS, "unit.example.com",
     "unit.example.com", Q, N},
    {"aspf=s", "unit.example.com", "", "a.unit.example.com", DMARC_FAIL, "unit.example.com", "unit.example.com", Q, Q},
    {"aspf=s, the same", "unit.example.com", "", "unit.example.com", DMARC_PASS, "unit.example.com", "unit.example.com", Q, N},
    {"psd=y: one label below", "there.psd.test", "a.there.psd.test", "", DMARC_PASS, "psd.test", "there.psd.test", R, N},
    {"another one below it is a stranger", "there.psd.test", "other.psd.test", "", DMARC_FAIL, "psd.test",
     "there.psd.test", R, R},
    {"and nobody asks above it", "here.reg.up.test", "other.reg.up.test", "", DMARC_FAIL, "reg.up.test",
     "here.reg.up.test", R, R},
    {"its np=", "gone.psd.test", "", "", DMARC_FAIL, "psd.test", "gone.psd.test", Q, Q},
    {"a record below a public suffix", "x.big.psd.test", "big.psd.test", "", DMARC_FAIL, "big.psd.test", "big.psd.test", N, N},
    {"adkim=s, the same", "big.psd.test", "big.psd.test", "", DMARC_PASS, "big.psd.test", "big.psd.test", N, N},
    {"the public suffix itself sends", "com.test", "com.test", "", DMARC_PASS, "com.test", "com.test", N, N},
    {"two records are none", "two.test", "two.test", "", DMARC_PERMERROR, "", "two.test", N, N},
    {"another text beside is nothing", "mixed.test", "", "", DMARC_FAIL, "mixed.test", "mixed.test", R, R},
    {"a broken one", "broken.test", "", "", DMARC_PERMERROR, "", "broken.test", N, N},
    {"SERVFAIL", "away.test", "away.test", "", DMARC_TEMPERROR, "", "away.test", N, N},
    {"SERVFAIL on the way", "a.away.test", "", "", DMARC_TEMPERROR, "", "a.away.test", N, N},
    {"SERVFAIL above a record", "half.away.test", "half.away.test", "", DMARC_PASS, "half.away.test", "half.away.test", R, N},
    {"where nothing is aligned it matters", "half.away.test", "away.test", "", DMARC_TEMPERROR, "half.away.test",
     "half.away.test", R, N},
    {"t=y: reject is quarantine", "trial.test", "", "", DMARC_FAIL, "trial.test", "trial.test", R, Q},
    {"t=y: quarantine is none", "trialq.test", "", "", DMARC_FAIL, "trialq.test", "trialq.test", Q, N},
    {"ten labels: on to seven", "b.d.e.f.g.h.i.j.deep.test", "", "", DMARC_FAIL, "h.i.j.deep.test",
     "h.i.j.deep.test", Q, Q},
#undef N
#undef Q
#undef R
};

/* What the list of public suffixes says of the few names here. */
static void
by_list(void *arg, struct span domain, struct buf *out)
{
	(void)arg;
	buf_str(out, span_ends(domain, SPAN("example.com")) ? "example.com" :
	    span_ends(domain, SPAN("a.co.uk")) ? "a.co.uk" : "psd.test");
}

static void
list_test(const struct asker *dns)
{
	static const struct {
		const char *what, *from, *dkim;
		enum dmarc_result result;
		const char *at;
		enum dmarc_policy policy;
	} l[] = {
	    {"RFC 7489: the organization's record", "x.y.example.com", "z.example.com", DMARC_PASS, "example.com",
	     DMARC_POLICY_QUARANTINE},
	    {"its own", "own.example.com", "", DMARC_FAIL, "own.example.com", DMARC_POLICY_NONE},
	    {"what is in between is not asked for", "x.own.example.com", "", DMARC_FAIL, "example.com",
	     DMARC_POLICY_QUARANTINE},
	    {"nor what is above", "a.co.uk", "a.co.uk", DMARC_NONE, "", DMARC_POLICY_NONE},
	    {"psd= is nothing, and np= is not there yet", "gone.example.com", "", DMARC_FAIL, "example.com",
	     DMARC_POLICY_QUARANTINE},
	};

	for (size_t i = 0; i < sizeof l / sizeof *l; i++) {
		struct span dkim = span_of(l[i].dkim);
		struct dmarc_query q = {.from = span_of(l[i].from), .dkim = &dkim, .n_dkim = dkim.n > 0,
		    .organization = by_list};
		struct dmarc d;

		dmarc_check(&q, dns, &d);
		is_str(dmarc_result_name(d.result), dmarc_result_name(l[i].result), l[i].what);
		is_str(d.at.s, l[i].at, "whose record");
		is_str(dmarc_policy_name(d.policy), dmarc_policy_name(l[i].policy), "the policy");
		dmarc_free(&d);
	}
}

static void
temporary_test(const struct asker *dns)
{
	struct dmarc_query q = {.from = SPAN("example.com"), .dkim_temporary = true};
	struct span other = SPAN("example.com");
	struct dmarc d;

	dmarc_check(&q, dns, &d);
	is_num(d.result, DMARC_TEMPERROR, "a signature that could not be decided: nor can this");
	dmarc_free(&d);
	q.dkim = &other;
	q.n_dkim = 1;
	dmarc_check(&q, dns, &d);
	is_num(d.result, DMARC_PASS, "where another one passes it does not matter");
	dmarc_free(&d);
	q = (struct dmarc_query){.from = SPAN("example.com"), .spf_temporary = true};
	dmarc_check(&q, dns, &d);
	is_num(d.result, DMARC_TEMPERROR, "likewise SPF");
	dmarc_free(&d);
}

/* RFC 9989 4.10: eight questions, whatever the name. */
static void
steps_test(const struct asker *dns)
{
	struct buf name = BUF_INIT;

	for (int i = 0; i < 100; i++)
		buf_fmt(&name, "%sa", i ? "." : "");
	for (int labels = 1; labels <= 100; labels++) {
		struct dmarc_query q = {.from = {name.s, (size_t)labels * 2 - 1}};
		struct dmarc d;

		asked = 0;
		dmarc_check(&q, dns, &d);
		ok(asked == (labels < 8 ? (unsigned)labels : 8), "%d labels: %u questions", labels, asked);
		dmarc_free(&d);
	}
	buf_free(&name);
}

int
main(void)
{
	struct zonetext *z;
	struct asker dns;
	struct err e = ERR_INIT;

	record_test();
	is_num(zonetext_parse(&z, SPAN(zone), "zone", &e), 0, "the zone");
	dns = (struct asker){from_zone, z};
	for (size_t i = 0; z && i < sizeof t / sizeof *t; i++) {
		struct span dkim = span_of(t[i].dkim);
		struct dmarc_query q = {.from = span_of(t[i].from), .dkim = &dkim, .n_dkim = dkim.n > 0,
		    .spf = span_of(t[i].spf)};
		struct dmarc d;

		dmarc_check(&q, &dns, &d);
		is_str(dmarc_result_name(d.result), dmarc_result_name(t[i].result), t[i].what);
		is_str(d.at.s, t[i].at, "whose record");
		is_str(d.organization.s, t[i].organization, "the organization");
		is_str(dmarc_policy_name(d.policy), dmarc_policy_name(t[i].policy), "what is asked for");
		is_str(dmarc_policy_name(d.applied), dmarc_policy_name(t[i].applied), "and what is done");
		dmarc_free(&d);
	}
	list_test(&dns);
	temporary_test(&dns);
	steps_test(&dns);
	zonetext_free(z);
	err_free(&e);
	return tap_done();
}
