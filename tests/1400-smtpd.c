/* smtpd: the commands of a conversation, in and out of order; parameters; where content ends.  Every
 * conversation is had at once and byte by byte, with the same replies and messages. */
#include "tap.h"

#include "smtpdo.h"

#include <stdlib.h>

static struct stub {
	struct smtpd *s;
	struct buf story;   /* what the world was asked, and the messages */
	size_t begun, ended, abandoned, content;
	bool refuse_begin, refuse_end, deny_rcpt, auth;
} stub;

static void
on_connect(void *arg, struct smtpd_verdict *v)
{
	(void)arg, (void)v;
}

static void
on_auth_offer(void *arg, struct buf *out)
{
	(void)arg;
	if (stub.auth)
		buf_str(out, "PLAIN STEPS");
}

static enum smtpd_auth_is
on_auth_begin(void *arg, struct span name, struct span line, bool has_line, struct buf *challenge)
{
	(void)arg;
	if (span_ieq(name, SPAN("STEPS"))) {
		buf_str(challenge, "Zmlyc3Q=");
		return has_line ? SMTPD_AUTH_BAD : SMTPD_AUTH_MORE;
	}
	if (!span_ieq(name, SPAN("PLAIN")))
		return SMTPD_AUTH_UNKNOWN;
	if (!has_line)
		return SMTPD_AUTH_MORE;
	if (!span_eq(line, SPAN("good")))
		return SMTPD_AUTH_NO;
	buf_str(&stub.s->user, "ann");
	return SMTPD_AUTH_YES;
}

static enum smtpd_auth_is
on_auth_step(void *arg, struct span line, struct buf *challenge)
{
	(void)arg, (void)challenge;
	buf_str(&stub.s->user, "ann");
	return span_eq(line, SPAN("*"))    ? SMTPD_AUTH_CANCELLED
	       : span_eq(line, SPAN("ok")) ? SMTPD_AUTH_YES
	       : line.n == 0               ? SMTPD_AUTH_LATER
					   : SMTPD_AUTH_NO;
}

static void
on_auth_end(void *arg)
{
	(void)arg;
	buf_str(&stub.story, "[auth over]");
}

static void
on_mail(void *arg, const struct esmtp_mail *m, struct span sender, struct smtpd_verdict *v)
{
	(void)arg, (void)m;
	if (span_eq(sender, SPAN("bad@x.example")))
		smtpd_refuse(v, 550, "5.7.1", "not %s", "him");
}

static void
on_rcpt(void *arg, const struct esmtp_rcpt *r, struct span rcpt, struct smtpd_verdict *v)
{
	(void)arg, (void)r;
	if (stub.deny_rcpt || span_eq(rcpt, SPAN("bad@x.example")))
		smtpd_refuse(v, 550, "5.7.1", "denied");
}

static void
on_begin(void *arg, struct smtpd_verdict *v)
{
	const struct smtpd *s = stub.s;

	(void)arg;
	stub.begun++;
	if (stub.refuse_begin)
		smtpd_refuse(v, 451, "4.3.0", "full");
	buf_fmt(&stub.story, "<%s>", s->sender.s);
	for (size_t i = 0; i < s->n_rcpts; i++)
		buf_fmt(&stub.story, " %.*s %.*s %.*s;", SPAN_ARG(smtpd_rcpt_addr(s, i)),
		    SPAN_ARG(smtpd_rcpt_notify(s, i)), SPAN_ARG(smtpd_rcpt_orcpt(s, i)));
	stub.content = stub.story.len;
}

static void
on_content(void *arg, const void *p, size_t n, struct smtpd_verdict *v)
{
	(void)arg, (void)v;
	buf_add(&stub.story, p, n);
}

static void
on_end(void *arg, struct buf *id, struct smtpd_verdict *v)
{
	(void)arg;
	stub.ended += !stub.refuse_end;
	if (stub.refuse_end)
		smtpd_refuse(v, 452, "4.3.1", "full");
	buf_str(id, "ID");
	buf_str(&stub.story, "[end]");
}

static void
on_abandon(void *arg)
{
	(void)arg;
	stub.abandoned++;
	buf_cut(&stub.story, stub.content); /* how much of it came first is chance */
	buf_str(&stub.story, "[abandoned]");
}

static uint64_t
now_s(void *arg)
{
	(void)arg;
	return 1000000000; /* 2001-09-09T01:46:40Z */
}

static struct smtpd_rules rules;
static const struct smtpd_rules usual = {.hostname = "h.example", .max_size = 1000, .max_rcpts = 3,
    .max_messages = 5, .max_errors = 6, .max_idle = 8, .max_hold_s = 3600, .starttls = true};

/* Codes of final reply lines, in order; "+" for SECURE, "." for CLOSE at the end. */
static void
codes(const struct buf *out, struct buf *to)
{
	struct cur c = cur_of(out->s, out->len);
	struct span line;

	while (cur_line(&c, &line))
		if (line.n > 3 && line.p[3] == ' ')
			buf_fmt(to, "%s%.3s", to->len ? " " : "", line.p);
}

static void
talk(const char *in, size_t n, size_t step, struct buf *got, struct buf *all)
{
	static const struct smtpd_world world = {.connect = on_connect, .auth_offer = on_auth_offer,
	    .auth_begin = on_auth_begin, .auth_step = on_auth_step, .auth_end = on_auth_end,
	    .mail = on_mail, .rcpt = on_rcpt, .begin = on_begin, .content = on_content, .end = on_end,
	    .abandon = on_abandon, .now_s = now_s};
	enum smtpd_next next;
	struct smtpd s;
	size_t at = 0, used = 0;

	smtpd_init(&s, &rules, &world);
	stub.s = &s;
	next = smtpd_greet(&s);
	while (at < n && next != SMTPD_CLOSE) {
		size_t k = n - at < step ? n - at : step;

		next = smtpd_feed(&s, (struct span){in + at, k}, &used);
		at += used;
		codes(&s.out, got);
		buf_add(all, s.out.s, s.out.len);
		buf_cut(&s.out, 0);
		s.hurry = false;
		if (next == SMTPD_SECURE) {
			buf_str(got, "+");
			smtpd_secured(&s);
			next = SMTPD_READ;
		}
	}
	if (next == SMTPD_CLOSE)
		buf_str(got, ".");
	smtpd_free(&s);
	stub.s = NULL;
}

static void
check(const char *what, const char *in, size_t n, const char *want, const char *story)
{
	struct buf got = BUF_INIT, bytes = BUF_INIT, all = BUF_INIT, all_bytes = BUF_INIT, told;

	buf_cut(&stub.story, 0);
	talk(in, n, n, &got, &all);
	told = (struct buf)BUF_INIT;
	buf_add(&told, stub.story.s, stub.story.len);
	buf_cut(&stub.story, 0);
	talk(in, n, 1, &bytes, &all_bytes);
	is_str(got.s, want, what);
	is_str(bytes.s, want, "byte by byte");
	if (story)
		is_str(told.s, story, "what the world was asked");
	ok(told.len == stub.story.len && memcmp(told.s, stub.story.s, told.len) == 0,
	    "and byte by byte the same");
	ok(memchr(all.s, '\0', all.len) == NULL, "no NUL in a reply");
	buf_free(&got);
	buf_free(&bytes);
	buf_free(&all);
	buf_free(&all_bytes);
	buf_free(&told);
}

#define M "EHLO me\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n"
#define T(what, in, want, story) {what, in, sizeof in - 1, want, story}

/* The greeting is left out of the codes' expectation: each begins with 220. */
static const struct {
	const char *what, *in;
	size_t n;
	const char *want, *story;
} table[] = {
    T("RFC 5321 D.1", M "DATA\r\nhi\r\n.\r\nQUIT\r\n", "220 250 250 250 354 250 221.",
	"<a@x.example> b@y.example  ;hi\r\n[end]"),
    T("verbs in any case, blanks at the end", "ehlo me \r\nmail from:<a@x.example> \r\n"
	"rcpt to: <b@y.example>\r\nQuit \r\n", "220 250 250 250 221.", ""),
    T("HELO", "HELO me\r\nMAIL FROM:<>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n.\r\n",
	"220 250 250 250 354 250", "<> b@y.example  ;[end]"),
    T("MAIL before EHLO", "MAIL FROM:<a@x.example>\r\n", "220 503", ""),
    T("RCPT before MAIL", "EHLO me\r\nRCPT TO:<a@x.example>\r\n", "220 250 503", ""),
    T("DATA before MAIL", "EHLO me\r\nDATA\r\n", "220 250 503", ""),
    T("DATA without recipients", "EHLO me\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<bad@x.example>\r\n"
	"DATA\r\n", "220 250 250 550 554", ""),
    T("MAIL inside a transaction", M "MAIL FROM:<c@x.example>\r\nDATA\r\n.\r\n",
	"220 250 250 250 503 354 250", "<a@x.example> b@y.example  ;[end]"),
    T("EHLO ends a transaction", M "EHLO me\r\nDATA\r\n", "220 250 250 250 250 503", ""),
    T("RSET ends a transaction", M "RSET\r\nDATA\r\n", "220 250 250 250 250 503", ""),
    T("a refused sender", "EHLO me\r\nMAIL FROM:<bad@x.example>\r\nRCPT TO:<b@y.example>\r\n",
	"220 250 550 503", ""),
    T("nothing of one message is in the next",
	"EHLO me\r\nMAIL FROM:<a@x.example> ENVID=e\r\nRCPT TO:<b@y.example> NOTIFY=NEVER\r\nDATA\r\nx\r\n.\r\n"
	"MAIL FROM:<>\r\nRCPT TO:<c@y.example>\r\nDATA\r\ny\r\n.\r\n",
	"220 250 250 250 354 250 250 250 354 250",
	"<a@x.example> b@y.example NEVER ;x\r\n[end]<> c@y.example  ;y\r\n[end]"),
    T("the fourth recipient comes with another message", M "RCPT TO:<c@y.example>\r\n"
	"RCPT TO:<d@y.example>\r\nRCPT TO:<e@y.example>\r\n", "220 250 250 250 250 250 452", ""),
    T("NOOP with and without a word, HELP, VRFY", "NOOP\r\nNOOP x\r\nHELP\r\nVRFY a\r\nVRFY\r\n",
	"220 250 250 214 252 501", ""),
    T("commands that are declined", "EXPN a\r\nETRN a\r\nTURN\r\nSAML FROM:<a@x.example>\r\n",
	"220 502 502 502 502", ""),
    T("unknown", "FOO\r\nMAILFROM:<a@x.example>\r\n\r\n \r\n", "220 500 500 500 500", ""),
    T("arguments that may not be", "EHLO\r\nHELO\r\nEHLO a b\r\nRSET x\r\nQUIT x\r\n",
	"220 501 501 501 501 501", ""),
    T("too many errors", "A\r\nB\r\nC\r\nD\r\nE\r\nF\r\nQUIT\r\n", "220 500 500 500 500 500 500 421.", ""),
    T("too many commands without a message",
	"NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n",
	"220 250 250 250 250 250 250 250 250 421.", ""),
    T("a browser", "GET / HTTP/1.1\r\nHost: x\r\n\r\nMAIL\r\n", "220 421.", ""),
    T("a browser's header", "Host: x\r\n", "220 421.", ""),
    T("a message that a browser was made to send", "POST /x HTTP/1.1\r\n" M, "220 421.", ""),
    /* lines */
    T("a command ended by LF ends all", "EHLO me\nMAIL FROM:<a@x.example>\r\n", "220 521.", ""),
    T("bare CR in a command", "NOOP a\rb\r\nNOOP\r\n", "220 521.", ""),
    T("CR CR LF", "NOOP\r\r\nNOOP\r\n", "220 521.", ""),
    T("NUL in a command", "NOOP \0\r\nNOOP\r\n", "220 521.", ""),
    /* STARTTLS */
    T("STARTTLS", "EHLO me\r\nSTARTTLS\r\n", "220 250 220+", ""),
    T("before EHLO", "STARTTLS\r\n", "220 503", ""),
    T("with an argument", "EHLO me\r\nSTARTTLS now\r\n", "220 250 501", ""),
    /* content */
    T("dots", M "DATA\r\n..a\r\n.b\r\n. \r\n...\r\nc.\r\n.\r\n", "220 250 250 250 354 250",
	"<a@x.example> b@y.example  ;.a\r\nb\r\n \r\n..\r\nc.\r\n[end]"),
    T("bare LF refuses at the real end", M "DATA\r\na\nb\r\n.\r\nQUIT\r\n", "220 250 250 250 354 554 221.",
	"<a@x.example> b@y.example  ;[abandoned]"),
    T("LF.LF is no end", M "DATA\r\na\n.\nMAIL FROM:<evil@x.example>\r\n.\r\nNOOP\r\n",
	"220 250 250 250 354 554 250", NULL),
    T("LF.CRLF", M "DATA\r\na\n.\r\nMAIL FROM:<evil@x.example>\r\n.\r\nNOOP\r\n",
	"220 250 250 250 354 554 250", NULL),
    T("CR.CRLF", M "DATA\r\na\r.\r\nx\r\n.\r\nNOOP\r\n", "220 250 250 250 354 554 250", NULL),
    T("CRLF.LF", M "DATA\r\na\r\n.\nx\r\n.\r\nNOOP\r\n", "220 250 250 250 354 554 250", NULL),
    T("CRLF.CR", M "DATA\r\na\r\n.\rx\r\n.\r\nNOOP\r\n", "220 250 250 250 354 554 250", NULL),
    T("CRLF NUL.CRLF", M "DATA\r\na\r\n\0.\r\nx\r\n.\r\nNOOP\r\n", "220 250 250 250 354 554 250", NULL),
    T("NUL", M "DATA\r\na\0b\r\n.\r\n", "220 250 250 250 354 554", NULL),
    /* BDAT */
    T("BDAT in two chunks", M "BDAT 3\r\na\r\nBDAT 3 LAST\r\nb\r\n", "220 250 250 250 250 250",
	"<a@x.example> b@y.example  ;a\r\nb\r\n[end]"),
    T("a CRLF over the edge of a chunk", M "BDAT 2\r\na\rBDAT 1 LAST\r\n\n", "220 250 250 250 250 250",
	"<a@x.example> b@y.example  ;a\r\n[end]"),
    T("BDAT 0 LAST", M "BDAT 0 LAST\r\n", "220 250 250 250 250", "<a@x.example> b@y.example  ;[end]"),
    T("a dot is content in BDAT", M "BDAT 5 LAST\r\n.\r\n.\nNOOP\r\n", "220 250 250 250 554 250", NULL),
    T("two lines of dots", M "BDAT 6 last\r\n.\r\n.\r\nNOOP\r\n", "220 250 250 250 250 250",
	"<a@x.example> b@y.example  ;.\r\n.\r\n[end]"),
    T("CR at the end of the last chunk", M "BDAT 2 LAST\r\na\rNOOP\r\n", "220 250 250 250 554 250", NULL),
    T("a refused chunk is passed over", "EHLO me\r\nBDAT 6\r\nNOOP\r\nNOOP\r\n", "220 250 503 250", ""),
    T("no recipients", "EHLO me\r\nMAIL FROM:<>\r\nBDAT 6 LAST\r\nNOOP\r\nNOOP\r\n",
	"220 250 250 554 250", ""),
    T("DATA behind BDAT", M "BDAT 1\r\naDATA\r\nBDAT 1 LAST\r\nb", "220 250 250 250 250 503 250",
	"<a@x.example> b@y.example  ;ab[end]"),
    T("RCPT behind BDAT", M "BDAT 1\r\naRCPT TO:<c@y.example>\r\nMAIL FROM:<>\r\n",
	"220 250 250 250 250 503 503", NULL),
    T("RSET behind BDAT", M "BDAT 1\r\naRSET\r\nBDAT 1 LAST\r\nb", "220 250 250 250 250 250 503",
	"<a@x.example> b@y.example  ;[abandoned]"),
    T("what is no size ends all", M "BDAT x\r\nNOOP\r\n", "220 250 250 250 501.", NULL),
    T("a word that is not LAST", M "BDAT 1 FIRST\r\nxNOOP\r\n", "220 250 250 250 501.", NULL),
    T("a size over all measure", M "BDAT 99999999999 LAST\r\nNOOP\r\n", "220 250 250 250 552.", NULL),
    T("a chunk refused, then another", M "BDAT 2\r\na\nBDAT 1 LAST\r\nb", "220 250 250 250 554 503",
	NULL),
};

/* Parameters of MAIL and RCPT: each RFC's grammar, both sides of its limits. */
static const struct {
	const char *what, *args;
	int code;
} mails[] = {
    {"RFC 1870", "SIZE=1000", 250}, {"one too many", "SIZE=1001", 552}, {"no number", "SIZE=x", 501},
    {"20 digits", "SIZE=00000000000000000001", 250}, {"21", "SIZE=000000000000000000001", 501},
    {"the largest that 20 digits tell", "SIZE=99999999999999999999", 552},
    {"of which one is none", "SIZE=9999999999999999999x", 501},
    {"no value", "SIZE", 501}, {"an empty value", "SIZE=", 501},
    {"RFC 6152", "BODY=8BITMIME", 250}, {"7BIT", "body=7bit", 250}, {"BINARYMIME", "BODY=BINARYMIME", 501},
    {"RFC 6531", "SMTPUTF8", 250}, {"no value for it", "SMTPUTF8=1", 501},
    {"RFC 3461", "RET=HDRS ENVID=a+2Bb", 250}, {"RET", "RET=SOME", 501}, {"xtext", "ENVID=a+b", 501},
    {"twice", "RET=FULL RET=FULL", 501},
    {"RFC 4865", "HOLDFOR=3600", 250}, {"too long", "HOLDFOR=3601", 501}, {"0", "HOLDFOR=0", 501},
    {"until", "HOLDUNTIL=2001-09-09T02:46:40Z", 250}, {"too late", "HOLDUNTIL=2001-09-09T02:46:41Z", 501},
    {"both", "HOLDFOR=1 HOLDUNTIL=2001-09-09T01:46:41Z", 501}, {"no date", "HOLDUNTIL=tomorrow", 501},
    {"RFC 2852", "BY=120;R", 250}, {"with a trace", "BY=-120;NT", 250}, {"R of the past", "BY=0;R", 501},
    {"negative R", "BY=-1;R", 501}, {"mode", "BY=1;X", 501}, {"10 digits", "BY=1000000000;N", 501},
    {"9 digits", "BY=999999999;N", 250},
    {"RFC 6710", "MT-PRIORITY=-9", 250}, {"10", "MT-PRIORITY=10", 501}, {"-0", "MT-PRIORITY=-0", 501},
    {"RFC 4954", "AUTH=<>", 250}, {"an address", "AUTH=e+3Dmc2@example.com", 250}, {"none", "AUTH=x", 501},
    {"RFC 8689 without TLS", "REQUIRETLS", 555},
    {"unknown", "FOO=1", 555}, {"no keyword", "=1", 501}, {"a keyword with a hyphen first", "-A=1", 501},
    {"no blank between", "RET=FULL\tENVID=a", 250},
};
static const struct {
	const char *what, *args;
	int code;
} rcpts[] = {
    {"NEVER", "NOTIFY=NEVER", 250}, {"a list", "NOTIFY=success,Delay", 250},
    {"NEVER with others", "NOTIFY=NEVER,DELAY", 501}, {"empty part", "NOTIFY=DELAY,", 501},
    {"ORCPT", "ORCPT=rfc822;a+2Bb@x.example", 250}, {"no type", "ORCPT=;a", 501},
    {"no text", "ORCPT=rfc822;", 501}, {"no xtext", "ORCPT=rfc822;a+b", 501},
    {"RFC 6533", "ORCPT=utf-8;b\\x{E4}r@x.example", 250}, {"raw UTF-8 without SMTPUTF8", "ORCPT=utf-8;b\303\244r@x", 501},
    {"twice", "NOTIFY=DELAY NOTIFY=DELAY", 501}, {"unknown", "FOO=1", 555},
};
static const struct {
	const char *what, *path;
	int code;
} paths[] = {
    {"plain", "<a@x.example>", 250}, {"quoted", "<\"a b\"@x.example>", 250}, {"literal", "<a@[192.0.2.1]>", 250},
    {"a source route", "<@y.example,@z.example:a@x.example>", 250}, {"postmaster", "<Postmaster>", 250},
    {"percent", "<a%y.example@x.example>", 250}, {"bangs", "<y!a@x.example>", 250},
    {"no brackets", "a@x.example", 553}, {"nothing", "", 553}, {"null", "<>", 553},
    {"half", "<a@x.example", 553}, {"two", "<a@x.example><b@x.example>", 501},
    {"local part of 64", "<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@x.example>", 250},
    {"local part of 65", "<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@x.example>", 553},
    {"UTF-8 without SMTPUTF8", "<b\303\244r@x.example>", 553}, {"a control", "<a\001@x.example>", 553},
};

static void
one(const char *what, const char *args, const char *before, const char *after, int code)
{
	struct buf in = BUF_INIT, got = BUF_INIT, all = BUF_INIT;
	char want[40];

	buf_fmt(&in, "EHLO me\r\n%s%s%s\r\n", before, args, after);
	talk(in.s, in.len, in.len, &got, &all);
	snprintf(want, sizeof want, "%s %d", strstr(before, "RCPT") ? "220 250 250" : "220 250", code);
	ok(strcmp(got.s, want) == 0, "%s: %s: %s", what, args, got.s);
	buf_free(&in);
	buf_free(&got);
	buf_free(&all);
}

static void
parameters(void)
{
	for (size_t i = 0; i < sizeof mails / sizeof *mails; i++)
		one(mails[i].what, mails[i].args, "MAIL FROM:<a@x.example> ", "", mails[i].code);
	for (size_t i = 0; i < sizeof rcpts / sizeof *rcpts; i++)
		one(rcpts[i].what, rcpts[i].args, "MAIL FROM:<>\r\nRCPT TO:<a@x.example> ", "", rcpts[i].code);
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		one(paths[i].what, paths[i].path, "MAIL FROM:<>\r\nRCPT TO:", "", paths[i].code);
}

/* Limits that rules give. */
static void
limits(void)
{
	char big[1400];
	struct buf in = BUF_INIT;
	size_t n;

	memset(big, 'x', sizeof big);
	for (n = 996; n <= 999; n++) {
		buf_cut(&in, 0);
		buf_fmt(&in, M "DATA\r\n%.*s\r\n.\r\nNOOP\r\n", (int)n, big);
		check(n > 998 ? "1,001 bytes" : "1,000 bytes or less", in.s, in.len,
		    n > 998 ? "220 250 250 250 354 552 250" : "220 250 250 250 354 250 250", NULL);
	}
	check("a chunk over the limit", M "BDAT 1001 LAST\r\n", sizeof M "BDAT 1001 LAST\r\n" - 1,
	    "220 250 250 250", NULL);
	/* RFC 4954 4: 12,288 octets. */
	for (n = SMTPD_LINE_MAX - 1; n <= SMTPD_LINE_MAX + 1; n++) {
		buf_cut(&in, 0);
		buf_str(&in, "NOOP ");
		while (in.len < n - 2)
			buf_ch(&in, 'x');
		buf_str(&in, "\r\nNOOP\r\n");
		check("a long line", in.s, in.len, n > SMTPD_LINE_MAX ? "220 500 250" : "220 250 250", "");
	}
	buf_cut(&in, 0);
	for (int i = 0; i < 6; i++)
		buf_str(&in, i ? "MAIL FROM:<>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n.\r\n"
			       : "EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n.\r\n");
	check("the sixth message of a connection", in.s, in.len,
	    "220 250 250 250 354 250 250 250 354 250 250 250 354 250 250 250 354 250 250 250 354 250 421.",
	    NULL);
	buf_free(&in);
}

#define CHECK(what, in, want, story) check(what, in, sizeof in - 1, want, story)

static void
world_says_no(void)
{
	stub.refuse_begin = true;
	CHECK("no room at DATA", M "DATA\r\nNOOP\r\n", "220 250 250 250 451 250", NULL);
	CHECK("no room at BDAT", M "BDAT 6 LAST\r\nNOOP\r\nNOOP\r\n", "220 250 250 250 451 250", NULL);
	stub.refuse_begin = false;
	stub.refuse_end = true;
	CHECK("no room at the end", M "DATA\r\n.\r\nNOOP\r\n", "220 250 250 250 354 452 250",
	    "<a@x.example> b@y.example  ;[abandoned]");
	stub.refuse_end = false;
}

static void
logging_in(void)
{
	rules.need_auth = true;
	CHECK("no mail without AUTH", "EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n",
	    "220 250 530 503 503", "");
	CHECK("where it is not offered", "EHLO me\r\nAUTH PLAIN good\r\n", "220 250 502", "");
	stub.auth = true;
	CHECK("before EHLO", "AUTH PLAIN good\r\nHELO me\r\nAUTH PLAIN good\r\n", "220 503 250 503", "");
	CHECK("at once", "EHLO me\r\nAUTH PLAIN good\r\nMAIL FROM:<>\r\n", "220 250 235 250", "[auth over]");
	CHECK("in steps", "EHLO me\r\nAUTH STEPS\r\nok\r\nMAIL FROM:<>\r\n", "220 250 334 235 250", NULL);
	CHECK("twice", "EHLO me\r\nAUTH PLAIN good\r\nAUTH PLAIN good\r\n", "220 250 235 503", NULL);
	CHECK("in a transaction", "EHLO me\r\nAUTH PLAIN good\r\nMAIL FROM:<>\r\nAUTH PLAIN good\r\n",
	    "220 250 235 250 503", NULL);
	CHECK("wrong", "EHLO me\r\nAUTH PLAIN bad\r\nMAIL FROM:<>\r\n", "220 250 535 530", NULL);
	CHECK("wrong in steps", "EHLO me\r\nAUTH STEPS\r\nbad\r\nMAIL FROM:<>\r\n", "220 250 334 535 530", NULL);
	CHECK("cancelled", "EHLO me\r\nAUTH STEPS\r\n*\r\nMAIL FROM:<>\r\n", "220 250 334 501 530", NULL);
	CHECK("local trouble", "EHLO me\r\nAUTH STEPS\r\n\r\nMAIL FROM:<>\r\n", "220 250 334 454 530", NULL);
	CHECK("unknown", "EHLO me\r\nAUTH FOO\r\nAUTH\r\n", "220 250 504 501", NULL);
	rules.need_tls = true;
	CHECK("nothing before TLS", "EHLO me\r\nAUTH PLAIN good\r\nMAIL FROM:<>\r\nRSET\r\nNOOP\r\n",
	    "220 250 538 530 530 250", "");
	CHECK("TLS makes all forgotten", "EHLO me\r\nSTARTTLS\r\n", "220 250 220+", "");
	rules = usual;
	stub.auth = false;
}

static void
repairing(void)
{
	rules.repair = true;
	CHECK("bare line ends are repaired", M "DATA\r\na\nb\rc\n.\nd\n..e\r\n.\r\n",
	    "220 250 250 250 354 250",
	    "<a@x.example> b@y.example  ;a\r\nb c\r\n.\r\nd\r\n..e\r\n[end]");
	CHECK("but CRLF.CRLF alone ends", M "DATA\r\na\n.\r\nb\r.\r\nc\r\n.\nd\r\n.\re\r\n.\r\nNOOP\r\n",
	    "220 250 250 250 354 250 250",
	    "<a@x.example> b@y.example  ;a\r\n.\r\nb .\r\nc\r\n\r\nd\r\n e\r\n[end]");
	CHECK("NUL is not repaired", M "DATA\r\na\0\r\n.\r\n", "220 250 250 250 354 554", NULL);
	CHECK("a command may end with LF", "EHLO me\nNOOP\nQUIT\n", "220 250 250 221.", "");
	rules = usual;
}

int
main(void)
{
	rules = usual;
	stub.story = (struct buf)BUF_INIT;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		check(table[i].what, table[i].in, table[i].n, table[i].want, table[i].story);
	parameters();
	limits();
	world_says_no();
	logging_in();
	repairing();
	is_num((long long)stub.begun, (long long)(stub.ended + stub.abandoned), "begun is ended or abandoned");
	buf_free(&stub.story);
	return tap_done();
}
