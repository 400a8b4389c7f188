/* notice, notetext: what a notice says, and the text that may be replaced. */
#include "notice.h"
#include "noticewords.h"
#include "tap.h"

#include <stdlib.h>

#define S(lit) SPAN(lit)
static struct notetext usual;

/* --- the text's file */

#define FOUR                                                                                       \
	"[delayed]\nSubject: d\n\n{recipients}\n[delivered]\nSubject: e\n\n{recipients}\n"          \
	"[digest]\nSubject: g\n\n{recipients}\n[end]\nbye\n"
#define GOOD "[failed]\nSubject: f {subject}\n\nno {{ {recipients}}\n" FOUR

static void
refused(const char *text, const char *want)
{
	struct notetext t;
	struct err e = ERR_INIT;
	int rc = notetext_parse(&t, "f", span_of(text), &e);

	ok(rc == EX_CONFIG, "refused: %s", want);
	is_str(err_text(&e), want, "and why");
	err_free(&e);
	notetext_free(&t);
}

static void
files(void)
{
	struct notetext_values v = {{{NULL, 0}}};
	struct buf out = BUF_INIT, big = BUF_INIT;
	struct notetext t;
	struct err e = ERR_INIT;

	is_num(notetext_parse(&t, "f", S("# mine\n\n" GOOD), &e), 0, "remarks before the first section");
	v.v[NOTETEXT_SUBJECT] = S("a\r\nBcc: x {host}");
	v.v[NOTETEXT_RECIPIENTS] = S("ann\nbob\r\x01");
	notetext_subject(&t, NOTETEXT_FAILED, &v, &out);
	is_str(out.s, "f a  Bcc: x {host}", "a value makes no line and no placeholder");
	buf_cut(&out, 0);
	v.v[NOTETEXT_SUBJECT] = S("a\xc2\x9b" "31m\xe2\x80\xa8" "b\xe2\x80\xae" "c\xe2\x81\xa6" "d\xc2\xa0\xe2\x80\xa7\xc3\xa4\xff\xe2\x80");
	notetext_subject(&t, NOTETEXT_FAILED, &v, &out);
	is_str(out.s, "f a 31m b c d\xc2\xa0\xe2\x80\xa7\xc3\xa4???",
	    "nor does it command a terminal or turn what stands around it; it is UTF-8");
	buf_cut(&out, 0);
	notetext_body(&t, NOTETEXT_FAILED, &v, &out);
	is_str(out.s, "no { ann\nbob  }\n", "a body");
	buf_cut(&out, 0);
	notetext_body(&t, NOTETEXT_END, &v, &out);
	is_str(out.s, "bye\n", "the end has no subject");
	notetext_free(&t);
	is_num(notetext_parse(&t, "f", S("[failed]\r\nSubject: f\r\n\r\n{recipients}\r\n" FOUR), &e), 0, "CRLF");
	buf_cut(&out, 0);
	notetext_body(&t, NOTETEXT_FAILED, &v, &out);
	is_str(out.s, "ann\nbob  \n", "is LF when it comes out");
	notetext_free(&t);

	refused("", "f: no section [failed]");
	refused("hello\n" GOOD, "f:1: text before the first [section]");
	refused("[failed]\nhello\n", "f:2: a section begins with \"Subject: \"");
	refused("[failed]\nSubject: \n", "f:2: an empty subject");
	refused("[failed]\nSubject: x\nhello\n", "f:3: an empty line stands behind the subject");
	refused("[failed]\nSubject: {recipients}\n", "f:2: {recipients} cannot stand in a subject");
	refused("[failed]\nSubject: x\n\nhello\n" FOUR, "f: [failed] does not say {recipients}");
	refused("[failed]\n" FOUR, "f: [failed] does not begin with \"Subject: \"");
	refused("[failed]\nSubject: x\n\n{recipients} {who}\n", "f:4: \"{who\" is no placeholder ({{ is a brace)");
	refused("[failed]\nSubject: x {\n", "f:2: \"{\" is no placeholder ({{ is a brace)");
	refused("[failed]\nSubject: x\n\n\xff\n", "f:4: not UTF-8");
	refused("[failed]\nSubject: x\n\na\rb\n", "f:4: a control character");
	refused(GOOD "[end]\n", "f:19: this section was there before");
	refused(GOOD "[more]\n", "f:19: no section of this name");
	for (int over = 0; over < 2; over++) {
		buf_cut(&big, 0);
		buf_str(&big, GOOD);
		for (int i = 0; i < NOTETEXT_LINE_MAX + over; i++)
			buf_ch(&big, 'x');
		if (over) {
			refused(big.s, "f:19: over 998 bytes");
		} else {
			is_num(notetext_parse(&t, "f", (struct span){big.s, big.len}, &e), 0, "a line of 998 bytes");
			notetext_free(&t);
		}
	}
	buf_free(&out);
	buf_free(&big);
}

/* --- notices */

#define ORIGINAL                                                                                   \
	"Received: x\r\nSubject: lunch\r\nDate: Sun, 6 Nov 1994 08:49:37 +0000\r\n"                 \
	"Message-ID: <1@d.example>\r\n\r\nat noon\r\n"
static const struct notice_rcpt ann = {.addr = {"ann@x.example", 13}, .orcpt = {"rfc822;An+2BN@x", 15},
    .status = {"5.1.1", 5}, .said = {"5.1.1", 5}, .code = 550, .text = {"no such user\nreally", 19},
    .remote = {"mx.example", 10}, .at_s = 784111777};

static struct notice
plain(const struct notice_rcpt *r, size_t n)
{
	/* 784111777 is RFC 9110 5.6.7's Sun, 06 Nov 1994 08:49:37 GMT. */
	return (struct notice){.host = S("h.example"), .from = S("MAILER-DAEMON@d.example"),
	    .to = S("s@d.example"), .id = S("0123456789abcdef"), .now_s = 784111777,
	    .about = S("fedcba9876543210"), .sender = S("s@d.example"), .envid = S("Q+2B1"),
	    .arrival_s = 784111777, .until_s = 784111777 + 3600, .rcpts = r, .n = n,
	    .original = S(ORIGINAL), .whole = true, .returned_max = 10000, .text = &usual};
}

static struct buf header = BUF_INIT, body = BUF_INIT;

static void
make(const struct notice *n)
{
	buf_cut(&header, 0);
	buf_cut(&body, 0);
	notice_write(n, &header, &body);
}

static void
has(const struct buf *b, const char *text, const char *what)
{
	if (!ok(strstr(b->s, text) != NULL, "%s", what))
		printf("# want %s\n# in %s\n", text, b->s);
}

static void
has_not(const struct buf *b, const char *text, const char *what)
{
	if (!ok(strstr(b->s, text) == NULL, "%s", what))
		printf("# in %s\n", b->s);
}

static void
one(void)
{
	struct notice n = plain(&ann, 1);

	make(&n);
	is_str(header.s,
	    "Date: Sun, 6 Nov 1994 08:49:37 +0000\r\n"
	    "From: Mail Delivery System <MAILER-DAEMON@d.example>\r\n"
	    "To: <s@d.example>\r\n"
	    "Subject: Not delivered: lunch\r\n"
	    "Message-ID: <0123456789abcdef@h.example>\r\n"
	    "In-Reply-To: <1@d.example>\r\n"
	    "References: <1@d.example>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "X-Auto-Response-Suppress: All\r\n"
	    "X-Relaykit-Notice: MAILER-DAEMON@d.example\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    " boundary=\"=_0123456789abcdef\"\r\n\r\n",
	    "a header section");
	has(&body,
	    "Content-Type: message/delivery-status\r\n\r\n"
	    "Reporting-MTA: dns; h.example\r\n"
	    "Original-Envelope-Id: Q+1\r\n"
	    "Arrival-Date: Sun, 6 Nov 1994 08:49:37 +0000\r\n"
	    "X-Relaykit-Message: fedcba9876543210\r\n"
	    "\r\n"
	    "Original-Recipient: rfc822; An+N@x\r\n"
	    "Final-Recipient: rfc822; ann@x.example\r\n"
	    "Action: failed\r\n"
	    "Status: 5.1.1\r\n"
	    "Remote-MTA: dns; mx.example\r\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 no such user really\r\n"
	    "Last-Attempt-Date: Sun, 6 Nov 1994 08:49:37 +0000\r\n"
	    "\r\n--=_0123456789abcdef\r\n",
	    "a report");
	has(&body, "Content-Type: message/rfc822\r\n\r\n" ORIGINAL "\r\n--=_0123456789abcdef--\r\n",
	    "the message comes back");
	has(&body, "    ann@x.example\r\n        There is no such address.\r\n"
	    "        mx.example said: 550 no such user\r\n        really\r\n", "people are told");
	n.whole = false;
	make(&n);
	has(&body, "Content-Type: text/rfc822-headers\r\n\r\nReceived: x\r\nSubject: lunch\r\n"
	    "Date: Sun, 6 Nov 1994 08:49:37 +0000\r\nMessage-ID: <1@d.example>\r\n\r\n--", "or its headers");
	has_not(&body, "at noon", "alone");
	n.returned_max = 29;
	make(&n);
	has(&body, "\r\n\r\nReceived: x\r\nSubject: lunch\r\n\r\n--", "as many fields as fit");
	n.returned_max = 28;
	make(&n);
	has(&body, "\r\n\r\nReceived: x\r\n\r\n--", "whole ones");
}

static void
last_of_all(void)
{
	struct notice n = plain(&ann, 1);

	make(&n);
	ok(!notice_is_last((struct span){header.s, header.len}), "a notice may fail");
	n.last = true;
	make(&n);
	ok(notice_is_last((struct span){header.s, header.len}), "one about a notice is the last");
	ok(notice_has_mark((struct span){header.s, header.len}, n.from), "and ours");
}

static void
actions(void)
{
	struct notice_rcpt r[3] = {ann, ann, ann};
	struct notice n = plain(r, 3);

	r[0].action = NOTICE_DELAYED;
	r[0].status = S("4.2.2");
	r[0].code = 452;
	r[1].action = NOTICE_RELAYED;
	r[1].status = S("");
	r[2].action = NOTICE_FAILED;
	r[2].code = 0;
	r[2].status = S("");
	r[2].text = S("no route");
	r[2].remote = S("");
	make(&n);
	has(&body, "Action: delayed\r\nStatus: 4.2.2\r\n", "delayed");
	has(&body, "Will-Retry-Until: Sun, 6 Nov 1994 09:49:37 +0000\r\n", "and until when");
	has(&body, "Action: relayed\r\nStatus: 2.0.0\r\n", "relayed");
	has(&body, "Action: failed\r\nStatus: 5.0.0\r\nDiagnostic-Code: x-relaykit; no route\r\n",
	    "what we say ourselves is no reply");
	has(&body, "        (no route)\r\n", "for people, too");
	r[2].remote = S("mx.example");
	make(&n);
	has(&body, "        (no route)\r\n", "whoever we were talking to");
	r[2].status = S("4.4.7");
	r[2].said = S("4.2.0");
	r[2].code = 451;
	r[2].text = S("greylisted");
	make(&n);
	has(&body, "Status: 4.4.7\r\nRemote-MTA: dns; mx.example\r\nDiagnostic-Code: smtp; 451 4.2.0 greylisted\r\n",
	    "given up: the status is ours, the reply as it came");
	r[2].said = S("");
	make(&n);
	has(&body, "Diagnostic-Code: smtp; 451 greylisted\r\n", "without a status, where it had none");
	has(&header, "Subject: Not delivered: lunch\r\n", "the worst is the subject");
	n.n = 1;
	make(&n);
	has(&header, "Subject: Delayed: lunch\r\n", "delayed");
	r[0].action = NOTICE_DELIVERED;
	make(&n);
	has(&header, "Subject: Delivered: lunch\r\n", "delivered");
	has(&body, "Action: delivered\r\n", "delivered");
	n.about = S("");
	n.original = S("");
	make(&n);
	has(&header, "Subject: 1 more reports\r\n", "a digest");
	has_not(&body, "Message headers", "has no third part");
}

/* --- what hostile or foreign words become */

static void
odd_words(void)
{
	struct notice_rcpt r = ann;
	struct notice n = plain(&r, 1);
	struct buf text = BUF_INIT;
	struct cur c;
	struct span line;
	size_t longest = 0;

	r.text = S("a\x01\x7f b \r\n.\n\nFinal-Recipient: x \xc3\xa4 \xe2\x82\xac \xff");
	make(&n);
	has(&body, "Diagnostic-Code: smtp; 550 5.1.1 a?? b . Final-Recipient: x \\x{E4} \\x{20AC}\r\n ?\r\n",
	    "no line of its own, no control, ASCII");
	r.orcpt = S("rfc822;x+0D+0AAction:+20delivered");
	make(&n);
	has(&body, "Original-Recipient: rfc822; x+0D+0AAction:+20delivered\r\n", "xtext stays where it hides lines");
	r.orcpt = S("utf-8;\\x{E4}nn@x");
	make(&n);
	has(&body, "Original-Recipient: utf-8; \\x{E4}nn@x\r\n", "utf-8-addr-xtext");
	r.orcpt = S("x\r\nAction: delivered;y");
	make(&n);
	has_not(&body, "Original-Recipient", "a type that is none");
	r = ann;
	n.envid = S("a+0Ab");
	n.original = S("Subject: a\tb\x01\xff\r\n\r\n");
	make(&n);
	has(&body, "Original-Envelope-Id: a+0Ab\r\n", "an envelope id likewise");
	has(&header, "Subject: Not delivered: a b ?\r\n", "a subject");
	has(&body, "text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSubject: a\tb=01=FF\r\n",
	    "headers that are not UTF-8 are encoded");
	r.remote = S("/run/lmtp");
	make(&n);
	has_not(&body, "Remote-MTA", "a path is no host");
	r.remote = S("192.0.2.1");
	make(&n);
	has(&body, "Remote-MTA: dns; [192.0.2.1]\r\n", "IPv4");
	r.remote = S("2001:db8::1");
	make(&n);
	has(&body, "Remote-MTA: dns; [IPv6:2001:db8::1]\r\n", "IPv6");
	r.addr = S("an.address.that.is.not.short.at.all.and.fills.a.line@department.of.some.company.example");
	make(&n);
	has(&body, "Final-Recipient: rfc822; an.address.that.is.not.short.at.all.and.fills.a.line@department.of.some.company.example\r\n",
	    "an address stands in the line of its field's name");
	n.host = S("[IPv6:2001:db8::1]");
	make(&n);
	has(&body, "Reporting-MTA: dns; [IPv6:2001:db8::1]\r\n", "who is called by his address");
	n.host = S("h.example");
	for (int i = 0; i < 3000; i++)
		buf_str(&text, i % 500 ? "x" : " ");
	r.text = (struct span){text.s, text.len};
	make(&n);
	c = cur_of(body.s, body.len);
	while (cur_line(&c, &line))
		longest = line.n > longest ? line.n : longest;
	ok(longest <= 998, "no line is over 998 bytes (%zu)", longest);
	buf_free(&text);
}

static void
international(void)
{
	struct notice_rcpt r = ann;
	struct notice n = plain(&r, 1);

	r.addr = S("b\xc3\xbc@x.example");
	n.original = S("Subject: gr\xc3\xbc\xc3\x9f\x65\r\n\r\nx\r\n");
	ok(!notice_is_global(&n), "a reader whose address is ASCII");
	make(&n);
	for (size_t i = 0; i < header.len + body.len; i++)
		if ((unsigned char)(i < header.len ? header.s[i] : body.s[i - header.len]) > 127) {
			ok(false, "all of it is ASCII");
			break;
		}
	has(&body, "Final-Recipient: utf-8; b\\x{FC}@x.example\r\n", "RFC 6533 3: utf-8-addr-xtext");
	has(&body, "Content-Type: message/global-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "Subject: gr=C3=BC=C3=9Fe\r\n", "its headers");
	n.to = n.sender = S("\xc3\xa5@d.example");
	ok(notice_is_global(&n), "a reader whose address is not");
	make(&n);
	has(&header, "report-type=global-delivery-status;", "RFC 6533 6");
	has(&header, "Content-Transfer-Encoding: 8bit\r\n", "8bit");
	has(&body, "Content-Type: message/global-delivery-status; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n", "RFC 6533 4");
	has(&body, "Final-Recipient: utf-8; b\xc3\xbc@x.example\r\n", "utf-8-address");
	has(&body, "Content-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: gr\xc3\xbc", "message/global");
	n.whole = false;
	make(&n);
	has(&body, "Content-Type: message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: gr\xc3\xbc", "its headers");
}

static void
marks(void)
{
	ok(notice_has_mark(S("Subject: x\r\nX-Relaykit-Notice:\r\n m@d.example \r\n\r\n"), S("M@d.example")),
	    "a notice of ours");
	ok(!notice_has_mark(S("X-Relaykit-Notice: n@d.example\r\n\r\n"), S("m@d.example")), "of others");
	ok(!notice_has_mark(S("Subject: x\r\n\r\nX-Relaykit-Notice: m@d.example\r\n"), S("m@d.example")), "quoted");
	ok(notice_is_last(S("X-Relaykit-Postmaster: m@d.example\r\n\r\n")), "a notice to a postmaster about one");
	ok(!notice_is_last(S("Subject: x\r\n\r\nX-Relaykit-Postmaster: m@d.example\r\n")), "quoted");
	is_str(noticewords(S("5.2.2"), false), "The mailbox is full.", "RFC 3463 3.3");
	is_str(noticewords(S("4.7.1"), true), "The receiver does not take this message yet.", "RFC 3463 3.8");
	is_str(noticewords(S(""), false), "The receiver does not take it.", "no code");
	is_str(noticewords(S("5.1.10"), false), "Nobody takes mail for the domain of this address.", "RFC 7505 4.1");
}

int
main(void)
{
	struct err e = ERR_INIT;

	files();
	is_num(notetext_parse(&usual, "usual", span_of(notetext_usual), &e), 0, "our own text is good");
	one();
	actions();
	last_of_all();
	odd_words();
	international();
	marks();
	notetext_free(&usual);
	buf_free(&header);
	buf_free(&body);
	return tap_done();
}
