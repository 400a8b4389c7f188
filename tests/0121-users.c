/* users: lines of the users file, who may send as whom, and that those who are not there look like those who
 * are; passwd: libcrypt's hashes. */
#include "login.h"
#include "passwd.h"
#include "spawn.h"
#include "users.h"

#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "relaykit-users 1 c2VlZHNlZWRzZWVkc2VlZA==\n"
/* RFC 5803 has no example with numbers; these are RFC 7677 3's: pencil, 4096 */
#define SHA256                                                                                     \
	"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="     \
	":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
/* RFC 2195 3.1's password, as digits for any key */
#define CRAM "CRAM-MD5$0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *what, *text, *error; /* NULL: good */
} files[] = {
    {"a head alone", HEAD, NULL},
    {"all there is", HEAD "# x\n\n \t\nann $y$j9T$a$b " SHA256 " " CRAM " from=a@b.example,@c.example,* disabled\n", NULL},
    {"no LF at the end", HEAD "ann $6$a$b", NULL},
    {"a user without keys", HEAD "ann\n", NULL},
    {"blanks and tabs", HEAD "ann \t $6$a$b  \n", NULL},
    {"nothing", "", "line 1: not \"relaykit-users 1 \" and a seed"},
    {"another version", "relaykit-users 2 c2VlZHNlZWRzZWVkc2VlZA==\n", "line 1: not \"relaykit-users 1 \" and a seed"},
    {"a short seed", "relaykit-users 1 c2VlZHNlZWRzZWVkc2Vl\n", "line 1: not \"relaykit-users 1 \" and a seed"},
    {"a plain password", HEAD "ann secret\n", "line 2: a field that is no key, \"from=\" or \"disabled\""},
    {"two hashes", HEAD "ann $6$a$b $6$a$b\n", "line 2: a key or \"from=\" that makes no sense, or is there twice"},
    {"two SCRAM keys", HEAD "ann " SHA256 " " SHA256 "\n", "line 2: a key or \"from=\" that makes no sense, or is there twice"},
    {"no iterations", HEAD "ann SCRAM-SHA-256$0:QQ==$QQ==:QQ==\n", "line 2: a key or \"from=\" that makes no sense, or is there twice"},
    {"a key too short", HEAD "ann SCRAM-SHA-256$4096:QQ==$QQ==:QQ==\n", "line 2: a key or \"from=\" that makes no sense, or is there twice"},
    {"a digit less", HEAD "ann CRAM-MD5$0123\n", "line 2: a key or \"from=\" that makes no sense, or is there twice"},
    {"from= nothing", HEAD "ann from=\n", "line 2: a key or \"from=\" that makes no sense, or is there twice"},
    {"from= no address", HEAD "ann from=a@b.example,,\n", "line 2: a key or \"from=\" that makes no sense, or is there twice"},
    {"a name twice", HEAD "ann $6$a$b\nbob $6$a$b\nann $6$a$b\n", "line 4: \"ann\" stands in line 2 too"},
    {"CRLF", HEAD "ann $6$a$b\r\nbob\n", NULL}, /* one CR before the LF is the line's end */
    {"a CR within", HEAD "ann $6$a\r$b\n", "line 2: a NUL or CR"},
};

static void
test_files(void)
{
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct err e = ERR_INIT;
		int rc = users_check(span_of(files[i].text), &e);

		is_num(rc, files[i].error ? EX_DATAERR : 0, files[i].what);
		is_str(err_text(&e), files[i].error ? files[i].error : "", "why");
		err_free(&e);
	}
}

static const struct {
	const char *name, *from, *address;
	bool may;
} senders[] = {
    {"ann@a.example", "", "ann@a.example", true},
    {"ann@a.example", "", "ann@A.EXAMPLE", true},
    {"ann@a.example", "", "Ann@a.example", false},
    {"ann@a.example", "", "bob@a.example", false},
    {"ann@a.example", "", "", true},
    {"ann", "", "ann@a.example", false},
    {"ann", "", "ann", false},
    {"ann", "", "", true},
    {"x,bob@a.example", "", "bob@a.example", false},
    {"bob@a.example,x", "", "bob@a.example", false},
    {"*", "", "ann@a.example", false},
    {"@a.example", "", "ann@a.example", false},
    {"ann", "a@x.example,b@x.example", "b@x.example", true},
    {"ann", "a@x.example,b@x.example", "c@x.example", false},
    {"ann@a.example", "a@x.example", "ann@a.example", false},
    {"ann", "@x.example", "any@X.example", true},
    {"ann", "@x.example", "any@sub.x.example", false},
    {"ann", "@x.example", "any@yx.example", false},
    {"ann", "@x.example", "\"a@x.example\"@y.example", false},
    {"ann", "@x.example", "\"a@y.example\"@x.example", true},
    {"ann", "*", "any@where.example", true},
    {"ann", "a@x.example,*", "any@where.example", true},
};

static void
test_senders(void)
{
	for (size_t i = 0; i < sizeof senders / sizeof senders[0]; i++) {
		struct user u = {.name = span_of(senders[i].name), .from = span_of(senders[i].from)};

		ok(users_may_send(&u, span_of(senders[i].address)) == senders[i].may, "%s (%s) as <%s>%s",
		    senders[i].name, senders[i].from, senders[i].address, senders[i].may ? "" : ": no");
	}
}

static void
test_find(void)
{
	struct span text = SPAN(HEAD "a $6$a$a\n#x $6$x$x\nb $6$b$b\nbroken x\nc $6$c$c\n"), seed = SPAN("seed");
	struct user u, again;
	bool found, same = true;
	size_t seen[256] = {0};

	users_find(text, seed, SPAN("b"), &u, &found);
	ok(found && span_eq(u.crypt, SPAN("$6$b$b")), "found");
	users_find(text, seed, SPAN("#x"), &u, &found);
	ok(!found, "a comment is nobody");
	users_find(text, seed, SPAN("broken"), &u, &found);
	ok(!found, "nor is a line that makes no sense");
	users_find(SPAN(HEAD), seed, SPAN("a"), &u, &found);
	ok(!found && u.name.n == 0, "nobody in an empty file");
	for (int i = 0; i < 300; i++) {
		char name[16];

		snprintf(name, sizeof name, "nobody%d", i);
		users_find(text, seed, span_of(name), &u, &found);
		users_find(text, seed, span_of(name), &again, &found);
		same = same && !found && span_eq(u.name, again.name);
		seen[u.name.n ? (unsigned char)u.name.p[0] : 0]++;
	}
	ok(same, "whoever is not there is checked against the same other each time");
	ok(seen['a'] > 40 && seen['b'] > 40 && seen['c'] > 40, "and each of them has its share");
	is_num(users_mechs(SPAN(HEAD "a $6$a$b disabled\n")), 0, "who is disabled has no mechanism");
	is_num(users_mechs(SPAN(HEAD "a " SHA256 "\n")), MECH_BIT(MECH_SCRAM_SHA_256) | MECH_BIT(MECH_PLAIN) |
	    MECH_BIT(MECH_LOGIN), "SCRAM keys are good for PLAIN");
	is_num(users_mechs(SPAN(HEAD "a " CRAM "\n")), MECH_BIT(MECH_CRAM_MD5), "CRAM-MD5's for nothing else");
}

#define SHA512                                                                                     \
	"$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS"   \
	"35inz1"

static void
test_passwd(void)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	bool good;

	/* openssl passwd -6 -salt saltstring 'Hello world!' */
	is_num(passwd_check(SPAN("Hello world!"), SPAN(SHA512), &good, &e), 0, "SHA-512's example");
	ok(good, "its password");
	is_num(passwd_check(SPAN("Hello world"), SPAN(SHA512), &good, &e), 0, "another");
	ok(!good, "is none");
	is_num(passwd_check(SPAN("x"), SPAN("*0"), &good, &e), EX_DATAERR, "*0 is no hash");
	is_num(passwd_check(SPAN("x"), SPAN(""), &good, &e), EX_DATAERR, "nor is nothing");
	is_num(passwd_check(SPAN("x"), SPAN("x"), &good, &e), EX_DATAERR, "nor is the password");
	is_num(passwd_hash(SPAN("a\0b"), &b, &e), EX_DATAERR, "a NUL cannot be hashed");
	is_num(passwd_hash(SPAN("x"), &b, &e), 0, "a new hash");
	ok(strncmp(b.s, "$y$", 3) == 0, "is yescrypt's");
	is_num(passwd_check(SPAN("x"), (struct span){b.s, b.len}, &good, &e), 0, "checked");
	ok(good, "and right");
	buf_free(&b);
	err_free(&e);
}

/* --- login: what somebody sees who guesses names */

static void
test_login(const char *path)
{
	struct login_conf c = {.users = path, .check = LOGIN_NO_COMMAND, .token = LOGIN_NO_COMMAND};
	struct login *l = NULL;
	struct login_session s;
	struct sasl_channel tls = {true, SPAN("x"), {NULL, 0}}, clear = {0};
	struct sasl_keys a = SASL_KEYS_INIT, b = SASL_KEYS_INIT, k = SASL_KEYS_INIT;
	struct err e = ERR_INIT;

	is_num(login_open(&l, &c, &e), 0, "login");
	if (!l)
		return;
	login_session(&s, l, SPAN("192.0.2.1"));
	is_num(s.check.password(&s, SPAN("ann"), SPAN("pencil"), &e), 0, "RFC 7677's password by PLAIN");
	is_num(s.check.password(&s, SPAN("ann"), SPAN("pencil "), &e), EX_NOPERM, "another");
	is_num(s.check.password(&s, SPAN("eve"), SPAN("pencil"), &e), EX_NOPERM, "of somebody disabled");
	is_str(err_text(&e), "the user is disabled", "for the log");
	is_num(s.check.password(&s, SPAN("nobody"), SPAN("pencil"), &e), EX_NOPERM, "nobody's");
	is_num(s.check.password(&s, SPAN("ann"), SPAN("\x07"), &e), EX_NOPERM, "one that cannot be");
	is_num(s.check.keys(&s, SPAN("ann"), MECH_SCRAM_SHA_256, &k, &e), 0, "keys");
	is_num(k.iter, 4096, "4096 rounds");
	is_num(s.check.keys(&s, SPAN("nobody"), MECH_SCRAM_SHA_256, &a, &e), 0, "keys of nobody");
	is_num(s.check.keys(&s, SPAN("nobody"), MECH_SCRAM_SHA_256, &b, &e), 0, "and again");
	ok(a.salt.len == 16 && a.iter == 4096 && b.iter == 4096 && memcmp(a.salt.s, b.salt.s, 16) == 0,
	    "look like a user's and stay the same");
	ok(memcmp(a.stored, b.stored, 32) != 0, "and no password fits them");
	is_num(s.check.certificate(&s, SPAN("ann"), SPAN("bob"), &k.salt, &e), EX_NOPERM, "another's certificate");
	ok((login_offer(l, &clear, false) & (MECH_BARE | MECH_PLUS | MECH_BIT(MECH_EXTERNAL))) == 0,
	    "without TLS nothing bare, no PLUS, no certificate");
	ok((login_offer(l, &tls, true) & (MECH_BIT(MECH_PLAIN) | MECH_BIT(MECH_SCRAM_SHA_256_PLUS) |
	    MECH_BIT(MECH_EXTERNAL))) == (MECH_BIT(MECH_PLAIN) | MECH_BIT(MECH_SCRAM_SHA_256_PLUS) |
	    MECH_BIT(MECH_EXTERNAL)), "over TLS all of them");
	ok(login_may_send(l, SPAN("ann"), SPAN("x@a.example")) && !login_may_send(l, SPAN("ann"), SPAN("x@b.example")),
	    "the addresses of the file");
	ok(login_may_send(l, SPAN("z@z.example"), SPAN("z@z.example")) && !login_may_send(l, SPAN("z"), SPAN("z@z.example")),
	    "and of whoever is not in it");
	sasl_keys_free(&a);
	sasl_keys_free(&b);
	sasl_keys_free(&k);
	login_free(l);
	err_free(&e);
}

static void
test_modes(const char *path)
{
	static const struct {
		mode_t mode;
		int rc;
	} modes[] = {{0600, 0}, {0640, 0}, {0400, 0}, {0660, EX_CONFIG}, {0644, EX_CONFIG}, {0604, EX_CONFIG},
	    {0602, EX_CONFIG}, {0601, EX_CONFIG}};
	struct login_conf c = {.users = path, .check = LOGIN_NO_COMMAND, .token = LOGIN_NO_COMMAND};

	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		struct login *l = NULL;
		struct err e = ERR_INIT;

		chmod(path, modes[i].mode);
		ok(login_open(&l, &c, &e) == modes[i].rc, "mode %04o", (unsigned)modes[i].mode);
		login_free(l);
		err_free(&e);
	}
}

int
main(void)
{
	static const char text[] = HEAD "ann " SHA256 " from=@a.example\neve " SHA256 " disabled\n";
	char path[] = "/tmp/relaykit-test-users.XXXXXX";
	int fd = mkstemp(path);

	test_files();
	test_senders();
	test_find();
	test_passwd();
	ok(fd >= 0 && write(fd, text, sizeof text - 1) == sizeof text - 1, "a file");
	test_login(path);
	test_modes(path);
	close(fd);
	unlink(path);
	return tap_done();
}
