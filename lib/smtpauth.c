#include "smtpauth.h"

#include "sasl.h"
#include "tls.h"

#include <string.h>

#define COMMAND_MAX 512 /* RFC 4954 4: an initial response that makes AUTH longer goes in a line of its own */
#define STEPS_MAX 16    /* no mechanism has as many */

struct channel {
	struct buf exporter, unique;
	struct sasl_channel is;
};

static void
look_below(const struct smtp *s, struct channel *c)
{
	*c = (struct channel){BUF_INIT, BUF_INIT, {0}};
	c->is.tls = s->c.tls != NULL;
	if (s->c.tls)
		tls_channel(s->c.tls, &c->exporter, &c->unique);
	c->is.exporter = (struct span){c->exporter.s, c->exporter.len};
	c->is.unique = (struct span){c->unique.s, c->unique.len};
}

/* Why nothing can be used, in words for whoever has to change it. */
static int
no_way(struct smtp *s, const struct smtpauth *a, struct err *e)
{
	struct buf offered = BUF_INIT;

	s->tls_status = "4.7.9";
	reply_clear(&s->reply); /* the one to EHLO is no reason */
	mech_text(s->can.auth, &offered);
	if (!s->can.auth_known)
		err_set(e, EX_TEMPFAIL, "AUTH is not offered%s", s->c.tls ? "" : " without TLS");
	else if (!s->c.tls && !a->bare_clear && (s->can.auth & a->mechs & MECH_BARE))
		err_set(e, EX_TEMPFAIL, "AUTH: only %s is offered, which shows the password, and there is no TLS",
		    offered.s);
	else
		err_set(e, EX_TEMPFAIL, "AUTH: none of the mechanisms offered can be used: %s",
		    offered.len ? offered.s : "none that is known");
	buf_free(&offered);
	return e->code;
}

/* The line and its reply; the buffers that the line was in are wiped. */
static int
say(struct smtp *s, struct buf *line, struct err *e)
{
	int rc = smtp_command(s, line->s, s->opt.wait->helo, "AUTH", e);

	explicit_bzero(line->s, line->cap ? line->len : 0);
	explicit_bzero(s->out.s, s->out.cap); /* what was sent */
	buf_cut(line, 0);
	return rc;
}

/* AUTH, with what the client says first if that fits. */
static int
begin(struct smtp *s, struct sasl *sasl, struct err *e)
{
	struct buf line = BUF_INIT, first = BUF_INIT;
	bool has = false, along;
	int rc = sasl_client_first(sasl, &first, &has, e);

	along = has && strlen("AUTH ") + strlen(mech_name(sasl_mech(sasl))) + 1 + first.len + 2 <= COMMAND_MAX;
	buf_fmt(&line, "AUTH %s%s%s", mech_name(sasl_mech(sasl)), along ? " " : "", along ? first.s : "");
	if (!rc)
		rc = say(s, &line, e);
	if (!rc && has && !along && s->reply.code == 334) {
		if (strcmp(first.s, "=") == 0)
			buf_cut(&first, 0);
		rc = say(s, &first, e);
	}
	explicit_bzero(first.s, first.cap ? first.len : 0);
	buf_free(&first);
	buf_free(&line);
	return rc;
}

static int
go_on(struct smtp *s, struct sasl *sasl, struct err *e)
{
	struct buf line = BUF_INIT;
	int rc = 0;

	for (int i = 0; !rc && s->reply.code == 334; i++) {
		struct span challenge = {s->reply.text.s, s->reply.text.len};

		rc = i < STEPS_MAX ? sasl_client_step(sasl, challenge, &line, e)
		                   : err_set(e, EX_PROTOCOL, "challenges without end");
		if (!rc)
			rc = say(s, &line, e);
	}
	buf_free(&line);
	return rc;
}

static int
verdict(struct smtp *s, const struct smtpauth *a, const struct sasl *sasl, struct err *e)
{
	const char *reason = sasl_client_error(sasl);

	if (s->reply.code / 100 == 5) {
		s->tls_status = "4.7.8";
		if (a->refused)
			a->refused(a->arg);
	}
	return err_set(e, EX_TEMPFAIL, "login%s%s by %s: %d %s%s%s%s%s", *a->user ? " as " : "", a->user,
	    mech_name(sasl_mech(sasl)), s->reply.code, s->reply.status, s->reply.status[0] ? " " : "",
	    s->reply.text.s, *reason ? ": " : "", reason);
}

static int
exchange(struct smtp *s, const struct smtpauth *a, struct sasl *sasl, struct err *e)
{
	int rc = begin(s, sasl, e);

	if (!rc)
		rc = go_on(s, sasl, e);
	if (rc)
		return err_in(e, "login%s%s by %s", *a->user ? " as " : "", a->user, mech_name(sasl_mech(sasl)));
	if (s->reply.code != 235)
		return verdict(s, a, sasl, e);
	rc = sasl_client_end(sasl, e);
	if (rc) { /* it let us in without knowing the password: it is not who we think */
		s->tls_status = "4.7.8";
		reply_clear(&s->reply);
		err_in(e, "login as %s", a->user);
	}
	return rc;
}

static int
with(struct smtp *s, const struct smtpauth *a, enum mech m, const struct sasl_channel *ch, struct err *e)
{
	struct sasl_client how = {ch, span_of(a->user), {NULL, 0}, a->host, a->port};
	struct buf secret = BUF_INIT;
	struct sasl *sasl = NULL;
	int rc = m == MECH_EXTERNAL ? 0 : a->secret(a->arg, &secret, e);

	how.password = (struct span){secret.s, secret.len};
	if (rc) {
		s->tls_status = "4.7.8";
		reply_clear(&s->reply);
	} else {
		rc = sasl_client_new(&sasl, m, &how, e);
	}
	if (!rc)
		rc = exchange(s, a, sasl, e);
	sasl_free(sasl);
	explicit_bzero(secret.s, secret.cap ? secret.len : 0);
	buf_free(&secret);
	return rc;
}

static int
log_in(struct smtp *s, const struct smtpauth *a, struct err *e)
{
	struct channel c;
	enum mech m;
	int rc;

	look_below(s, &c);
	m = sasl_choose(s->can.auth, a->mechs, &c.is, a->bare_clear);
	rc = m == MECH_NONE ? no_way(s, a, e) : with(s, a, m, &c.is, e);
	buf_free(&c.exporter);
	buf_free(&c.unique);
	if (!rc && !s->open)
		rc = err_set(e, EX_TEMPFAIL, "AUTH: %d %s", s->reply.code, s->reply.text.s);
	if (rc == EX_CONFIG)
		rc = e->code = EX_TEMPFAIL; /* for a person, and no message's fault */
	s->logged_in = !rc;
	if (rc)
		smtp_close(s);
	return rc;
}

struct ticket {
	struct keyring *keys;
	const struct conf_route *by;
};

static int
on_secret(void *arg, struct buf *out, struct err *e)
{
	const struct ticket *t = arg;

	return keyring_get(t->keys, t->by, out, e);
}

static void
on_refused(void *arg)
{
	const struct ticket *t = arg;

	keyring_refused(t->keys, t->by);
}

int
smtpauth_route(struct smtp *s, const struct conf_route *by, const char *host, uint16_t port,
    struct keyring *keys, struct err *e)
{
	struct ticket t = {keys, by};
	struct smtpauth a = {.host = host, .port = port, .secret = on_secret, .refused = on_refused,
	    .arg = &t};

	if (!by)
		return 0;
	a.user = by->user ? by->user : "";
	a.mechs = by->auth ? mech_set(span_of(by->auth), NULL) : SMTPAUTH_USUAL;
	if (!s->c.tls) /* there is nothing external to go by */
		a.mechs &= ~MECH_BIT(MECH_EXTERNAL);
	a.bare_clear = by->auth_clear;
	return log_in(s, &a, e);
}
