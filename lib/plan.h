/* plan.h - what a run has to do: items (names), destinations (domains), sites.
 *
 * Names alone are planned: no message is opened before its turn.  A destination
 * begins as a site of its own and is merged into its real site when its route is known.
 * One struct plan belongs to a run and is used under the run's lock.
 */
#ifndef PLAN_H
#define PLAN_H

#include "deliver.h"
#include "map.h"
#include "route.h"
#include "schedule.h"
#include "slots.h"

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
};

#define PLAN_MIXED "+" /* the domain of entries whose envelope says where they go */

struct plan_dest {
	char *domain;
	uint32_t own;  /* the site it has to itself */
	uint32_t site; /* own until it is resolved, then the real one */
	bool resolved;
	int64_t resolve_again_ms;
};

struct worker; /* run.c's */

struct plan_site {
	char *name;          /* file name in state/sites, or the domain while unresolved */
	char *key;           /* what makes two routes the same: the set of hosts and how they are held */
	size_t usable;       /* hosts before the first that turned out to be ourselves */
	bool real;
	uint32_t dest;       /* unresolved: whose */
	struct route route;  /* real: the hosts */
	struct slots slots;
	bool loaded;         /* what was learned about it by earlier runs */
	int64_t *host_bad_ms; /* a host that failed is passed over until then, while others work */
	int64_t *host_clear_ms; /* one whose handshake failed is spoken to in clear text until then */
	uint32_t turn;       /* counts connections, to rotate among hosts of equal preference */
	bool failed;         /* in this run */
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
	struct map by_domain, by_site, by_stream;
	struct map by_id; /* no name is planned twice, however often it is found */
	char **streams;
};

void plan_init(struct plan *p, const struct conf *c, uint64_t seed);
void plan_free(struct plan *p); /* drops parcels that groups still hold */

/* An entry by its name; false where it is planned already. */
bool plan_add_name(struct plan *p, const struct queue_at *at, const char *name, size_t len,
    uint32_t *item);
uint32_t plan_add_group(struct plan *p, struct parcel *parcel, uint32_t *rcpts, size_t n,
    uint32_t dest);
void plan_forget(struct plan *p, uint32_t item); /* done with it; the name is freed */
struct queue_at plan_at(const struct plan_item *i);

uint32_t plan_dest(struct plan *p, struct span domain, int64_t now_ms);
/* The real site of a route (made where it is new); takes the route over. */
uint32_t plan_site(struct plan *p, struct route *r, int64_t now_ms);
/* Into the scheduler, at its destination's site of the moment. */
void plan_push(struct plan *p, uint32_t item);
/* As if it had not been taken: it goes next at its destination's site of the moment. */
void plan_return(struct plan *p, uint32_t item);
/* The destination's waiting items follow it to its real site. */
void plan_resolved(struct plan *p, uint32_t dest, uint32_t site, int64_t again_ms);
/* Its route is too old: until it is resolved again it is a site of its own. */
void plan_unresolve(struct plan *p, uint32_t dest);

void plan_why(struct plan_site *s, const char *status, const char *text);

#endif
