/* MAIL and RCPT as a client writes them: taken, or refused with a reply that ends the command. */
#include "fuzz.h"

#include "esmtp.h"

#include <stdlib.h>

static void
refusal(const struct esmtp_refusal *w)
{
	if (w->code != 0 && (w->code / 100 != 5 || !w->status || w->status[0] != '5' || !w->text || !*w->text))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span args = {(const char *)p, n};
	struct esmtp_refusal why;
	struct esmtp_mail m;
	struct esmtp_rcpt r;
	enum esmtp_by by;
	int64_t by_s;
	int priority;
	bool trace;

	esmtp_mail(args, &m, &why);
	refusal(&why);
	if (why.code == 0 && (m.envid.n > ESMTP_ENVID_MAX || m.hold_s > ESMTP_HOLD_MAX || m.priority < -9 ||
	                         m.priority > 9 || (m.hold_s > 0 && m.hold_until_s > 0)))
		abort();
	for (int utf8 = 0; utf8 < 2; utf8++) {
		esmtp_rcpt(args, utf8, &r, &why);
		refusal(&why);
		if (why.code == 0 && ((r.notify.n > 0 && !esmtp_notify_ok(r.notify)) ||
		                         (r.orcpt.n > 0 && !esmtp_orcpt_ok(r.orcpt, utf8))))
			abort();
	}
	if (esmtp_by_parse(args, &by_s, &by, &trace) &&
	    (by_s > ESMTP_BY_MAX || by_s < -ESMTP_BY_MAX || by == ESMTP_BY_NONE))
		abort();
	if (esmtp_priority_parse(args, &priority) && (priority < -9 || priority > 9))
		abort();
	return 0;
}
