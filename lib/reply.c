#include "reply.h"

#include <string.h>

#define WAIT_MAX_S 86400 /* a peer that asks for more is obeyed for a day */
#define STATUS_PART_MAX 999 /* RFC 3463 2: 1*3DIGIT */

/* Any byte but NUL, CR and LF: a control character in the text of a 250 is no reason to send
 * the message twice. */
static bool
is_reply_text(int c)
{
	return c != '\0' && c != '\r' && c != '\n';
}

int
reply_line(struct cur *c, struct reply_line *out, struct err *e)
{
	struct cur t = *c;
	struct reply_line line;
	struct span d = cur_while(&t, is_digit);

	if (d.n != 3 || d.p[0] < '2' || d.p[0] > '5')
		return err_set(e, EX_PROTOCOL, "reply: no code in 200-599");
	line.code = (d.p[0] - '0') * 100 + (d.p[1] - '0') * 10 + (d.p[2] - '0');
	line.last = !cur_ch(&t, '-');
	if (line.last)
		cur_ch(&t, ' '); /* absent in a bare "250" CRLF, which is legal */
	line.text = cur_while(&t, is_reply_text);
	if (!cur_ch(&t, '\r') || !cur_ch(&t, '\n'))
		return err_set(e, EX_PROTOCOL, "reply %d: bad byte or no CRLF", line.code);
	if (t.p - c->p > REPLY_LINE_MAX)
		return err_set(e, EX_PROTOCOL, "reply %d: line over %d bytes", line.code,
		    REPLY_LINE_MAX);
	*out = line;
	*c = t;
	return 0;
}

/* "." and a number without leading zeros. */
static bool
status_part(struct cur *c)
{
	uint64_t v;

	return cur_ch(c, '.') && !(cur_peek(c) == '0' && c->end - c->p > 1 &&
	    is_digit((unsigned char)c->p[1])) && cur_u64(c, STATUS_PART_MAX, &v);
}

/* A status code class "." subject "." detail at the cursor, RFC 3463 2; class must be that of
 * the reply code. */
static bool
status_code(struct cur *c, int code, char out[12])
{
	struct cur t = *c, start;

	cur_ch(&t, '#'); /* "550 #5.1.0 Address rejected": IronPort's way */
	start = t;
	if (cur_peek(&t) != '0' + code / 100 || code / 100 == 3)
		return false;
	t.p++;
	if (!status_part(&t) || !status_part(&t))
		return false;
	/* "5.1.1.2" is some address and "5.1.1st" some word, but "5.1.1:" and "5.1.1<" are meant. */
	if (cur_peek(&t) == '.' || is_alnum(cur_peek(&t)))
		return false;
	memcpy(out, start.p, (size_t)(t.p - start.p));
	out[t.p - start.p] = '\0';
	*c = t;
	return true;
}

int
reply_add(struct reply *r, const struct reply_line *line, struct err *e)
{
	struct cur c = cur_span(line->text);
	char status[12];

	if (r->code != 0 && r->code != line->code)
		return err_set(e, EX_PROTOCOL, "reply changes its code from %d to %d", r->code,
		    line->code);
	if (r->text.len + line->text.n + 1 > REPLY_MAX)
		return err_set(e, EX_PROTOCOL, "reply %d: over %d bytes", line->code, REPLY_MAX);
	if (r->code != 0)
		buf_ch(&r->text, '\n');
	r->code = line->code;
	if (status_code(&c, line->code, status)) {
		if (r->status[0] == '\0')
			memcpy(r->status, status, sizeof status);
		cur_ch(&c, ' ');
	}
	buf_add(&r->text, c.p, cur_rest(&c).n);
	return 0;
}

void
reply_clear(struct reply *r)
{
	r->code = 0;
	r->status[0] = '\0';
	buf_cut(&r->text, 0);
}

void
reply_free(struct reply *r)
{
	buf_free(&r->text);
	*r = (struct reply)REPLY_INIT;
}

static bool
is_not_space(int c)
{
	return !is_space(c);
}

static bool
is_keyword(int c) /* ehlo-keyword, RFC 5321 4.1.1.1 */
{
	return is_alnum(c) || c == '-';
}

/* LIMITS: [ SP name "=" value ]...    RFC 9422 4; a value of 0 is none */
static void
ehlo_limits(struct ehlo *h, struct cur *c)
{
	while (!cur_end(c)) {
		struct cur word;

		cur_while(c, is_space);
		word = cur_span(cur_while(c, is_not_space));
		if (cur_lit(&word, "RCPTMAX="))
			cur_u64(&word, UINT64_MAX, &h->rcpt_max);
		else if (cur_lit(&word, "MAILMAX="))
			cur_u64(&word, UINT64_MAX, &h->mail_max);
	}
}

/* SIZE [ SP 1*20DIGIT ]    RFC 1870 3; "SIZE=n" is seen too.  Past 64 bits is no limit. */
static void
ehlo_size(struct ehlo *h, struct cur *c)
{
	cur_ch(c, '=');
	cur_while(c, is_space);
	h->size_known = true;
	h->size = 0;
	cur_u64(c, UINT64_MAX, &h->size);
}

/* One line after the first; what is not known is passed over. */
static void
ehlo_line(struct ehlo *h, struct span text)
{
	struct cur c = cur_span(text);
	struct span word = cur_while(&c, is_keyword);
	const struct {
		struct span name;
		bool *flag;
	} flags[] = {
	    {SPAN("PIPELINING"), &h->pipelining},
	    {SPAN("CHUNKING"), &h->chunking},
	    {SPAN("8BITMIME"), &h->eightbitmime},
	    {SPAN("SMTPUTF8"), &h->smtputf8},
	    {SPAN("DSN"), &h->dsn},
	    {SPAN("STARTTLS"), &h->starttls},
	    {SPAN("ENHANCEDSTATUSCODES"), &h->enhanced},
	    {SPAN("BINARYMIME"), &h->binarymime},
	    {SPAN("REQUIRETLS"), &h->requiretls},
	    {SPAN("DELIVERBY"), &h->deliverby},
	    {SPAN("MT-PRIORITY"), &h->mt_priority},
	};

	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (span_ieq(word, flags[i].name) && (cur_end(&c) || is_space(cur_peek(&c))))
			*flags[i].flag = true;
	/* "AUTH=" is what servers said before RFC 2554, and say beside the other to this day. */
	if (span_ieq(word, SPAN("AUTH")) && (cur_end(&c) || is_space(cur_peek(&c)) || cur_ch(&c, '='))) {
		h->auth_known = true;
		h->auth |= mech_set(cur_rest(&c), NULL);
	}
	if (span_ieq(word, SPAN("SIZE")))
		ehlo_size(h, &c);
	else if (span_ieq(word, SPAN("LIMITS")))
		ehlo_limits(h, &c);
}

void
ehlo_parse(struct ehlo *h, const struct reply *r)
{
	struct cur c = cur_of(r->text.s, r->text.len);

	*h = (struct ehlo){0};
	cur_until(&c, '\n');
	while (cur_ch(&c, '\n'))
		ehlo_line(h, cur_until(&c, '\n'));
}

/* The words of a request to come back.  A number with a unit counts only where nothing but
 * `joins` stands between it and one of `calls`: "wait at least 5 minutes" asks for something,
 * "wait: limit is 100 messages in 60 minutes" does not say when. */
static const char *const calls[] = {"again", "retry", "retries", "retrying", "wait", "waiting",
    "back", "later", "resend", "greylist", "greylisted", "greylisting", "graylist", "graylisted",
    "graylisting", "deferred", "delayed", "delay", "blocked"};
static const char *const joins[] = {"in", "after", "for", "at", "least", "about", "approximately",
    "approx", "another", "minimum", "of", "the", "next", "within", "or", "to", "and", "please",
    "it", "sending", "delivery", "your", "this", "the", "mail", "message", "is", "period", "time",
    "interval"};
static const struct {
	const char *name;
	uint32_t seconds;
} units[] = {{"s", 1}, {"sec", 1}, {"secs", 1}, {"second", 1}, {"seconds", 1}, {"m", 60},
    {"min", 60}, {"mins", 60}, {"minute", 60}, {"minutes", 60}, {"h", 3600}, {"hr", 3600},
    {"hrs", 3600}, {"hour", 3600}, {"hours", 3600}, {"d", 86400}, {"day", 86400}, {"days", 86400}};

static bool
one_of(struct span word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_ieq(word, span_of(list[i])))
			return true;
	return false;
}
#define ONE_OF(word, list) one_of(word, list, sizeof(list) / sizeof(list)[0])

static bool
is_blank(int c) /* lines of a reply are joined by LF */
{
	return is_space(c) || c == '\n';
}

/* Seconds in the unit at the cursor ("minutes", "s"); 0 and nothing taken where there is none. */
static uint32_t
take_unit(struct cur *c)
{
	struct cur t = *c;
	struct span word;

	cur_while(&t, is_blank);
	cur_ch(&t, '-'); /* "5-minute" */
	word = cur_while(&t, is_alpha);
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (span_ieq(word, span_of(units[i].name))) {
			*c = t;
			return units[i].seconds;
		}
	return 0;
}

/* Behind hours: ":" minutes ":" seconds, as milter-greylist has it ("come back in 00:05:00"). */
static bool
take_clock(struct cur *c, uint64_t hours, uint64_t *seconds)
{
	struct cur t = *c;
	uint64_t m, s;

	if (!cur_ch(&t, ':') || !cur_u64(&t, 59, &m) || !cur_ch(&t, ':') || !cur_u64(&t, 59, &s))
		return false;
	*seconds = hours * 3600 + m * 60 + s;
	*c = t;
	return true;
}

/* The number at the cursor, with what it is a number of: 1 and *seconds, else 0. */
static bool
take_wait(struct cur *c, bool clock, uint64_t *seconds)
{
	struct cur t = *c;
	uint64_t v;
	uint32_t unit;

	if (!cur_u64(&t, UINT32_MAX, &v)) {
		cur_while(&t, is_digit);
		v = UINT32_MAX;
	}
	*c = t;
	if (cur_peek(&t) == ':')
		return clock && take_clock(&t, v, seconds);
	unit = take_unit(&t);
	*seconds = v * unit;
	return unit > 0;
}

uint32_t
reply_wait_hint(struct span text)
{
	struct cur c = cur_span(text);
	bool called = false, clock = false;
	uint64_t s = 0;

	while (!cur_end(&c)) {
		if (is_digit(cur_peek(&c))) {
			if (take_wait(&c, called && clock, &s) && called)
				return s < WAIT_MAX_S ? (uint32_t)s : WAIT_MAX_S;
		} else if (is_alpha(cur_peek(&c))) {
			struct span word = cur_while(&c, is_alpha);
			uint32_t unit = take_unit(&(struct cur){c.p, c.end});

			if (called && unit && (span_ieq(word, SPAN("a")) ||
			    span_ieq(word, SPAN("an")) || span_ieq(word, SPAN("one"))))
				return unit;
			clock = span_ieq(word, SPAN("in"));
			called = ONE_OF(word, calls) || (called && ONE_OF(word, joins));
		} else {
			/* "." ends a sentence, or makes "1.5 hours" of which we know nothing. */
			called &= strchr(" \t\n,:-()~", *c.p) != NULL;
			c.p++;
		}
	}
	return 0;
}
