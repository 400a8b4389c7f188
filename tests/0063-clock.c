/* Which times are believed: runs of a queue whose clock goes wrong, clock.h. */
#include "clock.h"

#include "tap.h"

#include <stdlib.h>

#define NOW 1763769600U /* 2025-11-22 */
#define IN_2030 1893456000U
#define MINUTE 60
#define HOUR 3600
#define DAY 86400

/* Runs every `step` seconds from `from`, up to `until`; how many were of each judgement. */
struct seen {
	uint64_t n[3];
	uint64_t first_ok; /* time of the first that was believed, 0 none */
};

static struct seen
runs(struct clock_state *c, uint64_t from, uint64_t until, uint64_t step)
{
	struct seen s = {{0}, 0};

	for (uint64_t t = from; t < until; t += step) {
		enum clock_trust trust = clock_judge(c, t);

		s.n[trust]++;
		if (trust == CLOCK_OK && s.first_ok == 0)
			s.first_ok = t;
	}
	return s;
}

static void
limits(void)
{
	struct clock_state c = CLOCK_INIT;

	ok(clock_judge(&c, NOW) == CLOCK_OK && c.latest_s == NOW, "the first time is believed");
	ok(clock_judge(&c, NOW + DAY) == CLOCK_OK, "a day later");
	ok(clock_judge(&c, NOW + DAY + DAY + 1) == CLOCK_AHEAD, "a day and a second is a jump");
	ok(clock_judge(&c, NOW + DAY - HOUR) == CLOCK_OK, "an hour back");
	is_num((long long)c.latest_s, NOW + DAY, "does not move the latest");
	ok(clock_judge(&c, NOW + DAY - HOUR - 1) == CLOCK_BEHIND, "an hour and a second is behind");
	ok(clock_judge(&c, NOW + DAY) == CLOCK_OK && c.candidate_s == 0, "back, and forgotten");
	c = (struct clock_state)CLOCK_INIT;
	ok(clock_judge(&c, 0) == CLOCK_OK && clock_judge(&c, 0) == CLOCK_OK, "1970 itself");
	ok(clock_judge(&c, UINT64_MAX) == CLOCK_AHEAD, "the end of time");
	ok(clock_judge(&c, UINT64_MAX) == CLOCK_AHEAD, "does not wrap");
	ok(clock_judge(&c, 5) == CLOCK_OK, "nor stay");
}

static void
jump_to_2030(void)
{
	struct clock_state c = CLOCK_INIT;
	struct seen s;
	uint64_t t;

	runs(&c, NOW, NOW + DAY, MINUTE);
	s = runs(&c, IN_2030, IN_2030 + 5 * HOUR, MINUTE);
	is_num((long long)s.n[CLOCK_OK], 0, "five hours in 2030: nothing expires at any run");
	s = runs(&c, NOW + DAY + 5 * HOUR, NOW + 9 * DAY, MINUTE);
	is_num((long long)(s.n[CLOCK_AHEAD] + s.n[CLOCK_BEHIND]), 0, "back: all as before");
	for (int i = 0; i < 10; i++) {
		s = runs(&c, IN_2030, IN_2030 + 23 * HOUR, HOUR);
		is_num((long long)s.n[CLOCK_OK], 0, "23 hours in 2030, again and again");
		t = NOW + (uint64_t)(9 + i) * DAY;
		s = runs(&c, t, t + HOUR, MINUTE);
		is_num((long long)s.n[CLOCK_OK], 60, "and back");
	}
	for (uint64_t i = 0; i < 100; i++)
		if (clock_judge(&c, IN_2030 + i * 7 * DAY) == CLOCK_OK)
			break;
	ok(c.latest_s < IN_2030, "leaps of a week are no time seen");
}

static void
wrong_for_long(void)
{
	struct clock_state c = CLOCK_INIT;
	struct seen s;

	clock_judge(&c, NOW);
	s = runs(&c, IN_2030, IN_2030 + 3 * DAY, MINUTE);
	is_num((long long)s.first_ok, IN_2030 + DAY, "2030 for a day of runs is believed");
	s = runs(&c, NOW + 3 * DAY, NOW + 10 * DAY, MINUTE);
	is_num((long long)s.first_ok, NOW + 4 * DAY, "set right: a day of runs later it recovers");
	is_num((long long)s.n[CLOCK_BEHIND], 24 * 60, "behind until then");
	is_num((long long)s.n[CLOCK_OK], 6 * 24 * 60, "and good from then on");
}

static void
off_for_a_week(void)
{
	struct clock_state c = CLOCK_INIT;
	struct seen s;
	uint64_t t = NOW + 7 * DAY, on = 0;

	clock_judge(&c, NOW);
	s = runs(&c, t, t + 10 * DAY, HOUR);
	is_num((long long)s.first_ok, (long long)t + DAY, "nothing expires for a day of runs");
	is_num((long long)s.n[CLOCK_OK], 9 * 24, "then all is normal");

	/* Eight hours every Monday: 3 * 8 hours of runs have to be seen. */
	c = (struct clock_state)CLOCK_INIT;
	clock_judge(&c, NOW);
	for (uint64_t week = 1; week < 9; week++) {
		s = runs(&c, NOW + week * 7 * DAY, NOW + week * 7 * DAY + 8 * HOUR + 1, HOUR);
		if (s.first_ok && !on)
			on = week;
	}
	is_num((long long)on, 3, "a machine that is on for hours a week gets there in its hours");

	c = (struct clock_state)CLOCK_INIT;
	s = runs(&c, NOW, NOW + 30 * DAY, DAY);
	is_num((long long)s.n[CLOCK_OK], 30, "one run a day is no jump");
}

static void
dead_rtc(void)
{
	struct clock_state c = CLOCK_INIT;
	struct seen s;

	runs(&c, NOW, NOW + DAY, HOUR);
	for (uint64_t boot = 0; boot < 40; boot++) {
		s = runs(&c, 10, 10 + HOUR, MINUTE);
		is_num((long long)s.n[CLOCK_BEHIND], 60, "1970 at each start: behind");
		ok(clock_judge(&c, NOW + DAY + boot * HOUR) == CLOCK_OK, "set by NTP: good");
	}
	/* The first start of all has no time: 1970 is believed, then NTP comes. */
	c = (struct clock_state)CLOCK_INIT;
	runs(&c, 10, HOUR, MINUTE);
	s = runs(&c, NOW, NOW + 3 * DAY, HOUR);
	is_num((long long)s.first_ok, NOW + DAY, "born in 1970: a day of runs");

	/* Time seen on one side does not count on the other. */
	c = (struct clock_state)CLOCK_INIT;
	clock_judge(&c, NOW);
	runs(&c, 10, 10 + 20 * HOUR, HOUR);
	s = runs(&c, IN_2030, IN_2030 + 20 * HOUR, HOUR);
	is_num((long long)s.n[CLOCK_OK], 0, "1970, then 2030: seen from nothing");

	/* Small corrections within the new epoch do not begin again, large ones do. */
	c = (struct clock_state)CLOCK_INIT;
	clock_judge(&c, NOW);
	runs(&c, IN_2030, IN_2030 + 20 * HOUR, HOUR);
	clock_judge(&c, IN_2030 + 18 * HOUR + 30 * MINUTE);
	s = runs(&c, IN_2030 + 20 * HOUR, IN_2030 + 3 * DAY, HOUR);
	is_num((long long)s.first_ok, IN_2030 + DAY, "a step back of half an hour");
	c = (struct clock_state)CLOCK_INIT;
	clock_judge(&c, NOW);
	runs(&c, IN_2030, IN_2030 + 20 * HOUR, HOUR);
	s = runs(&c, IN_2030 + 10 * HOUR, IN_2030 + 3 * DAY, HOUR);
	is_num((long long)s.first_ok, IN_2030 + 10 * HOUR + DAY, "a step back of nine hours");
}

static void
kept(void)
{
	struct clock_state c = {1, 2, UINT64_MAX}, d;
	struct buf b = BUF_INIT;
	static const char *const bad[] = {"", "latest=1", "latest=1 candidate=3 last=2",
	    "latest=1 candidate=2 last=3 ", "latest= candidate=2 last=3",
	    "latest=18446744073709551616 candidate=0 last=0", "latest=-1 candidate=0 last=0",
	    "latest=1  candidate=0 last=0", "latest=1 candidate=0 last=0\n\n"};

	clock_text(&c, &b);
	is_mem(b.s, b.len, B("latest=1 candidate=2 last=18446744073709551615"), "one line");
	ok(clock_parse(&d, span_of(b.s)) && memcmp(&c, &d, sizeof c) == 0, "and back");
	ok(clock_parse(&d, SPAN("latest=7 candidate=0 last=0\n")) && d.latest_s == 7, "with LF");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ok(!clock_parse(&d, span_of(bad[i])) && d.latest_s == 7, "refused: %s", bad[i]);
	buf_free(&b);
}

int
main(void)
{
	limits();
	jump_to_2030();
	wrong_for_long();
	off_for_a_week();
	dead_rtc();
	kept();
	return tap_done();
}
