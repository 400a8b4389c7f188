/* journal: each line as relaykit-queue(5) has it, and the state that follows from a history. */
#include "journal.h"

#include "tap.h"

#define T0 1795341600000000ULL

static const uint32_t both[] = {0, 1}, first[] = {0}, second[] = {1};

/* The line without its seal. */
static void
line_is(struct buf *b, const char *want, const char *what)
{
	struct cur c = cur_of(b->s, b->len);
	struct span line = {b->s, b->len};
	size_t n = strlen(want);

	ok(journal_next(&c, &line) && cur_end(&c), "%s is one sealed line", what);
	is_mem(line.p, line.n < n ? line.n : n, want, n, what);
	is_mem(line.p + n, line.n < n ? 0 : 8, ",\"crc\":\"", 8, "and its seal");
	buf_cut(b, 0);
}

static void
writers(void)
{
	struct buf b = BUF_INIT;
	size_t start;

	journal_sending(&b, T0, 2, SPAN("mx.example"), both, 2);
	line_is(&b, "{\"do\":\"sending\",\"at\":1795341600000000,\"attempt\":2,"
	    "\"site\":\"mx.example\",\"rcpt\":[0,1]", "sending");
	start = journal_outcome(&b, T0, 2, SPAN("s"), SPAN("mx1"), SPAN("192.0.2.1:25"));
	journal_outcome_rcpt(&b, 0, JOURNAL_DELIVERED, 250, SPAN("2.0.0"), SPAN("ok"));
	journal_outcome_rcpt(&b, 1, JOURNAL_DEFERRED, 0, SPAN("4.4.2"), SPAN("a\n\"b"));
	journal_outcome_end(&b, start);
	line_is(&b, "{\"do\":\"outcome\",\"at\":1795341600000000,\"attempt\":2,\"site\":\"s\","
	    "\"peer\":\"mx1\",\"addr\":\"192.0.2.1:25\",\"rcpt\":["
	    "{\"i\":0,\"as\":\"delivered\",\"code\":250,\"status\":\"2.0.0\",\"text\":\"ok\"},"
	    "{\"i\":1,\"as\":\"deferred\",\"code\":0,\"status\":\"4.4.2\",\"text\":\"a\\n\\\"b\"}]",
	    "outcome");
	journal_deferred(&b, T0, 3, 1795341900, SPAN("s"));
	line_is(&b,
	    "{\"do\":\"deferred\",\"at\":1795341600000000,\"attempt\":3,\"next\":1795341900,\"site\":\"s\"",
	    "deferred");
	journal_mark(&b, T0, "held", SPAN("uid 1000"), SPAN("looks odd"));
	line_is(&b,
	    "{\"do\":\"held\",\"at\":1795341600000000,\"by\":\"uid 1000\",\"why\":\"looks odd\"",
	    "held");
	journal_mark(&b, T0, "released", SPAN("uid 1000"), SPAN(""));
	line_is(&b, "{\"do\":\"released\",\"at\":1795341600000000,\"by\":\"uid 1000\"", "released");
	journal_success(&b, T0, JOURNAL_TOLD_RELAYED, both, 2);
	line_is(&b, "{\"do\":\"success\",\"at\":1795341600000000,\"as\":\"relayed\",\"rcpt\":[0,1]", "success");
	journal_notice(&b, &(struct journal_notice){"0123456789abcdef", T0, false,
	    (struct journal_notice_rcpt[]){{1, JOURNAL_TOLD_FAILED}, {0, JOURNAL_TOLD_DELAYED}}, 2});
	line_is(&b, "{\"do\":\"notice\",\"at\":1795341600000000,\"id\":\"0123456789abcdef\",\"rcpt\":["
	    "{\"i\":1,\"as\":\"failed\"},{\"i\":0,\"as\":\"delayed\"}]", "notice");
	journal_notice(&b, &(struct journal_notice){"0123456789abcdef", T0, true, NULL, 0});
	line_is(&b, "{\"do\":\"notice\",\"at\":1795341600000000,\"id\":\"0123456789abcdef\","
	    "\"digest\":1,\"rcpt\":[]", "notice, in a digest");
	journal_noticed(&b, T0, "0123456789abcdef");
	line_is(&b, "{\"do\":\"noticed\",\"at\":1795341600000000,\"id\":\"0123456789abcdef\"", "noticed");
	buf_free(&b);
}

static struct err e;

static int
replay(const struct buf *b, size_t n, struct journal *j)
{
	return journal_replay((struct span){b->s, b->len}, n, j, &e);
}

static void
histories(void)
{
	struct buf b = BUF_INIT;
	struct journal j;
	size_t start;

	is_num(replay(&b, 2, &j), 0, "no history");
	ok(j.n == 2 && j.open == 2 && j.doubts == 0 && j.attempts == 0 && !j.held &&
		j.next_s == 0 && j.rcpts[1].last == NULL && strcmp(j.held_by, "") == 0,
	    "says nothing");
	journal_free(&j);

	journal_sending(&b, T0 + 1, 1, SPAN("s"), both, 2);
	replay(&b, 2, &j);
	ok(j.open == 2 && j.doubts == 2 && j.rcpts[0].doubt && j.rcpts[1].doubt &&
		j.attempts == 1 && j.doubt_us == T0 + 1,
	    "sent and nothing more: both in doubt");
	journal_free(&j);

	journal_deferred(&b, T0 + 2, 1, 77, SPAN("s"));
	replay(&b, 2, &j);
	ok(j.doubts == 2 && j.next_s == 77 && !j.rcpts[0].last && j.rcpts[0].is == JOURNAL_DEFERRED,
	    "a deferral is no outcome");
	journal_free(&j);

	start = journal_outcome(&b, T0 + 3, 2, SPAN("s"), SPAN("mx1"), SPAN("a"));
	journal_outcome_rcpt(&b, 1, JOURNAL_DELIVERED, 250, SPAN("2.0.0"), SPAN("ok"));
	journal_outcome_end(&b, start);
	replay(&b, 2, &j);
	ok(j.open == 1 && j.doubts == 1 && j.rcpts[0].doubt && !j.rcpts[1].doubt &&
		j.attempts == 2 && j.rcpts[1].is == JOURNAL_DELIVERED &&
		j.rcpts[0].is == JOURNAL_DEFERRED,
	    "an outcome of one leaves the other in doubt");
	is_str(j.rcpts[1].last->text, "ok", "each has its own last word");
	is_str(j.rcpts[1].last->peer, "mx1", "and who said it");
	ok(!j.rcpts[0].last, "and who has none, none");
	journal_free(&j);

	journal_mark(&b, T0 + 4, "held", SPAN("policy in_doubt"), SPAN("why"));
	replay(&b, 2, &j);
	ok(j.held && j.held_us == T0 + 4 && j.doubts == 1 && j.changed_us == T0 + 4, "held");
	is_str(j.held_by, "policy in_doubt", "by whom");
	is_str(j.held_why, "why", "and why");
	journal_free(&j);

	journal_mark(&b, T0 + 5, "released", SPAN("uid 0"), SPAN(""));
	replay(&b, 2, &j);
	ok(!j.held && j.doubts == 0 && j.open == 1,
	    "released: a person has decided about the doubt");
	journal_free(&j);

	journal_sending(&b, T0 + 6, 3, SPAN("s"), first, 1);
	start = journal_outcome(&b, T0 + 7, 3, SPAN("s"), SPAN("mx1"), SPAN("a"));
	journal_outcome_rcpt(&b, 0, JOURNAL_DEFERRED, 451, SPAN("4.3.0"), SPAN("later"));
	journal_outcome_end(&b, start);
	journal_deferred(&b, T0 + 8, 3, 98, SPAN("s"));
	replay(&b, 2, &j);
	ok(j.next_s == 98, "a deferral says when");
	is_str(j.rcpts[0].last->text, "later", "and leaves the server's word as it was");
	journal_free(&j);

	start = journal_outcome(&b, T0 + 8, 4, SPAN("s"), SPAN(""), SPAN(""));
	journal_outcome_rcpt(&b, 0, JOURNAL_DEFERRED, 0, SPAN("4.4.1"), SPAN("connect"));
	journal_outcome_end(&b, start);
	journal_deferred(&b, T0 + 8, 4, 99, SPAN("s"));
	replay(&b, 2, &j);
	ok(j.doubts == 0 && j.open == 1 && j.next_s == 99 && j.attempts == 4, "tried again");
	is_str(j.rcpts[0].last->text, "connect", "the newer word is the last");
	is_str(j.rcpts[1].last->text, "ok", "a finished recipient keeps its own");
	ok(!journal_same_reply(j.rcpts[0].last, j.rcpts[1].last) && !journal_same_reply(NULL, j.rcpts[1].last) &&
		journal_same_reply(NULL, NULL),
	    "which is another");
	journal_free(&j);

	journal_mark(&b, T0 + 9000000, "retry", SPAN("uid 0"), SPAN(""));
	start = journal_outcome(&b, T0 + 9000001, 5, SPAN("s"), SPAN("mx1"), SPAN("a"));
	journal_outcome_rcpt(&b, 0, JOURNAL_FAILED, 550, SPAN("5.1.1"), SPAN("no"));
	journal_outcome_end(&b, start);
	replay(&b, 2, &j);
	ok(j.open == 0 && j.rcpts[0].is == JOURNAL_FAILED && j.next_s == T0 / 1000000 + 9,
	    "failed; retry made it due");
	journal_free(&j);

	start = journal_outcome(&b, T0 + 9000002, 6, SPAN("s"), SPAN("mx1"), SPAN("a"));
	journal_outcome_rcpt(&b, 1, JOURNAL_DEFERRED, 0, SPAN("4.4.1"), SPAN("connect"));
	journal_outcome_end(&b, start);
	replay(&b, 2, &j);
	ok(j.open == 0 && j.rcpts[1].is == JOURNAL_DELIVERED, "who has it is never open again");
	is_str(j.rcpts[1].last->text, "ok", "whatever is said later");
	journal_free(&j);
	buf_free(&b);
}

static void
sealed(struct buf *b, const char *object)
{
	buf_str(b, object);
	journal_seal(b, b->len - strlen(object));
}

static void
odd(void)
{
	static const char *const wrong[] = {"{\"do\":\"sending\",\"rcpt\":[2]",
	    "{\"do\":\"sending\",\"rcpt\":[-1]", "{\"do\":\"sending\",\"rcpt\":[\"0\"]",
	    "{\"do\":\"outcome\",\"rcpt\":[{\"i\":2,\"as\":\"failed\"}]",
	    "{\"do\":\"outcome\",\"rcpt\":[{\"i\":0,\"as\":\"open\"}]",
	    "{\"do\":\"outcome\",\"rcpt\":[{\"i\":0}]", "{\"do\":\"outcome\",\"rcpt\":[0]",
	    "{\"do\":\"deferred\",,"};
	struct buf b = BUF_INIT;
	struct journal j;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		sealed(&b, wrong[i]);
		is_num(replay(&b, 2, &j), EX_DATAERR, wrong[i]);
		journal_free(&j);
		buf_cut(&b, 0);
	}
	sealed(&b, "{\"do\":\"dance\",\"at\":5");
	is_num(replay(&b, 2, &j), 0, "what is not known is passed over");
	journal_free(&j);
	journal_mark(&b, T0, "held", SPAN("x"), SPAN(""));
	buf_cut(&b, b.len - 1);
	is_num(replay(&b, 2, &j), 0, "a line without its end");
	ok(!j.held, "was never written");
	journal_free(&j);
	buf_str(&b, "\n");
	b.s[b.len - 3]++; /* the last digit of the crc */
	journal_mark(&b, T0, "held", SPAN("x"), SPAN(""));
	is_num(replay(&b, 2, &j), 0, "a line with another crc");
	ok(!j.held, "ends the journal");
	journal_free(&j);
	is_num(replay(&(struct buf)BUF_INIT, 0, &j), 0, "no recipients at all");
	journal_free(&j);
	buf_free(&b);
	err_free(&e);
}

/* What a sender has been told of, or is about to be. */
static void
notices(void)
{
	struct journal_notice begun = {"0123456789abcdef", T0 + 1, false,
	    (struct journal_notice_rcpt[]){{1, JOURNAL_TOLD_FAILED}, {0, JOURNAL_TOLD_DELAYED}}, 2};
	struct journal_notice bad = {"0123456789abcdef", T0, false,
	    (struct journal_notice_rcpt[]){{2, JOURNAL_TOLD_FAILED}}, 1};
	struct buf b = BUF_INIT;
	struct journal j;

	journal_success(&b, T0, JOURNAL_TOLD_DELIVERED, second, 1);
	replay(&b, 2, &j);
	ok(!j.notice && j.rcpts[1].success == JOURNAL_TOLD_DELIVERED && !j.rcpts[0].success && !j.rcpts[1].told,
	    "a success that is to be told of");
	journal_free(&j);
	journal_notice(&b, &begun);
	replay(&b, 2, &j);
	ok(j.notice && j.notice->at_us == T0 + 1 && j.notice->n == 2 && !j.notice->digest &&
		j.notice->v[0].i == 1 && j.notice->v[0].as == JOURNAL_TOLD_FAILED,
	    "a notice that was begun");
	is_str(j.notice ? j.notice->id : "", "0123456789abcdef", "its id");
	ok(j.rcpts[1].told && !j.rcpts[1].warned && j.rcpts[0].warned && !j.rcpts[0].told,
	    "told of the end, and of the delay");
	journal_free(&j);
	journal_noticed(&b, T0 + 2, "fedcba9876543210");
	replay(&b, 2, &j);
	ok(j.notice != NULL, "another's end is not its own");
	journal_free(&j);
	journal_noticed(&b, T0 + 2, "0123456789abcdef");
	replay(&b, 2, &j);
	ok(!j.notice && j.rcpts[1].told && j.rcpts[0].warned, "it is there, and they stay told of");
	journal_free(&j);
	buf_cut(&b, 0);
	journal_notice(&b, &bad);
	ok(replay(&b, 2, &j) == EX_DATAERR, "a notice of somebody who is not there");
	journal_free(&j);
	err_free(&e);
	buf_free(&b);
}

/* Given up: the status is ours, and what the server has said is not forgotten for it. */
static void
given_up(void)
{
	struct buf b = BUF_INIT;
	struct journal j;
	size_t start = journal_outcome(&b, T0, 1, SPAN("s"), SPAN("mx1"), SPAN("192.0.2.1:25"));

	journal_outcome_rcpt(&b, 0, JOURNAL_DEFERRED, 451, SPAN("4.2.0"), SPAN("greylisted"));
	journal_outcome_rcpt(&b, 1, JOURNAL_FAILED, 550, SPAN("5.1.1"), SPAN("no"));
	journal_outcome_end(&b, start);
	start = journal_outcome(&b, T0 + 1, 2, SPAN("s"), SPAN("mx1"), SPAN("192.0.2.1:25"));
	journal_outcome_rcpt(&b, 0, JOURNAL_EXPIRED, 451, SPAN("4.4.7"), SPAN("greylisted"));
	journal_outcome_end(&b, start);
	is_num(journal_replay((struct span){b.s, b.len}, 2, &j, &e), 0, "replayed");
	is_str(j.rcpts[0].last->status, "4.4.7", "expired");
	is_str(j.rcpts[0].last->said, "4.2.0", "and what the reply had");
	ok(!j.rcpts[1].last->said, "of a refusal that is the same");
	journal_free(&j);
	buf_free(&b);
}

static void
same(void)
{
	struct buf b = BUF_INIT;
	struct journal j;
	size_t start = journal_outcome(&b, T0, 1, SPAN("s"), SPAN("mx1"), SPAN(""));

	journal_outcome_rcpt(&b, 0, JOURNAL_DEFERRED, 0, SPAN("4.4.1"), SPAN("connect"));
	journal_outcome_rcpt(&b, 1, JOURNAL_DEFERRED, 0, SPAN("4.4.1"), SPAN("connect"));
	journal_outcome_end(&b, start);
	replay(&b, 2, &j);
	ok(j.rcpts[0].last != j.rcpts[1].last && journal_same_reply(j.rcpts[0].last, j.rcpts[1].last),
	    "two were told the same");
	journal_free(&j);
	buf_free(&b);
}

int
main(void)
{
	given_up();
	writers();
	histories();
	notices();
	same();
	odd();
	return tap_done();
}
