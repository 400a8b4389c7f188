#include "smtpdo.h"

#include "date.h"

#include <string.h>

#define OUT_FULL 65536 /* replies that gather before they must be sent */
#define HELO_MAX 255   /* RFC 5321 4.5.3.1.2 */

/* Without printf, for replies that every session has. */
static void
put_line(struct smtpd *s, const char *before, const char *text, const char *behind)
{
	buf_str(&s->out, before);
	buf_str(&s->out, text);
	buf_str(&s->out, behind);
	buf_str(&s->out, "\r\n");
}

enum smtpd_next
smtpd_greet(struct smtpd *s)
{
	struct smtpd_verdict v = {.text = BUF_INIT};

	s->world->connect(s->world->arg, &v);
	if (v.code) {
		smtpd_wrong_verdict(s, &v);
		return SMTPD_CLOSE;
	}
	put_line(s, "220 ", s->rules->hostname, " ESMTP relaykit");
	return SMTPD_READ;
}

/* RFC 5321 4.3.1: the client waits for the greeting.  One that does not reads no replies. */
void
smtpd_pregreeted(struct smtpd *s)
{
	smtpd_reply(s, 554, "5.5.1", "you spoke before you were greeted");
	s->at = SMTPD_AT_END;
}

void
smtpd_secured(struct smtpd *s)
{
	smtpd_forget(s);
	buf_cut(&s->helo, 0);
	buf_cut(&s->line, 0);
	/* RFC 3207 4.2: who logged in may have been another, who now lets this one through to us. */
	buf_cut(&s->user, 0);
	s->ehlo = false;
	s->tls = true;
	s->at = SMTPD_AT_COMMAND;
}

/* --- EHLO, HELO */

static void
offer(struct smtpd *s, const char *keyword)
{
	put_line(s, "250-", keyword, "");
}

static void
offer_auth(struct smtpd *s)
{
	struct buf names = BUF_INIT;

	s->world->auth_offer(s->world->arg, &names);
	if (names.len > 0)
		put_line(s, "250-AUTH ", names.s, "");
	buf_free(&names);
}

static void
offer_all(struct smtpd *s)
{
	const struct smtpd_rules *r = s->rules;

	offer(s, "PIPELINING");
	buf_str(&s->out, "250-SIZE ");
	buf_num(&s->out, r->max_size);
	buf_str(&s->out, "\r\n");
	offer(s, "8BITMIME");
	offer(s, "CHUNKING");
	offer(s, "SMTPUTF8");
	offer(s, "DSN");
	offer(s, "ENHANCEDSTATUSCODES");
	if (r->starttls && !s->tls)
		offer(s, "STARTTLS");
	if (!r->need_tls || s->tls)
		offer_auth(s);
	if (s->tls) /* RFC 8689 2: only there */
		offer(s, "REQUIRETLS");
	if (r->max_hold_s > 0) {
		struct buf until = BUF_INIT;

		/* RFC 4865 4: both are told, the time in whole seconds. */
		date_iso(&until, (s->world->now_s(s->world->arg) + r->max_hold_s) * 1000000);
		buf_cut(&until, until.len - strlen(".000Z"));
		buf_ch(&until, 'Z');
		buf_str(&s->out, "250-FUTURERELEASE ");
		buf_num(&s->out, r->max_hold_s);
		put_line(s, " ", until.s, "");
		buf_free(&until);
	}
	offer(s, "DELIVERBY");
	offer(s, "MT-PRIORITY MIXER");
	if (s->world->xclient)
		offer(s, "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT");
	buf_str(&s->out, "250-LIMITS RCPTMAX=");
	buf_num(&s->out, r->max_rcpts);
	if (r->max_messages > 0) {
		buf_str(&s->out, " MAILMAX=");
		buf_num(&s->out, r->max_messages);
	}
	buf_str(&s->out, "\r\n");
	offer(s, "VRFY");
	buf_str(&s->out, "250 HELP\r\n");
}

static bool
is_helo(int c)
{
	return c > ' ' && c < 127 && c != '\\' && c != '"' && c != '(' && c != ')' && c != ';';
}

/* Any word will do: a name that cannot be verified is no reason to refuse (RFC 5321 4.1.4), and clients
 * call themselves what they like.  But it stands in a comment of Received. */
static enum smtpd_next
hello(struct smtpd *s, struct cur c, bool ehlo)
{
	struct span name;

	cur_while(&c, is_space);
	name = cur_while(&c, is_helo);
	cur_while(&c, is_space);
	if (name.n == 0 || name.n > HELO_MAX || !cur_end(&c))
		return smtpd_wrong(s, 501, "5.5.4", ehlo ? "syntax: EHLO hostname" : "syntax: HELO hostname");
	smtpd_forget(s);
	buf_cut(&s->helo, 0);
	buf_add(&s->helo, name.p, name.n);
	s->ehlo = ehlo;
	if (!ehlo) {
		put_line(s, "250 ", s->rules->hostname, "");
		return SMTPD_READ;
	}
	offer(s, s->rules->hostname);
	offer_all(s);
	return SMTPD_READ;
}

/* --- AUTH, RFC 4954 */

static bool
auth_offered(struct smtpd *s)
{
	struct buf names = BUF_INIT;
	bool any;

	s->world->auth_offer(s->world->arg, &names);
	any = names.len > 0;
	buf_free(&names);
	return any;
}

static enum smtpd_next
auth_is(struct smtpd *s, enum smtpd_auth_is is, struct buf *challenge)
{
	s->at = is == SMTPD_AUTH_MORE ? SMTPD_AT_AUTH : SMTPD_AT_COMMAND;
	if (is != SMTPD_AUTH_MORE)
		s->world->auth_end(s->world->arg);
	if (is != SMTPD_AUTH_YES)
		buf_cut(&s->user, 0);
	switch (is) {
	case SMTPD_AUTH_MORE:
		buf_str(&s->out, "334 ");
		buf_add(&s->out, challenge->s, challenge->len);
		buf_str(&s->out, "\r\n");
		return SMTPD_READ;
	case SMTPD_AUTH_YES: return smtpd_reply(s, 235, "2.7.0", "Authentication successful");
	case SMTPD_AUTH_NO: return smtpd_wrong(s, 535, "5.7.8", "Authentication credentials invalid");
	case SMTPD_AUTH_BAD: return smtpd_wrong(s, 501, "5.5.2", "Cannot decode or understand the response");
	case SMTPD_AUTH_CANCELLED: return smtpd_wrong(s, 501, "5.7.0", "Authentication cancelled");
	case SMTPD_AUTH_LATER:
		return smtpd_wrong(s, 454, "4.7.0", "Temporary authentication failure");
	case SMTPD_AUTH_UNKNOWN: break;
	}
	return smtpd_wrong(s, 504, "5.5.4", "Unrecognized authentication type");
}

static bool
is_word(int c)
{
	return c > ' ' && c < 127;
}

static enum smtpd_next
auth(struct smtpd *s, struct cur c)
{
	struct buf challenge = BUF_INIT;
	struct span name, line;
	enum smtpd_next next;
	bool has;

	if (!s->ehlo)
		return smtpd_wrong(s, 503, "5.5.1", "EHLO first");
	if (s->user.len > 0 || s->open)
		return smtpd_wrong(s, 503, "5.5.1",
		    s->open ? "AUTH is not for the middle of a transaction" : "you are authenticated");
	if (s->rules->need_tls && !s->tls)
		return smtpd_wrong(s, 538, "5.7.11", "Encryption required: STARTTLS first");
	if (!auth_offered(s))
		return smtpd_wrong(s, 502, "5.5.1", "AUTH is not offered here");
	cur_while(&c, is_space);
	name = cur_while(&c, is_word);
	has = cur_while(&c, is_space).n > 0 && !cur_end(&c);
	line = cur_while(&c, is_word);
	cur_while(&c, is_space);
	if (name.n == 0 || !cur_end(&c))
		return smtpd_wrong(s, 501, "5.5.4", "syntax: AUTH mechanism [initial-response]");
	next = auth_is(s, s->world->auth_begin(s->world->arg, name, line, has, &challenge), &challenge);
	buf_free(&challenge);
	return next;
}

static enum smtpd_next
auth_line(struct smtpd *s, struct span line)
{
	struct buf challenge = BUF_INIT;
	enum smtpd_next next =
	    auth_is(s, s->world->auth_step(s->world->arg, line, &challenge), &challenge);

	buf_free(&challenge);
	return next;
}

/* --- MAIL, RCPT */

#define NONE ((struct esmtp_refusal){0})

static struct esmtp_refusal
before_mail(const struct smtpd *s)
{
	const struct smtpd_rules *r = s->rules;

	if (s->helo.len == 0)
		return (struct esmtp_refusal){503, "5.5.1", "EHLO first"};
	if (s->open)
		return (struct esmtp_refusal){503, "5.5.1", "there is a MAIL already: RSET ends it"};
	if (r->need_auth && s->user.len == 0 && !s->trusted)
		return (struct esmtp_refusal){530, "5.7.0", "Authentication required"};
	if (r->max_messages > 0 && s->messages >= r->max_messages) /* RFC 9422 */
		return (struct esmtp_refusal){421, "4.7.0", "enough messages for one connection"};
	return NONE;
}

static bool
has_parameters(const struct esmtp_mail *m)
{
	return m->has_size || m->body != ESMTP_BODY_NONE || m->smtputf8 || m->requiretls ||
	       m->ret != ESMTP_RET_NONE || m->envid.n > 0 || m->has_auth || m->hold_s > 0 ||
	       m->hold_until_s > 0 || m->by != ESMTP_BY_NONE || m->has_priority;
}

/* What depends on the rules, and not on the syntax alone. */
static struct esmtp_refusal
judge_mail(const struct smtpd *s, const struct esmtp_mail *m)
{
	const struct smtpd_rules *r = s->rules;
	uint64_t now_s = s->world->now_s(s->world->arg);

	if (!s->ehlo && has_parameters(m))
		return (struct esmtp_refusal){555, "5.5.4", "parameters need EHLO"};
	if (m->has_size && m->size > r->max_size)
		return (struct esmtp_refusal){552, "5.3.4", "SIZE is over the limit"};
	if (m->requiretls && !s->tls) /* not offered there, RFC 8689 2 */
		return (struct esmtp_refusal){555, "5.5.4", "REQUIRETLS needs TLS from you, too"};
	if ((m->hold_s || m->hold_until_s) && r->max_hold_s == 0)
		return (struct esmtp_refusal){555, "5.5.4", "mail is not held here"};
	if (m->hold_s > r->max_hold_s || m->hold_until_s > now_s + r->max_hold_s)
		return (struct esmtp_refusal){501, "5.5.4", "mail is not held for so long"};
	return NONE;
}

static enum smtpd_next
mail(struct smtpd *s, struct cur c)
{
	struct smtpd_verdict v = {.text = BUF_INIT};
	struct esmtp_refusal why = before_mail(s);
	struct span args = cur_rest(&c);

	if (why.code)
		return smtpd_wrong(s, why.code, why.status, why.text);
	buf_cut(&s->mail_line, 0);
	buf_add(&s->mail_line, args.p, args.n);
	esmtp_mail((struct span){s->mail_line.s, s->mail_line.len}, &s->mail, &why);
	if (!why.code)
		why = judge_mail(s, &s->mail);
	if (why.code)
		return smtpd_wrong(s, why.code, why.status, why.text);
	buf_cut(&s->sender, 0);
	if (!s->mail.null)
		addr_put(&s->mail.from, &s->sender);
	s->world->mail(s->world->arg, &s->mail, (struct span){s->sender.s, s->sender.len}, &v);
	if (v.code)
		return smtpd_wrong_verdict(s, &v);
	s->open = true;
	return smtpd_reply(s, 250, "2.1.0", "Sender ok");
}

static void
add_rcpt(struct smtpd *s, const struct esmtp_rcpt *r, struct span addr)
{
	struct smtpd_rcpt *to;

	if (s->n_rcpts == s->cap_rcpts) {
		s->cap_rcpts = s->cap_rcpts ? 2 * s->cap_rcpts : 8;
		s->rcpts = mem_grow(s->rcpts, s->cap_rcpts, sizeof *s->rcpts);
	}
	to = &s->rcpts[s->n_rcpts++];
	*to = (struct smtpd_rcpt){s->rcpt_text.len, addr.n, r->notify.n, r->orcpt.n};
	buf_add(&s->rcpt_text, addr.p, addr.n);
	buf_add(&s->rcpt_text, r->notify.p, r->notify.n);
	buf_add(&s->rcpt_text, r->orcpt.p, r->orcpt.n);
}

static enum smtpd_next
rcpt(struct smtpd *s, struct cur c)
{
	struct smtpd_verdict v = {.text = BUF_INIT};
	struct buf addr = BUF_INIT;
	struct esmtp_refusal why;
	struct esmtp_rcpt r;
	enum smtpd_next next;

	if (!s->open || s->bdat)
		return smtpd_wrong(s, 503, "5.5.1", s->bdat ? "the message has begun" : "MAIL first");
	esmtp_rcpt(cur_rest(&c), s->mail.smtputf8, &r, &why);
	if (why.code)
		return smtpd_wrong(s, why.code, why.status, why.text);
	/* RFC 5321 4.5.3.1.10: 452, so that the rest comes in another transaction; and no error. */
	if (s->n_rcpts >= s->rules->max_rcpts)
		return smtpd_reply(s, 452, "4.5.3", "too many recipients");
	addr_put(&r.to, &addr);
	s->world->rcpt(s->world->arg, &r, (struct span){addr.s, addr.len}, &v);
	if (v.code) {
		next = smtpd_wrong_verdict(s, &v);
	} else {
		add_rcpt(s, &r, (struct span){addr.s, addr.len});
		next = smtpd_reply(s, 250, "2.1.5", "Recipient ok");
	}
	buf_free(&addr);
	return next;
}

/* --- DATA, BDAT */

static struct esmtp_refusal
before_content(const struct smtpd *s)
{
	if (!s->open)
		return (struct esmtp_refusal){503, "5.5.1", "MAIL first"};
	if (s->n_rcpts == 0)
		return (struct esmtp_refusal){554, "5.5.1", "no valid recipients"};
	return NONE;
}

static enum smtpd_next
data(struct smtpd *s)
{
	struct esmtp_refusal why = before_content(s);
	struct smtpd_verdict v;
	enum smtpd_next next;

	if (s->bdat) /* RFC 3030 3 */
		return smtpd_wrong(s, 503, "5.5.1", "DATA and BDAT do not mix");
	if (why.code)
		return smtpd_wrong(s, why.code, why.status, why.text);
	smtpd_begin(s, true);
	if (!s->verdict.code) {
		s->at = SMTPD_AT_DATA;
		return smtpd_reply(s, 354, "", "End data with <CR><LF>.<CR><LF>");
	}
	v = s->verdict;
	s->verdict = (struct smtpd_verdict){.text = BUF_INIT};
	next = smtpd_wrong_verdict(s, &v);
	smtpd_forget(s);
	return next;
}

/* What follows cannot be trusted to be a command, or is out of reach.  RFC 5321 3.8 would have 421, which
 * asks for the same again; that never helps. */
static enum smtpd_next
lost(struct smtpd *s, int code, const char *status, const char *text)
{
	smtpd_reply(s, code, status, text);
	return SMTPD_CLOSE;
}

/* BDAT chunk-size [ SP "LAST" ]    RFC 3030 2.  Its bytes follow whatever we think of it. */
static enum smtpd_next
bdat(struct smtpd *s, struct cur c)
{
	struct esmtp_refusal why = before_content(s);
	uint64_t n;
	bool last;

	cur_while(&c, is_space);
	if (!cur_u64(&c, UINT64_MAX, &n))
		return lost(s, 501, "5.5.4", "syntax: BDAT size [LAST]");
	last = cur_while(&c, is_space).n > 0 && cur_lit(&c, "LAST");
	cur_while(&c, is_space);
	/* Where the chunk ends is not known then, and what is in it could be taken for commands. */
	if (!cur_end(&c))
		return lost(s, 501, "5.5.4", "syntax: BDAT size [LAST]");
	s->chunk = n;
	s->last = last;
	if (why.code) {
		s->undot = (struct undot){0};
		smtpd_refuse(&s->verdict, why.code, why.status, "%s", why.text);
	} else if (!s->bdat) {
		smtpd_begin(s, false);
	}
	s->bdat = true;
	/* Not even begun: nobody can want so much, and to read it would take for ever. */
	if (n > s->rules->max_size && n - s->rules->max_size > s->rules->max_size)
		return lost(s, 552, "5.3.4", "the message is over the limit");
	s->at = SMTPD_AT_BDAT;
	return n > 0 ? SMTPD_READ : smtpd_end_chunk(s);
}

/* --- the others */

static enum smtpd_next
starttls(struct smtpd *s, struct cur c, bool more)
{
	cur_while(&c, is_space);
	if (!cur_end(&c))
		return smtpd_wrong(s, 501, "5.5.4", "STARTTLS takes no argument");
	if (s->tls)
		return smtpd_wrong(s, 503, "5.5.1", "TLS is there already");
	if (!s->rules->starttls)
		return smtpd_wrong(s, 502, "5.5.1", "STARTTLS is not offered here");
	if (!s->ehlo)
		return smtpd_wrong(s, 503, "5.5.1", "EHLO first");
	/* RFC 3207 6: what was sent in clear must never be taken for what came over TLS. */
	if (more)
		return lost(s, 554, "5.5.1", "input before the TLS handshake");
	smtpd_reply(s, 220, "2.0.0", "Ready to start TLS");
	return SMTPD_SECURE;
}

static enum smtpd_next
help(struct smtpd *s)
{
	return smtpd_reply(s, 214, "2.0.0",
	    "EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT");
}

static enum smtpd_next
rset(struct smtpd *s)
{
	smtpd_forget(s);
	return smtpd_reply(s, 250, "2.0.0", "Ok");
}

/* RFC 5321 7.3: who is known here is told to nobody. */
static enum smtpd_next
vrfy(struct smtpd *s, struct cur c)
{
	cur_while(&c, is_space);
	if (cur_end(&c))
		return smtpd_wrong(s, 501, "5.5.4", "syntax: VRFY address");
	return smtpd_reply(s, 252, "2.5.0", "Cannot VRFY user, but will take mail for it and try");
}

static enum smtpd_next
xclient(struct smtpd *s, struct cur c)
{
	struct smtpd_verdict v = {.text = BUF_INIT};

	if (s->open)
		return smtpd_wrong(s, 503, "5.5.1", "XCLIENT is not for the middle of a transaction");
	cur_while(&c, is_space);
	s->world->xclient(s->world->arg, cur_rest(&c), &v);
	if (v.code)
		return smtpd_wrong_verdict(s, &v);
	smtpd_forget(s);
	buf_cut(&s->helo, 0);
	s->ehlo = false;
	buf_free(&v.text);
	return smtpd_greet(s); /* all begins again, with the greeting */
}

/* Browsers can be made to send requests to any port; what follows in one is an attacker's. */
static bool
is_http(struct span verb, struct cur c)
{
	static const char *const verbs[] = {"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "PATCH"};

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (span_ieq(verb, span_of(verbs[i])))
			return true;
	return verb.n > 0 && cur_ch(&c, ':') && is_space(cur_peek(&c));
}

enum verb { V_EHLO, V_HELO, V_MAIL, V_RCPT, V_DATA, V_BDAT, V_RSET, V_NOOP, V_QUIT, V_STARTTLS, V_AUTH,
	V_VRFY, V_EXPN, V_HELP, V_XCLIENT, V_ETRN, V_TURN, V_SEND, V_SOML, V_SAML, V_OTHER };

static enum verb
verb_of(struct span word)
{
	static const char *const names[V_OTHER] = {"EHLO", "HELO", "MAIL", "RCPT", "DATA", "BDAT", "RSET",
	    "NOOP", "QUIT", "STARTTLS", "AUTH", "VRFY", "EXPN", "HELP", "XCLIENT", "ETRN", "TURN", "SEND",
	    "SOML", "SAML"};
	unsigned v = 0;

	while (v < V_OTHER && !span_ieq(word, span_of(names[v])))
		v++;
	return (enum verb)v;
}

/* Those that send no mail: a client that has nothing but these is not one. */
static bool
is_idle(enum verb v)
{
	return v != V_RCPT && v != V_DATA && v != V_BDAT && v != V_QUIT && v != V_STARTTLS && v != V_AUTH;
}

static enum smtpd_next
other_command(struct smtpd *s, enum verb v, struct span word, struct cur c)
{
	switch (v) {
	case V_VRFY: return vrfy(s, c);
	case V_HELP: return help(s);
	case V_NOOP: return smtpd_reply(s, 250, "2.0.0", "Ok"); /* with or without a string, RFC 5321 4.1.1.9 */
	case V_XCLIENT:
		if (s->world->xclient)
			return xclient(s, c);
		break;
	case V_EXPN:
	case V_ETRN:
	case V_TURN:
	case V_SEND:
	case V_SOML:
	case V_SAML: return smtpd_wrong(s, 502, "5.5.1", "command not implemented");
	default: break;
	}
	if (is_http(word, c))
		return smtpd_reply(s, 421, "4.7.0", "this is not a web server");
	return smtpd_wrong(s, 500, "5.5.2", "command not recognized");
}

/* more: there is input behind this line already. */
static enum smtpd_next
command(struct smtpd *s, struct span line, bool more)
{
	struct cur c = cur_span(line);
	struct span word = cur_while(&c, is_alpha);
	enum verb v = !cur_end(&c) && !is_space(cur_peek(&c)) ? V_OTHER : verb_of(word);

	if (is_idle(v) && ++s->idle > s->rules->max_idle)
		return smtpd_reply(s, 421, "4.7.0", "too many commands without a message");
	if (s->rules->need_tls && !s->tls && v != V_EHLO && v != V_NOOP && v != V_STARTTLS &&
	    v != V_QUIT && v != V_OTHER && v != V_AUTH && v != V_XCLIENT)
		return smtpd_wrong(s, 530, "5.7.0", "Must issue a STARTTLS command first");
	if ((v == V_DATA || v == V_RSET || v == V_QUIT) && span_trim(cur_rest(&c)).n > 0)
		return smtpd_wrong(s, 501, "5.5.4", "this command takes no argument");
	switch (v) {
	case V_EHLO:
	case V_HELO: return hello(s, c, v == V_EHLO);
	case V_MAIL: return mail(s, c);
	case V_RCPT: return rcpt(s, c);
	case V_DATA: return data(s);
	case V_BDAT: return bdat(s, c);
	case V_RSET: return rset(s);
	case V_STARTTLS: return starttls(s, c, more);
	case V_AUTH: return auth(s, c);
	case V_QUIT:
		smtpd_reply(s, 221, "2.0.0", "Bye");
		return SMTPD_CLOSE;
	default: return other_command(s, v, word, c);
	}
}

/* --- lines */

/* A line with its line end: only CRLF is one.  What another server might have read as the end of a line
 * makes all that follows doubtful. */
static enum smtpd_next
whole_line(struct smtpd *s, struct span line, bool more)
{
	struct span text = {line.p, line.n - 1};
	bool crlf = text.n > 0 && text.p[text.n - 1] == '\r';

	if (crlf)
		text.n--;
	if (memchr(text.p, '\r', text.n) || memchr(text.p, '\0', text.n) ||
	    (!crlf && !s->rules->repair))
		return smtpd_reply(s, 521, "5.5.2", crlf ? "a command with bare CR or NUL"
						   : "a command that ends with bare LF");
	return s->at == SMTPD_AT_AUTH ? auth_line(s, text) : command(s, text, more);
}

/* A part of a line that is thrown away; what makes all that follows doubtful does so here, too. */
static enum smtpd_next
too_long(struct smtpd *s, struct span part, bool end)
{
	bool doubtful = false;

	for (size_t i = 0; i < part.n; i++) {
		char c = part.p[i];

		doubtful |= c == '\0' || (s->cr && c != '\n') || (c == '\n' && !s->cr && !s->rules->repair);
		s->cr = c == '\r';
	}
	if (doubtful)
		return smtpd_reply(s, 521, "5.5.2", "a line with bare CR, bare LF or NUL");
	s->skipping = !end;
	if (!end)
		return SMTPD_READ;
	if (s->at == SMTPD_AT_AUTH) { /* RFC 4954 4 */
		s->world->auth_end(s->world->arg);
		buf_cut(&s->user, 0);
		s->at = SMTPD_AT_COMMAND;
	}
	return smtpd_wrong(s, 500, "5.5.6", "line too long");
}

/* Up to one line of input. */
static enum smtpd_next
feed_line(struct smtpd *s, struct span in, size_t *taken)
{
	const char *lf = memchr(in.p, '\n', in.n);
	size_t n = lf ? (size_t)(lf - in.p) + 1 : in.n;
	bool more = n < in.n;
	enum smtpd_next next = SMTPD_READ;

	*taken = n;
	if (!s->skipping && (s->line.len > 0 || !lf)) {
		buf_add(&s->line, in.p, n);
		in = (struct span){s->line.s, s->line.len};
	} else {
		in.n = n;
	}
	if (s->skipping || in.n > SMTPD_LINE_MAX)
		next = too_long(s, in, lf != NULL);
	else if (lf)
		next = whole_line(s, in, more);
	if (lf || s->skipping) {
		/* What was said in AUTH may be a password. */
		if (s->line.len > 0)
			explicit_bzero(s->line.s, s->line.len);
		buf_cut(&s->line, 0);
	}
	return next;
}

enum smtpd_next
smtpd_feed(struct smtpd *s, struct span in, size_t *taken)
{
	enum smtpd_next next = s->at == SMTPD_AT_END ? SMTPD_CLOSE : SMTPD_READ;

	*taken = 0;
	while (next == SMTPD_READ && *taken < in.n && s->out.len < OUT_FULL && !s->hurry) {
		struct span rest = {in.p + *taken, in.n - *taken};
		size_t n = 0;

		if (s->at == SMTPD_AT_DATA)
			next = smtpd_feed_data(s, rest, &n);
		else if (s->at == SMTPD_AT_BDAT)
			next = smtpd_feed_bdat(s, rest, &n);
		else
			next = feed_line(s, rest, &n);
		*taken += n;
	}
	if (next == SMTPD_CLOSE)
		s->at = SMTPD_AT_END;
	return next;
}
