/* look.h - entries looked at while others work on them: found by name, opened, read. */
#ifndef LOOK_H
#define LOOK_H

#include "journal.h"
#include "names.h"
#include "pick.h"
#include "taken.h"

#include <stdbool.h>

#define LOOK_WAITING (1u << IN_NEW | 1u << IN_CUR | 1u << IN_HOLD)
#define LOOK_EVERYWHERE (LOOK_WAITING | 1u << IN_FAILED | 1u << IN_SENT)

/* Names in these places (bits) that may be meant, by age; q NULL: an empty queue. */
int look_names(struct queue *q, const struct pick *p, unsigned places, struct names *out,
    struct err *e);

struct look {
	struct queue_entry t;
	struct journal j;
};
enum look_says {
	LOOK_OPEN,    /* it is meant; look_close() it */
	LOOK_NO,      /* not meant, or gone since its name was read */
	LOOK_DAMAGED  /* not a complete entry: e says why */
};
/* A journal that makes no sense is told in e, too: the entry is LOOK_OPEN all the same. */
int look_open(struct queue *q, const struct pick *p, const struct names *l, size_t i,
    struct look *k, enum look_says *says, struct err *e);
void look_close(struct look *k);

/* Content in blocks to each: all of it, or the header section with the empty line behind it. */
typedef void look_each(void *arg, const char *p, size_t n);
int look_content(const struct look *k, bool header_only, look_each *each, void *arg, struct err *e);

#endif
