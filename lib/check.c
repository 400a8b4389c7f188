#include "check.h"

#include "date.h"
#include "file.h"
#include "io.h"
#include "journal.h"
#include "names.h"
#include "taken.h"
#include "telling.h"

#include <string.h>

const char *const check_names[] = {[CHECK_DAMAGED] = "damaged",
    [CHECK_EARLIER] = "earlier",
    [CHECK_UNREADABLE] = "unreadable",
    [CHECK_JOURNAL] = "journal",
    [CHECK_TWICE] = "twice",
    [CHECK_FOREIGN] = "foreign"};

static void
tell(struct check *c, enum check_what what, const struct queue_at *at, const char *name,
    const char *why)
{
	struct buf where = BUF_INIT;
	char hour[11];

	buf_str(&where, queue_place_names[at->place]);
	if (at->hour_s && at->place == IN_NEW)
		buf_fmt(&where, ".%llu", (unsigned long long)at->hour_s);
	else if (at->hour_s) {
		date_hour(hour, at->hour_s);
		buf_fmt(&where, "/%s", hour);
	}
	if (what == CHECK_DAMAGED)
		c->damaged++;
	else
		c->other++;
	c->each(c->arg, what, where.s, name, why);
	buf_free(&where);
}

static void
journal(struct check *c, const struct queue_entry *t, const struct queue_at *at, const char *name)
{
	struct err e = ERR_INIT;
	struct journal j;

	if (journal_replay((struct span){t->journal.s, t->journal.len}, t->env.n, &j, &e))
		tell(c, CHECK_JOURNAL, at, name, err_text(&e));
	journal_free(&j);
	err_free(&e);
}

static int
take(struct check *c, const struct queue_at *at, const char *name, struct err *e)
{
	struct queue_entry t;
	enum queue_took took;
	int rc = queue_take(c->q, at, name, QUEUE_WHOLE, &t, &took, e);

	if (rc) {
		tell(c, CHECK_UNREADABLE, at, name, err_text(e));
		return rc;
	}
	if (took == QUEUE_BUSY)
		c->busy++;
	if (took == QUEUE_STUCK)
		tell(c, CHECK_UNREADABLE, at, name, err_text(e));
	if (took == QUEUE_DAMAGED) {
		tell(c, CHECK_DAMAGED, at, name, err_text(e));
		tell_damaged(c->events, name, e);
	}
	if (took != QUEUE_TOOK)
		return 0;
	c->good++;
	c->bytes += t.is.size;
	journal(c, &t, at, name);
	queue_release(&t);
	return 0;
}

/* --- names that are no entries' */

struct foreign {
	struct check *c;
	const struct queue_at *at;
};

static int
foreign_name(void *arg, int dir, const char *name)
{
	const struct foreign *f = arg;
	bool buckets = f->at->place != IN_NEW && f->at->place != IN_HOLD;
	struct span s = span_of(name);
	struct entry_name n;
	uint64_t hour;

	(void)dir;
	if (*name != '.' && !(buckets ? date_hour_parse(s, &hour) : entry_name_parse(s, &n)))
		tell(f->c, CHECK_FOREIGN, f->at, name, "not an entry's name");
	return 0;
}

/* new/, hold/ and the places with buckets, not the buckets: only a person puts files there. */
static int
foreign(struct check *c, struct err *e)
{
	int rc = 0;

	for (int p = IN_NEW; p <= IN_SENT && !rc; p++) {
		struct queue_at at = {(enum queue_place)p, 0};

		rc = file_each(queue_root_fd(c->q), queue_place_names[p], foreign_name,
		    &(struct foreign){c, &at}, e);
	}
	return rc;
}

/* --- all of it */

static int
add(void *arg, const struct queue_at *at, const char *name, const struct entry_name *n)
{
	(void)n;
	names_add(arg, at, name);
	return 0;
}

static bool
same_id(const char *a, const char *b)
{
	struct entry_name x, y;

	return entry_name_parse(span_of(a), &x) && entry_name_parse(span_of(b), &y) &&
	    span_eq(x.id, y.id);
}

/* Sorted by id, equals stand beside each other.  One that moved while we read is not twice. */
static void
twice(struct check *c, const struct names *l)
{
	for (size_t i = 1; i < l->n; i++) {
		struct queue_entry a, b;
		enum queue_took took_a, took_b = QUEUE_GONE;
		struct err e = ERR_INIT;

		if (!same_id(names_text(l, i - 1), names_text(l, i)) ||
		    queue_peek(c->q, &l->v[i - 1].at, names_text(l, i - 1), &a, &took_a, &e)) {
			err_free(&e);
			continue;
		}
		if (took_a == QUEUE_TOOK) {
			if (queue_peek(c->q, &l->v[i].at, names_text(l, i), &b, &took_b, &e) == 0 &&
			    took_b == QUEUE_TOOK) {
				tell(c, CHECK_TWICE, &l->v[i].at, names_text(l, i),
				    "its id is there twice");
				queue_release(&b);
			}
			queue_release(&a);
		}
		err_free(&e);
	}
}

int
check(struct check *c, struct err *e)
{
	struct names l = NAMES_INIT, aside = NAMES_INIT;
	int rc = queue_scan(c->q, IN_DAMAGED, UINT64_MAX, add, &aside, e), first = 0;

	for (size_t i = 0; i < aside.n && !rc; i++)
		tell(c, CHECK_EARLIER, &aside.v[i].at, names_text(&aside, i), "set aside earlier");
	for (int p = IN_NEW; p <= IN_SENT && !rc; p++)
		rc = queue_scan(c->q, (enum queue_place)p, UINT64_MAX, add, &l, e);
	names_sort(&l);
	for (size_t i = 0; i < l.n && !rc; i++) {
		struct err mine = ERR_INIT;

		if (take(c, &l.v[i].at, names_text(&l, i), &mine) && !first)
			first = err_set(e, mine.code, "%s", err_text(&mine));
		err_free(&mine);
	}
	if (!rc)
		twice(c, &l);
	if (!rc)
		rc = foreign(c, e);
	if (!rc)
		rc = queue_sync(c->q, e);
	names_free(&l);
	names_free(&aside);
	return rc ? rc : first;
}
