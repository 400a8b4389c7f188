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
	map_init(&p->by_id, seed);
	map_init(&p->by_stream, seed);
}

static void
free_site(struct plan_site *s)
{
	free(s->name);
	free(s->key);
	route_free(&s->route);
	slots_close(&s->slots);
	free(s->host_bad_ms);
	free(s->host_clear_ms);
	free(s->why);
	free(s);
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
	for (uint32_t i = 0; i < p->n_dests; i++)
		free(p->dests[i].domain);
	for (size_t i = 0; i < p->by_stream.live; i++)
		free(p->streams[i]);
	free(p->sites);
	free(p->dests);
	free(p->items);
	free(p->streams);
	map_free(&p->by_domain);
	map_free(&p->by_site);
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

static struct span
id_of(const char *name)
{
	struct entry_name n;

	return entry_name_parse(span_of(name), &n) ? n.id : (struct span){"", 0};
}

void
plan_forget(struct plan *p, uint32_t item)
{
	struct plan_item *i = &p->items[item];

	if (i->name)
		map_remove(&p->by_id, id_of(i->name));
	free(i->name);
	free(i->rcpts);
	*i = (struct plan_item){.dest = p->free_item};
	p->free_item = item;
}

bool
plan_add_name(struct plan *p, const struct queue_at *at, const char *name, size_t len,
    uint32_t *item)
{
	struct entry_name n;
	uint32_t i;

	if (!entry_name_parse((struct span){name, len}, &n) ||
	    map_get(&p->by_id, n.id) != MAP_NONE)
		return false;
	i = new_item(p);
	p->items[i].name = mem_dup(name, len);
	p->items[i].place = (uint8_t)at->place;
	p->items[i].hour = (uint32_t)(at->place == IN_NEW ? at->hour_s : at->hour_s / 3600);
	map_put(&p->by_id, id_of(p->items[i].name), i);
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
plan_add_group(struct plan *p, struct parcel *parcel, uint32_t *rcpts, size_t n, uint32_t dest)
{
	uint32_t i = new_item(p);

	p->items[i] = (struct plan_item){.parcel = parcel, .rcpts = rcpts,
	    .n_rcpts = (uint32_t)n, .dest = dest};
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

struct place { /* of an item in the scheduler */
	uint32_t site, stream, cost;
};

static struct place
place_of(struct plan *p, const struct plan_item *i)
{
	struct entry_name n = {0};

	if (i->parcel)
		n = i->parcel->t.is;
	else
		entry_name_parse(span_of(i->name), &n);
	return (struct place){p->dests[i->dest].site, stream_number(p, n.stream),
	    n.size > UINT32_MAX ? UINT32_MAX : (uint32_t)n.size};
}

void
plan_push(struct plan *p, uint32_t item)
{
	struct place at = place_of(p, &p->items[item]);

	sched_push(p->s, at.site, at.stream, item, at.cost);
}

void
plan_return(struct plan *p, uint32_t item)
{
	struct place at = place_of(p, &p->items[item]);

	sched_return(p->s, at.site, at.stream, item, at.cost);
}

/* --- sites and destinations */

static uint32_t
new_site(struct plan *p, const char *name, uint32_t connections, uint64_t rate, int64_t now_ms)
{
	uint32_t share = (uint32_t)(p->conf->connections / UNTRIED_SHARE);
	struct pace_limits limits = {connections, (uint32_t)rate, p->conf->retry_min_s * 1000,
	    p->conf->retry_max_s * 1000, share > 0 ? share : 1};
	uint32_t i = sched_add_site(p->s, &limits, false, now_ms);
	struct plan_site *s = mem_alloc(sizeof *s);

	s->name = mem_dup(name, strlen(name));
	s->slots = (struct slots)SLOTS_INIT;
	p->sites = mem_grow(p->sites, i + 1, sizeof(struct plan_site *));
	p->sites[i] = s;
	p->n_sites = i + 1;
	return i;
}

/* Nothing is sent there: what leaves it for its real site is paced there. */
static uint32_t
own_site(struct plan *p, uint32_t dest, int64_t now_ms)
{
	uint32_t i = new_site(p, p->dests[dest].domain, 1, 0, now_ms);

	p->sites[i]->dest = dest;
	return i;
}

uint32_t
plan_dest(struct plan *p, struct span domain, int64_t now_ms)
{
	uint32_t i = map_get(&p->by_domain, domain);

	if (i != MAP_NONE)
		return i;
	i = p->n_dests++;
	p->dests = mem_grow(p->dests, p->n_dests, sizeof *p->dests);
	p->dests[i] = (struct plan_dest){.domain = mem_dup(domain.p, domain.n)};
	p->dests[i].site = p->dests[i].own = own_site(p, i, now_ms);
	map_put(&p->by_domain, span_of(p->dests[i].domain), i);
	return i;
}

uint32_t
plan_site(struct plan *p, struct route *r, int64_t now_ms)
{
	uint64_t most = p->conf->site_connections;
	struct buf key = BUF_INIT;
	struct plan_site *s;
	uint32_t i;

	/* Not by the site's name: that has a crc in it, and whoever owns a domain can forge one. */
	buf_fmt(&key, "%d%d %s", (int)r->tls, r->secure, r->set);
	i = map_get(&p->by_site, (struct span){key.s, key.len});
	if (i != MAP_NONE) {
		buf_free(&key);
		route_free(r);
		return i;
	}
	i = new_site(p, r->site, most > UINT32_MAX ? UINT32_MAX : (uint32_t)most,
	    p->conf->site_rate, now_ms);
	s = p->sites[i];
	s->real = true;
	s->route = *r;
	s->usable = r->n;
	s->host_bad_ms = mem_alloc(r->n * sizeof *s->host_bad_ms);
	s->host_clear_ms = mem_alloc(r->n * sizeof *s->host_clear_ms);
	s->key = buf_steal(&key);
	*r = (struct route){0};
	map_put(&p->by_site, span_of(s->key), i);
	return i;
}

void
plan_resolved(struct plan *p, uint32_t dest, uint32_t site, int64_t again_ms)
{
	struct plan_dest *d = &p->dests[dest];

	if (!d->resolved)
		sched_merge(p->s, d->site, SCHED_ALL, site);
	d->site = site;
	d->resolved = true;
	d->resolve_again_ms = again_ms;
}

void
plan_unresolve(struct plan *p, uint32_t dest)
{
	p->dests[dest].site = p->dests[dest].own;
	p->dests[dest].resolved = false;
}

void
plan_why(struct plan_site *s, const char *status, const char *text)
{
	free(s->why);
	s->why = mem_dup(text, strlen(text));
	memcpy(s->status, status, strnlen(status, sizeof s->status - 1) + 1);
	s->status[sizeof s->status - 1] = '\0';
}
