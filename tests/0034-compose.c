/* compose: recipients found in headers, and headers made complete. */
#include "compose.h"
#include "tap.h"

#include <stdlib.h>

static int
list(void *arg, struct span mailbox, struct err *e)
{
	(void)e;
	buf_fmt(arg, "%.*s ", SPAN_ARG(mailbox));
	return 0;
}

static void
recipients(const char *what, const char *header, const char *want, int code)
{
	struct buf got = BUF_INIT;
	struct err e = ERR_INIT;
	int rc = compose_recipients(span_of(header), "d.example", list, &got, &e);

	if (!rc && !code)
		is_str(got.s, want, what);
	else
		ok(rc == code && strstr(err_text(&e), want), "%s (%s)", what, err_text(&e));
	err_free(&e);
	buf_free(&got);
}

static void
all_recipients(void)
{
	recipients("To, Cc and Bcc", "To: a@x, B <b@x>\r\nSubject: c@x\r\ncc: c\r\nBCC: d@x,\r\n\te@x\r\n",
	    "a@x b@x c@d.example d@x e@x ", 0);
	recipients("several fields of a kind", "To: a@x\r\nTo: b@x\r\n", "a@x b@x ", 0);
	recipients("groups", "To: undisclosed-recipients:;, g: a@x, b@x;\r\n", "a@x b@x ", 0);
	recipients("empty fields", "To:\r\nCc: \r\nBcc: a@x\r\n", "a@x ", 0);
	recipients("none", "Subject: x\r\n", "", 0);
	recipients("a bad one says which field", "To: a@x\r\nCc: b@@x\r\n", "Cc: ", EX_DATAERR);
	recipients("resent: only Resent- fields", "Resent-To: r@x\r\nResent-cc: s@x\r\nResent-Bcc: t@x\r\n"
	    "To: a@x\r\n", "r@x s@x t@x ", 0);
	recipients("a Received field ends the newest block",
	    "Resent-To: r@x\r\nReceived: y\r\nResent-To: old@x\r\nTo: a@x\r\n", "r@x ", 0);
	recipients("so does a second Resent-From",
	    "Resent-From: p@x\r\nResent-To: r@x\r\nResent-From: q@x\r\nResent-To: old@x\r\n", "r@x ", 0);
	recipients("a second Resent-To does not",
	    "Resent-From: p@x\r\nResent-To: r@x\r\nResent-To: s@x\r\nTo: a@x\r\n", "r@x s@x ", 0);
	recipients("a block below a trace field counts if it is the only one",
	    "Received: y\r\nResent-To: r@x\r\nTo: a@x\r\n", "r@x ", 0);
	recipients("resent to nobody does not go to the first recipients",
	    "Resent-From: p@x\r\nTo: a@x\r\n", "", 0);
	recipients("an empty one counts too: the first recipients do not get it again",
	    "Resent-To:\r\nTo: a@x\r\nBcc: b@x\r\n", "", 0);
	recipients("nor do those of an older block",
	    "Resent-To: \r\nReceived: y\r\nResent-To: old@x\r\nTo: a@x\r\n", "", 0);
}

static const struct compose plain = {.host = "h.example", .domain = "d.example",
    .sender = {"ann@d.example", 13}, .name = {"Ann O. Nym", 10}, .id = "0123456789abcdef",
    .rcpt = {"bob@x.example", 13}, .user = 1000, .now_s = 784111777, .zone_minutes = 60, .fold = true};

/* 784111777 is RFC 9110 5.6.7's Sun, 06 Nov 1994 08:49:37 GMT. */
#define DATE "Sun, 6 Nov 1994 09:49:37 +0100\r\n"
#define RECEIVED                                                                                   \
	"Received: by h.example (relaykit, from userid 1000)\r\n\tid 0123456789abcdef\r\n"         \
	"\tfor <bob@x.example>;\r\n\t" DATE
#define ID "Message-ID: <0123456789abcdef@h.example>\r\n"
#define WHOLE "Date: x\r\nFrom: a@x\r\nMessage-ID: <m@x>\r\nTo: b@x\r\n"

static void
header(const char *what, const struct compose *c, const char *in, const char *want, int code)
{
	struct buf got = BUF_INIT;
	struct err e = ERR_INIT;
	int rc = compose_header(span_of(in), c, &got, &e);

	if (!rc && !code)
		is_str(got.s, want, what);
	else
		ok(rc == code && strstr(err_text(&e), want), "%s (%s)", what, err_text(&e));
	err_free(&e);
	buf_free(&got);
}

/* A whole header with one more field before it: that field, as it comes out. */
static void
field(const char *what, const char *in, const char *out)
{
	struct buf i = BUF_INIT, w = BUF_INIT;

	buf_fmt(&i, "%s" WHOLE, in);
	buf_fmt(&w, RECEIVED "%s" WHOLE, out);
	header(what, &plain, i.s, w.s, 0);
	buf_free(&i);
	buf_free(&w);
}

static void
missing(void)
{
	struct compose c = plain;

	header("an empty header", &plain, "", RECEIVED "Date: " DATE "From: \"Ann O. Nym\" <ann@d.example>\r\n" ID
	    "To: undisclosed-recipients:;\r\n", 0);
	header("a whole one", &plain, WHOLE, RECEIVED WHOLE, 0);
	header("Cc will do for To", &plain, "Date: x\r\nFrom: a@x\r\nMessage-ID: <m@x>\r\nCc: b@x\r\n",
	    RECEIVED "Date: x\r\nFrom: a@x\r\nMessage-ID: <m@x>\r\nCc: b@x\r\n", 0);
	header("empty fields are as missing", &plain,
	    "Date:\r\nFrom: \r\nMessage-ID:\r\n\t\r\nTo:\r\nCc: b@x\r\nSubject:\r\n",
	    RECEIVED "Cc: b@x\r\nSubject:\r\nDate: " DATE "From: \"Ann O. Nym\" <ann@d.example>\r\n" ID, 0);
	c.name = SPAN("");
	c.rcpt = SPAN("");
	header("no name, several recipients", &c, "Date: x\r\nMessage-ID: <m@x>\r\nTo: b@x\r\n",
	    "Received: by h.example (relaykit, from userid 1000)\r\n\tid 0123456789abcdef;\r\n\t" DATE
	    "Date: x\r\nMessage-ID: <m@x>\r\nTo: b@x\r\nFrom: ann@d.example\r\n", 0);
	c.sender = SPAN("");
	c.rcpt = SPAN("b\xc3\xbc@x.example");
	header("null sender, UTF-8 recipient", &c, "Date: x\r\nMessage-ID: <m@x>\r\nTo: b@x\r\n",
	    "Received: by h.example (relaykit, from userid 1000)\r\n\tid 0123456789abcdef;\r\n\t" DATE
	    "Date: x\r\nMessage-ID: <m@x>\r\nTo: b@x\r\nFrom: Mail Delivery System <MAILER-DAEMON@d.example>\r\n", 0);
	header("resent", &plain, "Resent-To: r@x\r\n" WHOLE,
	    RECEIVED "Resent-Date: " DATE "Resent-From: \"Ann O. Nym\" <ann@d.example>\r\nResent-" ID
	    "Resent-To: r@x\r\n" WHOLE, 0);
	field("resent and whole",
	    "Resent-From: p@x\r\nResent-Date: y\r\nResent-Message-ID: <r@x>\r\nResent-To: r@x\r\n",
	    "Resent-From: p@x\r\nResent-Date: y\r\nResent-Message-ID: <r@x>\r\nResent-To: r@x\r\n");
	field("resent blindly",
	    "Resent-From: p@x\r\nResent-Date: y\r\nResent-Message-ID: <r@x>\r\nresent-bcc: r@x\r\n",
	    "Resent-From: p@x\r\nResent-Date: y\r\nResent-Message-ID: <r@x>\r\n");
	field("resent long ago", "Received: y\r\nResent-To: r@x\r\n", "Received: y\r\nResent-To: r@x\r\n");
}

static void
qualified(void)
{
	field("bare names", "Reply-To: root, a@x,\r\n\tbob (the B@x, (nested\\) )), \"q x\"\r\n",
	    "Reply-To: root@d.example, a@x,\r\n\tbob@d.example (the B@x, (nested\\) )), \"q x\"@d.example\r\n");
	field("in brackets", "Reply-To: Root R <root>, <a@x>, \"B, c\" <b> (d)\r\n",
	    "Reply-To: Root R <root@d.example>, <a@x>, \"B, c\" <b@d.example> (d)\r\n");
	field("groups", "Reply-To: none:;, g: a, b@x, c;, d\r\n",
	    "Reply-To: none:;, g: a@d.example, b@x, c@d.example;, d@d.example\r\n");
	field("routes, literals", "Reply-To: <@a,@b:c@d>, e@[1.2.3.4], f\r\n",
	    "Reply-To: <@a,@b:c@d>, e@[1.2.3.4], f@d.example\r\n");
	field("what is no address stays", "Reply-To: two words, <>, <a,b@x>, <open\r\n",
	    "Reply-To: two words, <>, <a,b@x>, <open\r\n");
	field("not in other fields", "Subject: root\r\nIn-Reply-To: x\r\n", "Subject: root\r\nIn-Reply-To: x\r\n");
	field("cron's From", "Sender: root (Cron Daemon)\r\n", "Sender: root@d.example (Cron Daemon)\r\n");
	field("odd bytes", "Reply-To: ), \"open\r\n", "Reply-To: )@d.example, \"open\r\n");
	field("dropped", "Bcc: a@x,\r\n b@x\r\nReturn-path: <z>\r\nContent-length: 5\r\n", "");
}

/* %A: 990 letters; %B: 991. */
static void
expand(const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (*text != '%') {
			buf_ch(out, *text);
			continue;
		}
		for (int i = 0, n = *++text == 'A' ? 990 : 991; i < n; i++)
			buf_ch(out, 'a');
	}
}

static void
folded(void)
{
	struct buf in = BUF_INIT, want = BUF_INIT;
	struct compose c = plain;

	expand("X-Long:%A\r\nX-Long: b %A\r\n", &in);
	expand("X-Long:%A\r\nX-Long: b\r\n %A\r\n", &want);
	field("a line of 998 stays, a longer one is folded before a blank", in.s, want.s);
	buf_cut(&in, 0);
	buf_cut(&want, 0);
	expand("Reply-To: a@x,b@x,%A@x\r\n", &in);
	expand("Reply-To: a@x,b@x,\r\n %A@x\r\n", &want);
	field("behind a comma in an address field", in.s, want.s);
	buf_cut(&in, 0);
	buf_cut(&want, 0);
	expand("Reply-To: a@x,%Aaaaaa@x\r\n", &in);
	expand("Reply-To: a@x,\r\n %Aaaaaa@x\r\n", &want);
	field("997 bytes behind the comma, and a blank before them", in.s, want.s);
	buf_cut(&in, 0);
	expand("Reply-To: a@x,%Aaaaaaa@x\r\n" WHOLE, &in);
	header("998 are one too many", &plain, in.s, "header line over 998 bytes: Reply-To", EX_DATAERR);
	buf_cut(&in, 0);
	expand("X-Long:b%B\r\n" WHOLE, &in);
	header("999 bytes without a blank", &plain, in.s, "header line over 998 bytes: X-Long", EX_DATAERR);
	buf_cut(&in, 0);
	buf_cut(&want, 0);
	expand("X-Long: %B\r\n", &in);
	expand("X-Long:\r\n %B\r\n", &want);
	field("before the only blank", in.s, want.s);
	buf_cut(&in, 0);
	c.fold = false;
	expand("X-Long: b %A\r\n" WHOLE, &in);
	header("not folded where that is not wanted", &c, in.s, "header line over 998 bytes: X-Long", EX_DATAERR);
	buf_free(&in);
	buf_free(&want);
}

int
main(void)
{
	all_recipients();
	missing();
	qualified();
	folded();
	return tap_done();
}
