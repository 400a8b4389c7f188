#include "dnscache.h"

#include "map.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct known {
	char *key; /* two bytes of type, then the name */
	size_t key_len;
	struct answers is;
	size_t bytes;
	int64_t until_ms;
	bool asking; /* somebody is; nothing is known yet */
};

struct half {
	struct map map;
	struct known *v;
	uint32_t n;
};

struct dnscache {
	pthread_mutex_t lock; /* over all below */
	pthread_cond_t put;
	struct half young, old; /* the old half is forgotten when the young one is full */
	size_t bytes; /* of all answers */
	uint64_t seed;
};

static void
half_free(struct half *h)
{
	for (uint32_t i = 0; h->v && i < h->n; i++) {
		free(h->v[i].key);
		answers_free(&h->v[i].is);
	}
	free(h->v);
	map_free(&h->map);
	*h = (struct half){0};
}

struct dnscache *
dnscache_new(void)
{
	struct dnscache *c = mem_alloc(sizeof *c);
	struct timespec t;
	pthread_condattr_t monotonic;

	clock_gettime(CLOCK_REALTIME, &t);
	c->seed = (uint64_t)t.tv_nsec * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)c;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&c->put, &monotonic);
	pthread_condattr_destroy(&monotonic);
	map_init(&c->young.map, c->seed);
	map_init(&c->old.map, c->seed);
	return c;
}

void
dnscache_del(struct dnscache *c)
{
	if (!c)
		return;
	half_free(&c->young);
	half_free(&c->old);
	pthread_cond_destroy(&c->put);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static void
key_of(const char *name, unsigned type, struct buf *key)
{
	buf_ch(key, (char)(type >> 8));
	buf_ch(key, (char)(type & 0xff));
	buf_str(key, name);
}

static struct known *
find(struct dnscache *c, const struct buf *key)
{
	struct half *halves[] = {&c->young, &c->old};

	for (size_t h = 0; h < 2; h++) {
		uint32_t i = map_get(&halves[h]->map, (struct span){key->s, key->len});

		if (i != MAP_NONE)
			return &halves[h]->v[i];
	}
	return NULL;
}

static size_t
weigh(const struct answers *a)
{
	size_t n = a->n * sizeof *a->v + a->owner.len + a->why.len;

	for (size_t i = 0; i < a->n; i++)
		n += a->v[i].text.len;
	return n;
}

static void
forget_old(struct dnscache *c)
{
	for (uint32_t i = 0; c->old.v && i < c->old.n; i++)
		c->bytes -= c->old.v[i].bytes;
	half_free(&c->old);
	c->old = c->young;
	c->young = (struct half){0};
	map_init(&c->young.map, c->seed);
}

/* A question that is on its way when its half is forgotten is asked twice, no more. */
static struct known *
add(struct dnscache *c, const struct buf *key)
{
	struct half *h = &c->young;
	struct known *k;

	if (h->n >= DNSCACHE_MOST / 2 || c->bytes >= DNSCACHE_BYTES)
		forget_old(c);
	if (!h->v || (h->n & (h->n - 1)) == 0) /* grown at powers of two */
		h->v = mem_grow(h->v, h->n ? h->n * 2 : 1, sizeof *h->v);
	k = &h->v[h->n];
	*k = (struct known){mem_dup(key->s, key->len), key->len, ANSWERS_INIT, 0, 0, false};
	map_put(&h->map, (struct span){k->key, k->key_len}, h->n++);
	return k;
}

/* False: the deadline is over. */
static bool
wait_put(struct dnscache *c, int64_t deadline_ms)
{
	struct timespec t = {deadline_ms / 1000, (long)(deadline_ms % 1000) * 1000000};

	return pthread_cond_timedwait(&c->put, &c->lock, &t) == 0;
}

static uint32_t
left_s(int64_t until_ms, int64_t now_ms)
{
	return until_ms > now_ms ? (uint32_t)((until_ms - now_ms + 999) / 1000) : 0;
}

enum dnscache_is
dnscache_get(struct dnscache *c, const char *name, unsigned type, int64_t now_ms,
    int64_t deadline_ms, struct answers *out)
{
	enum dnscache_is is = DNSCACHE_ASK;
	struct buf key = BUF_INIT;
	struct known *k;

	key_of(name, type, &key);
	pthread_mutex_lock(&c->lock);
	while ((k = find(c, &key)) != NULL && k->asking)
		if (!wait_put(c, deadline_ms)) {
			is = DNSCACHE_LATE;
			break;
		}
	if (is == DNSCACHE_ASK && k && (k->until_ms > now_ms)) {
		answers_copy(&k->is, out);
		out->ttl_s = left_s(k->until_ms, now_ms);
		is = DNSCACHE_KNOWN;
	} else if (is == DNSCACHE_ASK) {
		if (!k)
			k = add(c, &key);
		k->asking = true;
	}
	pthread_mutex_unlock(&c->lock);
	buf_free(&key);
	return is;
}

void
dnscache_put(struct dnscache *c, const char *name, unsigned type, int64_t now_ms,
    const struct answers *a)
{
	uint32_t ttl = answers_temporary(a) ? DNSCACHE_FAILURE_S
	    : a->ttl_s < DNSCACHE_TTL_MAX_S ? a->ttl_s : DNSCACHE_TTL_MAX_S;
	struct buf key = BUF_INIT;
	struct known *k;

	key_of(name, type, &key);
	pthread_mutex_lock(&c->lock);
	k = find(c, &key);
	if (!k)
		k = add(c, &key);
	answers_copy(a, &k->is);
	c->bytes -= k->bytes;
	k->bytes = weigh(a);
	c->bytes += k->bytes;
	k->until_ms = now_ms + (int64_t)ttl * 1000;
	k->asking = false;
	pthread_cond_broadcast(&c->put);
	pthread_mutex_unlock(&c->lock);
	buf_free(&key);
}

void
dnscache_drop(struct dnscache *c, const char *name, unsigned type)
{
	struct buf key = BUF_INIT;
	struct known *k;

	key_of(name, type, &key);
	pthread_mutex_lock(&c->lock);
	k = find(c, &key);
	if (k) {
		k->until_ms = 0;
		k->asking = false;
	}
	pthread_cond_broadcast(&c->put); /* forgotten or not, there are those who wait for it */
	pthread_mutex_unlock(&c->lock);
	buf_free(&key);
}
