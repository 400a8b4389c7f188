/* dkim-sign - put DKIM signatures in front of a message, or of every message of a mailbox. */
#include "conf.h"
#include "dkimbatch.h"
#include "dkimmsg.h"
#include "idn.h"
#include "io.h"
#include "prog.h"
#include "spool.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "usage: dkim-sign [-C file] [-d domain] [-s selector] [-k key] ... [--keydir dir]\n"
    "                 [-a algorithm,...] [-c header[/body]] [-i identity] [--headers names]\n"
    "                 [--oversign names] [--expire time] [--time seconds] [--copy-headers]\n"
    "                 [--query] [--body-length] [--password-file file] [--password-env name]\n"
    "                 [--password-command command] [--batch kind] [--jobs n] [dir newdir]";

#define BLOCK 65536

enum {
	O_KEYDIR = PROG_OWN, O_HEADERS, O_OVERSIGN, O_EXPIRE, O_TIME, O_COPY, O_QUERY, O_LENGTH,
	O_PW_FILE, O_PW_ENV, O_PW_COMMAND, O_BATCH, O_JOBS
};
static const struct option options[] = {PROG_OPTIONS, {"config", required_argument, NULL, 'C'},
    {"domain", required_argument, NULL, 'd'}, {"selector", required_argument, NULL, 's'},
    {"key", required_argument, NULL, 'k'}, {"algorithm", required_argument, NULL, 'a'},
    {"canonicalization", required_argument, NULL, 'c'}, {"identity", required_argument, NULL, 'i'},
    {"keydir", required_argument, NULL, O_KEYDIR}, {"headers", required_argument, NULL, O_HEADERS},
    {"oversign", required_argument, NULL, O_OVERSIGN},
    {"expire", required_argument, NULL, O_EXPIRE}, {"time", required_argument, NULL, O_TIME},
    {"copy-headers", no_argument, NULL, O_COPY}, {"query", no_argument, NULL, O_QUERY},
    {"body-length", no_argument, NULL, O_LENGTH},
    {"password-file", required_argument, NULL, O_PW_FILE},
    {"password-env", required_argument, NULL, O_PW_ENV},
    {"password-command", required_argument, NULL, O_PW_COMMAND},
    {"batch", required_argument, NULL, O_BATCH}, {"jobs", required_argument, NULL, O_JOBS},
    {NULL, 0, NULL, 0}};

struct given_key {
	const char *domain, *selector, *file; /* domain NULL: the message's */
};

struct wish {
	const char *conf, *keydir, *batch;
	struct given_key *keys;
	size_t n_keys;
	const char **selectors;
	size_t n_selectors;
	char **domains; /* each -d, as A-labels */
	size_t n_domains;
	struct dkimsign_want form;
	bool formed; /* an option that says how to sign, which the configuration says otherwise */
	struct signkey_password password;
	unsigned kinds;
	uint64_t now_s, jobs;
	char **operands;
	int n_operands;
};

/* --- options */

static void
algorithms(struct wish *w, const char *text)
{
	struct cur c = cur_span(span_of(text));
	struct err e = ERR_INIT;

	w->kinds = 0;
	do {
		struct span a = cur_until(&c, ',');

		if (span_ieq(a, SPAN("rsa-sha256")))
			w->kinds |= 1u << CRYPT_RSA;
		else if (span_ieq(a, SPAN("ed25519-sha256")))
			w->kinds |= 1u << CRYPT_ED25519;
		else {
			err_set(&e, EX_USAGE, "\"%.*s\" is neither rsa-sha256 nor ed25519-sha256", SPAN_ARG(a));
			prog_value_wrong(&e, "-a");
		}
	} while (cur_ch(&c, ','));
}

static void
canon(struct wish *w, const char *text)
{
	int header, body;
	struct err e = ERR_INIT;

	if (!dkimconf_canon(text, &header, &body)) {
		err_set(&e, EX_USAGE, "\"%s\" is not simple or relaxed, \"/\", simple or relaxed", text);
		prog_value_wrong(&e, "-c");
	}
	w->form.header = (enum dkim_canon)header;
	w->form.body = (enum dkim_canon)body;
}

static uint64_t
number(const char *text, const char *option, uint64_t min, uint64_t max)
{
	struct cur c = cur_span(span_of(text));
	struct err e = ERR_INIT;
	uint64_t v;

	if (!cur_u64(&c, max, &v) || !cur_end(&c) || v < min) {
		err_set(&e, EX_USAGE, "\"%s\" is not a number from %llu to %llu", text,
		    (unsigned long long)min, (unsigned long long)max);
		prog_value_wrong(&e, option);
	}
	return v;
}

static void
names(const char *text, const char *option, bool need_from)
{
	struct err e = ERR_INIT;

	if (dkimsign_check_names(text, need_from, &e))
		prog_value_wrong(&e, option);
}

static char *
ascii_domain(const char *text)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	if (idn_to_ascii(span_of(text), &b, &e) || dkimsign_check_domain(b.s, &e))
		prog_value_wrong(&e, "-d");
	return buf_steal(&b);
}

static void
add_key(struct wish *w, const char *file)
{
	w->keys[w->n_keys++] = (struct given_key){
	    w->n_domains ? w->domains[w->n_domains - 1] : NULL,
	    w->n_selectors ? w->selectors[w->n_selectors - 1] : NULL, file};
}

static void
how(struct wish *w, int c)
{
	struct err e = ERR_INIT;

	w->formed = true;
	switch (c) {
	case 'c': canon(w, optarg); break;
	case 'i': w->form.identity = optarg; break;
	case O_HEADERS: names(w->form.names = optarg, "--headers", true); break;
	case O_OVERSIGN: names(w->form.oversign = optarg, "--oversign", false); break;
	case O_EXPIRE:
		if (conf_duration(optarg, &w->form.expire_s, &e))
			prog_value_wrong(&e, "--expire");
		break;
	case O_COPY: w->form.copy = true; break;
	case O_QUERY: w->form.query = true; break;
	case O_LENGTH: w->form.length = true; break;
	case O_PW_FILE: w->password.file = optarg; break;
	case O_PW_ENV: w->password.env = optarg; break;
	case O_PW_COMMAND: w->password.command = optarg; break;
	default: prog_usage(usage);
	}
}

static void
options_of(int argc, char *argv[], struct wish *w)
{
	int c;

	while ((c = getopt_long(argc, argv, "C:d:s:k:a:c:i:", options, NULL)) != -1)
		switch (c) {
		case 'C': w->conf = optarg; break;
		case 'd': w->domains[w->n_domains++] = ascii_domain(optarg); break;
		case 's': w->selectors[w->n_selectors++] = optarg; break;
		case 'k': add_key(w, optarg); break;
		case 'a': algorithms(w, optarg); break;
		case O_KEYDIR: w->keydir = optarg; break;
		case O_TIME:
			w->now_s = strcmp(optarg, "none") == 0 ? 0 : number(optarg, "--time", 1, 1ull << 40);
			break;
		case O_BATCH: w->batch = optarg; break;
		case O_JOBS: w->jobs = number(optarg, "--jobs", 1, DKIMBATCH_JOBS_MAX); break;
		case PROG_HELP: prog_help(usage);
		case PROG_VERSION_OPT: prog_version();
		default: how(w, c);
		}
	w->operands = argv + optind;
	w->n_operands = argc - optind;
}

/* Of one key it is clear what it is for, wherever that stands; of several each is for what stood before. */
static void
pair(struct wish *w)
{
	if (w->n_keys != 1)
		return;
	if (!w->keys[0].domain && w->n_domains == 1)
		w->keys[0].domain = w->domains[0];
	if (!w->keys[0].selector && w->n_selectors == 1)
		w->keys[0].selector = w->selectors[0];
}

/* Each was meant for a key. */
static int
check_last(const struct wish *w, struct err *e)
{
	const struct given_key *last = &w->keys[w->n_keys - 1];

	if (w->n_domains && last->domain != w->domains[w->n_domains - 1])
		return err_set(e, EX_USAGE, "-d %s: no -k behind it", w->domains[w->n_domains - 1]);
	if (last->selector != w->selectors[w->n_selectors - 1])
		return err_set(e, EX_USAGE, "-s %s: no -k behind it", w->selectors[w->n_selectors - 1]);
	return 0;
}

/* What goes with what. */
static int
check(const struct wish *w, struct err *e)
{
	int passwords = !!w->password.file + !!w->password.env + !!w->password.command;

	for (size_t i = 0; i < w->n_keys; i++)
		if (!w->keys[i].selector)
			return err_set(e, EX_USAGE, "-k %s: its selector must be given before it, by -s",
			    w->keys[i].file);
	if (w->n_keys && check_last(w, e))
		return e->code;
	if (w->n_keys && w->keydir)
		return err_set(e, EX_USAGE, "-k and --keydir do not go together");
	if (w->n_domains && !w->n_keys)
		return err_set(e, EX_USAGE, "-d goes with -k");
	if (!w->n_keys && !w->keydir && (w->formed || w->n_selectors))
		return err_set(e, EX_USAGE, "without -k and --keydir the configuration says how to sign");
	if (w->conf && (w->n_keys || w->keydir))
		return err_set(e, EX_USAGE, "-C does not go with -k or --keydir");
	if (passwords > 1)
		return err_set(e, EX_USAGE, "one source of the password is enough");
	if (w->form.expire_s && !w->now_s)
		return err_set(e, EX_USAGE, "--expire needs a time of signing");
	if (w->jobs && !w->batch)
		return err_set(e, EX_USAGE, "--jobs is for --batch");
	if (w->n_operands && !(w->batch && strcmp(w->batch, "maildir") == 0))
		return err_set(e, EX_USAGE, "what is signed is read from standard input");
	return 0;
}

/* --- the keys */

static int
given_keys(struct dkimkeys *ks, const struct wish *w, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < w->n_keys; i++) {
		const struct given_key *k = &w->keys[i];

		rc = dkimkeys_add(ks, "*", k->domain, k->selector, k->file, &w->password, &w->form, e);
	}
	return rc;
}

/* One that is not there is no message's fault. */
static int
key_directory(struct dkimkeys *ks, const struct dkimkeys_dir *dir, struct err *e)
{
	struct stat st;

	if (stat(dir->path, &st) < 0)
		return errno == ENOENT ? err_set(e, EX_NOINPUT, "keys in %s: %s", dir->path, strerror(errno)) :
		    err_sys(e, "keys in %s", dir->path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, EX_NOINPUT, "keys in %s: it is no directory", dir->path);
	dkimkeys_dir(ks, dir);
	return 0;
}

static int
configured_keys(struct dkimkeys *ks, struct conf *c, const struct wish *w, struct err *e)
{
	size_t n;
	const struct dkimconf *v;
	int rc = conf_load(c, w->conf, false, e);

	if (rc)
		return rc;
	v = conftab_items(&c->sections, &dkimconf_section, &n);
	if (c->dkim_keydir)
		rc = key_directory(ks, &(struct dkimkeys_dir){.path = c->dkim_keydir,
		    .form = {.header = DKIM_RELAXED, .body = DKIM_RELAXED}}, e);
	if (rc)
		return rc;
	if (n == 0 && !c->dkim_keydir)
		return err_set(e, EX_CONFIG, "no -k, no --keydir, and no key in the configuration");
	return dkimkeys_conf(ks, v, n, e);
}

static int
load_keys(struct dkimkeys *ks, struct conf *c, const struct wish *w, struct err *e)
{
	struct dkimkeys_dir dir = {w->keydir, w->selectors, w->n_selectors, w->password, w->form};

	dkimkeys_only(ks, w->kinds);
	if (w->n_keys)
		return given_keys(ks, w, e);
	if (!w->keydir)
		return configured_keys(ks, c, w, e);
	return key_directory(ks, &dir, e);
}

/* --- one message */

struct input {
	struct spool spool;
	char block[BLOCK];
};

static int
next_piece(void *arg, const char **p, size_t *n, struct err *e)
{
	struct input *in = arg;
	int rc = io_input(STDIN_FILENO, in->block, sizeof in->block, n, e);

	*p = in->block;
	if (rc)
		return err_in(e, "stdin");
	return spool_add(&in->spool, in->block, *n, e);
}

static int
put(struct input *in, const struct buf *fields, struct err *e)
{
	uint64_t at = 0;
	const char *p;
	size_t n;
	int rc = 0;

	/* A small message in one write, as it came. */
	if (in->spool.fd < 0) {
		struct iovec v[2] = {{fields->s, fields->len}, {in->spool.mem.s, in->spool.mem.len}};

		rc = io_writev(STDOUT_FILENO, v, 2, e);
	} else {
		rc = io_write(STDOUT_FILENO, fields->s, fields->len, e);
		while (!rc && !(rc = spool_block(&in->spool, at, &p, &n, e)) && n > 0) {
			at += n;
			rc = io_write(STDOUT_FILENO, p, n, e);
		}
	}
	if (!rc && close(STDOUT_FILENO) < 0)
		rc = err_sys(e, "write");
	return rc ? err_in(e, "stdout") : 0;
}

static int
sign_one(struct dkimkeys *ks, uint64_t now_s, struct err *e)
{
	struct input *in = mem_alloc(sizeof *in);
	struct buf fields = BUF_INIT;
	int rc;

	in->spool = (struct spool)SPOOL_INIT;
	rc = dkimmsg_sign(ks, next_piece, in, now_s, &fields, NULL, e);
	if (!rc)
		rc = put(in, &fields, e);
	spool_free(&in->spool);
	buf_free(&fields);
	free(in);
	return rc;
}

int
main(int argc, char *argv[])
{
	struct wish w = {.kinds = ~0u, .now_s = io_time_us() / 1000000};
	struct conf c = {0};
	struct err e = ERR_INIT;
	struct dkimkeys *ks = NULL;
	int rc;

	prog_start("dkim-sign");
	w.keys = mem_grow(NULL, (size_t)argc + 1, sizeof *w.keys);
	w.selectors = mem_grow(NULL, (size_t)argc + 1, sizeof *w.selectors);
	w.domains = mem_grow(NULL, (size_t)argc + 1, sizeof *w.domains);
	w.form.header = w.form.body = DKIM_RELAXED;
	options_of(argc, argv, &w);
	pair(&w);
	rc = check(&w, &e);
	if (!rc) {
		ks = dkimkeys_new(w.batch != NULL, prog_warn);
		rc = load_keys(ks, &c, &w, &e);
	}
	if (!rc && w.batch)
		rc = dkimbatch(&(struct dkimbatch){ks, w.batch, w.operands, (size_t)w.n_operands, w.now_s,
		    (unsigned)w.jobs, prog_warn}, &e);
	else if (!rc)
		rc = sign_one(ks, w.now_s, &e);
	dkimkeys_del(ks);
	conf_free(&c);
	for (size_t i = 0; i < w.n_domains; i++)
		free(w.domains[i]);
	free(w.domains);
	free(w.keys);
	free(w.selectors);
	if (rc)
		prog_die(&e);
	return 0;
}
