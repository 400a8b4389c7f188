#include "dryrun.h"

#include "addr.h"
#include "idn.h"
#include "io.h"
#include "journal.h"
#include "local.h"
#include "map.h"
#include "names.h"
#include "smtp.h"
#include "smtpauth.h"
#include "taken.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* About a domain: it is looked up, and its host met, once; once a stream, where there are pools, and once a
 * section that covers it. */
struct known {
	char *domain;
	struct span key; /* domain, and behind the NUL that ends it the rest */
	const struct conf_route *by;
	struct mxlook m;
	bool found;
	struct smtp s; /* rcpt: a connection to its host */
	struct err why;
	char where[512];
};

struct work {
	const struct dryrun *r;
	struct mxlook_with with;
	struct names names;
	struct map map;
	struct known **v;
	size_t n;
};

/* --- which messages */

static bool
wanted(const struct dryrun *r, const struct entry_name *n, enum queue_place place)
{
	bool meant = r->n_ids == 0;

	for (size_t i = 0; i < r->n_ids && !meant; i++)
		meant = span_eq(n->id, span_of(r->ids[i]));
	return meant && (place == IN_NEW || r->now || r->n_ids > 0 || n->due <= io_time_us() / 1000000);
}

static int
on_name(void *arg, const struct queue_at *at, const char *name, const struct entry_name *n)
{
	struct work *w = arg;

	if (wanted(w->r, n, at->place))
		names_add(&w->names, at, name);
	return 0;
}

/* --- domains */

static struct known *
known_of(struct work *w, struct span domain, struct span stream, struct span sender)
{
	const struct conf_route *by;
	struct err e = ERR_INIT;
	struct buf key = BUF_INIT;
	struct known *k;
	uint32_t i;

	if (domain.n == 0 || domain.p[0] == '[' || idn_to_ascii(domain, &key, &e))
		for (size_t c = 0; c < domain.n; c++) /* which is no domain: mxlook.h will say so */
			buf_ch(&key, (char)ascii_lower((unsigned char)domain.p[c]));
	err_free(&e);
	by = route_find(w->r->conf, key.s, &sender);
	buf_fmt(&key, "%c%s", '\0', by ? by->match : "");
	if (w->r->sources) {
		buf_ch(&key, '\0');
		buf_add(&key, stream.p, stream.n);
	}
	i = map_get(&w->map, (struct span){key.s, key.len});
	if (i != MAP_NONE) {
		buf_free(&key);
		return w->v[i];
	}
	k = mem_alloc(sizeof *k);
	k->key = (struct span){key.s, key.len};
	k->domain = buf_steal(&key);
	k->by = by;
	smtp_init(&k->s);
	w->v = mem_grow(w->v, w->n + 1, sizeof(struct known *));
	w->v[w->n] = k;
	map_put(&w->map, k->key, (uint32_t)w->n++);
	return k;
}

static void
known_free(struct known *k)
{
	smtp_quit(&k->s);
	smtp_free(&k->s);
	if (k->found)
		mxlook_free(&k->m);
	err_free(&k->why);
	free(k->domain);
	free(k);
}

/* Whether the configuration alone says where it goes. */
static bool
needs_dns(const struct known *k)
{
	return k->domain[0] != '[' && route_asks_dns(k->by);
}

/* The first host that can be used, as far as was looked; NULL: none. */
static const struct mxlook_host *
best_host(const struct dryrun *r, const struct mxlook *m, size_t *i)
{
	for (*i = 0; *i < m->route.n; ++*i) {
		const struct mxlook_host *h = &m->hosts[*i];

		if (h->code == 0 && (r->depth < DRYRUN_CONNECT || h->trouble.len == 0))
			return h;
	}
	*i = 0;
	return NULL;
}

/* --- one recipient */

static void
say(const struct work *w, const struct queue_entry *t, struct span rcpt, struct dryrun_line *l)
{
	char id[ENTRY_ID + 1];
	struct buf addr = BUF_INIT;

	memcpy(id, t->is.id.p, ENTRY_ID);
	id[ENTRY_ID] = '\0';
	buf_add(&addr, rcpt.p, rcpt.n);
	l->id = id;
	l->rcpt = addr.s;
	w->r->each(w->r->arg, l);
	buf_free(&addr);
}

static const char *
verdict_of(int code)
{
	return code == 0 ? "send" : code == EX_TEMPFAIL ? "defer" : "fail";
}

static void
say_host(struct known *k, const struct mxlook_host *h, size_t i)
{
	struct buf addr = BUF_INIT;

	if (route_is_here(&k->m.route)) {
		snprintf(k->where, sizeof k->where, "%s", k->m.route.hosts[i].name);
		return;
	}
	if (h->addr.len > 0)
		buf_add(&addr, h->addr.s, h->addr.len);
	else if (h->addrs.n > 0)
		net_endpoint_text(&h->addrs.v[0], &addr);
	snprintf(k->where, sizeof k->where, "%s[%s]", k->m.route.hosts[i].name, addr.s);
	buf_free(&addr);
}

/* As far as a domain is told without this message: true where there is a host to go on with. */
static bool
say_domain(struct work *w, struct known *k, struct dryrun_line *l, const struct mxlook_host **host)
{
	const struct dryrun *r = w->r;
	size_t i;

	if (r->depth == DRYRUN_ROUTE && needs_dns(k)) {
		l->text = "by the MX records of the domain";
		return false;
	}
	if (!k->found)
		mxlook_find(&k->m, &w->with, r->dns, span_of(k->domain), false);
	k->found = true;
	l->verdict = verdict_of(k->m.code);
	l->site = k->m.route.site ? k->m.route.site : "";
	l->status = k->m.code ? k->m.status : "";
	l->text = k->m.why.s;
	if (k->m.code || r->depth == DRYRUN_ROUTE)
		return false;
	*host = best_host(r, &k->m, &i);
	if (!*host) { /* none takes a connection: the last of them says why */
		const struct mxlook_host *last = &k->m.hosts[k->m.route.n - 1];

		l->verdict = "defer";
		l->status = last->code ? last->status : last->trouble_status;
		l->text = last->code ? last->why.s : last->trouble.s;
		return false;
	}
	say_host(k, *host, i);
	l->where = k->where;
	l->policy = (*host)->policy.host ? tlspolicy_name((*host)->policy.level) : "";
	return true;
}

/* The message's own transaction, without its content. */
static int
transact(struct known *k, const struct queue_entry *t, struct smtp_rcpt *v, size_t n, bool *stale,
    struct err *e)
{
	const struct conf_route *by = k->m.route.by;
	bool null = t->env.sender.n == 0 && by && by->null_sender;
	struct smtp_mail m = {.sender = null ? span_of(by->null_sender) : t->env.sender, .notice = null,
	    .params = t->env.params, .rcpts = v, .n = n,
	    .file = t->fd, .off = t->content_off, .size = t->head.content_bytes,
	    .eightbit = t->head.eightbit, .utf8_header = t->head.utf8_header,
	    .wish = &t->env.wish, .now_s = io_time_us() / 1000000, .envelope_only = true};

	int rc = smtp_send(&k->s, &m, e);

	*stale = m.stale;
	return rc;
}

/* A connection for the transactions, made as mxlook made its own. */
static bool
open_connection(struct work *w, struct known *k, const struct mxlook_host *h)
{
	const struct route_host *host = &k->m.route.hosts[h - k->m.hosts];

	err_free(&k->why);
	return !smtp_used_up(&k->s) || (mxlook_open(&w->with, h, &k->s, &k->why) == 0 &&
	    smtpauth_route(&k->s, k->m.route.login, host->name, host->port, w->r->keys, &k->why) == 0);
}

static void
say_rcpts(struct work *w, struct known *k, const struct mxlook_host *h, const struct queue_entry *t,
    struct smtp_rcpt *v, size_t n, const struct dryrun_line *base)
{
	struct err e = ERR_INIT;
	bool stale = false;
	int rc = transact(k, t, v, n, &stale, &e);

	if (rc && stale) { /* it was closed while others were asked: once more, over a fresh one */
		err_free(&e);
		smtp_close(&k->s);
		rc = open_connection(w, k, h) ? transact(k, t, v, n, &stale, &e)
		                              : err_set(&e, EX_TEMPFAIL, "%s", err_text(&k->why));
	}

	for (size_t i = 0; i < n; i++) {
		struct dryrun_line l = *base;
		struct smtp_rcpt *p = &v[i];

		l.verdict = p->is == SMTP_FAILED ? "fail" : p->is == SMTP_DELIVERED ? "send" : "defer";
		l.status = p->status;
		l.text = p->text.s;
		if (rc && p->is == SMTP_UNDECIDED) {
			l.status = "4.4.2";
			l.text = err_text(&e);
		}
		say(w, t, p->addr, &l);
		smtp_rcpt_free(p);
	}
	err_free(&e);
}

/* Where nobody is asked. */
static void
say_here(struct work *w, struct known *k, const struct queue_entry *t, struct span rcpt,
    const struct dryrun_line *base)
{
	struct dryrun_line l = *base;
	struct buf where = BUF_INIT;
	struct err e = ERR_INIT;
	char status[12] = "";
	int rc = local_ready(k->m.route.ends, &e);

	if (rc)
		memcpy(status, "4.2.0", 6);
	else
		rc = local_look(w->r->conf, k->m.route.ends, rcpt, &where, status, &e);
	l.verdict = verdict_of(rc);
	l.where = where.len > 0 ? where.s : l.where;
	l.status = status;
	l.text = err_text(&e);
	say(w, t, rcpt, &l);
	buf_free(&where);
	err_free(&e);
}

/* --- one message */

/* The recipients of one domain, from the i-th on. */
static void
one_domain(struct work *w, const struct queue_entry *t, const struct journal *j, bool *done, size_t i)
{
	struct span domain = addr_domain(t->env.rcpts[i].addr);
	struct known *k = known_of(w, domain, t->is.stream, t->env.sender);
	struct buf stream = BUF_INIT;
	struct dryrun_line l = {.verdict = "send", .site = "", .where = "", .policy = "", .status = "",
	    .text = ""};
	const struct mxlook_host *h = NULL;
	struct smtp_rcpt *v = mem_alloc((t->env.n + 1) * sizeof *v);
	bool met, here, go_on, unwanted;
	size_t n = 0;

	buf_add(&stream, t->is.stream.p, t->is.stream.n);
	w->with.stream = stream.s;
	w->with.sender = &t->env.sender;
	met = say_domain(w, k, &l, &h);
	here = met && route_is_here(&k->m.route);
	go_on = met && !here && w->r->depth == DRYRUN_RCPT;
	unwanted = w->r->site && strcmp(w->r->site, l.site) != 0;
	if (go_on && !unwanted && !open_connection(w, k, h)) {
		go_on = false;
		l.verdict = "defer";
		l.status = k->s.tls_status ? k->s.tls_status : "4.4.1";
		l.text = err_text(&k->why);
	}
	for (; i < t->env.n; i++) {
		const struct entry_rcpt *p = &t->env.rcpts[i];

		if (done[i] || !span_ieq(addr_domain(p->addr), domain))
			continue;
		done[i] = true;
		if (unwanted || !journal_is_open(&j->rcpts[i]))
			continue;
		if (go_on)
			v[n++] = (struct smtp_rcpt){.addr = p->addr, .params = p->params, .text = BUF_INIT};
		else if (here && w->r->depth >= DRYRUN_CONNECT)
			say_here(w, k, t, p->addr, &l);
		else
			say(w, t, p->addr, &l);
	}
	if (n > 0)
		say_rcpts(w, k, h, t, v, n, &l);
	buf_free(&stream);
	free(v);
}

static void
one_message(struct work *w, const struct queue_entry *t)
{
	bool *done = mem_alloc(t->env.n * sizeof *done + 1);
	struct err e = ERR_INIT;
	struct journal j;

	if (journal_replay((struct span){t->journal.s, t->journal.len}, t->env.n, &j, &e) == 0) {
		bool waits = t->env.hold_until_s > io_time_us() / 1000000 && j.retried_us == 0;

		for (size_t i = 0; i < t->env.n; i++) {
			if (waits)
				say(w, t, t->env.rcpts[i].addr, &(struct dryrun_line){.verdict = "wait",
				    .site = "", .where = "", .policy = "", .status = "",
				    .text = "its sender wants it to be held until later"});
			else if (!done[i])
				one_domain(w, t, &j, done, i);
		}
	}
	journal_free(&j);
	err_free(&e);
	free(done);
}

int
dryrun(const struct dryrun *r, struct err *e)
{
	struct work w = {.r = r, .names = NAMES_INIT};
	int rc;

	w.with = (struct mxlook_with){.conf = r->conf, .self = r->self, .cas = r->cas,
	    .sources = r->sources,
	    .sts_cas = r->sts_cas, .sts = r->sts,
	    .identities = r->identities,
	    .addresses = r->depth > DRYRUN_ROUTE, .connect = r->depth >= DRYRUN_CONNECT,
	    .seed = io_random(), .wait_ms = (int64_t)r->conf->timeouts.dns * 1000};
	map_init(&w.map, io_random());
	rc = queue_scan(r->q, IN_NEW, 0, on_name, &w, e);
	if (!rc)
		rc = queue_scan(r->q, IN_CUR, UINT64_MAX, on_name, &w, e);
	names_sort(&w.names);
	for (size_t i = 0; i < w.names.n && !rc; i++) {
		struct queue_entry t;
		enum queue_took took;

		rc = queue_peek(r->q, &w.names.v[i].at, names_text(&w.names, i), &t, &took, e);
		if (!rc && took == QUEUE_TOOK) {
			one_message(&w, &t);
			queue_release(&t);
		}
	}
	for (size_t i = 0; i < w.n; i++)
		known_free(w.v[i]);
	free(w.v);
	map_free(&w.map);
	names_free(&w.names);
	return rc;
}
