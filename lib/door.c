#include "door.h"

#include "addr.h"
#include "cidr.h"
#include "io.h"
#include "msg.h"
#include "suppress.h"
#include "xclient.h"

#include <string.h>
#include <unistd.h>

static bool
in_networks(const char *list, const struct net_addr *a)
{
	if (a->u.sa.sa_family == AF_INET)
		return cidr_match(list, (const uint8_t *)&a->u.in4.sin_addr, 4);
	return cidr_match(list, (const uint8_t *)&a->u.in6.sin6_addr, 16);
}

bool
door_is_front_end(const struct door_house *h, const struct net_addr *peer)
{
	return in_networks(h->serve->front_ends, peer);
}

/* --- who it is */

static void
set_peer(struct door *d, const struct net_addr *peer)
{
	d->has_peer = peer != NULL;
	buf_cut(&d->peer_text, 0);
	if (!peer)
		return;
	d->peer = *peer;
	net_addr_text(peer, &d->peer_text);
}

/* --- who may */

static bool
may_relay(const struct door *d)
{
	return d->s.user.len > 0 || d->s.trusted;
}

static void
on_connect(void *arg, struct smtpd_verdict *v)
{
	struct door *d = arg;

	if (d->limit && !d->front_end)
		d->limit(d, METER_CONNECTIONS, v);
	d->s.trusted = !d->has_peer ||
		       (!d->front_end && in_networks(d->house->serve->networks, &d->peer));
}

/* RFC 6409 6.1: who has logged in sends as himself. */
static bool
is_theirs(const struct door *d, struct span address)
{
	return d->s.user.len == 0 || !d->may_send || d->may_send(d, address);
}

/* Mail from elsewhere, for a domain of ours: nobody knows who has sent it. */
static bool
is_received(const struct door *d)
{
	return d->ours && !may_relay(d);
}

static bool
is_judged(const struct door *d)
{
	return d->judge && is_received(d);
}

static void
on_mail(void *arg, const struct esmtp_mail *m, struct span sender, struct smtpd_verdict *v)
{
	const struct door *d = arg;

	if (!m->null && m->from.domain.n == 0)
		smtpd_refuse(v, 553, "5.1.7", "the sender's address has no domain");
	else if (!is_theirs(d, sender))
		smtpd_refuse(v, 553, "5.7.1", "you may not send as this address");
	else if (is_received(d) && (m->hold_s > 0 || m->hold_until_s > 0)) /* RFC 4865 is for submission */
		smtpd_refuse(v, 550, "5.7.1", "log in first: mail is not held for everybody");
	else if (is_judged(d))
		d->judge->mail(d->judge->arg);
}

static bool
is_postmaster(const struct addr *a)
{
	return a->domain.n == 0 && span_ieq(a->local, SPAN("postmaster"));
}

static void
ask_list(const struct door *d, struct span rcpt, struct smtpd_verdict *v)
{
	struct buf why = BUF_INIT;

	if (suppress_asked(d->list, rcpt, span_of(d->house->conf->stream), &why))
		smtpd_refuse(v, 550, "5.7.1", "%s", why.s);
	buf_free(&why);
}

/* What a local part says about other hosts - a%b, a!b, "a@b" - is for its own host to say; nobody
 * else looks into it, so it opens nothing (RFC 5321 2.3.11). */
static void
on_rcpt(void *arg, const struct esmtp_rcpt *r, struct span rcpt, struct smtpd_verdict *v)
{
	struct door *d = arg;

	if (!d->ours || !d->ours->rcpt(d->ours->arg, rcpt, v)) {
		if (!may_relay(d))
			smtpd_refuse(v, 550, "5.7.1", "relaying denied: log in first");
		else if (r->to.domain.n == 0 && !is_postmaster(&r->to))
			smtpd_refuse(v, 553, "5.1.3", "the recipient's address has no domain");
		else if (d->list)
			ask_list(d, rcpt, v);
	}
	if (!v->code && is_judged(d))
		d->judge->rcpt(d->judge->arg, v);
	if (!v->code && d->limit)
		d->limit(d, METER_RCPTS, v);
}

/* --- the message */

/* RFC 3848, and RFC 6531 4.3. */
static void
put_with(const struct smtpd *s, struct buf *out)
{
	buf_cut(out, 0);
	if (s->mail.smtputf8)
		buf_str(out, "UTF8SMTP");
	else
		buf_str(out, s->ehlo ? "ESMTP" : "SMTP");
	if (s->ehlo && s->tls)
		buf_ch(out, 'S');
	if (s->user.len > 0)
		buf_ch(out, 'A');
}

static void
put_peer(const struct door *d, struct buf *out)
{
	buf_cut(out, 0);
	if (!d->has_peer)
		return;
	if (!net_addr_v4(&d->peer)) /* RFC 5321 4.1.3 */
		buf_str(out, "IPv6:");
	net_addr_text(&d->peer, out);
}

static void
trace(struct door *d)
{
	struct smtpd *s = &d->s;

	put_with(s, &d->with);
	put_peer(d, &d->trace_peer);
	d->trace = (struct compose_trace){.helo = {s->helo.s, s->helo.len},
	    .peer = {d->trace_peer.s, d->trace_peer.len}, .with = {d->with.s, d->with.len},
	    .suite = {d->suite.s, d->suite.len}};
}

static void
put_param(struct buf *out, const char *key, struct span value)
{
	if (value.n == 0)
		return;
	buf_fmt(out, "%s%s=", out->len > 0 ? " " : "", key);
	buf_add(out, value.p, value.n);
}

static void
wish(struct door *d, const struct esmtp_mail *m, uint64_t now_s)
{
	struct entry_wish *w = &d->msg.wish;

	*w = (struct entry_wish){.requiretls = m->requiretls,
	    /* RFC 6710 4.1: not a stranger's to choose. */
	    .priority = m->has_priority && !is_received(d) ? m->priority : 0, .by_return = m->by == ESMTP_BY_RETURN,
	    .by_trace = m->by_trace};
	if (m->by != ESMTP_BY_NONE)
		w->by_s = (uint64_t)((int64_t)now_s + m->by_s);
	/* RFC 4954 5: from whom we do not trust it is as AUTH=<>. */
	if (m->has_auth)
		w->auth = d->s.trusted ? m->auth : SPAN("<>");
}

/* Into the message's list, as it is or where its alias leads. */
static int
recipient(struct door *d, size_t i, struct span params, struct err *e)
{
	struct span to = smtpd_rcpt_addr(&d->s, i);
	struct buf addr = BUF_INIT;
	int rc = d->ours ? d->ours->expand(d->ours->arg, i, params, e) : EX_NOHOST;

	if (rc != EX_NOHOST)
		return rc;
	err_free(e);
	buf_add(&addr, to.p, to.n);
	if (addr_domain(to).n == 0)
		buf_fmt(&addr, "@%s", d->house->conf->domain);
	rc = rcpts_add(&d->msg.rcpts, (struct span){addr.s, addr.len}, params, e);
	buf_free(&addr);
	return rc;
}

static int
recipients(struct door *d, struct err *e)
{
	const struct smtpd *s = &d->s;
	struct buf params = BUF_INIT;
	int rc = 0;

	for (size_t i = 0; i < s->n_rcpts && !rc; i++) {
		buf_cut(&params, 0);
		put_param(&params, "NOTIFY", smtpd_rcpt_notify(s, i));
		put_param(&params, "ORCPT", smtpd_rcpt_orcpt(s, i));
		rc = recipient(d, i, (struct span){params.s, params.len}, e);
	}
	buf_free(&params);
	return rc;
}

/* What the client hears, and what only we do. */
static void
fail(struct door *d, struct err *e, struct smtpd_verdict *v)
{
	if (e->code == EX_DATAERR) {
		bool large = e->text && strncmp(e->text, "message over", 12) == 0;

		smtpd_refuse(v, large ? 552 : 554, large ? "5.3.4" : "5.6.0", "%s", err_text(e));
	} else {
		d->house->trouble(d->house->arg, e);
		smtpd_refuse(v, 451, "4.3.0", "local trouble: try again later");
	}
	err_free(e);
}

static void
on_begin(void *arg, struct smtpd_verdict *v)
{
	struct door *d = arg;
	const struct esmtp_mail *m = &d->s.mail;
	uint64_t now_s = io_time_us() / 1000000;
	struct err e = ERR_INIT;
	int rc;

	if (d->limit)
		d->limit(d, METER_MESSAGES, v);
	if (v->code)
		return;
	buf_cut(&d->params, 0);
	if (m->ret != ESMTP_RET_NONE)
		put_param(&d->params, "RET", m->ret == ESMTP_RET_FULL ? SPAN("FULL") : SPAN("HDRS"));
	put_param(&d->params, "ENVID", m->envid);
	trace(d);
	rcpts_clear(&d->msg.rcpts);
	d->msg.sender = (struct span){d->s.sender.s, d->s.sender.len};
	d->msg.params = (struct span){d->params.s, d->params.len};
	d->msg.smtputf8 = m->smtputf8;
	d->msg.hold_until_s = m->hold_s ? now_s + m->hold_s : m->hold_until_s;
	d->msg.trace = &d->trace;
	d->msg.told = SPAN("");
	if (d->s.n_rcpts == 1 && addr_domain(smtpd_rcpt_addr(&d->s, 0)).n > 0)
		d->msg.told = smtpd_rcpt_addr(&d->s, 0); /* and not where an alias leads */
	d->msg.received = is_received(d);
	d->msg.as_is = d->house->listen->keep_headers || d->msg.received;
	d->msg.late_top = is_judged(d);
	d->msg.top = SPAN("");
	d->msg.forged = d->ours && !d->s.trusted ? span_of(d->house->conf->hostname) : SPAN("");
	wish(d, m, now_s);
	rc = recipients(d, &e);
	if (!rc)
		rc = submit_begin(&d->work, &d->submit, &d->msg, &e);
	if (rc)
		fail(d, &e, v);
}

static void
on_content(void *arg, const void *p, size_t n, struct smtpd_verdict *v)
{
	struct door *d = arg;
	struct err e = ERR_INIT;

	if (is_judged(d))
		d->judge->content(d->judge->arg, p, n);
	if (submit_content(d->work, p, n, &e))
		fail(d, &e, v);
}

static void
on_abandon(void *arg)
{
	struct door *d = arg;

	submit_drop(d->work);
	d->work = NULL;
}

/* RFC 6152 3: who did not say 8BITMIME may not send it; almost everybody does. */
static bool
eightbit_ok(const struct door *d)
{
	return d->house->serve->eightbit == CONFSERVE_ACCEPT || d->s.mail.body == ESMTP_8BITMIME ||
	       d->s.mail.smtputf8 || !submit_eightbit(d->work);
}

static int
one_author(void *arg, struct span mailbox, struct err *e)
{
	const struct door *d = arg;

	return is_theirs(d, mailbox)
		   ? 0
		   : err_set(e, EX_NOPERM, "you may not write as %.*s", SPAN_ARG(mailbox));
}

/* From has only addresses that are the user's.  Without From ours is put in. */
static bool
authors_ok(struct door *d, struct smtpd_verdict *v)
{
	struct cur c;
	struct msg_field f;
	struct span header;
	struct err e = ERR_INIT;
	bool bad;
	int rc = 0;

	if (!d->house->serve->check_from || d->s.user.len == 0)
		return true;
	submit_header(d->work, &header);
	c = cur_span(header);
	while (!rc && msg_field(&c, &f, &bad))
		if (span_ieq(f.name, SPAN("From"))) /* each: some programs show another than the first */
			rc = addr_list(f.value, d->house->conf->domain, one_author, d, &e);
	if (rc)
		smtpd_refuse(v, rc == EX_NOPERM ? 553 : 554, rc == EX_NOPERM ? "5.7.1" : "5.6.0",
		    "From: %s", err_text(&e));
	err_free(&e);
	return rc == 0;
}

/* RFC 5321 6.3: a message that has come through here too often goes round in a circle.  Ours is one
 * more. */
static bool
loops(struct door *d, struct smtpd_verdict *v)
{
	uint64_t n = 0;
	struct span header;
	struct msg_field f;
	struct cur c;
	bool bad;

	submit_header(d->work, &header);
	c = cur_span(header);
	while (msg_field(&c, &f, &bad))
		n += span_ieq(f.name, SPAN("Received"));
	if (n >= d->house->conf->max_received)
		smtpd_refuse(v, 554, "5.4.6", "%llu Received fields: the message goes round in a circle",
		    (unsigned long long)n);
	return v->code != 0;
}

static void
on_end(void *arg, struct buf *id, struct smtpd_verdict *v)
{
	struct door *d = arg;
	struct submit_work *w = d->work;
	struct err e = ERR_INIT;
	int rc;

	if (!eightbit_ok(d)) {
		smtpd_refuse(v, 554, "5.6.1", "8-bit content without BODY=8BITMIME");
		return;
	}
	if (loops(d, v) || !authors_ok(d, v))
		return;
	if (is_judged(d)) {
		buf_cut(&d->top, 0);
		d->judge->end(d->judge->arg, &d->top, v);
		d->msg.top = (struct span){d->top.s, d->top.len};
		if (v->code)
			return;
	}
	d->work = NULL;
	rc = submit_end(w, &e);
	for (size_t i = 0; i < d->submit.n && !rc; i++) {
		buf_str(id, i ? " " : "");
		buf_str(id, d->submit.puts[i].id);
	}
	if (!rc)
		rc = submit_sync(&d->submit, &e);
	if (rc)
		fail(d, &e, v);
}

/* --- AUTH */

static void
on_auth_offer(void *arg, struct buf *out)
{
	(void)arg, (void)out;
}

static enum smtpd_auth_is
on_auth_begin(void *arg, struct span name, struct span line, bool has_line, struct buf *challenge)
{
	(void)arg, (void)name, (void)line, (void)has_line, (void)challenge;
	return SMTPD_AUTH_UNKNOWN;
}

static enum smtpd_auth_is
on_auth_step(void *arg, struct span line, struct buf *challenge)
{
	(void)arg, (void)line, (void)challenge;
	return SMTPD_AUTH_LATER;
}

static void
on_auth_end(void *arg)
{
	(void)arg;
}

/* --- XCLIENT */

static void on_xclient(void *arg, struct span args, struct smtpd_verdict *v);

/* Whoever speaks now may say for whom only if that one is a front end itself: what comes behind XCLIENT
 * or a PROXY header may be its client's own words.  Itself a front end has no rights: it may say
 * anything of anybody. */
static void
let_speak(struct door *d, bool known)
{
	bool may = known && d->house->listen->xclient && door_is_front_end(d->house, &d->peer);

	d->world.xclient = may ? on_xclient : NULL;
	d->front_end = d->has_peer && (may || !known);
}

static void
on_xclient(void *arg, struct span args, struct smtpd_verdict *v)
{
	struct door *d = arg;
	struct xclient x;

	if (!xclient_parse(args, &x)) {
		smtpd_refuse(v, 501, "5.5.4", "XCLIENT: not NAME=value");
	} else {
		if (x.has_addr && x.known)
			set_peer(d, &x.addr);
		buf_cut(&d->s.user, 0); /* whoever that was */
		buf_add(&d->s.user, x.login.s, x.login.len);
		if (x.has_addr || x.has_login)
			let_speak(d, x.known);
		if ((x.has_addr || x.has_login) && d->spoken_for)
			d->spoken_for(d);
	}
	xclient_free(&x);
}

void
door_proxied(struct door *d, const struct net_addr *client)
{
	if (client)
		set_peer(d, client);
	let_speak(d, client != NULL);
}

static uint64_t
now_s(void *arg)
{
	(void)arg;
	return io_time_us() / 1000000;
}

/* --- */

static void
set_rules(struct door *d)
{
	const struct confserve *c = d->house->serve;
	const struct confserve_listen *l = d->house->listen;

	d->rules = (struct smtpd_rules){.hostname = d->house->conf->hostname,
	    .max_size = d->house->conf->max_message_bytes, .max_rcpts = (uint32_t)c->recipients,
	    .max_messages = (uint32_t)c->messages, .max_errors = (uint32_t)c->errors,
	    .max_idle = (uint32_t)c->idle_commands, .max_hold_s = c->hold_s,
	    .starttls = l->tls == CONFSERVE_STARTTLS && d->house->tls, .need_tls = l->need_tls,
	    .need_auth = l->auth == CONFSERVE_REQUIRED, .repair = c->line_ends != 0};
}

void
door_tls(struct door *d, struct span description)
{
	struct cur c = cur_span(description);

	cur_until(&c, ' ');
	cur_ch(&c, ' ');
	buf_cut(&d->suite, 0);
	buf_add(&d->suite, c.p, cur_rest(&c).n);
}

void
door_open(struct door *d, const struct door_house *h, const struct net_addr *peer)
{
	*d = (struct door){.house = h, .peer_text = BUF_INIT, .suite = BUF_INIT, .params = BUF_INIT,
	    .trace_peer = BUF_INIT, .with = BUF_INIT, .top = BUF_INIT,
	    .submit = {.q = h->queue, .conf = h->conf, .user = getuid()},
	    .msg = {.rcpts = RCPTS_INIT}};
	d->world = (struct smtpd_world){.arg = d, .connect = on_connect, .auth_offer = on_auth_offer,
	    .auth_begin = on_auth_begin, .auth_step = on_auth_step, .auth_end = on_auth_end,
	    .mail = on_mail, .rcpt = on_rcpt, .begin = on_begin, .content = on_content, .end = on_end,
	    .abandon = on_abandon, .now_s = now_s};
	set_rules(d);
	set_peer(d, peer);
	let_speak(d, peer != NULL);
	d->list = suppress_ask(queue_root_fd(h->queue), suppressconf(&h->conf->sections), h->conf->key_file);
	smtpd_init(&d->s, &d->rules, &d->world);
}

void
door_close(struct door *d)
{
	smtpd_free(&d->s);
	submit_free(&d->submit);
	suppress_close(d->list);
	rcpts_free(&d->msg.rcpts);
	buf_free(&d->peer_text);
	buf_free(&d->suite);
	buf_free(&d->params);
	buf_free(&d->trace_peer);
	buf_free(&d->with);
	buf_free(&d->top);
}
