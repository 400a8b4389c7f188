/* suppress.h, learn.h: what an address is compared by, both sides of every limit, who wins, scopes, expiry,
 * hashed names, many writers at once, damaged files; and the policy that decides who enters. */
#include "buf.h"
#include "learn.h"
#include "suppress.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DAY 86400ULL
#define NOW 1795000000ULL /* of what is said; what is tidied away goes by the clock */

static const unsigned char key_one[32] = "one key", key_two[32] = "another";
static char hard[] = "hard", soft[] = "mailboxfull, expired", none[] = "none";
static struct suppressconf policy = {.hard = hard, .soft = soft, .hard_for_s = 0, .soft_count = 5,
    .soft_within_s = 30 * DAY, .soft_for_s = 90 * DAY, .complaints = true, .unsubscribes = true,
    .unsubscribe_for_s = 7 * DAY};
static int root;
static char where[4096];

/* An empty list; the one before is closed. */
static struct suppress *
fresh(struct suppress *s, const unsigned char *key)
{
	struct suppress_options o = {.root = root, .conf = &policy, .write = true, .key = key};
	struct err e = ERR_INIT;

	suppress_close(s);
	unlinkat(root, "state/suppress/list", 0);
	unlinkat(root, "state/suppress/bounces", 0);
	if (suppress_open(&s, &o, &e))
		ok(false, "a list: %s", err_text(&e));
	err_free(&e);
	return s;
}

static struct suppress *
again(struct suppress *s, const unsigned char *key)
{
	struct suppress_options o = {.root = root, .conf = &policy, .write = true, .key = key};
	struct err e = ERR_INIT;

	suppress_close(s);
	if (suppress_open(&s, &o, &e))
		ok(false, "a list: %s", err_text(&e));
	err_free(&e);
	return s;
}

static enum suppress_did
put(struct suppress *s, const char *address, const char *reason, const char *scope, uint64_t since_s,
    uint64_t until_s)
{
	const struct suppressline v = {.address = span_of(address), .reason = span_of(reason),
	    .source = SPAN("person"), .scope = span_of(scope), .since_s = since_s, .until_s = until_s,
	    .note = {"", 0}};
	struct err e = ERR_INIT;
	enum suppress_did did;

	if (suppress_put(s, &v, &did, &e))
		ok(false, "%s enters: %s", address, err_text(&e));
	err_free(&e);
	return did;
}

static bool
refuses(struct suppress *s, const char *address, const char *stream, uint64_t now_s)
{
	struct buf why = BUF_INIT;
	struct err e = ERR_INIT;
	bool yes = false;

	if (suppress_refuses(s, span_of(address), span_of(stream), now_s, &yes, &why, &e))
		ok(false, "%s is asked about: %s", address, err_text(&e));
	buf_free(&why);
	err_free(&e);
	return yes;
}

static int
count_one(void *arg, const struct suppressline *v, struct err *e)
{
	size_t *n = arg;

	(void)v;
	(void)e;
	++*n;
	return 0;
}

static size_t
listed(struct suppress *s)
{
	struct err e = ERR_INIT;
	size_t n = 0;

	if (suppress_list(s, count_one, &n, &e))
		ok(false, "listed: %s", err_text(&e));
	err_free(&e);
	return n;
}

/* --- addresses */

static int
keep_address(void *arg, const struct suppressline *v, struct err *e)
{
	struct buf *b = arg;

	(void)e;
	buf_add(b, v->address.p, v->address.n);
	buf_ch(b, '\n');
	return 0;
}

static void
keys(struct suppress *s)
{
	static const struct row {
		const char *address, *want; /* NULL: it is none */
	} rows[] = {
	    {"ann@example.org", "ann@example.org"},
	    {"Ann@Example.ORG", "ann@example.org"},
	    {"\"ann\"@example.org", "ann@example.org"},
	    {"\"a b\"@example.org", "\"a b\"@example.org"},
	    {"ann+b@example.org", "ann+b@example.org"},
	    {"ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"},
	    {"ann@XN--BCHER-KVA.Example", "ann@xn--bcher-kva.example"},
	    {"ann@b\xc3\xbc" "cher.example", "ann@xn--bcher-kva.example"},
	    {"ANN@B\xc3\x9c" "CHER.example", "ann@xn--bcher-kva.example"},
	    {"ann@bu\xcc\x88" "cher.example", "ann@xn--bcher-kva.example"}, /* in two characters */
	    {"ann@stra\xc3\x9f" "e.example", "ann@xn--strae-oqa.example"}, /* RFC 5894 7.2: not strasse */
	    {"\xc3\x84nn@example.org", "\xc3\x84nn@example.org"}, /* local parts are their server's */
	    {"ann@[192.0.2.1]", "ann@[192.0.2.1]"},
	    {"ann", NULL}, {"", NULL}, {"ann@", NULL}, {"@example.org", NULL}, {"ann@a b", NULL},
	    {"ann@b\xc3", NULL}};
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct suppressline v = {.address = span_of(rows[i].address), .reason = SPAN("userunknown"),
		    .source = SPAN("person"), .scope = SPAN("keys"), .since_s = NOW};
		enum suppress_did did;
		int rc = suppress_put(s, &v, &did, &e);

		buf_cut(&b, 0);
		if (!rc)
			rc = suppress_why(s, v.address, keep_address, &b, &e);
		buf_cut(&b, b.len ? b.len - 1 : 0);
		if (rows[i].want)
			is_str(rc ? err_text(&e) : b.s, rows[i].want, rows[i].address);
		else
			is_num(rc, EX_DATAERR, "no address");
		err_free(&e);
	}
	buf_free(&b);
	ok(put(s, "ann@b\xc3\xbc" "cher.example", "userunknown", "*", NOW, 0) == SUPPRESS_ADDED, "a U-label enters");
	ok(refuses(s, "Ann@xn--bcher-kva.example", "", NOW), "and is found as an A-label");
	ok(refuses(s, "ann@B\xc3\x9c" "CHER.EXAMPLE", "", NOW), "and in capitals");
	ok(put(s, "ann@xn--bcher-kva.example", "userunknown", "*", NOW, 0) == SUPPRESS_NOTHING,
	    "it is on the list already");
	ok(!refuses(s, "bob@b\xc3\xbc" "cher.example", "", NOW) && !refuses(s, "ann@bucher.example", "", NOW),
	    "others are not");
	ok(!refuses(s, "no address", "", NOW), "what is no address is not on the list");
}

/* --- limits */

static int
try_put(struct suppress *s, struct span reason, struct span source, struct span scope, uint64_t since_s,
    uint64_t until_s)
{
	const struct suppressline v = {.address = SPAN("limits@example.org"), .reason = reason, .source = source,
	    .scope = scope, .since_s = since_s, .until_s = until_s};
	struct err e = ERR_INIT;
	enum suppress_did did;
	int rc = suppress_put(s, &v, &did, &e);

	err_free(&e);
	return rc;
}

static void
limits(struct suppress *s)
{
	static const char many[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	const struct span p = SPAN("person"), r = SPAN("userunknown"), every = SUPPRESS_EVERY;
	const uint64_t last = SUPPRESSLINE_TIME_MAX;

	is_num(try_put(s, (struct span){many, 32}, p, every, NOW, 0), 0, "a reason of 32");
	is_num(try_put(s, (struct span){many, 33}, p, every, NOW, 0), EX_DATAERR, "of 33");
	is_num(try_put(s, SPAN(""), p, every, NOW, 0), EX_DATAERR, "of none");
	is_num(try_put(s, SPAN("Bad"), p, every, NOW, 0), EX_DATAERR, "with a capital");
	is_num(try_put(s, r, (struct span){many, 64}, every, NOW, 0), 0, "a source of 64");
	is_num(try_put(s, r, (struct span){many, 65}, every, NOW, 0), EX_DATAERR, "of 65");
	is_num(try_put(s, r, SPAN("a\tb"), every, NOW, 0), EX_DATAERR, "with a TAB");
	is_num(try_put(s, r, SPAN("\xff"), every, NOW, 0), EX_DATAERR, "that is not UTF-8");
	is_num(try_put(s, r, p, (struct span){many, 16}, NOW, 0), 0, "a scope of 16");
	is_num(try_put(s, r, p, (struct span){many, 17}, NOW, 0), EX_DATAERR, "of 17");
	is_num(try_put(s, r, p, SPAN(""), NOW, 0), EX_DATAERR, "of none");
	is_num(try_put(s, r, p, every, 0, 0), EX_DATAERR, "since never");
	is_num(try_put(s, r, p, every, last, last), 0, "in year 9999");
	is_num(try_put(s, r, p, every, last + 1, 0), EX_DATAERR, "since 10000");
	is_num(try_put(s, r, p, every, NOW, last + 1), EX_DATAERR, "until 10000");
}

static int
keep_note(void *arg, const struct suppressline *v, struct err *e)
{
	struct buf *b = arg;

	(void)e;
	buf_cut(b, 0);
	buf_add(b, v->note.p, v->note.n);
	return 0;
}

/* What a peer said is cut between two characters, and can forge no line. */
static void
notes(struct suppress *s)
{
	struct suppressline v = {.address = SPAN("note@example.org"), .reason = SPAN("userunknown"),
	    .source = SPAN("bounce"), .scope = SUPPRESS_EVERY, .since_s = NOW, .until_s = NOW + 1};
	struct buf long_one = BUF_INIT, got = BUF_INIT;
	struct err e = ERR_INIT;
	enum suppress_did did;

	for (size_t i = 0; i < 299; i++)
		buf_ch(&long_one, 'x');
	buf_str(&long_one, "\xc3\xbc and more");
	v.note = (struct span){long_one.s, long_one.len};
	suppress_put(s, &v, &did, &e);
	suppress_why(s, v.address, keep_note, &got, &e);
	is_num((long long)got.len, 299, "a character that does not fit is not cut in two");
	buf_cut(&long_one, 298);
	buf_str(&long_one, "\xc3\xbc and more");
	v.note = (struct span){long_one.s, long_one.len};
	v.until_s++;
	suppress_put(s, &v, &did, &e);
	suppress_why(s, v.address, keep_note, &got, &e);
	is_num((long long)got.len, 300, "one that does fit is there");
	v.note = SPAN("no\nother@example.org\tuserunknown\tx\xff\x7f\r");
	v.until_s++;
	suppress_put(s, &v, &did, &e);
	suppress_why(s, v.address, keep_note, &got, &e);
	is_str(got.s, "no other@example.org userunknown x?  ", "line ends, TABs and bytes that are no text");
	ok(!refuses(s, "other@example.org", "", NOW), "nobody else is on the list by it");
	buf_free(&long_one);
	buf_free(&got);
	err_free(&e);
}

/* --- time and scopes */

static void
times(struct suppress *s)
{
	put(s, "t@example.org", "mailboxfull", "*", NOW, NOW + 100);
	ok(refuses(s, "t@example.org", "", NOW + 99), "a second before it is over");
	ok(!refuses(s, "t@example.org", "", NOW + 100), "when it is over");
	ok(put(s, "t@example.org", "mailboxfull", "*", NOW, NOW + 100) == SUPPRESS_NOTHING, "as long again");
	ok(put(s, "t@example.org", "mailboxfull", "*", NOW, NOW + 101) == SUPPRESS_ADDED, "longer wins");
	ok(put(s, "t@example.org", "userunknown", "*", NOW, 0) == SUPPRESS_ADDED, "for ever is longest");
	ok(put(s, "t@example.org", "mailboxfull", "*", NOW + 5, NOW + 500) == SUPPRESS_NOTHING,
	    "and no later word shortens it");
	ok(refuses(s, "t@example.org", "", NOW + 1000 * DAY), "in three years");
	ok(put(s, "t@example.org", "removed", "*", NOW - 1, 0) == SUPPRESS_NOTHING, "a removal from before it is none");
	ok(put(s, "t@example.org", "removed", "*", NOW, 0) == SUPPRESS_REMOVED, "one of the same second is");
	ok(!refuses(s, "t@example.org", "", NOW), "it is off the list");
	ok(put(s, "t@example.org", "userunknown", "*", NOW, 0) == SUPPRESS_NOTHING,
	    "what was known then does not bring it back");
	ok(put(s, "t@example.org", "userunknown", "*", NOW + 1, 0) == SUPPRESS_ADDED, "what is said later does");
	ok(put(s, "nobody@example.org", "removed", "*", NOW, 0) == SUPPRESS_NOTHING, "nobody is removed");
}

static void
scopes(struct suppress *s)
{
	put(s, "s@example.org", "unsubscribe", "news", NOW, 0);
	ok(refuses(s, "s@example.org", "news", NOW), "of that stream he is");
	ok(!refuses(s, "s@example.org", "bulk", NOW) && !refuses(s, "s@example.org", "", NOW) &&
	    !refuses(s, "s@example.org", "new", NOW), "of others not");
	put(s, "s@example.org", "userunknown", "*", NOW, NOW + 10);
	ok(refuses(s, "s@example.org", "bulk", NOW), "all streams");
	ok(refuses(s, "s@example.org", "news", NOW + 10) && !refuses(s, "s@example.org", "bulk", NOW + 10),
	    "when that is over the stream's is left");
	put(s, "s@example.org", "removed", "*", NOW + 20, 0);
	ok(refuses(s, "s@example.org", "news", NOW + 20), "nor does its removal lift the stream's");
	put(s, "s@example.org", "removed", "news", NOW + 20, 0);
	ok(!refuses(s, "s@example.org", "news", NOW + 20), "that has its own");
}

/* --- the policy */

static enum suppress_did
fails(struct suppress *s, const char *address, const char *id, const char *reason, bool is_hard, uint64_t at_s)
{
	const struct learn_fact f = {.kind = LEARN_FAILURE, .address = span_of(address), .id = span_of(id),
	    .reason = span_of(reason), .hard = is_hard, .source = SPAN("bounce"), .note = SPAN("no")};
	struct err e = ERR_INIT;
	enum suppress_did did = SUPPRESS_NOTHING;
	uint64_t seen_s;

	if (suppress_seen(s, f.address, f.id, &seen_s, &e) ||
	    learn(s, &policy, &f, seen_s ? seen_s : at_s, seen_s > 0, &did, &e))
		ok(false, "%s fails: %s", address, err_text(&e));
	err_free(&e);
	return did;
}

static void
hard_ones(struct suppress *s)
{
	ok(fails(s, "h@example.org", "1", "userunknown", true, NOW) == SUPPRESS_ADDED, "hard: at once");
	ok(refuses(s, "h@example.org", "any", NOW), "of all streams");
	ok(fails(s, "h@example.org", "1", "userunknown", true, NOW + 5) == SUPPRESS_NOTHING, "the same again");
	ok(fails(s, "i@example.org", "1", "rejected", false, NOW) == SUPPRESS_NOTHING, "another reason: never");
	put(s, "h@example.org", "removed", "*", NOW + 10, 0);
	fails(s, "h@example.org", "1", "userunknown", true, NOW + 20);
	ok(!refuses(s, "h@example.org", "", NOW + 20), "the old bounce read again does not bring him back");
	fails(s, "h@example.org", "2", "userunknown", true, NOW + 30);
	ok(refuses(s, "h@example.org", "", NOW + 30), "a new one does");
	policy.hard = none;
	ok(fails(s, "j@example.org", "1", "userunknown", true, NOW) == SUPPRESS_NOTHING, "hard = none");
	policy.hard = hard;
	policy.hard_for_s = 100;
	fails(s, "k@example.org", "1", "userunknown", true, NOW);
	ok(refuses(s, "k@example.org", "", NOW + 99) && !refuses(s, "k@example.org", "", NOW + 100),
	    "hard_for is counted from the bounce");
	policy.hard_for_s = 0;
}

static void
soft_ones(struct suppress *s)
{
	static const char *const ids[] = {"a", "b", "c", "d", "e"};
	const uint64_t within = policy.soft_within_s;

	for (size_t i = 0; i < 4; i++)
		fails(s, "s1@example.org", ids[i], "mailboxfull", false, NOW + i);
	ok(!refuses(s, "s1@example.org", "", NOW + 4), "four are not enough");
	for (size_t i = 0; i < 4; i++)
		fails(s, "s1@example.org", ids[i], "mailboxfull", false, NOW + 10 + i);
	ok(!refuses(s, "s1@example.org", "", NOW + 20), "nor are the same four again");
	fails(s, "s1@example.org", "e", "rejected", false, NOW + 20);
	ok(!refuses(s, "s1@example.org", "", NOW + 20), "nor one of a reason that is not counted");
	fails(s, "s1@example.org", "f", "expired", false, NOW + 30);
	ok(refuses(s, "s1@example.org", "", NOW + 30) && !refuses(s, "s1@example.org", "", NOW + 30 + 90 * DAY),
	    "the fifth is, for soft_for");
	for (size_t i = 0; i < 5; i++)
		fails(s, i < 4 ? "s2@example.org" : "s3@example.org", ids[i], "mailboxfull", false, NOW);
	fails(s, "s2@example.org", "e", "mailboxfull", false, NOW + within);
	ok(refuses(s, "s2@example.org", "", NOW + within), "from the first to the fifth just soft_within");
	for (size_t i = 0; i < 4; i++)
		fails(s, "s4@example.org", ids[i], "mailboxfull", false, NOW + (i > 0));
	fails(s, "s4@example.org", "e", "mailboxfull", false, NOW + within + 1);
	ok(!refuses(s, "s4@example.org", "", NOW + within + 1), "a second more, and the first does not count");
	for (size_t i = 0; i < 4; i++)
		fails(s, "s5@example.org", ids[i], "mailboxfull", false, NOW);
	put(s, "s5@example.org", "removed", "*", NOW, 0);
	fails(s, "s5@example.org", "e", "mailboxfull", false, NOW + 1);
	ok(!refuses(s, "s5@example.org", "", NOW + 1), "behind a removal the counting begins anew");
}

static void
complaints(struct suppress *s)
{
	struct learn_fact f = {.kind = LEARN_COMPLAINT, .address = SPAN("c@example.org"), .id = SPAN("1"),
	    .reason = SPAN("feedback"), .stream = SPAN("news"), .source = SPAN("feedback"), .note = SPAN("")};
	struct err e = ERR_INIT;
	enum suppress_did did;

	learn(s, &policy, &f, NOW, false, &did, &e);
	ok(did == SUPPRESS_ADDED && refuses(s, "c@example.org", "bulk", NOW), "a complaint: all streams");
	policy.scope = SUPPRESSCONF_STREAM;
	f.address = SPAN("d@example.org");
	learn(s, &policy, &f, NOW, false, &did, &e);
	ok(refuses(s, "d@example.org", "news", NOW) && !refuses(s, "d@example.org", "bulk", NOW),
	    "scope = stream: that one");
	f.address = SPAN("f@example.org");
	f.stream = SPAN("");
	learn(s, &policy, &f, NOW, false, &did, &e);
	ok(refuses(s, "f@example.org", "bulk", NOW), "whose stream is not known: all");
	policy.scope = SUPPRESSCONF_ALL;
	f.kind = LEARN_UNSUBSCRIBE;
	f.address = SPAN("u@example.org");
	learn(s, &policy, &f, NOW, false, &did, &e);
	ok(refuses(s, "u@example.org", "", NOW + 7 * DAY - 1) && !refuses(s, "u@example.org", "", NOW + 7 * DAY),
	    "who unsubscribes, for unsubscribe_for");
	policy.unsubscribes = policy.complaints = false;
	f.address = SPAN("v@example.org");
	learn(s, &policy, &f, NOW, false, &did, &e);
	ok(did == SUPPRESS_NOTHING && !learn_matters(&policy, &f), "or never");
	f.kind = LEARN_COMPLAINT;
	ok(!learn_matters(&policy, &f), "complaints likewise");
	policy.unsubscribes = policy.complaints = true;
	f.kind = LEARN_NOTHING;
	ok(!learn_matters(&policy, &f), "a report that says nothing of anybody does nothing");
	ok(learn_feedback(SPAN("Abuse")) == LEARN_COMPLAINT && learn_feedback(SPAN("fraud")) == LEARN_COMPLAINT &&
	    learn_feedback(SPAN("virus")) == LEARN_COMPLAINT && learn_feedback(SPAN("other")) == LEARN_COMPLAINT,
	    "RFC 5965 7.3: complaints");
	ok(learn_feedback(SPAN("opt-out")) == LEARN_UNSUBSCRIBE && learn_feedback(SPAN("not-spam")) == LEARN_NOTHING &&
	    learn_feedback(SPAN("auth-failure")) == LEARN_NOTHING && learn_feedback(SPAN("")) == LEARN_NOTHING,
	    "and what is none");
	err_free(&e);
}

/* --- hashed addresses */

static struct suppress *
hashed(struct suppress *s)
{
	struct buf names = BUF_INIT;
	struct err e = ERR_INIT;

	s = fresh(s, key_one);
	put(s, "plain@example.org", "userunknown", "*", NOW, 0);
	policy.names = SUPPRESSCONF_HASH;
	s = again(s, key_one);
	ok(refuses(s, "Plain@example.org", "", NOW), "who entered before addresses were hashed is found");
	put(s, "Ann@B\xc3\xbc" "cher.example", "userunknown", "*", NOW, 0);
	ok(refuses(s, "ann@xn--bcher-kva.example", "", NOW), "hashed: found by any spelling");
	ok(!refuses(s, "bob@xn--bcher-kva.example", "", NOW), "and nobody else");
	suppress_list(s, keep_address, &names, &e);
	ok(!memmem(names.s, names.len, "ann", 3) && memchr(names.s, '#', names.len), "no name is in the list");
	s = again(s, key_two);
	ok(!refuses(s, "ann@xn--bcher-kva.example", "", NOW), "with another key nobody can tell");
	s = again(s, key_one);
	ok(fails(s, "full@example.org", "1", "userunknown", true, NOW) == SUPPRESS_ADDED &&
	    fails(s, "Full@example.org", "1", "userunknown", true, NOW) == SUPPRESS_NOTHING,
	    "bounces are counted under the hash, too");
	ok(put(s, "plain@example.org", "removed", "*", NOW + 1, 0) == SUPPRESS_REMOVED &&
	    !refuses(s, "plain@example.org", "", NOW + 1), "who entered before is removed, too");
	ok(put(s, "Ann@b\xc3\xbc" "cher.example", "removed", "*", NOW + 1, 0) == SUPPRESS_REMOVED &&
	    put(s, "nobody@example.org", "removed", "*", NOW + 1, 0) == SUPPRESS_NOTHING, "as who has a hash, and nobody else");
	buf_cut(&names, 0);
	suppress_list(s, keep_address, &names, &e);
	ok(!memmem(names.s, names.len, "nobody", 6) && !memmem(names.s, names.len, "ann", 3), "that tells no name");
	policy.names = SUPPRESSCONF_PLAIN;
	s = again(s, key_one);
	buf_free(&names);
	err_free(&e);
	return s;
}

/* --- many at once */

#define WRITERS 4
#define EACH 150

static void
write_many(int who)
{
	struct suppress_options o = {.root = root, .conf = &policy, .write = true};
	struct suppress *s = NULL;
	struct err e = ERR_INIT;
	char name[64];
	int bad = suppress_open(&s, &o, &e) != 0;

	for (int i = 0; i < EACH && !bad; i++) {
		snprintf(name, sizeof name, "w%d-%d@example.org", who, i);
		bad |= put(s, name, "userunknown", "*", NOW, 0) != SUPPRESS_ADDED;
		snprintf(name, sizeof name, "all-%d@example.org", i);
		put(s, name, "userunknown", "*", NOW, 0);
		fails(s, "counted@example.org", name, "mailboxfull", false, NOW + (unsigned long long)i);
	}
	suppress_close(s);
	err_free(&e);
	_exit(bad || tap_failed);
}

static struct suppress *
writers(struct suppress *s)
{
	pid_t pids[WRITERS];
	char name[64];
	size_t missing = 0;
	int bad = 0, status;

	s = fresh(s, NULL);
	for (int w = 0; w < WRITERS; w++)
		if ((pids[w] = fork()) == 0)
			write_many(w);
	for (int w = 0; w < WRITERS; w++) {
		waitpid(pids[w], &status, 0);
		bad += status != 0;
	}
	is_num(bad, 0, "four write at once");
	for (int w = 0; w <= WRITERS; w++)
		for (int i = 0; i < EACH; i++) {
			if (w < WRITERS)
				snprintf(name, sizeof name, "w%d-%d@example.org", w, i);
			else
				snprintf(name, sizeof name, "all-%d@example.org", i);
			missing += !refuses(s, name, "", NOW);
		}
	is_num((long long)missing, 0, "all of all are there, though the table was made anew meanwhile");
	is_num((long long)listed(s), (WRITERS + 1) * EACH + 1, "and each once");
	return s;
}

/* --- damage */

/* A byte of the file's first place where text stands becomes another. */
static bool
spoil(const char *text)
{
	int fd = openat(root, "state/suppress/list", O_RDWR);
	char *all = mem_alloc(1 << 20), *at;
	ssize_t n = pread(fd, all, 1 << 20, 0);
	bool done = false;

	at = n > 0 ? memmem(all, (size_t)n, text, strlen(text)) : NULL;
	if (at)
		done = pwrite(fd, "~", 1, at - all) == 1;
	close(fd);
	free(all);
	return done;
}

/* Who is on a damaged line may be on the list, and may not. */
static void
doubtful(struct suppress *s, const char *address)
{
	struct buf why = BUF_INIT, want = BUF_INIT;
	struct err e = ERR_INIT;
	bool yes;

	buf_fmt(&want, "suppression list: list: it is damaged where %s would be", address);
	is_num(suppress_refuses(s, span_of(address), SPAN(""), NOW, &yes, &why, &e), EX_TEMPFAIL, address);
	is_str(err_text(&e), want.s, "may be who is on the damaged line");
	err_free(&e);
	buf_free(&why);
	buf_free(&want);
}

static int
count_damaged(void *arg, const struct suppressline *v, struct err *e)
{
	struct buf *out = arg;

	(void)e;
	buf_fmt(out, "%.*s;", SPAN_ARG(v->address));
	return 0;
}

/* What is wrong behind the address is no less wrong; a newer line ends it. */
static struct suppress *
hurt(struct suppress *s)
{
	struct buf lines = BUF_INIT;
	struct err e = ERR_INIT;

	s = fresh(s, NULL);
	put(s, "ann@example.org", "complaint", "*", NOW, 0);
	put(s, "bob@example.org", "userunknown", "*", NOW, 0);
	suppress_damaged(s, count_damaged, &lines, &e);
	is_str(lines.s, "", "nothing is damaged");
	ok(spoil("omplaint"), "a byte of a reason is another");
	doubtful(s, "ann@example.org");
	doubtful(s, "anm@example.org"); /* as far as can be told */
	ok(refuses(s, "bob@example.org", "", NOW) && !refuses(s, "cy@example.org", "", NOW), "others are not concerned");
	suppress_damaged(s, count_damaged, &lines, &e);
	is_str(lines.s, "ann@example.org;", "it is named");
	is_num(suppress_tidy(s, &e), EX_TEMPFAIL, "made anew, it is told");
	is_str(err_text(&e), "list was damaged: it is made anew of the 1 lines that were whole, and what it was is "
	    "list.damaged", "so");
	err_free(&e);
	is_num(suppress_tidy(s, &e), 0, "once");
	ok(!refuses(s, "ann@example.org", "", NOW) && refuses(s, "bob@example.org", "", NOW), "what was whole is there");
	put(s, "ann@example.org", "complaint", "*", NOW, 0);
	ok(spoil("omplaint"), "again");
	put(s, "bob@example.org", "removed", "*", NOW + 1, 0);
	doubtful(s, "ann@example.org");
	put(s, "ann@example.org", "removed", "*", NOW + 2, 0);
	ok(!refuses(s, "ann@example.org", "", NOW + 3), "a newer line settles it");
	buf_free(&lines);
	return s;
}

static struct suppress *
damaged(struct suppress *s)
{
	struct suppress_options o = {.root = root, .conf = &policy, .write = true};
	struct err e = ERR_INIT;
	char name[64];
	size_t there = 0;
	int fd;

	s = fresh(s, NULL);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "d%d@example.org", i);
		put(s, name, "userunknown", "*", NOW, 0);
	}
	ok(spoil("d7@example.org"), "a byte of an entry is another");
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "d%d@example.org", i);
		there += i != 7 && refuses(s, name, "", NOW);
	}
	doubtful(s, "d7@example.org");
	doubtful(s, "~7@example.org");
	ok(!refuses(s, "~ann@example.org", "", NOW) && !refuses(s, "7@example.org", "", NOW), "others are not concerned");
	is_num((long long)there, 39, "it is not there, all others are");
	ok(put(s, "d7@example.org", "userunknown", "*", NOW, 0) == SUPPRESS_ADDED && refuses(s, "d7@example.org", "", NOW),
	    "he can enter again");
	suppress_close(s);
	s = NULL;
	ok(spoil("relaykit table"), "the first line is spoilt");
	is_num(suppress_open(&s, &o, &e), EX_TEMPFAIL, "that is told, once");
	err_free(&e);
	is_num(suppress_open(&s, &o, &e), 0, "for it was made anew");
	is_num((long long)listed(s), 40, "of all that were on it");
	suppress_close(s);
	s = NULL;
	fd = openat(root, "state/suppress/list", O_RDWR | O_TRUNC);
	close(fd);
	is_num(suppress_open(&s, &o, &e), EX_CONFIG, "an empty file is no list: a person must act");
	err_free(&e);
	return fresh(NULL, NULL);
}

/* --- one address alone */

/* All that is known of an address is in one page: there is always room for the newest bounce. */
static void
crowded(struct suppress *s)
{
	static const char address[] = "an.address.that.is.as.long.as.most.of.the.long.ones@mail.example.org";
	struct buf note = BUF_INIT;
	struct err e = ERR_INIT;
	char id[32];
	uint64_t count = 0, at_s = 0;
	size_t refused = 0;

	policy.soft_count = 20;
	for (unsigned long long i = 0; i < 300; i++) {
		snprintf(id, sizeof id, "%llu", i);
		fails(s, address, id, "rejected", false, NOW + i); /* is kept in mind, and counts for nothing */
	}
	suppress_seen(s, span_of(address), SPAN("299"), &at_s, &e);
	ok(at_s == NOW + 299, "three hundred bounces of one address: the last is known");
	suppress_seen(s, span_of(address), SPAN("0"), &at_s, &e);
	ok(at_s == 0, "the first is not");
	for (unsigned long long i = 0; i < 20; i++) {
		ok(i < 19 || !refuses(s, address, "", NOW + 400), "nineteen are not enough");
		snprintf(id, sizeof id, "s%llu", i);
		fails(s, address, id, "mailboxfull", false, NOW + 400 + i);
	}
	ok(refuses(s, address, "", NOW + 420), "twenty are: there is room for so many");
	suppress_count(s, span_of(address), soft, 0, &count, &e);
	is_num((long long)count, 20, "and they are counted");
	for (size_t i = 0; i < 280; i++)
		buf_ch(&note, 'x');
	for (int i = 0; i < 20; i++) {
		struct suppressline v = {.address = span_of(address), .reason = SPAN("unsubscribe"),
		    .source = SPAN("person"), .scope = {id, 0}, .since_s = NOW,
		    .note = {note.s, note.len}};
		enum suppress_did did;

		v.scope.n = (size_t)snprintf(id, sizeof id, "stream%d", i);
		if (suppress_put(s, &v, &did, &e) || !refuses(s, address, id, NOW))
			refused++;
	}
	is_num((long long)refused, 0, "twenty streams of which one has had enough");
	policy.soft_count = 5;
	buf_free(&note);
	err_free(&e);
}

/* --- what goes in the end */

static void
tidied(struct suppress *s)
{
	uint64_t now = (uint64_t)time(NULL);
	struct err e = ERR_INIT;

	put(s, "over1@example.org", "mailboxfull", "*", now - 200 * DAY, now - 90 * DAY - 60);
	put(s, "over2@example.org", "mailboxfull", "*", now - 200 * DAY, now - 90 * DAY + 3600);
	put(s, "gone1@example.org", "removed", "*", now - SUPPRESS_REMOVED_S - 60, 0);
	put(s, "gone2@example.org", "removed", "*", now - SUPPRESS_REMOVED_S + 3600, 0);
	put(s, "ever@example.org", "userunknown", "*", now - 4000 * DAY, 0);
	put(s, "twice@example.org", "mailboxfull", "*", now, now + 100);
	put(s, "twice@example.org", "userunknown", "*", now, 0);
	is_num((long long)listed(s), 6, "six are known of");
	is_num(suppress_tidy(s, &e), 0, "tidied");
	is_num((long long)listed(s), 4, "what is over for 90 days, or removed for 400, goes");
	ok(refuses(s, "ever@example.org", "", now) && refuses(s, "twice@example.org", "", now + 200),
	    "what holds stays");
	ok(put(s, "gone2@example.org", "userunknown", "*", now - SUPPRESS_REMOVED_S, 0) == SUPPRESS_NOTHING,
	    "a removal that is still known holds, too");
	err_free(&e);
}

static void
clean_up(void)
{
	static const char *const names[] = {"list", "list.lock", "list.damaged", "bounces",
	    "bounces.lock"};
	int dir = openat(root, "state/suppress", O_RDONLY | O_DIRECTORY);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlinkat(dir, names[i], 0);
	close(dir);
	unlinkat(root, "state/suppress", AT_REMOVEDIR);
	unlinkat(root, "state", AT_REMOVEDIR);
	close(root);
	ok(rmdir(where) == 0, "nothing else was left");
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");
	struct suppress *s = NULL;

	snprintf(where, sizeof where, "%s/relaykit-suppress.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(where) || (root = open(where, O_RDONLY | O_DIRECTORY)) < 0)
		return 1;
	s = fresh(s, NULL);
	keys(s);
	limits(s);
	notes(s);
	times(s);
	scopes(s);
	hard_ones(s);
	soft_ones(s);
	complaints(s);
	s = hashed(s);
	s = writers(s);
	s = hurt(s);
	s = damaged(s);
	crowded(s);
	s = fresh(s, NULL);
	tidied(s);
	suppress_close(s);
	clean_up();
	return tap_done();
}
