/* tidy.h - what a queue directory does not need any more. */
#ifndef TIDY_H
#define TIDY_H

#include "queue.h"

/* Removes past empty buckets and what failed/ and sent/ keep too long, shrinks a swollen new/. */
int queue_tidy(struct queue *q, uint64_t now_s, uint64_t keep_failed_s, uint64_t keep_sent_s,
    struct err *e);

/* Forgets sites with which no run has had to do for TIDY_SITES_S: a relay meets new ones for years. */
#define TIDY_SITES_S (30 * 86400)
int queue_tidy_sites(struct queue *q, uint64_t now_s, struct err *e);

#endif
