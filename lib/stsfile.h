/* stsfile.h - what is remembered of a domain's MTA-STS policy: QUEUE/state/sts/DOMAIN.
 *
 * The policy as it came, when and under which id; and what came of the last attempt to fetch it,
 * where that has failed since.  One file a domain, replaced as a whole.  A struct stsfile does not change
 * while others see it, and is shared by counting.
 */
#ifndef STSFILE_H
#define STSFILE_H

#include "buf.h"
#include "sts.h"

#include <stdatomic.h>

#define STSFILE_DIR "sts"        /* below state/ */
#define STSFILE_REFRESH_S 86400  /* RFC 8461 3.3: fetched anew once a day, ... */
#define STSFILE_TRIES_S 300      /* ... and after a failure no sooner than this, for the same id */

struct stsfile {
	char *domain;
	struct buf id;             /* of the TXT record by which it was fetched */
	uint64_t fetched_s;        /* 0: there is no policy */
	struct buf text;           /* the policy as it came */
	struct sts_policy policy;  /* lent by text */

	uint64_t tried_s;          /* 0: the last attempt was good */
	struct buf tried_id;
	struct buf result, why;    /* "sts-policy-fetch-error" (RFC 8460 4.3.2.2), and in words */
	atomic_uint users;
};

/* Empty, for a domain of lower-case A-labels; one user. */
struct stsfile *stsfile_new(const char *domain);
struct stsfile *stsfile_share(struct stsfile *f);
void stsfile_drop(struct stsfile *f); /* NULL is fine */

/* A policy takes the place of what was there: EX_DATAERR, and nothing is changed but the attempt. */
int stsfile_take(struct stsfile *f, struct span id, struct span text, uint64_t now_s, struct err *e);
void stsfile_failed(struct stsfile *f, struct span id, const char *result, const char *why, uint64_t now_s);

/* As a file, and back; EX_DATAERR: it is none, or is another domain's. */
void stsfile_text(const struct stsfile *f, struct buf *out);
int stsfile_parse(struct span text, const char *domain, struct stsfile **f, struct err *e);

/* EX_NOINPUT: none. */
int stsfile_load(int state_dir, const char *domain, struct stsfile **f, struct err *e);
int stsfile_save(int state_dir, const struct stsfile *f, struct err *e);
void stsfile_remove(int state_dir, const char *domain);

/* Not older than its max_age; a time of fetching that is yet to come is none that is over. */
bool stsfile_valid(const struct stsfile *f, uint64_t now_s);
/* Valid, but a day old, or half of its max_age. */
bool stsfile_old(const struct stsfile *f, uint64_t now_s);
/* The last attempt under this id has failed, and not long ago. */
bool stsfile_resting(const struct stsfile *f, struct span id, uint64_t now_s);

#endif
