/* mailbox: users, extensions and where mailboxes lie; no address leads out of its directory. */
#include "mailbox.h"

#include "tap.h"

#include <stdlib.h>

static void
test_of(void)
{
	static const struct {
		const char *address, *delimiter, *want; /* user|extension|domain, or "" */
	} t[] = {
	    {"ann@example.org", "+", "ann||example.org"},
	    {"Ann@Example.ORG", "+", "Ann||example.org"},
	    {"ann+lists@example.org", "+", "ann|lists|example.org"},
	    {"ann+a+b@example.org", "+", "ann|a+b|example.org"},
	    {"ann+@example.org", "+", "ann||example.org"},
	    {"+ann@example.org", "+", "+ann||example.org"},
	    {"++ann@example.org", "+", "+|ann|example.org"},
	    {"ann-a+b@example.org", "+-", "ann|a+b|example.org"},
	    {"ann+lists@example.org", "", "ann+lists||example.org"},
	    {"\"ann smith\"@example.org", "+", "ann smith||example.org"},
	    {"\"a\\\"b+c\"@example.org", "+", "a\"b|c|example.org"},
	    {"\"ann@home\"@[192.0.2.1]", "+", "ann@home||[192.0.2.1]"},
	    {"\"\"@example.org", "+", ""},
	    {"postmaster", "+", "postmaster||"},
	    {"", "+", ""},
	    {"gr\303\274n+\303\274@xn--bcher-kva.example", "+", "gr\303\274n|\303\274|xn--bcher-kva.example"},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct mailbox m;
		struct buf got = BUF_INIT;
		struct err e = ERR_INIT;

		if (mailbox_of(span_of(t[i].address), t[i].delimiter, &m, &e) == 0)
			buf_fmt(&got, "%s|%s|%s", m.user.s, m.extension.s, m.domain.s);
		else
			ok(e.code == EX_NOUSER, "%s: no user", t[i].address);
		is_str(got.s, t[i].want, t[i].address);
		mailbox_free(&m);
		buf_free(&got);
		err_free(&e);
	}
}

static void
test_patterns(void)
{
	static const struct {
		const char *pattern, *base; /* NULL: it is none */
	} t[] = {
	    {"/var/mail/%u", "/var/mail"},
	    {"/var/mail/%d/%u", "/var/mail"},
	    {"/home/%u/Maildir", "/home"},
	    {"/var/mail/all", "/var/mail"},
	    {"/var/mail%%/x/%u", "/var/mail%/x"},
	    {"/var/mail/%u/.%e", "/var/mail"},
	    {"/var/mail/%e/%u", "/var/mail"},
	    {"/var/mail/x-%u@%d", "/var/mail"},
	    {"/var/mail/all/.%e", "/var/mail"},
	    {"/var/%e", NULL}, {"/var/mail/%e", "/var"}, {"/%e/var/mail/all", NULL},
	    {"/%u", NULL}, {"/%u/mail", NULL}, {"/mail", NULL}, {"/", NULL}, {"", NULL},
	    {"var/mail/%u", NULL}, {"/var/mail/", NULL}, {"/var//%u", NULL}, {"/var/./%u", NULL},
	    {"/var/../%u", NULL}, {"/var/mail/%n", NULL}, {"/var/mail/%", NULL}, {"/var/mail/%U", NULL},
	    {"/var/mail/%u+%e", NULL}, {"/var/mail/%d%e", NULL}, {"/var/mail/\n%u", NULL},
	    {"/var/mail/%u/..", NULL},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct buf base = BUF_INIT;

		ok(mailbox_pattern_ok(t[i].pattern) == (t[i].base != NULL), "pattern %s", t[i].pattern);
		if (t[i].base) {
			mailbox_base(t[i].pattern, &base);
			is_str(base.s, t[i].base, "what lies in front");
		}
		buf_free(&base);
	}
}

static char *
path_of(const char *pattern, const char *address, bool extended)
{
	struct mailbox m;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	mailbox_of(span_of(address), "+", &m, &e);
	if (mailbox_path(pattern, &m, extended, &b, &e))
		buf_fmt(&b, "%d %s", e.code, err_text(&e));
	mailbox_free(&m);
	err_free(&e);
	return buf_steal(&b);
}

static void
test_paths(void)
{
	static const struct {
		const char *pattern, *address;
		bool extended;
		const char *want;
	} t[] = {
	    {"/var/mail/%u", "ann@example.org", true, "/var/mail/ann"},
	    {"/var/mail/%u", "Ann+Lists@example.org", true, "/var/mail/ann"},
	    {"/var/mail/%d/%u", "ann@Example.org", true, "/var/mail/example.org/ann"},
	    {"/var/mail/%u/.%e", "ann+Lists@x", true, "/var/mail/ann/.lists"},
	    {"/var/mail/%u/.%e", "ann+lists@x", false, "/var/mail/ann"},
	    {"/var/mail/%u/.%e", "ann@x", true, "/var/mail/ann"},
	    {"/var/mail/%u/.%e/x", "ann@x", true, "/var/mail/ann/x"},
	    {"/var/100%%/%u", "ann@x", true, "/var/100%/ann"},
	    {"/var/mail/%u@%d", "\"an n\"@x", true, "/var/mail/an n@x"},
	    {"/var/mail/%u", "gr\303\274n@x", true, "/var/mail/gr\303\274n"},
	    {"/var/mail/%d/%u", "ann@[IPv6:2001:db8::1]", true, "/var/mail/[ipv6:2001:db8::1]/ann"},
	    {"/var/mail/%u", "%u@x", true, "/var/mail/%u"},
	    {"/var/mail/%u", "\"../etc\"@x", true, "67 the user begins with a dot"},
	    {"/var/mail/%u", "\"..\"@x", true, "67 the user begins with a dot"},
	    {"/var/mail/x%u", "\".\"@x", true, "67 the user begins with a dot"},
	    {"/var/mail/%u", "a/../../etc@x", true,
		"67 the user has a character that no mailbox's name has"},
	    {"/var/mail/%u", "\"a\\/b\"@x", true,
		"67 the user has a character that no mailbox's name has"},
	    {"/var/mail/%u/.%e", "ann+../x@x", true, "67 the extension begins with a dot"},
	    {"/var/mail/%u/.%e", "ann+a/x@x", true,
		"67 the extension has a character that no mailbox's name has"},
	    {"/var/mail/%u/.%e", "ann+a/x@x", false, "/var/mail/ann"},
	    {"/var/mail/%u", "\"a\tb\"@x", true, "67 the user has a character that no mailbox's name has"},
	    {"/var/mail/%u", "\377@x", true, "67 the user is not UTF-8"},
	    {"/var/mail/%d/%u", "postmaster", true, "67 the domain is empty"},
	};
	struct buf longest = BUF_INIT;
	char *got;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		got = path_of(t[i].pattern, t[i].address, t[i].extended);
		is_str(got, t[i].want, t[i].address);
		free(got);
	}
	for (size_t i = 0; i < MAILBOX_NAME_MAX; i++)
		buf_ch(&longest, 'a');
	got = path_of("/var/mail/%u", longest.s, true);
	ok(strlen(got) == strlen("/var/mail/") + MAILBOX_NAME_MAX, "as long as a name may be");
	free(got);
	buf_ch(&longest, 'a');
	got = path_of("/var/mail/%u", longest.s, true);
	is_str(got, "67 over 255 bytes", "and no longer");
	free(got);
	buf_free(&longest);
}

int
main(void)
{
	struct mailbox m;
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;

	test_of();
	test_patterns();
	test_paths();
	mailbox_of((struct span){"a\0b+c@x", 7}, "+", &m, &e);
	is_num(mailbox_path("/var/mail/%u", &m, true, &b, &e), EX_NOUSER, "a NUL is not a delimiter, and no name");
	mailbox_free(&m);
	err_free(&e);
	buf_free(&b);
	return tap_done();
}
