/* What is known of the DNS, shared: who asks, who waits, for how long it holds. */
#include "dnscache.h"

#include "tap.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct answers
answer(const char *text, uint32_t ttl_s)
{
	struct answers a = ANSWERS_INIT;

	buf_str(&answers_add(&a)->text, text);
	a.ttl_s = ttl_s;
	a.secure = true;
	return a;
}

static int
get(struct dnscache *c, const char *name, unsigned type, int64_t now_ms, char *text, uint32_t *ttl)
{
	struct answers out = ANSWERS_INIT;
	int is = (int)dnscache_get(c, name, type, now_ms, now_ms, &out);

	snprintf(text, 64, "%s", out.n ? out.v[0].text.s : "");
	*ttl = out.secure ? out.ttl_s : 9999;
	answers_free(&out);
	return is;
}

#define LARGE (1 << 20)

/* Whoever owns a zone says how large its answers are, not how much of our memory they take. */
static void
large_test(void)
{
	enum { MANY = 3 * DNSCACHE_BYTES / LARGE };
	struct dnscache *c = dnscache_new();
	struct answers a = answer("", 1000);
	char name[64], text[64];
	uint32_t ttl;
	int known = 0;

	memset(buf_room(&a.v[0].text, LARGE), 'x', LARGE);
	buf_grew(&a.v[0].text, LARGE);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "d%d.example", i);
		dnscache_put(c, name, 16, 1000, &a);
		dnscache_put(c, name, 16, 1000, &a); /* which counts once */
		if (i == DNSCACHE_BYTES / LARGE / 2)
			is_num(get(c, "d0.example", 16, 1000, text, &ttl), DNSCACHE_KNOWN, "half as much is remembered");
	}
	is_num(get(c, name, 16, 1000, text, &ttl), DNSCACHE_KNOWN, "a large answer is remembered");
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "d%d.example", i);
		known += get(c, name, 16, 1000, text, &ttl) == DNSCACHE_KNOWN;
	}
	ok(known > 0 && known * LARGE <= DNSCACHE_BYTES + LARGE, "but not more of them than fit: %d", known);
	answers_free(&a);
	dnscache_del(c);
}

static void
ttl_test(void)
{
	struct dnscache *c = dnscache_new();
	struct answers a = answer("one", 10), bad = ANSWERS_INIT;
	char text[64];
	uint32_t ttl;

	is_num(get(c, "a.example", 15, 1000, text, &ttl), DNSCACHE_ASK, "nobody knows it");
	dnscache_put(c, "a.example", 15, 1000, &a);
	is_num(get(c, "a.example", 15, 1000, text, &ttl), DNSCACHE_KNOWN, "now it is known");
	is_str(text, "one", "with its record");
	is_num(ttl, 10, "for so long");
	is_num(get(c, "a.example", 15, 10999, text, &ttl), DNSCACHE_KNOWN, "until its last moment");
	is_num(ttl, 1, "a second");
	is_num(get(c, "a.example", 16, 1000, text, &ttl), DNSCACHE_ASK, "not for another type");
	is_num(get(c, "b.example", 15, 1000, text, &ttl), DNSCACHE_ASK, "nor another name");
	is_num(get(c, "a.example", 15, 11000, text, &ttl), DNSCACHE_ASK, "and then it is asked again");
	bad.says = ANSWERS_SERVFAIL;
	bad.ttl_s = 300;
	dnscache_put(c, "a.example", 15, 11000, &bad);
	is_num(get(c, "a.example", 15, 15999, text, &ttl), DNSCACHE_KNOWN, "RFC 2308 7: a failure is remembered");
	is_num(get(c, "a.example", 15, 16000, text, &ttl), DNSCACHE_ASK, "for a moment");
	dnscache_drop(c, "a.example", 15);
	is_num(get(c, "a.example", 15, 16000, text, &ttl), DNSCACHE_ASK, "nothing was found out: the next asks");
	answers_free(&a);
	dnscache_del(c);
}

static void
size_test(void)
{
	struct dnscache *c = dnscache_new();
	struct answers a = answer("x", 1000);
	char name[32], text[64];
	uint32_t ttl;
	int known = 0;

	for (int i = 0; i < DNSCACHE_MOST + 100; i++) {
		snprintf(name, sizeof name, "n%d.example", i);
		dnscache_put(c, name, 1, 0, &a);
	}
	for (int i = 0; i < DNSCACHE_MOST + 100; i++) {
		snprintf(name, sizeof name, "n%d.example", i);
		struct answers out = ANSWERS_INIT;

		/* Looking does not add: the deadline is over and the time the same. */
		known += i >= DNSCACHE_MOST / 2 + 100 &&
		    dnscache_get(c, name, 1, 0, 0, &out) == DNSCACHE_KNOWN;
		answers_free(&out);
	}
	is_num(known, DNSCACHE_MOST / 2, "the younger half is always there");
	is_num(get(c, "n0.example", 1, 0, text, &ttl), DNSCACHE_ASK, "the oldest are forgotten");
	answers_free(&a);
	dnscache_del(c);
}

/* --- many who want the same */

#define THREADS 8

static struct dnscache *shared;
static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void *
want(void *arg)
{
	struct answers out = ANSWERS_INIT;
	int *is = arg;

	*is = (int)dnscache_get(shared, "same.example", 1, now_ms(), now_ms() + 20000, &out);
	if (*is == DNSCACHE_ASK) {
		struct answers a = answer("it", 100);

		nanosleep(&(struct timespec){0, 50000000}, NULL);
		dnscache_put(shared, "same.example", 1, now_ms(), &a);
		answers_free(&a);
	}
	answers_free(&out);
	return NULL;
}

static void
thread_test(void)
{
	pthread_t t[THREADS];
	struct answers out = ANSWERS_INIT;
	int is[THREADS], asked = 0, known = 0;

	shared = dnscache_new();
	for (int i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, want, &is[i]);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], NULL);
		asked += is[i] == DNSCACHE_ASK;
		known += is[i] == DNSCACHE_KNOWN;
	}
	is_num(asked, 1, "one asks");
	is_num(known, THREADS - 1, "the others get the answer");
	is_num(dnscache_get(shared, "slow.example", 1, now_ms(), now_ms(), &out), DNSCACHE_ASK, "one is asked for");
	is_num(dnscache_get(shared, "slow.example", 1, now_ms(), now_ms() + 30, &out), DNSCACHE_LATE,
	    "and who waits for it does so until the deadline");
	dnscache_del(shared);
}

int
main(void)
{
	ttl_test();
	large_test();
	size_test();
	thread_test();
	return tap_done();
}
