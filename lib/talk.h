/* talk.h - a conversation from its greeting to its end, over whatever carries it.
 *
 * Every wait has a deadline: a command's begins with the reply to the one before, and a byte a minute
 * does not move it; content has to come on; all together is over when session_ms is.
 */
#ifndef TALK_H
#define TALK_H

#include "door.h"

#define TALK_SOON_MS 5000 /* for the end of a message that is refused */

struct talk {
	struct door *door;
	int64_t session_ms;   /* io_now_ms() at which all is over */
	void *arg;            /* of what carries it: */
	struct span (*waiting)(void *arg);
	void (*taken)(void *arg, size_t n);
	int (*fill)(void *arg, size_t *got, int64_t deadline_ms, struct err *e);
	int (*send)(void *arg, const struct buf *out, struct err *e);
	int (*secure)(void *arg, struct err *e);  /* the handshake; smtpd_secured() is its work */
	bool (*eager)(void *arg);                 /* the client speaks before the greeting; NULL: let it */
};

/* Non-zero: what carries it broke. */
int talk(struct talk *t, struct err *e);
/* At two descriptors that are no sockets. */
int talk_pipes(struct door *d, int in, int out, struct err *e);
/* The same with a local program as it is at standard input and output, sendmail -bs; *queued: how many
 * messages it has sent. */
int talk_local(const struct conf *c, struct queue *q, void (*trouble)(void *arg, const struct err *e),
    size_t *queued, struct err *e);

#endif
