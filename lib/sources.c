#include "sources.h"

#include "confsite.h"
#include "io.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct sources {
	struct source *v;
	size_t n;
	char **names; /* of pools */
	uint32_t n_names;
	pthread_mutex_t lock; /* over due and bad_ms */
};

static size_t
index_of(sa_family_t family)
{
	return family == AF_INET6;
}

static void
add(struct sources *s, const struct confpool *p, const char *hostname)
{
	struct source *v = &s->v[s->n++];
	struct span name = confpool_name(p), four, six;

	*v = (struct source){.title = p->title, .helo = p->ehlo ? p->ehlo : hostname, .weight = p->weight,
	    .pool = sources_pool(s, name)};
	if (v->pool == SOURCES_NONE) {
		v->pool = s->n_names++;
		s->names = mem_grow(s->names, s->n_names, sizeof *s->names);
		s->names[v->pool] = mem_dup(name.p, name.n);
	}
	confpool_addresses(p->address, &four, &six);
	v->addr[0].u.sa.sa_family = v->addr[1].u.sa.sa_family = AF_UNSPEC;
	if (four.n > 0)
		net_addr_parse(&v->addr[0], four, 0);
	if (six.n > 0)
		net_addr_parse(&v->addr[1], six, 0);
}

void
sources_open(struct sources **out, const struct conf *c)
{
	size_t n;
	const struct confpool *p = conftab_items(&c->sections, &confpool_section, &n);
	struct sources *s;

	*out = NULL;
	if (n == 0)
		return;
	s = mem_alloc(sizeof *s);
	s->v = mem_alloc(n * sizeof *s->v);
	pthread_mutex_init(&s->lock, NULL);
	for (size_t i = 0; i < n; i++)
		add(s, &p[i], c->hostname);
	*out = s;
}

void
sources_close(struct sources *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->n_names; i++)
		free(s->names[i]);
	free(s->names);
	free(s->v);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

uint32_t
sources_pools(const struct sources *s)
{
	return s ? s->n_names : 0;
}

uint32_t
sources_pool(const struct sources *s, struct span name)
{
	for (uint32_t i = 0; s && i < s->n_names; i++)
		if (span_eq(span_of(s->names[i]), name))
			return i;
	return SOURCES_NONE;
}

const char *
sources_name(const struct sources *s, uint32_t pool)
{
	return s->names[pool];
}

static bool
can(const struct source *v, uint32_t pool, size_t i, int64_t now_ms)
{
	return v->pool == pool && v->addr[i].u.sa.sa_family != AF_UNSPEC && v->bad_ms <= now_ms;
}

/* Each gains its weight, who has most goes and pays for all. */
const struct source *
sources_pick(struct sources *s, uint32_t pool, sa_family_t family)
{
	struct source *best = NULL;
	size_t i = index_of(family);
	int64_t all = 0, now = io_now_ms();

	pthread_mutex_lock(&s->lock);
	for (size_t k = 0; k < s->n; k++) {
		struct source *v = &s->v[k];

		if (!can(v, pool, i, now))
			continue;
		v->due[i] += (int64_t)v->weight;
		all += (int64_t)v->weight;
		if (!best || v->due[i] > best->due[i])
			best = v;
	}
	if (best)
		best->due[i] -= all;
	pthread_mutex_unlock(&s->lock);
	return best;
}

bool
sources_has(const struct sources *s, uint32_t pool, sa_family_t family)
{
	for (size_t k = 0; k < s->n; k++)
		if (can(&s->v[k], pool, index_of(family), INT64_MAX))
			return true;
	return false;
}

const struct net_addr *
source_addr(const struct source *s, sa_family_t family)
{
	return s ? &s->addr[index_of(family)] : NULL;
}

bool
sources_missing(struct sources *s, const struct source *from, sa_family_t family)
{
	struct err e = ERR_INIT;
	bool missing = net_can_bind(source_addr(from, family), &e) != 0;

	err_free(&e);
	if (missing) {
		pthread_mutex_lock(&s->lock);
		s->v[from - s->v].bad_ms = io_now_ms() + SOURCES_BAD_MS;
		pthread_mutex_unlock(&s->lock);
	}
	return missing;
}

int
sources_check(const struct sources *s, struct err *e)
{
	for (size_t k = 0; s && k < s->n; k++)
		for (size_t i = 0; i < 2; i++) {
			const struct net_addr *a = &s->v[k].addr[i];

			if (a->u.sa.sa_family == AF_UNSPEC || net_can_bind(a, e) == 0)
				continue;
			err_in(e, "pool \"%s\"", s->v[k].title);
			return e->code = EX_CONFIG;
		}
	return 0;
}

size_t
sources_helos(const struct sources *s, const char ***v)
{
	size_t n = s ? s->n : 0;

	*v = mem_alloc((n + 1) * sizeof **v);
	for (size_t i = 0; i < n; i++)
		(*v)[i] = s->v[i].helo;
	return n;
}
