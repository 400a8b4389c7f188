/* tidy.h - what a queue directory does not need any more. */
#ifndef TIDY_H
#define TIDY_H

#include "queue.h"

/* Removes past empty buckets and what failed/ and sent/ keep too long, shrinks a swollen new/. */
int queue_tidy(struct queue *q, uint64_t now_s, uint64_t keep_failed_s, uint64_t keep_sent_s,
    struct err *e);

#endif
