/* plan.h - what a run has to do: items (names), destinations (domains), sites.
 *
 * Names alone are planned: no message is opened before its turn.  A destination
 * begins as a site of its own and is merged into its real site when its route is known.
 *
 * Where the route of a domain depends on the sender (route_by_sender), which no name says, the domain is a
 * destination that is never resolved: when it is an item's turn there, the first bytes of its envelope are
 * looked at, and it waits again at one of the destinations that the domain has for each section of the
 * configuration (sorting.h).  So what is not due, or is another domain's, is not opened; what sites are closed
 * for moves on by its name again from there; and an item costs nothing more.  The name says nothing of the
 * sender on purpose: what is configured when it is delivered counts, not what was when it was submitted.
 * One struct plan belongs to a run and is used under the run's lock.
 */
#ifndef PLAN_H
#define PLAN_H

#include "deliver.h"
#include "map.h"
#include "route.h"
#include "schedule.h"
#include "slots.h"
#include "sources.h"
#include "stsfile.h"

#include <stdbool.h>
#include <stdint.h>

struct plan_item {
	char *name;            /* owned; NULL for a group */
	struct parcel *parcel; /* a group: some recipients of a taken entry */
	uint32_t *rcpts;
	uint32_t n_rcpts;
	uint32_t dest;
	uint32_t hour;         /* of queue_at, in hours; or the number of new.N */
	uint8_t place;
	uint8_t tries;         /* times it was found busy */
	bool several;          /* a group: its recipients have several domains */
};

#define PLAN_MIXED "+" /* the domain of entries whose envelope says where they go */

#define PLAN_LAX_STREAM "tls-report" /* what has to arrive even where TLS does not work (RFC 8460 5.3.1) */

struct plan_dest {
	char *domain;
	char *key;     /* by_domain's */
	bool lax;      /* of that stream: TLS is opportunistic, and nothing is told of it */
	bool by_sender; /* it depends on the sender where its mail goes: plan_dest_from() */
	bool sorted;   /* for the mail of some senders alone */
	const struct conf_route *by; /* the section that covers it, or NULL */
	uint32_t own;  /* the site it has to itself */
	uint32_t site; /* own until it is resolved, then the real one */
	bool resolved;
	int64_t resolve_again_ms;
	struct stsfile *sts; /* what is known of its MTA-STS policy; NULL: nothing */
	bool held;           /* to that: it was valid when the route was resolved */
};

struct worker; /* run.c's */

/* What sets of hosts share that belong to one site, and the ways to one set by several pools. */
struct plan_budget {
	char *name;          /* file name in state/sites, or the domain while unresolved */
	const struct confsite *limits; /* or NULL */
	struct slots slots;
	bool many;           /* it may have several parts */
	bool loaded;         /* what was learned about it by earlier runs */
	bool failed;         /* it has asked for a pause in this run; why and status as in plan_site */
	char *why;
	char status[12];
	uint32_t part;       /* the first of them */
};

struct plan_site { /* a part of a site: a set of hosts, reached by one pool */
	const char *name;    /* the site's */
	struct plan_budget *budget;
	char *own_name;      /* the file's of what was learned about this part alone; NULL: it is its site */
	uint32_t pool;       /* SOURCES_NONE: none */
	uint32_t *by_pool;   /* of one without a pool: the parts for each; MAP_NONE where there is none yet */
	char *key;           /* what makes two routes the same: the set of hosts and how they are held */
	size_t usable;       /* hosts before the first that turned out to be ourselves */
	bool real;
	uint32_t dest;       /* unresolved: whose */
	struct route route;  /* real: the hosts */
	int64_t *host_bad_ms; /* a host that failed is passed over until then, while others work */
	bool *host_gone;     /* and will not take mail later either: it does not exist, or says so */
	int64_t *host_clear_ms; /* one whose handshake failed is spoken to in clear text until then */
	uint32_t turn;       /* counts connections, to rotate among hosts of equal preference */
	bool failed;         /* in this run */
	bool on_terms;       /* its failure is that its hosts do not meet what they are held to for these domains:
	                      * no other run, whose domains may hold them to less, is told of it */
	uint32_t lost;       /* connections in a row that broke in the middle of a message */
	char *why;           /* the last failure's words, and its status */
	char status[12];
	struct worker *idle; /* who keep a connection to it and have nothing to send */
};

struct plan {
	struct sched *s;
	const struct conf *conf;
	struct plan_item *items;
	uint32_t n_items, free_item; /* free items are chained by `dest` */
	struct plan_dest *dests;
	uint32_t n_dests;
	struct plan_site **sites; /* by the scheduler's number */
	uint32_t n_sites;
	struct plan_budget **budgets;
	uint32_t n_budgets;
	const struct sources *sources; /* pools; NULL: there are none */
	void (*made)(void *arg, uint32_t site); /* told of each new part of a real site; may be NULL */
	void *arg;
	struct map by_domain, by_site, by_budget, by_stream;
	struct map by_id; /* no name is planned twice, however often it is found */
	char **streams;
};

void plan_init(struct plan *p, const struct conf *c, uint64_t seed);
void plan_free(struct plan *p); /* drops parcels that groups still hold */

/* An entry by its name, whose parts are n's then, lent by it; false where it is none, or is planned already,
 * perhaps by another name: then *item is that. */
bool plan_add_name(struct plan *p, const struct queue_at *at, const char *name, size_t len,
    struct entry_name *n, uint32_t *item);
/* dest: of the first of its recipients; several: others have others. */
uint32_t plan_add_group(struct plan *p, struct parcel *parcel, uint32_t *rcpts, size_t n,
    uint32_t dest, bool several);
void plan_forget(struct plan *p, uint32_t item); /* done with it; the name is freed */
struct queue_at plan_at(const struct plan_item *i);

uint32_t plan_dest(struct plan *p, struct span domain, bool lax, int64_t now_ms);
/* The same where it depends on the sender, else dest itself. */
uint32_t plan_dest_from(struct plan *p, uint32_t dest, struct span sender, int64_t now_ms);
/* The real site's part for a route (made where it is new), without a pool; takes the route over. */
uint32_t plan_site(struct plan *p, struct route *r, int64_t now_ms);
/* Into the scheduler, at its destination's site of the moment, by its stream's pool there: which part that
 * is. */
uint32_t plan_push(struct plan *p, uint32_t item);
/* As if it had not been taken: it goes next at its destination's site of the moment. */
void plan_return(struct plan *p, uint32_t item);
/* The destination's waiting items follow it to its real site. */
void plan_resolved(struct plan *p, uint32_t dest, uint32_t site, int64_t again_ms);
/* What its hosts are held to by MTA-STS; takes it over.  held: by a policy that is valid now.  It counts until
 * the route is resolved again, for connections are shared with others who are held to the same, and whose
 * policy may live longer. */
void plan_hold(struct plan *p, uint32_t dest, struct stsfile *sts, bool held);
/* Its route is too old: until it is resolved again it is a site of its own. */
void plan_unresolve(struct plan *p, uint32_t dest);

void plan_why(struct plan_site *s, const char *status, const char *text);
/* Of what the whole site has said. */
void plan_why_all(struct plan_site *s, const char *status, const char *text);

#endif
