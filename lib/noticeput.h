/* noticeput.h - a notice that is written, put into the queue under its own id: once, however often. */
#ifndef NOTICEPUT_H
#define NOTICEPUT_H

#include "events.h"
#include "queue.h"

#include <stdbool.h>

struct noticeput { /* spans are lent by the caller */
	struct queue *q;
	struct events *events; /* NULL: none */
	struct span reader, stream;
	const char *id;        /* the entry's */
	bool requiretls, smtputf8;
	struct span header, body;
};

/* 0: it is on stable storage.  One that was put before a crash and is still in new/ is left as it is, where
 * it is whole, and replaced where it is not. */
int noticeput(const struct noticeput *w, struct err *e);

#endif
