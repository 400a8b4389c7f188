#include "noticeput.h"

#include "addr.h"
#include "put.h"
#include "taken.h"
#include "telling.h"

#include <unistd.h>

#define PUT_TRIES 3

/* An entry of this name is there: it was put before a crash.  Is it whole, it is made durable; *again:
 * it was not, and is out of the way. */
static int
keep_former(const struct noticeput *w, const char *name, bool *again, struct err *e)
{
	struct queue_at at = {.place = IN_NEW};
	struct queue_entry t;
	enum queue_took took;
	int rc = queue_take(w->q, &at, name, QUEUE_WHOLE, &t, &took, e);

	if (rc)
		return rc;
	if (took == QUEUE_TOOK)
		queue_release(&t);
	else if (took == QUEUE_DAMAGED)
		tell_damaged(w->events, name, e);
	*again = took == QUEUE_DAMAGED;
	err_free(e);
	/* Rare: no need to know which file or directory has to be told. */
	if (!*again && syncfs(queue_state_fd(w->q)) < 0)
		return err_sys(e, "sync the queue");
	return 0;
}

static int
put_once(const struct noticeput *w, bool *again, struct err *e)
{
	struct entry_rcpt to = {w->reader, SPAN("NOTIFY=NEVER")}; /* RFC 3461 6.1 */
	struct envelope env = {.sender = {"", 0}, .params = {"", 0}, .rcpts = &to, .n = 1,
	    .tag = {"", 0}, .user = getuid(), .smtputf8 = w->smtputf8,
	    .wish = {.requiretls = w->requiretls, .auth = {"", 0}}};
	struct span domain = addr_domain(w->reader);
	struct buf name = BUF_INIT;
	struct queue_put p;
	int rc = queue_put_begin_as(w->q, &p, &env, w->id, e);

	*again = false;
	if (rc)
		return err_in(e, "notice");
	rc = queue_put_content(&p, w->header.p, w->header.n, true, e);
	if (!rc)
		rc = queue_put_content(&p, w->body.p, w->body.n, false, e);
	if (!rc)
		rc = queue_put_link(&p, w->stream, domain, e);
	if (rc && p.there) {
		queue_put_name(&p, w->stream, domain, &name);
		err_free(e);
		rc = keep_former(w, name.s, again, e);
	} else if (!rc) {
		rc = queue_put_sync(&p, 1, e);
	}
	queue_put_end(&p);
	buf_free(&name);
	return rc ? err_in(e, "notice") : 0;
}

int
noticeput(const struct noticeput *w, struct err *e)
{
	bool again = true;
	int rc = 0;

	for (int i = 0; i < PUT_TRIES && !rc && again; i++)
		rc = put_once(w, &again, e);
	return rc || !again ? rc : err_set(e, EX_TEMPFAIL, "notice: others of its name are in its way");
}
