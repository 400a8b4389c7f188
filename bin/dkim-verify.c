/* dkim-verify - the DKIM signatures of a message, and what DMARC makes of them. */
#include "askopt.h"
#include "authres.h"
#include "io.h"
#include "json.h"
#include "prog.h"
#include "psl.h"
#include "verdict.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: dkim-verify [-C file] [--keys file | --overlay file] [--resolver list]\n"
    "                   [--timeout time] [--max-signatures number] [--now time]\n"
    "                   [--header | --json]\n"
    "                   [--dmarc [--psl] [--ip address [--helo name] [--from sender]]]\n"
    "                   < message";

#define TIMEOUT_S 30
#define SECOND_US 1000000
#define PIECE 65536

struct tool {
	struct conf conf;
	struct askopt ask;
	struct resolve *resolve;
	struct verdict_wish wish;
	struct verdict v;
	struct psl *psl;
	const char *ip;
	bool json, header, by_list;
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
	case MAX: t->wish.dkim.max_signatures = number("--max-signatures", optarg, 1, DKIMVERIFY_SIGNATURES_MAX, e); break;
	case NOW: t->wish.dkim.now_s = number("--now", optarg, 0, INT64_MAX, e); break;
	case HEADER: t->header = true; break;
	case DMARC: t->wish.dmarc = true; break;
	case PSL: t->by_list = true; break;
	case IP: t->ip = optarg; break;
	case HELO: t->wish.query.helo = span_of(optarg); break;
	case FROM: t->wish.query.sender = span_of(optarg); break;
	case PROG_JSON: t->json = true; break;
	default: askopt_other(&t->ask, c, optarg, usage);
	}
}

static void
read_options(struct tool *t, int argc, char *argv[], struct err *e)
{
	for (int c; (c = getopt_long(argc, argv, "C:", options, NULL)) != -1;)
		take_option(t, c, e);
	if (optind != argc)
		prog_wrong(usage, "%s: no argument is taken; the message is read from standard input", argv[optind]);
	if (t->json && t->header)
		prog_usage(usage);
	if (!t->wish.dmarc && (t->by_list || t->ip))
		or_die(err_set(e, EX_USAGE, "--psl and --ip are for --dmarc"), e);
	if (!t->ip && (t->wish.query.helo.n || t->wish.query.sender.n))
		or_die(err_set(e, EX_USAGE, "--helo and --from want --ip"), e);
	if (!t->ip)
		return;
	if (span_eq(t->wish.query.sender, SPAN("<>")))
		t->wish.query.sender.n = 0;
	if (!net_addr_parse(&t->wish.query.ip, span_of(t->ip), 0))
		or_die(err_set(e, EX_USAGE, "--ip: \"%s\" is no address", t->ip), e);
	if (t->wish.query.sender.n == 0 && t->wish.query.helo.n == 0)
		or_die(err_set(e, EX_USAGE, "--ip wants --from, or --helo for an empty sender"), e);
}

static void
read_message(struct tool *t, struct err *e)
{
	char *piece = mem_alloc(PIECE);
	size_t got;

	do {
		if (io_input(STDIN_FILENO, piece, PIECE, &got, e) || verdict_add(&t->v, piece, got, e))
			or_die(err_in(e, "stdin"), e);
	} while (got > 0);
	free(piece);
}

static void
by_list(void *arg, struct span domain, struct buf *out)
{
	psl_organization(arg, domain, out);
}

static void
begin(struct tool *t, struct err *e)
{
	t->wish.spf = t->ip != NULL;
	t->wish.query.receiver = span_of(t->conf.hostname);
	t->wish.query.time_s = t->wish.dkim.now_s;
	if (t->by_list) {
		or_die(psl_open(&t->psl, e), e);
		t->wish.organization = by_list;
		t->wish.arg = t->psl;
	}
	verdict_begin(&t->v, &t->wish);
}

/* --- what is said */

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
	json_str(b, "b", (struct span){c->sig.b_text.s, c->b_shown});
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
	const struct dmarc *d = &t->v.dmarc;

	json_obj(b, "dmarc");
	json_str(b, "result", span_of(dmarc_result_name(d->result)));
	json_str(b, "reason", (struct span){d->why.s, d->why.len});
	json_str(b, "from", (struct span){t->v.from.s, t->v.from.len});
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
	json_str(&b, "result", span_of(dkim_result_name(dkimverify_best(t->v.dkim))));
	json_arr(&b, "signatures");
	for (size_t i = 0; i < dkimverify_count(t->v.dkim); i++)
		json_signature(dkimverify_at(t->v.dkim, i), &b);
	json_arr_end(&b);
	json_num(&b, "signatures_beyond", (int64_t)dkimverify_beyond(t->v.dkim));
	if (t->ip) {
		json_obj(&b, "spf");
		json_str(&b, "result", span_of(spf_result_name(t->v.spf.result)));
		json_str(&b, "reason", (struct span){t->v.spf.why.s, t->v.spf.why.len});
		json_str(&b, "domain", (struct span){t->v.spf.domain.s, t->v.spf.domain.len});
		json_close(&b);
	}
	if (t->wish.dmarc)
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
	verdict_clauses(&t->v, &lines);
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
	verdict_free(&t->v);
	psl_close(t->psl);
	resolve_close(t->resolve);
	conf_free(&t->conf);
}

int
main(int argc, char *argv[])
{
	struct tool t = {0};
	struct err e = ERR_INIT;
	enum dkim_result best;

	prog_start("dkim-verify");
	t.wish.dkim.now_s = io_time_us() / SECOND_US;
	read_options(&t, argc, argv, &e);
	or_die(askopt_open(&t.ask, &t.conf, &t.resolve, &e), &e);
	begin(&t, &e);
	read_message(&t, &e);
	askopt_start(&t.ask, TIMEOUT_S, t.resolve);
	or_die(verdict_end(&t.v, resolve_asker(t.resolve), &e), &e);
	print(&t);
	best = dkimverify_best(t.v.dkim);
	tool_free(&t);
	err_free(&e);
	if (out_close())
		return EX_TEMPFAIL;
	return best == DKIM_PASS ? 0 : best == DKIM_TEMPERROR ? EX_TEMPFAIL : 1;
}
