#include "bounceout.h"

#include "json.h"
#include "prog.h"

#include <string.h>

static const char *const hards[] = {"false", "true", "null"};

/* "bounce.rules:120", or "-". */
static void
bounceout_rule(struct buf *out, const struct rule *r)
{
	if (r)
		buf_fmt(out, "%s:%u", r->file, r->line);
	else
		buf_ch(out, '-');
}

static void
code(char digits[4], int reply)
{
	digits[0] = (char)(reply ? '0' + reply / 100 % 10 : 0);
	digits[1] = (char)('0' + reply / 10 % 10);
	digits[2] = (char)('0' + reply % 10);
	digits[3] = 0;
}

static void
json_derived(struct buf *out, unsigned derived)
{
	if (!derived)
		return;
	json_arr(out, "derived");
	if (derived & BOUNCE_STATUS_DERIVED)
		json_text(out, SPAN("status"));
	if (derived & BOUNCE_ACTION_DERIVED)
		json_text(out, SPAN("action"));
	json_arr_end(out);
}

static const char *const proofs[] = {[VERP_NONE] = "", [VERP_GOOD] = "proved",
    [VERP_SHORT] = "unproved", [VERP_FORGED] = "forged", [VERP_OVER] = "expired"};

static void
json_about(struct buf *out, const struct bounce *b, const struct bounceout_more *more)
{
	json_maybe(out, "dialect", b->dialect);
	json_maybe(out, "reporting_mta", b->reporting);
	json_maybe(out, "arrival", b->arrival);
	json_maybe(out, "envelope_id", b->envid);
	json_maybe(out, "message_id", b->message_id);
	json_maybe(out, "sender", b->sender);
	json_maybe(out, "subject", b->subject);
	json_maybe(out, "date", b->date);
	json_maybe(out, "queue_id", b->queue_id);
	if (more) {
		json_maybe(out, "stream", (struct span){more->stream.s, more->stream.len});
		json_maybe(out, "tag", (struct span){more->tag.s, more->tag.len});
	}
	json_maybe(out, "return_path", span_of(proofs[b->proof]));
	if (b->quoted)
		json_bool(out, "quoted", true);
	if (b->cut)
		json_bool(out, "cut", true);
}

static void
json_rcpt(struct buf *out, struct span file, size_t n, const struct bounce *b,
    const struct bounce_rcpt *r, const struct bounceout_more *more, bool explain)
{
	struct buf rule = BUF_INIT;
	char digits[4];

	code(digits, r->reply);
	json_open(out);
	json_str(out, "file", file);
	if (n > 1)
		json_num(out, "message", (int64_t)n);
	json_str(out, "recipient", r->recipient);
	json_str(out, "reply", span_of(digits));
	json_str(out, "status", r->status);
	json_str(out, "action", r->action);
	json_str(out, "reason", r->reason.word);
	json_key(out, "hard");
	buf_str(out, hards[r->reason.hard]);
	json_str(out, "feedback_type", b->feedback_type);
	json_str(out, "class", span_of(reason_class(r->reason.word)));
	json_derived(out, r->derived);
	json_maybe(out, "original_recipient", r->original);
	json_maybe(out, "actual_recipient", r->actual);
	json_maybe(out, "command", span_of(rules_phases[r->phase]));
	json_maybe(out, "remote_mta", r->remote);
	json_maybe(out, "text", r->text);
	json_about(out, b, more);
	if (explain) {
		bounceout_rule(&rule, r->reason.rule);
		json_str(out, "rule", (struct span){rule.s, rule.len});
		if (r->reason.rule)
			json_str(out, "pattern", r->reason.rule->pattern);
	}
	json_close(out);
	buf_ch(out, '\n');
	buf_free(&rule);
}

static void
tsv_rcpt(struct buf *out, struct span file, const struct bounce *b, const struct bounce_rcpt *r,
    bool explain)
{
	char digits[4];
	const struct span fields[] = {file, r->recipient, {digits, r->reply ? 3 : 0}, r->status, r->action,
	    r->reason.word, span_of(hards[r->reason.hard]), b->feedback_type, r->text};

	code(digits, r->reply);
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		if (i > 0)
			buf_ch(out, '\t');
		prog_escape(out, fields[i]);
	}
	if (explain) {
		buf_ch(out, '\t');
		bounceout_rule(out, r->reason.rule);
	}
	buf_ch(out, '\n');
}

static void
brief_rcpt(struct buf *out, const struct bounce *b, const struct bounce_rcpt *r, bool explain)
{
	prog_escape(out, r->recipient);
	buf_ch(out, ' ');
	prog_escape(out, r->reason.word);
	if (b->feedback_type.n > 0) {
		buf_ch(out, ' ');
		prog_escape(out, b->feedback_type);
	}
	if (r->reason.hard == REASON_HARD)
		buf_str(out, " (hard)");
	if (r->text.n > 0) {
		buf_str(out, ": ");
		prog_escape(out, r->text);
	}
	if (explain) {
		buf_str(out, " [");
		bounceout_rule(out, r->reason.rule);
		buf_ch(out, ']');
	}
	buf_ch(out, '\n');
}

void
bounceout(struct buf *out, enum bounceout_form form, struct span file, size_t n,
    const struct bounce *b, const struct bounceout_more *more, bool explain)
{
	for (const struct bounce_rcpt *r = b->rcpts; r; r = r->next) {
		if (form == BOUNCEOUT_JSON)
			json_rcpt(out, file, n, b, r, more, explain);
		else if (form == BOUNCEOUT_TSV)
			tsv_rcpt(out, file, b, r, explain);
		else
			brief_rcpt(out, b, r, explain);
	}
}
