/* apply.h: bounces and complaints carried out - what is told and entered, what is not, what has been seen, and what
 * cannot be written. */
#include "apply.h"
#include "dir.h"
#include "io.h"
#include "suppress.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

static char where[64];
static struct queue *q;
static struct conf conf;
static struct apply *a;

static void
begin(const char *text, bool write)
{
	struct err e = ERR_INIT;

	conf_free(&conf);
	if (conf_parse(&conf, "conf", span_of(text), &e) || apply_open(&a, &conf, q, write, &e))
		ok(false, "begin: %s", err_text(&e));
	err_free(&e);
}

static int
end(struct err *e)
{
	int rc = apply_close(a, e);

	a = NULL;
	return rc;
}

static void
well(void)
{
	struct err e = ERR_INIT;

	is_num(end(&e), 0, "all of it is on stable storage");
	err_free(&e);
}

/* One recipient of one bounce. */
struct case_of {
	const char *what, *recipient, *original, *action, *status, *reason;
	int reply;
	enum reason_hard hard;
	enum bounce_is is;
	const char *feedback, *message_id;
	enum verp_is proof;
	const char *proved;
	bool quoted;
};

static void
carry(const struct case_of *c)
{
	struct bounce_rcpt r = {.recipient = span_of(c->recipient), .original = span_of(c->original),
	    .reply = c->reply, .text = SPAN("said\tso\r\n"), .status = span_of(c->status), .action = span_of(c->action),
	    .reason = {span_of(c->reason), c->hard, NULL}};
	struct bounce b = {.is = c->is, .rcpts = &r, .n = 1, .feedback_type = span_of(c->feedback),
	    .message_id = span_of(c->message_id), .proof = c->proof, .proved = span_of(c->proved), .quoted = c->quoted};
	struct bounceout_more more = {BUF_INIT, BUF_INIT};

	apply_bounce(a, &b, &more);
	buf_free(&more.stream);
	buf_free(&more.tag);
}

static bool
listed(const char *address)
{
	struct suppress_options o = {.root = queue_root_fd(q), .conf = suppressconf(&conf.sections)};
	struct suppress *s = NULL;
	struct buf why = BUF_INIT;
	struct err e = ERR_INIT;
	bool yes = false;
	int rc = suppress_open(&s, &o, &e);

	if (!rc)
		rc = suppress_refuses(s, span_of(address), SPAN("mail"), io_time_us() / 1000000, &yes, &why, &e);
	if (rc && rc != EX_NOINPUT)
		ok(false, "%s: %s", address, err_text(&e));
	suppress_close(s);
	buf_free(&why);
	err_free(&e);
	return yes;
}

/* Lines of the log that have this text. */
static int
told(const char *text)
{
	char command[256], out[16] = "";
	FILE *f;

	snprintf(command, sizeof command, "cat %s/log/*.jsonl 2>/dev/null | grep -cF '%s'", where, text);
	f = popen(command, "r");
	if (!f || !fgets(out, sizeof out, f))
		ok(false, "%s", command);
	if (f)
		pclose(f);
	return atoi(out);
}

static void
forget(void)
{
	char command[256];

	snprintf(command, sizeof command, "rm -rf %s/log/* %s/state/suppress", where, where);
	if (system(command) != 0)
		ok(false, "%s", command);
}

#define DEAD "failed", "5.1.1", "userunknown", 550, REASON_HARD, BOUNCE_REPORT, ""

static void
kinds(void)
{
	static const struct {
		struct case_of c;
		int returned, complained;
		bool enters;
	} rows[] = {
	    {{"dead", "a1@x.example", "", DEAD, "1@h.example", VERP_NONE, "", false}, 1, 0, true},
	    {{"no action said", "a2@x.example", "", "", "5.1.1", "userunknown", 550, REASON_HARD, BOUNCE_REPORT, "", "2@h.example",
	        VERP_NONE, "", false}, 1, 0, true},
	    {{"expired", "a3@x.example", "", "EXPIRED", "4.4.7", "expired", 0, REASON_SOFT, BOUNCE_REPORT, "", "3@h.example",
	        VERP_NONE, "", false}, 1, 0, false},
	    {{"delayed", "a4@x.example", "", "delayed", "4.1.1", "userunknown", 450, REASON_HARD, BOUNCE_REPORT, "", "4@h.example",
	        VERP_NONE, "", false}, 0, 0, false},
	    {{"delivered", "a5@x.example", "", "delivered", "2.1.5", "delivered", 250, REASON_SOFT, BOUNCE_REPORT, "",
	        "5@h.example", VERP_NONE, "", false}, 0, 0, false},
	    {{"an automatic answer", "a6@x.example", "", "", "", "vacation", 0, REASON_SOFT, BOUNCE_AUTO, "", "6@h.example",
	        VERP_NONE, "", false}, 0, 0, false},
	    {{"abuse", "a7@x.example", "", "", "", "feedback", 0, REASON_SOFT, BOUNCE_FEEDBACK, "Abuse", "7@h.example", VERP_NONE,
	        "", false}, 0, 1, true},
	    {{"no spam", "a8@x.example", "", "", "", "feedback", 0, REASON_SOFT, BOUNCE_FEEDBACK, "not-spam", "8@h.example",
	        VERP_NONE, "", false}, 0, 0, false},
	    {{"no address", "not one", "", DEAD, "9@h.example", VERP_NONE, "", false}, 0, 0, false},
	    {{"empty", "", "", DEAD, "10@h.example", VERP_NONE, "", false}, 0, 0, false},
	    {{"a forged path", "a11@x.example", "", DEAD, "11@h.example", VERP_FORGED, "", false}, 0, 0, false},
	    {{"one of long ago", "a12@x.example", "", DEAD, "12@h.example", VERP_OVER, "", false}, 0, 0, false},
	    {{"a letter quotes it", "a13@x.example", "", DEAD, "13@h.example", VERP_NONE, "", true}, 0, 0, false},
	    {{"which a good path does not change", "a14@x.example", "", DEAD, "14@h.example", VERP_GOOD, "a14@x.example", true},
	        0, 0, false},
	};

	begin("", true);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct case_of *c = &rows[i].c;
		int returned = told("\"type\":\"returned\""), complained = told("\"type\":\"complained\"");

		carry(c);
		is_num(told("\"type\":\"returned\"") - returned, rows[i].returned, c->what);
		is_num(told("\"type\":\"complained\"") - complained, rows[i].complained, "as a complaint");
		ok(listed(c->recipient) == rows[i].enters, "%s: %s", c->what, rows[i].enters ? "enters" : "does not enter");
	}
	well();
}

static void
seen(void)
{
	struct case_of c = {"", "b@x.example", "", DEAD, "1@h.example", VERP_NONE, "", false};

	forget();
	begin("", true);
	carry(&c);
	carry(&c);
	well();
	begin("", true);
	carry(&c);
	well();
	is_num(told("b@x.example"), 1, "the same bounce is told once, whoever reads it again");
	begin("", true);
	c.message_id = "2@h.example";
	carry(&c);
	c.message_id = "";
	carry(&c);
	carry(&c);
	well();
	is_num(told("b@x.example"), 3, "of another message it is another; without a name what it says tells them apart");
	begin("", false);
	c.message_id = "3@h.example";
	carry(&c);
	well();
	is_num(told("b@x.example"), 3, "who may not write changes nothing");
}

/* Who was mailed: what a proof says, else the original recipient, else the one named. */
static void
whom(void)
{
	struct case_of c = {"", "alias@y.example", "orig@x.example", DEAD, "1@h.example", VERP_NONE, "", false};

	forget();
	begin("", true);
	carry(&c);
	ok(listed("orig@x.example") && !listed("alias@y.example"), "the original recipient");
	c.proof = VERP_GOOD;
	c.proved = "mailed@x.example";
	carry(&c);
	ok(listed("mailed@x.example") && !listed("alias@y.example"), "the one that the path proves");
	well();
	begin("suppress { proof = yes }", true);
	c = (struct case_of){"", "c@x.example", "", DEAD, "2@h.example", VERP_NONE, "", false};
	carry(&c);
	c.proof = VERP_SHORT;
	carry(&c);
	ok(!listed("c@x.example") && told("c@x.example") == 0, "proof = yes: nobody without one");
	c.proof = VERP_GOOD;
	c.proved = "C@x.example";
	carry(&c);
	ok(listed("c@x.example"), "and with one");
	well();
}

/* Nothing is on the list that no event tells of; and the first trouble ends it. */
static void
full(void)
{
	struct case_of c = {"", "d@x.example", "", DEAD, "1@h.example", VERP_NONE, "", false};
	struct rlimit was, none = {0, 0};
	struct err e = ERR_INIT;

	forget();
	begin("", true);
	carry(&c);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	none.rlim_max = was.rlim_max;
	setrlimit(RLIMIT_FSIZE, &none);
	c.recipient = "e@x.example";
	carry(&c);
	setrlimit(RLIMIT_FSIZE, &was);
	ok(!listed("e@x.example"), "what cannot be told is not carried out");
	c.recipient = "f@x.example";
	carry(&c);
	ok(!listed("f@x.example"), "nor is anything behind it, though there is room now");
	is_num(end(&e), EX_TEMPFAIL, "and that is told");
	is_str(err_text(&e), "the event log cannot be written to: log: append: File too large", "as it was");
	err_free(&e);
	begin("", true);
	for (const char *const *p = (const char *const[]){"d@x.example", "e@x.example", "f@x.example", NULL}; *p; p++) {
		c.recipient = *p;
		carry(&c);
	}
	well();
	ok(listed("d@x.example") && listed("e@x.example") && listed("f@x.example"), "the next to read them carries out the rest");
	is_num(told("d@x.example"), 1, "and tells nothing twice");
}

static void
no_key(void)
{
	struct err e = ERR_INIT;

	conf_free(&conf);
	conf_parse(&conf, "conf", SPAN("key_file = \"/nowhere/key\""), &e);
	ok(apply_open(&a, &conf, q, true, &e) != 0 && a == NULL, "without a key nothing is begun: %s", err_text(&e));
	err_free(&e);
}

int
main(void)
{
	struct err e = ERR_INIT;

	dir_make();
	snprintf(where, sizeof where, "%s/q", dir);
	if (queue_open(&q, where, QUEUE_WORK, &e))
		return 1;
	kinds();
	seen();
	whom();
	full();
	no_key();
	conf_free(&conf);
	queue_close(q);
	return tap_done();
}
