/* rules.h: patterns, conditions, texts of rules; and share/bounce.rules against its own samples. */
#include "fold.h"
#include "rules.h"
#include "dsn.h"
#include "io.h"
#include "reason.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>

static bool
match(const char *pattern, const char *text, struct span *addr)
{
	struct buf b = BUF_INIT, code = BUF_INIT;
	static struct buf kept = BUF_INIT;
	bool yes;

	fold(span_of(text), &b);
	buf_cut(&kept, 0);
	buf_add(&kept, b.s, b.len);
	buf_free(&b);
	pattern_code(span_of(pattern), &code);
	yes = pattern_matches((struct span){code.s, code.len}, (struct span){kept.s, kept.len}, addr);
	buf_free(&code);
	if (!yes && !text) /* the last call gives it back */
		buf_free(&kept);
	return yes;
}

static void
patterns(void)
{
	static const struct row {
		const char *pattern, *text;
		bool want;
	} rows[] = {
	    {"mailbox full", "552 Mailbox  FULL\tnow", true},
	    {"mailbox full", "mailboxfull", false},
	    {"^mailbox full", "mailbox full", true},
	    {"^mailbox full", "a mailbox full", false},
	    {"full$", "mailbox full", true},
	    {"full$", "full mailbox", false},
	    {"full$", "full but not it", false},
	    {"full$", "full, and at last full", true},
	    {"user * unknown", "user ann is unknown", true},
	    {"user * unknown", "unknown user", false},
	    {"user * is * unknown", "user x unknown is z unknown", true},
	    {"exit #", "exit 127", true},
	    {"exit #", "exit code", false},
	    {"user %w does", "user ann.b@x does", true},
	    {"user %w does", "user  does", false},
	    {"user %w does", "user a b does", false},
	    {"aup\\#cdrbl", "AUP#CDRBL", true},
	    {"100\\%", "100%", true},
	    {"^\\*\\* x", "** x", true},
	    {"cost $5", "cost $5", true}, /* $ is an end only at the end */
	    {"to <%a>", "mail to <ann@example.org> failed", true},
	    {"to <%a>", "mail to <ann> failed", false},
	    {"user {is |}{unknown|not found}", "user is unknown", true},
	    {"user {is |}{unknown|not found}", "user not found", true},
	    {"user {is |}{unknown|not found}", "user was unknown", false},
	    {"{full|quota} of %w$", "quota of ann", true},
	    {"^{over|out of} quota", "is over quota", false},
	    {"{a|ab}c quota", "abc quota", true}, /* the first alternative does not end the search */
	    {"code {#|%a} full", "code ann@example.org full", true},
	    {"{a\\|b|\\}} full", "a|b full", true},
	    {"{a\\|b|\\}} full", "} full", true},
	    {"{=x} full", "=x full", true}, /* names are rules_add()'s */
	    {"user~unknown", "user unknown", true},
	    {"user~unknown", "userunknown", true},
	    {"user~unknown", "user 34567890123456789012345678901234567890 unknown", true},
	    {"user~unknown", "user 345678901234567890123456789012345678901 unknown", false},
	    {"user~unknown", "user, and another user 456789012345678901234567890 unknown", true},
	    {"user~unknown", "unknown user", false},
	    {"user~is~{gone|away}", "user ann is now away", true},
	    {"{no~user|unknown}", "no such user", true},
	};
	struct span addr;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ok(match(rows[i].pattern, rows[i].text, NULL) == rows[i].want, "\"%s\" %s \"%s\"",
		    rows[i].pattern, rows[i].want ? "is in" : "is not in", rows[i].text);
	ok(match("for %a", "refused for Ann.B@Example.ORG.", &addr), "an address at the end of a sentence");
	is_mem(addr.p, addr.n, B("ann.b@example.org"), "is without the dot");
	ok(match("<%a>", "<\"a b@c\"@example.org>", &addr), "a quoted local part");
	is_mem(addr.p, addr.n, B("\"a b@c\"@example.org"), "with its quotes");
	ok(!match("<%a>", "<@example.org>", &addr), "no local part is no address");
	ok(!match("<%a>", "<ann@>", &addr), "no domain is no address");
	ok(!match("x", "", &addr), "nothing is in nothing");
}

static void
conditions(void)
{
	static const struct row {
		const char *when;
		int code;
		const char *status;
		enum rules_phase phase;
		bool want;
	} rows[] = {
	    {"*", 0, "", 0, true}, {"550", 550, "", 0, true}, {"550", 551, "", 0, false},
	    {"550", 0, "", 0, false}, {"55x", 559, "", 0, true}, {"55x", 540, "", 0, false},
	    {"550/551", 551, "", 0, true}, {"!550/551", 551, "", 0, false}, {"!550", 0, "", 0, true},
	    {"5.1.1", 0, "5.1.1", 0, true}, {"5.1.1", 0, "5.1.10", 0, false},
	    {"5.1.1", 0, "5.1.", 0, false}, {"5.1.1", 0, "", 0, false},
	    {"x.2.2", 0, "4.2.2", 0, true}, {"5.7.x", 0, "5.7.509", 0, true},
	    {"5.7.x", 0, "4.7.0", 0, false}, {"4", 451, "5.0.0", 0, true},
	    {"4", 0, "4.0.0", 0, true}, {"5", 0, "", 0, false}, {"@rcpt", 0, "", RULES_RCPT, true},
	    {"@rcpt", 0, "", 0, false}, {"@none", 0, "", 0, true}, {"nocode", 0, "", 0, true},
	    {"nocode", 550, "", 0, false}, {"nostatus", 0, "5.1.1", 0, false},
	    {"550 x.1.1", 550, "5.1.1", 0, true}, {"550 x.1.1", 550, "5.2.1", 0, false},
	    {"@mail/@rcpt !x.1.6", 0, "5.1.6", RULES_RCPT, false},
	};
	struct span bad;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct rules_facts f = {.code = rows[i].code, .status = span_of(rows[i].status),
		    .phase = rows[i].phase};

		ok(rules_when(span_of(rows[i].when), &f, &bad) == rows[i].want && bad.n == 0,
		    "\"%s\" %s for %d %s %s", rows[i].when, rows[i].want ? "holds" : "does not hold",
		    rows[i].code, rows[i].status, rules_phases[rows[i].phase]);
	}
}

static void
texts(void)
{
	static const struct row {
		const char *text, *want; /* NULL: taken */
	} rows[] = {
	    {"# a comment\n\nuserunknown\t*\t*\tno such user\tno such user\n", NULL},
	    {"userunknown\t*\t*\tno such user", NULL},
	    {"userunknown\t*\t*\tno such user\r\n", NULL},
	    {"userunknown * * x\n", "f:1: not four or five columns with a TAB between two"},
	    {"\nuserunknown\t*\t*\n", "f:2: not four or five columns with a TAB between two"},
	    {"a\tb\t*\tdddd\te\tf\n", "f:1: not four or five columns with a TAB between two"},
	    {"a\t\t*\tdddd\n", "f:1: not four or five columns with a TAB between two"},
	    {"a\t*\t5500\tdddd\n", "f:1: \"5500\" is no condition"},
	    {"a\t*\t550 @foo\tdddd\n", "f:1: \"@foo\" is no condition"},
	    {"a\t*\t*\tabc\n",
	        "f:1: a pattern has four characters in a row that stand for themselves"},
	    {"a\t*\t*\tab*cd\n",
	        "f:1: a pattern has four characters in a row that stand for themselves"},
	    {"a|\t*\t*\tdddd\n", "f:1: a reason is missing beside \"|\""},
	    {"|a\t*\t*\tdddd\n", "f:1: a reason is missing beside \"|\""},
	    {"a\t*\t*\tDDDD\n", "f:1: a pattern is in lower case"},
	    {"a\t*\t*\tdddd %x\n", "f:1: % stands before a or w"},
	    {"a\t*\t*\tdddd\\\n", "f:1: a backslash ends the pattern"},
	    {"a\t*\t*\tdd  dddd\n", "f:1: two blanks in a row never match"},
	    {"a\t*\t*\tdddd{b\n", "f:1: } is missing"},
	    {"a\t*\t*\tdddd{b|{c}}\n", "f:1: no *, ^, $ or { stands between { and }"},
	    {"a\t*\t*\tdddd{b*|c}\n", "f:1: no *, ^, $ or { stands between { and }"},
	    {"a\t*\t*\tdddd{B|c}\n", "f:1: a pattern is in lower case"},
	    {"a\t*\t*\tdddd{b~c~d}\n", "f:1: more than one ~ in an alternative"},
	    {"a\t*\t*\tdddd~b~c\n", NULL},
	    {"a\t*\t*\tdddd~b~c~d\n", "f:1: more than two ~"},
	    {"a\t*\t*\t{dddd|eee}\n",
	        "f:1: a pattern has four characters in a row that stand for themselves"},
	    {"a\t*\t*\t{dddd|eeee}\n", NULL},
	    {"@words\tw\t*\tdddd|eeee\na\t*\t*\t{=w}\n", NULL},
	    {"@words\tw\t*\tdddd|eeee\na\t*\t*\t{=v}\n", "f:2: no @words are named \"v\""},
	    {"@words\tw\t*\tdddd|{=w}\na\t*\t*\t{=w}\n", "f:1: no { or =NAME stands among words"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct rules r = {.n = 0};
		struct err e = ERR_INIT;
		int rc = rules_add(&r, span_of(rows[i].text), "f", &e);

		is_num(rc, rows[i].want ? EX_CONFIG : 0, "the code");
		is_str(err_text(&e), rows[i].want ? rows[i].want : "", "what it says");
		rules_free(&r);
		err_free(&e);
	}
}

/* A local text is asked first. */
static void
order(void)
{
	struct rules r = {.n = 0};
	struct err e = ERR_INIT;
	struct buf scratch = BUF_INIT;
	struct reason why;
	struct reason_in in = {.code = 550, .text = SPAN("550 no such user"), .phase = RULES_RCPT};

	rules_add(&r, SPAN("mine\t*\t*\tno such user\nyours\tbig\t*\tfor the big\n"
	    "@site\tbig\t*\tbig.example\n"), "local", &e);
	rules_add(&r, (struct span){rules_shipped, rules_shipped_len}, "bounce.rules", &e);
	rules_ready(&r);
	is_str(err_text(&e), "", "the shipped rules are rules");
	reason_find(&r, &in, &scratch, &why);
	is_mem(why.word.p, why.word.n, B("mine"), "a local rule comes first");
	is_num(why.hard, REASON_UNSAID, "of a word of its own nobody knows whether it is hard");
	in.phase = RULES_NO_PHASE; /* at RCPT the step alone says something */
	in.text = SPAN("550 for the big");
	reason_find(&r, &in, &scratch, &why);
	is_mem(why.word.p, why.word.n, B("onhold"), "a site's rule is not for others");
	in.remote = SPAN("MX1.Big.Example.");
	reason_find(&r, &in, &scratch, &why);
	is_mem(why.word.p, why.word.n, B("yours"), "but for the site");
	in.remote = SPAN("notbig.example");
	reason_find(&r, &in, &scratch, &why);
	is_mem(why.word.p, why.word.n, B("onhold"), "and not for whose name ends alike");
	rules_free(&r);
	buf_free(&scratch);
	err_free(&e);
}

/* A name's words are those of all its lines above, in the order of the lines. */
static void
families(void)
{
	struct rules r = {.n = 0};
	struct err e = ERR_INIT;
	struct buf scratch = BUF_INIT;
	struct reason why;
	struct reason_in in = {.code = 550, .text = SPAN("550 the user has been deleted")};

	is_num(rules_add(&r, SPAN("@words\tgone\t*\tunknown|removed\n@words\twho\t*\tuser|box\n"
	    "early\t*\t*\tdeleted {=gone}\n@words\tgone\t*\tdeleted\n"
	    "late\t*\t*\tthe {=who|person} has been {=gone}\n"), "f", &e), 0, "words in two lines");
	rules_ready(&r);
	reason_find(&r, &in, &scratch, &why);
	is_mem(why.word.p, why.word.n, B("late"), "a rule below has both");
	in.text = SPAN("deleted deleted");
	reason_find(&r, &in, &scratch, &why);
	is_mem(why.word.p, why.word.n, B("onhold"), "one between has the first");
	in.text = SPAN("The person has\r\n been REMOVED.");
	reason_find(&r, &in, &scratch, &why);
	is_mem(why.word.p, why.word.n, B("late"), "a name beside a word");
	rules_free(&r);
	buf_free(&scratch);
	err_free(&e);
}

/* Nobody's name tells why he was refused, and codes that lines of a reply repeat are not between its words. */
static void
plain_words(void)
{
	static const struct row {
		const char *text, *want;
	} rows[] = {
	    {"550 <full.house@a.example> refused", "onhold"},
	    {"550 full house", "full"},
	    {"550 <a@full.house> refused", "onhold"}, /* nor his host's */
	    {"550 a@full.house...full.house", "full"},
	    {"550 (a@b.example:full.house)", "full"},
	    {"550 full@house full house", "full"},
	    {"550-5.7.1 a full 550-5.7.1 house", "full"},
	    {"550-5.7.1 a full 550 5.7.1 house", "full"},
	    {"550-5.7.1 a full 551 5.7.1 house", "onhold"},
	    {"550 a full 550-house", "full"},
	    {"550 a full 550", "onhold"},
	    {"550 \"full house\"@a.example", "full"}, /* quoted names are rare */
	    {"no 1 or 2 more rooms", "odd"}, /* ^ is no more than a begin where * follows it */
	};
	struct rules r = {.n = 0};
	struct err e = ERR_INIT;
	struct buf scratch = BUF_INIT;
	struct reason why;

	rules_add(&r, SPAN("full\t*\t*\tfull{.| }house\nodd\t*\t*\t^*#~#*more rooms\n"), "f", &e);
	rules_ready(&r);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct reason_in in = {.code = 550, .status = SPAN("5.7.1"), .text = span_of(rows[i].text)};

		reason_find(&r, &in, &scratch, &why);
		ok(span_eq(why.word, span_of(rows[i].want)), "\"%s\": %s", rows[i].text, rows[i].want);
	}
	rules_free(&r);
	buf_free(&scratch);
	err_free(&e);
}

/* --- the shipped rules and their samples */

static struct span
status_for(struct span w, char out[16])
{
	size_t n = 0;

	for (size_t i = 0; i < w.n && n < 15; i++)
		out[n++] = w.p[i] != 'x' ? w.p[i] : i == 0 ? '5' : '0';
	out[n] = 0;
	return (struct span){out, n};
}

/* What the line asks of its sample, beside what stands in the sample. */
static void
facts_for(const struct rule *rule, struct rules_facts *f, char status[16])
{
	struct cur c = cur_span(rule->when);

	f->code = dsn_code_in(rule->sample);
	f->status = dsn_status_in(rule->sample);
	f->sites[0] = rule->site;
	for (; !cur_end(&c); cur_ch(&c, ' ')) {
		struct cur w = cur_span(cur_until(&c, ' '));
		struct span first = cur_until(&w, '/');

		if (first.n == 0 || *first.p == '!' || *first.p == '*')
			continue;
		if (memchr(first.p, '.', first.n)) {
			struct span bad;

			if (!rules_when(first, f, &bad))
				f->status = status_for(first, status);
		} else if (*first.p == '@') {
			for (unsigned i = RULES_CONN; i <= RULES_DATA; i++)
				if (span_eq((struct span){first.p + 1, first.n - 1}, span_of(rules_phases[i])))
					f->phase = (enum rules_phase)i;
		} else if (span_eq(first, SPAN("nocode")))
			f->code = 0;
		else if (span_eq(first, SPAN("nostatus")))
			f->status = (struct span){"", 0};
		else if (span_eq(first, SPAN("delayed")))
			f->action = first;
	}
}

static bool
sample_holds(const struct rules *r, const struct rule *rule, struct buf *b, const struct rule **got)
{
	bool line = *rule->what.p == '@';
	struct rules_facts f = {.code = 0};
	struct rules_scan scan;
	char status[16];

	*got = NULL;
	buf_cut(b, 0);
	fold(rule->sample, b);
	if (span_eq(rule->what, SPAN("@site"))) {
		struct span names[8];
		size_t n = rules_sites(r, rule->sample, names, 8);

		while (n-- > 0)
			if (span_eq(names[n], rule->site))
				return true;
		return false;
	}
	facts_for(rule, &f, status);
	rules_begin(&scan, r, line ? &r->lines : &r->reasons, (struct span){b->s, b->len}, &f, RULES_ASK_ALL);
	while ((*got = rules_next(&scan)) && line && *got != rule)
		;
	return *got == rule;
}

static void
samples(const char *file)
{
	struct rules r = {.n = 0};
	struct buf text = BUF_INIT, b = BUF_INIT;
	struct err e = ERR_INIT;
	const struct rule *got = NULL;
	size_t bad = 0;

	if (io_slurp_at(AT_FDCWD, file, 1 << 22, &text, &e) ||
	    rules_add(&r, (struct span){text.s, text.len}, "bounce.rules", &e))
		ok(false, "%s: %s", file, err_text(&e));
	rules_ready(&r);
	for (size_t i = 0; i < r.n; i++) {
		const struct rule *rule = &r.v[i];

		if (rule->sample.n > 0 && sample_holds(&r, rule, &b, &got))
			continue;
		bad++;
		printf("# line %u: %.*s %.*s: %s line %u (%.*s)\n", rule->line, SPAN_ARG(rule->what),
		    SPAN_ARG(rule->pattern), rule->sample.n ? "its sample gives" : "no sample",
		    got ? got->line : 0, got ? (int)got->what.n : 0, got ? got->what.p : "");
	}
	is_num((long long)bad, 0, "every shipped rule decides about its own sample");
	ok(r.n > 500, "%zu rules", r.n);
	rules_free(&r);
	buf_free(&text);
	buf_free(&b);
	err_free(&e);
}

/* Every reason of the table has a shipped rule, but those that are not said in words. */
static void
words(void)
{
	static const char *const reasons[] = {"userunknown", "hasmoved", "filtered", "suspend",
	    "hostunknown", "notaccept", "mailboxfull", "mesgtoobig", "exceedlimit", "spamdetected",
	    "virusdetected", "contenterror", "policyviolation", "securityerror", "notcompliantrfc",
	    "rejected", "blocked", "badreputation", "requireptr", "authfailure", "norelaying", "speeding",
	    "toomanyconn", "expired", "networkerror", "failedstarttls", "systemerror", "systemfull",
	    "mailererror", "syntaxerror"};

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		char line[64];

		snprintf(line, sizeof line, "\n%s\t", reasons[i]);
		ok(memmem(rules_shipped, rules_shipped_len, line, strlen(line)) != NULL, "%s has a rule",
		    reasons[i]);
		ok(strcmp(reason_class(span_of(reasons[i])), "unknown") != 0, "and a class");
	}
}

int
main(void)
{
	const char *top = getenv("TOP");
	char file[4096];

	snprintf(file, sizeof file, "%s%sshare/bounce.rules", top ? top : "", top ? "/" : "");
	patterns();
	conditions();
	texts();
	order();
	families();
	plain_words();
	words();
	samples(file);
	return tap_done();
}
