/* dkim-verify - the DKIM signatures of a message, and what DMARC makes of them. */
#include "askopt.h"
#include "authres.h"
#include "dkimsign.h"
#include "dkimverify.h"
#include "dmarc.h"
#include "io.h"
#include "json.h"
#include "prog.h"
#include "psl.h"
#include "spf.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: dkim-verify [-C file] [--keys file | --overlay file] [--resolver list] [--timeout time]"
    " [--max-signatures number] [--now time] [--header | --json]"
    " [--dmarc [--psl] [--ip address [--helo name] [--from sender]]] < message";

#define TIMEOUT_S 30
#define SECOND_US 1000000
#define PIECE 65536

struct tool {
	struct conf conf;
	struct askopt ask;
	struct resolve *resolve;
	struct dkimverify_rules rules;
	struct dkimverify *v;
	struct spf_query spf_query;
	struct spf spf;
	struct dmarc dmarc;
	struct buf from; /* the author's domain */
	struct psl *psl;
	const char *ip;
	bool json, header, want_dmarc, by_list;
};

enum { MAX = PROG_OWN, NOW, HEADER, DMARC, PSL, IP, HELO, FROM };
static const struct option options[] = {PROG_OPTIONS, ASKOPT_OPTIONS,
    {"json", no_argument, NULL, PROG_JSON}, {"max-signatures", required_argument, NULL, MAX},
    {"now", required_argument, NULL, NOW}, {"header", no_argument, NULL, HEADER},
    {"dmarc", no_argument, NULL, DMARC}, {"psl", no_argument, NULL, PSL},
    {"ip", required_argument, NULL, IP}, {"helo", required_argument, NULL, HELO},
    {"from", required_argument, NULL, FROM}, {NULL, 0, NULL, 0}};

static void
or_die(int rc, struct err *e)
{
	if (rc)
		prog_die(e);
}

static uint64_t
number(const char *option, const char *text, uint64_t min, uint64_t max, struct err *e)
{
	struct cur c = cur_span(span_of(text));
	uint64_t v;

	if (!cur_u64(&c, max, &v) || !cur_end(&c) || v < min)
		or_die(err_set(e, EX_USAGE, "%s: \"%s\" is not a number from %llu to %llu", option, text,
		    (unsigned long long)min, (unsigned long long)max), e);
	return v;
}

static void
take_option(struct tool *t, int c, struct err *e)
{
	switch (c) {
	case MAX: t->rules.max_signatures = number("--max-signatures", optarg, 1, DKIMVERIFY_SIGNATURES_MAX, e); break;
	case NOW: t->rules.now_s = number("--now", optarg, 0, INT64_MAX, e); break;
	case HEADER: t->header = true; break;
	case DMARC: t->want_dmarc = true; break;
	case PSL: t->by_list = true; break;
	case IP: t->ip = optarg; break;
	case HELO: t->spf_query.helo = span_of(optarg); break;
	case FROM: t->spf_query.sender = span_of(optarg); break;
	case PROG_JSON: t->json = true; break;
	default: askopt_other(&t->ask, c, optarg, usage);
	}
}

static void
read_options(struct tool *t, int argc, char *argv[], struct err *e)
{
	for (int c; (c = getopt_long(argc, argv, "C:", options, NULL)) != -1;)
		take_option(t, c, e);
	if (optind != argc || (t->json && t->header))
		prog_usage(usage);
	if (!t->want_dmarc && (t->by_list || t->ip))
		or_die(err_set(e, EX_USAGE, "--psl and --ip are for --dmarc"), e);
	if (!t->ip && (t->spf_query.helo.n || t->spf_query.sender.n))
		or_die(err_set(e, EX_USAGE, "--helo and --from want --ip"), e);
	if (!t->ip)
		return;
	if (span_eq(t->spf_query.sender, SPAN("<>")))
		t->spf_query.sender.n = 0;
	if (!net_addr_parse(&t->spf_query.ip, span_of(t->ip), 0))
		or_die(err_set(e, EX_USAGE, "--ip: \"%s\" is no address", t->ip), e);
	if (t->spf_query.sender.n == 0 && t->spf_query.helo.n == 0)
		or_die(err_set(e, EX_USAGE, "--ip wants --from, or --helo for an empty sender"), e);
}

static void
read_message(struct tool *t, struct err *e)
{
	char *piece = mem_alloc(PIECE);
	size_t got;

	do {
		if (io_read(STDIN_FILENO, piece, PIECE, &got, e) || dkimverify_add(t->v, piece, got, e))
			or_die(err_in(e, "stdin"), e);
	} while (got > 0);
	free(piece);
}

/* --- DMARC */

static void
by_list(void *arg, struct span domain, struct buf *out)
{
	psl_organization(arg, domain, out);
}

static void
check_spf(struct tool *t)
{
	t->spf_query.receiver = span_of(t->conf.hostname);
	t->spf_query.time_s = t->rules.now_s;
	spf_check(&t->spf_query, resolve_asker(t->resolve), &t->spf);
}

static void
check_dmarc(struct tool *t, struct err *e)
{
	size_t n = dkimverify_count(t->v);
	struct span *domains = mem_grow(NULL, n + 1, sizeof *domains);
	struct dmarc_query q = {.dkim = domains};

	if (dkimsign_from(dkimverify_head(t->v), &t->from, e)) {
		t->dmarc.result = DMARC_PERMERROR;
		buf_str(&t->dmarc.why, err_text(e));
		err_free(e);
		free(domains);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const struct dkim_checked *c = dkimverify_at(t->v, i);

		if (c->result == DKIM_PASS)
			domains[q.n_dkim++] = (struct span){c->sig.d.s, c->sig.d.len};
		q.dkim_temporary |= c->result == DKIM_TEMPERROR;
	}
	q.from = (struct span){t->from.s, t->from.len};
	if (t->ip && t->spf.result == SPF_PASS)
		q.spf = (struct span){t->spf.domain.s, t->spf.domain.len};
	q.spf_temporary = t->ip && t->spf.result == SPF_TEMPERROR;
	if (t->by_list) {
		or_die(psl_open(&t->psl, e), e);
		q.organization = by_list;
		q.arg = t->psl;
	}
	dmarc_check(&q, resolve_asker(t->resolve), &t->dmarc);
	free(domains);
}

/* --- what is said */

static struct span
b_shown(const struct dkim_checked *c)
{
	return (struct span){c->sig.b_text.s, c->b_shown};
}

static void
dkim_clause(const struct dkim_checked *c, struct buf *out)
{
	authres_clause(out, "dkim", dkim_result_name(c->result), (struct span){c->why.s, c->why.len});
	authres_prop(out, "header.d", (struct span){c->sig.d.s, c->sig.d.len});
	authres_prop(out, "header.s", (struct span){c->sig.s.s, c->sig.s.len});
	authres_prop(out, "header.a", c->sig.a);
	authres_prop(out, "header.b", b_shown(c));
	buf_ch(out, '\n');
}

static void
dmarc_clause(const struct tool *t, struct buf *out)
{
	const struct dmarc *d = &t->dmarc;
	struct buf why = BUF_INIT;

	buf_add(&why, d->why.s, d->why.len);
	if (d->at.len) {
		buf_fmt(&why, "; p=%s", dmarc_policy_name(d->policy));
		if (d->parsed.testing)
			buf_str(&why, " t=y");
		if (t->by_list && d->parsed.pct < 100)
			buf_fmt(&why, " pct=%u", d->parsed.pct);
		buf_fmt(&why, " of %s", d->at.s);
	}
	authres_clause(out, "dmarc", dmarc_result_name(d->result), (struct span){why.s, why.len});
	authres_prop(out, "header.from", (struct span){t->from.s, t->from.len});
	buf_ch(out, '\n');
	buf_free(&why);
}

static void
clauses(const struct tool *t, struct buf *out)
{
	size_t n = dkimverify_count(t->v), beyond = dkimverify_beyond(t->v);
	struct buf why = BUF_INIT;

	for (size_t i = 0; i < n; i++)
		dkim_clause(dkimverify_at(t->v, i), out);
	if (beyond) {
		buf_fmt(&why, "%zu more signatures than the %zu that are looked at", beyond, n);
		authres_clause(out, "dkim", dkim_result_name(DKIM_POLICY), (struct span){why.s, why.len});
		buf_ch(out, '\n');
	} else if (n == 0) {
		authres_clause(out, "dkim", dkim_result_name(DKIM_NONE), SPAN("message is not signed"));
		buf_ch(out, '\n');
	}
	if (t->ip) {
		authres_clause(out, "spf", spf_result_name(t->spf.result),
		    (struct span){t->spf.why.s, t->spf.why.len});
		authres_prop(out, t->spf_query.sender.n ? "smtp.mailfrom" : "smtp.helo",
		    t->spf_query.sender.n ? t->spf_query.sender : t->spf_query.helo);
		buf_ch(out, '\n');
	}
	if (t->want_dmarc)
		dmarc_clause(t, out);
	buf_free(&why);
}

static void
json_signature(const struct dkim_checked *c, struct buf *b)
{
	const struct dkimsig *s = &c->sig;
	struct buf h = BUF_INIT;

	json_open(b);
	json_str(b, "result", span_of(dkim_result_name(c->result)));
	json_str(b, "reason", (struct span){c->why.s, c->why.len});
	json_str(b, "domain", (struct span){s->d.s, s->d.len});
	json_str(b, "selector", (struct span){s->s.s, s->s.len});
	json_str(b, "identity", (struct span){s->i.s, s->i.len});
	json_str(b, "algorithm", s->a);
	json_str(b, "b", b_shown(c));
	dkim_unfold(s->h, &h);
	json_str(b, "headers", (struct span){h.s, h.len});
	if (c->bits)
		json_num(b, "bits", (int64_t)c->bits);
	if (s->limit <= INT64_MAX)
		json_num(b, "unsigned_bytes", (int64_t)c->unsigned_bytes);
	if (s->has_time && s->time_s <= INT64_MAX)
		json_num(b, "signed_at", (int64_t)s->time_s);
	if (s->has_expiry && s->expiry_s <= INT64_MAX)
		json_num(b, "expires", (int64_t)s->expiry_s);
	json_bool(b, "testing", c->testing);
	json_close(b);
	buf_free(&h);
}

static void
json_dmarc(const struct tool *t, struct buf *b)
{
	const struct dmarc *d = &t->dmarc;

	json_obj(b, "dmarc");
	json_str(b, "result", span_of(dmarc_result_name(d->result)));
	json_str(b, "reason", (struct span){d->why.s, d->why.len});
	json_str(b, "from", (struct span){t->from.s, t->from.len});
	json_str(b, "organization", (struct span){d->organization.s, d->organization.len});
	if (d->at.len) {
		json_str(b, "record_of", (struct span){d->at.s, d->at.len});
		json_str(b, "record", (struct span){d->record.s, d->record.len});
		json_str(b, "policy", span_of(dmarc_policy_name(d->policy)));
		json_str(b, "disposition", span_of(dmarc_policy_name(d->applied)));
		json_num(b, "pct", (int64_t)d->parsed.pct);
		json_bool(b, "testing", d->parsed.testing);
	}
	json_bool(b, "dkim_aligned", d->dkim_aligned);
	json_bool(b, "spf_aligned", d->spf_aligned);
	json_close(b);
}

static void
print_json(const struct tool *t)
{
	struct buf b = BUF_INIT;

	json_open(&b);
	json_str(&b, "result", span_of(dkim_result_name(dkimverify_best(t->v))));
	json_arr(&b, "signatures");
	for (size_t i = 0; i < dkimverify_count(t->v); i++)
		json_signature(dkimverify_at(t->v, i), &b);
	json_arr_end(&b);
	json_num(&b, "signatures_beyond", (int64_t)dkimverify_beyond(t->v));
	if (t->ip) {
		json_obj(&b, "spf");
		json_str(&b, "result", span_of(spf_result_name(t->spf.result)));
		json_str(&b, "reason", (struct span){t->spf.why.s, t->spf.why.len});
		json_str(&b, "domain", (struct span){t->spf.domain.s, t->spf.domain.len});
		json_close(&b);
	}
	if (t->want_dmarc)
		json_dmarc(t, &b);
	json_close(&b);
	out_fmt("%s\n", b.s);
	buf_free(&b);
}

static void
print(const struct tool *t)
{
	struct buf lines = BUF_INIT, field = BUF_INIT;

	if (t->json) {
		print_json(t);
		return;
	}
	clauses(t, &lines);
	if (t->header) {
		authres_field(&field, span_of(t->conf.hostname), (struct span){lines.s, lines.len}, "\n");
		out_bytes(field.s, field.len);
	} else {
		out_bytes(lines.s, lines.len);
	}
	buf_free(&lines);
	buf_free(&field);
}

static void
tool_free(struct tool *t)
{
	dkimverify_free(t->v);
	spf_free(&t->spf);
	dmarc_free(&t->dmarc);
	buf_free(&t->from);
	psl_close(t->psl);
	resolve_close(t->resolve);
	conf_free(&t->conf);
}

int
main(int argc, char *argv[])
{
	struct tool t = {.from = BUF_INIT, .dmarc = {.why = BUF_INIT, .record = BUF_INIT, .at = BUF_INIT,
	    .organization = BUF_INIT}, .spf = {.why = BUF_INIT, .explanation = BUF_INIT, .domain = BUF_INIT}};
	struct err e = ERR_INIT;
	enum dkim_result best;

	prog_start("dkim-verify");
	t.rules.now_s = io_time_us() / SECOND_US;
	read_options(&t, argc, argv, &e);
	or_die(askopt_open(&t.ask, &t.conf, &t.resolve, &e), &e);
	dkimverify_new(&t.v, &t.rules);
	read_message(&t, &e);
	askopt_start(&t.ask, TIMEOUT_S, t.resolve);
	or_die(dkimverify_end(t.v, resolve_asker(t.resolve), &e), &e);
	if (t.ip)
		check_spf(&t);
	if (t.want_dmarc)
		check_dmarc(&t, &e);
	print(&t);
	best = dkimverify_best(t.v);
	tool_free(&t);
	err_free(&e);
	if (out_close())
		return EX_TEMPFAIL;
	return best == DKIM_PASS ? 0 : best == DKIM_TEMPERROR ? EX_TEMPFAIL : 1;
}
