/* How one site is driven: pace.h, event by event. */
#include "pace.h"

#include "tap.h"

static const struct pace_limits limits = {20, 0, 300000, 14400000, 0};

static struct pace
fresh(uint32_t connections, uint32_t rate)
{
	struct pace_limits l = limits;
	struct pace p;

	l.connections = connections;
	l.rate_per_min = rate;
	pace_init(&p, &l, 0);
	return p;
}

static void
events(struct pace *p, enum pace_event what, int n, int64_t now_ms)
{
	for (int i = 0; i < n; i++)
		pace_event(p, what, 0, now_ms, 0);
}

/* A site that says nothing must not hold all of a run's connections. */
static void
strangers(void)
{
	struct pace p = fresh(20, 0);
	int64_t when = 0;

	p.limits.untried = 2;
	ok(pace_may_connect(&p, 1, 0, &when), "untried: the second may start");
	ok(!pace_may_connect(&p, 2, 0, &when) && when == INT64_MAX, "the third waits");
	pace_event(&p, PACE_CONNECTED, 0, 0, 0);
	ok(pace_may_connect(&p, 7, 0, &when), "when one works the eighth may start");
	ok(!pace_may_connect(&p, 8, 0, &when), "not the ninth");
	p = fresh(1, 0);
	p.limits.untried = 2;
	ok(!pace_may_connect(&p, 1, 0, &when), "never more than the limit");
	p = fresh(20, 0);
	p.limits.untried = 2;
	ok(pace_parse(&p, SPAN("allowed=6 slowed=1 failures=0 closed_for=0"), 0) &&
	    pace_may_connect(&p, 5, 0, &when) && !pace_may_connect(&p, 6, 0, &when),
	    "a run before has talked to it");
	p = fresh(20, 0);
	p.limits.untried = 2;
	ok(pace_parse(&p, SPAN("allowed=6 slowed=0 failures=3 closed_for=0"), 0) &&
	    pace_may_connect(&p, 0, 0, &when) && !pace_may_connect(&p, 1, 0, &when),
	    "it has not: one at a time");
}

/* Another run has used up the rate. */
static void
spent(void)
{
	static const uint32_t rates[] = {1, 7, 60, 61, 6000, 60000, 1000000, PACE_RATE_MAX};

	for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
		struct pace p = fresh(20, rates[i]);
		int64_t when = 0;

		pace_spent(&p, 1500);
		ok(!pace_may_send(&p, 1499, &when) && when == 1500, "%u a minute: not before", rates[i]);
		ok(pace_may_send(&p, 1500, &when), "%u a minute: then", rates[i]);
	}
}

static void
connections(void)
{
	struct pace p = fresh(20, 0);
	int64_t when = 0;

	is_num(p.allowed, 8, "a new site starts at 8");
	ok(pace_may_connect(&p, 7, 0, &when), "the eighth may start");
	ok(!pace_may_connect(&p, 8, 0, &when) && when == INT64_MAX, "the ninth waits for an end");
	events(&p, PACE_DELIVERED, 3, 0);
	is_num(p.allowed, 11, "before the first slow down each good message adds one");
	events(&p, PACE_DELIVERED, 100, 0);
	is_num(p.allowed, 20, "never over the limit");
	pace_event(&p, PACE_SLOW_DOWN, 0, 1000, 0);
	is_num(p.allowed, 10, "slow down halves");
	events(&p, PACE_SLOW_DOWN, 9, 1999);
	is_num(p.allowed, 10, "the same news within a second counts once");
	pace_event(&p, PACE_SLOW_DOWN, 0, 2000, 0);
	is_num(p.allowed, 5, "later it counts again");
	ok(!pace_closed(&p, 2000, &when), "and does not close");
	events(&p, PACE_DELIVERED, 4, 2000);
	is_num(p.allowed, 5, "four good ones at five are not enough");
	events(&p, PACE_DELIVERED, 1, 2000);
	is_num(p.allowed, 6, "the fifth adds one");
	events(&p, PACE_DELIVERED, 5, 2000);
	pace_event(&p, PACE_SLOW_DOWN, 0, 9000, 0);
	events(&p, PACE_DELIVERED, 2, 9000);
	is_num(p.allowed, 3, "slow down forgets what was good before");
	for (int i = 0; i < 5; i++)
		pace_event(&p, PACE_SLOW_DOWN, 0, 20000 + i * 1000, 0);
	is_num(p.allowed, 1, "never under one");
	ok(pace_closed(&p, 24000, &when) && when == 21000 + 225000,
	    "slow down at one connection closes for the first backoff");
	pace_event(&p, PACE_CONNECTED, 0, 25000, 0);
	ok(pace_closed(&p, 25000, &when) && when == 246000, "and nothing under way opens it");
	pace_event(&p, PACE_CONNECTED, 0, 250000, 0);
	pace_event(&p, PACE_SLOW_DOWN, 0, 250000, 0);
	ok(pace_closed(&p, 250000, &when) && when == 250000 + 450000,
	    "again, and no message between: the second");
	pace_event(&p, PACE_DELIVERED, 0, 700000, 0);
	pace_event(&p, PACE_SLOW_DOWN, 0, 701000, 0);
	ok(p.allowed == 1 && !pace_closed(&p, 701000, &when),
	    "a message got through: two, then one");
	pace_event(&p, PACE_SLOW_DOWN, 0, 702000, 0);
	ok(pace_closed(&p, 702000, &when) && when == 702000 + 225000, "the first backoff again");
	p = fresh(3, 0);
	is_num(p.allowed, 3, "a limit under the start");
	p = fresh(0, 0);
	is_num(p.allowed, 1, "no limit at all is one");
}

static void
health(void)
{
	struct pace p = fresh(20, 0);
	int64_t when = 0, now = 0;
	/* random 0 is the shortest jitter: 0.75 of 300 s doubling to 4 h */
	static const int64_t closed[] = {225000, 450000, 900000, 1800000, 3600000, 7200000,
	    10800000, 10800000};

	for (size_t i = 0; i < sizeof closed / sizeof closed[0]; i++) {
		events(&p, PACE_UNREACHABLE, 8, now);
		is_num(p.failures, (long long)i + 1, "failures of one moment count once");
		ok(!pace_may_connect(&p, 0, now, &when) && when == now + closed[i],
		    "backoff doubles");
		now = when;
		ok(pace_may_connect(&p, 0, now, &when), "then one may try");
		ok(!pace_may_connect(&p, 1, now, &when) && when == INT64_MAX, "and no second");
	}
	pace_event(&p, PACE_UNREACHABLE, 0, now, 0);
	pace_event(&p, PACE_CONNECTED, 0, now + 5, 0);
	ok(!pace_closed(&p, now + 5, &when), "a connection that works opens");
	ok(!pace_may_connect(&p, 1, now + 5, &when), "for one, until a message got through");
	pace_event(&p, PACE_DELIVERED, 0, now + 6, 0);
	ok(pace_may_connect(&p, 7, now + 6, &when) && p.failures == 0, "then as wide as it was");
	pace_event(&p, PACE_UNREACHABLE, 0, now + 6, 150000);
	ok(pace_closed(&p, now + 6, &when) && when - now - 6 == 375000, "the jitter has two sides");
	pace_event(&p, PACE_DELIVERED, 0, now + 7, 0);
	ok(!pace_closed(&p, now + 7, &when), "a delivery opens too");
}

static void
hints(void)
{
	struct pace p = fresh(20, 0);
	int64_t when = 0;

	pace_event(&p, PACE_SLOW_DOWN, 300, 1000, 0);
	ok(pace_closed(&p, 300999, &when) && when == 301000, "closed as long as the peer asked");
	ok(!pace_closed(&p, 301000, &when), "and no longer");
	pace_event(&p, PACE_SLOW_DOWN, 10, 1500, 0);
	ok(pace_closed(&p, 1500, &when) && when == 301000, "a shorter hint takes nothing back");
	events(&p, PACE_DELIVERED, 1, 2000);
	events(&p, PACE_CONNECTED, 1, 2000);
	ok(pace_closed(&p, 2000, &when), "what was under way does not open it");
	p = fresh(20, 0);
	pace_event(&p, PACE_SLOW_DOWN, UINT64_MAX, 0, 0);
	ok(pace_closed(&p, 0, &when) && when == 86400000, "a day at most");
	p = fresh(20, 0);
	pace_event(&p, PACE_UNREACHABLE, 3600, 0, 0);
	ok(pace_closed(&p, 0, &when) && when == 3600000, "a hint later than the backoff");
	pace_event(&p, PACE_UNREACHABLE, 0, 3600000, 0);
	pace_event(&p, PACE_CONNECTED, 0, 3600001, 0);
	ok(!pace_closed(&p, 3600001, &when), "a wish that is over keeps nothing closed");
	p = fresh(1, 0);
	pace_event(&p, PACE_SLOW_DOWN, 2, 0, 0);
	ok(pace_closed(&p, 0, &when) && when == 2000, "a hint stands for the first backoff");
	pace_event(&p, PACE_SLOW_DOWN, 2, 2000, 0);
	ok(pace_closed(&p, 2000, &when) && when == 2000 + 225000, "not for the one after it");
	pace_event(&p, PACE_SLOW_DOWN, 2, 227000, 0);
	ok(pace_closed(&p, 227000, &when) && when == 227000 + 450000, "which doubles");
	pace_event(&p, PACE_SLOW_DOWN, 500, 228000, 0);
	ok(pace_closed(&p, 228000, &when) && when == 228000 + 500000, "or for the next hint");
}

/* Sends whenever it may for a minute after `from`; checks each answer's time. */
static uint32_t
minute(struct pace *p, int64_t from, bool *good)
{
	int64_t now = from, when = 0;
	uint32_t sent = 0;

	while (now < from + 60000) {
		if (pace_may_send(p, now, &when)) {
			sent++;
			continue;
		}
		if (when <= now)
			*good = false;
		now = when;
	}
	return sent;
}

static void
rates(void)
{
	static const uint32_t rate[] = {1, 7, 59, 60, 61, 600, 7001, 100000, PACE_RATE_MAX};
	int64_t when = 0;
	struct pace p;

	for (size_t i = 0; i < sizeof rate / sizeof rate[0]; i++) {
		uint32_t burst = rate[i] > 60 ? (rate[i] + 59) / 60 : 1;
		uint32_t first, second;
		bool good = true;

		p = fresh(20, rate[i]);
		first = minute(&p, 0, &good);
		second = minute(&p, 60000, &good);
		ok(first <= rate[i] + burst && first >= rate[i], "%u a minute: %u in the first",
		    rate[i], first);
		ok(second <= rate[i] + 1 && second + 1 >= rate[i], "%u a minute: %u in the second",
		    rate[i], second);
		ok(good, "a wait always ends later");
	}
	p = fresh(20, 0);
	ok(pace_may_send(&p, 0, &when) && pace_may_send(&p, 0, &when), "no limit");
	p = fresh(20, 60);
	ok(pace_may_send(&p, 1000, &when), "one");
	ok(!pace_may_send(&p, 1000, &when) && when == 2000, "the next a second later");
	ok(!pace_may_send(&p, 1999, &when) && when == 2000, "not a millisecond sooner");
	ok(!pace_may_send(&p, 500, &when) && when == 2000, "a clock that went back gives nothing");
	ok(pace_may_send(&p, 2000, &when), "then it goes");
	ok(pace_may_send(&p, INT64_MAX / 4, &when) && !pace_may_send(&p, INT64_MAX / 4, &when),
	    "an age fills one bucket, no more");
}

static bool
parse(struct pace *p, const char *text, int64_t now_ms)
{
	return pace_parse(p, span_of(text), now_ms);
}

static void
memory(void)
{
	struct pace p = fresh(20, 0), q = fresh(20, 0);
	struct buf b = BUF_INIT;
	int64_t when = 0;
	static const char *const bad[] = {"", "allowed=0 slowed=0 failures=0 closed_for=0",
	    "allowed=8", "allowed=8 slowed=2 failures=0 closed_for=0", "x",
	    "allowed=8 slowed=0 failures=0 closed_for=0 ",
	    "allowed=-1 slowed=0 failures=0 closed_for=0",
	    "allowed=8 slowed=0 failures=0 closed_for=4294967296",
	    "allowed=4294967296 slowed=0 failures=0 closed_for=0",
	    "allowed=8 slowed=0 failures=0 closed_for=0\n\n",
	    " allowed=8 slowed=0 failures=0 closed_for=0"};

	pace_event(&p, PACE_UNREACHABLE, 0, 1000, 0); /* until 226000 */
	pace_text(&p, 1001, &b);
	is_mem(b.s, b.len, B("allowed=8 slowed=0 failures=1 closed_for=225"), "rounded up");
	ok(parse(&q, b.s, 5000000), "and read");
	ok(pace_closed(&q, 5000000, &when) && when == 5225000 && q.failures == 1,
	    "on another clock");
	buf_cut(&b, 0);
	pace_event(&p, PACE_CONNECTED, 0, 226000, 0);
	pace_event(&p, PACE_DELIVERED, 0, 226000, 0);
	pace_event(&p, PACE_SLOW_DOWN, 0, 226000, 0);
	pace_text(&p, 300000, &b);
	is_mem(b.s, b.len, B("allowed=4 slowed=1 failures=0 closed_for=0"), "open and slowed");
	ok(parse(&q, "allowed=15 slowed=1 failures=0 closed_for=0\n", 5000000) && q.allowed == 15 &&
	    q.slowed && !pace_closed(&q, 5000000, &when), "one LF is let pass");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct pace was = q;

		ok(!parse(&q, bad[i], 0) && memcmp(&was, &q, sizeof q) == 0, "refused: %s", bad[i]);
	}
	ok(parse(&q, "allowed=21 slowed=0 failures=0 closed_for=0", 0) && q.allowed == 20,
	    "cut to the limit");
	ok(parse(&q, "allowed=1 slowed=0 failures=4294967295 closed_for=4294967295", 0) &&
	    pace_closed(&q, 0, &when) && when == 86400000, "no longer than we would choose");
	pace_event(&q, PACE_CONNECTED, 0, 1, 0);
	ok(!pace_closed(&q, 1, &when), "closed by failures: opened by what works");
	ok(parse(&q, "allowed=8 slowed=1 failures=0 closed_for=60", 0), "closed by a hint");
	pace_event(&q, PACE_CONNECTED, 0, 1, 0);
	ok(pace_closed(&q, 1, &when) && when == 60000, "is not");
	ok(parse(&q, "allowed=1 slowed=0 failures=4294967295 closed_for=0", 0), "open");
	pace_event(&q, PACE_UNREACHABLE, 0, 10, 0);
	ok(q.failures == UINT32_MAX && pace_closed(&q, 10, &when) && when == 10800010,
	    "failures do not wrap");
	buf_free(&b);
}

int
main(void)
{
	connections();
	strangers();
	spent();
	health();
	hints();
	rates();
	memory();
	return tap_done();
}
