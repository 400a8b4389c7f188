/* smtp-serve - a door for mail clients: SMTP with one client, into the queue. */
#include "conf.h"
#include "confserve.h"
#include "crypt.h"
#include "dnsmsg.h"
#include "door.h"
#include "doorlimit.h"
#include "doorverdict.h"
#include "events.h"
#include "hall.h"
#include "hmac.h"
#include "idn.h"
#include "io.h"
#include "locals.h"
#include "login.h"
#include "owner.h"
#include "prog.h"
#include "queue.h"
#include "quota.h"
#include "resolve.h"
#include "route.h"
#include "sandbox.h"
#include "serve.h"
#include "spawn.h"
#include "suppress.h"
#include "sys.h"
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: smtp-serve [-C file] [--queue dir] [--as name] [--listen address:port]...\n"
    "                  [--no-sandbox] [-v]";

enum { LISTEN = PROG_OWN, AS, NO_SANDBOX };

static const struct option options[] = {PROG_OPTIONS,
    {"config", required_argument, NULL, PROG_CONFIG}, {"queue", required_argument, NULL, PROG_QUEUE},
    {"listen", required_argument, NULL, LISTEN}, {"as", required_argument, NULL, AS},
    {"no-sandbox", no_argument, NULL, NO_SANDBOX}, {"verbose", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0}};

#define BACKLOG 511
#define COMMAND_MS 30000 /* for a command that checks a password */
#define INHERITED 3 /* the first descriptor that systemd gives */

struct program {
	const char *config, *queue_dir, *as;
	const char **listen;
	size_t n_listen;
	bool sandbox, verbose;
	bool hall;              /* of the sandbox only each client's part is to come */
	struct conf conf;
	struct door_house house;
	struct tls_identity *identity;
	struct login *login;
	struct spawn *spawn;
	struct events *events;
	struct quota *quota;
	struct locals *locals;
	struct resolve *dns;
	struct owner owner;     /* of the queue, where there are listeners */
	struct stat ruled;      /* the queue that the rules of the sandbox are for */
	int rules;
	struct stat *seen;      /* of the files of certificates, two each */
	int *listeners;
	size_t n_listeners;
};

/* --- certificates */

static int
load_identity(struct program *p, struct tls_identity **id, struct err *e)
{
	size_t n;
	const struct confserve_certificate *v = confserve_certificates(&p->conf.sections, &n);
	int rc = 0;

	*id = NULL;
	for (size_t i = 0; i < n && !rc; i++)
		rc = *id ? tls_identity_add(*id, v[i].cert, v[i].key, e)
			 : tls_identity_load(id, v[i].cert, v[i].key, e);
	if (!rc && *id && *p->house.serve->client_ca)
		rc = tls_identity_ask(*id, p->house.serve->client_ca, e);
	if (rc) {
		tls_identity_free(*id);
		*id = NULL;
	}
	return rc;
}

/* Whether a file of the certificates is another than when they were read. */
static bool
look_at_files(struct program *p)
{
	size_t n;
	const struct confserve_certificate *v = confserve_certificates(&p->conf.sections, &n);
	bool changed = false;

	if (!p->seen)
		p->seen = mem_alloc((2 * n + 1) * sizeof *p->seen);
	for (size_t i = 0; i < 2 * n; i++) {
		struct stat st, *old = &p->seen[i];

		if (stat(i % 2 ? v[i / 2].key : v[i / 2].cert, &st) < 0)
			continue;
		changed |= st.st_ino != old->st_ino || st.st_size != old->st_size ||
			   st.st_mtim.tv_sec != old->st_mtim.tv_sec ||
			   st.st_mtim.tv_nsec != old->st_mtim.tv_nsec;
		*old = st;
	}
	return changed;
}

/* --- users */

/* The commands that check, started by a process of its own since a confined one cannot. */
static int
start_commands(struct program *p, struct login_conf *c, struct err *e)
{
	const char *text[] = {p->house.serve->check, p->house.serve->token};
	uint32_t *number[] = {&c->check, &c->token};
	char **words[2] = {NULL, NULL};
	const char *const *programs[2];
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < 2 && !rc; i++)
		if (*text[i]) {
			rc = spawn_words(text[i], &words[n], e);
			*number[i] = (uint32_t)n;
			programs[n] = (const char *const *)words[n];
			n++;
		}
	if (!rc && n > 0)
		rc = spawn_start(&p->spawn, programs, n, e);
	for (size_t i = 0; i < n; i++)
		free(words[i]);
	c->spawn = p->spawn;
	return rc;
}

/* Then each client's process has a spawner of its own: answers of one that many share would be mixed up. */
static bool
asks_commands(const struct program *p)
{
	return *p->house.serve->check || *p->house.serve->token;
}

static int
open_users(struct program *p, struct err *e)
{
	const struct confserve *s = p->house.serve;
	struct login_conf c = {.users = s->users, .check = LOGIN_NO_COMMAND, .token = LOGIN_NO_COMMAND,
	    .command_ms = COMMAND_MS};
	struct span unknown = SPAN("");
	int rc;

	if (p->house.listen->auth == CONFSERVE_NO_AUTH || (!*s->users && !*s->check && !*s->token))
		return 0;
	c.mechs = mech_set(span_of(s->mechanisms), &unknown);
	if (unknown.n > 0)
		return err_set(e, EX_CONFIG, "mechanisms: %.*s is not known", SPAN_ARG(unknown));
	rc = start_commands(p, &c, e);
	return rc ? rc : login_open(&p->login, &c, e);
}

static void
read_addresses(struct program *p)
{
	if (p->locals)
		locals_refresh(p->locals, prog_trouble, NULL);
}

/* What the sandbox of each client's process allows is for one directory: another may take the queue's place. */
static bool
is_ruled(const struct program *p, const struct stat *st)
{
	return p->ruled.st_ino == st->st_ino && p->ruled.st_dev == st->st_dev;
}

static void
drop_rules(struct program *p)
{
	if (p->rules >= 0)
		close(p->rules);
	p->rules = -1;
	p->ruled = (struct stat){.st_ino = 0};
}

static void
make_rules(struct program *p)
{
	struct stat st = {.st_ino = 0};
	struct err e = ERR_INIT;

	if (!p->hall || (stat(p->conf.queue, &st) == 0 && is_ruled(p, &st)))
		return;
	drop_rules(p);
	if (sandbox_rules(p->conf.queue, &p->rules, &e))
		err_free(&e); /* there is none: a client's process makes it, and rules for itself */
	else
		p->ruled = st;
}

/* Files that were changed, and a certificate that was renewed: a mistake in the new one leaves the old
 * one, and says so. */
static void
renew(void *arg)
{
	struct program *p = arg;
	struct tls_identity *id;
	struct err e = ERR_INIT;

	read_addresses(p);
	owner_find(&p->owner, p->conf.queue);
	make_rules(p);
	if (p->login && login_refresh(p->login, &e))
		prog_trouble(NULL, &e);
	err_free(&e);
	if (!p->identity || !look_at_files(p))
		return;
	if (load_identity(p, &id, &e) == 0) {
		tls_identity_free(p->identity);
		p->identity = id;
	} else {
		err_in(&e, "the old certificates are kept");
		prog_trouble(NULL, &e);
		err_free(&e);
	}
}

static int
first_identity(struct program *p, struct err *e)
{
	const struct confserve_listen *l = p->house.listen;
	int rc = 0;

	if (l->tls != CONFSERVE_NO_TLS) {
		rc = load_identity(p, &p->identity, e);
		look_at_files(p);
	}
	p->house.tls = p->identity != NULL;
	if (!rc && !p->identity && (l->tls == CONFSERVE_IMPLICIT || l->need_tls))
		rc = err_set(e, EX_CONFIG, "TLS needs a certificate section");
	return rc;
}

/* --- a client */

/* Limits and logins are counted in state/. */
static bool
counts(const struct program *p)
{
	return doorlimit_wanted(&p->conf) || p->login;
}

/* What writes the queue belongs to its owner, if it may.  Who only adds to it looks at nothing else there. */
static int
open_queue(struct program *p, struct err *e)
{
	int rc = p->n_listeners > 0 ? owner_be(&p->owner, p->conf.queue, e) : owner_become(p->conf.queue, e);

	if (!rc)
		rc = queue_open(&p->house.queue, p->conf.queue, counts(p) ? QUEUE_WORK : QUEUE_SUBMIT, e);
	if (rc == EX_NOPERM) {
		err_free(e);
		rc = queue_open(&p->house.queue, p->conf.queue, QUEUE_SUBMIT, e);
	}
	return rc;
}

/* Of logins.  Only the queue's user writes there; a log that cannot be written stops nobody. */
static void
open_log(struct program *p)
{
	int log = p->login ? queue_log_fd(p->house.queue) : -1;
	struct err e = ERR_INIT;

	if (log >= 0 && events_open(&p->events, log, &e))
		prog_trouble(NULL, &e);
	err_free(&e);
}

/* Without state/ nothing can be counted, and limits that nobody keeps are no limits. */
static int
open_meters(struct program *p, struct err *e)
{
	int state = queue_state_fd(p->house.queue); /* -1, too, where nothing is counted */
	int rc = state >= 0 ? quota_open(&p->quota, state, e) : 0;

	if (!rc && state < 0 && doorlimit_wanted(&p->conf))
		rc = err_set(e, EX_NOPERM, "limits are kept by the queue's user alone");
	return rc;
}

/* Only where mail comes from strangers. */
static bool
needs_dns(const struct program *p)
{
	return p->locals && doorverdict_wanted(&p->house);
}

/* Libraries that find out about strangers' mail. */
static int
load_for_strangers(const struct program *p, struct err *e)
{
	int rc = needs_dns(p) ? dnsmsg_load(e) : 0;

	return !rc && needs_dns(p) ? crypt_load(e) : rc;
}

/* Domains that are not ASCII are compared with ours and with those on the suppression list; for who listens, with
 * the list that there is now. */
static void
load_for_domains(const struct program *p)
{
	if (p->locals || suppress_there(p->conf.queue))
		idn_ready();
}

/* Whoever listens loads what clients need once for all of them. */
static int
load_for_clients(const struct program *p, struct err *e)
{
	int rc = doorlimit_wanted(&p->conf) ? hmac_load(e) : 0;

	return rc ? rc : load_for_strangers(p, e);
}

/* Files are read here: a confined process may not. */
static int
open_dns(struct program *p, struct err *e)
{
	struct resolve_from from = {.servers = p->conf.resolver};
	int rc = load_for_strangers(p, e);

	return !rc && needs_dns(p) ? resolve_open(&p->dns, &from, e) : rc;
}

static int
confine(struct program *p, struct err *e)
{
	struct stat st;
	int rc = fstat(queue_root_fd(p->house.queue), &st) < 0 ? err_sys(e, "stat queue") : 0;

	if (!rc && !is_ruled(p, &st)) {
		drop_rules(p);
		rc = sandbox_rules(p->conf.queue, &p->rules, e);
	}
	if (!rc)
		rc = sandbox_client(p->rules, e);
	drop_rules(p);
	return rc;
}

static int
one_client(struct program *p, struct serve_client *c, struct err *e)
{
	int rc = asks_commands(p) ? open_users(p, e) : 0;

	if (!rc)
		rc = open_queue(p, e);
	if (!rc)
		open_log(p);
	if (!rc)
		rc = open_meters(p, e);
	if (!rc)
		rc = open_dns(p, e);
	c->house = &p->house;
	c->identity = p->identity;
	c->locals = p->locals;
	c->login = p->login;
	c->events = p->events;
	c->quota = p->quota;
	c->dns = p->dns;
	if (!rc && p->sandbox)
		rc = p->hall ? confine(p, e) : sandbox_enter(p->conf.queue, e);
	if (!rc)
		rc = serve(c, e);
	events_close(p->events);
	quota_close(p->quota);
	p->quota = NULL;
	resolve_close(p->dns);
	p->dns = NULL;
	queue_close(p->house.queue);
	p->house.queue = NULL;
	p->events = NULL;
	return rc;
}

static int
at_descriptors(struct program *p, int in, int out, struct err *e)
{
	struct serve_client c = {.in = in};
	int rc = serve_look(&c, in, out, e);

	if (rc == EX_NOINPUT) { /* it has gone already: nobody needs to know */
		err_free(e);
		return 0;
	}
	return rc ? rc : one_client(p, &c, e);
}

static void
release(struct program *p)
{
	login_free(p->login);
	locals_free(p->locals);
	spawn_stop(p->spawn);
	tls_identity_free(p->identity);
	conf_free(&p->conf);
	free(p->listen);
	owner_free(&p->owner);
	free(p->listeners);
	drop_rules(p);
	free(p->seen);
}

/* In a process of its own. */
static int
on_client(void *arg, int fd, const struct net_addr *peer)
{
	struct program *p = arg;
	struct serve_client c = {.in = fd};
	struct err e = ERR_INIT;
	int rc;

	serve_accepted(&c, fd, peer);
	rc = one_client(p, &c, &e);
	if (rc)
		prog_warn("%s", err_text(&e));
	err_free(&e);
	if (SYS_SANITIZED)
		release(p);
	else
		spawn_stop(p->spawn); /* all else goes with the process, which ends now */
	return rc;
}

/* --- listeners */

static void
add_listener(struct program *p, int fd)
{
	p->listeners = mem_grow(p->listeners, p->n_listeners + 1, sizeof *p->listeners);
	p->listeners[p->n_listeners++] = fd;
}

static int
listen_at(struct program *p, const char *text, struct err *e)
{
	struct buf host = BUF_INIT, name = BUF_INIT;
	struct net_addr at;
	uint16_t port = 0;
	int fd, rc = net_host_port(span_of(text), 0, &host, &port, e);

	if (!rc && !net_addr_parse(&at, (struct span){host.s, host.len}, port))
		rc = err_set(e, EX_USAGE, "--listen %s: an address is needed, not a name", text);
	if (!rc)
		rc = net_listen_shared(&fd, &at, BACKLOG, e);
	if (!rc) {
		add_listener(p, fd);
		net_endpoint_text(&at, &name);
		if (p->verbose)
			prog_warn("listening at %s", name.s);
	}
	buf_free(&host);
	buf_free(&name);
	return rc;
}

/* *client: systemd has given us a client instead of a socket to listen at; -1: it has not. */
static int
listeners(struct program *p, int *client, struct err *e)
{
	size_t n;
	int rc = 0;

	*client = -1;
	hall_inherited(&n);
	for (int fd = INHERITED; fd < INHERITED + (int)n; fd++) {
		if (!hall_is_listener(fd)) {
			*client = fd;
			continue;
		}
		if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
			return err_sys(e, "descriptor %d", fd);
		add_listener(p, fd);
	}
	for (size_t i = 0; i < p->n_listen && !rc; i++)
		rc = listen_at(p, p->listen[i], e);
	return rc;
}

static int
run(struct program *p, struct err *e)
{
	struct hall h = {.max = p->house.serve->connections, .client = on_client,
	    .before = renew, .trouble = prog_trouble, .arg = p};
	int client, rc = hall_signals(e);

	load_for_domains(p);
	read_addresses(p);
	if (!rc)
		rc = listeners(p, &client, e);
	if (rc)
		return rc;
	if (p->n_listeners == 0) {
		hall_usual_signals();
		return at_descriptors(p, client >= 0 ? client : STDIN_FILENO,
		    client >= 0 ? client : STDOUT_FILENO, e);
	}
	if (load_for_clients(p, e))
		return e->code;
	owner_find(&p->owner, p->conf.queue); /* before nobody can be asked any more */
	p->hall = p->sandbox && !asks_commands(p); /* which each client's process starts by itself */
	if (p->hall && sandbox_hall(e))
		return e->code;
	h.listeners = p->listeners;
	h.n = p->n_listeners;
	return hall_run(&h, e);
}

/* --- start */

static void
options_of(struct program *p, int argc, char *argv[])
{
	int c;

	p->sandbox = !SYS_SANITIZED;
	while ((c = getopt_long(argc, argv, "C:v", options, NULL)) != -1)
		switch (c) {
		case 'C':
		case PROG_CONFIG: p->config = optarg; break;
		case 'v': p->verbose = true; break;
		case PROG_QUEUE: p->queue_dir = optarg; break;
		case AS: p->as = optarg; break;
		case NO_SANDBOX: p->sandbox = false; break;
		case LISTEN:
			p->listen = mem_grow(p->listen, p->n_listen + 1, sizeof *p->listen);
			p->listen[p->n_listen++] = optarg;
			break;
		case PROG_HELP: prog_help(usage);
		case PROG_VERSION_OPT: prog_version();
		default: prog_usage(usage);
		}
	if (optind != argc)
		prog_wrong(usage, "%s: no argument is taken", argv[optind]);
}

/* Without a route it would go to the domain's MX, that is to us: a bounce for each. */
static int
check_routes(const struct program *p, struct err *e)
{
	const char *domain;

	for (size_t i = 0; p->locals && (domain = locals_domain(p->locals, i)); i++)
		if (!route_find(&p->conf, domain, NULL))
			return err_set(e, EX_CONFIG, "local: no route says where mail for %s goes", domain);
	return 0;
}

static int
configure(struct program *p, struct err *e)
{
	int rc = conf_load(&p->conf, p->config, false, e);

	if (rc)
		return rc;
	if (p->queue_dir)
		conf_set(&p->conf.queue, p->queue_dir);
	p->house.conf = &p->conf;
	p->house.serve = confserve(&p->conf.sections);
	p->house.listen = confserve_listen(&p->conf.sections, p->as);
	p->house.trouble = prog_trouble;
	if (!p->house.listen)
		return err_set(e, EX_CONFIG, "--as %s: there is no such listen section", p->as);
	rc = locals_open(&p->locals, &p->conf.sections, e);
	if (!rc)
		rc = check_routes(p, e);
	if (!rc)
		rc = first_identity(p, e);
	return rc || asks_commands(p) ? rc : open_users(p, e);
}

int
main(int argc, char *argv[])
{
	struct program p = {.sandbox = true, .rules = -1};
	struct err e = ERR_INIT;
	int rc;

	prog_start("smtp-serve");
	options_of(&p, argc, argv);
	tzset(); /* reads a file, which a confined process may not */
	rc = configure(&p, &e);
	if (!rc)
		rc = run(&p, &e);
	if (rc)
		prog_warn("%s", err_text(&e));
	err_free(&e);
	release(&p);
	return rc;
}
