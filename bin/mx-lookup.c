/* mx-lookup - where mail for a domain goes, and how safely: what smtp-deliver would do. */
#include "addr.h"
#include "conf.h"
#include "identities.h"
#include "io.h"
#include "json.h"
#include "mxlook.h"
#include "net.h"
#include "prog.h"
#include "tls.h"

#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: mx-lookup [-C file] [--resolver address[@port]] [--timeout time] [--sender address]\n"
    "                 [--json | --site | --hosts | --addresses | --policy] [--connect] [--explain]\n"
    "                 [domain ...]";

#define LINE_MAX_BYTES 4096 /* of standard input: no domain is longer */
#define THREADS 32          /* questions wait for others' servers most of the time */
#define AHEAD 4096          /* lines read before the first of them is answered */

enum what { ALL, SITE, HOSTS, ADDRESSES, POLICY };

enum { RESOLVER = PROG_OWN, TIMEOUT, SENDER, O_SITE, O_HOSTS, O_ADDRESSES, O_POLICY, CONNECT, EXPLAIN };
static const struct option options[] = {PROG_OPTIONS, {"config", required_argument, NULL, 'C'},
    {"resolver", required_argument, NULL, RESOLVER}, {"timeout", required_argument, NULL, TIMEOUT},
    {"sender", required_argument, NULL, SENDER},
    {"json", no_argument, NULL, PROG_JSON}, {"site", no_argument, NULL, O_SITE},
    {"hosts", no_argument, NULL, O_HOSTS}, {"addresses", no_argument, NULL, O_ADDRESSES},
    {"policy", no_argument, NULL, O_POLICY}, {"connect", no_argument, NULL, CONNECT},
    {"explain", no_argument, NULL, EXPLAIN}, {NULL, 0, NULL, 0}};

struct job {
	char *text;
	struct buf out;
	int code;
	bool done;
};

struct tool {
	struct conf conf;
	struct route_self self;
	struct net_addr *own;
	struct sources *sources;
	const char **names;
	struct cert_store *cas, *sts_cas;
	int state; /* the queue's, where it can be looked into; -1 */
	struct dns *dns;
	struct mxlook_with with;
	enum what what;
	bool json, explain, batch;
	struct buf from; /* --sender */
	struct span sender;
	const char *config;

	pthread_mutex_t lock; /* over all below */
	pthread_cond_t more, done, room;
	struct job *ring[AHEAD];
	uint64_t read, taken, printed; /* jobs so far */
	bool end;
	int code; /* the worst */
};

/* --- options */

static void
use(struct tool *t, enum what what)
{
	if (t->what != ALL || t->json)
		prog_usage(usage);
	t->what = what;
}

/* "<>" or "": the null sender */
static void
use_sender(struct tool *t, const char *text)
{
	struct err e = ERR_INIT;

	buf_cut(&t->from, 0);
	if (*text && strcmp(text, "<>") != 0 && addr_one(span_of(text), NULL, &t->from, &e)) {
		err_in(&e, "--sender");
		e.code = EX_USAGE;
		prog_die(&e);
	}
	t->sender = (struct span){t->from.s, t->from.len};
	t->with.sender = &t->sender;
}

static void
parse(struct tool *t, int argc, char *argv[], const char **resolver, uint64_t *wait_s)
{
	struct err e = ERR_INIT;

	for (int c; (c = getopt_long(argc, argv, "C:", options, NULL)) != -1;)
		switch (c) {
		case 'C': t->config = optarg; break;
		case RESOLVER: *resolver = optarg; break;
		case TIMEOUT:
			if (conf_duration(optarg, wait_s, &e))
				prog_die(&e);
			break;
		case SENDER: use_sender(t, optarg); break;
		case PROG_JSON:
			if (t->what != ALL)
				prog_usage(usage);
			t->json = true;
			break;
		case O_SITE: use(t, SITE); break;
		case O_HOSTS: use(t, HOSTS); break;
		case O_ADDRESSES: use(t, ADDRESSES); break;
		case O_POLICY: use(t, POLICY); break;
		case CONNECT: t->with.connect = true; break;
		case EXPLAIN: t->explain = true; break;
		case PROG_HELP: prog_help(usage);
		case PROG_VERSION_OPT: prog_version();
		default: prog_usage(usage);
		}
}

/* --- one answer as text */

static void
put_addrs(struct buf *b, const struct mxlook_host *h)
{
	for (size_t i = 0; i < h->addrs.n; i++) {
		buf_str(b, b->len ? " " : "");
		net_addr_text(&h->addrs.v[i], b);
	}
}

/* "none", "may", "encrypt", "verify", and for DANE the usages that its records have. */
static void
put_policy(struct buf *b, const struct tlspolicy *p)
{
	bool ee = false, ta = false;

	for (size_t i = 0; i < p->n; i++) {
		ee = ee || p->v[i].usage == CERT_DANE_EE;
		ta = ta || p->v[i].usage == CERT_DANE_TA;
	}
	if (p->level == TLSPOLICY_DANE)
		buf_str(b, ee && ta ? "dane-ee,dane-ta" : ee ? "dane-ee" : "dane-ta");
	else if (p->sts)
		buf_fmt(b, "%s%ssts:%s", p->testing && p->level != TLSPOLICY_MAY ? tlspolicy_name(p->level) : "",
		    p->testing && p->level != TLSPOLICY_MAY ? "," : "", p->testing ? "testing" : "enforce");
	else
		buf_str(b, tlspolicy_name(p->level));
}

static void
put_escaped(struct buf *b, const struct buf *text)
{
	prog_escape(b, (struct span){text->s, text->len});
}

static void
put_lines(struct buf *b, const struct buf *text)
{
	struct cur c = cur_of(text->s, text->len);
	struct span line;

	while (cur_line(&c, &line)) {
		prog_escape(b, line);
		buf_ch(b, '\n');
	}
}

static void
put_connection(struct buf *b, const struct mxlook_host *h)
{
	buf_str(b, "\n    ");
	buf_add(b, h->addr.s, h->addr.len);
	buf_str(b, ": ");
	if (h->trouble.len > 0) {
		put_escaped(b, &h->trouble);
		return;
	}
	buf_str(b, h->tls.len ? "" : "clear text");
	buf_add(b, h->tls.s, h->tls.len);
	buf_str(b, "\n    ");
	put_escaped(b, &h->keywords);
}

static void
put_host(const struct tool *t, struct buf *b, const struct route_host *r, const struct mxlook_host *h)
{
	bool all = t->what == ALL;
	bool port = r->port != 25 && r->port != 0, six = port && strchr(r->name, ':');

	if (t->what == HOSTS || all)
		buf_fmt(b, "%u %s%s%s", r->preference, six ? "[" : "", r->name, six ? "]" : "");
	if (port && (t->what == HOSTS || all))
		buf_fmt(b, ":%u", r->port);
	if (t->what == ADDRESSES)
		put_addrs(b, h);
	if (t->what == POLICY && h->code == 0 && h->policy.host)
		put_policy(b, &h->policy);
	if (!all)
		return;
	if (h->code == 0 && !h->policy.host)
		return; /* nobody is connected to */
	put_addrs(b, h);
	buf_str(b, "  ");
	if (h->code)
		buf_fmt(b, "%s %s", h->status, h->why.s);
	else if (h->policy.host)
		put_policy(b, &h->policy);
	if (t->with.connect && h->addr.len > 0)
		put_connection(b, h);
}

/* A line each host; in a batch all on one line, behind the domain. */
static void
put_text(const struct tool *t, struct buf *b, const struct mxlook *m, const char *asked)
{
	struct buf line = BUF_INIT;
	bool first = true;

	if (t->batch) {
		prog_escape(b, span_of(asked));
		buf_ch(b, '\t');
	}
	if (m->code) {
		buf_fmt(b, "%s ", m->status);
		put_escaped(b, &m->why);
		buf_ch(b, '\n');
		return;
	}
	if (t->what == SITE)
		buf_fmt(b, "%s\n", m->route.site);
	for (size_t i = 0; i < m->route.n && t->what != SITE; i++) {
		buf_cut(&line, 0);
		put_host(t, &line, &m->route.hosts[i], &m->hosts[i]);
		if (line.len == 0)
			continue;
		buf_str(b, first ? "" : t->batch ? "; " : "\n");
		buf_add(b, line.s, line.len);
		first = false;
	}
	if (t->what != SITE)
		buf_ch(b, '\n');
	buf_free(&line);
}

/* --- one answer as JSON */

static void
put_tlsa(struct buf *b, const struct tlspolicy *p)
{
	static const char hex[] = "0123456789abcdef";
	struct buf text = BUF_INIT;

	json_arr(b, "tlsa");
	for (size_t i = 0; i < p->n; i++) {
		buf_cut(&text, 0);
		buf_fmt(&text, "%u %u %u ", p->v[i].usage, p->v[i].selector, p->v[i].matching);
		for (size_t k = 0; k < p->v[i].data.n; k++) {
			buf_ch(&text, hex[(unsigned char)p->v[i].data.p[k] >> 4]);
			buf_ch(&text, hex[p->v[i].data.p[k] & 15]);
		}
		json_text(b, (struct span){text.s, text.len});
	}
	json_arr_end(b);
	buf_free(&text);
}

/* The domain's policy, and whether it names this host. */
static void
put_sts(struct buf *b, const struct stsfile *known, const struct tlspolicy *p)
{
	const struct stsfile *f = stskeep_valid(known);
	uint64_t now_s = io_time_us() / 1000000;

	if (!f)
		return;
	json_obj(b, "sts");
	json_str(b, "domain", span_of(f->domain));
	json_str(b, "id", (struct span){f->id.s, f->id.len});
	json_str(b, "mode", span_of(sts_mode_name(f->policy.mode)));
	json_num(b, "max_age", (int64_t)f->policy.max_age_s);
	json_num(b, "age_s", now_s > f->fetched_s ? (int64_t)(now_s - f->fetched_s) : 0);
	json_bool(b, "match", sts_policy_has(&f->policy, p->host));
	json_close(b);
}

static void
put_json_connection(struct buf *b, const struct mxlook_host *h)
{
	json_obj(b, "connection");
	json_str(b, "addr", (struct span){h->addr.s, h->addr.len});
	if (h->trouble.len)
		json_str(b, "error", (struct span){h->trouble.s, h->trouble.len});
	if (h->tls.len)
		json_str(b, "tls", (struct span){h->tls.s, h->tls.len});
	if (h->keywords.len)
		json_str(b, "ehlo", (struct span){h->keywords.s, h->keywords.len});
	json_close(b);
}

static void
put_json_host(const struct tool *t, struct buf *b, const struct mxlook *m, const struct route_host *r,
    const struct mxlook_host *h)
{
	struct buf text = BUF_INIT;

	json_open(b);
	json_num(b, "preference", r->preference);
	json_str(b, "name", span_of(r->name));
	json_num(b, "port", r->port);
	json_arr(b, "addresses");
	for (size_t i = 0; i < h->addrs.n; i++) {
		buf_cut(&text, 0);
		net_addr_text(&h->addrs.v[i], &text);
		json_text(b, (struct span){text.s, text.len});
	}
	json_arr_end(b);
	json_bool(b, "secure", h->addrs.secure);
	if (h->code) {
		json_str(b, "status", span_of(h->status));
		json_str(b, "error", (struct span){h->why.s, h->why.len});
	} else if (h->policy.host) {
		json_str(b, "policy", span_of(tlspolicy_name(h->policy.level)));
		put_tlsa(b, &h->policy);
		put_sts(b, h->sts ? h->sts : m->sts, &h->policy);
	}
	if (t->with.connect && h->addr.len > 0)
		put_json_connection(b, h);
	json_close(b);
	buf_free(&text);
}

static void
put_json(const struct tool *t, struct buf *b, const struct mxlook *m, const char *asked)
{
	json_open(b);
	json_str(b, "query", span_of(asked));
	json_str(b, "domain", (struct span){m->domain.s, m->domain.len});
	json_num(b, "code", m->code);
	if (m->code) {
		json_str(b, "status", span_of(m->status));
		json_str(b, "error", (struct span){m->why.s, m->why.len});
	}
	if (m->route.by)
		json_str(b, "route", span_of(m->route.by->match));
	if (m->hosts) {
		json_str(b, "site", span_of(m->route.site));
		json_str(b, "kind", span_of(route_kinds[m->route.kind]));
		json_bool(b, "secure", m->route.secure);
		if (m->route.ttl_s != UINT32_MAX)
			json_num(b, "ttl_s", m->route.ttl_s);
		json_arr(b, "hosts");
		for (size_t i = 0; i < m->route.n; i++)
			put_json_host(t, b, m, &m->route.hosts[i], &m->hosts[i]);
		json_arr_end(b);
	}
	json_close(b);
	buf_ch(b, '\n');
}

/* --- answering */

static void
answer(const struct tool *t, struct dns *d, const char *text, struct buf *out, int *code)
{
	struct mxlook m;

	mxlook_find(&m, &t->with, d, span_of(text), t->explain);
	if (m.told.len > 0)
		put_lines(out, &m.told);
	if (t->json)
		put_json(t, out, &m, text);
	else
		put_text(t, out, &m, text);
	*code = m.code;
	mxlook_free(&m);
}

/* A temporary failure is the worst, for who reads it has to ask again; its code is the greatest, too. */
static void
worse(struct tool *t, int code)
{
	if (code > t->code)
		t->code = code;
}

static void *
work(void *arg)
{
	struct tool *t = arg;
	struct dns *d = NULL;
	struct err e = ERR_INIT;

	if (dns_clone(&d, t->dns, &e))
		prog_die(&e);
	pthread_mutex_lock(&t->lock);
	for (;;) {
		struct job *j;

		while (t->taken == t->read && !t->end)
			pthread_cond_wait(&t->more, &t->lock);
		if (t->taken == t->read)
			break;
		j = t->ring[t->taken++ % AHEAD];
		pthread_mutex_unlock(&t->lock);
		answer(t, d, j->text, &j->out, &j->code);
		pthread_mutex_lock(&t->lock);
		j->done = true;
		if (t->ring[t->printed % AHEAD] == j)
			pthread_cond_signal(&t->done);
	}
	pthread_mutex_unlock(&t->lock);
	dns_close(d);
	return NULL;
}

/* In the order of the input, each as soon as those before it are there. */
static void *
print(void *arg)
{
	struct tool *t = arg;

	pthread_mutex_lock(&t->lock);
	for (;;) {
		struct job *j;

		while (t->printed < t->read ? !t->ring[t->printed % AHEAD]->done : !t->end)
			pthread_cond_wait(&t->done, &t->lock);
		if (t->printed == t->read)
			break;
		j = t->ring[t->printed++ % AHEAD];
		worse(t, j->code);
		pthread_cond_signal(&t->room);
		pthread_mutex_unlock(&t->lock);
		out_bytes(j->out.s, j->out.len);
		if (t->printed == t->read)
			out_flush();
		buf_free(&j->out);
		free(j->text);
		free(j);
		pthread_mutex_lock(&t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

static void
add(struct tool *t, struct span line)
{
	struct job *j = mem_alloc(sizeof *j);

	j->text = mem_dup(line.p, line.n);
	j->out = (struct buf)BUF_INIT;
	pthread_mutex_lock(&t->lock);
	while (t->read - t->printed == AHEAD)
		pthread_cond_wait(&t->room, &t->lock);
	t->ring[t->read++ % AHEAD] = j;
	pthread_cond_signal(&t->more);
	pthread_mutex_unlock(&t->lock);
}

/* Standard input, a domain a line. */
static int
read_lines(struct tool *t, struct err *e)
{
	struct buf in = BUF_INIT;
	size_t got = 1;
	int rc = 0;

	while (!rc && got > 0) {
		struct cur c;
		const char *end;

		rc = io_input(STDIN_FILENO, buf_room(&in, LINE_MAX_BYTES), LINE_MAX_BYTES, &got, e);
		buf_grew(&in, rc ? 0 : got);
		c = cur_of(in.s, in.len);
		while (!rc && (end = memchr(c.p, '\n', (size_t)(c.end - c.p))) != NULL) {
			add(t, (struct span){c.p, (size_t)(end - c.p)});
			c.p = end + 1;
		}
		buf_drop(&in, (size_t)(c.p - in.s));
		if (!rc && in.len > LINE_MAX_BYTES)
			rc = err_set(e, EX_DATAERR, "a line over %d bytes", LINE_MAX_BYTES);
	}
	if (!rc && in.len > 0)
		add(t, (struct span){in.s, in.len});
	buf_free(&in);
	return rc;
}

static int
batch(struct tool *t, char *argv[], struct err *e)
{
	pthread_t threads[THREADS], printer;
	int rc = 0;

	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->more, NULL);
	pthread_cond_init(&t->done, NULL);
	pthread_cond_init(&t->room, NULL);
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, t))
			return err_set(e, EX_TEMPFAIL, "no thread to be had");
	if (pthread_create(&printer, NULL, print, t))
		return err_set(e, EX_TEMPFAIL, "no thread to be had");
	if (!*argv)
		rc = read_lines(t, e);
	for (; *argv; argv++)
		add(t, span_of(*argv));
	pthread_mutex_lock(&t->lock);
	t->end = true;
	pthread_cond_broadcast(&t->more);
	pthread_cond_broadcast(&t->done);
	pthread_mutex_unlock(&t->lock);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_join(printer, NULL);
	return rc;
}

/* --- the beginning and the end */

/* What the deliverer remembers, where it may be read; what is fetched for us is not kept. */
static int
open_policies(struct tool *t, struct err *e)
{
	struct buf path = BUF_INIT;

	buf_fmt(&path, "%s/state", t->conf.queue);
	t->state = open(path.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	buf_free(&path);
	return stskeep_open(&t->with.sts, &t->conf, t->state, "", NULL, e);
}

static int
prepare(struct tool *t, const char *resolver, uint64_t wait_s, struct err *e)
{
	int rc = conf_load(&t->conf, t->config, false, e);

	if (rc)
		return rc;
	if (resolver)
		conf_set(&t->conf.resolver, resolver);
	sources_open(&t->sources, &t->conf);
	rc = sources_check(t->sources, e);
	if (rc)
		return rc;
	t->self.n_names = sources_helos(t->sources, &t->names);
	t->names[t->self.n_names++] = t->conf.hostname;
	t->self.names = t->names;
	t->state = -1;
	rc = net_own_addrs(&t->own, &t->self.n_addrs, e);
	t->self.addrs = t->own;
	if (!rc)
		rc = dns_open(&t->dns, t->conf.resolver, e);
	if (!rc && t->conf.trust_ad)
		dns_trust_ad(t->dns);
	if (!rc && t->what != SITE && t->what != HOSTS)
		rc = open_policies(t, e);
	if (!rc && t->with.connect)
		rc = tls_start(e);
	if (!rc && t->with.connect)
		rc = tlspolicy_cas(&t->conf, &t->cas, e);
	if (!rc && t->with.connect)
		rc = tlspolicy_sts_cas(&t->conf, &t->sts_cas, e);
	t->with.conf = &t->conf;
	t->with.self = &t->self;
	t->with.cas = t->cas;
	t->with.sources = t->sources;
	t->with.stream = t->conf.stream;
	t->with.sts_cas = t->sts_cas;
	if (!rc && t->with.connect)
		identities_open(&t->with.identities, &t->conf);
	t->with.seed = io_random();
	t->with.addresses = t->what != SITE && t->what != HOSTS;
	t->with.wait_ms = (int64_t)(wait_s ? wait_s : t->conf.timeouts.dns) * 1000;
	return rc;
}

int
main(int argc, char *argv[])
{
	static struct tool t;
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	const char *resolver = NULL;
	uint64_t wait_s = 0;
	int rc;

	prog_start("mx-lookup");
	t.from = (struct buf)BUF_INIT;
	parse(&t, argc, argv, &resolver, &wait_s);
	if (prepare(&t, resolver, wait_s, &e))
		prog_die(&e);
	t.batch = optind + 1 != argc;
	if (t.batch) {
		if (batch(&t, argv + optind, &e))
			prog_die(&e);
	} else {
		answer(&t, t.dns, argv[optind], &out, &t.code);
		out_bytes(out.s, out.len);
	}
	buf_free(&out);
	buf_free(&t.from);
	dns_close(t.dns);
	stskeep_close(t.with.sts);
	if (t.state >= 0)
		close(t.state);
	cert_store_free(t.cas);
	cert_store_free(t.sts_cas);
	free(t.own);
	free(t.names);
	sources_close(t.sources);
	identities_close(t.with.identities);
	rc = t.code;
	conf_free(&t.conf);
	return out_close() ? EX_TEMPFAIL : rc;
}
