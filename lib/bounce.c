#include "bounce.h"

#include "arena.h"
#include "arf.h"
#include "bouncekeep.h"
#include "bouncetext.h"
#include "dsn.h"
#include "fold.h"
#include "htmltext.h"
#include "quoted.h"
#include "returned.h"
#include "returnpath.h"
#include "sesjson.h"

#include <stdlib.h>
#include <string.h>

struct bounce_reader {
	const struct rules *rules;
	struct bouncekeep keep;
	bool headed;         /* the header section has been asked what it is */
	bool stale;          /* the last message has been handed out */
	struct arena arena;
	struct bouncetext text;
	struct buf scratch, words;
	struct dsn dsn;
	struct arf arf;
	struct span original;
	struct bouncetext_rcpt *unnamed; /* those before it are spoken for */
	const unsigned char *key; /* of return paths; NULL: none */
	uint64_t now_s;
	struct bounce out;
	struct bounce_rcpt **end;
};

static struct span
kept(const struct bounce_reader *b, enum bouncekeep_kind kind)
{
	return bouncekeep_text(&b->keep, kind);
}

/* --- the message comes in */

static void
ask_header(struct bounce_reader *b)
{
	if (!b->headed)
		bouncetext_header(&b->text, kept(b, KEEP_HEADER));
	b->headed = true;
}

static bool
is_one(void *arg)
{
	struct bounce_reader *b = arg;

	ask_header(b);
	return b->text.bounce || b->text.daemon || b->text.automatic || b->text.feedback.n > 0;
}

struct bounce_reader *
bounce_new(const struct rules *r)
{
	struct bounce_reader *b = mem_alloc(sizeof *b);

	b->rules = r;
	bouncekeep_init(&b->keep, is_one, b);
	b->scratch = b->words = (struct buf)BUF_INIT;
	bouncetext_init(&b->text, r, &b->arena);
	return b;
}

void
bounce_del(struct bounce_reader *b)
{
	if (!b)
		return;
	bouncekeep_free(&b->keep);
	buf_free(&b->scratch);
	buf_free(&b->words);
	bouncetext_free(&b->text);
	arena_free(&b->arena);
	free(b);
}

static void
reset(struct bounce_reader *b)
{
	bouncekeep_reset(&b->keep);
	bouncetext_reset(&b->text);
	arena_reset(&b->arena);
	memset(&b->out, 0, sizeof b->out);
	b->end = &b->out.rcpts;
	b->headed = b->stale = false;
}

void
bounce_feed(struct bounce_reader *b, struct span piece)
{
	if (b->stale || !b->end)
		reset(b);
	bouncekeep_feed(&b->keep, piece);
}

static void
returned_message(struct bounce_reader *b)
{
	struct bounce *o = &b->out;
	struct returned r;

	b->original = kept(b, KEEP_ORIGINAL);
	if (b->original.n == 0 && b->text.original.n > 0)
		b->original = returned_header(b->text.original, BOUNCE_TEXT_MAX, &b->arena);
	returned_read(b->original, &b->arena, &b->words, &r);
	o->message_id = r.message_id;
	o->sender = r.sender;
	o->subject = r.subject;
	o->date = r.date;
	o->queue_id = r.queue_id;
}

/* --- one recipient */

static bool
vague(struct span status) /* x.0.0 */
{
	return status.n == 0 || span_ends(status, SPAN(".0.0"));
}

static enum rules_phase
phase_in(struct bounce_reader *b, struct span text)
{
	static const struct rules_facts none;
	struct rules_scan s;
	const struct rule *r;

	if (text.n > REASON_TEXT_MAX)
		text.n = REASON_TEXT_MAX;
	buf_cut(&b->scratch, 0);
	fold(text, &b->scratch);
	rules_begin(&s, b->rules, &b->rules->lines, (struct span){b->scratch.s, b->scratch.len}, &none,
	    RULES_ASK_PHASE);
	while ((r = rules_next(&s)))
		if (rules_at(r) != RULES_NO_PHASE)
			return rules_at(r);
	return RULES_NO_PHASE;
}

static bool
is_host(int c)
{
	return is_alnum(c) || c == '.' || c == '-';
}

/* A host that a text speaks of: "host mx.example [192.0.2.1] said", "while talking to mx.example:". */
static struct span
remote_in(struct span text)
{
	static const struct span before[] = {{"host", 4}, {"talking to", 10}, {"connected to", 12},
	    {"server", 6}, {"domain by", 9}, {"host:", 5}};
	static const bool ends[256] = {['t'] = 1, ['T'] = 1, ['o'] = 1, ['O'] = 1, ['r'] = 1, ['R'] = 1,
	    ['y'] = 1, ['Y'] = 1, [':'] = 1}; /* one of them */

	for (size_t i = 1; i + 1 < text.n; i++) {
		if (text.p[i] != ' ' || !ends[(unsigned char)text.p[i - 1]] || !is_host((unsigned char)text.p[i + 1]))
			continue;
		for (size_t k = 0; k < sizeof before / sizeof *before; k++) {
			struct cur c = cur_of(text.p + i + 1, text.n - i - 1);
			struct span host;

			if (!span_ends((struct span){text.p, i}, before[k]))
				continue;
			host = cur_while(&c, is_host);
			while (host.n > 0 && host.p[host.n - 1] == '.')
				host.n--;
			if (host.n > 3 && memchr(host.p, '.', host.n) &&
			    is_alpha((unsigned char)host.p[host.n - 1]))
				return host;
		}
	}
	return (struct span){"", 0};
}

/* A rule that is about the text, not about its codes alone. */
static bool
by_text(const struct reason *r)
{
	return r->rule && !span_eq(r->rule->pattern, SPAN("*"));
}

/* A status that says why: what somebody else's footer says does not count beside it. */
static bool
decisive(struct span status)
{
	return status.n > 4 && status.p[2] != '7' && !span_ends(status, SPAN(".0"));
}

/* "5.1.0 - Unknown address error 550-'5.7.1 no': of a report in a report the inner one counts. */
static struct span
innermost(struct span text)
{
	const char *p = text.p, *end = text.n > 0 ? text.p + text.n : text.p;

	for (; p < end && (p = memchr(p, '\'', (size_t)(end - p))); p++)
		if (p - text.p >= 5 && p[-1] == '-' && p[-5] == ' ' && (p[-4] == '4' || p[-4] == '5') &&
		    is_digit((unsigned char)p[-3]) && is_digit((unsigned char)p[-2]))
			return (struct span){p - 4, (size_t)(end - p) + 4};
	return text;
}

static void
classify(struct bounce_reader *b, struct bounce_rcpt *o, struct span said)
{
	struct reason_in in = {.code = o->reply, .status = o->status, .text = o->text,
	    .action = o->action.n > 0 ? o->action : b->text.action, .phase = o->phase, .remote = o->remote, .reporting = b->out.reporting,
	    .dialect = b->out.dialect};
	const struct span also[] = {innermost(said),
	    innermost((struct span){b->text.all.s, b->text.all.len})};
	size_t n = decisive(o->status) ? 1 : 2;
	struct reason more;
	struct cur c = cur_span(o->recipient);

	cur_until(&c, '@');
	cur_ch(&c, '@');
	in.domain = cur_rest(&c);
	/* What the dialect's own sentences say is about this one. */
	if (b->text.n == 1 && rules_has_site(b->rules, in.dialect)) {
		in.text = also[1];
		in.dialect_only = true;
		reason_find(b->rules, &in, &b->scratch, &o->reason);
		if (o->reason.rule)
			return;
		in.text = o->text;
		in.dialect_only = false;
	}
	reason_find(b->rules, &in, &b->scratch, &o->reason);
	/* What it says itself first, then what is said about it, then whatever is said. */
	for (size_t i = 0; i < n && !by_text(&o->reason); i++) {
		if (also[i].n == 0 || span_eq(also[i], in.text))
			continue;
		in.text = also[i];
		reason_find(b->rules, &in, &b->scratch, &more);
		if (by_text(&more) || !o->reason.rule)
			o->reason = more;
	}
}

static bool
is_success(struct span action)
{
	return span_eq(action, SPAN("delivered")) || span_eq(action, SPAN("relayed")) ||
	    span_eq(action, SPAN("expanded"));
}

static void
derive(struct bounce_reader *b, struct bounce_rcpt *o)
{
	bool expired = span_eq(o->reason.word, SPAN("expired"));

	if (o->action.n == 0) {
		o->action = expired || b->text.action.n > 0 ? SPAN("delayed") : SPAN("failed");
		o->derived |= BOUNCE_ACTION_DERIVED;
	}
	if (o->status.n == 0) {
		int class = o->reply ? o->reply / 100 : expired ? 0 : 5;

		o->status = reason_status(o->reason.word, class);
		if (o->status.n == 0 && (class == 4 || class == 5))
			o->status = class == 4 ? SPAN("4.0.0") : SPAN("5.0.0");
		if (o->status.n > 0)
			o->derived |= BOUNCE_STATUS_DERIVED;
	}
	o->reason.hard = reason_hard(o->reason.word, o->reply, o->status);
}

static struct bounce_rcpt *
add(struct bounce_reader *b, struct span recipient)
{
	struct bounce_rcpt *o = arena_get(&b->arena, sizeof *o);

	o->recipient = recipient;
	*b->end = o;
	b->end = &o->next;
	b->out.n++;
	return o;
}

static struct span
said_about(const struct bouncetext_rcpt *t)
{
	return t ? (struct span){t->said.s, t->said.len} : (struct span){"", 0};
}

/* The first enhanced code of a failure: a dialogue has those of success before it. */
static struct span
failure_in(struct span text)
{
	struct span s = dsn_status_in(text);

	while (s.n > 0 && *s.p == '2') {
		const char *behind = s.p + s.n;

		s = dsn_status_in((struct span){behind, (size_t)(text.p + text.n - behind)});
	}
	return s;
}

/* Codes and text of one, from its own words (diag) and those of the human part. */
static void
fill(struct bounce_reader *b, struct bounce_rcpt *o, struct span diag, struct span status,
    const struct bouncetext_rcpt *t)
{
	struct span said = said_about(t), in_diag;

	diag = innermost(diag);
	in_diag = failure_in(diag);

	o->text = diag.n > 0 ? diag : said;
	o->reply = dsn_code_in(diag);
	if (o->reply == 0)
		o->reply = dsn_code_in(said);
	o->status = in_diag.n > 0 && !(vague(in_diag) && !vague(status)) ? in_diag : status;
	if (vague(o->status)) {
		struct span in_said = failure_in(said);

		if (!vague(in_said) || o->status.n == 0)
			o->status = in_said;
	}
	o->phase = phase_in(b, diag);
	if (o->phase == RULES_NO_PHASE && t)
		o->phase = t->phase;
	if (o->remote.n == 0)
		o->remote = remote_in(o->text);
	classify(b, o, said);
	derive(b, o);
}

/* --- kinds of bounces */

static struct span
known_action(struct span a)
{
	static const char *const words[] = {"failed", "delayed", "delivered", "relayed", "expanded"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (span_eq(a, span_of(words[i])))
			return a;
	return span_eq(a, SPAN("failure")) ? SPAN("failed") : (struct span){"", 0};
}

/* Whom the words name and the status does not: the first that is not spoken for. */
static struct bouncetext_rcpt *
unnamed(struct bounce_reader *b)
{
	for (; b->unnamed; b->unnamed = b->unnamed->next) {
		const struct bouncetext_rcpt *t = b->unnamed;
		bool taken = false;

		for (const struct dsn_rcpt *d = b->dsn.rcpts; d; d = d->next)
			taken |= span_ieq(d->final, t->address) || span_ieq(d->original, t->address);
		for (const struct bounce_rcpt *o = b->out.rcpts; o; o = o->next)
			taken |= span_ieq(o->recipient, t->address);
		if (!taken)
			break;
	}
	return b->unnamed;
}

static void
success(struct bounce_rcpt *o, const struct dsn_rcpt *d)
{
	struct cur c = cur_span(d->diagnostic);
	uint64_t code;

	if (o->action.n == 0) {
		o->action = SPAN("delivered");
		o->derived |= BOUNCE_ACTION_DERIVED;
	}
	o->text = d->diagnostic;
	o->status = d->status;
	if (cur_u64(&c, 299, &code) && code >= 200)
		o->reply = (int)code;
	o->reason = (struct reason){SPAN("delivered"), REASON_SOFT, NULL};
}

static bool
has_letters(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (is_alpha((unsigned char)s.p[i]))
			return true;
	return false;
}

/* "X-Unix; 75" is what a program exited with: what it said is in the words.  The type stays in front, for
 * the rules to see; likewise the category that PowerMTA gives.  All else as it is. */
static struct span
diagnosis(struct bounce_reader *b, const struct dsn_rcpt *d, const struct bouncetext_rcpt *t)
{
	struct span said = said_about(t), out;
	struct buf text = BUF_INIT;

	if (!span_eq(d->diagnostic_type, SPAN("x-unix")) && d->category.n == 0)
		return d->diagnostic;
	if (d->category.n > 0)
		buf_fmt(&text, "%.*s [%.*s]", SPAN_ARG(d->diagnostic), SPAN_ARG(d->category));
	else if (has_letters(d->diagnostic) || said.n == 0)
		buf_fmt(&text, "x-unix; %.*s", SPAN_ARG(d->diagnostic));
	else
		buf_fmt(&text, "%.*s\nx-unix; %.*s", SPAN_ARG(said), SPAN_ARG(d->diagnostic));
	out = arena_dup(&b->arena, (struct span){text.s, text.len});
	buf_free(&text);
	return out;
}

static void
status_rcpt(struct bounce_reader *b, const struct dsn_rcpt *d)
{
	struct bouncetext_rcpt *t = NULL;
	struct bounce_rcpt *o;
	struct span who = d->final.n > 0 ? d->final : d->original;
	const struct span names[] = {d->final, d->original, d->actual};

	for (size_t i = 0; i < 3 && !t; i++)
		if (names[i].n > 0)
			t = bouncetext_rcpt(&b->text, names[i], false);
	if (who.n == 0) {
		t = unnamed(b);
		if (!t)
			return;
		who = t->address;
	} else if (!t && b->dsn.n == 1 && b->text.n <= 1) /* by another name, or none */
		t = b->text.n == 1 ? b->text.rcpts : bouncetext_only(&b->text, who);
	o = add(b, who);
	if (!span_ieq(d->original, who))
		o->original = d->original;
	if (!span_ieq(d->actual, who))
		o->actual = d->actual;
	o->remote = d->remote;
	o->action = known_action(d->action);
	if (is_success(o->action) || (o->action.n == 0 && d->status.n > 0 && *d->status.p == '2')) {
		success(o, d);
		return;
	}
	fill(b, o, diagnosis(b, d, t), d->status, t);
}

static void
from_status(struct bounce_reader *b)
{
	if (b->out.dialect.n == 0)
		b->out.dialect = SPAN("rfc3464");
	b->out.reporting = b->dsn.reporting;
	b->out.arrival = b->dsn.arrival;
	b->out.envid = b->dsn.envid;
	b->out.is = BOUNCE_REPORT;
	b->unnamed = b->text.rcpts;
	for (const struct dsn_rcpt *d = b->dsn.rcpts; d; d = d->next)
		status_rcpt(b, d);
	b->out.cut |= b->dsn.n > DSN_RCPT_MAX;
}

static void
feedback_rcpt(struct bounce_reader *b, struct span who)
{
	struct bounce_rcpt *o = add(b, who);

	o->reason = (struct reason){SPAN("feedback"), REASON_SOFT, NULL};
	o->text = b->arf.auth_failure;
}

/* Who complains: those whom the report names, else to whom the message went. */
static void
from_feedback(struct bounce_reader *b, struct span type)
{
	struct span head = b->original, who;

	b->out.is = BOUNCE_FEEDBACK;
	b->out.feedback_type = type;
	if (b->out.dialect.n == 0)
		b->out.dialect = SPAN("arf");
	b->out.reporting = b->arf.reporting;
	b->out.arrival = b->arf.arrival;
	b->out.envid = b->arf.envid;
	for (size_t i = 0; i < b->arf.n; i++)
		feedback_rcpt(b, b->arf.rcpts[i]);
	if (b->out.n > 0)
		return;
	who = b->arf.removal;
	if (who.n == 0)
		who = returned_address(head, "X-HmXmrOriginalRecipient", &b->arena, &b->words);
	if (who.n == 0)
		who = returned_address(head, "To", &b->arena, &b->words);
	if (who.n == 0) /* it is its writer who wants no more */
		who = returned_address(kept(b, KEEP_HEADER), "From", &b->arena, &b->words);
	if (who.n > 0)
		feedback_rcpt(b, who);
}

/* How many X-Failed-Recipients names; they are marked. */
static size_t
failed_header(struct bounce_reader *b)
{
	struct span v = returned_field(kept(b, KEEP_HEADER), "X-Failed-Recipients", &b->arena, &b->words);
	struct cur c = cur_span(v);
	size_t n = 0;

	while (!cur_end(&c)) {
		struct span a = dsn_address(cur_until(&c, ','), &b->arena);
		struct bouncetext_rcpt *t = a.n > 0 ? bouncetext_rcpt(&b->text, a, true) : NULL;

		cur_ch(&c, ',');
		if (t) {
			t->in_header = true;
			n++;
		}
	}
	return n;
}

static void
from_words(struct bounce_reader *b)
{
	struct bouncetext_rcpt *named = b->text.rcpts;
	size_t n = failed_header(b), both = 0;

	b->out.is = BOUNCE_REPORT;
	for (struct bouncetext_rcpt *t = named; t; t = t->next)
		both += t->in_header && t->said.len > 0;
	if (b->text.n == 0) { /* it names nobody: then whoever the message went to */
		struct span who = b->out.proof == VERP_GOOD ? b->out.proved : b->text.alias;

		if (who.n == 0)
			who = returned_address(b->original, "To", &b->arena, &b->words);
		if (who.n > 0)
			bouncetext_only(&b->text, who);
	}
	/* The header names all, but for a mailer that has rewritten them there. */
	for (struct bouncetext_rcpt *t = b->text.rcpts; t; t = t->next) {
		struct span none = {"", 0};

		if (n == 0 || t->in_header == (both > 0 || !named))
			fill(b, add(b, t->address), none, none, t);
	}
}

static void
from_answer(struct bounce_reader *b)
{
	struct span who = returned_address(kept(b, KEEP_HEADER), "From", &b->arena, &b->words);

	b->out.is = BOUNCE_AUTO;
	if (who.n > 0)
		add(b, who)->reason = (struct reason){SPAN("vacation"), REASON_SOFT, NULL};
}

/* --- the return path */

static void
return_path(struct bounce_reader *b)
{
	struct returnpath p = {.key = b->key, .now_s = b->now_s, .is = VERP_NONE};

	if (!b->key)
		return;
	returnpath_header(&p, kept(b, KEEP_HEADER), &b->arena, &b->words);
	if (b->keep.kept[KEEP_REPORT].len > 0)
		returnpath_look(&p, returned_address(b->original, "Return-Path", &b->arena, &b->words), &b->arena,
		    &b->words);
	b->out.proof = p.is;
	b->out.proved = p.proved;
}

/* Who is named, and who was mailed. */
static void
name_proved(struct bounce_reader *b)
{
	struct bounce *o = &b->out;
	struct bounce_rcpt *r = o->rcpts;

	for (struct bounce_rcpt *i = r; i && o->proof == VERP_SHORT; i = i->next) {
		struct span who = i->original.n > 0 ? i->original : i->recipient;

		if (verp_proves(b->key, o->proved, who)) {
			o->proof = VERP_GOOD;
			o->proved = who;
		}
	}
	if (o->proof != VERP_GOOD)
		o->proved = (struct span){"", 0};
	else if (r && !r->next && !span_ieq(r->recipient, o->proved)) {
		if (r->actual.n == 0)
			r->actual = r->recipient;
		r->recipient = o->proved;
	}
}

void
bounce_prove(struct bounce_reader *b, const unsigned char *key, uint64_t now_s)
{
	b->key = key;
	b->now_s = now_s;
}

/* --- the end */

static struct span
human_text(struct bounce_reader *b)
{
	if (span_trim(kept(b, KEEP_PLAIN)).n > 0)
		return kept(b, KEEP_PLAIN);
	if (b->keep.kept[KEEP_HTML].len > 0) {
		struct span html = kept(b, KEEP_HTML);

		if (!html_has_tags(html)) /* some mailers only call it so */
			return html;
		html_text(html, &b->keep.kept[KEEP_PLAIN]);
		return kept(b, KEEP_PLAIN);
	}
	return kept(b, KEEP_PREAMBLE);
}

static struct span
all_unquoted(struct bounce_reader *b, struct span text)
{
	struct cur c = cur_span(text);
	struct span line;

	buf_cut(&b->words, 0);
	while (cur_line(&c, &line)) {
		const char *end = line.p + line.n;

		/* What is folded stays folded. */
		if (line.n > 0 && *line.p == '>') {
			line = bouncetext_unquoted(line);
			line.n = (size_t)(end - line.p);
		}
		buf_add(&b->words, line.p, line.n);
		buf_ch(&b->words, '\n');
	}
	return arena_dup(&b->arena, (struct span){b->words.s, b->words.len});
}

static void
judge_text(struct bounce_reader *b, struct span text)
{
	ask_header(b);
	bouncetext_body(&b->text, text);
	returned_message(b);
	return_path(b);
	b->out.dialect = b->text.dialect;
	memset(&b->arf, 0, sizeof b->arf);
	b->dsn = (struct dsn){.rcpts = NULL};
	dsn_parse(kept(b, KEEP_STATUS), &b->arena, &b->dsn);
	if (!b->dsn.rcpts && (b->text.dsn_inside || (b->text.bounce && b->text.n == 0)))
		dsn_parse(all_unquoted(b, text), &b->arena, &b->dsn);
	if (b->keep.kept[KEEP_REPORT].len > 0 && arf_parse(kept(b, KEEP_REPORT), &b->arena, &b->arf)) {
		from_feedback(b, b->arf.type);
		return;
	}
	if (!b->dsn.rcpts && b->text.json &&
	    sesjson_parse(text, &b->arena, &b->dsn, &b->arf) == SESJSON_COMPLAINT) {
		from_feedback(b, b->arf.type);
		return;
	}
	if (b->dsn.rcpts) {
		from_status(b);
		return;
	}
	if (b->text.bounce || (b->text.daemon && b->text.n > 0))
		from_words(b);
	else if (b->text.feedback.n > 0)
		from_feedback(b, b->text.feedback);
	else if (b->text.automatic)
		from_answer(b);
}

static void
start_over(struct bounce_reader *b)
{
	bouncetext_reset(&b->text);
	memset(&b->out, 0, sizeof b->out);
	b->end = &b->out.rcpts;
	b->headed = false;
}

static bool
is_bounce(const struct bounce_reader *b)
{
	return b->out.is == BOUNCE_REPORT || b->out.is == BOUNCE_FEEDBACK;
}

/* A letter's own words first: what only its quotation tells has come back to somebody else, or long ago.
 * Whose own words tell it is a mailer, who may set off what he likes.  An automatic answer is one. */
static void
judge_letter(struct bounce_reader *b, struct span text)
{
	struct buf own = BUF_INIT, inside = BUF_INIT;
	bool quotes = quoted_split(text, &own, &inside);

	judge_text(b, quotes ? arena_dup(&b->arena, (struct span){own.s, own.len}) : text);
	if (quotes && is_bounce(b)) {
		start_over(b);
		judge_text(b, text);
	} else if (quotes && b->out.is == BOUNCE_NONE) {
		struct span all = arena_dup(&b->arena, (struct span){inside.s, inside.len});

		start_over(b);
		bouncetext_header(&b->text, quoted_header(all, &all));
		b->headed = true;
		judge_text(b, all);
		b->out.quoted = is_bounce(b);
		if (!b->out.quoted)
			start_over(b);
	}
	b->out.quoted |= is_bounce(b) && quoted_is_answer(kept(b, KEEP_HEADER));
	buf_free(&own);
	buf_free(&inside);
}

static void
judge(struct bounce_reader *b)
{
	struct span text = human_text(b);

	ask_header(b);
	if (b->text.bounce || b->text.daemon || b->text.feedback.n > 0 || bouncekeep_has_report(&b->keep))
		judge_text(b, text);
	else
		judge_letter(b, text);
}

/* The attached message instead of the one that has it. */
static void
judge_attached(struct bounce_reader *b)
{
	bouncekeep_take_attached(&b->keep);
	start_over(b);
	judge(b);
}

const struct bounce *
bounce_end(struct bounce_reader *b)
{
	if (b->stale || !b->end)
		reset(b);
	bouncekeep_end(&b->keep);
	if (!b->keep.attached || !bouncekeep_has_report(&b->keep)) /* else it is that of the attached one */
		judge(b);
	if (b->keep.attached && b->out.is == BOUNCE_NONE)
		judge_attached(b);
	b->out.cut |= b->keep.cut;
	name_proved(b);
	b->stale = true;
	return &b->out;
}
