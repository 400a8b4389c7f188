/* trap: what a sink answers, where content ends, and what recipients may wish for.
 */
#include "tap.h"

#include "trap.h"
#include "trapsyn.h"
#include "trapwish.h"

#include <stdlib.h>

static const struct trap_rules plain = {.name = "t", .size_limit = 1000, .max_recipients = 3};

/* What happened, as text: replies to a line each, "[...]" what the caller is told. */
struct story {
	struct buf text, content;
};

static void
replies(struct trap *t, struct buf *to)
{
	buf_add(to, t->out.s, t->out.len);
	buf_cut(&t->out, 0);
}

static bool
tell(struct trap *t, struct story *s, enum trap_event what)
{
	if (what == TRAP_CONTENT) {
		buf_add(&s->content, t->content.p, t->content.n);
		return true;
	}
	if (what == TRAP_MESSAGE) {
		buf_fmt(&s->text, "[message %zu to %zu%s]", (size_t)t->size, t->accepted,
		    trap_accepts(t) ? "" : " no");
		what = trap_answer(t, true);
	}
	replies(t, &s->text);
	switch (what) {
	case TRAP_RESET: buf_str(&s->text, "[reset]"); break;
	case TRAP_SLOW: buf_fmt(&s->text, "[slow %d]", (int)t->slow_ms); break;
	case TRAP_STARTTLS:
		buf_str(&s->text, "[tls]");
		trap_secured(t);
		break;
	case TRAP_QUIT: buf_str(&s->text, "[quit]"); return false;
	case TRAP_CLOSE: buf_str(&s->text, "[close]"); return false;
	case TRAP_DROP: buf_str(&s->text, "[drop]"); return false;
	case TRAP_BREAK: buf_str(&s->text, "[break]"); return false;
	default: break;
	}
	return true;
}

/* Gives bytes in steps: the first `slow` one by one, as of a client that waits for every reply, the
 * others `step` at a time, but never across `cut`. */
static void
converse(const struct trap_rules *rules, struct span in, size_t slow, size_t step, size_t cut,
    struct story *s)
{
	struct trap t = TRAP_INIT;
	struct trapworld w = {.random = 1};
	size_t from = 0, upto = 0, used;
	bool on = true;

	trap_init(&t, rules, &w);
	buf_cut(&t.out, 0);
	while (on && upto < in.n) {
		size_t next = upto + (upto < slow ? 1 : step);
		enum trap_event what;

		if (upto < cut && next > cut)
			next = cut;
		upto = next < in.n ? next : in.n;
		do {
			what = trap_step(&t, (struct span){in.p + from, upto - from}, &used, 0);
			from += used;
			on = tell(&t, s, what);
		} while (on && what != TRAP_MORE);
	}
	replies(&t, &s->text);
	trap_free(&t);
	trapworld_free(&w);
}

static void
story_free(struct story *s)
{
	buf_free(&s->text);
	buf_free(&s->content);
}

/* All of it byte by byte: nothing is sent too early. */
static void
check(const struct trap_rules *rules, const char *in, size_t n, const char *want,
    const char *content, const char *what)
{
	struct story a = {BUF_INIT, BUF_INIT};

	converse(rules, (struct span){in, n}, n, 1, 0, &a);
	is_mem(a.text.s, a.text.len, want, strlen(want), what);
	if (content)
		is_mem(a.content.s, a.content.len, content, strlen(content), "... its content");
	story_free(&a);
}

#define HELLO "EHLO c\r\n"
#define EHLO_REPLY                                                                                 \
	"250-t\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250-CHUNKING\r\n"      \
	"250-ENHANCEDSTATUSCODES\r\n250 SIZE 1000\r\n"
#define MAIL "MAIL FROM:<a@b>\r\n"
#define MAIL_OK "250 2.1.0 sender OK\r\n"
#define RCPT_OK "250 2.1.5 recipient OK\r\n"
#define GO "354 end with <CRLF>.<CRLF>\r\n"
#define OK "250 2.0.0 OK\r\n"
#define BEGIN HELLO MAIL "RCPT TO:<c@d>\r\n"
#define BEGIN_OK EHLO_REPLY MAIL_OK RCPT_OK
#define BARE "554 5.6.0 bare CR or LF in the content\r\n"

static void
ends_of_content(void)
{
	static const struct {
		const char *in, *want, *content, *what;
	} t[] = {
		{"hi\r\n.\r\n", "[message 4 to 1]" OK, "hi\r\n", "a line"},
		{".\r\n", "[message 0 to 1]" OK, "", "no line"},
		{"..\r\n.\r\n", "[message 3 to 1]" OK, ".\r\n", "a line of one dot"},
		{".a\r\n..b\r\n.\r\n", "[message 7 to 1]" OK, "a\r\n.b\r\n", "RFC 5321 4.5.2: dots"},
		{"\r\n\r\n.\r\n", "[message 4 to 1]" OK, "\r\n\r\n", "empty lines"},
		{"a\n.\n.\r\nb\r\n.\r\n", "[message 10 to 1 no]" BARE, "a\n.\n.\r\nb\r\n",
		    "LF.LF and LF.CRLF do not end it"},
		{"a\n.\r\nQUIT\r\n.\r\n", "[message 11 to 1 no]" BARE, "a\n.\r\nQUIT\r\n",
		    "LF.CRLF does not smuggle"},
		{"a\r\n.\nb\r\n.\r\n", "[message 7 to 1 no]" BARE, "a\r\n\nb\r\n", "nor does CRLF.LF"},
		{"a\r\n.\rb\r\n.\r\n", "[message 7 to 1 no]" BARE, "a\r\n\rb\r\n", "nor does CRLF.CR"},
		{"a\r.\r\nb\r\n.\r\n", "[message 8 to 1 no]" BARE, "a\r.\r\nb\r\n", "nor does CR.CRLF"},
		{"\n.\r\nx\r\n.\r\n", "[message 7 to 1 no]" BARE, "\n.\r\nx\r\n", "nor does a first LF"},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct buf in = BUF_INIT, want = BUF_INIT;

		buf_str(&in, BEGIN "DATA\r\n");
		buf_str(&in, t[i].in);
		buf_str(&in, "NOOP\r\n");
		buf_str(&want, BEGIN_OK GO);
		buf_str(&want, t[i].want);
		buf_str(&want, OK);
		check(&plain, in.s, in.len, want.s, t[i].content, t[i].what);
		buf_free(&in);
		buf_free(&want);
	}
	check(&plain, B(BEGIN "DATA\r\na\r\r\n.\r\nNOOP\r\n"), BEGIN_OK GO "[message 4 to 1 no]" BARE OK,
	    "a\r\r\n", "CR CRLF ends a line, but is not clean");
}

static bool
same(const struct story *a, const struct story *b)
{
	return a->text.len == b->text.len && memcmp(a->text.s, b->text.s, a->text.len) == 0 &&
	    a->content.len == b->content.len &&
	    memcmp(a->content.s, b->content.s, a->content.len) == 0;
}

/* The same content, cut in two at every place, gives the same bytes. */
static void
cuts(void)
{
	static const char in[] = BEGIN "DATA\r\n..x\r\nab\r\n.\rq\r\n\n.\r\n.z\r\n\r\n.\r\nRSET\r\n";
	struct span all = {in, sizeof in - 1};
	size_t head = sizeof BEGIN "DATA\r\n" - 1;
	struct story whole = {BUF_INIT, BUF_INIT};
	bool good = true;

	converse(&plain, all, all.n, 1, 0, &whole);
	for (size_t cut = head; cut <= all.n; cut++) {
		struct story s = {BUF_INIT, BUF_INIT};

		converse(&plain, all, head, all.n, cut, &s);
		good = good && same(&s, &whole);
		story_free(&s);
	}
	ok(good, "content cut in two, anywhere");
	is_mem(whole.content.s, whole.content.len, B(".x\r\nab\r\n\rq\r\n\n.\r\nz\r\n\r\n"),
	    "... and this is it");
	story_free(&whole);
}

/* A line of many kilobytes comes in pieces; its dot and its end are seen all the same. */
static void
long_lines(void)
{
	struct trap_rules big = plain;
	struct buf in = BUF_INIT;
	char *xs = mem_alloc(10000);

	memset(xs, 'x', 10000);
	big.size_limit = 1000000;
	buf_str(&in, BEGIN "DATA\r\n.");
	buf_add(&in, xs, 10000);
	buf_str(&in, "\r\n.\r\n");
	for (size_t step = 1; step <= 20000; step = step * 5 + 1) {
		struct story s = {BUF_INIT, BUF_INIT};

		converse(&big, (struct span){in.s, in.len}, sizeof BEGIN "DATA\r\n" - 1, step, 0, &s);
		ok(s.content.len == 10002 && memcmp(s.content.s, xs, 10000) == 0 &&
		    memcmp(s.content.s + 10000, "\r\n", 2) == 0,
		    "a line of 10,000 bytes in pieces of %zu", step);
		story_free(&s);
	}
	buf_free(&in);
	buf_str(&in, "NOOP ");
	buf_add(&in, xs, TRAP_LINE_MAX - 7);
	buf_str(&in, "\r\n");
	is_num((long long)in.len, TRAP_LINE_MAX, "a command of TRAP_LINE_MAX bytes");
	check(&big, in.s, in.len, OK, NULL, "... is understood");
	buf_cut(&in, in.len - 2);
	buf_str(&in, "x\r\nNOOP\r\n");
	check(&big, in.s, in.len, "500 5.5.2 line too long\r\n" OK, NULL, "... one byte more is not");
	buf_free(&in);
	free(xs);
}

static void
sizes(void)
{
	struct trap_rules r = plain;

	r.size_limit = 6;
	check(&r, B("HELO c\r\n" MAIL "RCPT TO:<c@d>\r\nDATA\r\nabcd\r\n.\r\n"),
	    "250 t\r\n" MAIL_OK RCPT_OK GO "[message 6 to 1]" OK, "abcd\r\n", "a message of the limit");
	check(&r, B("HELO c\r\n" MAIL "RCPT TO:<c@d>\r\nDATA\r\nabcde\r\n.\r\n"),
	    "250 t\r\n" MAIL_OK RCPT_OK GO
	    "[message 7 to 1 no]552 5.3.4 message over the size limit\r\n", NULL, "one byte more");
	check(&plain, B(HELLO "MAIL FROM:<a@b> SIZE=1000\r\n"), EHLO_REPLY MAIL_OK, NULL, "SIZE at it");
	check(&plain, B(HELLO "MAIL FROM:<a@b> SIZE=1001\r\n" MAIL),
	    EHLO_REPLY "552 5.3.4 message over the size limit\r\n" MAIL_OK, NULL, "SIZE over it");
}

static void
chunks(void)
{
	check(&plain, B(BEGIN "BDAT 5 LAST\r\nab\r\n.NOOP\r\n"), BEGIN_OK "[message 5 to 1]" OK OK,
	    "ab\r\n.", "one chunk: dots mean nothing");
	check(&plain, B(BEGIN "BDAT 3\r\nab\rBDAT 1\r\n\nBDAT 0 LAST\r\n"),
	    BEGIN_OK "250 2.0.0 chunk OK\r\n250 2.0.0 chunk OK\r\n[message 4 to 1]" OK, "ab\r\n",
	    "CR and LF in two chunks are CRLF");
	check(&plain, B(BEGIN "BDAT 3 LAST\r\nab\n"), BEGIN_OK "[message 3 to 1 no]" BARE, "ab\n",
	    "a bare LF is refused here too");
	check(&plain, B(BEGIN "BDAT 3 LAST\r\nab\r"), BEGIN_OK "[message 3 to 1 no]" BARE, "ab\r",
	    "... and a CR at the end");
	check(&plain, B(HELLO MAIL "RCPT TO:<reject-550@d>\r\nBDAT 4 LAST\r\nQUITRSET\r\n"),
	    EHLO_REPLY MAIL_OK "550 5.1.1 as the recipient wishes\r\n"
	    "554 5.5.1 no valid recipients\r\n" OK "[reset]", "",
	    "a chunk for nobody is read, not obeyed");
	check(&plain, B(HELLO "BDAT 4 LAST\r\nQUITNOOP\r\n"),
	    EHLO_REPLY "503 5.5.1 MAIL first\r\n" OK, "", "a chunk without MAIL likewise");
	check(&plain, B(BEGIN "BDAT x\r\nNOOP\r\n"),
	    BEGIN_OK "501 5.5.4 BDAT not understood\r\n[close]", NULL, "no number: no way back");
	check(&plain, B(BEGIN "BDAT 99999999999999999999\r\nNOOP\r\n"),
	    BEGIN_OK "501 5.5.4 BDAT not understood\r\n[close]", NULL, "nor for too large a one");
	check(&plain, B(BEGIN "BDAT 1\r\naDATA\r\nRCPT TO:<e@f>\r\n"),
	    BEGIN_OK "250 2.0.0 chunk OK\r\n503 5.5.1 BDAT has begun\r\n503 5.5.1 BDAT has begun\r\n",
	    "a", "RFC 3030 2: no DATA behind BDAT");
}

static void
order(void)
{
	check(&plain, B(MAIL), "503 5.5.1 EHLO or HELO first\r\n", NULL, "MAIL without EHLO");
	check(&plain, B(HELLO MAIL MAIL), EHLO_REPLY MAIL_OK "503 5.5.1 MAIL was given already\r\n",
	    NULL, "MAIL twice");
	check(&plain, B(HELLO "RCPT TO:<a@b>\r\n"), EHLO_REPLY "503 5.5.1 MAIL first\r\n", NULL,
	    "RCPT without MAIL");
	check(&plain, B(HELLO MAIL "DATA\r\n"), EHLO_REPLY MAIL_OK "554 5.5.1 no valid recipients\r\n",
	    NULL, "DATA without RCPT");
	check(&plain, B(BEGIN "RSET\r\n" MAIL), BEGIN_OK OK "[reset]" MAIL_OK, NULL, "RSET");
	check(&plain, B(BEGIN HELLO MAIL), BEGIN_OK EHLO_REPLY "[reset]" MAIL_OK, NULL,
	    "EHLO is a RSET");
	check(&plain, B("NOOP\nNOOP\r\nNO\0OP\r\nNO\rOP\r\nQUIT\r\n"),
	    "500 5.5.2 a line that does not end in CRLF\r\n" OK
	    "500 5.5.2 a line with CR or NUL in it\r\n500 5.5.2 a line with CR or NUL in it\r\n"
	    "221 2.0.0 bye\r\n[quit]", NULL, "CR, LF and NUL in commands");
	check(&plain, B("STARTTLS\r\n"), "503 5.5.1 STARTTLS is not offered\r\n", NULL, "no STARTTLS");
	check(&plain, B("HELP\r\nVRFY x\r\nEXPN x\r\n"), "214 2.0.0 see smtp-trap(1)\r\n"
	    "252 2.5.2 everybody is taken here\r\n500 5.5.2 command not understood\r\n", NULL, "others");
}

static void
groups(void)
{
	struct trap_rules no = plain;
	struct story s = {BUF_INIT, BUF_INIT};
	static const char group[] = MAIL "RCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n";
	static const char early[] = MAIL "RCPT TO:<c@d>\r\nDATA\r\nhi\r\n.\r\n";
	static const struct { const char *in, *want; bool pipelining; const char *what; } t[] = {
		{group, MAIL_OK RCPT_OK RCPT_OK GO, true, "a group that ends in DATA"},
		{early, MAIL_OK RCPT_OK "503 5.5.0 this command was not waited for\r\n[close]", true,
		    "RFC 2920 3.1: content before 354"},
		{group, "503 5.5.0 this command was not waited for\r\n[close]", false,
		    "a group that was not offered"},
	};

	no.no_pipelining = true;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct trap c = TRAP_INIT;
		struct trapworld w = {.random = 1};
		struct span in = SPAN(HELLO);
		size_t used;
		enum trap_event what;

		trap_init(&c, t[i].pipelining ? &plain : &no, &w);
		trap_step(&c, in, &used, 0);
		buf_cut(&c.out, 0);
		buf_cut(&s.text, 0);
		in = span_of(t[i].in);
		do {
			what = trap_step(&c, in, &used, 0);
			in.p += used;
			in.n -= used;
		} while (tell(&c, &s, what) && what != TRAP_MORE);
		is_str(s.text.s, t[i].want, t[i].what);
		trap_free(&c);
	}
	story_free(&s);
}

static void
parameters(void)
{
	static const char refused[] = "555 5.5.4 MAIL parameter not offered, or its value is wrong\r\n";
	static const struct { const char *params; bool good; } t[] = {
		{"", true}, {" SIZE=0", true}, {" size=12 body=8bitmime", true}, {" BODY=7BIT", true},
		{" SMTPUTF8", true}, {" RET=HDRS ENVID=QQ+2B1", true}, {" RET=FULL", true}, {" ", true},
		{" BODY=BINARYMIME", false}, {" BODY", false}, {" SMTPUTF8=1", false}, {" RET=ALL", false},
		{" ENVID=", false}, {" AUTH=<>", false}, {" HOLDFOR=5", false},
	};
	struct trap_rules none = {.name = "t", .no_size = true, .no_8bitmime = true,
	    .no_smtputf8 = true, .no_dsn = true, .no_chunking = true, .no_pipelining = true,
	    .no_enhanced = true, .size_limit = 1000, .max_recipients = 1};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct buf in = BUF_INIT, want = BUF_INIT;

		buf_fmt(&in, HELLO "MAIL FROM:<a@b>%s\r\n", t[i].params);
		buf_fmt(&want, EHLO_REPLY "%s", t[i].good ? MAIL_OK : refused);
		check(&plain, in.s, in.len, want.s, NULL, *t[i].params ? t[i].params : "no parameter");
		buf_free(&in);
		buf_free(&want);
	}
	check(&none, B(HELLO "MAIL FROM:<a@b> SIZE=1\r\nMAIL FROM:<a@b> BODY=7BIT\r\n"
	    "MAIL FROM:<a@b> SMTPUTF8\r\nMAIL FROM:<a@b> RET=HDRS\r\n" MAIL
	    "RCPT TO:<c@d> NOTIFY=NEVER\r\nBDAT 1 LAST\r\n"),
	    "250-t\r\n250 HELP\r\n"
	    "555 MAIL parameter not offered, or its value is wrong\r\n"
	    "555 MAIL parameter not offered, or its value is wrong\r\n"
	    "555 MAIL parameter not offered, or its value is wrong\r\n"
	    "555 MAIL parameter not offered, or its value is wrong\r\n"
	    "250 sender OK\r\n555 RCPT parameter not offered, or its value is wrong\r\n"
	    "502 BDAT not understood\r\n[close]", NULL, "nothing offered, nothing taken");
	check(&plain, B(HELLO MAIL "RCPT TO:<c@d> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c@d\r\n"
	    "RCPT TO:<c@d> NOTIFY=NEVER,DELAY\r\nRCPT TO:<c@d> NOTIFY=\r\nRCPT TO:<c@d> ORCPT=c@d\r\n"),
	    EHLO_REPLY MAIL_OK RCPT_OK "555 5.5.4 RCPT parameter not offered, or its value is wrong\r\n"
	    "555 5.5.4 RCPT parameter not offered, or its value is wrong\r\n"
	    "555 5.5.4 RCPT parameter not offered, or its value is wrong\r\n", NULL, "RFC 3461 4.1, 4.2");
	check(&plain, B("HELO c\r\nMAIL FROM:<a@b> SIZE=1\r\n"),
	    "250 t\r\n555 5.5.4 parameters need EHLO\r\n", NULL, "a parameter behind HELO");
	check(&plain, B(HELLO "MAIL FROM:<\xc3\xa4@b>\r\nMAIL FROM:<\xc3\xa4@b> SMTPUTF8\r\n"
	    "RCPT TO:<\xc3\xb6@d>\r\n"), EHLO_REPLY "553 5.6.7 this address needs SMTPUTF8\r\n" MAIL_OK
	    RCPT_OK, NULL, "RFC 6531 3.4: UTF-8 needs to be announced");
	check(&plain, B(HELLO "MAIL FROM: <a@b>\r\nMAIL FROM:a@b\r\nMAIL FROM:<a@b>x\r\n"
	    "MAIL FROM:<a b@c>\r\nMAIL FROM:<\"a >\\\"\"@c>\r\nRCPT TO:<>\r\nRCPT TO:<x>\r\n"
	    "RCPT TO:<Postmaster>\r\n"),
	    EHLO_REPLY "501 5.5.4 MAIL FROM:<address> is what is understood\r\n"
	    "501 5.5.4 MAIL FROM:<address> is what is understood\r\n"
	    "501 5.5.4 parameters are badly written\r\n"
	    "501 5.5.4 MAIL FROM:<address> is what is understood\r\n" MAIL_OK
	    "501 5.5.4 RCPT TO:<address> is what is understood\r\n"
	    "550 5.1.3 an address without a domain\r\n" RCPT_OK, NULL, "paths");
}

static void
recipients(void)
{
	struct trap_rules r = plain;

	check(&plain, B(HELLO MAIL "RCPT TO:<a@d>\r\nRCPT TO:<b@d>\r\nRCPT TO:<reject-550@d>\r\n"
	    "RCPT TO:<c@d>\r\nRCPT TO:<d@d>\r\n"), EHLO_REPLY MAIL_OK RCPT_OK RCPT_OK
	    "550 5.1.1 as the recipient wishes\r\n" RCPT_OK "452 4.5.3 too many recipients\r\n", NULL,
	    "three and one more");
	check(&plain, B(HELLO MAIL "RCPT TO:<slow-250ms@d>\r\n"), EHLO_REPLY MAIL_OK RCPT_OK "[slow 250]",
	    NULL, "slow");
	check(&plain, B(HELLO MAIL "RCPT TO:<data-slow-2s@d>\r\nDATA\r\n.\r\n"), EHLO_REPLY MAIL_OK
	    RCPT_OK GO "[message 0 to 1]" OK "[slow 2000]", NULL, "slow at the end");
	check(&plain, B(HELLO MAIL "RCPT TO:<data-reject-554-5.7.9@d>\r\nDATA\r\n.\r\n"), EHLO_REPLY
	    MAIL_OK RCPT_OK GO "[message 0 to 1 no]554 5.7.9 as a recipient wishes\r\n", NULL,
	    "refused at the end");
	check(&plain, B(HELLO MAIL "RCPT TO:<drop-at-rcpt@d>\r\n"), EHLO_REPLY MAIL_OK "[drop]", NULL,
	    "dropped at RCPT");
	check(&plain, B(BEGIN "RCPT TO:<drop-after-data@d>\r\nDATA\r\n"), BEGIN_OK RCPT_OK "[drop]",
	    NULL, "dropped at DATA");
	check(&plain, B(BEGIN "RCPT TO:<drop-after-dot@d>\r\nDATA\r\n.\r\n"), BEGIN_OK RCPT_OK GO
	    "[message 0 to 2 no][drop]", NULL, "dropped at the end");
	check(&plain, B(BEGIN "RCPT TO:<421-at-rcpt@d>\r\nDATA\r\n"), BEGIN_OK
	    "421 4.3.2 as the recipient wishes\r\n[close]", NULL, "421");
	check(&plain, B(HELLO MAIL "RCPT TO:<multiline-450@d>\r\n"), EHLO_REPLY MAIL_OK
	    "450-4.2.0 as the recipient wishes,\r\n450-4.2.0 this reply\r\n450 4.2.0 has three lines\r\n",
	    NULL, "three lines");
	check(&plain, B(HELLO MAIL "RCPT TO:<tls-fail@d>\r\n"), EHLO_REPLY MAIL_OK RCPT_OK, NULL,
	    "tls-fail in clear");
	r.starttls = true;
	check(&r, B(HELLO "STARTTLS\r\n" MAIL "STARTTLS\r\n" HELLO MAIL "RCPT TO:<tls-fail@d>\r\n"),
	    "250-t\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250-CHUNKING\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n250-STARTTLS\r\n250 SIZE 1000\r\n"
	    "220 2.0.0 go ahead\r\n[tls]503 5.5.1 EHLO or HELO first\r\n"
	    "503 5.5.1 STARTTLS is not offered\r\n" EHLO_REPLY MAIL_OK "[break]", NULL,
	    "STARTTLS forgets all, then tls-fail");
	r = plain;
	r.always_354 = true;
	check(&r, B(HELLO MAIL "RCPT TO:<reject-550@d>\r\nDATA\r\n.\r\n"), EHLO_REPLY MAIL_OK
	    "550 5.1.1 as the recipient wishes\r\n" GO "[message 0 to 0 no]"
	    "554 5.5.1 no valid recipients\r\n", NULL, "354 for nobody");
	r = plain;
	r.max_messages = 1;
	check(&r, B(BEGIN "DATA\r\n.\r\n" MAIL), BEGIN_OK GO "[message 0 to 1]" OK
	    "421 4.7.0 enough messages for one connection\r\n[close]", NULL, "one message, no more");
}

static void
greylist(void)
{
	struct trap t = TRAP_INIT;
	struct trapworld w = {.random = 1};
	static const struct { int64_t at; const char *rcpt; int code; } s[] = {
		{1000, "RCPT TO:<greylist-5@d>\r\n", 451}, {5999, "RCPT TO:<greylist-5@d>\r\n", 451},
		{6000, "RCPT TO:<greylist-5@d>\r\n", 250}, {6000, "RCPT TO:<greylist-5+x@d>\r\n", 451},
		{11000, "RCPT TO:<greylist-5+x@d>\r\n", 250},
	};

	for (size_t i = 0; i < sizeof s / sizeof *s; i++) {
		size_t used;

		trap_init(&t, &plain, &w);
		trap_step(&t, SPAN(HELLO), &used, s[i].at);
		trap_step(&t, SPAN(MAIL), &used, s[i].at);
		trap_step(&t, span_of(s[i].rcpt), &used, s[i].at);
		is_num(t.n_rcpt ? t.rcpt[0].code : 0, s[i].code, "greylisted for 5 s");
	}
	trap_free(&t);
	trapworld_free(&w);
}

static void
dice(void)
{
	struct trapworld a = {.random = 7}, b = {.random = 7};
	struct trap_rules r = {.name = "t", .size_limit = 1000, .max_recipients = 100000,
	    .defer_percent = 20, .reject_percent = 30};
	int codes[3] = {0};
	struct trap t = TRAP_INIT;
	size_t used;
	bool same = true;

	for (int i = 0; i < 1000; i++) {
		unsigned x = trapworld_dice(&a);

		same = same && x < 100 && x == trapworld_dice(&b);
	}
	ok(same, "the same seed, the same dice");
	trap_init(&t, &r, &a);
	trap_step(&t, SPAN(HELLO), &used, 0);
	trap_step(&t, SPAN(MAIL), &used, 0);
	for (int i = 0; i < 10000; i++)
		trap_step(&t, SPAN("RCPT TO:<x@y>\r\n"), &used, 0);
	for (size_t i = 0; i < t.n_rcpt; i++)
		codes[t.rcpt[i].code == 451 ? 0 : t.rcpt[i].code == 550 ? 1 : 2]++;
	ok(codes[0] > 1800 && codes[0] < 2200 && codes[1] > 2800 && codes[1] < 3200,
	    "20 %% deferred (%d), 30 %% rejected (%d) of 10,000", codes[0], codes[1]);
	trap_free(&t);
}

static void
wishes(void)
{
	static const struct { const char *local; int what, code; const char *status; int64_t ms; } t[] = {
		{"reject-550", TRAPWISH_REPLY, 550, "5.1.1", 0},
		{"REJECT-599", TRAPWISH_REPLY, 599, "5.0.0", 0},
		{"reject-552-5.2.2+tag", TRAPWISH_REPLY, 552, "5.2.2", 0},
		{"defer-400", TRAPWISH_REPLY, 400, "4.0.0", 0},
		{"data-defer-451", TRAPWISH_REPLY, 451, "4.3.0", 0},
		{"toomany", TRAPWISH_REPLY, 452, "4.5.3", 0},
		{"toomany+1", TRAPWISH_REPLY, 452, "4.5.3", 0},
		{"slow-500ms", TRAPWISH_SLOW, 250, "2.1.5", 500},
		{"slow-2s", TRAPWISH_SLOW, 250, "2.1.5", 2000},
		{"slow-86400s", TRAPWISH_SLOW, 250, "2.1.5", 86400000},
		{"greylist-60", TRAPWISH_GREYLIST, 250, "2.1.5", 60000},
		{"multiline-250", TRAPWISH_MULTILINE, 250, "2.1.5", 0},
		{"tls-fail+a", TRAPWISH_TLS_FAIL, 250, "2.1.5", 0},
		{"reject-450", TRAPWISH_NONE, 250, "2.1.5", 0},
		{"reject-600", TRAPWISH_NONE, 250, "2.1.5", 0},
		{"reject-55", TRAPWISH_NONE, 250, "2.1.5", 0},
		{"reject-550x", TRAPWISH_NONE, 250, "2.1.5", 0},
		{"reject-550-4.1.1", TRAPWISH_NONE, 250, "2.1.5", 0},
		{"reject-550-5.1000.1", TRAPWISH_NONE, 250, "2.1.5", 0},
		{"reject-", TRAPWISH_NONE, 250, "2.1.5", 0},
		{"slow-5", TRAPWISH_NONE, 250, "2.1.5", 0},
		{"slow-86401s", TRAPWISH_NONE, 250, "2.1.5", 0},
		{"slow-99999999999999999999s", TRAPWISH_NONE, 250, "2.1.5", 0},
		{"multiline-354", TRAPWISH_NONE, 250, "2.1.5", 0},
		{"toomanyx", TRAPWISH_NONE, 250, "2.1.5", 0},
		{"", TRAPWISH_NONE, 250, "2.1.5", 0},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct trapwish w = trapwish_of(span_of(t[i].local));

		ok((int)w.what == t[i].what && w.code == t[i].code && w.wait_ms == t[i].ms &&
		    span_eq(w.status, span_of(t[i].status)), "wish \"%s\"", t[i].local);
	}
}

int
main(void)
{
	ends_of_content();
	cuts();
	long_lines();
	sizes();
	chunks();
	order();
	groups();
	parameters();
	recipients();
	greylist();
	dice();
	wishes();
	return tap_done();
}
