/* spf-check - whether an address may send mail for a domain. */
#include "askopt.h"
#include "authres.h"
#include "io.h"
#include "json.h"
#include "prog.h"
#include "spf.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: spf-check [-C file] [--keys file | --overlay file] [--resolver list]\n"
    "                 [--timeout time] [--helo name] [--receiver name]\n"
    "                 [--header | --json | --tree] --ip address [sender]";

#define TIMEOUT_S 20 /* RFC 7208 4.6.4: no less */
#define SECOND_US 1000000

struct tool {
	struct conf conf;
	struct askopt from;
	struct resolve *resolve;
	struct spf_query query;
	const char *ip;
	bool json, header, tree;
};

enum { IP = PROG_OWN, HELO, RECEIVER, HEADER, TREE };
static const struct option options[] = {PROG_OPTIONS, ASKOPT_OPTIONS,
    {"json", no_argument, NULL, PROG_JSON}, {"ip", required_argument, NULL, IP},
    {"helo", required_argument, NULL, HELO}, {"receiver", required_argument, NULL, RECEIVER},
    {"header", no_argument, NULL, HEADER}, {"tree", no_argument, NULL, TREE}, {NULL, 0, NULL, 0}};

static void
read_options(struct tool *t, int argc, char *argv[], struct err *e)
{
	for (int c; (c = getopt_long(argc, argv, "C:", options, NULL)) != -1;)
		switch (c) {
		case IP: t->ip = optarg; break;
		case HELO: t->query.helo = span_of(optarg); break;
		case RECEIVER: t->query.receiver = span_of(optarg); break;
		case HEADER: t->header = true; break;
		case TREE: t->tree = true; break;
		case PROG_JSON: t->json = true; break;
		default: askopt_other(&t->from, c, optarg, usage);
		}
	if (!t->ip)
		prog_wrong(usage, "which address sends? --ip says it");
	if (optind + 1 < argc || t->json + t->header + t->tree > 1)
		prog_usage(usage);
	if (optind < argc)
		t->query.sender = span_of(argv[optind]);
	if (span_eq(t->query.sender, SPAN("<>")))
		t->query.sender.n = 0;
	if (t->query.sender.n == 0 && t->query.helo.n == 0) {
		err_set(e, EX_USAGE, "neither a sender nor --helo: there is no domain to check");
		prog_die(e);
	}
	if (!net_addr_parse(&t->query.ip, span_of(t->ip), 0)) {
		err_set(e, EX_USAGE, "--ip: \"%s\" is no address", t->ip);
		prog_die(e);
	}
}

/* "spf=pass (why) smtp.mailfrom=ann@example.com"    RFC 8601 2.7.2 */
static void
clause(const struct tool *t, const struct spf *s, struct buf *out)
{
	authres_clause(out, "spf", spf_result_name(s->result), (struct span){s->why.s, s->why.len});
	if (t->query.sender.n)
		authres_prop(out, "smtp.mailfrom", t->query.sender);
	else
		authres_prop(out, "smtp.helo", t->query.helo);
	buf_ch(out, '\n');
}

static void
print_json(const struct tool *t, const struct spf *s)
{
	struct buf b = BUF_INIT;

	json_open(&b);
	json_str(&b, "result", span_of(spf_result_name(s->result)));
	json_str(&b, "reason", (struct span){s->why.s, s->why.len});
	json_str(&b, "domain", (struct span){s->domain.s, s->domain.len});
	json_str(&b, "ip", span_of(t->ip));
	json_str(&b, "sender", t->query.sender);
	json_str(&b, "helo", t->query.helo);
	json_num(&b, "lookups", s->lookups);
	json_num(&b, "void_lookups", s->voids);
	if (s->explanation.len)
		json_str(&b, "explanation", (struct span){s->explanation.s, s->explanation.len});
	json_close(&b);
	out_fmt("%s\n", b.s);
	buf_free(&b);
}

/* cost TAB term, indented TAB the domain of its record TAB what is wrong with it */
static void
print_tree(struct tool *t)
{
	struct spf s;
	struct buf line = BUF_INIT;

	t->query.walk = true;
	spf_check(&t->query, resolve_asker(t->resolve), &s);
	for (size_t i = 0; i < s.n_nodes; i++) {
		const struct spf_node *n = &s.nodes[i];

		buf_cut(&line, 0);
		buf_fmt(&line, "%u\t%*s", n->cost, (int)(2 * n->depth), "");
		prog_escape(&line, span_of(n->text));
		buf_str(&line, n->decided ? " *\t" : "\t");
		prog_escape(&line, span_of(n->domain));
		if (n->trouble) {
			buf_ch(&line, '\t');
			prog_escape(&line, span_of(n->trouble));
		}
		out_fmt("%s\n", line.s);
	}
	out_fmt("%u\tlookups, %d are allowed\n", s.lookups, SPF_LOOKUPS_MAX);
	out_fmt("%u\tvoid lookups, %d are allowed\n", s.voids, SPF_VOIDS_MAX);
	buf_free(&line);
	spf_free(&s);
}

static void
print(struct tool *t, const struct spf *s)
{
	struct buf line = BUF_INIT, field = BUF_INIT, text = BUF_INIT;

	clause(t, s, &line);
	if (t->json) {
		print_json(t, s);
	} else if (t->header) {
		authres_field(&field, span_of(t->conf.hostname), (struct span){line.s, line.len}, "\n");
		out_fmt("%s", field.s);
	} else {
		out_fmt("%s", line.s);
		prog_escape(&text, (struct span){s->explanation.s, s->explanation.len});
		if (text.len)
			out_fmt("explanation: %s\n", text.s);
	}
	buf_free(&line);
	buf_free(&field);
	buf_free(&text);
}

int
main(int argc, char *argv[])
{
	struct tool t = {.query = {.time_s = 0}};
	struct err e = ERR_INIT;
	struct spf s;
	int rc;

	prog_start("spf-check");
	read_options(&t, argc, argv, &e);
	t.query.time_s = io_time_us() / SECOND_US;
	if (askopt_open(&t.from, &t.conf, &t.resolve, &e))
		prog_die(&e);
	askopt_start(&t.from, TIMEOUT_S, t.resolve);
	if (t.query.receiver.n == 0)
		t.query.receiver = span_of(t.conf.hostname);
	spf_check(&t.query, resolve_asker(t.resolve), &s);
	print(&t, &s);
	if (t.tree)
		print_tree(&t);
	rc = s.result == SPF_PASS ? 0 : s.result == SPF_TEMPERROR ? EX_TEMPFAIL : 1;
	spf_free(&s);
	resolve_close(t.resolve);
	conf_free(&t.conf);
	err_free(&e);
	return out_close() ? EX_TEMPFAIL : rc;
}
