#include "plan.h"

#include <stdlib.h>
#include <string.h>

#define NO_ITEM UINT32_MAX
#define UNTRIED_SHARE 25 /* of all connections, for a site that nobody has talked to yet */

void
plan_init(struct plan *p, const struct conf *c, uint64_t seed)
{
	uint32_t most = c->connections > UINT32_MAX ? UINT32_MAX : (uint32_t)c->connections;

	*p = (struct plan){.s = sched_new(most, seed), .conf = c, .free_item = NO_ITEM};
	map_init(&p->by_domain, seed);
	map_init(&p->by_site, seed);
	map_init(&p->by_budget, seed);
	map_init(&p->by_id, seed);
	map_init(&p->by_stream, seed);
}

static void
free_site(struct plan_site *s)
{
	free(s->own_name);
	free(s->by_pool);
	free(s->key);
	route_free(&s->route);
	free(s->host_bad_ms);
	free(s->host_gone);
	free(s->host_clear_ms);
	free(s->why);
	free(s);
}

static void
free_budget(struct plan_budget *b)
{
	free(b->name);
	free(b->why);
	slots_close(&b->slots);
	free(b);
}

void
plan_free(struct plan *p)
{
	uint32_t site, stream, item;

	while (sched_take_any(p->s, &site, &stream, &item)) {
		if (p->items[item].parcel)
			parcel_drop(p->items[item].parcel);
		plan_forget(p, item);
	}
	sched_del(p->s);
	for (uint32_t i = 0; i < p->n_sites; i++)
		free_site(p->sites[i]);
	for (uint32_t i = 0; i < p->n_budgets; i++)
		free_budget(p->budgets[i]);
	free(p->budgets);
	for (uint32_t i = 0; i < p->n_dests; i++) {
		free(p->dests[i].domain);
		free(p->dests[i].key);
		stsfile_drop(p->dests[i].sts);
	}
	for (size_t i = 0; i < p->by_stream.live; i++)
		free(p->streams[i]);
	free(p->sites);
	free(p->dests);
	free(p->items);
	free(p->streams);
	map_free(&p->by_domain);
	map_free(&p->by_site);
	map_free(&p->by_budget);
	map_free(&p->by_id);
	map_free(&p->by_stream);
}

/* --- items */

static uint32_t
new_item(struct plan *p)
{
	uint32_t i = p->free_item;

	if (i != NO_ITEM) {
		p->free_item = p->items[i].dest;
	} else {
		if ((p->n_items & (p->n_items + 1)) == 0 || p->n_items == 0)
			p->items = mem_grow(p->items, (size_t)p->n_items * 2 + 2, sizeof *p->items);
		i = p->n_items++;
	}
	p->items[i] = (struct plan_item){0};
	return i;
}

void
plan_forget(struct plan *p, uint32_t item)
{
	struct plan_item *i = &p->items[item];

	if (i->name)
		map_remove(&p->by_id, entry_name_id(i->name));
	free(i->name);
	free(i->rcpts);
	*i = (struct plan_item){.dest = p->free_item};
	p->free_item = item;
}

bool
plan_add_name(struct plan *p, const struct queue_at *at, const char *name, size_t len,
    struct entry_name *n, uint32_t *item)
{
	uint32_t i;

	*item = NO_ITEM;
	if (!entry_name_parse((struct span){name, len}, n))
		return false;
	*item = map_get(&p->by_id, n->id);
	if (*item != MAP_NONE)
		return false;
	i = new_item(p);
	p->items[i].name = mem_dup(name, len);
	p->items[i].place = (uint8_t)at->place;
	p->items[i].hour = (uint32_t)(at->place == IN_NEW ? at->hour_s : at->hour_s / 3600);
	map_put(&p->by_id, entry_name_id(p->items[i].name), i);
	*item = i;
	return true;
}

struct queue_at
plan_at(const struct plan_item *i)
{
	return (struct queue_at){(enum queue_place)i->place,
	    i->place == IN_NEW ? i->hour : (uint64_t)i->hour * 3600};
}

uint32_t
plan_add_group(struct plan *p, struct parcel *parcel, uint32_t *rcpts, size_t n, uint32_t dest,
    bool several)
{
	uint32_t i = new_item(p);

	p->items[i] = (struct plan_item){.parcel = parcel, .rcpts = rcpts,
	    .n_rcpts = (uint32_t)n, .dest = dest, .several = several};
	return i;
}

static uint32_t
stream_number(struct plan *p, struct span name)
{
	uint32_t i = map_get(&p->by_stream, name);
	char *copy;

	if (i != MAP_NONE)
		return i;
	copy = mem_dup(name.p, name.n);
	i = sched_add_stream(p->s, (uint32_t)conf_stream_weight(p->conf, copy));
	p->streams = mem_grow(p->streams, i + 1, sizeof *p->streams);
	p->streams[i] = copy;
	map_put(&p->by_stream, span_of(copy), i);
	return i;
}

/* --- sites and destinations */

static struct plan_budget *
new_budget(struct plan *p, const char *name, const struct confsite *limits, bool many)
{
	struct plan_budget *b = mem_alloc(sizeof *b);

	b->name = mem_dup(name, strlen(name));
	b->slots = (struct slots)SLOTS_INIT;
	b->limits = limits;
	b->many = many;
	p->budgets = mem_grow(p->budgets, p->n_budgets + 1, sizeof(struct plan_budget *));
	p->budgets[p->n_budgets++] = b;
	return b;
}

static uint32_t
usual(uint64_t limit, uint64_t of_all)
{
	uint64_t v = limit == CONFSITE_UNSET ? of_all : limit;

	return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

/* The scheduler's site, with the limits that it has. */
static uint32_t
add_site(struct plan *p, const struct plan_budget *b, bool real, int64_t now_ms)
{
	const struct conf *c = p->conf;
	uint32_t share = (uint32_t)(c->connections / UNTRIED_SHARE);
	struct pace_limits limits = {1, 0, c->retry_min_s * 1000, c->retry_max_s * 1000,
	    share > 0 ? share : 1};

	if (real) { /* where nothing is sent, what leaves it for its real site is paced there */
		limits.connections = usual(b->limits ? b->limits->connections : CONFSITE_UNSET,
		    c->site_connections);
		limits.rate_per_min = usual(b->limits ? b->limits->rate : CONFSITE_UNSET, c->site_rate);
	}
	return sched_add_site(p->s, &limits, b->many, now_ms);
}

static struct plan_site *
new_part(struct plan *p, struct plan_budget *b, bool first, bool real, int64_t now_ms, uint32_t *number)
{
	struct plan_site *s = mem_alloc(sizeof *s);
	uint32_t i = first ? add_site(p, b, real, now_ms) : sched_add_part(p->s, b->part, now_ms);

	if (first)
		b->part = i;
	s->name = b->name;
	s->budget = b;
	s->real = real;
	s->pool = SOURCES_NONE;
	p->sites = mem_grow(p->sites, i + 1, sizeof(struct plan_site *));
	p->sites[i] = s;
	p->n_sites = i + 1;
	*number = i;
	return s;
}

static uint32_t
own_site(struct plan *p, uint32_t dest, int64_t now_ms)
{
	struct plan_budget *b = new_budget(p, p->dests[dest].domain, NULL, false);
	uint32_t i;

	new_part(p, b, true, false, now_ms, &i)->dest = dest;
	return i;
}

/* Takes the key. */
static struct plan_dest *
new_dest(struct plan *p, struct span domain, bool lax, struct buf *key, int64_t now_ms)
{
	uint32_t i = p->n_dests++;

	p->dests = mem_grow(p->dests, p->n_dests, sizeof *p->dests);
	p->dests[i] = (struct plan_dest){.domain = mem_dup(domain.p, domain.n), .key = buf_steal(key),
	    .lax = lax};
	p->dests[i].site = p->dests[i].own = own_site(p, i, now_ms);
	map_put(&p->by_domain, span_of(p->dests[i].key), i);
	return &p->dests[i];
}

uint32_t
plan_dest(struct plan *p, struct span domain, bool lax, int64_t now_ms)
{
	struct buf key = BUF_INIT;
	struct plan_dest *d;
	uint32_t i;

	buf_add(&key, domain.p, domain.n);
	buf_str(&key, lax ? " lax" : "");
	i = map_get(&p->by_domain, (struct span){key.s, key.len});
	if (i != MAP_NONE) {
		buf_free(&key);
		return i;
	}
	d = new_dest(p, domain, lax, &key, now_ms);
	if (strcmp(d->domain, PLAN_MIXED) != 0) {
		d->by_sender = route_by_sender(p->conf, d->domain);
		d->by = route_find(p->conf, d->domain, NULL);
	}
	return p->n_dests - 1;
}

uint32_t
plan_dest_from(struct plan *p, uint32_t dest, struct span sender, int64_t now_ms)
{
	const struct plan_dest is = p->dests[dest];
	const struct conf_route *by;
	struct buf key = BUF_INIT;
	struct plan_dest *d;
	uint32_t i;

	if (!is.by_sender)
		return dest;
	by = route_find(p->conf, is.domain, &sender);
	buf_fmt(&key, "%s by %s", is.key, by ? by->match : "");
	i = map_get(&p->by_domain, (struct span){key.s, key.len});
	if (i != MAP_NONE) {
		buf_free(&key);
		return i;
	}
	d = new_dest(p, span_of(is.domain), is.lax, &key, now_ms);
	d->sorted = true;
	d->by = by;
	return p->n_dests - 1;
}

/* Sets of hosts of one operation, as the table and the configuration name it, have one; all else has its own,
 * whatever it is called: names have a crc in them, and whoever owns a domain can forge one. */
static struct plan_budget *
budget_of(struct plan *p, const struct route *r, bool *first)
{
	bool many = r->shared || sources_pools(p->sources) > 0;
	uint32_t i = r->shared ? map_get(&p->by_budget, span_of(r->site)) : MAP_NONE;
	struct plan_budget *b;

	*first = i == MAP_NONE;
	if (!*first)
		return p->budgets[i];
	b = new_budget(p, r->site, r->limits, many);
	if (r->shared)
		map_put(&p->by_budget, span_of(b->name), p->n_budgets - 1);
	return b;
}

static void
fill_part(struct plan_site *s, struct route *r, const struct plan *p, uint32_t pool)
{
	struct buf own = BUF_INIT;

	s->route = *r;
	*r = (struct route){0};
	s->usable = s->route.n;
	s->pool = pool;
	s->host_bad_ms = mem_alloc(s->route.n * sizeof *s->host_bad_ms);
	s->host_gone = mem_alloc(s->route.n * sizeof *s->host_gone);
	s->host_clear_ms = mem_alloc(s->route.n * sizeof *s->host_clear_ms);
	if (!s->budget->many)
		return;
	/* A comma is in no site's name. */
	buf_fmt(&own, "%s,%s%s", s->route.own, pool == SOURCES_NONE ? "hosts" : "pool-",
	    pool == SOURCES_NONE ? "" : sources_name(p->sources, pool));
	s->own_name = buf_steal(&own);
}

uint32_t
plan_site(struct plan *p, struct route *r, int64_t now_ms)
{
	struct buf key = BUF_INIT;
	struct plan_budget *b;
	struct plan_site *s;
	bool first;
	uint32_t i;

	buf_fmt(&key, "%d%d%d %s %s", (int)r->tls, (int)r->ip, r->secure, r->shared ? r->site : "", r->set);
	i = map_get(&p->by_site, (struct span){key.s, key.len});
	if (i != MAP_NONE) {
		buf_free(&key);
		route_free(r);
		return i;
	}
	b = budget_of(p, r, &first);
	s = new_part(p, b, first, true, now_ms, &i);
	fill_part(s, r, p, SOURCES_NONE);
	s->key = buf_steal(&key);
	map_put(&p->by_site, span_of(s->key), i);
	if (p->made)
		p->made(p->arg, i);
	return i;
}

/* The part by which the stream's messages go to the same hosts. */
static uint32_t
part_for(struct plan *p, uint32_t site, uint32_t stream)
{
	struct plan_site *s = p->sites[site], *v;
	uint32_t n = sources_pools(p->sources), pool, i;
	struct route copy;

	if (!s->real || n == 0 || s->route.ends)
		return site;
	pool = sources_pool(p->sources, conf_pool(p->conf, s->budget->limits, p->streams[stream]));
	if (pool == SOURCES_NONE)
		return site;
	if (!s->by_pool) {
		s->by_pool = mem_grow(NULL, n, sizeof *s->by_pool);
		for (i = 0; i < n; i++)
			s->by_pool[i] = MAP_NONE;
	}
	if (s->by_pool[pool] != MAP_NONE)
		return s->by_pool[pool];
	v = new_part(p, s->budget, false, true, sched_now(p->s), &i);
	route_copy(&s->route, &copy);
	fill_part(v, &copy, p, pool);
	s->by_pool[pool] = i;
	if (p->made)
		p->made(p->arg, i);
	return i;
}

/* --- into the scheduler */

struct place { /* of an item in the scheduler */
	uint32_t site, stream, cost;
};

static struct place
place_of(struct plan *p, const struct plan_item *i)
{
	struct entry_name n = {0};
	uint32_t stream;

	if (i->parcel)
		n = i->parcel->t.is;
	else
		entry_name_parse(span_of(i->name), &n);
	stream = stream_number(p, n.stream);
	return (struct place){part_for(p, p->dests[i->dest].site, stream), stream,
	    n.size > UINT32_MAX ? UINT32_MAX : (uint32_t)n.size};
}

uint32_t
plan_push(struct plan *p, uint32_t item)
{
	struct place at = place_of(p, &p->items[item]);

	sched_push(p->s, at.site, at.stream, item, at.cost);
	return at.site;
}

void
plan_return(struct plan *p, uint32_t item)
{
	struct place at = place_of(p, &p->items[item]);

	sched_return(p->s, at.site, at.stream, item, at.cost);
}

void
plan_resolved(struct plan *p, uint32_t dest, uint32_t site, int64_t again_ms)
{
	struct plan_dest *d = &p->dests[dest];

	for (uint32_t i = 0; i < p->by_stream.live && !d->resolved; i++)
		sched_merge(p->s, d->site, i, part_for(p, site, i));
	d->site = site;
	d->resolved = true;
	d->resolve_again_ms = again_ms;
}

void
plan_hold(struct plan *p, uint32_t dest, struct stsfile *sts, bool held)
{
	stsfile_drop(p->dests[dest].sts);
	p->dests[dest].sts = sts;
	p->dests[dest].held = held;
}

void
plan_unresolve(struct plan *p, uint32_t dest)
{
	p->dests[dest].site = p->dests[dest].own;
	p->dests[dest].resolved = false;
}

static void
keep_why(char **why, char at[12], const char *status, const char *text)
{
	size_t n = strnlen(status, 11);

	free(*why);
	*why = mem_dup(text, strlen(text));
	memcpy(at, status, n);
	at[n] = '\0';
}

void
plan_why(struct plan_site *s, const char *status, const char *text)
{
	keep_why(&s->why, s->status, status, text);
}

void
plan_why_all(struct plan_site *s, const char *status, const char *text)
{
	plan_why(s, status, text);
	keep_why(&s->budget->why, s->budget->status, status, text);
	s->budget->failed = true;
}
