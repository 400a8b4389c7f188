/* The scheduler beside a naive one: random operations, and after each what any scheduler that
 * keeps schedule.h's promises may have answered.  The model looks at everything every time. */
#include "schedule.h"

#include "tap.h"

#include <inttypes.h>
#include <stdlib.h>

#define SITES 7
#define STREAMS 3
#define TOTAL 9
#define ITEMS 4000
#define STEPS 15000

struct fifo {
	uint32_t item[ITEMS * 3]; /* used from the second third on, so that there is room before */
	uint32_t first, last;     /* last is one past */
};

static struct fifo wait_at[SITES][STREAMS];
static uint32_t connections[SITES], total, waiting, next_item, cost_of[ITEMS];
static int64_t hold_ms[SITES], now_ms;
static struct sched *s;
static uint64_t state;
static char why[200];

#define FAIL(...) (why[0] ? 0 : snprintf(why, sizeof why, __VA_ARGS__))

static uint32_t
dice(uint32_t n)
{
	state = state * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(state >> 33) % n;
}

static uint32_t
size_at(uint32_t site)
{
	uint32_t n = 0;

	for (uint32_t m = 0; m < STREAMS; m++)
		n += wait_at[site][m].last - wait_at[site][m].first;
	return n;
}

static void
push_back(struct fifo *f, uint32_t item)
{
	if (f->last == ITEMS * 3) {
		memmove(f->item + ITEMS, f->item + f->first,
		    (f->last - f->first) * sizeof *f->item);
		f->last -= f->first - ITEMS;
		f->first = ITEMS;
	}
	f->item[f->last++] = item;
}

static void
leaves(uint32_t site, uint32_t stream, uint32_t item)
{
	struct fifo *f = &wait_at[site % SITES][stream % STREAMS];

	if (site >= SITES || stream >= STREAMS || f->first == f->last || f->item[f->first] != item)
		FAIL("item %u of stream %u is not the first at site %u", item, stream, site);
	else
		f->first++;
	waiting--;
}

/* May the site do with one more connection, by its pace (a copy) and by what we told? */
static bool
startable(uint32_t site, struct pace p, int64_t *when)
{
	*when = INT64_MAX;
	if (size_at(site) == 0)
		return false;
	if (!pace_may_connect(&p, connections[site], now_ms, when))
		return false;
	if (hold_ms[site] > now_ms) {
		*when = hold_ms[site];
		return false;
	}
	return pace_may_send(&p, now_ms, when);
}

static void
check_waits(struct sched_order o)
{
	for (uint32_t i = 0; i < SITES && total < TOTAL; i++) {
		struct pace p = *sched_pace(s, i);
		int64_t when, slack = p.limits.rate_per_min ? SCHED_GRACE_MS : 0;

		if (!startable(i, p, &when) && when == INT64_MAX)
			continue;
		if (when == INT64_MAX) /* it could start, or there is a token just now */
			when = now_ms;
		if (slack == 0 && when <= now_ms)
			FAIL("site %u could have started", i);
		if (o.until_ms > when + slack)
			FAIL("site %u can start at %" PRId64 ", not %" PRId64, i, when, o.until_ms);
	}
	if (o.until_ms <= now_ms)
		FAIL("a wait that is over");
}

static void
start(void)
{
	struct pace was[SITES];
	struct sched_order o;
	int64_t when;

	for (uint32_t i = 0; i < SITES; i++)
		was[i] = *sched_pace(s, i);
	o = sched_start(s, now_ms);
	if (o.what != SCHED_SEND) {
		if (o.what != SCHED_WAIT)
			FAIL("start says close");
		check_waits(o);
		return;
	}
	if (total >= TOTAL)
		FAIL("more connections than there may be");
	if (o.site >= SITES || !startable(o.site, was[o.site], &when))
		FAIL("site %u may not start", o.site);
	leaves(o.site, o.stream, o.item);
	connections[o.site]++;
	total++;
}

static void
left(uint32_t site)
{
	sched_left(s, site);
	connections[site]--;
	total--;
}

static void
more(uint32_t site)
{
	struct pace p = *sched_pace(s, site), copy = p;
	int64_t when = 0;
	bool closed = p.asked && pace_closed(&p, now_ms, &when);
	bool ripe = !closed && size_at(site) > 0 && pace_may_send(&copy, now_ms, &when);
	struct sched_order o = sched_more(s, site, now_ms);

	if (o.site != site)
		FAIL("another site's order");
	if (o.what == SCHED_SEND) {
		if (!ripe || connections[site] > p.allowed)
			FAIL("site %u may not send", site);
		leaves(site, o.stream, o.item);
	} else if (o.what == SCHED_WAIT) {
		if (ripe || connections[site] > p.allowed)
			FAIL("site %u could have sent", site);
		if (o.until_ms <= now_ms || (size_at(site) > 0 && o.until_ms != when))
			FAIL("site %u waits until %" PRId64 " for %" PRId64, site, o.until_ms,
			    when);
	} else {
		if (connections[site] <= p.allowed && waiting == size_at(site) &&
		    !(closed && when > now_ms + SCHED_PATIENCE_MS))
			FAIL("site %u need not close", site);
		left(site);
	}
}

static void
merge(uint32_t from, uint32_t into)
{
	sched_merge(s, from, SCHED_ALL, into);
	for (uint32_t m = 0; from != into && m < STREAMS; m++) {
		struct fifo *f = &wait_at[from][m], *t = &wait_at[into][m];

		while (f->first < f->last)
			push_back(t, f->item[f->first++]);
	}
}

static void
put(uint32_t site)
{
	uint32_t stream = dice(STREAMS), n = 1 + dice(6);

	while (n-- > 0 && next_item < ITEMS) {
		struct fifo *f = &wait_at[site][stream];

		cost_of[next_item] = dice(4) ? dice(20000) : dice(5000000);
		sched_push(s, site, stream, next_item, cost_of[next_item]);
		push_back(f, next_item++);
		waiting++;
	}
}

static void
take(uint32_t site)
{
	uint32_t stream, item;

	bool any = dice(2);

	if (any ? sched_take_any(s, &site, &stream, &item) : sched_take(s, site, &stream, &item))
		leaves(site, stream, item);
	else if (any ? waiting > 0 : size_at(site) > 0)
		FAIL("nothing to take of %u", waiting);
}

static void
give_back(void)
{
	struct sched_order o;

	o = sched_start(s, now_ms);
	if (o.what != SCHED_SEND)
		return;
	leaves(o.site, o.stream, o.item);
	sched_return(s, o.site, o.stream, o.item, cost_of[o.item]);
	wait_at[o.site][o.stream].item[--wait_at[o.site][o.stream].first] = o.item;
	waiting++;
	sched_left(s, o.site);
}

static void
report(uint32_t site)
{
	static const enum pace_event kinds[] = {PACE_DELIVERED, PACE_DELIVERED, PACE_DELIVERED,
	    PACE_DELIVERED, PACE_CONNECTED, PACE_CONNECTED, PACE_SLOW_DOWN, PACE_UNREACHABLE};
	enum pace_event what = kinds[dice(8)];

	sched_report(s, site, what, what == PACE_SLOW_DOWN && dice(2) ? dice(4) : 0, now_ms);
}

static void
operation(void)
{
	uint32_t site = dice(SITES);

	switch (dice(12)) {
	case 0: put(site); break;
	case 1: case 2: case 3: start(); break;
	case 4: case 5: case 6: case 7:
		if (connections[site])
			more(site);
		break;
	case 8:
		if (connections[site])
			left(site);
		break;
	case 9: report(site); break;
	case 10: now_ms += dice(4) ? dice(100) : dice(5000); break;
	default:
		switch (dice(8)) {
		case 0: merge(site, dice(SITES)); break;
		case 1: take(site); break;
		case 2: give_back(); break;
		case 3:
			hold_ms[site] = now_ms + (int64_t)dice(2000) - 500;
			/* A hold replaces the scheduler's own, for a token: it is found again. */
			sched_hold(s, site, hold_ms[site]);
			break;
		default: break;
		}
	}
	if (sched_waiting(s) != waiting)
		FAIL("%" PRIu64 " wait, not %u", sched_waiting(s), waiting);
	if (sched_waiting_at(s, site) != size_at(site))
		FAIL("%" PRIu64 " wait at %u", sched_waiting_at(s, site), site);
	if (sched_connections(s, site) != connections[site])
		FAIL("%u connections at %u", sched_connections(s, site), site);
}

static void
reset(uint64_t seed)
{
	static const uint32_t rates[SITES] = {0, 0, 0, 600, 60, 0, 6000};

	state = seed;
	now_ms = 1000;
	total = waiting = next_item = 0;
	s = sched_new(TOTAL, seed);
	for (uint32_t m = 0; m < STREAMS; m++)
		sched_add_stream(s, 1 + m * m * 5);
	for (uint32_t i = 0; i < SITES; i++) {
		struct pace_limits l = {1 + i, rates[i], 400, 3000, 0};

		sched_add_site(s, &l, false, now_ms);
		connections[i] = 0;
		hold_ms[i] = 0;
		for (uint32_t m = 0; m < STREAMS; m++)
			wait_at[i][m].first = wait_at[i][m].last = ITEMS;
	}
}

static void
one(uint64_t seed)
{
	int step;

	reset(seed);
	for (step = 0; step < STEPS && !why[0]; step++)
		operation();
	for (uint32_t i = 0; i < SITES && !why[0]; i++)
		while (connections[i] > 0 && !why[0])
			left(i);
	/* Alone and with time everything goes. */
	for (int k = 0; k < ITEMS * 4 && waiting > 0 && !why[0]; k++) {
		uint32_t had = waiting;

		start();
		if (waiting == had)
			now_ms += 500;
		for (uint32_t i = 0; i < SITES && !why[0]; i++)
			if (connections[i]) {
				sched_report(s, i, PACE_DELIVERED, 0, now_ms);
				left(i);
			}
	}
	if (waiting > 0)
		FAIL("%u stay", waiting);
	ok(!why[0], "seed %" PRIu64 ", %u items, %d steps", seed, next_item, step);
	if (why[0])
		printf("# %s\n", why);
	why[0] = '\0';
	sched_del(s);
}

int
main(void)
{
	for (uint64_t seed = 1; seed <= 40; seed++)
		one(seed);
	return tap_done();
}
