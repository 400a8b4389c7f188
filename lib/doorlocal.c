#include "doorlocal.h"

#include "addr.h"
#include "locals.h"
#include "xtext.h"

/* <postmaster> has no domain (RFC 5321 4.5.1); it is ours, or a domain's that is. */
static bool
complete(const struct doorlocal *l, struct span to, struct buf *out)
{
	const char *domain = l->door->house->conf->domain;

	buf_add(out, to.p, to.n);
	if (addr_domain(to).n > 0)
		return true;
	if (!span_ieq(to, SPAN("postmaster")))
		return false;
	if (locals_has(l->locals, span_of(domain)))
		buf_fmt(out, "@%s", domain);
	else
		buf_fmt(out, "@%s", locals_domain(l->locals, 0));
	return true;
}

/* --- RCPT */

static int
count(void *arg, struct span address, struct err *e)
{
	struct doorlocal *l = arg;

	(void)address;
	(void)e;
	l->targets++;
	return 0;
}

static void
refuse(struct doorlocal *l, struct span to, struct err *e, struct smtpd_verdict *v)
{
	switch (e->code) {
	case EX_NOUSER:
		smtpd_refuse(v, 550, "5.1.1", "<%.*s>: %s", SPAN_ARG(to), err_text(e));
		break;
	case EX_TEMPFAIL: /* of which has been told when the file was read */
		smtpd_refuse(v, 451, "4.3.0", "local trouble: try again later");
		break;
	default:
		err_in(e, "mail for %.*s waits", SPAN_ARG(to));
		l->door->house->trouble(l->door->house->arg, e);
		smtpd_refuse(v, 451, "4.3.5", "local trouble: try again later");
	}
}

static bool
on_rcpt(void *arg, struct span to, struct smtpd_verdict *v)
{
	struct doorlocal *l = arg;
	struct buf address = BUF_INIT;
	struct err e = ERR_INIT;
	size_t before;
	bool ours;
	int rc;

	if (l->door->s.n_rcpts == 0)
		l->targets = 0;
	before = l->targets;
	ours = complete(l, to, &address);
	rc = ours ? locals_expand(l->locals, (struct span){address.s, address.len}, count, l, &e) : 0;
	ours = ours && rc != EX_NOHOST;
	/* The rest comes in another transaction, as with too many recipients of its own. */
	if (!rc && l->targets > RCPTS_MAX)
		smtpd_refuse(v, 452, "4.5.3", "too many recipients");
	else if (ours && rc)
		refuse(l, to, &e, v);
	if (v->code)
		l->targets = before;
	buf_free(&address);
	err_free(&e);
	return ours;
}

/* --- DATA */

struct adding {
	struct door *door;
	struct span params;
	struct span original;  /* told by ORCPT where the client has told none; empty: it has */
};

/* Whoever hears that it failed knows the address that he wrote to, and not where that leads. */
static int
add(void *arg, struct span address, struct err *e)
{
	const struct adding *a = arg;
	struct buf params = BUF_INIT;
	int rc;

	buf_add(&params, a->params.p, a->params.n);
	if (a->original.n > 0 && !span_ieq(address, a->original) && span_is_ascii(a->original)) {
		buf_str(&params, params.len ? " ORCPT=rfc822;" : "ORCPT=rfc822;");
		xtext_encode(a->original, &params);
	}
	rc = rcpts_add(&a->door->msg.rcpts, address, (struct span){params.s, params.len}, e);
	buf_free(&params);
	return rc;
}

static int
expand(void *arg, size_t i, struct span params, struct err *e)
{
	struct doorlocal *l = arg;
	struct buf address = BUF_INIT;
	struct adding a = {.door = l->door, .params = params};
	int rc;

	if (complete(l, smtpd_rcpt_addr(&l->door->s, i), &address)) {
		if (smtpd_rcpt_orcpt(&l->door->s, i).n == 0)
			a.original = (struct span){address.s, address.len};
		rc = locals_expand(l->locals, (struct span){address.s, address.len}, add, &a, e);
	} else {
		rc = err_set(e, EX_NOHOST, "it has no domain");
	}
	buf_free(&address);
	return rc;
}

void
doorlocal_open(struct doorlocal *l, struct door *d, const struct locals *locals)
{
	*l = (struct doorlocal){.ours = {.arg = l, .rcpt = on_rcpt, .expand = expand}, .door = d,
	    .locals = locals};
	if (locals)
		d->ours = &l->ours;
}
