#include "checksts.h"

#include "io.h"
#include "net.h"

#include <string.h>
#include <unistd.h>

#define HTTPS_PORT 443
#define CONNECT_S 10

static const char expected[] = "a policy that can be fetched, and that names each MX";

static bool
has_record(const struct findings *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].id == CHECK_MTA_STS)
			return l->v[i].says == FINDING_PASS;
	return false;
}

static void
violated(struct findings *l, const char *found, const char *fix)
{
	struct finding *f = finding_violated(l, CHECK_MTA_STS_POLICY);

	buf_str(&f->expected, expected);
	buf_str(&f->found, found);
	buf_str(&f->fix, fix);
}

static void
unsure(struct findings *l, const char *found, const char *fix)
{
	struct finding *f = finding_add(l, CHECK_MTA_STS_POLICY, FINDING_UNSURE);

	buf_str(&f->expected, expected);
	buf_str(&f->found, found);
	buf_str(&f->fix, fix);
}

/* --- a policy that cannot be had */

/* Whether somebody takes connections there: what he then did not give is his fault, else it may be ours. */
static bool
answers_https(const struct checksts *c, const char *host, const struct asker *dns, bool *nowhere)
{
	static const enum answers_type types[] = {ANSWERS_A, ANSWERS_AAAA};
	int64_t until = io_now_ms() + CONNECT_S * 1000;
	bool met = false;

	if (until > c->deadline_ms)
		until = c->deadline_ms;
	*nowhere = true;
	for (size_t k = 0; k < 2; k++) {
		struct answers a = ANSWERS_INIT;

		answers_ask(dns, span_of(host), types[k], &a);
		*nowhere = *nowhere && a.n == 0 && !answers_temporary(&a);
		for (size_t i = 0; i < a.n && !met; i++) {
			struct net_addr to = a.v[i].addr;
			struct err e = ERR_INIT;
			int fd;

			net_addr_set_port(&to, HTTPS_PORT);
			met = net_connect(&fd, &to, NULL, until, &e) == 0;
			if (met)
				close(fd);
			err_free(&e);
		}
		answers_free(&a);
	}
	return met;
}

static void
not_had(const struct checksts *c, const struct stsfile *f, const struct asker *dns, struct findings *l)
{
	bool theirs = strcmp(f->result.s, "sts-policy-fetch-error") != 0, nowhere;
	struct buf host = BUF_INIT, fix = BUF_INIT;

	buf_fmt(&host, "mta-sts.%.*s", SPAN_ARG(c->domain));
	buf_fmt(&fix, "serve it at https://%s/.well-known/mta-sts.txt, or withdraw the record", host.s);
	if (theirs || answers_https(c, host.s, dns, &nowhere) || nowhere)
		violated(l, f->why.s, fix.s);
	else
		unsure(l, f->why.s, "look from a machine that may connect to port 443");
	buf_free(&host);
	buf_free(&fix);
}

/* --- one that is there */

/* The clause of one host, to those who are in it or to those who are not. */
static void
place(const struct sts_policy *p, const char *host, struct buf *in, struct buf *out)
{
	struct buf *b = sts_policy_has(p, host) ? in : out;

	buf_fmt(b, "%s%s", b->len ? ", " : "", host);
}

static void
beside_mx(const struct checksts *c, const struct stsfile *f, const struct asker *dns, struct findings *l)
{
	struct buf in = BUF_INIT, out = BUF_INIT, is = BUF_INIT, name = BUF_INIT;
	struct answers a = ANSWERS_INIT;

	buf_add(&name, c->domain.p, c->domain.n);
	answers_ask(dns, c->domain, ANSWERS_MX, &a);
	for (size_t i = 0; i < a.n; i++)
		if (a.v[i].text.len) /* not the null MX */
			place(&f->policy, a.v[i].text.s, &in, &out);
	if (a.n == 0) /* RFC 5321 5.1: the implicit MX */
		place(&f->policy, name.s, &in, &out);
	buf_fmt(&is, "mode %s, max_age %llu", sts_mode_name(f->policy.mode),
	    (unsigned long long)f->policy.max_age_s);
	if (answers_temporary(&a)) {
		buf_str(&is, "; ");
		answers_say(&a, ANSWERS_MX, &is);
		unsure(l, is.s, "");
	} else if (out.len > 0 && f->policy.mode != STS_NONE) {
		buf_fmt(&is, "; not in it: %s", out.s);
		violated(l, is.s, "name them in its mx lines, and give the record another id");
	} else {
		finding_pass(l, CHECK_MTA_STS_POLICY, expected, "%s%s%s", is.s, in.len ? "; in it: " : "", in.s);
	}
	answers_free(&a);
	buf_free(&name);
	buf_free(&in);
	buf_free(&out);
	buf_free(&is);
}

void
checksts_findings(const struct checksts *c, const struct asker *dns, struct findings *l)
{
	struct stsfile *f = NULL;
	struct buf domain = BUF_INIT;
	struct err e = ERR_INIT;
	int rc;

	buf_add(&domain, c->domain.p, c->domain.n);
	if (!c->connect)
		finding_unseen(l, CHECK_MTA_STS_POLICY, expected, "nobody is connected to", "leave out --no-connect and --keys");
	else if (!has_record(l))
		finding_unseen(l, CHECK_MTA_STS_POLICY, expected, "there is no record that promises one", "");
	else if (!c->keep)
		finding_unseen(l, CHECK_MTA_STS_POLICY, expected, "the configuration heeds no policies", "set mta_sts = yes");
	else if ((rc = stskeep_fetch(c->keep, domain.s, c->overlay, c->deadline_ms, &f, &e)) == EX_UNAVAILABLE)
		finding_unseen(l, CHECK_MTA_STS_POLICY, expected, err_text(&e), "install mta-sts beside this program");
	else if (rc)
		unsure(l, err_text(&e), "");
	else if (stskeep_valid(f))
		beside_mx(c, f, dns, l);
	else
		not_had(c, f, dns, l);
	stsfile_drop(f);
	buf_free(&domain);
	err_free(&e);
}
