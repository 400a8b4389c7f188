/* load.h - an item in a worker's hands, and the state of the run that all of them share.
 *
 * An item that the scheduler gave out is its worker's until it is finished (an outcome),
 * dropped (as if this run had not seen it), moved on (its site is closed) or given back.
 */
#ifndef LOAD_H
#define LOAD_H

#include "names.h"
#include "reach.h"

#include <pthread.h>

struct run_options {
	bool follow;            /* stay, watch new/, sweep once a minute */
	bool now;               /* what is not due yet too, and closed sites */
	bool sandbox;
	const char *const *ids; /* only these; n_ids 0: all */
	size_t n_ids;
	const char *site;       /* only what goes to this site, or NULL */
	struct dkimkeys *keys;  /* what messages are signed with; NULL: they are not */
	const struct notetext *text; /* of the notices to senders */
};

struct run_state {
	struct deliver d;
	const struct run_options *o;
	struct route_self self;
	struct reach_env env;
	struct dns *dns;        /* cloned for each worker */
	struct local *local;    /* deliveries on this machine */
	int state_dir;
	int main_fd;            /* eventfd: "look whether the run is over", "a timer is set" */
	uint64_t seed;

	pthread_mutex_t lock;   /* over all below */
	struct plan plan;
	struct worker *idle;    /* without a connection, waiting */
	uint32_t threads, busy; /* busy: with an item or a connection in hand */
	struct worker *all;
	_Atomic bool missed;    /* a planned name was not there any more: it may have got another */
	_Atomic bool stop;      /* nothing new is started; read without the lock, too */
	uint32_t open_parcels;  /* taken for the sake of several groups */
	struct run_delay {      /* found locked in new/: again when its submitter is done */
		int64_t at_ms;
		uint32_t item;
	} *delays;
	size_t n_delays;
	struct names left; /* found locked in new/ until the patience with it was over */
};

/* What a worker holds of an item while it works on it: its own once taken from the scheduler. */
struct load {
	uint32_t item;
	struct plan_item i;
	struct parcel *p;
	uint32_t *rcpts; /* i's for a group, else ours */
	size_t n;
};

/* With the lock held. */
struct load load_of(struct run_state *r, uint32_t item);
/* The destination of a domain, for a sender's mail where the sender is known (else NULL).  One that a
 * configured relay covers is resolved here and now: that
 * takes no DNS, and recipients at several such domains can share a transaction. */
uint32_t load_dest(struct run_state *r, struct span domain, struct span stream, const struct span *sender);
/* An empty plan, whose sites come to know what earlier runs have learned about them. */
void load_begin(struct run_state *r, const struct conf *c);
/* One of the connections that all runs together may have to it; its file is open while this run has
 * any, for there may be more sites than descriptors.  False: another run has them all. */
bool load_site_enter(struct run_state *r, uint32_t site, uint32_t *slot);
void load_site_leave(struct run_state *r, uint32_t site, uint32_t slot);
/* What was learned about it, for other runs, while its file is open.  Not that its hosts do not meet a TLS
 * policy: that is the policy's affair, and whoever has a domain can publish one for anybody's hosts. */
void load_site_save(struct run_state *r, struct plan_budget *b);
void load_report(struct run_state *r, uint32_t site, enum pace_event what, uint64_t hint_s);
/* Whether the rate of all runs together lets one more message go to it now; if not its pace knows. */
bool load_site_rate(struct run_state *r, uint32_t site);

/* The rest takes the lock itself. */
struct plan_site *load_site(struct run_state *r, uint32_t site);
void load_tell_main(struct run_state *r); /* "look whether the run is over" */
/* The parcel of an item: true when there is something to do for it; otherwise it is forgotten. */
bool load_take(struct run_state *r, struct load *l);
void load_finish(struct run_state *r, struct load *l);
void load_drop(struct run_state *r, struct load *l);
/* Taken or not, back to the scheduler: the next of its kind, as if it had not been given out. */
void load_give_back(struct run_state *r, struct load *l);
void load_forget(struct run_state *r, struct load *l);
/* Takes it and gives all its recipients this outcome. */
void load_verdict(struct run_state *r, struct load *l, enum journal_is as, int code,
    const char *status, const char *text, const char *site);
/* Of the recipients, for as long as the plan lasts; NULL: they have several. */
const char *load_domain(struct run_state *r, const struct load *l);
/* A connection for it: reach_site() for its destination. */
int load_connect(struct run_state *r, const struct load *l, struct reach *c, struct plan_site *s,
    char status[12], struct err *e);
/* How many may go over one connection to that site. */
uint64_t load_messages(const struct run_state *r, const struct plan_site *s);
bool load_next(struct run_state *r, uint32_t site, struct load *l); /* any that waits at the site */
/* Of a closed site everything moves to the hour when it opens, unless that is soon. */
void load_drain_closed(struct run_state *r, uint32_t site);
/* No message to this site can be delivered, ever: the first and all that wait fail; code 0: no server said so. */
void load_fail_all(struct run_state *r, uint32_t site, struct load *first, int code, const char *status,
    const char *text);

#endif
