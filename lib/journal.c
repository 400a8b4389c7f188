#include "journal.h"

#include "json.h"
#include "jsonread.h"

#include <stdlib.h>
#include <string.h>

const char *const journal_is_names[] = {[JOURNAL_OPEN] = "open",
    [JOURNAL_DELIVERED] = "delivered", [JOURNAL_DEFERRED] = "deferred",
    [JOURNAL_FAILED] = "failed", [JOURNAL_EXPIRED] = "expired"};

static const char *const told_names[] = {[JOURNAL_TOLD_FAILED] = "failed",
    [JOURNAL_TOLD_DELAYED] = "delayed", [JOURNAL_TOLD_RELAYED] = "relayed",
    [JOURNAL_TOLD_DELIVERED] = "delivered"};

#define SECOND_US 1000000

/* --- the state */

static char *
dup_span(struct span s)
{
	return mem_dup(s.p, s.n);
}

static void
reply_del(struct journal_reply *r)
{
	if (!r)
		return;
	free(r->status);
	free(r->said);
	free(r->text);
	free(r->site);
	free(r->peer);
	free(r->addr);
	free(r);
}

/* `of` has code, status and text, `line` site, peer and addr; the two may be the same object. */
static void
reply_set(struct journal_reply **r, const struct json_val *line, const struct json_val *of,
    uint64_t at_us)
{
	reply_del(*r);
	*r = mem_alloc(sizeof **r);
	(*r)->at_us = at_us;
	(*r)->code = (int)json_get_num(of, "code", 0);
	(*r)->status = dup_span(json_get_str(of, "status"));
	(*r)->text = dup_span(json_get_str(of, "text"));
	(*r)->site = dup_span(json_get_str(line, "site"));
	(*r)->peer = dup_span(json_get_str(line, "peer"));
	(*r)->addr = dup_span(json_get_str(line, "addr"));
}

bool
journal_is_open(const struct journal_rcpt *r)
{
	return r->is == JOURNAL_OPEN || r->is == JOURNAL_DEFERRED;
}

bool
journal_same_reply(const struct journal_reply *a, const struct journal_reply *b)
{
	return a == b || (a && b && a->code == b->code && strcmp(a->status, b->status) == 0 &&
	    strcmp(a->text, b->text) == 0 && strcmp(a->site, b->site) == 0 && strcmp(a->peer, b->peer) == 0);
}

static void
notice_del(struct journal *j)
{
	if (j->notice)
		free(j->notice->v);
	free(j->notice);
	j->notice = NULL;
}

static void
set_word(char **word, struct span s)
{
	free(*word);
	*word = dup_span(s);
}

void
journal_free(struct journal *j)
{
	for (size_t i = 0; i < j->n; i++)
		reply_del(j->rcpts[i].last);
	free(j->rcpts);
	free(j->held_by);
	free(j->held_why);
	notice_del(j);
	*j = (struct journal){0};
}

/* --- replay */

static int
bad_line(struct err *e, const char *what)
{
	return err_set(e, EX_DATAERR, "%s", what);
}

static uint64_t
get_u64(const struct json_val *v, const char *key)
{
	int64_t n = json_get_num(v, key, 0);

	return n > 0 ? (uint64_t)n : 0;
}

static void
attempt(struct journal *j, const struct json_val *line)
{
	uint64_t n = get_u64(line, "attempt");

	if (n > j->attempts && n <= UINT32_MAX)
		j->attempts = (uint32_t)n;
}

/* An index that is not there is -1, which no recipient has. */
static struct journal_rcpt *
rcpt_at(struct journal *j, int64_t i)
{
	return i >= 0 && (uint64_t)i < j->n ? &j->rcpts[i] : NULL;
}

static int
do_sending(struct journal *j, const struct json_val *line, uint64_t at_us, struct err *e)
{
	const struct json_val *list = json_get(line, "rcpt");

	for (size_t i = 0, n = json_count(list); i < n; i++) {
		struct journal_rcpt *r = rcpt_at(j, json_num_at(list, i, -1));

		if (!r)
			return bad_line(e, "sending: no such recipient");
		r->doubt = true;
	}
	if (json_count(list) > 0 && j->doubt_us == 0)
		j->doubt_us = at_us;
	return 0;
}

static bool
outcome_named(struct span word, enum journal_is *is)
{
	for (int i = JOURNAL_DELIVERED; i <= JOURNAL_EXPIRED; i++)
		if (span_eq(word, span_of(journal_is_names[i]))) {
			*is = (enum journal_is)i;
			return true;
		}
	return false;
}

/* Its last word stays what the server has said, but for the status, which is ours: 4.4.7. */
static void
expired(struct journal *j, size_t i, const struct json_val *line, const struct json_val *one, uint64_t at_us)
{
	const struct journal_reply *before = j->rcpts[i].last;
	char *said = before ? mem_dup(before->status, strlen(before->status)) : NULL;

	reply_set(&j->rcpts[i].last, line, one, at_us);
	j->rcpts[i].last->said = said;
}

static int
do_outcome(struct journal *j, const struct json_val *line, uint64_t at_us, struct err *e)
{
	const struct json_val *list = json_get(line, "rcpt");

	for (size_t i = 0, n = json_count(list); i < n; i++) {
		const struct json_val *one = json_at(list, i);
		struct journal_rcpt *r = rcpt_at(j, json_get_num(one, "i", -1));
		enum journal_is is;

		if (!r)
			return bad_line(e, "outcome: no such recipient");
		if (!outcome_named(json_get_str(one, "as"), &is))
			return bad_line(e, "outcome: not a known one");
		if (!journal_is_open(r))
			continue; /* who has it, or never will, is not tried again */
		if (is == JOURNAL_EXPIRED)
			expired(j, (size_t)(r - j->rcpts), line, one, at_us);
		else
			reply_set(&r->last, line, one, at_us);
		r->is = is;
		r->doubt = false;
	}
	return 0;
}

/* What was said to whom stands in outcomes; this is about all who are left. */
static void
do_deferred(struct journal *j, const struct json_val *line)
{
	uint64_t next = get_u64(line, "next");

	if (next > 0)
		j->next_s = next;
	for (size_t i = 0; i < j->n; i++)
		if (j->rcpts[i].is == JOURNAL_OPEN)
			j->rcpts[i].is = JOURNAL_DEFERRED;
}

static bool
told_named(struct span word, enum journal_told *as)
{
	for (int i = JOURNAL_TOLD_FAILED; i <= JOURNAL_TOLD_DELIVERED; i++)
		if (span_eq(word, span_of(told_names[i]))) {
			*as = (enum journal_told)i;
			return true;
		}
	return false;
}

static int
do_success(struct journal *j, const struct json_val *line, struct err *e)
{
	const struct json_val *list = json_get(line, "rcpt");
	enum journal_told as;

	if (!told_named(json_get_str(line, "as"), &as))
		return bad_line(e, "success: not a known one");
	for (size_t i = 0, n = json_count(list); i < n; i++) {
		struct journal_rcpt *r = rcpt_at(j, json_num_at(list, i, -1));

		if (!r)
			return bad_line(e, "success: no such recipient");
		r->success = as;
	}
	return 0;
}

static int
do_notice(struct journal *j, const struct json_val *line, uint64_t at_us, struct err *e)
{
	const struct json_val *list = json_get(line, "rcpt");
	struct span id = json_get_str(line, "id");
	size_t n = json_count(list);

	if (!entry_id_ok(id))
		return bad_line(e, "notice: no id");
	notice_del(j); /* there is one at a time: the last counts */
	j->notice = mem_alloc(sizeof *j->notice);
	*j->notice = (struct journal_notice){.at_us = at_us, .digest = json_get_num(line, "digest", 0) != 0,
	    .v = mem_alloc((n + 1) * sizeof *j->notice->v), .n = n};
	memcpy(j->notice->id, id.p, ENTRY_ID);
	for (size_t i = 0; i < n; i++) {
		const struct json_val *one = json_at(list, i);
		struct journal_notice_rcpt *t = &j->notice->v[i];
		struct journal_rcpt *r = rcpt_at(j, json_get_num(one, "i", -1));

		if (!r || !told_named(json_get_str(one, "as"), &t->as))
			return bad_line(e, "notice: no such recipient, or nothing known about it");
		t->i = (uint32_t)(r - j->rcpts);
		*(t->as == JOURNAL_TOLD_DELAYED ? &r->warned : &r->told) = true;
	}
	return 0;
}

static void
do_noticed(struct journal *j, const struct json_val *line)
{
	if (j->notice && span_eq(json_get_str(line, "id"), span_of(j->notice->id)))
		notice_del(j);
}

/* A person who says "send it" has decided about what is in doubt. */
static void
no_doubt(struct journal *j)
{
	for (size_t i = 0; i < j->n; i++)
		j->rcpts[i].doubt = false;
	j->doubt_us = 0;
}

static int
do_line(struct journal *j, const struct json_val *line, struct err *e)
{
	struct span what = json_get_str(line, "do");
	uint64_t at_us = get_u64(line, "at");

	j->changed_us = at_us;
	attempt(j, line);
	if (span_eq(what, SPAN("sending")))
		return do_sending(j, line, at_us, e);
	if (span_eq(what, SPAN("outcome")))
		return do_outcome(j, line, at_us, e);
	if (span_eq(what, SPAN("success")))
		return do_success(j, line, e);
	if (span_eq(what, SPAN("notice")))
		return do_notice(j, line, at_us, e);
	if (span_eq(what, SPAN("deferred"))) {
		do_deferred(j, line);
	} else if (span_eq(what, SPAN("noticed"))) {
		do_noticed(j, line);
	} else if (span_eq(what, SPAN("held"))) {
		j->held = true;
		j->held_us = at_us;
		set_word(&j->held_by, json_get_str(line, "by"));
		set_word(&j->held_why, json_get_str(line, "why"));
	} else if (span_eq(what, SPAN("released"))) {
		j->held = false;
		no_doubt(j);
	} else if (span_eq(what, SPAN("retry"))) {
		j->next_s = at_us / SECOND_US;
		j->retried_us = at_us;
		no_doubt(j);
	}
	return 0;
}

static void
count(struct journal *j)
{
	for (size_t i = 0; i < j->n; i++)
		if (journal_is_open(&j->rcpts[i])) {
			j->open++;
			j->doubts += j->rcpts[i].doubt;
		} else {
			j->rcpts[i].doubt = false;
		}
	if (j->doubts == 0)
		j->doubt_us = 0;
}

int
journal_replay(struct span lines, size_t n_rcpts, struct journal *out, struct err *e)
{
	struct cur c = cur_span(lines);
	struct span text;
	int rc = 0;

	*out = (struct journal){.n = n_rcpts};
	out->rcpts = mem_alloc(n_rcpts * sizeof *out->rcpts);
	while (!rc && journal_next(&c, &text)) {
		struct json_doc *d;

		rc = json_doc_parse(&d, text, e);
		if (!rc)
			rc = do_line(out, json_doc_root(d), e);
		json_doc_free(d);
	}
	if (!out->held_by) {
		set_word(&out->held_by, SPAN(""));
		set_word(&out->held_why, SPAN(""));
	}
	count(out);
	return rc ? err_in(e, "journal") : 0;
}

/* --- the writers */

static size_t
begin(struct buf *out, struct span what, uint64_t at_us)
{
	size_t start = out->len;

	json_open(out);
	json_str(out, "do", what);
	json_num(out, "at", (int64_t)at_us);
	return start;
}

static void
place(struct buf *out, uint32_t attempt_n, struct span site)
{
	json_num(out, "attempt", attempt_n);
	json_str(out, "site", site);
}

static void
indices(struct buf *out, const uint32_t *rcpts, size_t n)
{
	json_arr(out, "rcpt");
	for (size_t i = 0; i < n; i++)
		json_item(out, rcpts[i]);
	json_arr_end(out);
}

void
journal_sending(struct buf *out, uint64_t at_us, uint32_t attempt_n, struct span site,
    const uint32_t *rcpts, size_t n)
{
	size_t start = begin(out, SPAN("sending"), at_us);

	place(out, attempt_n, site);
	indices(out, rcpts, n);
	journal_seal(out, start);
}

size_t
journal_outcome(struct buf *out, uint64_t at_us, uint32_t attempt_n, struct span site,
    struct span peer, struct span addr)
{
	size_t start = begin(out, SPAN("outcome"), at_us);

	place(out, attempt_n, site);
	json_str(out, "peer", peer);
	json_str(out, "addr", addr);
	json_arr(out, "rcpt");
	return start;
}

void
journal_outcome_rcpt(struct buf *out, uint32_t rcpt, enum journal_is as, int code,
    struct span status, struct span text)
{
	json_open(out);
	json_num(out, "i", rcpt);
	json_str(out, "as", span_of(journal_is_names[as]));
	json_num(out, "code", code);
	json_str(out, "status", status);
	json_str(out, "text", text);
	json_close(out);
}

void
journal_outcome_end(struct buf *out, size_t start)
{
	json_arr_end(out);
	journal_seal(out, start);
}

void
journal_deferred(struct buf *out, uint64_t at_us, uint32_t attempt_n, uint64_t next_s, struct span site)
{
	size_t start = begin(out, SPAN("deferred"), at_us);

	json_num(out, "attempt", attempt_n);
	json_num(out, "next", (int64_t)next_s);
	json_str(out, "site", site);
	journal_seal(out, start);
}

void
journal_mark(struct buf *out, uint64_t at_us, const char *what, struct span by, struct span why)
{
	size_t start = begin(out, span_of(what), at_us);

	json_str(out, "by", by);
	if (why.n > 0)
		json_str(out, "why", why);
	journal_seal(out, start);
}

void
journal_success(struct buf *out, uint64_t at_us, enum journal_told as, const uint32_t *rcpts, size_t n)
{
	size_t start = begin(out, SPAN("success"), at_us);

	json_str(out, "as", span_of(told_names[as]));
	indices(out, rcpts, n);
	journal_seal(out, start);
}

void
journal_notice(struct buf *out, const struct journal_notice *notice)
{
	size_t start = begin(out, SPAN("notice"), notice->at_us);

	json_str(out, "id", span_of(notice->id));
	if (notice->digest)
		json_num(out, "digest", 1);
	json_arr(out, "rcpt");
	for (size_t i = 0; i < notice->n; i++) {
		json_open(out);
		json_num(out, "i", notice->v[i].i);
		json_str(out, "as", span_of(told_names[notice->v[i].as]));
		json_close(out);
	}
	json_arr_end(out);
	journal_seal(out, start);
}

void
journal_noticed(struct buf *out, uint64_t at_us, const char *id)
{
	size_t start = begin(out, SPAN("noticed"), at_us);

	json_str(out, "id", span_of(id));
	journal_seal(out, start);
}
