/* mta-sts - a domain's MTA-STS policy: fetched, kept for the deliverer, printed. */
#include "askopt.h"
#include "date.h"
#include "file.h"
#include "idn.h"
#include "io.h"
#include "json.h"
#include "owner.h"
#include "prog.h"
#include "queue.h"
#include "stsfetch.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: mta-sts [-C file] [--queue dir] [--keys file | --overlay file] [--resolver list]\n"
    "               [--timeout time] [--ca-file file] [--connect-to host:port:address:port]\n"
    "               [--refresh] [--json | --record] --all | domain ...";

#define SECOND_US 1000000
#define ALL_S 3600 /* with --all, for all of them */

struct tool {
	struct conf conf;
	struct askopt ask;
	struct resolve *resolve;
	struct queue *q;
	struct stsfetch with;
	const char *queue;
	bool json, record, all, several;
	int code; /* the worst */
};

enum { REFRESH = PROG_OWN, CA_FILE, CONNECT_TO, RECORD, ALL };
static const struct option options[] = {PROG_OPTIONS, ASKOPT_OPTIONS,
    {"queue", required_argument, NULL, PROG_QUEUE}, {"json", no_argument, NULL, PROG_JSON},
    {"refresh", no_argument, NULL, REFRESH}, {"ca-file", required_argument, NULL, CA_FILE},
    {"connect-to", required_argument, NULL, CONNECT_TO}, {"record", no_argument, NULL, RECORD},
    {"all", no_argument, NULL, ALL}, {NULL, 0, NULL, 0}};

static void
read_options(struct tool *t, int argc, char *argv[])
{
	for (int c; (c = getopt_long(argc, argv, "C:", options, NULL)) != -1;)
		switch (c) {
		case PROG_QUEUE: t->queue = optarg; break;
		case PROG_JSON: t->json = true; break;
		case REFRESH: t->with.refresh = true; break;
		case CA_FILE: t->with.ca_file = optarg; break;
		case CONNECT_TO: t->with.connect_to = optarg; break;
		case RECORD: t->record = true; break;
		case ALL: t->all = true; break;
		default: askopt_other(&t->ask, c, optarg, usage);
		}
	if (t->all == (optind < argc) || (t->json && t->record))
		prog_usage(usage);
	t->several = t->all || optind + 1 < argc;
}

/* Whoever cannot keep a policy gets it all the same, unless he says which queue is meant. */
static int
open_state(struct tool *t, struct err *e)
{
	int rc;

	t->with.state_dir = -1;
	if (t->queue && !*t->queue)
		return t->all ? err_set(e, EX_USAGE, "--all: without a queue nothing is remembered") : 0;
	if (t->queue)
		conf_set(&t->conf.queue, t->queue);
	rc = owner_become(t->conf.queue, e);
	if (!rc)
		rc = queue_open(&t->q, t->conf.queue, QUEUE_FIND, e);
	if (!rc)
		t->with.state_dir = queue_state_fd(t->q);
	if (rc && !t->queue && !t->all) {
		err_free(e);
		rc = 0;
	}
	return rc;
}

static int
prepare(struct tool *t, struct err *e)
{
	int rc = askopt_open(&t->ask, &t->conf, &t->resolve, e);

	if (!rc)
		rc = open_state(t, e);
	if (!rc && !t->with.ca_file && t->conf.sts_ca_file && t->conf.sts_ca_file[0])
		t->with.ca_file = t->conf.sts_ca_file;
	if (!rc && t->with.ca_file && access(t->with.ca_file, R_OK) < 0)
		rc = err_sys(e, "%s", t->with.ca_file);
	if (!rc)
		t->with.dns = resolve_asker(t->resolve);
	return rc;
}

/* --- what is said */

static void
json_time(struct buf *b, const char *key, uint64_t s)
{
	struct buf text = BUF_INIT;

	date_iso(&text, s * SECOND_US);
	json_str(b, key, (struct span){text.s, text.len});
	buf_free(&text);
}

static void
json_policy(struct buf *b, const struct stsfile *f, uint64_t now_s)
{
	json_str(b, "id", (struct span){f->id.s, f->id.len});
	json_str(b, "mode", span_of(sts_mode_name(f->policy.mode)));
	json_num(b, "max_age", (int64_t)f->policy.max_age_s);
	json_arr(b, "mx");
	for (size_t i = 0; i < f->policy.n; i++)
		json_text(b, f->policy.mx[i]);
	json_arr_end(b);
	json_time(b, "fetched", f->fetched_s);
	json_num(b, "age_s", now_s > f->fetched_s ? (int64_t)(now_s - f->fetched_s) : 0);
}

static void
print_json(const struct tool *t, const char *domain, const struct stsfile *f, int rc, const struct err *e)
{
	bool failed = f && f->tried_s > 0;
	struct buf b = BUF_INIT;

	json_open(&b);
	json_str(&b, "domain", span_of(domain));
	json_num(&b, "code", rc);
	if (f && !rc)
		json_policy(&b, f, t->with.now_s);
	if (failed) {
		json_str(&b, "result", (struct span){f->result.s, f->result.len});
		json_time(&b, "tried", f->tried_s);
	}
	if (rc || failed)
		json_str(&b, "error", rc ? span_of(err_text(e)) : (struct span){f->why.s, f->why.len});
	json_close(&b);
	out_fmt("%s\n", b.s);
	buf_free(&b);
}

static void
print_policy(const struct tool *t, const struct stsfile *f)
{
	struct cur c = cur_of(f->text.s, f->text.len);
	struct buf b = BUF_INIT;
	struct span line;

	while (cur_line(&c, &line)) {
		if (t->several)
			buf_fmt(&b, "%s\t", f->domain);
		prog_escape(&b, line);
		buf_ch(&b, '\n');
	}
	out_bytes(b.s, b.len);
	buf_free(&b);
}

static void
print(const struct tool *t, const char *domain, const struct stsfile *f, int rc, struct err *e)
{
	struct buf b = BUF_INIT;

	if (t->record) {
		if (f)
			stsfile_text(f, &b);
		out_bytes(b.s, b.len);
		buf_free(&b);
	} else if (t->json) {
		print_json(t, domain, f, rc, e);
	} else if (!rc) {
		print_policy(t, f);
	}
	/* RFC 8461 3.3: people are told where a policy cannot be renewed, unless it asks for nothing.  The
	 * deliverer tells of the rest by itself, by what comes of it. */
	if (rc && !t->record)
		prog_warn("%s: %s", domain, err_text(e));
	else if (!rc && f && f->tried_s > 0 && f->policy.mode != STS_NONE)
		prog_warn("%s: the remembered policy is used: %s", domain, f->why.s);
}

/* --- what is done */

static void
worse(struct tool *t, int rc)
{
	if (rc > t->code)
		t->code = rc;
}

static void
one(struct tool *t, const char *domain)
{
	struct stsfile *f = NULL;
	struct err e = ERR_INIT, kept = ERR_INIT;
	enum stsfetch_how how = STSFETCH_KNOWN;
	int rc;

	t->with.now_s = io_time_us() / SECOND_US;
	rc = stsfetch(&t->with, domain, &f, &how, &e);
	print(t, domain, f, rc, &e);
	worse(t, rc);
	if (f && how != STSFETCH_KNOWN && t->with.state_dir >= 0 &&
	    stsfile_save(t->with.state_dir, f, &kept)) {
		prog_warn("%s", err_text(&kept));
		worse(t, EX_TEMPFAIL);
	}
	/* Nobody has sent mail there for as long as the policy was good for. */
	if (t->all && rc == EX_UNAVAILABLE && f && !stsfile_valid(f, t->with.now_s))
		stsfile_remove(t->with.state_dir, domain);
	stsfile_drop(f);
	err_free(&e);
	err_free(&kept);
}

static void
set_deadline(struct tool *t, uint64_t deflt_s)
{
	uint64_t s = t->ask.timeout_s ? t->ask.timeout_s : deflt_s;

	t->with.deadline_ms = io_now_ms() + (int64_t)s * 1000;
	resolve_deadline(t->resolve, t->with.deadline_ms);
}

struct domains {
	char **v;
	size_t n;
};

static int
on_name(void *arg, int dir, const char *name)
{
	struct domains *l = arg;

	(void)dir;
	if (name[0] != '.') { /* what is being written */
		l->v = mem_grow(l->v, l->n + 1, sizeof *l->v);
		l->v[l->n++] = mem_dup(name, strlen(name));
	}
	return 0;
}

static int
all(struct tool *t, struct err *e)
{
	struct domains l = {NULL, 0};
	int64_t end_ms = io_now_ms() + ALL_S * 1000;
	int rc = file_each(t->with.state_dir, STSFILE_DIR, on_name, &l, e);

	for (size_t i = 0; i < l.n && !rc && io_now_ms() < end_ms; i++) {
		set_deadline(t, STSFETCH_MS / 1000);
		one(t, l.v[i]);
	}
	for (size_t i = 0; i < l.n; i++)
		free(l.v[i]);
	free(l.v);
	return rc;
}

static void
each(struct tool *t, char *argv[])
{
	for (; *argv; argv++) {
		struct buf domain = BUF_INIT;
		struct err e = ERR_INIT;

		set_deadline(t, STSFETCH_MS / 1000);
		if (idn_to_ascii(span_of(*argv), &domain, &e)) {
			prog_warn("%s: %s", *argv, err_text(&e));
			worse(t, EX_DATAERR);
		} else {
			one(t, domain.s);
		}
		err_free(&e);
		buf_free(&domain);
	}
}

int
main(int argc, char *argv[])
{
	struct tool t = {0};
	struct err e = ERR_INIT;

	prog_start("mta-sts");
	read_options(&t, argc, argv);
	if (prepare(&t, &e))
		prog_die(&e);
	if (!t.all)
		each(&t, argv + optind);
	else if (all(&t, &e))
		prog_die(&e);
	resolve_close(t.resolve);
	queue_close(t.q);
	conf_free(&t.conf);
	return out_close() ? EX_TEMPFAIL : t.code;
}
