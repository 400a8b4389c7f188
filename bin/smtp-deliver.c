/* smtp-deliver - deliver what is due in the queue. */
#include "conf.h"
#include "dkimkeys.h"
#include "dnsconf.h"
#include "dryrun.h"
#include "io.h"
#include "keyring.h"
#include "notetext.h"
#include "noticeconf.h"
#include "owner.h"
#include "prog.h"
#include "reaper.h"
#include "run.h"
#include "sys.h"
#include "tls.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

static const char usage[] =
    "usage: smtp-deliver [-v] [-C file] [--queue dir] [--follow] [--now] [--id id ...]\n"
    "                    [--site site] [--relay host:port] [--resolver addr@port]\n"
    "                    [--no-sandbox] [--dry-run=route | dns | connect | rcpt]";

#define FILES_A_CONNECTION 5 /* socket, message, the next message, site, while connecting one more */
#define SPARE_FILES 160      /* log, directories, messages for several sites */

enum { O_FOLLOW = PROG_OWN, O_NOW, O_ID, O_SITE, O_RELAY, O_RESOLVER, O_NO_SANDBOX, O_DRY_RUN };

static const struct option options[] = {PROG_OPTIONS, {"config", required_argument, NULL, 'C'},
    {"queue", required_argument, NULL, PROG_QUEUE}, {"follow", no_argument, NULL, O_FOLLOW},
    {"now", no_argument, NULL, O_NOW}, {"id", required_argument, NULL, O_ID},
    {"site", required_argument, NULL, O_SITE}, {"relay", required_argument, NULL, O_RELAY},
    {"resolver", required_argument, NULL, O_RESOLVER},
    {"no-sandbox", no_argument, NULL, O_NO_SANDBOX},
    {"dry-run", required_argument, NULL, O_DRY_RUN}, {NULL, 0, NULL, 0}};

static volatile bool stop;
static int stop_fd;

static void
on_signal(int sig)
{
	(void)sig;
	stop = true;
	eventfd_write(stop_fd, 1);
}

/* As many descriptors as there may be; and no more connections than they are good for. */
static void
open_many(struct conf *c)
{
	struct rlimit files;
	uint64_t most;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0 && getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	most = files.rlim_cur - files.rlim_cur / REAPER_SHARE;
	most = most > SPARE_FILES + FILES_A_CONNECTION ? (most - SPARE_FILES) / FILES_A_CONNECTION : 1;
	if (c->connections > most)
		c->connections = most;
}

static void
catch_signals(void)
{
	struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGHUP, &a, NULL);
}

struct wish {
	struct run_options o;
	const char *conf, *queue, *relay, *resolver;
	const char **ids;
	bool verbose, dry;
	enum dryrun_depth depth;
};

static void
add_id(struct wish *w, const char *id)
{
	if (!entry_id_ok(span_of(id))) {
		prog_warn("%s: not an id", id);
		exit(EX_USAGE);
	}
	w->ids[w->o.n_ids++] = id;
}

static void
set_depth(struct wish *w, const char *word)
{
	static const char *const words[] = {"route", "dns", "connect", "rcpt"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(word, words[i]) == 0) {
			w->dry = true;
			w->depth = (enum dryrun_depth)i;
			return;
		}
	prog_wrong(usage, "--dry-run: none of route, dns, connect, rcpt: \"%s\"", word);
}

static void
options_of(int argc, char *argv[], struct wish *w)
{
	int c;

	w->o.sandbox = !SYS_SANITIZED;
	while ((c = getopt_long(argc, argv, "vC:", options, NULL)) != -1)
		switch (c) {
		case 'v': w->verbose = true; break;
		case 'C': w->conf = optarg; break;
		case PROG_QUEUE: w->queue = optarg; break;
		case O_FOLLOW: w->o.follow = true; break;
		case O_NOW: w->o.now = true; break;
		case O_ID: add_id(w, optarg); break;
		case O_SITE: w->o.site = optarg; break;
		case O_RELAY: w->relay = optarg; break;
		case O_RESOLVER: w->resolver = optarg; break;
		case O_NO_SANDBOX: w->o.sandbox = false; break;
		case O_DRY_RUN: set_depth(w, optarg); break;
		case PROG_HELP: prog_help(usage);
		case PROG_VERSION_OPT: prog_version();
		default: prog_usage(usage);
		}
	if (optind != argc)
		prog_wrong(usage, "%s: no argument is taken; --id chooses messages", argv[optind]);
	w->o.ids = w->ids;
}

static int
bad_option(const char *name, struct err *e)
{
	err_in(e, "%s", name);
	return e->code = EX_USAGE;
}

static int
configure(struct conf *c, const struct wish *w, struct err *e)
{
	struct dnsconf dns = DNSCONF_INIT;
	int rc = conf_load(c, w->conf, false, e);

	if (!rc && w->queue)
		conf_set(&c->queue, w->queue);
	if (!rc && w->resolver)
		conf_set(&c->resolver, w->resolver);
	if (!rc && *c->resolver && dnsconf_servers(&dns, span_of(c->resolver), e))
		rc = w->resolver ? bad_option("--resolver", e) : e->code;
	if (!rc && w->relay && conf_relay(c, w->relay, e))
		rc = bad_option("--relay", e);
	return rc;
}

static void
speak(const struct run_result *r, bool verbose)
{
	if (r->clock_ahead)
		prog_warn("the clock is far ahead of when it was last seen: nothing is expired");
	if (r->clock_behind)
		prog_warn("the clock is behind when it was last seen: nothing is expired");
	if (r->lost_events)
		prog_warn("%llu event lines could not be written: %s", (unsigned long long)r->lost_events,
		    r->lost_why);
	if (verbose)
		out_fmt("delivered %llu deferred %llu failed %llu expired %llu\n",
		    (unsigned long long)r->delivered, (unsigned long long)r->deferred,
		    (unsigned long long)r->failed, (unsigned long long)r->expired);
}

/* Once, before confinement and threads.  Without any in the configuration nothing is signed. */
static int
load_keys(struct dkimkeys **keys, const struct conf *c, struct err *e)
{
	size_t n;
	const struct dkimconf *v = conftab_items(&c->sections, &dkimconf_section, &n);

	struct dkimkeys_dir dir = {.path = c->dkim_keydir,
	    .form = {.header = DKIM_RELAXED, .body = DKIM_RELAXED}};
	int rc = 0;

	if (n == 0 && !dir.path)
		return 0;
	*keys = dkimkeys_new(true, prog_warn);
	if (dir.path) {
		dkimkeys_dir(*keys, &dir);
		rc = dkimkeys_all(*keys, e);
	}
	return rc ? rc : dkimkeys_conf(*keys, v, n, e);
}

/* What is wrong with it is told by --dry-run, too. */
static int
load_text(struct notetext *t, const struct conf *c, struct err *e)
{
	const char *path = noticeconf_of(&c->sections)->text;
	struct buf text = BUF_INIT;
	int rc = 0;

	if (path)
		rc = io_slurp_at(AT_FDCWD, path, NOTETEXT_MAX, &text, e);
	if (rc)
		e->code = EX_CONFIG; /* a person must act, whatever it is */
	else
		rc = notetext_parse(t, path ? path : "notices",
		    path ? (struct span){text.s, text.len} : span_of(notetext_usual), e);
	buf_free(&text);
	return rc ? e->code : 0;
}

static void
print_line(void *arg, const struct dryrun_line *l)
{
	(void)arg;
	out_record(l->id, l->rcpt, l->verdict, l->site, l->where, l->policy, l->status, l->text, NULL);
}

static int
dry_run(const struct conf *c, struct queue *q, const struct wish *w, struct err *e)
{
	const char **names = NULL;
	struct net_addr *own = NULL;
	struct cert_store *cas = NULL, *sts_cas = NULL;
	struct route_self self = {NULL, 0, NULL, 0};
	struct dryrun r = {.conf = c, .self = &self, .q = q, .depth = w->depth, .now = w->o.now,
	    .ids = w->o.ids, .n_ids = w->o.n_ids, .site = w->o.site, .each = print_line};
	int rc = w->depth == DRYRUN_RCPT ? keyring_open(&r.keys, c, e) : 0;

	if (!rc && w->depth >= DRYRUN_DNS)
		rc = stskeep_open(&r.sts, c, queue_state_fd(q), c->queue, NULL, e);
	sources_open(&r.sources, c);
	self.n_names = sources_helos(r.sources, &names);
	names[self.n_names++] = c->hostname;
	self.names = names;
	if (!rc)
		rc = sources_check(r.sources, e);
	if (!rc)
		rc = net_own_addrs(&own, &self.n_addrs, e);
	self.addrs = own;
	if (!rc)
		rc = dns_open(&r.dns, c->resolver, e);
	if (!rc && c->trust_ad)
		dns_trust_ad(r.dns);
	if (!rc && w->depth >= DRYRUN_CONNECT)
		rc = tlspolicy_cas(c, &cas, e);
	if (!rc && w->depth >= DRYRUN_CONNECT)
		rc = tlspolicy_sts_cas(c, &sts_cas, e);
	if (!rc && w->depth >= DRYRUN_CONNECT)
		rc = tls_start(e);
	if (!rc && w->depth >= DRYRUN_CONNECT)
		identities_open(&r.identities, c);
	r.cas = cas;
	r.sts_cas = sts_cas;
	if (!rc)
		rc = dryrun(&r, e);
	dns_close(r.dns);
	cert_store_free(cas);
	cert_store_free(sts_cas);
	stskeep_close(r.sts);
	keyring_close(r.keys);
	sources_close(r.sources);
	identities_close(r.identities);
	free(names);
	free(own);
	return rc;
}

int
main(int argc, char *argv[])
{
	struct wish w = {.ids = mem_grow(NULL, (size_t)argc + 1, sizeof *w.ids)};
	struct conf c = {0};
	struct queue *q = NULL;
	struct run_result r = {0};
	struct dkimkeys *keys = NULL;
	struct notetext text = {.text = BUF_INIT};
	struct err e = ERR_INIT;
	int rc;

	prog_start("smtp-deliver");
	options_of(argc, argv, &w);
	rc = configure(&c, &w, &e);
	if (!rc)
		rc = owner_become(c.queue, &e);
	if (!rc)
		rc = load_text(&text, &c, &e);
	if (!rc)
		rc = queue_open(&q, c.queue, w.queue ? QUEUE_FIND : QUEUE_WORK, &e);
	if (!rc && w.dry)
		rc = dry_run(&c, q, &w, &e);
	if (!rc && !w.dry)
		rc = load_keys(&keys, &c, &e);
	if (!rc && !w.dry) {
		w.o.keys = keys;
		w.o.text = &text;
		catch_signals();
		open_many(&c);
		rc = run(&c, q, &w.o, &stop, stop_fd, &r, &e);
		speak(&r, w.verbose);
		free(r.lost_why);
	}
	queue_close(q);
	dkimkeys_del(keys);
	notetext_free(&text);
	conf_free(&c);
	free(w.ids);
	if (rc)
		prog_die(&e);
	err_free(&e);
	rc = out_close();
	return rc ? rc : r.lost_events ? EX_TEMPFAIL : 0;
}
