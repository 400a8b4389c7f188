/* Who goes next: schedule.h's promises one by one. */
#include "schedule.h"

#include "tap.h"

#include <stdlib.h>

static const struct pace_limits wide = {1000, 0, 300000, 14400000, 0};

static uint32_t
site_of(struct sched *s, uint32_t connections, uint32_t rate)
{
	struct pace_limits l = wide;
	struct pace *p;
	uint32_t id;

	l.connections = connections;
	l.rate_per_min = rate;
	id = sched_add_site(s, &l, false, 0);
	p = sched_pace(s, id);
	p->allowed = connections; /* as learned before */
	return id;
}

static bool
sends(struct sched_order o, uint32_t site, uint32_t stream, uint32_t item)
{
	bool good = o.what == SCHED_SEND && o.site == site && o.stream == stream && o.item == item;

	if (!good)
		printf("# what %d site %u stream %u item %u\n", (int)o.what, o.site, o.stream,
		    o.item);
	return good;
}

static bool
waits(struct sched_order o, int64_t until_ms)
{
	if (o.what == SCHED_WAIT && o.until_ms == until_ms)
		return true;
	printf("# what %d until %lld\n", (int)o.what, (long long)o.until_ms);
	return false;
}

static void
basics(void)
{
	struct sched *s = sched_new(2, 1);
	uint32_t mail = sched_add_stream(s, 10), a = site_of(s, 1, 0), b = site_of(s, 9, 0);
	uint32_t stream, item, site;

	ok(waits(sched_start(s, 0), INT64_MAX), "nothing to do");
	sched_push(s, a, mail, 1, 100);
	sched_push(s, a, mail, 2, 100);
	sched_push(s, b, mail, 3, 100);
	is_num((long long)sched_waiting(s), 3, "three wait");
	is_num((long long)sched_waiting_at(s, a), 2, "two of them at a");
	ok(sends(sched_start(s, 0), a, mail, 1), "first come first served");
	ok(sends(sched_start(s, 0), b, mail, 3), "a is at its limit: b");
	ok(waits(sched_start(s, 0), INT64_MAX), "the total is used up");
	ok(sends(sched_more(s, a, 5), a, mail, 2), "the same connection goes on");
	ok(waits(sched_more(s, b, 5), INT64_MAX), "kept: nobody needs it");
	sched_left(s, b);
	is_num(sched_connections(s, b), 0, "it has left");
	sched_push(s, a, mail, 4, 100);
	sched_push(s, a, mail, 5, 100);
	ok(waits(sched_start(s, 6), INT64_MAX), "a is still at its limit");
	sched_left(s, a);
	ok(sends(sched_start(s, 7), a, mail, 4), "an end makes room");
	sched_push(s, b, mail, 6, 100);
	ok(sched_take(s, a, &stream, &item) && stream == mail && item == 5, "taken");
	ok(!sched_take(s, a, &stream, &item), "none is left there");
	ok(sched_more(s, a, 8).what == SCHED_CLOSE, "nothing more here, others wait");
	ok(sched_take_any(s, &site, &stream, &item) && site == b && item == 6, "any");
	ok(!sched_take_any(s, &site, &stream, &item), "none at all");
	is_num((long long)sched_waiting(s), 0, "none waits");
	sched_del(s);
	sched_del(NULL);
}

static void
overtaking(void)
{
	struct sched *s = sched_new(20, 1);
	uint32_t bulk = sched_add_stream(s, 1), mail = sched_add_stream(s, 10);
	uint32_t big = site_of(s, 20, 0), other = site_of(s, 20, 0), turn = 0;
	struct sched_order o;

	for (uint32_t i = 0; i < 100000; i++)
		sched_push(s, big, bulk, i, 4096);
	for (int i = 0; i < 20; i++)
		sched_start(s, 0);
	for (int i = 0; i < 5000; i++)
		turn += sched_more(s, big, i).what != SCHED_SEND;
	is_num(turn, 0, "bulk alone goes on without closing");
	sched_push(s, big, mail, 200000, 4096);
	ok(sends(sched_more(s, big, 6000), big, mail, 200000), "mail at the same site is next");
	sched_push(s, other, mail, 200001, 4096);
	ok(sched_more(s, big, 6001).what == SCHED_CLOSE, "mail elsewhere: the first free closes");
	ok(sched_more(s, big, 6001).what == SCHED_SEND, "and only that one");
	sched_left(s, big);
	ok(sends(sched_start(s, 6002), other, mail, 200001), "for the mail");
	sched_left(s, other);
	ok(sched_more(s, big, 6002).what == SCHED_SEND, "nobody waits: no close");
	ok(sends(sched_start(s, 6002), big, bulk, 5022), "all are used again");
	sched_push(s, other, mail, 200010, 4096);
	ok(sched_more(s, big, 6002).what == SCHED_CLOSE, "a mail soon after has the same right");
	sched_left(s, big);
	ok(sends(sched_start(s, 6002), other, mail, 200010), "and leaves");
	sched_push(s, big, mail, 200002, 25000000);
	o = sched_more(s, big, 6003);
	ok(sends(o, big, mail, 200002), "a large one too");
	sched_push(s, big, mail, 200003, 100);
	ok(sched_more(s, big, 6003).stream == bulk, "which has to be paid for");
	sched_left(s, other);
	ok(sends(sched_start(s, 6004), big, bulk, 5024), "bulk went on in order");
	sched_del(s);
}

/* Sends n messages of one size over `conns` connections that take turns, all streams backlogged. */
static void
run(struct sched *s, uint32_t conns, uint32_t n, uint64_t *by_stream, uint64_t *by_site,
    uint32_t *closes)
{
	uint32_t *at = malloc(conns * sizeof *at);
	struct sched_order o;

	for (uint32_t i = 0; i < conns; i++)
		at[i] = UINT32_MAX;
	*closes = 0;
	for (uint32_t sent = 0, k = 0; sent < n; k = (k + 1) % conns) {
		o = at[k] == UINT32_MAX ? sched_start(s, sent) : sched_more(s, at[k], sent);
		if (o.what == SCHED_CLOSE) {
			sched_left(s, at[k]);
			(*closes)++;
			o = sched_start(s, sent);
		}
		if (o.what != SCHED_SEND)
			break;
		at[k] = o.site;
		by_stream[o.stream]++;
		by_site[o.site]++;
		sent++;
	}
	free(at);
}

static void
shares(void)
{
	for (uint32_t conns = 1; conns <= 50; conns += 49) {
		struct sched *s = sched_new(conns, 1);
		uint32_t a = sched_add_stream(s, 1), b = sched_add_stream(s, 3), closes;
		uint64_t by_stream[2] = {0}, by_site[10] = {0};

		for (uint32_t i = 0; i < 10; i++)
			site_of(s, 100, 0);
		for (uint32_t i = 0; i < 40000; i++) {
			sched_push(s, i % 5, a, i, 4096);
			sched_push(s, 5 + i % 5, b, i, 4096);
		}
		run(s, conns, 40000, by_stream, by_site, &closes);
		ok(by_stream[b] > 28500 && by_stream[b] < 31500, "%u connections: weight 3 beside "
		    "1 gets three quarters: %llu", conns, (unsigned long long)by_stream[b]);
		for (uint32_t i = 0; i < 10; i++)
			ok(by_site[i] > (i < 5 ? 1800 : 5400) && by_site[i] < (i < 5 ? 2200 : 6600),
			    "site %u has its share: %llu", i, (unsigned long long)by_site[i]);
		ok(closes < 40000 / 16, "connections are kept: %u closed", closes);
		sched_del(s);
	}
}

/* Two sites of one stream, the second with one item: one close makes room for it, however long
 * that connection takes to end. */
static void
one_close_for_one(void)
{
	struct sched *s = sched_new(20, 1);
	uint32_t a = sched_add_stream(s, 1), big = site_of(s, 20, 0), small = site_of(s, 20, 0);
	uint32_t closes = 0;

	for (uint32_t i = 0; i < 2000; i++)
		sched_push(s, big, a, i, 4096);
	for (int i = 0; i < 20; i++)
		sched_start(s, 0);
	sched_push(s, small, a, 5000, 4096);
	for (int i = 0; i < 1000; i++)
		closes += sched_more(s, big, 1).what == SCHED_CLOSE;
	is_num(closes, 1, "one close for one that waits");
	sched_left(s, big);
	ok(sends(sched_start(s, 2), small, a, 5000), "which is for it");
	sched_del(s);
}

/* A stream that was idle for long has no claim to all that time. */
static void
credit(void)
{
	struct sched *s = sched_new(1, 1);
	uint32_t a = sched_add_stream(s, 1), b = sched_add_stream(s, 1), closes;
	uint64_t by_stream[2] = {0}, by_site[2] = {0};

	site_of(s, 5, 0);
	site_of(s, 5, 0);
	for (uint32_t i = 0; i < 20000; i++)
		sched_push(s, 0, a, i, 4096);
	run(s, 1, 10000, by_stream, by_site, &closes);
	is_num((long long)by_stream[a], 10000, "one stream alone");
	for (uint32_t i = 0; i < 10000; i++)
		sched_push(s, 1, b, i, 4096);
	sched_left(s, 0);
	run(s, 1, 1000, by_stream, by_site, &closes);
	ok(by_stream[b] >= 450 && by_stream[b] <= 600, "a second one shares from now on: %llu",
	    (unsigned long long)by_stream[b]);
	sched_del(s);
}

/* The same site: shares by weight on its connections, whatever the streams do elsewhere. */
static void
shares_at_one_site(void)
{
	struct sched *s = sched_new(1, 1);
	uint32_t a = sched_add_stream(s, 1), b = sched_add_stream(s, 4), closes;
	uint64_t by_stream[2] = {0}, by_site[1] = {0};

	site_of(s, 1, 0);
	for (uint32_t i = 0; i < 10000; i++) {
		sched_push(s, 0, a, i, 4096);
		sched_push(s, 0, b, i, 4096);
	}
	run(s, 1, 5000, by_stream, by_site, &closes);
	ok(by_stream[a] >= 999 && by_stream[a] <= 1001, "one of five: %llu",
	    (unsigned long long)by_stream[a]);
	is_num(closes, 0, "no connection is closed for it");
	sched_del(s);
}

/* Sites that send large and small messages share by bytes, not by messages. */
static void
shares_by_cost(void)
{
	struct sched *s = sched_new(1, 1);
	uint32_t a = sched_add_stream(s, 1), large, small, closes;
	uint64_t by_stream[1] = {0}, by_site[2] = {0};

	large = site_of(s, 5, 0);
	small = site_of(s, 5, 0);
	for (uint32_t i = 0; i < 100000; i++) {
		sched_push(s, large, a, i, 4096 * 1023);
		sched_push(s, small, a, i, 4096 * 7);
	}
	run(s, 1, 20000, by_stream, by_site, &closes);
	ok(by_site[large] * 128 > by_site[small] * 9 / 10 && by_site[large] * 128 < by_site[small] *
	    11 / 10, "1 to 128: %llu and %llu", (unsigned long long)by_site[large],
	    (unsigned long long)by_site[small]);
	sched_del(s);
}

static void
pacing(void)
{
	struct sched *s = sched_new(100, 1);
	uint32_t mail = sched_add_stream(s, 10), a = site_of(s, 4, 0), b = site_of(s, 4, 60);
	int64_t until = 0;

	for (uint32_t i = 0; i < 100; i++)
		sched_push(s, a, mail, i, 100);
	ok(sends(sched_start(s, 0), a, mail, 0), "one");
	sched_report(s, a, PACE_UNREACHABLE, 0, 10);
	sched_left(s, a);
	pace_closed(sched_pace(s, a), 10, &until);
	ok(waits(sched_start(s, 10), until), "closed: the time it opens is told");
	ok(waits(sched_start(s, until - 1), until), "not before");
	ok(sends(sched_start(s, until), a, mail, 1), "then one tries");
	ok(waits(sched_start(s, until), INT64_MAX), "and only one");
	sched_report(s, a, PACE_CONNECTED, 0, until);
	ok(waits(sched_start(s, until), INT64_MAX), "it works, but nothing got through yet");
	sched_report(s, a, PACE_DELIVERED, 0, until);
	ok(sends(sched_start(s, until), a, mail, 2), "a message got through: the others follow");
	ok(sends(sched_start(s, until), a, mail, 3), "the others follow");
	ok(sends(sched_start(s, until), a, mail, 4), "the others follow");
	sched_report(s, a, PACE_SLOW_DOWN, 0, until);
	ok(sched_more(s, a, until).what == SCHED_CLOSE, "halved: one ends");
	ok(sched_more(s, a, until).what == SCHED_CLOSE, "and another");
	ok(sends(sched_more(s, a, until), a, mail, 5), "two stay");
	sched_left(s, a);
	sched_left(s, a);
	ok(waits(sched_start(s, until), INT64_MAX), "no new one");
	sched_report(s, a, PACE_SLOW_DOWN, 300, until + 1);
	ok(sched_more(s, a, until + 1).what == SCHED_CLOSE, "asked for a pause: end it");
	sched_left(s, a);
	sched_left(s, a);
	ok(waits(sched_start(s, until + 2), until + 300001), "as long as the peer asked");
	until += 300001;

	sched_push(s, b, mail, 200, 100);
	sched_push(s, b, mail, 201, 100);
	sched_push(s, b, mail, 202, 100);
	while (sched_take(s, a, &(uint32_t){0}, &(uint32_t){0}))
		;
	ok(sends(sched_start(s, until), b, mail, 200), "a token was there");
	ok(waits(sched_start(s, until), until + 1000 + SCHED_GRACE_MS), "no other");
	ok(waits(sched_more(s, b, until + 10), until + 1000), "the connection waits for the next");
	ok(sends(sched_more(s, b, until + 1000), b, mail, 201), "and has it");
	sched_left(s, b);
	ok(waits(sched_start(s, until + 1100), until + 2000), "no connection: no grace");
	ok(sends(sched_start(s, until + 2000), b, mail, 202), "the rate is kept");
	sched_del(s);
}

static void
merging(void)
{
	struct sched *s = sched_new(1, 1);
	uint32_t mail = sched_add_stream(s, 10), bulk = sched_add_stream(s, 1);
	uint32_t from = site_of(s, 1, 0), into = site_of(s, 1, 0);
	static const uint32_t want[] = {1, 2, 3, 4};

	sched_push(s, from, mail, 3, 100);
	sched_push(s, from, mail, 4, 100);
	sched_push(s, from, bulk, 9, 100);
	sched_push(s, into, mail, 1, 100);
	sched_push(s, into, mail, 2, 100);
	sched_merge(s, from, SCHED_ALL, into);
	sched_merge(s, into, SCHED_ALL, into);
	is_num((long long)sched_waiting_at(s, from), 0, "nothing stays");
	is_num((long long)sched_waiting_at(s, into), 5, "all are there");
	is_num((long long)sched_waiting(s), 5, "and none doubled");
	for (size_t i = 0, k = 0; i < 5; i++) {
		struct sched_order o = i ? sched_more(s, into, 0) : sched_start(s, 0);

		if (o.stream == bulk)
			is_num(o.item, 9, "of the other stream");
		else
			is_num(o.item, want[k++], "in order, behind those that were there");
	}
	sched_merge(s, from, SCHED_ALL, into);
	sched_push(s, from, mail, 10, 1);
	sched_left(s, into);
	ok(sends(sched_start(s, 0), from, mail, 10), "the empty site is of use again");
	sched_del(s);
}

static void
holding(void)
{
	struct sched *s = sched_new(9, 1);
	uint32_t mail = sched_add_stream(s, 10), bulk = sched_add_stream(s, 1), stream, item;
	uint32_t a = site_of(s, 9, 0), b = site_of(s, 9, 0);

	for (uint32_t i = 0; i < 9; i++)
		sched_push(s, a, mail, i, 100);
	ok(sends(sched_start(s, 0), a, mail, 0), "one");
	sched_hold(s, a, 500);
	ok(waits(sched_start(s, 0), 500), "held: nothing new");
	ok(sends(sched_more(s, a, 1), a, mail, 1), "what is there goes on");
	sched_hold(s, a, 0);
	ok(sends(sched_start(s, 2), a, mail, 2), "no longer held");
	sched_return(s, a, mail, 2, 100);
	sched_return(s, a, mail, 1, 100);
	sched_left(s, a);
	ok(sends(sched_start(s, 2), a, mail, 1), "returned: first again");
	sched_push(s, a, bulk, 20, 100);
	sched_take(s, a, &stream, &item);
	sched_return(s, a, mail, 2, 100);
	ok(sched_take(s, a, &stream, &item) && item == 2, "returned: taken in order too");
	sched_return(s, b, mail, 2, 100);
	sched_push(s, b, mail, 9, 100);
	ok(sends(sched_start(s, 2), a, bulk, 20), "the other stream's, which was idle");
	ok(sends(sched_start(s, 2), a, mail, 3), "a's turn");
	ok(sends(sched_start(s, 2), b, mail, 2), "returned elsewhere");
	ok(sends(sched_more(s, b, 2), b, mail, 9), "and the next");
	is_num((long long)sched_waiting(s), 5, "all are counted");
	sched_del(s);
}

static void
oldest_first(void)
{
	struct sched *s = sched_new(1, 1);
	uint32_t streams[3], site = site_of(s, 1, 0), stream, item;
	bool good = true;

	for (size_t i = 0; i < 3; i++)
		streams[i] = sched_add_stream(s, 1);
	for (uint32_t i = 0; i < 300; i++)
		sched_push(s, site, streams[(i * 7 + i / 5) % 3], i, 100);
	for (uint32_t i = 0; i < 300; i++)
		good = good && sched_take(s, site, &stream, &item) && item == i;
	ok(good, "taken in the order of pushing, whatever the stream");
	sched_del(s);
}

static bool
closes(struct sched_order o)
{
	return o.what == SCHED_CLOSE;
}

/* Three parts of a site that may have two connections. */
static void
parts(void)
{
	struct sched *s = sched_new(9, 1);
	uint32_t mail = sched_add_stream(s, 10), stream, item;
	struct pace_limits l = {2, 0, 1000, 1000, 0};
	uint32_t a = sched_add_site(s, &l, true, 0), b = sched_add_part(s, a, 0), c = sched_add_part(s, a, 0);
	uint32_t else_where = site_of(s, 9, 0);
	int64_t until;

	for (uint32_t i = 0; i < 3; i++) {
		sched_push(s, a, mail, i, 100);
		sched_push(s, b, mail, 10 + i, 100);
	}
	sched_push(s, c, mail, 20, 100);
	ok(sends(sched_start(s, 0), a, mail, 0), "the parts of a site take turns");
	ok(sends(sched_start(s, 0), b, mail, 10), "the next part");
	ok(waits(sched_start(s, 0), INT64_MAX), "the site has as many as it may have");
	is_num(sched_connections(s, c), 2, "of all parts");
	ok(sends(sched_more(s, a, 0), a, mail, 1), "a connection is its part's");
	ok(sends(sched_more(s, a, 0), a, mail, 2), "and goes on with it");
	ok(closes(sched_more(s, a, 0)), "then it makes room for the others");
	sched_left(s, a);
	ok(sends(sched_start(s, 0), c, mail, 20), "for the third part");
	sched_push(s, else_where, mail, 90, 100);
	ok(sends(sched_start(s, 0), else_where, mail, 90), "another site goes on beside it");

	sched_left(s, c);
	sched_left(s, b);
	sched_push(s, c, mail, 21, 100);
	sched_report(s, b, PACE_UNREACHABLE, 0, 0);
	ok(pace_closed(sched_health(s, b), 1, &until), "a part whose hosts are silent is closed");
	ok(!pace_closed(sched_health(s, c), 1, &until) && !pace_closed(sched_pace(s, c), 1, &until),
	    "its site is not");
	ok(sends(sched_start(s, 1), c, mail, 21), "the others go on");
	ok(waits(sched_start(s, 1), sched_health(s, b)->closed_until_ms), "it waits for its time");
	ok(sends(sched_start(s, 5000), b, mail, 11), "then one tries");
	sched_report(s, b, PACE_CONNECTED, 0, 5000);
	sched_report(s, b, PACE_DELIVERED, 0, 5000);
	ok(sends(sched_more(s, b, 5000), b, mail, 12), "and is well again");
	sched_push(s, c, mail, 22, 100);
	sched_report(s, b, PACE_SLOW_DOWN, 60, 6000);
	ok(pace_closed(sched_pace(s, c), 6001, &until), "who asks for a pause asks for the site");
	ok(sched_take(s, c, &stream, &item) && item == 22, "what waits is taken by the part");
	sched_del(s);
}

/* A site of one connection: its parts, and the streams at them. */
static void
parts_share(void)
{
	struct sched *s = sched_new(9, 1);
	uint32_t mail = sched_add_stream(s, 10), bulk = sched_add_stream(s, 1), n = 1;
	struct pace_limits l = {1, 0, 1000, 1000, 0};
	uint32_t a = sched_add_site(s, &l, true, 0), b = sched_add_part(s, a, 0);
	struct sched_order o;

	for (uint32_t i = 0; i < 100; i++)
		sched_push(s, a, bulk, i, 4096);
	sched_push(s, b, bulk, 1000, 4096);
	ok(sends(sched_start(s, 0), a, bulk, 0), "bulk");
	while ((o = sched_more(s, a, 0)).what == SCHED_SEND)
		n++;
	is_num(n, SCHED_QUANTUM / (4096 + SCHED_OVERHEAD), "a turn among parts is a quantum");
	ok(closes(o), "then the connection is the next part's");
	sched_left(s, a);
	ok(sends(sched_start(s, 0), b, bulk, 1000), "which has it");
	sched_push(s, a, mail, 2000, 4096);
	ok(closes(sched_more(s, b, 0)), "it has nothing more");
	sched_left(s, b);
	ok(sends(sched_start(s, 0), a, mail, 2000), "mail before bulk");
	ok(sends(sched_more(s, a, 0), a, bulk, 32), "over the same connection what there is");
	sched_push(s, b, mail, 2001, 4096);
	ok(closes(sched_more(s, a, 0)), "mail for the other part takes the connection");
	sched_left(s, a);
	ok(sends(sched_start(s, 0), b, mail, 2001), "and goes next");
	sched_merge(s, a, bulk, b);
	is_num((long long)sched_waiting_at(s, a), 0, "a stream moves");
	ok(sends(sched_more(s, b, 0), b, bulk, 33), "in its order");
	sched_del(s);
}

int
main(void)
{
	parts();
	parts_share();
	basics();
	overtaking();
	shares();
	shares_at_one_site();
	shares_by_cost();
	one_close_for_one();
	credit();
	pacing();
	merging();
	oldest_first();
	holding();
	return tap_done();
}
