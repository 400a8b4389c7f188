#include "submitopt.h"

#include "date.h"
#include "esmtp.h"
#include "io.h"
#include "xtext.h"

#include <string.h>

static void
delivery_of(struct submitopt *o, char how)
{
	o->delivery_said = true;
	switch (how) {
	case 'q':
	case 'd': o->delivery = CONF_QUEUE_ONLY; break;
	case 'i': o->delivery = CONF_INTERACTIVE; break;
	case 'b': o->delivery = CONF_BACKGROUND; break;
	default: o->delivery_said = false; break;
	}
}

/* NOTIFY of RFC 3461 4.1 */
static int
notify_of(struct submitopt *o, const char *arg, struct err *e)
{
	static const char *const words[] = {"NEVER", "SUCCESS", "FAILURE", "DELAY"};
	struct cur c = cur_span(span_of(arg));

	buf_cut(&o->notify, 0);
	do {
		struct span word = span_trim(cur_until(&c, ','));
		size_t i = 0;

		while (i < 4 && !span_ieq(word, span_of(words[i])))
			i++;
		if (i == 4 || (o->notify.len && (i == 0 || o->notify.s[0] == 'N')))
			return err_set(e, EX_USAGE,
			    "-N %s: neither \"never\" nor of success, failure, delay", arg);
		buf_fmt(&o->notify, "%s%s", o->notify.len ? "," : "", words[i]);
	} while (cur_ch(&c, ','));
	return 0;
}

/* Said again it counts instead: a server refuses what stands there twice (RFC 3461 4). */
static void
param(struct submitopt *o, const char *key, struct span value)
{
	struct cur c = cur_of(o->params.s, o->params.len);
	struct buf all = BUF_INIT;

	while (!cur_end(&c)) {
		struct cur word = cur_span(cur_until(&c, ' '));
		struct span old = cur_rest(&word);

		if (!cur_lit(&word, key))
			buf_fmt(&all, "%.*s ", SPAN_ARG(old));
		cur_ch(&c, ' ');
	}
	buf_fmt(&all, "%s%.*s", key, SPAN_ARG(value));
	buf_free(&o->params);
	o->params = all;
}

static int
return_of(struct submitopt *o, const char *arg, struct err *e)
{
	if (span_ieq(span_of(arg), SPAN("full")))
		param(o, "RET=", SPAN("FULL"));
	else if (span_ieq(span_of(arg), SPAN("hdrs")))
		param(o, "RET=", SPAN("HDRS"));
	else
		return err_set(e, EX_USAGE, "-R %s: neither \"full\" nor \"hdrs\"", arg);
	return 0;
}

static int
envid_of(struct submitopt *o, const char *arg, struct err *e)
{
	struct buf x = BUF_INIT;
	int rc = 0;

	xtext_encode(span_of(arg), &x);
	if (x.len == 0 || x.len > SUBMITOPT_ENVID_MAX)
		rc = err_set(e, EX_USAGE, "-V %s: not 1 to %d characters", arg, SUBMITOPT_ENVID_MAX);
	else
		param(o, "ENVID=", (struct span){x.s, x.len});
	buf_free(&x);
	return rc;
}

/* Postfix's -XV; with another letter it is sendmail's log of a conversation, which we do not keep. */
static int
verp_of(struct submitopt *o, const char *arg, struct err *e)
{
	if (*arg != 'V')
		return 0;
	if (arg[1] && strcmp(arg, "V+=") != 0)
		return err_set(e, EX_USAGE, "-X%s: the delimiters are \"+\" and \"=\"", arg);
	o->verp = true;
	return 0;
}

static int
hold_of(struct submitopt *o, const char *text, struct err *e)
{
	struct cur c = cur_span(span_of(text));

	if (cur_u64(&c, ENTRY_DUE_MAX, &o->hold_until_s) && cur_end(&c))
		return 0;
	if (date_iso_parse(span_of(text), &o->hold_until_s) && o->hold_until_s <= ENTRY_DUE_MAX)
		return 0;
	return err_set(e, EX_USAGE,
	    "-O holduntil=%s: neither seconds since 1970 nor 2026-12-31T08:00:00Z", text);
}

/* Events, reports and the envelope carry it: no brackets or quotes to get lost in. */
static int
tag_of(struct submitopt *o, const char *text, struct err *e)
{
	struct cur c = cur_span(span_of(text));
	size_t n = cur_while(&c, is_text).n;

	if (n == 0 || n > SUBMITOPT_TAG_MAX || !cur_end(&c) || strpbrk(text, "<>\"\\\t") ||
	    !utf8_valid(span_of(text)))
		return err_set(e, EX_USAGE,
		    "-O tag=%s: not 1 to %d characters without <, >, quotes and controls", text,
		    SUBMITOPT_TAG_MAX);
	o->tag = text;
	return 0;
}

/* BY as MAIL has it. */
static int
by_of(struct entry_wish *w, const char *text, struct err *e)
{
	enum esmtp_by by;
	int64_t by_s;

	if (!esmtp_by_parse(span_of(text), &by_s, &by, &w->by_trace))
		return err_set(e, EX_USAGE, "-O by=%s: not SECONDS;N or SECONDS;R (RFC 2852)", text);
	w->by_s = (uint64_t)((int64_t)(io_time_us() / 1000000) + by_s);
	w->by_return = by == ESMTP_BY_RETURN;
	return 0;
}

static int
priority_of(struct entry_wish *w, const char *text, struct err *e)
{
	if (!esmtp_priority_parse(span_of(text), &w->priority))
		return err_set(e, EX_USAGE, "-O mt-priority=%s: not -9 to 9", text);
	return 0;
}

static int
stream_of(struct submitopt *o, const char *text, struct err *e)
{
	if (!conf_stream_name_ok(text))
		return err_set(e, EX_USAGE, "-O stream=%s: not 1 to 16 of a-z, 0-9 and \"-\"", text);
	o->stream = text;
	return 0;
}

static bool
says_yes(const char *value)
{
	return span_ieq(span_of(value), SPAN("yes")) || span_ieq(span_of(value), SPAN("true")) ||
	    span_ieq(span_of(value), SPAN("1"));
}

/* -O name=value: ours, and those of sendmail's that have a letter here.  The rest mean nothing. */
static int
option_of(struct submitopt *o, const char *arg, struct err *e)
{
	struct cur c = cur_span(span_of(arg));
	struct span name = cur_until(&c, '=');
	const char *value = cur_ch(&c, '=') ? c.p : "";

	if (span_ieq(name, SPAN("by")))
		return by_of(&o->asked, value, e);
	if (span_ieq(name, SPAN("mt-priority")))
		return priority_of(&o->asked, value, e);
	if (span_ieq(name, SPAN("holduntil")))
		return hold_of(o, value, e);
	if (span_ieq(name, SPAN("stream")))
		return stream_of(o, value, e);
	if (span_ieq(name, SPAN("tag")))
		return tag_of(o, value, e);
	if (span_ieq(name, SPAN("smtputf8")))
		o->smtputf8 = says_yes(value);
	else if (span_ieq(name, SPAN("requiretls")))
		o->asked.requiretls = says_yes(value);
	else if (span_ieq(name, SPAN("DeliveryMode")))
		delivery_of(o, (char)ascii_lower((unsigned char)*value));
	else if (span_ieq(name, SPAN("IgnoreDots")))
		o->ignore_dots = says_yes(value);
	else if (span_ieq(name, SPAN("ErrorMode")))
		o->quiet = *value == 'q';
	return 0;
}

static void
old_option_of(struct submitopt *o, const char *arg)
{
	switch (*arg) {
	case 'i': o->ignore_dots = true; break;
	case 'd': delivery_of(o, arg[1]); break;
	case 'e': o->quiet = arg[1] == 'q'; break;
	default: break; /* the other letters are of sendmail's inside */
	}
}

static int
body_of(const char *arg, struct err *e)
{
	if (span_ieq(span_of(arg), SPAN("7BIT")) || span_ieq(span_of(arg), SPAN("8BITMIME")))
		return 0;
	return err_set(e, EX_USAGE, "-B %s: neither 7BIT nor 8BITMIME", arg);
}

int
submitopt_take(struct submitopt *o, int letter, const char *value, struct err *e)
{
	switch (letter) {
	case 'B': return body_of(value, e);
	case 'N': return notify_of(o, value, e);
	case 'O': return option_of(o, value, e);
	case 'R': return return_of(o, value, e);
	case 'V': return envid_of(o, value, e);
	case 'X': return verp_of(o, value, e);
	default: old_option_of(o, value); return 0;
	}
}

void
submitopt_free(struct submitopt *o)
{
	buf_free(&o->notify);
	buf_free(&o->params);
}
