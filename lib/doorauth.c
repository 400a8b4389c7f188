#include "doorauth.h"

#include "doorlimit.h"
#include "io.h"
#include "tls.h"

#include <time.h>

static struct doorauth *
of(void *arg)
{
	struct door *d = arg;

	return d->auth;
}

static unsigned
offered(const struct doorauth *a)
{
	if (!a->login || a->door->house->listen->auth == CONFSERVE_NO_AUTH)
		return 0;
	return login_offer(a->login, &a->channel, a->certificate.len > 0);
}

static void
on_offer(void *arg, struct buf *out)
{
	mech_text(offered(of(arg)), out);
}

/* --- an exchange */

static void
tell(struct doorauth *a, struct span user, int code, const char *status, struct span why)
{
	const struct door *d = a->door;
	struct event v = {.type = EVENT_LOGIN, .code = code, .status = span_of(status), .text = why,
	    .user = user, .peer_addr = {d->peer_text.s, d->peer_text.len},
	    .peer = {d->s.helo.s, d->s.helo.len}, .tls = {d->suite.s, d->suite.len}};

	if (a->events)
		events_write(a->events, &v, io_time_us());
}

/* Guessing is slow. */
static void
wait_a_while(struct doorauth *a)
{
	uint32_t ms = doorlimit_failed_ms(a->door->limits);
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static void
refused(struct doorauth *a, const struct err *e)
{
	tell(a, span_of(sasl_user(a->sasl)), 535, "5.7.8", span_of(err_text(e)));
	wait_a_while(a);
}

/* By the name that the users file has, however it was spelled: limits are for him. */
static void
set_user(struct doorauth *a, struct span name)
{
	struct buf user = BUF_INIT;

	login_name(a->login, name, &user);
	buf_free(&a->door->s.user);
	a->door->s.user = user;
}

static void
is_in(struct doorauth *a)
{
	const struct buf *user = &a->door->s.user;

	set_user(a, span_of(sasl_user(a->sasl)));
	tell(a, (struct span){user->s, user->len}, 235, "2.7.0", span_of(mech_name(a->mech)));
	doorlimit_logged_in(a->door->limits);
}

static enum smtpd_auth_is
outcome(struct doorauth *a, enum sasl_is is, struct err *e)
{
	switch (is) {
	case SASL_MORE:
		if (sasl_refused(a->sasl)) /* now, for nobody has to wait for the end */
			refused(a, e);
		return SMTPD_AUTH_MORE;
	case SASL_YES: is_in(a); return SMTPD_AUTH_YES;
	case SASL_NO:
		if (!sasl_refused(a->sasl))
			refused(a, e);
		return SMTPD_AUTH_NO;
	case SASL_BAD: return SMTPD_AUTH_BAD;
	case SASL_CANCELLED: return SMTPD_AUTH_CANCELLED;
	case SASL_LATER: break;
	}
	a->door->house->trouble(a->door->house->arg, e);
	return SMTPD_AUTH_LATER;
}

static enum smtpd_auth_is
step(struct doorauth *a, struct span line, bool first, bool has_line, struct buf *challenge)
{
	struct err e = ERR_INIT;
	enum sasl_is is = sasl_server_step(a->sasl, line, first, has_line, challenge, &e);
	enum smtpd_auth_is said = outcome(a, is, &e);

	err_free(&e);
	return said;
}

static enum smtpd_auth_is
on_begin(void *arg, struct span name, struct span line, bool has_line, struct buf *challenge)
{
	struct doorauth *a = of(arg);
	struct err e = ERR_INIT;

	a->mech = mech_of(name);
	if (a->mech == MECH_NONE || !(offered(a) & MECH_BIT(a->mech)))
		return SMTPD_AUTH_UNKNOWN;
	login_session(&a->session, a->login, (struct span){a->door->peer_text.s, a->door->peer_text.len});
	a->bound = a->channel;
	/* RFC 5802 6: to say "you offer no PLUS" is a lie only where it was offered. */
	if (!(offered(a) & MECH_PLUS))
		a->bound.exporter = a->bound.unique = SPAN("");
	a->server = (struct sasl_server){.channel = &a->bound,
	    .hostname = a->door->house->conf->hostname,
	    .certificate = {a->certificate.s, a->certificate.len}, .check = &a->session.check};
	if (sasl_server_new(&a->sasl, a->mech, &a->server, &e)) {
		err_free(&e);
		return SMTPD_AUTH_UNKNOWN;
	}
	return step(a, line, true, has_line, challenge);
}

static enum smtpd_auth_is
on_step(void *arg, struct span line, struct buf *challenge)
{
	return step(of(arg), line, false, true, challenge);
}

static void
on_end(void *arg)
{
	struct doorauth *a = of(arg);

	sasl_free(a->sasl);
	a->sasl = NULL;
}

static bool
may_send(const struct door *d, struct span sender)
{
	return !d->auth->login ||
	       login_may_send(d->auth->login, (struct span){d->s.user.s, d->s.user.len}, sender);
}

/* Neither its certificate nor what ties a login to its TLS is the client's. */
static void
spoken_for(struct door *d)
{
	struct doorauth *a = d->auth;

	buf_cut(&a->certificate, 0);
	a->channel.exporter = a->channel.unique = SPAN("");
	if (a->login && d->s.user.len > 0)
		set_user(a, (struct span){d->s.user.s, d->s.user.len});
}

/* --- */

void
doorauth_open(struct doorauth *a, struct door *d, struct login *login, struct events *events)
{
	*a = (struct doorauth){.door = d, .login = login, .events = events, .exporter = BUF_INIT,
	    .unique = BUF_INIT, .certificate = BUF_INIT};
	d->auth = a;
	d->may_send = may_send;
	d->spoken_for = spoken_for;
	d->world.auth_offer = on_offer;
	d->world.auth_begin = on_begin;
	d->world.auth_step = on_step;
	d->world.auth_end = on_end;
}

void
doorauth_close(struct doorauth *a)
{
	sasl_free(a->sasl);
	a->sasl = NULL;
	buf_free(&a->exporter);
	buf_free(&a->unique);
	buf_free(&a->certificate);
}

void
doorauth_tls(struct doorauth *a, const struct tls *t)
{
	tls_channel(t, &a->exporter, &a->unique);
	tls_client_name(t, &a->certificate);
	a->channel = (struct sasl_channel){.tls = true, .exporter = {a->exporter.s, a->exporter.len},
	    .unique = {a->unique.s, a->unique.len}};
}
