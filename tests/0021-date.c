/* date: expected values are those of date(1) from GNU coreutils. */
#include "date.h"

#include "tap.h"

#include <stdlib.h>
#include <time.h>

static const struct {
	int64_t s;
	int zone;
	const char *want;
} mails[] = {
    {0, 0, "Thu, 1 Jan 1970 00:00:00 +0000"},
    {-1, 0, "Wed, 31 Dec 1969 23:59:59 +0000"},
    {880127706, -360, "Fri, 21 Nov 1997 09:55:06 -0600"}, /* RFC 5322 A.1.1 */
    {1057045961, 120, "Tue, 1 Jul 2003 09:52:41 +0200"},   /* as in RFC 5322 A.1.2, date corrected */
    {951782400, 0, "Tue, 29 Feb 2000 00:00:00 +0000"},
    {951868799, 0, "Tue, 29 Feb 2000 23:59:59 +0000"},
    {951868800, 0, "Wed, 1 Mar 2000 00:00:00 +0000"},
    {1709164800, 345, "Thu, 29 Feb 2024 05:45:00 +0545"},
    {1703980800, -1, "Sat, 30 Dec 2023 23:59:00 -0001"},
    {4107542400, 0, "Mon, 1 Mar 2100 00:00:00 +0000"},
    {4107542399, 0, "Sun, 28 Feb 2100 23:59:59 +0000"},
    {1795341600, 0, "Sun, 22 Nov 2026 10:00:00 +0000"},
    {0, 1439, "Thu, 1 Jan 1970 23:59:00 +2359"},
    {0, 1440, "Thu, 1 Jan 1970 00:00:00 +0000"},
    {INT64_MAX, 0, "Thu, 30 Dec 9999 23:59:59 +0000"},
    {INT64_MIN, 0, "Tue, 2 Jan 0001 00:00:00 +0000"},
};

static void
test_field(void)
{
	static const struct {
		const char *text;
		bool good;
	} f[] = {
	    {" Fri, 21 Nov 1997 09:55:06 -0600\r\n", true}, /* RFC 5322 A.1.1 */
	    {" Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n"
	     "               -0330 (Newfoundland Time)\r\n", true}, /* A.5 */
	    {" 21 Nov 97 09:55:06 GMT\r\n", true},           /* A.6.2 */
	    {" Fri, 21 Nov 1997 09(comment):   55  :  06 -0600\r\n", true}, /* A.6.3 */
	    {"Sun, 29 Feb 2032 23:59:60 +0000", true},
	    {"Sat, 29 Feb 2032 23:59:59 +0000", false}, /* it is a Sunday */
	    {"29 Feb 2031 23:59:59 +0000", false},
	    {"0 Jan 2031 00:00:00 +0000", false},
	    {"1 Jan 2031 24:00:00 +0000", false},
	    {"1 Jan 2031 00:60:00 +0000", false},
	    {"1 Jan 2031 00:00:00", false},
	    {"1 Jan 2031 00:00:00 0000", false},
	    {"1 Jan 2031 00:00:00 +0060", false},
	    {"1 Jan 2031 00:00:00 +00000", false},
	    {"1 Jan 2031 0:0:0 +0000", false}, /* 3.3: 2DIGIT */
	    {"1 January 2031 00:00:00 +0000", false},
	    {"Wed 1 Jan 2031 00:00:00 +0000", false},
	    {"2031-01-01T00:00:00Z", false},
	    {"Wed Jan  1 00:00:00 2031", false},
	    {"1 Jan 2031 00:00:00 +0000 (open", false},
	    {"x", false},
	    {"", false},
	};

	for (size_t i = 0; i < sizeof f / sizeof *f; i++)
		ok(date_rfc5322_ok(span_of(f[i].text)) == f[i].good, "%s: %s", f[i].good ? "a date" : "none",
		    strchr(f[i].text, '\n') ? "an example of RFC 5322" : f[i].text);
}

static void
test_mail(void)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof mails / sizeof mails[0]; i++) {
		buf_cut(&b, 0);
		date_rfc5322(&b, mails[i].s, mails[i].zone);
		is_str(b.s, mails[i].want, mails[i].want);
	}
	buf_free(&b);
}

/* Against the C library, over 1,000 years in odd steps. */
static void
test_calendar(void)
{
	struct buf b = BUF_INIT;
	int bad = 0;

	for (int64_t s = -12219292800; s < 32503680000; s += 86400 * 13 + 4999) {
		time_t t = (time_t)s;
		struct tm tm;
		char want[64];

		gmtime_r(&t, &tm);
		strftime(want, sizeof want, "%a, %e %b %Y %H:%M:%S +0000", &tm);
		if (want[5] == ' ')
			memmove(want + 5, want + 6, strlen(want + 6) + 1);
		buf_cut(&b, 0);
		date_rfc5322(&b, s, 0);
		if (strcmp(b.s, want) != 0 && bad++ == 0)
			printf("# %s, want %s\n", b.s, want);
	}
	is_num(bad, 0, "the same as gmtime");
	buf_free(&b);
}

static void
test_names(void)
{
	struct buf b = BUF_INIT;
	char hour[11], day[9];
	uint64_t s = 0;

	date_iso(&b, 1795341600123999);
	is_str(b.s, "2026-11-22T10:00:00.123Z", "iso");
	buf_cut(&b, 0);
	date_iso(&b, 0);
	is_str(b.s, "1970-01-01T00:00:00.000Z", "iso of 0");
	buf_cut(&b, 0);
	date_iso(&b, 253402300799999999);
	is_str(b.s, "9999-12-31T23:59:59.000Z", "the last second there is");
	buf_cut(&b, 0);
	date_iso(&b, UINT64_MAX);
	is_str(b.s, "9999-12-31T23:59:59.000Z", "a year never has more than four digits");
	buf_free(&b);
	date_hour(hour, 1795345199);
	is_str(hour, "2026112210", "hour");
	date_day(day, 1795345199);
	is_str(day, "20261122", "day");
	date_hour(hour, UINT64_MAX);
	is_str(hour, "9999123123", "an hour never has more than 10 digits");
	date_day(day, UINT64_MAX);
	is_str(day, "99991231", "nor a day more than 8");
	ok(date_hour_parse(SPAN("2026112210"), &s), "hour read");
	is_num((long long)s, 1795341600, "its first second");
	ok(date_hour_parse(SPAN("1970010100"), &s) && s == 0, "the first hour");
	ok(date_hour_parse(SPAN("2024022923"), &s) && s == 1709247600, "a leap day");
}

static void
test_not_hours(void)
{
	static const char *const bad[] = {"", "202611221", "20261122100", "2026112224", "2026113210",
	    "2026130110", "2026000110", "2026010010", "2023022900", "2100022900", "1969123123",
	    "202611221x", "+026112210", "2026-11-22", " 026112210", "0000010100"};
	uint64_t s = 7;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ok(!date_hour_parse(span_of(bad[i]), &s) && s == 7, "no hour: \"%s\"", bad[i]);
}

static void
test_iso(void)
{
	static const struct {
		const char *in;
		long long want; /* -1: refused */
	} texts[] = {
	    {"1985-04-12T23:20:50.52Z", 482196050},          /* RFC 3339 5.8 */
	    {"1996-12-19T16:39:57-08:00", 851042397},        /* RFC 3339 5.8 */
	    {"1990-12-31T23:59:60Z", 662688000},             /* RFC 3339 5.8: a leap second */
	    {"1990-12-31T15:59:60-08:00", 662688000},        /* RFC 3339 5.8 */
	    {"1937-01-01T12:00:27.87+00:20", -1},            /* before 1970 */
	    {"1970-01-01T00:00:00Z", 0},
	    {"1970-01-01T00:00:00+00:01", -1},
	    {"1969-12-31T23:59:00-00:01", 0},
	    {"2026-11-22t10:00:00z", 1795341600},
	    {"2026-11-22T10:00:00.Z", -1},
	    {"2026-11-22T10:00:00", -1},
	    {"2026-11-22T10:00:00+1:00", -1},
	    {"2026-11-22T10:00:00+01:0", -1},
	    {"2026-11-22T10:00:00+0100", -1},
	    {"2026-11-22T10:00:00+24:00", -1},
	    {"2026-11-22T10:00:00Zx", -1},
	    {"2026-11-22 10:00:00Z", -1},
	    {"2026-11-22T10:60:00Z", -1},
	    {"2026-11-22T10:00:61Z", -1},
	    {"2026-11-22T24:00:00Z", -1},
	    {"2026-02-29T00:00:00Z", -1},
	    {"", -1},
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		uint64_t s = 0;
		bool good = date_iso_parse(span_of(texts[i].in), &s);

		is_num(good ? (long long)s : -1, texts[i].want, texts[i].in);
	}
}

int
main(void)
{
	test_mail();
	test_field();
	test_calendar();
	test_names();
	test_not_hours();
	test_iso();
	return tap_done();
}
