#include "sorting.h"

#include "addr.h"
#include "idn.h"
#include "io.h"

#include <stdlib.h>
#include <string.h>

#define MIXED_WAIT_MS 20 /* before looking whether there is room for another */
#define OPEN_PARCELS 64  /* messages to several destinations in hand at once */
#define LOOKS 64         /* at entries for their senders, before others have a turn */

bool
sorting_has(const struct plan *p, uint32_t dest)
{
	return p->dests[dest].by_sender || strcmp(p->dests[dest].domain, PLAN_MIXED) == 0;
}

/* With the lock held: there is work at this site. */
static void
pushed(struct sorted *out, uint32_t site)
{
	for (size_t i = 0; i < out->n; i++)
		if (out->sites[i] == site)
			return;
	out->sites = mem_grow(out->sites, out->n + 1, sizeof *out->sites);
	out->sites[out->n++] = site;
}

/* A site that was closed before these came has nobody who moves them on: they would stay in hand until
 * the run is over, and keep others from being opened. */
static void
drain_closed(struct run_state *r, const struct sorted *to)
{
	for (size_t i = 0; i < to->n; i++)
		load_drain_closed(r, to->sites[i]);
}

/* --- to several destinations */

static int
domain_of(struct span mailbox, struct buf *out, struct err *e)
{
	struct span d = addr_domain(mailbox);

	buf_cut(out, 0);
	if (d.n == 0 || d.p[0] != '[')
		return idn_to_ascii(d, out, e);
	entry_name_domain(d, out); /* an address literal */
	return 0;
}

/* Recipients whose destinations lead to the same site go together; not where the hosts come from a signed
 * zone, for there a certificate may be for the domain alone (RFC 7672 3.2.2). */
static bool
go_together(const struct plan *p, uint32_t dest, uint32_t other)
{
	const struct plan_site *s = p->sites[p->dests[dest].site];

	return dest == other || (p->dests[other].site == p->dests[dest].site && !(s->real && s->route.secure));
}

static void
push_groups(struct run_state *r, const struct load *l, uint32_t *dest, struct sorted *to)
{
	struct plan *plan = &r->plan;

	for (size_t i = 0; i < l->n; i++) {
		uint32_t *group;
		size_t k = 0;
		bool several = false;

		if (dest[i] == MAP_NONE)
			continue;
		group = mem_grow(NULL, l->n - i, sizeof *group);
		for (size_t j = i; j < l->n; j++) {
			if (dest[j] == MAP_NONE || !go_together(plan, dest[i], dest[j]))
				continue;
			several |= dest[j] != dest[i];
			group[k++] = l->rcpts[j];
			if (j > i)
				dest[j] = MAP_NONE;
		}
		l->p->groups++;
		pushed(to, plan_push(plan, plan_add_group(plan, l->p, group, k, dest[i], several)));
	}
}

/* Whether one more message may be in hand for several destinations.  If not it goes back, and this
 * thread with it: its like may be all there are, and those in hand need them. */
static bool
room_for_mixed(struct run_state *r, uint32_t own, uint32_t item, struct load *l)
{
	bool room;

	pthread_mutex_lock(&r->lock);
	room = r->open_parcels < OPEN_PARCELS;
	if (room) {
		r->open_parcels++;
		*l = load_of(r, item);
	} else {
		plan_return(&r->plan, item);
		sched_left(r->plan.s, own);
		sched_hold(r->plan.s, own, io_now_ms() + MIXED_WAIT_MS);
	}
	pthread_mutex_unlock(&r->lock);
	return room;
}

/* Taken: its recipients to their destinations. */
static void
split(struct run_state *r, struct load *l, struct sorted *to)
{
	const struct envelope *v = &l->p->t.env;
	uint32_t *dest = mem_grow(NULL, l->n + 1, sizeof *dest);
	struct buf domain = BUF_INIT;

	for (size_t i = 0; i < l->n; i++) {
		struct err e = ERR_INIT;

		dest[i] = MAP_NONE;
		if (domain_of(v->rcpts[l->rcpts[i]].addr, &domain, &e)) {
			parcel_verdict(l->p, &l->rcpts[i], 1, JOURNAL_FAILED, 0, "5.1.2", err_text(&e),
			    (struct span){"", 0});
		} else {
			pthread_mutex_lock(&r->lock);
			dest[i] = load_dest(r, (struct span){domain.s, domain.len}, l->p->t.is.stream,
			    &v->sender);
			pthread_mutex_unlock(&r->lock);
		}
		err_free(&e);
	}
	pthread_mutex_lock(&r->lock);
	l->i.parcel = l->p; /* the first group is ours: load_finish() counts it down like the rest */
	push_groups(r, l, dest, to);
	pthread_mutex_unlock(&r->lock);
	free(dest);
	buf_free(&domain);
}

static bool
open_mixed(struct run_state *r, uint32_t own, uint32_t item, struct sorted *to)
{
	uint32_t *rcpts;
	struct load l;

	if (!room_for_mixed(r, own, item, &l))
		return false;
	if (load_take(r, &l)) {
		rcpts = l.rcpts;
		split(r, &l, to);
		load_finish(r, &l);
		free(rcpts);
	} else {
		pthread_mutex_lock(&r->lock);
		r->open_parcels--;
		pthread_mutex_unlock(&r->lock);
	}
	return true;
}

/* --- by the sender */

/* What cannot be read goes on as one from nobody: taking it will tell why. */
static void
look(struct run_state *r, struct load *l, struct sorted *to)
{
	struct queue_at at = plan_at(&l->i);
	struct buf sender = BUF_INIT;
	struct entry_name n;
	struct err e = ERR_INIT;
	int rc = queue_peek_sender(r->d.q, &at, l->i.name, &sender, &e);

	if (rc == EX_NOINPUT) {
		if (r->o->follow) {
			r->missed = true;
			load_tell_main(r);
		}
		load_forget(r, l);
	} else if (entry_name_parse(span_of(l->i.name), &n)) {
		struct span from = {sender.s, sender.len};

		pthread_mutex_lock(&r->lock);
		r->plan.items[l->item].dest = load_dest(r, n.domain, n.stream, &from);
		pushed(to, plan_push(&r->plan, l->item));
		pthread_mutex_unlock(&r->lock);
	}
	err_free(&e);
	buf_free(&sender);
}

bool
sorting(struct run_state *r, uint32_t own, uint32_t item, struct sorted *out)
{
	struct load l;
	unsigned n = 0;
	bool mixed;

	*out = (struct sorted){0};
	pthread_mutex_lock(&r->lock);
	l = load_of(r, item);
	mixed = !r->plan.dests[l.i.dest].by_sender;
	pthread_mutex_unlock(&r->lock);
	if (mixed && !open_mixed(r, own, item, out))
		return false;
	if (!mixed)
		do
			look(r, &l, out);
		while (++n < LOOKS && !r->stop && load_next(r, own, &l));
	drain_closed(r, out);
	pthread_mutex_lock(&r->lock);
	sched_left(r->plan.s, own);
	pthread_mutex_unlock(&r->lock);
	return true;
}
