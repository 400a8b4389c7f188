#include "stskeep.h"

#include "io.h"
#include "launch.h"
#include "net.h"
#include "route.h"
#include "spawn.h"
#include "tagtext.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SHARE 4 /* of the connections, at most so many wait for policies */
#define RECORD_MAX (STS_POLICY_MAX + 8192)
#define SECOND_US 1000000
#define BUSY_MS 50 /* between two looks for a policy that is being fetched */

struct stskeep {
	struct spawn *spawn;   /* NULL: there is no mta-sts to start */
	int state_dir;
	const _Atomic bool *stop;
	pthread_mutex_t lock;  /* over all below */
	const char *fetching[STSKEEP_FETCHES]; /* domains; NULL: this place is free */
	size_t most;
};

static uint64_t
now_s(void)
{
	return io_time_us() / SECOND_US;
}

/* --- at the start */

/* What the configuration says is said again: of the environment it gets little. */
static int
start(struct stskeep *k, const struct conf *c, const char *queue, struct err *e)
{
	struct buf path = BUF_INIT;
	const char *v[16];
	const char *const *programs[1] = {v};
	size_t n = 0;
	int rc = launch_path("mta-sts", &path, e);

	v[n++] = path.s;
	v[n++] = "--config";
	v[n++] = "/dev/null";
	v[n++] = "--record";
	if (queue) {
		v[n++] = "--queue";
		v[n++] = queue;
	}
	if (c->resolver[0]) {
		v[n++] = "--resolver";
		v[n++] = c->resolver;
	}
	if (c->sts_ca_file[0]) {
		v[n++] = "--ca-file";
		v[n++] = c->sts_ca_file;
	}
	v[n] = NULL;
	if (!rc)
		rc = spawn_start(&k->spawn, programs, 1, e);
	buf_free(&path);
	return rc;
}

int
stskeep_open(struct stskeep **out, const struct conf *c, int state_dir, const char *queue,
    const _Atomic bool *stop, struct err *e)
{
	size_t share = (size_t)c->connections / SHARE;
	struct stskeep *k;
	int rc;

	*out = NULL;
	if (!route_may_want(c, CONF_TLS_STS) && !(c->mta_sts && route_may_want(c, CONF_TLS_AUTO)))
		return 0;
	k = mem_alloc(sizeof *k);
	k->state_dir = state_dir;
	k->stop = stop;
	k->most = share < 1 ? 1 : share > STSKEEP_FETCHES ? STSKEEP_FETCHES : share;
	pthread_mutex_init(&k->lock, NULL);
	rc = start(k, c, queue, e);
	if (rc == EX_UNAVAILABLE) { /* installed without it: what is remembered counts */
		err_free(e);
		rc = 0;
	}
	*out = k;
	return rc;
}

void
stskeep_close(struct stskeep *k)
{
	if (!k)
		return;
	spawn_stop(k->spawn);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

int
stskeep_end_fd(const struct stskeep *k)
{
	return k ? spawn_end_fd(k->spawn) : -1;
}

/* --- fetching */

/* A place for the domain; false where it has one already, or none is left. */
static bool
enter(struct stskeep *k, const char *domain, size_t *place)
{
	bool found = false, twice = false;

	pthread_mutex_lock(&k->lock);
	for (size_t i = 0; i < k->most; i++) {
		twice = twice || (k->fetching[i] && strcmp(k->fetching[i], domain) == 0);
		if (!k->fetching[i] && !found) {
			*place = i;
			found = true;
		}
	}
	found = found && !twice;
	if (found)
		k->fetching[*place] = domain;
	pthread_mutex_unlock(&k->lock);
	return found;
}

static void
leave(struct stskeep *k, size_t place)
{
	pthread_mutex_lock(&k->lock);
	k->fetching[place] = NULL;
	pthread_mutex_unlock(&k->lock);
}

int
stskeep_fetch(struct stskeep *k, const char *domain, const char *overlay, int64_t deadline_ms,
    struct stsfile **f, struct err *e)
{
	const char *args[] = {domain, overlay ? "--overlay" : NULL, overlay, NULL};
	struct spawn_job j = SPAWN_JOB_INIT;
	struct buf out = BUF_INIT;
	int rc, status = 0;

	*f = NULL;
	if (!k->spawn)
		return err_set(e, EX_UNAVAILABLE, "mta-sts is not there");
	j.args = args;
	j.out_max = RECORD_MAX;
	j.deadline_ms = deadline_ms;
	j.stop = k->stop;
	/* Its exit status says nothing that what it prints does not. */
	rc = spawn_run(k->spawn, &j, &out, &status, e);
	if (!rc && out.len == 0)
		rc = err_set(e, EX_TEMPFAIL, "it has found out nothing");
	if (!rc)
		rc = stsfile_parse((struct span){out.s, out.len}, domain, f, e);
	if (rc) {
		err_in(e, "mta-sts");
		e->code = rc = EX_TEMPFAIL;
	}
	buf_free(&out);
	return rc;
}

static void
fetch(struct stskeep *k, const char *domain, struct stsfile **f)
{
	struct err e = ERR_INIT;
	struct stsfile *new;

	if (stskeep_fetch(k, domain, NULL, io_now_ms() + STSKEEP_FETCH_MS, &new, &e) == 0) {
		stsfile_drop(*f);
		*f = new;
	}
	err_free(&e);
}

/* --- finding */

/* EX_UNAVAILABLE: no such record; EX_TEMPFAIL: it cannot be found out. */
static int
ask_id(struct dns *d, const char *domain, int64_t deadline_ms, struct buf *id)
{
	struct answers a = ANSWERS_INIT;
	struct buf name = BUF_INIT;
	struct span text, value = {"", 0};
	struct err e = ERR_INIT;
	int rc;

	buf_fmt(&name, "_mta-sts.%s", domain);
	dns_ask(d, name.s, ANSWERS_TXT, deadline_ms, &a);
	rc = tagtext_only(&a, STS_VERSION, &text, &e);
	if (!rc && (tagtext_get(text, STS_VERSION, "id", &value, &e) || !sts_id_ok(value)))
		rc = EX_UNAVAILABLE;
	if (!rc)
		buf_add(id, value.p, value.n);
	answers_free(&a);
	buf_free(&name);
	err_free(&e);
	return rc;
}

enum stskeep_is
stskeep_find(struct stskeep *k, const char *domain, struct dns *d, int64_t deadline_ms,
    struct stsfile **f, bool *old)
{
	struct buf id = BUF_INIT;
	struct err none = ERR_INIT;
	struct span is;
	bool valid, known;
	size_t place;
	int rc;

	*f = NULL;
	*old = false;
	if (!k)
		return STSKEEP_KNOWN;
	rc = ask_id(d, domain, deadline_ms, &id);
	is = (struct span){id.s, id.len};
	if (k->state_dir >= 0)
		stsfile_load(k->state_dir, domain, f, &none);
	err_free(&none);
	valid = *f && stsfile_valid(*f, now_s());
	known = rc || !k->spawn || (*f && stsfile_resting(*f, is, now_s())) ||
	    (valid && span_eq(is, (struct span){(*f)->id.s, (*f)->id.len}));
	*old = valid && !rc && k->spawn && stsfile_old(*f, now_s()) && !stsfile_resting(*f, is, now_s());
	buf_free(&id);
	if (known && rc && !valid) {
		/* What went wrong with a policy that nobody promises any more is nobody's affair. */
		stsfile_drop(*f);
		*f = NULL;
	}
	if (!rc && !k->spawn && !*f) { /* our own want, of which nobody else is told */
		*f = stsfile_new(domain);
		buf_str(&(*f)->why, "mta-sts is not installed");
	}
	if (known)
		return STSKEEP_KNOWN;
	if (!enter(k, domain, &place)) {
		stsfile_drop(*f);
		*f = NULL;
		return STSKEEP_BUSY;
	}
	fetch(k, domain, f);
	leave(k, place);
	*old = false;
	return STSKEEP_KNOWN;
}

/* It counts as long as no better is had (RFC 8461 5.1): or who keeps us from the new one keeps us from any. */
static void
remembered(const struct stskeep *k, const char *domain, struct stsfile **f)
{
	struct err none = ERR_INIT;

	if (k->state_dir >= 0)
		stsfile_load(k->state_dir, domain, f, &none);
	err_free(&none);
	if (*f && !stsfile_valid(*f, now_s())) {
		stsfile_drop(*f);
		*f = NULL;
	}
}

void
stskeep_wait(struct stskeep *k, const char *domain, struct dns *d, int64_t deadline_ms, struct stsfile **f,
    bool *old)
{
	while (stskeep_find(k, domain, d, deadline_ms, f, old) == STSKEEP_BUSY) {
		if ((k->stop && *k->stop) || io_now_ms() >= deadline_ms) {
			remembered(k, domain, f);
			return;
		}
		poll(NULL, 0, BUSY_MS);
	}
}

void
stskeep_relay(struct stskeep *k, const char *host, struct dns *d, int64_t deadline_ms, struct stsfile **f,
    bool *old)
{
	struct net_addr probe;

	*f = NULL;
	*old = false;
	if (k && strchr(host, '.') && !net_addr_parse(&probe, span_of(host), 0) && !dns_in_hosts(d, host))
		stskeep_wait(k, host, d, deadline_ms, f, old);
}

void
stskeep_refresh(struct stskeep *k, const char *domain)
{
	struct stsfile *f = NULL;
	size_t place;

	if (!k || !k->spawn || !enter(k, domain, &place))
		return;
	fetch(k, domain, &f);
	leave(k, place);
	stsfile_drop(f);
}

const struct stsfile *
stskeep_valid(const struct stsfile *f)
{
	return f && stsfile_valid(f, now_s()) ? f : NULL;
}

const char *
stskeep_why(const struct stsfile *f)
{
	return f && f->why.len > 0 ? f->why.s : NULL;
}
