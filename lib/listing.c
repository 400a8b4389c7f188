#include "listing.h"

#include "date.h"
#include "json.h"
#include "prog.h"

#include <time.h>

#define SECOND_US 1000000
#define MAILQ_ADDRESS 47 /* column of a recipient */
#define MAILQ_REASON 70  /* a reason ends here, where it fits */

static void
field(struct buf *out, struct span s)
{
	prog_escape(out, s);
	buf_ch(out, '\t');
}

static void
number(struct buf *out, uint64_t v)
{
	buf_fmt(out, "%llu\t", (unsigned long long)v);
}

void
listing_time(struct buf *out, uint64_t s)
{
	date_iso(out, s * SECOND_US);
	buf_cut(out, out->len - 5); /* ".000Z" */
	buf_ch(out, 'Z');
}

static void
time_field(struct buf *out, uint64_t s)
{
	listing_time(out, s);
	buf_ch(out, '\t');
}

void
listing_json_time(struct buf *out, const char *key, uint64_t s)
{
	struct buf text = BUF_INIT;

	if (s == 0)
		return;
	listing_time(&text, s);
	json_str(out, key, (struct span){text.s, text.len});
	buf_free(&text);
}

static uint64_t
born_s(const struct entry_name *n)
{
	return entry_id_us(n->id.p) / SECOND_US;
}

/* --- by the name */

void
listing_brief(struct buf *out, enum queue_place place, const struct entry_name *n)
{
	buf_add(out, n->id.p, n->id.n);
	buf_ch(out, '\t');
	buf_str(out, queue_place_names[place]);
	buf_ch(out, '\t');
	time_field(out, n->due);
	number(out, n->size);
	buf_add(out, n->stream.p, n->stream.n);
	buf_ch(out, '\t');
	prog_escape(out, n->domain);
	buf_ch(out, '\n');
}

static void
name_json(struct buf *out, enum queue_place place, const struct entry_name *n)
{
	json_str(out, "state", span_of(queue_place_names[place]));
	listing_json_time(out, "due", n->due);
	json_str(out, "stream", n->stream);
	json_str(out, "domain", n->domain);
}

void
listing_brief_json(struct buf *out, enum queue_place place, const struct entry_name *n)
{
	json_open(out);
	json_str(out, "queue_id", n->id);
	json_num(out, "arrival_time", (int64_t)born_s(n));
	json_num(out, "message_size", (int64_t)n->size);
	name_json(out, place, n);
	json_close(out);
	buf_ch(out, '\n');
}

/* --- replies and recipients */

void
listing_reply(struct buf *out, const struct journal_reply *r)
{
	if (r->code > 0)
		buf_fmt(out, "%d ", r->code);
	if (*r->status)
		buf_fmt(out, "%s ", r->status);
	buf_str(out, r->text);
}

/* Of the first open recipient of whom something was said. */
static const struct journal_reply *
last_word(const struct journal *j)
{
	const struct journal_reply *r = NULL;

	for (size_t i = 0; i < j->n && !r; i++)
		if (journal_is_open(&j->rcpts[i]))
			r = j->rcpts[i].last;
	return r;
}

static void
reply_escaped(struct buf *out, const struct journal_reply *r)
{
	struct buf text = BUF_INIT;

	if (r)
		listing_reply(&text, r);
	prog_escape(out, (struct span){text.s, text.len});
	buf_free(&text);
}

static void
sender(struct buf *out, const struct envelope *v)
{
	if (v->sender.n == 0)
		buf_str(out, "<>");
	else
		prog_escape(out, v->sender);
}

void
listing_line(struct buf *out, const struct queue_entry *t, const struct journal *j)
{
	bool any = false;

	field(out, t->is.id);
	field(out, t->busy ? SPAN("active") : span_of(queue_place_names[t->at.place]));
	time_field(out, born_s(&t->is));
	time_field(out, t->is.due);
	number(out, t->is.size);
	field(out, t->is.stream);
	number(out, j->attempts);
	sender(out, &t->env);
	buf_ch(out, '\t');
	for (size_t i = 0; i < t->env.n; i++) {
		if (i < j->n && !journal_is_open(&j->rcpts[i]))
			continue;
		if (any)
			buf_ch(out, ' ');
		any = true;
		prog_escape(out, t->env.rcpts[i].addr);
	}
	buf_ch(out, '\t');
	reply_escaped(out, last_word(j));
	buf_ch(out, '\n');
}

/* --- JSON */

static struct span
postfix_queue(const struct queue_entry *t)
{
	if (t->busy)
		return SPAN("active");
	switch (t->at.place) {
	case IN_NEW: return SPAN("incoming");
	case IN_CUR: return SPAN("deferred");
	default: return span_of(queue_place_names[t->at.place]);
	}
}

static void
reply_json(struct buf *out, const struct journal_reply *r)
{
	json_obj(out, "last_response");
	if (r->code > 0)
		json_num(out, "code", r->code);
	if (*r->status)
		json_str(out, "enhanced_code", span_of(r->status));
	json_str(out, "content", span_of(r->text));
	if (*r->site)
		json_str(out, "site", span_of(r->site));
	if (*r->peer)
		json_str(out, "peer", span_of(r->peer));
	if (*r->addr)
		json_str(out, "addr", span_of(r->addr));
	listing_json_time(out, "at", r->at_us / SECOND_US);
	json_close(out);
}

static void
rcpt_json(struct buf *out, const struct queue_entry *t, const struct journal *j, size_t i)
{
	const struct journal_rcpt *r = &j->rcpts[i];
	const struct journal_reply *last = r->last;
	struct buf text = BUF_INIT;

	json_open(out);
	json_str(out, "address", t->env.rcpts[i].addr);
	if (last && journal_is_open(r)) {
		listing_reply(&text, last);
		json_str(out, "delay_reason", (struct span){text.s, text.len});
	}
	json_str(out, "state", span_of(journal_is_names[r->is]));
	if (r->doubt)
		json_bool(out, "in_doubt", true);
	if (last)
		reply_json(out, last);
	json_close(out);
	buf_free(&text);
}

void
listing_json(struct buf *out, const struct queue_entry *t, const struct journal *j)
{
	json_open(out);
	json_str(out, "queue_name", postfix_queue(t));
	json_str(out, "queue_id", t->is.id);
	json_num(out, "arrival_time", (int64_t)born_s(&t->is));
	json_num(out, "message_size", (int64_t)t->is.size);
	json_bool(out, "forced_expire", false);
	json_str(out, "sender", t->env.sender);
	json_arr(out, "recipients");
	for (size_t i = 0; i < j->n; i++)
		rcpt_json(out, t, j, i);
	json_arr_end(out);
	name_json(out, t->at.place, &t->is);
	if (t->busy)
		json_bool(out, "active", true);
	json_num(out, "attempts", j->attempts);
	if (t->env.tag.n > 0)
		json_str(out, "tag", t->env.tag);
	listing_json_time(out, "hold_until", t->env.hold_until_s);
	if (j->held) {
		listing_json_time(out, "held", j->held_us / SECOND_US);
		json_str(out, "held_by", span_of(j->held_by));
		json_str(out, "held_why", span_of(j->held_why));
	}
	json_close(out);
	buf_ch(out, '\n');
}

/* --- mailq */

void
listing_mailq_head(struct buf *out)
{
	buf_str(out, "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n");
}

static void
mailq_reason(struct buf *out, const struct journal_reply *r)
{
	struct buf text = BUF_INIT;

	reply_escaped(&text, r);
	if (text.len < MAILQ_REASON)
		buf_fmt(out, "%*s", (int)(MAILQ_REASON - text.len), "");
	buf_fmt(out, "(%s)\n", text.s);
	buf_free(&text);
}

void
listing_mailq(struct buf *out, const struct queue_entry *t, const struct journal *j)
{
	const struct journal_reply *said = NULL;
	time_t born = (time_t)born_s(&t->is);
	char mark = t->busy ? '*' : t->at.place == IN_HOLD ? '!' : ' ', when[32] = "";
	struct tm tm;

	if (localtime_r(&born, &tm))
		strftime(when, sizeof when, "%a %b %e %H:%M:%S", &tm);
	buf_fmt(out, "%.*s%c %8llu %19.19s ", SPAN_ARG(t->is.id), mark,
	    (unsigned long long)t->is.size, when);
	if (t->env.sender.n == 0)
		buf_str(out, "MAILER-DAEMON");
	else
		prog_escape(out, t->env.sender);
	buf_ch(out, '\n');
	for (size_t i = 0; i < t->env.n; i++) {
		const struct journal_reply *r = j->rcpts[i].last;

		if (!journal_is_open(&j->rcpts[i]))
			continue;
		if (r && !journal_same_reply(r, said))
			mailq_reason(out, r);
		said = r;
		buf_fmt(out, "%*s", MAILQ_ADDRESS, "");
		prog_escape(out, t->env.rcpts[i].addr);
		buf_ch(out, '\n');
	}
	buf_ch(out, '\n');
}

void
listing_mailq_foot(struct buf *out, uint64_t messages, uint64_t bytes)
{
	if (messages == 0)
		buf_str(out, "Mail queue is empty\n");
	else
		buf_fmt(out, "-- %llu Kbytes in %llu Request%s.\n",
		    (unsigned long long)(bytes / 1024), (unsigned long long)messages,
		    messages == 1 ? "" : "s");
}

/* --- show */

static void
named(struct buf *out, const char *name, struct span value)
{
	if (value.n == 0)
		return;
	buf_fmt(out, "%-12s", name);
	prog_escape(out, value);
	buf_ch(out, '\n');
}

static void
named_time(struct buf *out, const char *name, uint64_t s)
{
	if (s == 0)
		return;
	buf_fmt(out, "%-12s", name);
	listing_time(out, s);
	buf_ch(out, '\n');
}

static void
show_rcpt(struct buf *out, const struct queue_entry *t, const struct journal *j, size_t i)
{
	const struct journal_reply *last = j->rcpts[i].last;

	buf_fmt(out, "%-12s", "recipient");
	prog_escape(out, t->env.rcpts[i].addr);
	if (t->env.rcpts[i].params.n > 0) {
		buf_ch(out, ' ');
		prog_escape(out, t->env.rcpts[i].params);
	}
	buf_fmt(out, " (%s%s)\n", journal_is_names[j->rcpts[i].is],
	    j->rcpts[i].doubt ? ", in doubt" : "");
	if (last) {
		buf_fmt(out, "%-12s", "");
		listing_time(out, last->at_us / SECOND_US);
		buf_ch(out, ' ');
		prog_escape(out, span_of(*last->peer ? last->peer : last->site));
		buf_str(out, ": ");
		reply_escaped(out, last);
		buf_ch(out, '\n');
	}
}

void
listing_show(struct buf *out, const struct queue_entry *t, const struct journal *j)
{
	struct cur c = cur_of(t->journal.s, t->journal.len);
	struct buf text = BUF_INIT;
	struct span line;

	named(out, "id", t->is.id);
	named(out, "state", t->busy ? SPAN("active") : span_of(queue_place_names[t->at.place]));
	named_time(out, "accepted", born_s(&t->is));
	named_time(out, "due", t->is.due);
	named_time(out, "hold-until", t->env.hold_until_s);
	named(out, "stream", t->is.stream);
	named(out, "tag", t->env.tag);
	buf_fmt(&text, "%llu", (unsigned long long)t->is.size);
	named(out, "size", (struct span){text.s, text.len});
	buf_cut(&text, 0);
	buf_fmt(&text, "%llu", (unsigned long long)t->env.user);
	named(out, "uid", (struct span){text.s, text.len});
	buf_cut(&text, 0);
	buf_fmt(&text, "%u", j->attempts);
	named(out, "attempts", (struct span){text.s, text.len});
	buf_free(&text);
	buf_fmt(out, "%-12s", "sender");
	sender(out, &t->env);
	if (t->env.params.n > 0) {
		buf_ch(out, ' ');
		prog_escape(out, t->env.params);
	}
	buf_ch(out, '\n');
	for (size_t i = 0; i < t->env.n; i++)
		show_rcpt(out, t, j, i);
	while (cur_line(&c, &line))
		named(out, "journal", line);
}
