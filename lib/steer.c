#include "steer.h"

#include "addr.h"
#include "io.h"
#include "journal.h"
#include "taken.h"
#include "telling.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_FIRST_MS 20
#define POLL_MOST_MS 500
#define SECOND_US 1000000

const char *const steer_names[] = {[STEER_HOLD] = "hold", [STEER_RELEASE] = "release",
    [STEER_RETRY] = "retry", [STEER_REMOVE] = "remove"};

static const struct {
	unsigned from; /* places, as bits */
	enum event_type event;
	const char *mark;
} table[] = {
    [STEER_HOLD] = {1u << IN_NEW | 1u << IN_CUR, EVENT_HELD, "held"},
    [STEER_RELEASE] = {1u << IN_HOLD, EVENT_RELEASED, "released"},
    [STEER_RETRY] = {1u << IN_NEW | 1u << IN_CUR, EVENT_RELEASED, "retry"},
    [STEER_REMOVE] = {1u << IN_NEW | 1u << IN_CUR | 1u << IN_HOLD, EVENT_REMOVED, NULL},
};

/* --- one entry */

/* One recipient, or, where there are several, what the name says of all. */
static void
tell(struct steer *s, const struct queue_entry *t, enum event_type type, struct span rcpt)
{
	struct span domain = t->is.domain;

	if (rcpt.n == 0 && t->env.n == 1)
		rcpt = t->env.rcpts[0].addr;
	if (rcpt.n > 0)
		domain = addr_domain(rcpt);
	else if (span_eq(domain, SPAN("+")))
		domain = (struct span){"", 0};
	tell_entry(s->events, t, (struct event){.type = type, .rcpt = rcpt, .domain = domain,
	    .text = s->why});
}

static int
mark(struct steer *s, struct queue_entry *t, struct err *e)
{
	struct buf line = BUF_INIT;
	int rc;

	journal_mark(&line, io_time_us(), table[s->what].mark, s->by, s->why);
	rc = queue_journal(t, (struct span){line.s, line.len}, 0, e);
	buf_free(&line);
	return rc;
}

static int
move(struct steer *s, struct queue_entry *t, const struct journal *j, struct err *e)
{
	uint64_t now = s->start_us / SECOND_US;

	if (s->what == STEER_HOLD)
		return queue_move(t, IN_HOLD, e);
	if (s->what == STEER_RETRY)
		return queue_defer(t, now, e);
	if (j->attempts == 0)
		return queue_move(t, IN_NEW, e);
	/* What is due by now goes where a run that watches looks: into the bucket of this hour. */
	return queue_defer(t, t->is.due > now ? t->is.due : now, e);
}

static void
removed(struct steer *s, const struct queue_entry *t, const struct journal *j)
{
	for (size_t i = 0; i < t->env.n; i++)
		if (i >= j->n || journal_is_open(&j->rcpts[i]))
			tell(s, t, EVENT_REMOVED, t->env.rcpts[i].addr);
}

static int
act(struct steer *s, struct queue_entry *t, struct err *e)
{
	/* Whoever first touches an entry says that it was accepted; submitters cannot, and who moves it
	 * on by its name does not.  (What waits in cur/ by its sender's wish has been told of.) */
	bool first = t->journal.len == 0 && (t->at.place == IN_NEW || t->env.hold_until_s == 0);
	struct err ignored = ERR_INIT;
	struct journal j;
	int rc;

	/* A journal that makes no sense must not keep a person from holding or removing it. */
	if (journal_replay((struct span){t->journal.s, t->journal.len}, t->env.n, &j, &ignored))
		j.attempts = 1;
	err_free(&ignored);
	if (s->what == STEER_REMOVE) {
		rc = queue_remove(t, e);
	} else {
		rc = mark(s, t, e);
	}
	if (first && !rc)
		tell_accepted(s->events, t);
	if (!rc && s->what != STEER_REMOVE)
		rc = move(s, t, &j, e);
	if (!rc && s->what == STEER_REMOVE)
		removed(s, t, &j);
	else if (!rc && s->what != STEER_RETRY)
		tell(s, t, table[s->what].event, (struct span){"", 0});
	journal_free(&j);
	return rc;
}

/* --- a pass */

/* An id that was given is accounted for. */
static void
met(struct steer *s, struct span id)
{
	size_t i;

	if (pick_id_find(s->pick, id, &i))
		s->met[i] = true;
}

static void
met_name(struct steer *s, const char *name)
{
	struct entry_name n;

	if (entry_name_parse(span_of(name), &n))
		met(s, n.id);
}

struct pass {
	size_t acted, gone;
};

/* What retry would make due is due already, and goes by itself: unless it went perhaps, and a person has to
 * say that it is to go again. */
static bool
is_due(const struct steer *s, enum queue_place place, const struct entry_name *n)
{
	return s->what == STEER_RETRY && n->due <= s->start_us / SECOND_US &&
	    (place == IN_CUR || place == IN_NEW);
}

static int
found(void *arg, const struct queue_at *at, const char *name, const struct entry_name *n)
{
	struct steer *s = arg;

	if (pick_name(s->pick, n) == PICK_NO)
		return 0;
	/* All that is there at the start is meant, whatever its clock said; what comes later is
	 * not. */
	if (s->looks == 1 && entry_id_us(n->id.p) > s->last_us)
		s->last_us = entry_id_us(n->id.p);
	if (entry_id_us(n->id.p) > s->last_us)
		return 0;
	if (!s->doubts && is_due(s, at->place, n)) {
		met(s, n->id);
		return 0;
	}
	names_add(&s->found, at, name);
	return 0;
}

static bool
in_doubt(const struct queue_entry *t)
{
	struct err ignored = ERR_INIT;
	struct journal j;
	bool yes;

	if (t->busy)
		return false;
	yes = journal_replay((struct span){t->journal.s, t->journal.len}, t->env.n, &j, &ignored) == 0 && j.doubts > 0;
	journal_free(&j);
	err_free(&ignored);
	return yes;
}

/* Whether the envelope is meant, without disturbing who works on it. */
static int
meant(struct steer *s, const struct names_item *item, const char *name, bool *yes,
    struct pass *pass, struct err *e)
{
	struct queue_entry t;
	struct entry_name n;
	enum queue_took took;
	bool due;
	int rc;

	*yes = true;
	if (!entry_name_parse(span_of(name), &n))
		return 0;
	due = is_due(s, item->at.place, &n);
	if (!due && pick_name(s->pick, &n) == PICK_YES)
		return 0;
	rc = queue_peek(s->q, &item->at, name, &t, &took, e);
	if (rc)
		return rc;
	if (due && took != QUEUE_GONE)
		met(s, n.id);
	if (took == QUEUE_TOOK) {
		*yes = pick_envelope(s->pick, &t.env) && (!due || in_doubt(&t));
		queue_release(&t);
	} else if (took == QUEUE_GONE) {
		pass->gone++;
		*yes = false;
	} else if (due) {
		*yes = false;
	}
	return 0;
}

static void
did(struct steer *s, const struct queue_entry *t)
{
	s->done++;
	met(s, t->is.id);
	if (s->each)
		s->each(s->arg, t->is.id);
}

static void
set_aside(struct steer *s, const char *name, const struct err *why)
{
	buf_fmt(&s->damaged, "%s: %s\n", name, err_text(why));
	tell_damaged(s->events, name, why);
}

static int
one(struct steer *s, const struct names_item *item, const char *name, struct pass *pass,
    struct err *e)
{
	struct queue_entry t;
	enum queue_took took;
	bool yes;
	int rc = meant(s, item, name, &yes, pass, e);

	if (rc || !yes)
		return rc;
	rc = queue_take(s->q, &item->at, name, QUEUE_AS_IS, &t, &took, e);
	if (rc)
		return rc;
	switch (took) {
	case QUEUE_BUSY: names_add(&s->away, &item->at, name); break;
	case QUEUE_GONE: pass->gone++; break;
	case QUEUE_STUCK:
		if (s->looks == 1)
			buf_fmt(&s->damaged, "%s: %s\n", name, err_text(e));
		break;
	case QUEUE_DAMAGED:
		set_aside(s, name, e);
		pass->acted++;
		break;
	case QUEUE_TOOK:
		rc = act(s, &t, e);
		if (!rc) {
			did(s, &t);
			pass->acted++;
		} else if (rc == EX_NOINPUT) { /* moved on meanwhile, by its name: the next pass meets it */
			pass->gone++;
			rc = 0;
		}
		queue_release(&t);
	}
	return rc;
}

static int
one_pass(struct steer *s, struct pass *pass, struct err *e)
{
	int rc = 0;

	*pass = (struct pass){0, 0};
	s->looks++;
	names_clear(&s->away);
	names_clear(&s->found);
	for (unsigned p = IN_NEW; p <= IN_HOLD && !rc; p++)
		if (table[s->what].from & 1u << p)
			rc = queue_scan(s->q, (enum queue_place)p, UINT64_MAX, found, s, e);
	if (rc)
		return rc;
	for (size_t i = 0; i < s->found.n; i++) {
		struct err mine = ERR_INIT;

		/* One that fails does not keep the rest from being held. */
		if (one(s, &s->found.v[i], names_text(&s->found, i), pass, &mine)) {
			met_name(s, names_text(&s->found, i));
			if (!s->first.code)
				err_set(&s->first, mine.code, "%s", err_text(&mine));
		}
		err_free(&mine);
	}
	return 0;
}

/* --- all of it */

static int
mark_met(void *arg, const struct queue_at *at, const char *name, const struct entry_name *n)
{
	(void)at;
	(void)name;
	met(arg, n->id);
	return 0;
}

/* Ids that were given and not met: on hold already is as good as held, others are lost. */
static int
find_lost(struct steer *s, struct err *e)
{
	size_t n = pick_ids(s->pick), i;
	int rc = 0;

	for (i = 0; i < n && s->met[i]; i++)
		continue;
	if (i == n)
		return 0;
	if (s->what == STEER_HOLD)
		rc = queue_scan(s->q, IN_HOLD, UINT64_MAX, mark_met, s, e);
	else if (s->what == STEER_RELEASE)
		for (unsigned p = IN_NEW; p <= IN_CUR && !rc; p++)
			rc = queue_scan(s->q, (enum queue_place)p, UINT64_MAX, mark_met, s, e);
	for (i = 0; i < s->away.n; i++)
		met_name(s, names_text(&s->away, i));
	for (i = 0; i < n; i++)
		if (!s->met[i])
			buf_add(&s->lost, pick_id_at(s->pick, i).p, ENTRY_ID);
	return rc;
}

static void
pause_ms(int64_t ms)
{
	nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

static int
passes(struct steer *s, struct err *e)
{
	int64_t deadline = io_now_ms() + s->wait_ms, poll_ms = POLL_FIRST_MS;
	struct pass pass;

	for (;;) {
		int rc = one_pass(s, &pass, e);

		if (rc)
			return rc;
		if (pass.acted > 0) {
			poll_ms = POLL_FIRST_MS;
			continue;
		}
		if (s->away.n == 0 && pass.gone == 0)
			return 0;
		/* What is gone may have moved to where we had looked already: look again at once,
		 * and not for ever. */
		if (io_now_ms() >= deadline)
			return 0;
		if (s->away.n > 0) {
			pause_ms(poll_ms);
			poll_ms = poll_ms * 2 < POLL_MOST_MS ? poll_ms * 2 : POLL_MOST_MS;
		}
	}
}

int
steer(struct steer *s, struct err *e)
{
	struct err late = ERR_INIT;
	int rc;

	s->start_us = s->last_us = io_time_us();
	s->met = mem_alloc(pick_ids(s->pick) * sizeof *s->met);
	s->away = s->found = (struct names)NAMES_INIT;
	s->lost = s->damaged = (struct buf)BUF_INIT;
	rc = passes(s, e);
	if (!rc)
		rc = find_lost(s, e);
	if (queue_sync(s->q, &late) && !rc)
		rc = err_set(e, late.code, "%s", err_text(&late));
	if (!rc && s->first.code)
		rc = err_set(e, s->first.code, "%s", err_text(&s->first));
	if (!rc && s->away.n > 0)
		rc = err_set(e, EX_TEMPFAIL, "%zu still in flight", s->away.n);
	err_free(&late);
	return rc;
}

void
steer_free(struct steer *s)
{
	free(s->met);
	s->met = NULL;
	names_free(&s->away);
	names_free(&s->found);
	buf_free(&s->lost);
	buf_free(&s->damaged);
	err_free(&s->first);
}
