/* quoted.h: what a letter quotes, and what is its own. */
#include "quoted.h"
#include "tap.h"

#include <sys/resource.h>

#define CPU_S 200 /* it takes less than one */

static void
split(void)
{
	static const struct {
		const char *what, *text, *own, *quoted; /* quoted NULL: nothing is */
	} rows[] = {
	    {"nothing", "", "", NULL},
	    {"no quotation", "one\ntwo\nthree\nfour\n", "", NULL},
	    {"marked", "hi\n> a\n> b\n>c\nbye\n", "hi\nbye\n", "a\nb\nc\n"},
	    {"three lines are enough", "> a\n> b\n> c", "", "a\nb\nc\n"},
	    {"two are not", "hi\n> a\n> b\n", "", NULL},
	    {"an empty one counts", "> a\n>\n> c\n", "", "a\n\nc\n"},
	    {"what is further in stays so", "> a: b\n>  c\n> \td\n", "", "a: b\n c\n\td\n"},
	    {"twice", ">> a\n> > b\n>> c\n", "", "a\nb\nc\n"},
	    {"twice and once: once", "> a\n>> b\n> c\n", "", "a\n> b\nc\n"},
	    {"a blank before", " > a\n > b\n > c\n", "", "a\nb\nc\n"},
	    {"bars", "hi\n| a\n|\n| c\n", "hi\n", "a\n\nc\n"},
	    {"a rule and a table are no bars", "|---- x ----|\n|a|b|\n|c|d|\n", "", NULL},
	    {"a dialogue is none", ">>> RCPT TO:<a@x>\n>>> DATA\n>>> QUIT\n", "", NULL},
	    {"a dialogue that is", "> a\n> >>> DATA\n>>>> QUIT\n> b\n", "", "a\n>>> DATA\n>>> QUIT\nb\n"},
	    {"an answer between", "> a\nwhy?\n> b\n> c\n", "why?\n", "a\nb\nc\n"},
	    {"CRLF that was left", "> a\r\n> b\r\n> c\r\n", "", "a\nb\nc\n"},
	    {"further in", "hi\n\n    a\n      b\n\n    c\nbye\n", "hi\n\nbye\n", "a\n  b\n\nc\n"},
	    {"by tabs", "hi\n\ta\n\t\tb\n\tc\n", "hi\n", "a\n\tb\nc\n"},
	    {"a blank is not further in", "hi\n a\n b\n c\n", "", NULL},
	    {"two lines are no quotation", "hi\n  a\n  b\nbye\n  c\n  d\n", "", NULL},
	    {"all of it further in is not", "  a\n  b\n  c\n", "", NULL},
	    {"sent on", "hi\n---------- Forwarded message ---------\nFrom: a <a@x>\nSubject: s\n\nbody\n> q\n> q\n> q\n",
	        "hi\n---------- Forwarded message ---------\n", "From: a <a@x>\nSubject: s\n\nbody\n> q\n> q\n> q\n"},
	    {"by another name", "Anfang der Weiterleitung:\n\nVon: a <a@x>\nDatum: heute\n\nText\n",
	        "Anfang der Weiterleitung:\n\n", "Von: a <a@x>\nDatum: heute\n\nText\n"},
	    {"bold, as Outlook has it", "hi\n*From:* a\n*Sent:* now\n*Subject:* s\n\nb\n", "hi\n",
	        "*From:* a\n*Sent:* now\n*Subject:* s\n\nb\n"},
	    {"fields alone must be three", "From: a\nSubject: s\n\nb\n", "", NULL},
	    {"and one of them From", "----- Report -----\nReporting-MTA: dns; x\nFinal-Recipient: rfc822; a@x\n", "", NULL},
	    {"a line of dashes and one field", "---- x ----\nFrom: a\n\nb\n", "", NULL},
	    {"what begins first counts", "> a\n> b\n> c\n---- x ----\nFrom: a\nTo: b\n\nd\n",
	        "---- x ----\nFrom: a\nTo: b\n\nd\n", "a\nb\nc\n"},
	};
	struct buf own = BUF_INIT, quoted = BUF_INIT;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool yes = quoted_split(span_of(rows[i].text), &own, &quoted);

		ok(yes == (rows[i].quoted != NULL), "%s", rows[i].what);
		is_str(quoted.s, rows[i].quoted ? rows[i].quoted : "", "its quotation");
		is_str(own.s, rows[i].own, "its own");
	}
	buf_free(&own);
	buf_free(&quoted);
}

static void
header(void)
{
	static const struct {
		const char *what, *text, *header, *body;
	} rows[] = {
	    {"none", "a\nb\n", "", "a\nb\n"},
	    {"fields and a body", "\nFrom: a\nTo: b\n\nc\n", "From: a\nTo: b\n\n", "c\n"},
	    {"folded", "From: a\nTo: b,\n c\n\nd\n", "From: a\nTo: b,\n c\n\n", "d\n"},
	    {"all of it", "From: a\nTo: b\n", "From: a\nTo: b\n", ""},
	    {"a report is none", "Reporting-MTA: dns; x\nArrival-Date: y\n\nz\n", "",
	        "Reporting-MTA: dns; x\nArrival-Date: y\n\nz\n"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span body, h = quoted_header(span_of(rows[i].text), &body);

		is_mem(h.p, h.n, rows[i].header, strlen(rows[i].header), rows[i].what);
		is_mem(body.p, body.n, rows[i].body, strlen(rows[i].body), "what is behind");
	}
}

static void
answers(void)
{
	static const struct {
		const char *header;
		bool yes;
	} rows[] = {
	    {"Subject: Re: x\n", true},
	    {"subject:   FWD: x\n", true},
	    {"Subject: AW: WG: x\n", true},
	    {"Subject: Rejected: x\n", false},
	    {"Subject: Returned mail: see transcript\n", false},
	    {"From: Re: x\nTo: a\n", false},
	    {"From: a@x\nIn-Reply-To: <1@x>\n", true},
	    {"References:\n <1@x>\n", true},
	    {"no field\nReferences: <1@x>\n", true},
	    {"", false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ok(quoted_is_answer(span_of(rows[i].header)) == rows[i].yes, "an answer %d: %.12s", rows[i].yes,
		    rows[i].header);
}

/* However long, and whatever it is made of: no more than a look or two at each byte. */
static void
hostile(void)
{
	static const char *const pieces[] = {">", "> ", "|", "| \n", "\t\n", "From: a\n", "From: a\n b\n", "-----\n",
	    "aaaaaaaaaaa:\n", "----\nFrom: a\n", "\n", " > \n", "a\n  b\n", " From: a\n", "----S: ---\n",
	    "----: \n\n\n\n", " From: a\n\n\n"};
	const struct rlimit cpu = {CPU_S, CPU_S}; /* where time grows with the square it would be hours */
	struct buf text = BUF_INIT, own = BUF_INIT, quoted = BUF_INIT;

	setrlimit(RLIMIT_CPU, &cpu);
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		buf_cut(&text, 0);
		while (text.len < (1 << 21))
			buf_str(&text, pieces[i]);
		quoted_split((struct span){text.s, text.len}, &own, &quoted);
		ok(own.len + quoted.len <= text.len + 1, "two megabytes of %.5s", *pieces[i] == '\n' ? "LF" : pieces[i]);
	}
	buf_free(&text);
	buf_free(&own);
	buf_free(&quoted);
}

int
main(void)
{
	split();
	header();
	answers();
	hostile();
	return tap_done();
}
