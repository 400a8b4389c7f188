/* dkim-keygen - DKIM keys: made, published, checked, and replaced one step after the other. */
#include "askopt.h"
#include "idn.h"
#include "io.h"
#include "keyplan.h"
#include "prog.h"
#include "signkey.h"

#include "dkimsign.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: dkim-keygen -d domain [-s selector] [-a algorithm] [-b bits] [-o file] [-k key]\n"
    "                   [--flags list] [--record | --check | --rotate step] [--keydir dir]\n"
    "                   [--wait time] [--grace time] [--password-file file]\n"
    "                   [--password-env name] [--password-command command] [-C file]\n"
    "                   [--keys file | --overlay file] [--resolver list] [--timeout time]";

#define BITS_DEFAULT 2048
#define TIMEOUT_S 60

enum {
	O_RECORD = PROG_OWN, O_CHECK, O_ROTATE, O_KEYDIR, O_FLAGS, O_WAIT, O_GRACE, O_PW_FILE, O_PW_ENV,
	O_PW_COMMAND
};
static const struct option options[] = {PROG_OPTIONS, ASKOPT_OPTIONS,
    {"domain", required_argument, NULL, 'd'}, {"selector", required_argument, NULL, 's'},
    {"algorithm", required_argument, NULL, 'a'}, {"bits", required_argument, NULL, 'b'},
    {"output", required_argument, NULL, 'o'}, {"key", required_argument, NULL, 'k'},
    {"record", no_argument, NULL, O_RECORD}, {"check", no_argument, NULL, O_CHECK},
    {"rotate", required_argument, NULL, O_ROTATE}, {"keydir", required_argument, NULL, O_KEYDIR},
    {"flags", required_argument, NULL, O_FLAGS}, {"wait", required_argument, NULL, O_WAIT},
    {"grace", required_argument, NULL, O_GRACE},
    {"password-file", required_argument, NULL, O_PW_FILE},
    {"password-env", required_argument, NULL, O_PW_ENV},
    {"password-command", required_argument, NULL, O_PW_COMMAND}, {NULL, 0, NULL, 0}};

struct tool {
	struct buf domain; /* as A-labels */
	const char *selector, *output, *key, *flags, *rotate;
	enum crypt_kind kind;
	uint64_t bits;
	bool record, check, sized, kinded, waits, graces;
	struct signkey_password password;
	struct askopt ask;
	struct conf conf;
	struct keyplan plan;
	struct resolve **resolve; /* one a resolver: each must see what is published */
	const struct asker **dns;
	char **names;
};

/* --- options */

static void
or_die(int rc, struct err *e)
{
	if (rc)
		prog_die(e);
}

static void
algorithm(struct tool *t, const char *text)
{
	struct err e = ERR_INIT;

	t->kinded = true;
	if (strcmp(text, "ed25519-sha256") == 0)
		t->kind = CRYPT_ED25519;
	else if (strcmp(text, "rsa-sha256") != 0) {
		err_set(&e, EX_USAGE, "\"%s\" is neither rsa-sha256 nor ed25519-sha256", text);
		prog_value_wrong(&e, "-a");
	}
}

static void
bits(struct tool *t, const char *text)
{
	struct cur c = cur_span(span_of(text));
	struct err e = ERR_INIT;

	t->sized = true;
	if (!cur_u64(&c, CRYPT_RSA_MAX, &t->bits) || !cur_end(&c) || t->bits < CRYPT_RSA_MIN) {
		err_set(&e, EX_USAGE, "\"%s\" is not a number from %d to %d", text, CRYPT_RSA_MIN,
		    CRYPT_RSA_MAX);
		prog_value_wrong(&e, "-b");
	}
}

static void
duration(uint64_t *to, const char *text, const char *option)
{
	struct err e = ERR_INIT;

	if (conf_duration(text, to, &e))
		prog_value_wrong(&e, option);
}

static void
flags(struct tool *t, const char *text)
{
	struct err e = ERR_INIT;

	t->flags = text;
	if (strcmp(text, "y") != 0 && strcmp(text, "s") != 0 && strcmp(text, "y:s") != 0 &&
	    strcmp(text, "s:y") != 0) {
		err_set(&e, EX_USAGE, "\"%s\" is none of y, s, y:s (RFC 6376 3.6.1, t=)", text);
		prog_value_wrong(&e, "--flags");
	}
}

static void
option(struct tool *t, int c)
{
	struct err e = ERR_INIT;

	if (askopt_take(&t->ask, c, optarg, &e)) {
		or_die(e.code, &e);
		return;
	}
	switch (c) {
	case 'd':
		buf_cut(&t->domain, 0);
		if (idn_to_ascii(span_of(optarg), &t->domain, &e) || dkimsign_check_domain(t->domain.s, &e))
			prog_value_wrong(&e, "-d");
		break;
	case 's':
		if (dkimsign_check_selector(t->selector = optarg, &e))
			prog_value_wrong(&e, "-s");
		break;
	case 'a': algorithm(t, optarg); break;
	case 'b': bits(t, optarg); break;
	case 'o': t->output = optarg; break;
	case 'k': t->key = optarg; break;
	case O_RECORD: t->record = true; break;
	case O_CHECK: t->check = true; break;
	case O_ROTATE: t->rotate = optarg; break;
	case O_KEYDIR: t->plan.dir = optarg; break;
	case O_FLAGS: flags(t, optarg); break;
	case O_WAIT:
		t->waits = true;
		duration(&t->plan.wait_s, optarg, "--wait");
		break;
	case O_GRACE:
		t->graces = true;
		duration(&t->plan.grace_s, optarg, "--grace");
		break;
	case O_PW_FILE: t->password.file = optarg; break;
	case O_PW_ENV: t->password.env = optarg; break;
	case O_PW_COMMAND: t->password.command = optarg; break;
	case PROG_HELP: prog_help(usage);
	case PROG_VERSION_OPT: prog_version();
	default: prog_usage(usage);
	}
}

/* What would say nothing where it stands. */
static int
check_meant(const struct tool *t, struct err *e)
{
	const char *step = t->rotate ? t->rotate : "";
	bool makes = t->output || strcmp(step, "make") == 0;

	if ((t->kinded || t->sized) && !makes)
		return err_set(e, EX_USAGE, "-a and -b are for a new key");
	if (*t->flags && !makes && !t->record)
		return err_set(e, EX_USAGE, "--flags is for a new key and --record");
	if (t->waits && strcmp(step, "switch") != 0)
		return err_set(e, EX_USAGE, "--wait is for --rotate switch");
	if (t->graces && strcmp(step, "retire") != 0)
		return err_set(e, EX_USAGE, "--grace is for --rotate retire");
	return 0;
}

/* What goes with what. */
static int
check_options(const struct tool *t, struct err *e)
{
	bool made = !t->rotate && !t->record && !t->check;

	if (t->domain.len == 0)
		return err_set(e, EX_USAGE, "which domain? -d says it");
	if (!t->selector && !(t->rotate && strcmp(t->rotate, "status") == 0))
		return err_set(e, EX_USAGE, "which selector? -s says it");
	if (t->record + t->check + !!t->rotate > 1)
		return err_set(e, EX_USAGE, "--record, --check and --rotate exclude each other");
	if ((t->record || t->check) != !!t->key)
		return err_set(e, EX_USAGE, t->key ? "-k is for --record and --check" :
		    "which key? -k says it");
	if (!!t->rotate != !!t->plan.dir)
		return err_set(e, EX_USAGE, "--rotate and --keydir go together");
	if (made != !!t->output)
		return err_set(e, EX_USAGE, "-o says where a new key goes");
	if (t->sized && t->kind != CRYPT_RSA)
		return err_set(e, EX_USAGE, "-b: an Ed25519 key has always 256 bits");
	if (!!t->password.file + !!t->password.env + !!t->password.command > 1)
		return err_set(e, EX_USAGE, "one source of the password is enough");
	return check_meant(t, e);
}

/* --- who is asked */

static int
add_resolver(struct tool *t, const char *server, struct err *e)
{
	struct askopt one = t->ask;
	size_t n = t->plan.n_dns;
	int rc;

	if (server)
		one.resolver = server;
	t->resolve = mem_grow(t->resolve, n + 1, sizeof(struct resolve *));
	t->dns = mem_grow(t->dns, n + 1, sizeof *t->dns);
	t->names = mem_grow(t->names, n + 1, sizeof *t->names);
	conf_free(&t->conf);
	rc = askopt_open(&one, &t->conf, &t->resolve[n], e);
	if (rc)
		return rc;
	askopt_start(&t->ask, TIMEOUT_S, t->resolve[n]);
	t->dns[n] = resolve_asker(t->resolve[n]);
	if (!server)
		server = t->ask.keys ? t->ask.keys : t->ask.overlay ? t->ask.overlay : "DNS";
	t->names[n] = mem_dup(server, strlen(server));
	t->plan.n_dns = n + 1;
	t->plan.dns = t->dns;
	t->plan.names = (const char *const *)t->names;
	return 0;
}

/* Each of --resolver for itself: that one of them answers is no sign that all do. */
static int
open_resolvers(struct tool *t, struct err *e)
{
	struct cur c = cur_span(span_of(t->ask.resolver));
	int rc = 0;

	if (cur_end(&c))
		return add_resolver(t, NULL, e);
	do {
		struct span s = cur_until(&c, ',');
		char *one = mem_dup(s.p, s.n);

		rc = add_resolver(t, one, e);
		free(one);
	} while (!rc && cur_ch(&c, ','));
	return rc;
}

/* --- what is done */

/* What will be in the file is the key: a library without memory has written less, and said nothing. */
static int
read_again(const struct crypt_key *k, struct span pem, const char *password, struct err *e)
{
	struct crypt_key *again = NULL;
	struct buf a = BUF_INIT, b = BUF_INIT;
	int rc = crypt_key_load(&again, pem, password, e);

	if (!rc)
		rc = crypt_key_public(k, &a, e);
	if (!rc)
		rc = crypt_key_public(again, &b, e);
	if (!rc && (a.len != b.len || memcmp(a.s, b.s, a.len) != 0))
		rc = err_set(e, EX_SOFTWARE, "another key is read");
	crypt_key_free(again);
	buf_free(&a);
	buf_free(&b);
	if (!rc)
		return 0;
	e->code = EX_SOFTWARE;
	return err_in(e, "the new key is not what was written");
}

static int
new_key(const struct tool *t, struct crypt_key **k, struct buf *pem, struct err *e)
{
	struct buf secret = BUF_INIT;
	const char *password = NULL;
	int rc = signkey_secret(&t->password, &secret, e);

	if (secret.len)
		password = secret.s;
	if (!rc)
		rc = crypt_key_make(k, t->kind, (unsigned)t->bits, e);
	buf_room(pem, SIGNKEY_FILE_MAX); /* it must not move while it is filled: it is wiped */
	if (!rc)
		rc = crypt_key_pem(*k, password, pem, e);
	if (!rc)
		rc = read_again(*k, (struct span){pem->s, pem->len}, password, e);
	if (secret.cap)
		explicit_bzero(secret.s, secret.cap);
	buf_free(&secret);
	return rc;
}

static int
say_record(const struct tool *t, const struct crypt_key *k, struct err *e)
{
	struct buf record = BUF_INIT, zone = BUF_INIT;
	int rc = keyplan_record(k, t->flags, &record, e);

	if (!rc)
		keyplan_zone(t->selector, t->domain.s, (struct span){record.s, record.len}, &zone);
	out_bytes(zone.s, zone.len);
	buf_free(&record);
	buf_free(&zone);
	return rc;
}

static int
make(struct tool *t, struct err *e)
{
	struct crypt_key *k = NULL;
	struct buf pem = BUF_INIT;
	int rc = new_key(t, &k, &pem, e);

	if (!rc && t->rotate)
		rc = keyplan_make(&t->plan, k, (struct span){pem.s, pem.len}, e);
	else if (!rc)
		rc = keyplan_write(t->output, (struct span){pem.s, pem.len}, e);
	if (!rc)
		rc = say_record(t, k, e);
	if (!rc && t->kind == CRYPT_RSA && t->bits < CRYPT_RSA_WEAK_BELOW)
		prog_warn("%llu bits are weak, use %d (RFC 8301)", (unsigned long long)t->bits,
		    CRYPT_RSA_WEAK_BELOW);
	if (pem.cap)
		explicit_bzero(pem.s, pem.cap);
	buf_free(&pem);
	crypt_key_free(k);
	return rc;
}

static int
check(const struct tool *t, const struct crypt_key *k, struct err *e)
{
	static const char *const words[] = {"matches", "differs", "absent", "unknown"};
	enum keyplan_is worst = KEYPLAN_MATCHES;

	for (size_t i = 0; i < t->plan.n_dns; i++) {
		struct buf why = BUF_INIT;
		uint32_t ttl;
		enum keyplan_is is = keyplan_check(k, t->selector, t->domain.s, t->dns[i], &ttl, &why);

		out_record(words[is], t->names[i], why.s, NULL);
		worst = is > worst ? is : worst;
		buf_free(&why);
	}
	(void)e;
	return worst == KEYPLAN_UNKNOWN ? EX_TEMPFAIL : worst == KEYPLAN_MATCHES ? 0 : 1;
}

static int
kind_of(void *arg, const char *path, enum crypt_kind *kind, struct err *e)
{
	const struct tool *t = arg;
	struct signkey *k;
	int rc = signkey_open(&k, path, &t->password, false, e);

	if (rc)
		return rc;
	*kind = crypt_key_kind(signkey_key(k));
	signkey_close(k);
	return 0;
}

static int
step_with_key(struct tool *t, struct buf *said, struct err *e)
{
	struct buf path = BUF_INIT;
	struct signkey *k = NULL;
	int rc = keyplan_find(&t->plan, &path, e);

	if (!rc)
		rc = signkey_open(&k, path.s, &t->password, false, e);
	if (!rc && strcmp(t->rotate, "publish") == 0)
		rc = keyplan_publish(&t->plan, signkey_key(k), e);
	else if (!rc)
		rc = keyplan_switch(&t->plan, signkey_key(k), kind_of, t, said, e);
	signkey_close(k);
	buf_free(&path);
	return rc;
}

static int
rotate(struct tool *t, struct err *e)
{
	struct buf said = BUF_INIT;
	int rc;

	if (strcmp(t->rotate, "make") == 0)
		rc = make(t, e);
	else if (strcmp(t->rotate, "publish") == 0 || strcmp(t->rotate, "switch") == 0)
		rc = step_with_key(t, &said, e);
	else if (strcmp(t->rotate, "retire") == 0)
		rc = keyplan_retire(&t->plan, &said, e);
	else if (strcmp(t->rotate, "status") == 0)
		rc = keyplan_status(&t->plan, &said, e);
	else
		rc = err_set(e, EX_USAGE, "--rotate: \"%s\" is none of make, publish, switch, retire, status",
		    t->rotate);
	out_bytes(said.s, said.len);
	buf_free(&said);
	return rc;
}

static int
with_key(struct tool *t, struct err *e)
{
	struct signkey *k = NULL;
	int rc = signkey_open(&k, t->key, &t->password, false, e);

	if (!rc)
		rc = t->record ? say_record(t, signkey_key(k), e) : check(t, signkey_key(k), e);
	signkey_close(k);
	return rc;
}

static void
tool_free(struct tool *t)
{
	for (size_t i = 0; i < t->plan.n_dns; i++) {
		resolve_close(t->resolve[i]);
		free(t->names[i]);
	}
	free(t->resolve);
	free(t->dns);
	free(t->names);
	conf_free(&t->conf);
	buf_free(&t->domain);
}

int
main(int argc, char *argv[])
{
	struct tool t = {.domain = BUF_INIT, .flags = "", .bits = BITS_DEFAULT,
	    .plan = {.wait_s = KEYPLAN_WAIT_S, .grace_s = KEYPLAN_GRACE_S}};
	struct err e = ERR_INIT;
	int c, rc, closed;

	prog_start("dkim-keygen");
	while ((c = getopt_long(argc, argv, "C:d:s:a:b:o:k:", options, NULL)) != -1)
		option(&t, c);
	if (optind != argc)
		prog_wrong(usage, "%s: no argument is taken; the domain stands behind -d", argv[optind]);
	rc = check_options(&t, &e);
	t.plan.domain = t.domain.s;
	t.plan.selector = t.selector;
	t.plan.now_s = io_time_us() / 1000000;
	if (!rc && (t.check || t.rotate))
		rc = open_resolvers(&t, &e);
	if (!rc)
		rc = t.rotate ? rotate(&t, &e) : t.key ? with_key(&t, &e) : make(&t, &e);
	tool_free(&t);
	if (rc && e.code)
		prog_die(&e);
	err_free(&e);
	closed = out_close();
	return closed ? closed : rc;
}
