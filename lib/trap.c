#include "trap.h"

#include "esmtp.h"
#include "trapsyn.h"
#include "trapwish.h"

#include <stdlib.h>
#include <string.h>

#define HOLD_MAX 2048 /* half a line of content is kept back up to here, then taken as it is */

struct span
trap_sender(const struct trap *t)
{
	return (struct span){t->text.s, t->mail_n};
}

struct span
trap_sender_params(const struct trap *t)
{
	return (struct span){t->text.s + t->mail_n, t->mail_params_n};
}

struct span
trap_rcpt(const struct trap *t, size_t i)
{
	return (struct span){t->text.s + t->rcpt[i].at, t->rcpt[i].n};
}

struct span
trap_rcpt_params(const struct trap *t, size_t i)
{
	return (struct span){t->text.s + t->rcpt[i].at + t->rcpt[i].n, t->rcpt[i].params_n};
}

/* One line of a reply: sep is ' ' in the last one, '-' before (RFC 5321 4.2). */
static void
reply_line(struct trap *t, int code, char sep, struct span status, const char *text)
{
	char digits[4] = {(char)('0' + code / 100), (char)('0' + code / 10 % 10),
		(char)('0' + code % 10), sep};

	buf_add(&t->out, digits, 4);
	if (status.n > 0 && !t->rules->no_enhanced) {
		buf_add(&t->out, status.p, status.n);
		buf_ch(&t->out, ' ');
	}
	buf_str(&t->out, text);
	buf_add(&t->out, "\r\n", 2);
}

static enum trap_event
reply(struct trap *t, int code, const char *status, const char *text)
{
	reply_line(t, code, ' ', span_of(status), text);
	return TRAP_NEXT;
}

static enum trap_event
wrong(struct trap *t, int code, const char *status, const char *text)
{
	if (++t->errors >= TRAP_ERRORS_MAX) {
		reply(t, 421, "4.7.0", "too many errors");
		return TRAP_CLOSE;
	}
	return reply(t, code, status, text);
}

void
trap_refuse(struct trap *t, const char *status, const char *text)
{
	reply(t, 421, status, text);
}

/* The transaction is over: forget it. */
static void
clear(struct trap *t)
{
	t->open = t->utf8 = t->over = t->bdat = t->bare = false;
	buf_cut(&t->text, 0);
	t->mail_n = t->mail_params_n = t->n_rcpt = t->accepted = 0;
	t->size = 0;
	t->code = 0;
	t->fault = NULL;
	memset(&t->wish, 0, sizeof t->wish);
}

static void
greet(struct trap *t)
{
	buf_str(&t->out, "220 ");
	buf_str(&t->out, t->rules->name);
	buf_str(&t->out, " ESMTP smtp-trap\r\n");
}

void
trap_init(struct trap *t, const struct trap_rules *rules, struct trapworld *world)
{
	t->rules = rules;
	t->world = world;
	buf_cut(&t->out, 0);
	buf_cut(&t->helo, 0);
	t->tls = t->ehlo = false;
	t->messages = 0;
	t->errors = 0;
	t->at = TRAP_AT_COMMAND;
	clear(t);
	greet(t);
}

void
trap_free(struct trap *t)
{
	buf_free(&t->out);
	buf_free(&t->helo);
	buf_free(&t->text);
	free(t->rcpt);
	t->rcpt = NULL;
	t->n_rcpt = t->room_rcpt = 0;
}

void
trap_secured(struct trap *t)
{
	clear(t);
	buf_cut(&t->helo, 0);
	t->ehlo = false;
	t->tls = true;
}

/* RSET and EHLO end a transaction that may be open. */
static enum trap_event
end_transaction(struct trap *t)
{
	t->over = true;
	return t->open ? TRAP_RESET : TRAP_NEXT;
}

static void
offer(struct trap *t, bool offered, const char *keyword)
{
	if (offered)
		reply_line(t, 250, '-', SPAN(""), keyword);
}

static enum trap_event
ehlo(struct trap *t, struct cur *c)
{
	const struct trap_rules *r = t->rules;
	struct span name = span_trim(cur_rest(c));

	if (r->no_ehlo)
		return wrong(t, 502, "5.5.1", "EHLO is not known here");
	if (name.n == 0)
		return wrong(t, 501, "5.5.4", "EHLO needs a name");
	buf_cut(&t->helo, 0);
	buf_str(&t->helo, "EHLO ");
	buf_add(&t->helo, name.p, name.n);
	t->ehlo = true;
	offer(t, true, r->name);
	offer(t, !r->no_pipelining, "PIPELINING");
	offer(t, !r->no_8bitmime, "8BITMIME");
	offer(t, !r->no_smtputf8, "SMTPUTF8");
	offer(t, !r->no_dsn, "DSN");
	offer(t, !r->no_chunking, "CHUNKING");
	offer(t, !r->no_enhanced, "ENHANCEDSTATUSCODES");
	offer(t, r->starttls && !t->tls, "STARTTLS");
	if (r->no_size)
		reply_line(t, 250, ' ', SPAN(""), "HELP");
	else
		buf_fmt(&t->out, "250 SIZE %llu\r\n", (unsigned long long)r->size_limit);
	return end_transaction(t);
}

static enum trap_event
helo(struct trap *t, struct cur *c)
{
	struct span name = span_trim(cur_rest(c));

	if (name.n == 0)
		return wrong(t, 501, "5.5.4", "HELO needs a name");
	buf_cut(&t->helo, 0);
	buf_str(&t->helo, "HELO ");
	buf_add(&t->helo, name.p, name.n);
	t->ehlo = false;
	reply(t, 250, NULL, t->rules->name);
	return end_transaction(t);
}

static enum trap_event
size_param(struct trap *t, struct span value, bool *good)
{
	struct cur c = cur_span(value);
	uint64_t size;

	*good = false;
	if (!cur_u64(&c, UINT64_MAX, &size) || !cur_end(&c))
		return wrong(t, 501, "5.5.4", "SIZE is no number");
	if (size > t->rules->size_limit)
		return reply(t, 552, "5.3.4", "message over the size limit");
	*good = true;
	return TRAP_NEXT;
}

/* One parameter of MAIL; *good false: it was answered. */
static enum trap_event
mail_param(struct trap *t, const struct trapsyn_param *p, bool *good)
{
	const struct trap_rules *r = t->rules;

	*good = true;
	if (!r->no_size && span_ieq(p->key, SPAN("SIZE")))
		return size_param(t, p->value, good);
	if (!r->no_smtputf8 && span_ieq(p->key, SPAN("SMTPUTF8")) && p->value.n == 0) {
		t->utf8 = true;
		return TRAP_NEXT;
	}
	if (!r->no_8bitmime && span_ieq(p->key, SPAN("BODY")) &&
	    (span_ieq(p->value, SPAN("7BIT")) || span_ieq(p->value, SPAN("8BITMIME"))))
		return TRAP_NEXT;
	if (!r->no_dsn && span_ieq(p->key, SPAN("ENVID")) && p->value.n > 0)
		return TRAP_NEXT;
	if (!r->no_dsn && span_ieq(p->key, SPAN("RET")) &&
	    (span_ieq(p->value, SPAN("FULL")) || span_ieq(p->value, SPAN("HDRS"))))
		return TRAP_NEXT;
	*good = false;
	return wrong(t, 555, "5.5.4", "MAIL parameter not offered, or its value is wrong");
}

static enum trap_event
rcpt_param(struct trap *t, const struct trapsyn_param *p, bool *good)
{
	*good = !t->rules->no_dsn &&
	    ((span_ieq(p->key, SPAN("NOTIFY")) && esmtp_notify_ok(p->value)) ||
	    (span_ieq(p->key, SPAN("ORCPT")) && memchr(p->value.p, ';', p->value.n)));
	if (*good)
		return TRAP_NEXT;
	return wrong(t, 555, "5.5.4", "RCPT parameter not offered, or its value is wrong");
}

/* All parameters; *all is the text of them, *good false where one was answered. */
static enum trap_event
params(struct trap *t, struct cur *c, struct span *all, bool *good,
    enum trap_event (*one)(struct trap *, const struct trapsyn_param *, bool *))
{
	struct trapsyn_param p;

	*all = span_trim(cur_rest(c));
	*good = true;
	while (trapsyn_param(c, &p)) {
		enum trap_event what = TRAP_NEXT;

		*good = t->ehlo;
		what = *good ? one(t, &p, good)
		    : wrong(t, 555, "5.5.4", "parameters need EHLO");
		if (!*good)
			return what;
	}
	*good = span_trim(cur_rest(c)).n == 0;
	return *good ? TRAP_NEXT : wrong(t, 501, "5.5.4", "parameters are badly written");
}

static enum trap_event
mail(struct trap *t, struct cur *c)
{
	struct span from, all;
	bool good;
	enum trap_event what;

	if (t->helo.len == 0)
		return wrong(t, 503, "5.5.1", "EHLO or HELO first");
	if (t->open)
		return wrong(t, 503, "5.5.1", "MAIL was given already");
	if (t->rules->max_messages > 0 && t->messages >= t->rules->max_messages) {
		reply(t, 421, "4.7.0", "enough messages for one connection");
		return TRAP_CLOSE;
	}
	if (!cur_lit(c, " FROM:") || !trapsyn_path(c, &from))
		return wrong(t, 501, "5.5.4", "MAIL FROM:<address> is what is understood");
	what = params(t, c, &all, &good, mail_param);
	if (!good) {
		t->utf8 = false;
		return what;
	}
	if (trapsyn_8bit(from) && !t->utf8)
		return wrong(t, 553, "5.6.7", "this address needs SMTPUTF8");
	buf_add(&t->text, from.p, from.n);
	buf_add(&t->text, all.p, all.n);
	t->mail_n = from.n;
	t->mail_params_n = all.n;
	t->open = true;
	return reply(t, 250, "2.1.0", "sender OK");
}

static void
remember_rcpt(struct trap *t, struct span to, struct span all, int code)
{
	if (t->n_rcpt == t->room_rcpt) {
		t->room_rcpt = t->room_rcpt * 2 + 4;
		t->rcpt = mem_grow(t->rcpt, t->room_rcpt, sizeof *t->rcpt);
	}
	t->rcpt[t->n_rcpt++] = (struct trap_rcpt){t->text.len, to.n, all.n, code};
	buf_add(&t->text, to.p, to.n);
	buf_add(&t->text, all.p, all.n);
	if (code < 300)
		t->accepted++;
}

/* The first recipient's wish for the reply to the content wins. */
static void
wish_for_data(struct trap *t, const struct trapwish *w)
{
	if (w->what == TRAPWISH_DROP_DATA)
		t->wish.drop_data = true;
	else if (w->what == TRAPWISH_DROP_DOT)
		t->wish.drop_dot = true;
	else if (w->what == TRAPWISH_SLOW)
		t->wish.slow_ms = w->wait_ms;
	else if (t->wish.code == 0) {
		t->wish.code = w->code;
		memcpy(t->wish.status, w->status.p, w->status.n); /* at most 9: 5.999.999 */
	}
}

static enum trap_event
answer_rcpt(struct trap *t, struct span to, struct span all, const struct trapwish *w)
{
	size_t from = t->out.len;
	const char *text = w->code < 300 ? "recipient OK" : "as the recipient wishes";

	remember_rcpt(t, to, all, w->code);
	if (w->what == TRAPWISH_MULTILINE) {
		reply_line(t, w->code, '-', w->status, "as the recipient wishes,");
		reply_line(t, w->code, '-', w->status, "this reply");
		text = "has three lines";
	}
	reply_line(t, w->code, ' ', w->status, text);
	if (w->what != TRAPWISH_SLOW || w->at_data)
		return TRAP_NEXT;
	t->slow_from = from;
	t->slow_ms = w->wait_ms;
	return TRAP_SLOW;
}

/* What becomes of a recipient: its wish first, then the dice. */
static enum trap_event
decide_rcpt(struct trap *t, struct span to, struct span all, int64_t now_ms)
{
	const char *at = memrchr(to.p, '@', to.n);
	struct trapwish w = trapwish_of((struct span){to.p, at ? (size_t)(at - to.p) : to.n});
	unsigned roll;

	if (w.what == TRAPWISH_DROP_RCPT)
		return TRAP_DROP;
	if (w.what == TRAPWISH_TLS_FAIL && t->tls)
		return TRAP_BREAK;
	if (w.what == TRAPWISH_421) {
		remember_rcpt(t, to, all, 421);
		reply(t, 421, "4.3.2", "as the recipient wishes");
		return TRAP_CLOSE;
	}
	if (w.what == TRAPWISH_GREYLIST &&
	    !trapworld_grey_over(t->world, trap_sender(t), to, w.wait_ms, now_ms)) {
		w.code = 451;
		w.status = SPAN("4.7.1");
	}
	if (w.at_data || w.what == TRAPWISH_DROP_DATA || w.what == TRAPWISH_DROP_DOT) {
		wish_for_data(t, &w);
		w.code = 250;
		w.status = SPAN("2.1.5");
	}
	if (w.what == TRAPWISH_NONE && t->rules->defer_percent + t->rules->reject_percent > 0) {
		roll = trapworld_dice(t->world);
		if (roll < t->rules->defer_percent)
			w = (struct trapwish){TRAPWISH_REPLY, false, 451, SPAN("4.3.0"), 0};
		else if (roll - t->rules->defer_percent < t->rules->reject_percent)
			w = (struct trapwish){TRAPWISH_REPLY, false, 550, SPAN("5.1.1"), 0};
	}
	return answer_rcpt(t, to, all, &w);
}

static enum trap_event
rcpt(struct trap *t, struct cur *c, int64_t now_ms)
{
	struct span to, all;
	bool good;
	enum trap_event what;

	if (!t->open)
		return wrong(t, 503, "5.5.1", "MAIL first");
	if (t->bdat)
		return wrong(t, 503, "5.5.1", "BDAT has begun");
	if (!cur_lit(c, " TO:") || !trapsyn_path(c, &to) || to.n == 0)
		return wrong(t, 501, "5.5.4", "RCPT TO:<address> is what is understood");
	what = params(t, c, &all, &good, rcpt_param);
	if (!good)
		return what;
	if (trapsyn_8bit(to) && !t->utf8)
		return wrong(t, 553, "5.6.7", "this address needs SMTPUTF8");
	if (!memchr(to.p, '@', to.n) && !span_ieq(to, SPAN("postmaster")))
		return wrong(t, 550, "5.1.3", "an address without a domain");
	if (t->accepted >= t->rules->max_recipients ||
	    t->n_rcpt - t->accepted >= TRAP_REFUSED_MAX)
		return reply(t, 452, "4.5.3", "too many recipients");
	return decide_rcpt(t, to, all, now_ms);
}

static enum trap_event
data(struct trap *t, struct cur *c)
{
	if (span_trim(cur_rest(c)).n > 0)
		return wrong(t, 501, "5.5.4", "DATA takes no argument");
	if (!t->open)
		return wrong(t, 503, "5.5.1", "MAIL first");
	if (t->bdat)
		return wrong(t, 503, "5.5.1", "BDAT has begun"); /* RFC 3030 2 */
	if (t->wish.drop_data)
		return TRAP_DROP;
	if (t->accepted == 0 && !t->rules->always_354)
		return reply(t, 554, "5.5.1", "no valid recipients");
	t->at = TRAP_AT_DATA;
	t->mid_line = t->after_cr = false;
	return reply(t, 354, NULL, "end with <CRLF>.<CRLF>");
}

/* bdat-cmd = "BDAT" SP chunk-size [ SP "LAST" ] CRLF    RFC 3030 2 */
static enum trap_event
bdat(struct trap *t, struct cur *c)
{
	struct cur a = *c;
	uint64_t n = 0;
	bool good = cur_ch(&a, ' ') && cur_u64(&a, INT64_MAX, &n);

	t->last = good && cur_lit(&a, " LAST");
	if (!good || span_trim(cur_rest(&a)).n > 0 || t->rules->no_chunking) {
		/* What follows may be content, however long: there is no way back to commands. */
		reply(t, t->rules->no_chunking ? 502 : 501, "5.5.4", "BDAT not understood");
		return TRAP_CLOSE;
	}
	if (t->open && t->wish.drop_data)
		return TRAP_DROP;
	if (!t->bdat)
		t->after_cr = false;
	t->bdat = true;
	t->chunk = n;
	t->at = TRAP_AT_BDAT;
	return TRAP_NEXT;
}

static enum trap_event
starttls(struct trap *t, struct cur *c)
{
	if (span_trim(cur_rest(c)).n > 0)
		return wrong(t, 501, "5.5.4", "STARTTLS takes no argument");
	if (!t->rules->starttls || t->tls)
		return wrong(t, 503, "5.5.1", "STARTTLS is not offered");
	if (!t->ehlo)
		return wrong(t, 503, "5.5.1", "EHLO first");
	reply(t, 220, "2.0.0", "go ahead");
	return TRAP_STARTTLS;
}

static enum trap_event
rset(struct trap *t)
{
	reply(t, 250, "2.0.0", "OK");
	return end_transaction(t);
}

static enum trap_event
quit(struct trap *t)
{
	reply(t, 221, "2.0.0", "bye");
	return TRAP_QUIT;
}

static enum trap_event
other(struct trap *t, struct span verb)
{
	if (span_ieq(verb, SPAN("NOOP")))
		return reply(t, 250, "2.0.0", "OK");
	if (span_ieq(verb, SPAN("VRFY")))
		return reply(t, 252, "2.5.2", "everybody is taken here");
	if (span_ieq(verb, SPAN("HELP")))
		return reply(t, 214, "2.0.0", "see smtp-trap(1)");
	return wrong(t, 500, "5.5.2", "command not understood");
}

/* RFC 2920 3.1: who was not offered PIPELINING waits for each reply, and EHLO and DATA are the
 * last of their group in any case.  A chunk belongs to its BDAT. */
static bool
too_eager(const struct trap *t, struct span verb)
{
	if (t->rules->no_pipelining || !t->ehlo)
		return !span_ieq(verb, SPAN("BDAT")) && !span_ieq(verb, SPAN("STARTTLS"));
	return span_ieq(verb, SPAN("DATA")) || span_ieq(verb, SPAN("EHLO")) ||
	    span_ieq(verb, SPAN("HELO"));
}

static enum trap_event
dispatch(struct trap *t, struct span line, int64_t now_ms)
{
	struct cur c = cur_span(line);
	struct span verb = cur_while(&c, is_alpha);

	if (t->more && too_eager(t, verb)) {
		reply(t, 503, "5.5.0", "this command was not waited for");
		return TRAP_CLOSE;
	}
	if (span_ieq(verb, SPAN("MAIL")))
		return mail(t, &c);
	if (span_ieq(verb, SPAN("RCPT")))
		return rcpt(t, &c, now_ms);
	if (span_ieq(verb, SPAN("BDAT")))
		return bdat(t, &c);
	if (span_ieq(verb, SPAN("DATA")))
		return data(t, &c);
	if (span_ieq(verb, SPAN("EHLO")))
		return ehlo(t, &c);
	if (span_ieq(verb, SPAN("HELO")))
		return helo(t, &c);
	if (span_ieq(verb, SPAN("RSET")))
		return rset(t);
	if (span_ieq(verb, SPAN("QUIT")))
		return quit(t);
	if (span_ieq(verb, SPAN("STARTTLS")))
		return starttls(t, &c);
	return other(t, verb);
}

/* A command line without CR, LF and NUL in it, or what is wrong. */
static enum trap_event
command_line(struct trap *t, struct span line, int64_t now_ms)
{
	if (line.n < 2 || line.p[line.n - 2] != '\r')
		return wrong(t, 500, "5.5.2", "a line that does not end in CRLF");
	line.n -= 2;
	if (memchr(line.p, '\r', line.n) || memchr(line.p, '\0', line.n))
		return wrong(t, 500, "5.5.2", "a line with CR or NUL in it");
	return dispatch(t, line, now_ms);
}

static enum trap_event
commands(struct trap *t, struct span in, size_t *used, int64_t now_ms)
{
	const char *lf = in.n ? memchr(in.p, '\n', in.n) : NULL;
	size_t n = lf ? (size_t)(lf - in.p) + 1 : in.n;
	bool was_long = t->at == TRAP_AT_LONG_LINE;

	if (!lf && n <= TRAP_LINE_MAX && !was_long)
		return TRAP_MORE;
	*used = n;
	t->at = lf ? TRAP_AT_COMMAND : TRAP_AT_LONG_LINE;
	if (was_long || n > TRAP_LINE_MAX)
		return lf ? wrong(t, 500, "5.5.2", "line too long") : TRAP_MORE;
	t->more = in.n > n;
	return command_line(t, (struct span){in.p, n}, now_ms);
}

/* Whether each CR has its LF and each LF its CR, over pieces as they come (RFC 5321 2.3.8). */
static void
check_line_ends(struct trap *t, struct span s)
{
	const char *p = s.p, *end = s.p + s.n;

	if (s.n == 0)
		return;
	if (t->after_cr && *p++ != '\n')
		t->bare = true;
	t->after_cr = end[-1] == '\r';
	while (p < end && !t->bare) {
		const char *cr = memchr(p, '\r', (size_t)(end - p));
		const char *stop = cr ? cr : end;

		if (memchr(p, '\n', (size_t)(stop - p)))
			t->bare = true;
		if (!cr || end - cr < 2)
			break;
		if (cr[1] != '\n')
			t->bare = true;
		p = cr + 2;
	}
}

static enum trap_event
content(struct trap *t, const char *p, size_t n)
{
	t->content = (struct span){p, n};
	check_line_ends(t, t->content);
	t->size += n;
	return TRAP_CONTENT;
}

static enum trap_event
end_of_content(struct trap *t)
{
	t->at = TRAP_AT_END;
	if (t->size > t->rules->size_limit)
		t->fault = "message over the size limit";
	else if (t->bare || t->after_cr)
		t->fault = "bare CR or LF in the content";
	return TRAP_MESSAGE;
}

/* No LF in sight: kept back until the line is whole, unless it is too long for that. */
static enum trap_event
half_line(struct trap *t, const char *p, size_t n, size_t *used)
{
	size_t dot = !t->mid_line && n > 0 && *p == '.';

	if (n == 0 || (n < HOLD_MAX && !t->mid_line))
		return TRAP_MORE;
	*used = n;
	t->mid_line = true;
	return content(t, p + dot, n - dot);
}

/* Content up to CRLF "." CRLF, in pieces that end where a dot is to be removed (RFC 5321 4.5.2).
 * A bare LF neither begins nor ends such a line: who takes it for one lets mail be smuggled in. */
static enum trap_event
data_content(struct trap *t, struct span in, size_t *used)
{
	const char *start = in.p, *p = in.p, *end = in.p + in.n;
	const char *lf;

	while (p < end && (lf = memchr(p, '\n', (size_t)(end - p)))) {
		if (*p == '.' && !t->mid_line) {
			if (p > start)
				break;
			if (lf == p + 2 && p[1] == '\r') {
				*used = 3;
				return end_of_content(t);
			}
			start++;
		}
		t->mid_line = lf > in.p ? lf[-1] != '\r' : !t->after_cr;
		p = lf + 1;
	}
	*used = (size_t)(p - in.p);
	if (p > start)
		return content(t, start, (size_t)(p - start));
	return half_line(t, p, (size_t)(end - p), used);
}

static enum trap_event
end_of_chunk(struct trap *t)
{
	t->at = TRAP_AT_COMMAND;
	if (!t->open)
		return wrong(t, 503, "5.5.1", "MAIL first");
	if (t->accepted == 0)
		return reply(t, 554, "5.5.1", "no valid recipients");
	if (!t->last)
		return reply(t, 250, "2.0.0", "chunk OK");
	return end_of_content(t);
}

/* What is nobody's is read all the same: the client sent it before it knew (RFC 3030 2). */
static enum trap_event
bdat_content(struct trap *t, struct span in, size_t *used)
{
	size_t n = in.n < t->chunk ? in.n : (size_t)t->chunk;

	if (t->chunk == 0)
		return end_of_chunk(t);
	if (n == 0)
		return TRAP_MORE;
	*used = n;
	t->chunk -= n;
	if (!t->open || t->accepted == 0)
		return TRAP_NEXT;
	return content(t, in.p, n);
}

enum trap_event
trap_step(struct trap *t, struct span in, size_t *used, int64_t now_ms)
{
	enum trap_event what;

	*used = 0;
	if (t->over)
		clear(t);
	do {
		size_t n = 0;

		if (t->at == TRAP_AT_DATA)
			what = data_content(t, in, &n);
		else if (t->at == TRAP_AT_BDAT)
			what = bdat_content(t, in, &n);
		else
			what = commands(t, in, &n, now_ms);
		in.p += n;
		in.n -= n;
		*used += n;
		if (t->over && what == TRAP_NEXT)
			clear(t);
	} while (what == TRAP_NEXT);
	return what;
}

bool
trap_accepts(const struct trap *t)
{
	return t->accepted > 0 && !t->fault && t->wish.code == 0 && !t->wish.drop_dot;
}

static void
final_reply(struct trap *t, int code, const char *status, const char *text)
{
	t->code = code;
	reply(t, code, status, text);
}

enum trap_event
trap_answer(struct trap *t, bool kept)
{
	t->at = TRAP_AT_COMMAND;
	t->over = true;
	t->slow_from = t->out.len;
	t->slow_ms = t->wish.slow_ms;
	if (t->wish.drop_dot)
		return TRAP_DROP;
	if (t->accepted == 0)
		final_reply(t, 554, "5.5.1", "no valid recipients");
	else if (t->fault)
		final_reply(t, t->size > t->rules->size_limit ? 552 : 554,
		    t->size > t->rules->size_limit ? "5.3.4" : "5.6.0", t->fault);
	else if (t->wish.code)
		final_reply(t, t->wish.code, t->wish.status, "as a recipient wishes");
	else if (!kept)
		final_reply(t, 452, "4.3.1", "could not be kept");
	else {
		t->messages++;
		final_reply(t, 250, "2.0.0", "OK");
	}
	return t->slow_ms > 0 ? TRAP_SLOW : TRAP_MORE;
}
