#include "learn.h"

enum what { NOTHING, ENTER, COUNT };

struct verdict {
	enum what what;
	uint64_t for_s;
	struct span reason, scope;
};

enum learn_kind
learn_feedback(struct span type)
{
	static const char *const complaints[] = {"abuse", "fraud", "virus", "other"};

	for (size_t i = 0; i < sizeof complaints / sizeof *complaints; i++)
		if (span_ieq(type, span_of(complaints[i])))
			return LEARN_COMPLAINT;
	if (span_ieq(type, SPAN("opt-out")) || span_ieq(type, SPAN("opt-out-list")))
		return LEARN_UNSUBSCRIBE;
	return LEARN_NOTHING; /* not-spam, auth-failure and what else tells nothing about a recipient */
}

static struct span
scope_of(const struct suppressconf *c, const struct learn_fact *f)
{
	return c->scope == SUPPRESSCONF_STREAM && f->stream.n > 0 ? f->stream : SUPPRESS_EVERY;
}

static struct verdict
judge(const struct suppressconf *c, const struct learn_fact *f)
{
	bool hard = suppressconf_has(c->hard, f->reason) || (f->hard && suppressconf_has(c->hard, SPAN("hard")));

	switch (f->kind) {
	case LEARN_COMPLAINT:
		return (struct verdict){c->complaints ? ENTER : NOTHING, c->complaint_for_s,
		    SPAN("complaint"), scope_of(c, f)};
	case LEARN_UNSUBSCRIBE:
		return (struct verdict){c->unsubscribes ? ENTER : NOTHING, c->unsubscribe_for_s,
		    SPAN("unsubscribe"), scope_of(c, f)};
	case LEARN_FAILURE:
		if (hard)
			return (struct verdict){ENTER, c->hard_for_s, f->reason, SUPPRESS_EVERY};
		if (suppressconf_has(c->soft, f->reason))
			return (struct verdict){COUNT, c->soft_for_s, f->reason, SUPPRESS_EVERY};
		break;
	case LEARN_NOTHING: break;
	}
	return (struct verdict){NOTHING, 0, f->reason, SUPPRESS_EVERY};
}

bool
learn_matters(const struct suppressconf *c, const struct learn_fact *f)
{
	return judge(c, f).what != NOTHING;
}

static int
enter(struct suppress *s, const struct learn_fact *f, const struct verdict *v, uint64_t at_s,
    enum suppress_did *did, struct err *e)
{
	const struct suppressline new = {.address = f->address, .reason = v->reason, .source = f->source,
	    .scope = v->scope, .note = f->note, .since_s = at_s, .until_s = v->for_s ? at_s + v->for_s : 0};

	return suppress_put(s, &new, did, e);
}

int
learn(struct suppress *s, const struct suppressconf *c, const struct learn_fact *f, uint64_t at_s,
    bool known, enum suppress_did *did, struct err *e)
{
	struct verdict v = judge(c, f);
	uint64_t from_s = at_s > c->soft_within_s ? at_s - c->soft_within_s : 0, count = 0;
	int rc = 0;

	*did = SUPPRESS_NOTHING;
	if (v.what == ENTER)
		rc = enter(s, f, &v, at_s, did, e);
	if (!rc && !known)
		rc = suppress_saw(s, f->address, f->id, f->reason, at_s, e);
	if (!rc && v.what == COUNT)
		rc = suppress_count(s, f->address, c->soft, from_s, &count, e);
	if (!rc && v.what == COUNT && count >= c->soft_count)
		rc = enter(s, f, &v, at_s, did, e);
	return rc;
}
