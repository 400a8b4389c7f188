/* reply: RFC 5321 4.2 and appendix D, RFC 2034, RFC 3463, and what servers in the field say. */
#include "reply.h"

#include "tap.h"

static const struct {
	const char *what, *in;
	size_t n;
	int rc, code;
	bool last;
	const char *text;
} lines[] = {
    {"RFC 5321 D.1 250 OK", B("250 OK\r\n"), 0, 250, true, "OK"},
    {"RFC 5321 D.1, first of several", B("250-foo.com greets bar.com\r\n"), 0, 250, false,
        "foo.com greets bar.com"},
    {"a bare code, RFC 5321 4.2", B("250\r\n"), 0, 250, true, ""},
    {"a bare code and more to come", B("250-\r\n"), 0, 250, false, ""},
    {"text without a blank", B("250ok\r\n"), 0, 250, true, "ok"},
    {"two blanks", B("250  ok \r\n"), 0, 250, true, " ok "},
    {"UTF-8, RFC 6531 3.7.4", B("550 n\xc3\xb6\r\n"), 0, 550, true, "n\xc3\xb6"},
    {"Latin-1", B("550 n\xf6\r\n"), 0, 550, true, "n\xf6"},
    {"a control character", B("250 \x1b[2Jok\r\n"), 0, 250, true, "\x1b[2Jok"},
    {"the lowest", B("200 x\r\n"), 0, 200, true, "x"},
    {"the highest", B("599 x\r\n"), 0, 599, true, "x"},
    {"below", B("199 x\r\n"), EX_PROTOCOL, 0, false, NULL},
    {"above", B("600 x\r\n"), EX_PROTOCOL, 0, false, NULL},
    {"two digits", B("25 x\r\n"), EX_PROTOCOL, 0, false, NULL},
    {"four digits", B("2500 x\r\n"), EX_PROTOCOL, 0, false, NULL},
    {"no digits", B("HTTP/1.1 400 Bad Request\r\n"), EX_PROTOCOL, 0, false, NULL},
    {"a blank first", B(" 250 ok\r\n"), EX_PROTOCOL, 0, false, NULL},
    {"bare LF is refused", B("250 ok\n"), EX_PROTOCOL, 0, false, NULL},
    {"bare CR within", B("250 a\rb\r\n"), EX_PROTOCOL, 0, false, NULL},
    {"CR CR LF", B("250 a\r\r\n"), EX_PROTOCOL, 0, false, NULL},
    {"NUL in text", B("250 a\0b\r\n"), EX_PROTOCOL, 0, false, NULL},
    {"no line end", B("250 ok"), EX_PROTOCOL, 0, false, NULL},
    {"half a line end", B("250 ok\r"), EX_PROTOCOL, 0, false, NULL},
    {"nothing", B(""), EX_PROTOCOL, 0, false, NULL},
};

static void
test_lines(void)
{
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct cur c = cur_of(lines[i].in, lines[i].n);
		struct cur before = c;
		struct reply_line out = {0};

		is_num(reply_line(&c, &out, &e), lines[i].rc, lines[i].what);
		if (lines[i].rc) {
			ok(c.p == before.p, "the cursor stays");
			continue;
		}
		ok(cur_end(&c) && out.code == lines[i].code && out.last == lines[i].last, "code and kind");
		is_mem(out.text.p, out.text.n, lines[i].text, strlen(lines[i].text), "text");
	}
	err_free(&e);
}

static void
test_line_limit(void)
{
	struct err e = ERR_INIT;

	for (size_t over = 0; over < 2; over++) {
		struct buf b = BUF_INIT;
		struct reply_line out;
		struct cur c;

		buf_str(&b, "250 ");
		while (b.len + 2 < REPLY_LINE_MAX + over)
			buf_ch(&b, 'x');
		buf_str(&b, "\r\n");
		c = cur_of(b.s, b.len);
		is_num(reply_line(&c, &out, &e), over ? EX_PROTOCOL : 0,
		    over ? "a line of 4097 bytes" : "a line of 4096 bytes");
		buf_free(&b);
	}
	err_free(&e);
}

static int
add_all(struct reply *r, const char *in, struct err *e)
{
	struct cur c = cur_span(span_of(in));
	int rc = 0;

	reply_clear(r);
	while (!rc && !cur_end(&c)) {
		struct reply_line line;

		rc = reply_line(&c, &line, e);
		if (!rc)
			rc = reply_add(r, &line, e);
	}
	return rc;
}

static const struct {
	const char *in, *status, *text;
} replies[] = {
    /* RFC 2034 5 */
    {"550 5.1.1 Mailbox \"nosuchuser\" does not exist\r\n", "5.1.1",
        "Mailbox \"nosuchuser\" does not exist"},
    {"551-5.7.1 Forwarding to remote hosts disabled\r\n"
     "551 5.7.1 Select another host to act as your forwarder\r\n", "5.7.1",
        "Forwarding to remote hosts disabled\nSelect another host to act as your forwarder"},
    {"250 OK\r\n", "", "OK"},
    {"250\r\n", "", ""},
    {"250-\r\n250\r\n", "", "\n"},
    {"550 #5.1.0 Address rejected.\r\n", "5.1.0", "Address rejected."}, /* IronPort */
    {"550 5.1.1: no such user\r\n", "5.1.1", ": no such user"},
    {"550 5.1.1<a@b>\r\n", "5.1.1", "<a@b>"},
    {"550 5.1.1\r\n", "5.1.1", ""},
    {"550-no\r\n550 5.7.26 really\r\n", "5.7.26", "no\nreally"},
    {"550 5.999.999 x\r\n", "5.999.999", "x"},
    {"550 5.1000.1 x\r\n", "", "5.1000.1 x"},
    {"550 5.1.1000 x\r\n", "", "5.1.1000 x"},
    {"550 5.1.01 x\r\n", "", "5.1.01 x"},
    {"550 5.1.0 x\r\n", "5.1.0", "x"},
    {"550 5.1 x\r\n", "", "5.1 x"},
    {"550 5.1. x\r\n", "", "5.1. x"},
    {"550 4.1.1 x\r\n", "", "4.1.1 x"},
    {"450 4.2.0 x\r\n", "4.2.0", "x"},
    {"250 2.1.2.3 is my address\r\n", "", "2.1.2.3 is my address"},
    {"250 2.1.2x\r\n", "", "2.1.2x"},
    {"354 3.0.0 go\r\n", "", "3.0.0 go"},
};

static void
test_replies(void)
{
	struct reply r = REPLY_INIT;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
		ok(add_all(&r, replies[i].in, &e) == 0, "reply %zu is added", i);
		is_str(r.status, replies[i].status, "its status code");
		is_str(r.text.s, replies[i].text, "its text");
	}
	is_num(add_all(&r, "250-a\r\n251 b\r\n", &e), EX_PROTOCOL, "the code changes");
	is_str(err_text(&e), "reply changes its code from 250 to 251", "and that is said");
	reply_free(&r);
	err_free(&e);
}

static void
test_reply_limit(void)
{
	static char text[REPLY_LINE_MAX];
	struct reply r = REPLY_INIT;
	struct reply_line line = {250, false, {text, 4000}};
	struct err e = ERR_INIT;
	int rc = 0, n = 0;

	memset(text, 'x', sizeof text);
	while (!rc && n < 100) {
		rc = reply_add(&r, &line, &e);
		n += !rc;
	}
	is_num(n, 16, "sixteen lines of 4000 bytes");
	is_num(rc, EX_PROTOCOL, "the next is over REPLY_MAX");
	line.text.n = 0;
	rc = 0;
	for (n = 0; !rc && n < 100000; n++)
		rc = reply_add(&r, &line, &e);
	is_num(rc, EX_PROTOCOL, "empty lines come to an end too");
	ok(r.text.len <= REPLY_MAX, "never over REPLY_MAX");
	reply_clear(&r);
	ok(r.code == 0 && r.text.len == 0 && r.status[0] == '\0', "cleared");
	reply_free(&r);
	err_free(&e);
}

static void
test_ehlo(void)
{
	struct reply r = REPLY_INIT;
	struct err e = ERR_INIT;
	struct ehlo h = {.dsn = true};

	add_all(&r, "250-foo.com greets bar.com\r\n250-8BITMIME\r\n250-SIZE\r\n250-DSN\r\n250 HELP\r\n", &e);
	ehlo_parse(&h, &r); /* RFC 5321 D.1 */
	ok(h.eightbitmime && h.dsn && h.size_known && h.size == 0, "RFC 5321 D.1");
	ok(!h.pipelining && !h.chunking && !h.smtputf8 && !h.starttls && !h.enhanced &&
	    !h.binarymime, "and nothing else");
	add_all(&r, "250-PIPELINING\r\n250-pipelining\r\n250-Chunking\r\n250-SMTPUTF8\r\n250-STARTTLS\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n250-BINARYMIME\r\n250-SIZE 52428800\r\n"
	    "250 LIMITS RCPTMAX=20 MAILMAX=5 RCPTDOMAINMAX=1\r\n", &e);
	ehlo_parse(&h, &r);
	ok(h.pipelining && h.chunking && h.smtputf8 && h.starttls && h.enhanced && h.binarymime,
	    "keywords without case");
	ok(!h.eightbitmime && !h.dsn, "the last server's are forgotten");
	is_num((long long)h.size, 52428800, "SIZE");
	is_num((long long)h.rcpt_max, 20, "RCPTMAX, RFC 9422");
	is_num((long long)h.mail_max, 5, "MAILMAX");
	add_all(&r, "250-PIPELINING\r\n250-XDSN\r\n250-DSNX\r\n250-CHUNKING=1\r\n250-SIZE=1000\r\n250 LIMITS\r\n", &e);
	ehlo_parse(&h, &r);
	ok(!h.pipelining, "the first line is the name");
	ok(!h.dsn && !h.chunking, "other words that look alike");
	is_num((long long)h.size, 1000, "SIZE=n");
	is_num((long long)h.rcpt_max, 0, "LIMITS without any");
	add_all(&r, "250-x\r\n250 SIZE 18446744073709551616\r\n", &e);
	ehlo_parse(&h, &r);
	ok(h.size_known && h.size == 0, "a SIZE past 64 bits is no limit");
	add_all(&r, "250-x\r\n250-SIZE 18446744073709551615\r\n250 DSN \r\n", &e);
	ehlo_parse(&h, &r);
	ok(h.size == UINT64_MAX && h.dsn, "the largest SIZE; a blank behind a keyword");
	reply_free(&r);
	err_free(&e);
}

static const struct {
	const char *text;
	uint32_t want;
} hints[] = {
    {"try again in 300 seconds", 300},
    {"Try again after 1 hour", 3600},
    {"please retry in 5 minutes", 300},
    {"please wait 10 min", 600},
    {"Greylisted, please try again in 180 seconds", 180},
    {"Recipient address rejected: Greylisted for 60 seconds (see http://x.test/1234)", 60},
    {"Greylisted for 5 minutes", 300},
    {"Greylisting in action, please come back in 00:05:00", 300}, /* milter-greylist */
    {"Greylisting in action, please come back in 01:00:30", 3630},
    {"too many connections, try again in 60s", 60},
    {"Please wait at least 2 hours before retrying", 7200},
    {"You must wait for another 57 secs", 57},
    {"retry after 10m", 600},
    {"Try again later (in 15 minutes)", 900},
    {"please try again\nin 5\nminutes", 300},
    {"try again in an hour", 3600},
    {"Retry in a minute.", 60},
    {"try again in 5-10 minutes", 600},
    {"try again in 5 to 10 minutes", 600},
    {"a 5-minute limit: wait 1-minute", 60},
    {"temporarily blocked for 3600 seconds", 3600},
    {"PLEASE TRY AGAIN IN 5 MINUTES", 300},
    {"try again in 86399 seconds", 86399},
    {"try again in 86400 seconds", 86400},
    {"try again in 86401 seconds", 86400},
    {"try again in 3 days", 86400},
    {"try again in 99999999999999999999 hours", 86400},
    {"try again in 4294967296 days", 86400},

    {"", 0},
    {"OK", 0},
    {"try again later", 0},
    {"Temporary failure, please try again later.", 0},
    {"try again in 0 seconds", 0},
    {"try again in 300", 0},
    {"try again in a few minutes", 0},
    {"limit is 100 messages in 60 minutes, try again later", 0},
    {"please wait: limit is 100 messages in 60 minutes", 0},
    {"retry limit 5 exceeded within 10 minutes", 0},
    {"try again. 30 seconds is the timeout", 0},
    {"try again in 1.5 hours", 0},
    {"try again in 500 ms", 0},
    {"try again in 5 monkeys", 0},
    {"try again after 10:30:00", 0}, /* a time of day */
    {"try again in 10:30", 0},
    {"connection timed out after 300 seconds", 0},
    {"message of 300 seconds", 0},
    {"against 300 seconds", 0},
    {"4.7.0 [TS01] Messages from 192.0.2.1 temporarily deferred due to user complaints", 0},
};

static void
test_hints(void)
{
	for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
		if (reply_wait_hint(span_of(hints[i].text)) != hints[i].want)
			ok(false, "hint: %s", hints[i].text);
		else
			ok(true, "hint %zu: %u s", i, hints[i].want);
}

int
main(void)
{
	test_lines();
	test_line_limit();
	test_replies();
	test_reply_limit();
	test_ehlo();
	test_hints();
	return tap_done();
}
