/* sender-check - what receivers will say of a sender, before they say it. */
#include "askopt.h"
#include "checkdns.h"
#include "checkmsg.h"
#include "checkmx.h"
#include "checksts.h"
#include "finding.h"
#include "idn.h"
#include "io.h"
#include "json.h"
#include "prog.h"
#include "signkey.h"
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: sender-check [-C file] [--keys file | --overlay file] [--resolver list]\n"
    "                    [--timeout time] [--profile gmail | yahoo | microsoft | strict]\n"
    "                    [--ip address] [--helo name] [--from sender] [--selector name ...]\n"
    "                    [--key file] [--message file] [--dnsbl zone ...] [--no-connect]\n"
    "                    [--json] domain";

#define TIMEOUT_S 60
#define SECOND_US 1000000
#define PIECE 65536
#define SMTP_PORT 25
#define LIST_MAX 32 /* selectors, and block lists */

/* Asked unless others are named. */
static const char *const usual_lists[] = {"zen.spamhaus.org", "bl.spamcop.net", "psbl.surriel.com"};

struct tool {
	struct conf conf;
	struct askopt ask;
	struct resolve *resolve;
	struct stskeep *policies;
	struct checkdns what;
	struct findings list;
	struct checkmsg message;
	struct signkey *key;
	struct spf tree;
	struct buf domain, public_key;
	const char *key_file, *message_file, *ip;
	const char *selectors[LIST_MAX], *lists[LIST_MAX];
	bool json, no_connect, no_lists;
};

enum { PROFILE = PROG_OWN, IP, HELO, FROM, SELECTOR, KEY, MESSAGE, DNSBL, NO_CONNECT };
static const struct option options[] = {PROG_OPTIONS, ASKOPT_OPTIONS,
    {"json", no_argument, NULL, PROG_JSON}, {"profile", required_argument, NULL, PROFILE},
    {"ip", required_argument, NULL, IP}, {"helo", required_argument, NULL, HELO},
    {"from", required_argument, NULL, FROM}, {"selector", required_argument, NULL, SELECTOR},
    {"key", required_argument, NULL, KEY}, {"message", required_argument, NULL, MESSAGE},
    {"dnsbl", required_argument, NULL, DNSBL}, {"no-connect", no_argument, NULL, NO_CONNECT},
    {NULL, 0, NULL, 0}};

static void
or_die(int rc, struct err *e)
{
	if (rc)
		prog_die(e);
}

static void
collect(const char **v, size_t *n, const char *what, struct err *e)
{
	if (*n == LIST_MAX)
		or_die(err_set(e, EX_USAGE, "%s: over %d of them", what, LIST_MAX), e);
	v[(*n)++] = optarg;
}

static void
take_option(struct tool *t, int c, struct err *e)
{
	switch (c) {
	case PROFILE:
		if (!finding_profile_of(optarg, &t->list.profile))
			or_die(err_set(e, EX_USAGE, "--profile: none of gmail, yahoo, microsoft, strict: \"%s\"",
			    optarg), e);
		break;
	case IP: t->ip = optarg; break;
	case HELO: t->what.helo = span_of(optarg); break;
	case FROM: t->what.sender = span_of(optarg); break;
	case SELECTOR: collect(t->selectors, &t->what.n_selectors, "--selector", e); break;
	case KEY: t->key_file = optarg; break;
	case MESSAGE: t->message_file = optarg; break;
	case DNSBL:
		t->no_lists |= strcmp(optarg, "none") == 0;
		if (!t->no_lists)
			collect(t->lists, &t->what.n_lists, "--dnsbl", e);
		break;
	case NO_CONNECT: t->no_connect = true; break;
	case PROG_JSON: t->json = true; break;
	default: askopt_other(&t->ask, c, optarg, usage);
	}
}

static void
read_options(struct tool *t, int argc, char *argv[], struct err *e)
{
	for (int c; (c = getopt_long(argc, argv, "C:", options, NULL)) != -1;)
		take_option(t, c, e);
	if (optind + 1 != argc)
		prog_usage(usage);
	or_die(idn_to_ascii(span_of(argv[optind]), &t->domain, e), e);
	t->what.domain = (struct span){t->domain.s, t->domain.len};
	if (t->what.sender.n == 0)
		t->what.sender = t->what.domain;
	if (t->ip && !net_addr_parse(&t->what.ip, span_of(t->ip), 0))
		or_die(err_set(e, EX_USAGE, "--ip: \"%s\" is no address", t->ip), e);
	t->what.has_ip = t->ip != NULL;
	if (t->key_file && t->what.n_selectors != 1)
		or_die(err_set(e, EX_USAGE, "--key wants one --selector, whose key it is"), e);
	t->what.selectors = t->selectors;
	t->what.lists = t->lists;
	if (t->what.n_lists == 0 && !t->no_lists) {
		t->what.lists = usual_lists;
		t->what.n_lists = sizeof usual_lists / sizeof *usual_lists;
	}
}

static void
read_key(struct tool *t, struct err *e)
{
	struct signkey_password none = {NULL, NULL, NULL};

	if (!t->key_file)
		return;
	or_die(signkey_open(&t->key, t->key_file, &none, false, e), e);
	or_die(crypt_key_public(signkey_key(t->key), &t->public_key, e), e);
	t->what.public_key = (struct span){t->public_key.s, t->public_key.len};
	t->what.key_kind = crypt_key_kind(signkey_key(t->key));
}

static void
read_message(struct tool *t, struct err *e)
{
	bool standard = t->message_file && strcmp(t->message_file, "-") == 0;
	int fd = STDIN_FILENO;
	char *piece;
	size_t got;

	if (!t->message_file)
		return;
	if (!standard)
		fd = open(t->message_file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		or_die(err_set(e, EX_NOINPUT, "%s: no such file", t->message_file), e);
	if (fd < 0)
		or_die(err_sys(e, "open %s", t->message_file), e);
	piece = mem_alloc(PIECE);
	checkmsg_begin(&t->message, io_time_us() / SECOND_US);
	do {
		if (io_input(fd, piece, PIECE, &got, e) || checkmsg_add(&t->message, piece, got, e))
			or_die(err_in(e, "%s", t->message_file), e);
	} while (got > 0);
	free(piece);
	if (!standard)
		close(fd);
}

/* By the servers that are asked for all else, and kept nowhere. */
static void
open_policies(struct tool *t, struct err *e)
{
	if (t->no_connect || t->ask.keys)
		return;
	if (t->ask.resolver)
		conf_set(&t->conf.resolver, t->ask.resolver);
	or_die(stskeep_open(&t->policies, &t->conf, -1, "", NULL, e), e);
}

static void
look(struct tool *t, struct err *e)
{
	const struct asker *dns = resolve_asker(t->resolve);
	int64_t until = io_now_ms() + (int64_t)(t->ask.timeout_s ? t->ask.timeout_s : TIMEOUT_S) * 1000;
	bool connect = !t->no_connect && !t->ask.keys;
	struct checksts sts = {t->what.domain, t->policies, t->ask.overlay, connect, until};

	resolve_deadline(t->resolve, until);
	if (t->message_file) {
		or_die(checkmsg_end(&t->message, dns, e), e);
		t->what.message = &t->message;
	}
	checkdns_findings(&t->what, dns, &t->list, &t->tree);
	/* Names of a file of keys are nobody's servers. */
	if (connect)
		or_die(tls_start(e), e);
	checkmx_findings(t->what.domain, t->conf.hostname, SMTP_PORT, connect, until, dns, &t->list);
	checksts_findings(&sts, dns, &t->list);
	if (t->message_file) {
		checkmsg_findings(&t->message, &t->list);
		return;
	}
	for (int id = CHECK_UNSUBSCRIBE; id <= CHECK_SIZE; id++)
		finding_unseen(&t->list, (enum finding_id)id, "a message to look at", "no message is given",
		    "give one: --message FILE");
	finding_unseen(&t->list, CHECK_DKIM_SIGNATURE, "a DKIM signature that verifies", "no message is given",
	    "give a signed one: --message FILE");
}

/* --- what is said */

/* Below spf-lookups: TAB, costs, TAB, the term by its depth, TAB, the domain of its record. */
static void
print_tree(const struct spf *s)
{
	for (size_t i = 0; i < s->n_nodes; i++) {
		const struct spf_node *n = &s->nodes[i];
		struct buf line = BUF_INIT;

		buf_fmt(&line, "\t%u\t%*s", n->cost, (int)(2 * n->depth), "");
		prog_escape(&line, span_of(n->text));
		buf_ch(&line, '\t');
		prog_escape(&line, span_of(n->domain));
		if (n->trouble) {
			buf_ch(&line, '\t');
			prog_escape(&line, span_of(n->trouble));
		}
		buf_ch(&line, '\n');
		out_bytes(line.s, line.len);
		buf_free(&line);
	}
}

static void
json_tree(const struct spf *s, struct buf *b)
{
	json_arr(b, "tree");
	for (size_t i = 0; i < s->n_nodes; i++) {
		const struct spf_node *n = &s->nodes[i];

		json_open(b);
		json_num(b, "depth", n->depth);
		json_num(b, "cost", n->cost);
		json_str(b, "term", span_of(n->text));
		json_str(b, "domain", span_of(n->domain));
		if (n->trouble)
			json_str(b, "trouble", span_of(n->trouble));
		json_close(b);
	}
	json_arr_end(b);
}

static void
print_one(const struct tool *t, const struct finding *f)
{
	struct buf b = BUF_INIT;

	if (!t->json) {
		out_record(finding_name(f->id), finding_severity(f->says), f->expected.s, f->found.s, f->fix.s,
		    finding_reference(f->id), NULL);
		if (f->id == CHECK_SPF_LOOKUPS)
			print_tree(&t->tree);
		return;
	}
	json_open(&b);
	json_str(&b, "id", span_of(finding_name(f->id)));
	json_str(&b, "severity", span_of(finding_severity(f->says)));
	json_str(&b, "expected", (struct span){f->expected.s, f->expected.len});
	json_str(&b, "found", (struct span){f->found.s, f->found.len});
	json_str(&b, "fix", (struct span){f->fix.s, f->fix.len});
	json_str(&b, "reference", span_of(finding_reference(f->id)));
	json_bool(&b, "temporary", f->says == FINDING_UNSURE);
	if (f->id == CHECK_SPF_LOOKUPS)
		json_tree(&t->tree, &b);
	json_close(&b);
	out_fmt("%s\n", b.s);
	buf_free(&b);
}

static void
tool_free(struct tool *t)
{
	findings_free(&t->list);
	if (t->message_file)
		checkmsg_free(&t->message);
	spf_free(&t->tree);
	signkey_close(t->key);
	buf_free(&t->domain);
	buf_free(&t->public_key);
	stskeep_close(t->policies);
	resolve_close(t->resolve);
	conf_free(&t->conf);
}

int
main(int argc, char *argv[])
{
	struct tool t = {.domain = BUF_INIT, .public_key = BUF_INIT, .list = {.profile = FINDING_BULK}};
	struct err e = ERR_INIT;
	int rc;

	prog_start("sender-check");
	read_options(&t, argc, argv, &e);
	or_die(askopt_open(&t.ask, &t.conf, &t.resolve, &e), &e);
	open_policies(&t, &e);
	read_key(&t, &e);
	read_message(&t, &e);
	look(&t, &e);
	for (int id = 0; id <= CHECK_SIZE; id++) /* in the order of the page, whoever looked first */
		for (size_t i = 0; i < t.list.n; i++)
			if ((int)t.list.v[i].id == id)
				print_one(&t, &t.list.v[i]);
	rc = findings_exit(&t.list);
	tool_free(&t);
	err_free(&e);
	return out_close() ? EX_TEMPFAIL : rc;
}
