#include "why.h"

#include "json.h"
#include "listing.h"
#include "prog.h"

const char *const why_names[] = {[WHY_FINISHED] = "finished",
    [WHY_ACTIVE] = "active",
    [WHY_HELD] = "held",
    [WHY_HOLD_UNTIL] = "hold-until",
    [WHY_DUE] = "due",
    [WHY_DOUBT] = "in-doubt",
    [WHY_SITE] = "site-closed",
    [WHY_NO_RUN] = "no-run",
    [WHY_TURN] = "turn"};

#define SECOND_US 1000000

struct list {
	struct why *v;
	size_t n;
};

static struct why *
add(struct list *l, enum why_what what, uint64_t since_s, uint64_t until_s)
{
	struct why *w = &l->v[l->n++];

	*w = (struct why){what, since_s, until_s, BUF_INIT, BUF_INIT};
	return w;
}

static void
command(struct why *w, const struct why_facts *f, const char *verb)
{
	buf_fmt(&w->command, "smtp-queue %s %.*s", verb, SPAN_ARG(f->name->id));
}

static void
held(struct list *l, const struct why_facts *f)
{
	const struct journal *j = f->journal;
	struct why *w = add(l, WHY_HELD, j->held_us / SECOND_US, 0);

	buf_str(&w->text, "on hold");
	if (j->held && *j->held_by)
		buf_fmt(&w->text, ", by %s", j->held_by);
	if (j->held && *j->held_why)
		buf_fmt(&w->text, ": %s", j->held_why);
	command(w, f, "release");
}

static void
not_due(struct list *l, const struct why_facts *f)
{
	const struct journal *j = f->journal;
	struct why *w = add(l, WHY_DUE, j->changed_us / SECOND_US, f->name->due);

	if (j->attempts > 0)
		buf_fmt(&w->text, "waits for its next attempt, after %u so far", j->attempts);
	else
		buf_str(&w->text, "was not tried yet and waits for a later run");
	command(w, f, "retry");
}

static void
doubt(struct list *l, const struct why_facts *f)
{
	struct why *w = add(l, WHY_DOUBT, f->journal->doubt_us / SECOND_US, 0);

	buf_fmt(&w->text, "was sent, and the answer is not known: the next run %s",
	    f->in_doubt == CONF_DOUBT_HOLD ? "puts it on hold" : "takes it as delivered");
	command(w, f, "retry");
}

static void
closed(struct list *l, const struct why_facts *f)
{
	struct why *w = add(l, WHY_SITE, 0, f->site_until_s);

	if (f->site_others > 0)
		buf_fmt(&w->text, "its site is closed: it is one of %zu that open at this time, perhaps %.*s",
		    f->site_others + 1, SPAN_ARG(f->site));
	else
		buf_fmt(&w->text, "its site %.*s is closed", SPAN_ARG(f->site));
	if (f->site_others == 0 && f->site_failures == 1)
		buf_str(&w->text, " after a failed connection");
	else if (f->site_others == 0 && f->site_failures > 1)
		buf_fmt(&w->text, " after %u failed connections in a row", f->site_failures);
	buf_fmt(&w->command, "smtp-deliver --now --site %.*s", SPAN_ARG(f->site));
}

size_t
why_find(const struct why_facts *f, struct why out[WHY_MAX])
{
	struct list l = {out, 0};

	if (f->place != IN_NEW && f->place != IN_CUR && f->place != IN_HOLD) {
		buf_fmt(&add(&l, WHY_FINISHED, f->journal->changed_us / SECOND_US, 0)->text,
		    "is in %s/ and does not wait", queue_place_names[f->place]);
		return l.n;
	}
	if (f->busy)
		buf_str(&add(&l, WHY_ACTIVE, 0, 0)->text, "is being worked on at this moment");
	if (f->place == IN_HOLD)
		held(&l, f);
	if (f->env->hold_until_s > f->now_s && !f->journal->retried_us) {
		struct why *w = add(&l, WHY_HOLD_UNTIL, 0, f->env->hold_until_s);

		buf_str(&w->text, "its sender asked to send it later");
		command(w, f, "retry");
	} else if (f->place == IN_CUR && f->name->due > f->now_s) {
		not_due(&l, f);
	}
	if (f->journal->doubts > 0 && f->in_doubt != CONF_DOUBT_RETRY && f->place != IN_HOLD)
		doubt(&l, f);
	if (f->site_until_s > f->now_s)
		closed(&l, f);
	if (l.n > 0)
		return l.n;
	if (f->run) {
		buf_str(&add(&l, WHY_TURN, f->name->due, 0)->text,
		    "is due, and waits for its turn in the "
		    "run that is happening");
	} else {
		struct why *w = add(&l, WHY_NO_RUN, f->name->due, 0);

		buf_str(&w->text, "is due, and no delivery run is happening");
		buf_str(&w->command, "smtp-deliver");
	}
	return l.n;
}

void
why_free(struct why *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_free(&v[i].text);
		buf_free(&v[i].command);
	}
}

/* When delivery is given up. */
static uint64_t
expires(const struct why_facts *f)
{
	return envelope_ends_s(f->env, f->name->id, f->lifetime_s);
}

/* --- told to people */

static void
line(struct buf *out, const char *label, struct span text)
{
	buf_fmt(out, "  %-11s", label);
	prog_escape(out, text);
	buf_ch(out, '\n');
}

static void
time_line(struct buf *out, const char *label, uint64_t s)
{
	struct buf text = BUF_INIT;

	if (s == 0)
		return;
	listing_time(&text, s);
	line(out, label, (struct span){text.s, text.len});
	buf_free(&text);
}

/* What its open recipients were told, or all where none is: what one of them was told is nobody else's reason. */
static const struct journal_reply *
told(const struct journal *j, size_t i, bool all)
{
	return all || journal_is_open(&j->rcpts[i]) ? j->rcpts[i].last : NULL;
}

static void
last_word(struct buf *out, struct span whose, const struct journal_reply *r)
{
	struct buf text = BUF_INIT;

	listing_time(&text, r->at_us / SECOND_US);
	buf_fmt(&text, " %s%s", *r->peer ? r->peer : r->site, *r->peer || *r->site ? ": " : "");
	listing_reply(&text, r);
	if (whose.n > 0)
		buf_fmt(&text, " (%.*s)", SPAN_ARG(whose));
	line(out, "last reply", (struct span){text.s, text.len});
	buf_free(&text);
}

/* One line where all were told the same, else one for each. */
static void
last_words(struct buf *out, const struct journal *j, const struct envelope *env)
{
	const struct journal_reply *one = NULL, *r;
	bool all = true, several = false;

	for (size_t i = 0; i < j->n; i++)
		all &= !journal_is_open(&j->rcpts[i]);
	for (size_t i = 0; i < j->n; i++) {
		r = told(j, i, all);
		several |= r && one && !journal_same_reply(r, one);
		one = r ? r : one;
	}
	for (size_t i = 0; several && i < j->n; i++)
		if ((r = told(j, i, all)))
			last_word(out, env->rcpts[i].addr, r);
	if (one && !several)
		last_word(out, SPAN(""), one);
}

void
why_text(struct buf *out, const struct queue_entry *t, const struct why_facts *f,
    const struct why *v, size_t n)
{
	const struct journal *j = f->journal;

	prog_escape(out, f->name->id);
	buf_ch(out, '\n');
	for (size_t i = 0; i < j->n; i++)
		if (journal_is_open(&j->rcpts[i]))
			line(out, "to", t->env.rcpts[i].addr);
	for (size_t i = 0; i < n; i++) {
		line(out, i == 0 ? "why" : "and", (struct span){v[i].text.s, v[i].text.len});
		time_line(out, "since", v[i].since_s);
		time_line(out, "until", v[i].until_s);
		if (v[i].command.len > 0)
			line(out, "to change", (struct span){v[i].command.s, v[i].command.len});
	}
	if (j->doubts > 0 && f->in_doubt == CONF_DOUBT_RETRY)
		line(out, "in doubt",
		    SPAN("sent, and the answer is not known: will be sent again"));
	last_words(out, j, &t->env);
	if (f->place == IN_CUR)
		time_line(out, "next", f->name->due);
	time_line(out, "expires", expires(f));
}

/* --- told to programs */

void
why_json(struct buf *out, const struct queue_entry *t, const struct why_facts *f,
    const struct why *v, size_t n)
{
	listing_json(out, t, f->journal);
	buf_cut(out, out->len - 2); /* the closing brace and LF: more members follow */
	json_str(out, "gate", span_of(why_names[v[0].what]));
	json_arr(out, "gates");
	for (size_t i = 0; i < n; i++) {
		json_open(out);
		json_str(out, "gate", span_of(why_names[v[i].what]));
		json_str(out, "text", (struct span){v[i].text.s, v[i].text.len});
		listing_json_time(out, "since", v[i].since_s);
		listing_json_time(out, "until", v[i].until_s);
		if (v[i].command.len > 0)
			json_str(out, "command", (struct span){v[i].command.s, v[i].command.len});
		json_close(out);
	}
	json_arr_end(out);
	if (f->place == IN_CUR)
		listing_json_time(out, "next_attempt", f->name->due);
	listing_json_time(out, "expires", expires(f));
	json_close(out);
	buf_ch(out, '\n');
}
