/* smtp-trap - catch mail on a loopback port, misbehave on request, send nothing on. */
#include "buf.h"
#include "cur.h"
#include "err.h"
#include "file.h"
#include "io.h"
#include "net.h"
#include "prog.h"
#include "sandbox.h"
#include "tls.h"
#include "trap.h"
#include "trapbox.h"
#include "traploop.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LISTEN_DEFAULT "127.0.0.1:2525"
#define BACKLOG 1024
#define MS_MAX 86400000
#define SIZE_DEFAULT 104857600 /* 100 MiB */
#define RECIPIENTS_DEFAULT 1000
#define TIMEOUT_DEFAULT_S 300 /* RFC 5321 4.5.3.2.7 */

static const char usage[] =
    "usage: smtp-trap [--listen address:port]... [--anywhere] [--port-file file] [--name name]\n"
    "                 [--maildir dir] [--print] [--json] [--log file] [--count file] [--discard]\n"
    "                 [-v] [--exit-after n] [--timeout s] [--size-limit bytes] [--seed n]\n"
    "                 [--latency ms] [--defer-percent n] [--reject-percent n]\n"
    "                 [--max-connections n] [--max-messages-per-connection n]\n"
    "                 [--max-recipients n] [--tls] [--cert file --key file] [--tls-fail]\n"
    "                 [--no-ehlo] [--no-pipelining] [--no-chunking] [--no-8bitmime]\n"
    "                 [--no-smtputf8] [--no-dsn] [--no-size] [--no-enhanced] [--always-354]\n"
    "                 [--no-sandbox]";

enum {
	LISTEN = PROG_OWN, ANYWHERE, PORT_FILE, NAME, MAILDIR, PRINT, LOG, COUNT, DISCARD,
	EXIT_AFTER, TIMEOUT, SIZE_LIMIT, SEED, LATENCY, DEFER_PERCENT, REJECT_PERCENT,
	MAX_CONNECTIONS, MAX_MESSAGES, MAX_RECIPIENTS, TLS, CERT, KEY, TLS_FAIL, NO_EHLO,
	NO_PIPELINING, NO_CHUNKING, NO_8BITMIME, NO_SMTPUTF8, NO_DSN, NO_SIZE, NO_ENHANCED,
	ALWAYS_354, NO_SANDBOX,
};

static const struct option options[] = {
	PROG_OPTIONS,
	{"json", no_argument, NULL, PROG_JSON},
	{"listen", required_argument, NULL, LISTEN},
	{"anywhere", no_argument, NULL, ANYWHERE},
	{"port-file", required_argument, NULL, PORT_FILE},
	{"name", required_argument, NULL, NAME},
	{"maildir", required_argument, NULL, MAILDIR},
	{"print", no_argument, NULL, PRINT},
	{"log", required_argument, NULL, LOG},
	{"count", required_argument, NULL, COUNT},
	{"discard", no_argument, NULL, DISCARD},
	{"verbose", no_argument, NULL, 'v'},
	{"exit-after", required_argument, NULL, EXIT_AFTER},
	{"timeout", required_argument, NULL, TIMEOUT},
	{"size-limit", required_argument, NULL, SIZE_LIMIT},
	{"seed", required_argument, NULL, SEED},
	{"latency", required_argument, NULL, LATENCY},
	{"defer-percent", required_argument, NULL, DEFER_PERCENT},
	{"reject-percent", required_argument, NULL, REJECT_PERCENT},
	{"max-connections", required_argument, NULL, MAX_CONNECTIONS},
	{"max-messages-per-connection", required_argument, NULL, MAX_MESSAGES},
	{"max-recipients", required_argument, NULL, MAX_RECIPIENTS},
	{"tls", no_argument, NULL, TLS},
	{"cert", required_argument, NULL, CERT},
	{"key", required_argument, NULL, KEY},
	{"tls-fail", no_argument, NULL, TLS_FAIL},
	{"no-ehlo", no_argument, NULL, NO_EHLO},
	{"no-pipelining", no_argument, NULL, NO_PIPELINING},
	{"no-chunking", no_argument, NULL, NO_CHUNKING},
	{"no-8bitmime", no_argument, NULL, NO_8BITMIME},
	{"no-smtputf8", no_argument, NULL, NO_SMTPUTF8},
	{"no-dsn", no_argument, NULL, NO_DSN},
	{"no-size", no_argument, NULL, NO_SIZE},
	{"no-enhanced", no_argument, NULL, NO_ENHANCED},
	{"always-354", no_argument, NULL, ALWAYS_354},
	{"no-sandbox", no_argument, NULL, NO_SANDBOX},
	{NULL, 0, NULL, 0},
};

struct settings {
	const char **listen;
	size_t n_listen;
	const char *port_file, *maildir, *log, *count, *cert, *key;
	bool anywhere, print, discard, verbose, no_sandbox;
	struct trap_rules rules;
	struct traploop_options loop;
};

static volatile sig_atomic_t stop;

static void
on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

/* Signals come in only while the loop waits. */
static void
catch_signals(sigset_t *mask)
{
	struct sigaction act = {.sa_handler = on_signal};
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGHUP);
	sigprocmask(SIG_BLOCK, &ours, mask);
	sigdelset(mask, SIGTERM);
	sigdelset(mask, SIGINT);
	sigdelset(mask, SIGHUP);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
}

static uint64_t
number(const char *what, uint64_t max)
{
	struct cur c = cur_span(span_of(optarg));
	struct err e = ERR_INIT;
	uint64_t v;

	if (!cur_u64(&c, max, &v) || !cur_end(&c)) {
		err_set(&e, EX_USAGE, "--%s %s: not a number from 0 to %llu", what, optarg,
		    (unsigned long long)max);
		prog_die(&e);
	}
	return v;
}

/* What is not offered, and what goes wrong; false: another kind of option. */
static bool
rule(struct trap_rules *r, int c)
{
	switch (c) {
	case NAME: r->name = optarg; break;
	case SIZE_LIMIT: r->size_limit = number("size-limit", INT64_MAX); break;
	case DEFER_PERCENT: r->defer_percent = (unsigned)number("defer-percent", 100); break;
	case REJECT_PERCENT: r->reject_percent = (unsigned)number("reject-percent", 100); break;
	case MAX_MESSAGES:
		r->max_messages = number("max-messages-per-connection", INT64_MAX);
		break;
	case MAX_RECIPIENTS: r->max_recipients = number("max-recipients", 1000000); break;
	case TLS: r->starttls = true; break;
	case NO_EHLO: r->no_ehlo = true; break;
	case NO_PIPELINING: r->no_pipelining = true; break;
	case NO_CHUNKING: r->no_chunking = true; break;
	case NO_8BITMIME: r->no_8bitmime = true; break;
	case NO_SMTPUTF8: r->no_smtputf8 = true; break;
	case NO_DSN: r->no_dsn = true; break;
	case NO_SIZE: r->no_size = true; break;
	case NO_ENHANCED: r->no_enhanced = true; break;
	case ALWAYS_354: r->always_354 = true; break;
	default: return false;
	}
	return true;
}

static void
setting(struct settings *s, int c)
{
	switch (c) {
	case PROG_HELP: prog_help(usage);
	case PROG_VERSION_OPT: prog_version();
	case PROG_JSON: s->log = "-"; break;
	case LISTEN:
		s->listen = mem_grow(s->listen, s->n_listen + 1, sizeof *s->listen);
		s->listen[s->n_listen++] = optarg;
		break;
	case ANYWHERE: s->anywhere = true; break;
	case PORT_FILE: s->port_file = optarg; break;
	case MAILDIR: s->maildir = optarg; break;
	case PRINT: s->print = true; break;
	case LOG: s->log = optarg; break;
	case COUNT: s->count = optarg; break;
	case DISCARD: s->discard = true; break;
	case 'v': s->verbose = true; break;
	case EXIT_AFTER: s->loop.exit_after = number("exit-after", INT64_MAX); break;
	case TIMEOUT: s->loop.timeout_ms = 1000 * (int64_t)number("timeout", MS_MAX / 1000); break;
	case SEED: s->loop.seed = number("seed", UINT64_MAX); break;
	case LATENCY: s->loop.latency_ms = (int64_t)number("latency", MS_MAX); break;
	case MAX_CONNECTIONS: s->loop.max_connections = number("max-connections", SIZE_MAX); break;
	case CERT: s->cert = optarg; break;
	case KEY: s->key = optarg; break;
	case TLS_FAIL: s->loop.tls_fail = true; break;
	case NO_SANDBOX: s->no_sandbox = true; break;
	default: prog_usage(usage);
	}
}

static void
read_options(struct settings *s, int argc, char *argv[])
{
	int c;

	*s = (struct settings){
	    .rules = {.name = "trap.invalid", .size_limit = SIZE_DEFAULT,
	        .max_recipients = RECIPIENTS_DEFAULT},
	    .loop = {.timeout_ms = TIMEOUT_DEFAULT_S * 1000, .max_connections = SIZE_MAX,
	        .seed = io_random()}};
	while ((c = getopt_long(argc, argv, "v", options, NULL)) != -1)
		if (!rule(&s->rules, c))
			setting(s, c);
	if ((s->cert != NULL) != (s->key != NULL))
		prog_wrong(usage, "--cert and --key go together");
	if (optind != argc ||
	    (s->discard && (s->maildir || s->print)))
		prog_usage(usage);
	if (s->rules.defer_percent + s->rules.reject_percent > 100)
		prog_wrong(usage, "--defer-percent and --reject-percent are over 100 together");
	if (s->cert || s->loop.tls_fail)
		s->rules.starttls = true;
}

/* 0.0.0.0 and :: mean everywhere, whatever net_addr_loopback() thinks of them as destinations. */
static bool
stays_here(const struct net_addr *a)
{
	struct net_addr v4, v6;

	net_addr_parse(&v4, SPAN("0.0.0.0"), 0);
	net_addr_parse(&v6, SPAN("::"), 0);
	return net_addr_loopback(a) && !net_addr_eq(a, &v4) && !net_addr_eq(a, &v6);
}

static int
listen_on(const char *text, bool anywhere, int *fd, struct net_addr *at, struct err *e)
{
	struct buf host = BUF_INIT;
	uint16_t port = 0;
	int rc = net_host_port(span_of(text), 0, &host, &port, e);

	if (!rc && strcmp(host.s, "localhost") == 0) {
		buf_cut(&host, 0);
		buf_str(&host, "127.0.0.1");
	}
	if (!rc && !net_addr_parse(at, (struct span){host.s, host.len}, port))
		rc = err_set(e, EX_USAGE, "--listen %s: an address is needed, not a name", text);
	else if (!rc && !anywhere && !stays_here(at))
		rc = err_set(e, EX_USAGE, "--listen %s: not a loopback address; see --anywhere", text);
	buf_free(&host);
	return rc ? rc : net_listen(fd, at, BACKLOG, e);
}

static int
write_port(const char *file, uint16_t port, struct err *e)
{
	const char *slash = strrchr(file, '/');
	struct buf dir = BUF_INIT, text = BUF_INIT;
	int fd, rc;

	if (slash)
		buf_add(&dir, file, (size_t)(slash - file) + 1);
	buf_fmt(&text, "%u\n", (unsigned)port);
	rc = file_open_dir(AT_FDCWD, slash ? dir.s : ".", &fd, e);
	if (!rc) {
		rc = file_replace(fd, slash ? slash + 1 : file, text.s, text.len, 0644, e);
		close(fd);
	}
	buf_free(&dir);
	buf_free(&text);
	return rc;
}

static int
open_doors(struct settings *s, int *fds, struct err *e)
{
	static const char *const usual[] = {LISTEN_DEFAULT};
	const char *const *list = s->n_listen ? s->listen : usual;
	struct net_addr at;
	struct buf name = BUF_INIT;
	int rc = 0;

	s->loop.n_listeners = s->n_listen ? s->n_listen : 1;
	for (size_t i = 0; i < s->loop.n_listeners && !rc; i++) {
		rc = listen_on(list[i], s->anywhere, &fds[i], &at, e);
		if (!rc && (s->verbose || isatty(STDERR_FILENO))) {
			buf_cut(&name, 0);
			net_endpoint_text(&at, &name);
			prog_warn("listening on %s", name.s);
		}
		if (!rc && i == 0 && s->port_file)
			rc = write_port(s->port_file, net_addr_port(&at), e);
	}
	buf_free(&name);
	return rc;
}

static int
open_box(const struct settings *s, struct trapbox *box, struct err *e)
{
	int rc = 0;

	box->print = s->print;
	box->summary = s->verbose ||
	    (!s->maildir && !s->print && !s->log && !s->discard);
	if (s->maildir)
		rc = trapbox_maildir(box, s->maildir, e);
	if (!rc && s->log)
		rc = trapbox_log(box, s->log, e);
	if (!rc && s->count)
		rc = trapbox_count(box, s->count, e);
	return rc;
}

static int
open_tls(const struct settings *s, struct tls_identity **id, struct err *e)
{
	if (!s->rules.starttls)
		return 0;
	if (s->cert)
		return tls_identity_load(id, s->cert, s->key, e);
	return tls_identity_make(id, s->rules.name, io_time_us() / 1000000, e);
}

int
main(int argc, char *argv[])
{
	struct err e = ERR_INIT;
	struct settings s;
	struct trapbox box = TRAPBOX_INIT;
	struct tls_identity *id = NULL;
	struct rlimit files;
	int *fds, rc;

	prog_start("smtp-trap");
	read_options(&s, argc, argv);
	catch_signals(&s.loop.mask);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	fds = mem_alloc((s.n_listen + 1) * sizeof *fds);
	rc = open_box(&s, &box, &e);
	if (!rc)
		rc = open_tls(&s, &id, &e);
	if (!rc)
		rc = open_doors(&s, fds, &e);
	if (!rc && !s.no_sandbox)
		rc = sandbox_receive_only(&e);
	s.loop.rules = &s.rules;
	s.loop.box = &box;
	s.loop.listeners = fds;
	s.loop.identity = id;
	s.loop.stop = &stop;
	if (!rc)
		rc = traploop_run(&s.loop, &e);
	if (!rc)
		rc = trapbox_close(&box, &e);
	if (rc)
		prog_die(&e);
	tls_identity_free(id);
	free(fds);
	free(s.listen);
	return out_close();
}
