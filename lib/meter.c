#include "meter.h"

#include "crc.h"

#include <string.h>

#define MINUTE_PART_S 10
#define DAY_PART_S 7200
#define MINUTE_S 60
#define DAY_S 86400
#define FAILURES_MAX 1000
#define FIRST_WAIT_MS 1000
#define HALVINGS_MAX 31
#define MAGIC 0x52544d31u /* "1MTR" */

/* One period's parts: part number now_s / part_s stands at that number modulo n. */
struct view {
	uint32_t *v;
	uint32_t n, part_s;
};

static struct view
view(struct meter *m, enum meter_what what, bool day)
{
	return day ? (struct view){m->day[what], METER_DAY_PARTS, DAY_PART_S}
	           : (struct view){m->minute[what], METER_MINUTE_PARTS, MINUTE_PART_S};
}

static void
roll_one(struct view w, uint64_t before_s, uint64_t now_s)
{
	uint64_t from = before_s / w.part_s, to = now_s / w.part_s;

	if (to - from >= w.n)
		memset(w.v, 0, w.n * sizeof *w.v);
	else
		for (uint64_t i = from + 1; i <= to; i++)
			w.v[i % w.n] = 0;
}

static void
add(uint32_t *part, uint32_t n)
{
	if (__builtin_add_overflow(*part, n, part))
		*part = UINT32_MAX;
}

/* What was done before the clock was set back keeps its distance to now, but for one part, which makes up
 * for now being later in its part: nothing leaves too early. */
static void
set_back_one(struct view w, uint64_t before_s, uint64_t now_s)
{
	uint64_t from = before_s / w.part_s, to = now_s / w.part_s;
	uint32_t was[METER_DAY_PARTS];

	if (from == to)
		return;
	memcpy(was, w.v, w.n * sizeof *was);
	for (uint32_t i = 0; i < w.n; i++)
		w.v[(to + w.n - i) % w.n] = i + 1 < w.n ? was[(from + w.n - i - 1) % w.n] : 0;
	add(&w.v[to % w.n], was[from % w.n]);
}

/* Parts that are over go.  To the end of a time that never was nobody waits. */
static uint64_t
roll(struct meter *m, uint64_t now_s)
{
	bool back = now_s < m->at_s;

	if (now_s == m->at_s || (back && m->at_s - now_s <= METER_BACK_S))
		return m->at_s;
	for (unsigned k = 0; k < METER_KINDS; k++)
		for (int day = 0; day < 2; day++)
			(back ? set_back_one : roll_one)(view(m, (enum meter_what)k, day), m->at_s, now_s);
	m->at_s = now_s;
	return now_s;
}

static uint64_t
sum(struct view w)
{
	uint64_t s = 0;

	for (uint32_t i = 0; i < w.n; i++)
		s += w.v[i];
	return s;
}

/* After how long n more fit: when so many of the oldest parts have gone. */
static uint32_t
wait_for(struct view w, uint32_t limit, uint32_t n, uint64_t now_s)
{
	uint64_t has = sum(w), part = now_s / w.part_s;

	if (limit == 0 || has + n <= limit)
		return 0;
	if (n > limit)
		return UINT32_MAX;
	for (uint32_t gone = 1; gone <= w.n; gone++) {
		has -= w.v[(part + gone) % w.n]; /* the oldest is the next to be used again */
		if (has + n <= limit)
			return (uint32_t)((part + gone) * w.part_s - now_s);
	}
	return UINT32_MAX;
}

bool
meter_take(struct meter *m, const struct meter_limits *l, enum meter_what what, uint32_t n,
    uint64_t now_s, uint32_t *wait_s)
{
	uint64_t t = roll(m, now_s);
	struct view minute = view(m, what, false), day = view(m, what, true);
	uint32_t a = wait_for(minute, l->a_minute[what], n, t), b = wait_for(day, l->a_day[what], n, t);
	uint32_t *parts[] = {&minute.v[t / MINUTE_PART_S % minute.n], &day.v[t / DAY_PART_S % day.n]};

	*wait_s = a > b ? a : b;
	if (*wait_s)
		return false;
	for (size_t i = 0; i < 2; i++)
		add(parts[i], n);
	return true;
}

/* --- failed logins */

uint32_t
meter_failures(const struct meter *m, uint64_t now_s)
{
	uint64_t halvings = now_s > m->failed_s ? (now_s - m->failed_s) / METER_FORGIVE_S : 0;

	return halvings > HALVINGS_MAX ? 0 : m->failures >> halvings;
}

void
meter_failed(struct meter *m, uint64_t now_s)
{
	uint32_t n = meter_failures(m, now_s);

	m->failures = n < FAILURES_MAX ? n + 1 : n;
	if (now_s > m->failed_s || m->failed_s - now_s > METER_BACK_S)
		m->failed_s = now_s;
	roll(m, now_s);
}

void
meter_forgive(struct meter *m)
{
	m->failures = 0;
}

uint32_t
meter_wait_ms(uint32_t failures)
{
	uint32_t ms = FIRST_WAIT_MS;

	if (failures == 0)
		return 0;
	while (--failures > 0 && ms < METER_WAIT_MAX_MS)
		ms *= 2;
	return ms < METER_WAIT_MAX_MS ? ms : METER_WAIT_MAX_MS;
}

bool
meter_idle(const struct meter *m, uint64_t now_s)
{
	struct meter then = *m;

	if (meter_failures(m, now_s) > 0)
		return false;
	roll(&then, now_s);
	for (unsigned k = 0; k < METER_KINDS; k++)
		if (sum(view(&then, (enum meter_what)k, true)) > 0)
			return false;
	return true;
}

/* --- on disk: little-endian, a crc at the end */

static void
put(unsigned char **p, uint64_t v, unsigned bytes)
{
	for (; bytes > 0; bytes--, v >>= 8)
		*(*p)++ = (unsigned char)v;
}

static uint64_t
get(const unsigned char **p, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)*(*p)++ << (8 * i);
	return v;
}

_Static_assert(4 + 8 + METER_KINDS * (METER_MINUTE_PARTS + METER_DAY_PARTS) * 4 + 4 + 8 + 4 <=
    METER_BYTES, "a meter fits");

void
meter_pack(const struct meter *m, unsigned char out[METER_BYTES])
{
	unsigned char *p = out;

	memset(out, 0, METER_BYTES);
	put(&p, MAGIC, 4);
	put(&p, m->at_s, 8);
	for (unsigned k = 0; k < METER_KINDS; k++) {
		for (unsigned i = 0; i < METER_MINUTE_PARTS; i++)
			put(&p, m->minute[k][i], 4);
		for (unsigned i = 0; i < METER_DAY_PARTS; i++)
			put(&p, m->day[k][i], 4);
	}
	put(&p, m->failures, 4);
	put(&p, m->failed_s, 8);
	p = out + METER_BYTES - 4;
	put(&p, crc32c(0, out, METER_BYTES - 4), 4);
}

bool
meter_unpack(struct meter *m, const unsigned char in[METER_BYTES])
{
	const unsigned char *p = in + METER_BYTES - 4;

	*m = (struct meter){0};
	if (get(&p, 4) != crc32c(0, in, METER_BYTES - 4))
		return false;
	p = in;
	if (get(&p, 4) != MAGIC)
		return false;
	m->at_s = get(&p, 8);
	for (unsigned k = 0; k < METER_KINDS; k++) {
		for (unsigned i = 0; i < METER_MINUTE_PARTS; i++)
			m->minute[k][i] = (uint32_t)get(&p, 4);
		for (unsigned i = 0; i < METER_DAY_PARTS; i++)
			m->day[k][i] = (uint32_t)get(&p, 4);
	}
	m->failures = (uint32_t)get(&p, 4);
	m->failed_s = get(&p, 8);
	return true;
}
