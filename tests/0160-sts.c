/* MTA-STS: records, policies and patterns.  Expected values are RFC 8461's. */
#include "sts.h"
#include "tagtext.h"

#include "tap.h"

#include <stdlib.h>

static void
records(void)
{
	static const struct {
		const char *what;
		const char *p;
		size_t n;
		const char *id; /* NULL: it is none */
	} t[] = {
	    {"RFC 8461 3.1's example", B("v=STSv1; id=20160831085700Z;"), "20160831085700Z"},
	    {"without blanks and the last delimiter", B("v=STSv1;id=1"), "1"},
	    {"blanks and tabs around", B("v=STSv1 \t;\t id=1 \t; \t"), "1"},
	    {"32 bytes", B("v=STSv1; id=0123456789abcdefABCDEF9876543210"), "0123456789abcdefABCDEF9876543210"},
	    {"33 bytes", B("v=STSv1; id=0123456789abcdefABCDEF98765432101"), NULL},
	    {"no bytes", B("v=STSv1; id=;"), NULL},
	    {"a hyphen", B("v=STSv1; id=2016-08;"), NULL},
	    {"fields nobody knows, in any order", B("v=STSv1; a.b-c_d=x:y/z!; id=7; e=f"), "7"},
	    {"of two ids the first", B("v=STSv1; id=7; id=8"), "7"},
	    {"of two ids the first, and it is no good", B("v=STSv1; id=!; id=8"), NULL},
	    {"another case of the name", B("v=STSv1; ID=7"), NULL},
	    {"no id", B("v=STSv1; x=y"), NULL},
	    {"the version alone", B("v=STSv1;"), NULL},
	    {"the version not first", B("id=7; v=STSv1;"), NULL},
	    {"a blank before the version", B(" v=STSv1; id=7"), NULL},
	    {"another version", B("v=STSv10; id=7"), NULL},
	    {"another case of the version", B("v=stsv1; id=7"), NULL},
	    {"two delimiters", B("v=STSv1;; id=7"), NULL},
	    {"no name", B("v=STSv1; =x; id=7"), NULL},
	    {"no value", B("v=STSv1; x=; id=7"), NULL},
	    {"a blank before the value", B("v=STSv1; x= y; id=7"), NULL},
	    {"no equals sign", B("v=STSv1; x; id=7"), NULL},
	    {"a name of 32 bytes", B("v=STSv1; a123456789012345678901234567890b=1; id=7"), "7"},
	    {"a name of 33 bytes", B("v=STSv1; a1234567890123456789012345678901b=1; id=7"), NULL},
	    {"a name that begins with a dot", B("v=STSv1; .x=1; id=7"), NULL},
	    {"a NUL", B("v=STSv1; id=7\0"), NULL},
	    {"a byte over 127", B("v=STSv1; x=\xc3\xa4; id=7"), NULL},
	    {"nothing", B(""), NULL},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct span id = {"", 0};
		struct err e = ERR_INIT;
		int rc = tagtext_get((struct span){t[i].p, t[i].n}, STS_VERSION, "id", &id, &e);
		bool good = rc == 0 && sts_id_ok(id);

		if (t[i].id)
			is_mem(id.p, id.n, t[i].id, strlen(t[i].id), t[i].what);
		else
			ok(!good, "%s", t[i].what);
		err_free(&e);
	}
}

static void
choice(void)
{
	static const struct {
		const char *what, *v[3];
		int rc;
		const char *chosen;
	} t[] = {
	    {"the only one", {"v=STSv1; id=1", NULL}, 0, "v=STSv1; id=1"},
	    {"others are discarded", {"v=spf1 -all", "v=STSv1; id=1", "v=STSv2; id=2"}, 0, "v=STSv1; id=1"},
	    {"two", {"v=STSv1; id=1", "v=STSv1; id=1", NULL}, EX_UNAVAILABLE, ""},
	    {"none", {"v=spf1 -all", NULL}, EX_UNAVAILABLE, ""},
	    {"no record", {NULL}, EX_UNAVAILABLE, ""},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct answers a = ANSWERS_INIT;
		struct span s = {"", 0};
		struct err e = ERR_INIT;

		for (size_t k = 0; k < 3 && t[i].v[k]; k++)
			buf_str(&answers_add(&a)->text, t[i].v[k]);
		is_num(tagtext_only(&a, STS_VERSION, &s, &e), t[i].rc, t[i].what);
		is_mem(s.p, s.n, t[i].chosen, strlen(t[i].chosen), t[i].what);
		answers_free(&a);
		err_free(&e);
	}
}

#define P "version: STSv1\n"
#define REST "mode: enforce\nmx: a.example\nmax_age: 86400\n"
static const struct {
	const char *what;
	const char *p;
	size_t n;
	const char *why; /* NULL: it is one */
	enum sts_mode mode;
	uint64_t age;
	size_t mx;
} policies[] = {
    {"RFC 8461 3.2's example", B("version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\n"
	"mx: backupmx.example.com\r\nmax_age: 604800\r\n"), NULL, STS_ENFORCE, 604800, 3},
    {"LF", B("version: STSv1\nmode: testing\nmx: mail.example.com\nmax_age: 604800\n"), NULL, STS_TESTING, 604800, 1},
    {"no line end at the end", B("version: STSv1\nmode: testing\nmx: a\nmax_age: 0"), NULL, STS_TESTING, 0, 1},
    {"any order", B("max_age: 31557600\nmx: a.b\nmode: none\nversion: STSv1\n"), NULL, STS_NONE, 31557600, 1},
    {"no blank behind the colon, many, and at the end", B("version:STSv1\nmode: \t enforce \t\nmx:a.b\nmax_age:1\t\n"),
	NULL, STS_ENFORCE, 1, 1},
    {"none needs no mx", B(P "mode: none\nmax_age: 1\n"), NULL, STS_NONE, 1, 0},
    {"testing does", B(P "mode: testing\nmax_age: 1\n"), "it has no mx", 0, 0, 0},
    {"fields nobody knows", B(P REST "new-field.x_y: \xc3\xa4 and more: of it\n"), NULL, STS_ENFORCE, 86400, 1},
    {"one without value", B(P REST "new:\n"), NULL, STS_ENFORCE, 86400, 1},
    {"of two modes the first", B(P REST "mode: none\n"), NULL, STS_ENFORCE, 86400, 1},
    {"of two ages the first", B(P REST "max_age: x\n"), NULL, STS_ENFORCE, 86400, 1},
    {"of two versions the first", B(P REST "version: STSv2\n"), NULL, STS_ENFORCE, 86400, 1},
    {"and it is no good", B("version: STSv2\n" P REST), "its version is not STSv1", 0, 0, 0},
    {"empty lines", B(P "\r\n" REST "\n\n"), NULL, STS_ENFORCE, 86400, 1},
    {"an age of a second too much", B(P "mode: none\nmax_age: 31557601\n"),
	"its max_age is no number from 0 to 31557600", 0, 0, 0},
    {"ten digits", B(P "mode: none\nmax_age: 0000000001\n"), NULL, STS_NONE, 1, 0},
    {"eleven digits", B(P "mode: none\nmax_age: 00000000001\n"), "its max_age is no number from 0 to 31557600", 0, 0, 0},
    {"a negative age", B(P "mode: none\nmax_age: -1\n"), "its max_age is no number from 0 to 31557600", 0, 0, 0},
    {"an age with more behind", B(P "mode: none\nmax_age: 1 day\n"), "its max_age is no number from 0 to 31557600", 0, 0, 0},
    {"no age", B(P "mode: none\n"), "it has no max_age", 0, 0, 0},
    {"no mode", B(P "max_age: 1\n"), "it has no mode", 0, 0, 0},
    {"no version", B(REST), "it has no version", 0, 0, 0},
    {"another case of a mode", B(P "mode: Enforce\nmx: a\nmax_age: 1\n"), "its mode is none of enforce, testing, none", 0, 0, 0},
    {"another case of a name", B("Version: STSv1\n" REST), "it has no version", 0, 0, 0},
    {"a blank before a name", B(" version: STSv1\n" REST), "a line is not \"name: value\"", 0, 0, 0},
    {"a blank before the colon", B("version : STSv1\n" REST), "a line is not \"name: value\"", 0, 0, 0},
    {"a line of words", B(P REST "nonsense\n"), "a line is not \"name: value\"", 0, 0, 0},
    {"HTML", B("<!DOCTYPE html>\n<html>\n"), "a line is not \"name: value\"", 0, 0, 0},
    {"a U-label", B(P "mode: none\nmx: m\xc3\xbcll.example\nmax_age: 1\n"),
	"an mx is neither a host name nor \"*.\" and one", 0, 0, 0},
    {"two in one line", B(P "mode: none\nmx: a.example, b.example\nmax_age: 1\n"),
	"an mx is neither a host name nor \"*.\" and one", 0, 0, 0},
    {"an asterisk inside", B(P "mode: none\nmx: mx.*.example\nmax_age: 1\n"),
	"an mx is neither a host name nor \"*.\" and one", 0, 0, 0},
    {"an asterisk alone", B(P "mode: none\nmx: *\nmax_age: 1\n"), "an mx is neither a host name nor \"*.\" and one", 0, 0, 0},
    {"a part of a label", B(P "mode: none\nmx: *mx.example\nmax_age: 1\n"),
	"an mx is neither a host name nor \"*.\" and one", 0, 0, 0},
    {"a dot at the end", B(P "mode: none\nmx: a.example.\nmax_age: 1\n"), "an mx is neither a host name nor \"*.\" and one", 0, 0, 0},
    {"no mx in it", B(P "mode: none\nmx:\nmax_age: 1\n"), "an mx is neither a host name nor \"*.\" and one", 0, 0, 0},
    {"a NUL", B(P "mode: none\nx: a\0b\nmax_age: 1\n"), "a control character in a value", 0, 0, 0},
    {"a CR inside", B(P "mode: none\nx: a\rb\nmax_age: 1\n"), "a control character in a value", 0, 0, 0},
    {"nothing", B(""), "it has no version", 0, 0, 0},
};

static void
all_policies(void)
{
	for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
		struct sts_policy p;
		struct err e = ERR_INIT;
		int rc = sts_policy_parse((struct span){policies[i].p, policies[i].n}, &p, &e);

		if (policies[i].why) {
			is_num(rc, EX_DATAERR, policies[i].what);
			is_str(err_text(&e), policies[i].why, policies[i].what);
		} else {
			ok(rc == 0 && p.mode == policies[i].mode && p.max_age_s == policies[i].age &&
			    p.n == policies[i].mx, "%s", policies[i].what);
		}
		sts_policy_free(&p);
		err_free(&e);
	}
}

static void
sizes(void)
{
	struct buf b = BUF_INIT;
	struct sts_policy p;
	struct err e = ERR_INIT;

	buf_str(&b, P REST "x: ");
	while (b.len < STS_POLICY_MAX)
		buf_ch(&b, 'y');
	is_num(sts_policy_parse((struct span){b.s, b.len}, &p, &e), 0, "64 KiB");
	sts_policy_free(&p);
	buf_ch(&b, 'y');
	is_num(sts_policy_parse((struct span){b.s, b.len}, &p, &e), EX_DATAERR, "and a byte more");
	sts_policy_free(&p);
	err_free(&e);
	buf_free(&b);
}

/* RFC 8461 4.1 */
static void
patterns(void)
{
	static const struct {
		const char *mx, *host;
		bool matches;
	} t[] = {
	    {"mail.example.com", "mail.example.com", true}, {"mail.example.com", "MAIL.Example.com", true},
	    {"Mail.Example.com", "mail.example.com", true}, {"mail.example.com", "other.example.com", false},
	    {"mail.example.com", "a.mail.example.com", false}, {"*.example.com", "mail.example.com", true},
	    {"*.example.com", "example.com", false}, {"*.example.com", "a.b.example.com", false},
	    {"*.example.com", ".example.com", false}, {"*.example.com", "mailexample.com", false},
	    {"*.example.com", "mail.example.org", false}, {"*.example", "mx.example", true},
	    {"example.com", "mail.example.com", false}, {"localhost", "localhost", true},
	    {"*.localhost", "localhost", false},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct buf b = BUF_INIT;
		struct sts_policy p;
		struct err e = ERR_INIT;

		buf_fmt(&b, P "mode: enforce\nmax_age: 1\nmx: other.test\nmx: %s\n", t[i].mx);
		ok(sts_policy_parse((struct span){b.s, b.len}, &p, &e) == 0 &&
		    sts_policy_has(&p, t[i].host) == t[i].matches, "%s %s %s", t[i].mx,
		    t[i].matches ? "is for" : "is not for", t[i].host);
		sts_policy_free(&p);
		err_free(&e);
		buf_free(&b);
	}
}

int
main(void)
{
	records();
	choice();
	all_policies();
	sizes();
	patterns();
	return tap_done();
}
