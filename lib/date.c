#include "date.h"

#include "cfws.h"

#include <stdio.h>
#include <string.h>

#define DAY_S 86400
#define HOUR_S INT64_C(3600)
#define MINUTE_S INT64_C(60)
#define YEAR_1_S (-62135596800)    /* 0001-01-01T00:00:00Z */
#define YEAR_9999_S 253402300799   /* 9999-12-31T23:59:59Z */

struct civil {
	int64_t year;
	unsigned month, day, hour, minute, second, weekday; /* month 1 to 12; weekday 0: Sunday */
};

/* The proleptic Gregorian calendar in eras of 400 years that begin on 1 March, so that the leap
 * day is the last of its year.  gmtime(3) would do, but for its errno and its int year. */
static struct civil
civil_of(int64_t unix_s)
{
	int64_t days = unix_s / DAY_S - (unix_s % DAY_S < 0);
	int64_t era, of_era, year_of_era, of_year, month; /* month 0: March */
	unsigned s = (unsigned)(unix_s - days * DAY_S);
	struct civil c;

	c.weekday = (unsigned)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
	days += 719468;                                    /* since 0000-03-01 */
	era = (days >= 0 ? days : days - 146096) / 146097;
	of_era = days - era * 146097;
	year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	month = (5 * of_year + 2) / 153;
	c.day = (unsigned)(of_year - (153 * month + 2) / 5 + 1);
	c.month = (unsigned)(month < 10 ? month + 3 : month - 9);
	c.year = year_of_era + era * 400 + (c.month <= 2);
	c.hour = s / 3600;
	c.minute = s / 60 % 60;
	c.second = s % 60;
	return c;
}

/* Days since 1970 of a date after the year 0. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = year - (month <= 2), era = y / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static unsigned
month_days(unsigned year, unsigned month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

/* The digits of v at out, as many as width. */
static char *
put_digits(char *out, unsigned width, uint64_t v)
{
	for (unsigned i = width; i > 0; i--, v /= 10)
		out[i - 1] = (char)('0' + v % 10);
	return out + width;
}

/* For what is done for each event: without a loop. */
static void
put_two(char *out, unsigned v)
{
	out[0] = (char)('0' + v / 10);
	out[1] = (char)('0' + v % 10);
}

static const char weekdays[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char month_names[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
    "Dec"};

void
date_rfc5322(struct buf *out, int64_t unix_s, int zone_minutes)
{
	int zone = zone_minutes < 0 ? -zone_minutes : zone_minutes;
	char text[] = " Jan 0000 00:00:00 +0000";
	struct civil c;

	if (zone >= 24 * 60) /* no place on earth */
		zone = zone_minutes = 0;
	if (unix_s < YEAR_1_S + DAY_S)
		unix_s = YEAR_1_S + DAY_S;
	if (unix_s > YEAR_9999_S - DAY_S)
		unix_s = YEAR_9999_S - DAY_S;
	c = civil_of(unix_s + (int64_t)zone_minutes * 60);
	buf_str(out, weekdays[c.weekday]);
	buf_str(out, ", ");
	buf_num(out, c.day);
	memcpy(text + 1, month_names[c.month - 1], 3);
	put_two(text + 5, (unsigned)c.year / 100);
	put_two(text + 7, (unsigned)c.year % 100);
	put_two(text + 10, c.hour);
	put_two(text + 13, c.minute);
	put_two(text + 16, c.second);
	text[19] = zone_minutes < 0 ? '-' : '+';
	put_two(text + 20, (unsigned)zone / 60);
	put_two(text + 22, (unsigned)zone % 60);
	buf_add(out, text, sizeof text - 1);
}

void
date_iso(struct buf *out, uint64_t unix_us)
{
	struct civil c;
	char text[] = "0000-00-00T00:00:00.000Z";

	if (unix_us > YEAR_9999_S * 1000000ULL) /* four digits are all there are for a year, RFC 3339 5.6 */
		unix_us = YEAR_9999_S * 1000000ULL;
	c = civil_of((int64_t)(unix_us / 1000000));
	put_two(text, (unsigned)c.year / 100);
	put_two(text + 2, (unsigned)c.year % 100);
	put_two(text + 5, c.month);
	put_two(text + 8, c.day);
	put_two(text + 11, c.hour);
	put_two(text + 14, c.minute);
	put_two(text + 17, c.second);
	put_digits(text + 20, 3, unix_us / 1000 % 1000);
	buf_add(out, text, sizeof text - 1);
}

static char *
put_day(char *out, const struct civil *c)
{
	out = put_digits(out, 4, (uint64_t)c->year);
	out = put_digits(out, 2, c->month);
	return put_digits(out, 2, c->day);
}

static struct civil
civil_four_digits(uint64_t unix_s)
{
	return civil_of(unix_s > YEAR_9999_S ? YEAR_9999_S : (int64_t)unix_s);
}

void
date_hour(char out[11], uint64_t unix_s)
{
	struct civil c = civil_four_digits(unix_s);

	*put_digits(put_day(out, &c), 2, c.hour) = '\0';
}

void
date_day(char out[9], uint64_t unix_s)
{
	struct civil c = civil_four_digits(unix_s);

	*put_day(out, &c) = '\0';
}

/* Exactly width digits with a value from min to max. */
static bool
take_digits(struct cur *c, unsigned width, unsigned min, unsigned max, unsigned *out)
{
	struct cur t = *c;
	struct span d = cur_take(&t, width);
	unsigned v = 0;

	if (d.n != width)
		return false;
	for (size_t i = 0; i < d.n; i++) {
		if (!is_digit((unsigned char)d.p[i]))
			return false;
		v = v * 10 + (unsigned)(d.p[i] - '0');
	}
	if (v < min || v > max)
		return false;
	*out = v;
	*c = t;
	return true;
}

/* YYYY mm dd with a separator between, or none ('\0'); days since 1970. */
static bool
take_day(struct cur *c, char between, int64_t *days)
{
	unsigned year, month, day;

	if (!take_digits(c, 4, 1, 9999, &year) || (between && !cur_ch(c, between)) ||
	    !take_digits(c, 2, 1, 12, &month) || (between && !cur_ch(c, between)) ||
	    !take_digits(c, 2, 1, month_days(year, month), &day))
		return false;
	*days = days_of(year, month, day);
	return true;
}

bool
date_hour_parse(struct span name, uint64_t *unix_s)
{
	struct cur c = cur_span(name);
	int64_t days;
	unsigned hour;

	if (!take_day(&c, '\0', &days) || days < 0 || !take_digits(&c, 2, 0, 23, &hour) ||
	    !cur_end(&c))
		return false;
	*unix_s = (uint64_t)(days * DAY_S + hour * HOUR_S);
	return true;
}

/* time-offset = "Z" / ("+" / "-") time-hour ":" time-minute    RFC 3339 5.6 */
static bool
take_offset(struct cur *c, int64_t *seconds)
{
	bool west = cur_peek(c) == '-';
	unsigned hour, minute;

	*seconds = 0;
	if (cur_lit(c, "Z"))
		return true;
	if ((!cur_ch(c, '+') && !cur_ch(c, '-')) || !take_digits(c, 2, 0, 23, &hour) ||
	    !cur_ch(c, ':') || !take_digits(c, 2, 0, 59, &minute))
		return false;
	*seconds = (hour * HOUR_S + minute * MINUTE_S) * (west ? -1 : 1);
	return true;
}

bool
date_iso_parse(struct span text, uint64_t *unix_s)
{
	struct cur c = cur_span(text);
	int64_t days, offset, s;
	unsigned hour, minute, second;

	if (!take_day(&c, '-', &days) || !cur_lit(&c, "T") || !take_digits(&c, 2, 0, 23, &hour) ||
	    !cur_ch(&c, ':') || !take_digits(&c, 2, 0, 59, &minute) || !cur_ch(&c, ':') ||
	    !take_digits(&c, 2, 0, 60, &second)) /* 60: a leap second, RFC 3339 5.6 */
		return false;
	if (cur_ch(&c, '.') && cur_while(&c, is_digit).n == 0)
		return false;
	if (!take_offset(&c, &offset) || !cur_end(&c))
		return false;
	s = days * DAY_S + hour * HOUR_S + minute * MINUTE_S + second - offset;
	if (s < 0)
		return false;
	*unix_s = (uint64_t)s;
	return true;
}

/* A number of at least so many digits, and what may stand around it. */
static bool
take_number(struct cur *c, size_t digits, uint64_t max, uint64_t *out)
{
	const char *start;

	cfws(c);
	start = c->p;
	return cur_u64(c, max, out) && (size_t)(c->p - start) >= digits && cfws(c);
}

/* One of n names, which are of three letters. */
static bool
take_name(struct cur *c, const char names[][4], unsigned n, unsigned *out)
{
	cfws(c);
	for (*out = 0; *out < n; ++*out)
		if (cur_lit(c, names[*out]))
			return cfws(c);
	return false;
}

/* zone = ( "+" / "-" ) 4DIGIT, or letters    3.3, 4.3 */
static bool
take_zone(struct cur *c)
{
	unsigned minutes;
	bool good = cur_while(c, is_alpha).n > 0;

	if (!good && (cur_ch(c, '+') || cur_ch(c, '-')))
		good = take_digits(c, 2, 0, 99, &minutes) && take_digits(c, 2, 0, 59, &minutes);
	return good && cfws(c) && cur_end(c);
}

/* [ day-name "," ] day month year; its day of the week is that. */
static bool
take_date(struct cur *c)
{
	unsigned weekday, month;
	uint64_t day, year;
	bool named = take_name(c, weekdays, 7, &weekday);

	if (named && !cur_ch(c, ','))
		return false;
	if (!take_number(c, 1, 31, &day) || !take_name(c, month_names, 12, &month) || !take_number(c, 2, 9999, &year))
		return false;
	if (year < 1000) /* RFC 5322 4.3 */
		year += year < 50 ? 2000 : 1900;
	if (day == 0 || day > month_days((unsigned)year, month + 1))
		return false;
	return !named || (days_of((int64_t)year, month + 1, (int64_t)day) % 7 + 7 + 4) % 7 == weekday; /* 1970: Thu */
}

bool
date_rfc5322_ok(struct span value)
{
	struct cur c = cur_span(value);
	uint64_t v;

	if (!take_date(&c) || !take_number(&c, 2, 23, &v) || !cur_ch(&c, ':') || !take_number(&c, 2, 59, &v))
		return false;
	if (cur_ch(&c, ':') && !take_number(&c, 2, 60, &v))
		return false;
	return take_zone(&c);
}
