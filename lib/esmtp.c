#include "esmtp.h"

#include "date.h"
#include "xtext.h"

#include <string.h>

#define REFUSE(why, c, s, t) (*(why) = (struct esmtp_refusal){(c), (s), (t)})

static bool
is_keyword(int c)
{
	return is_alnum(c) || c == '-';
}

/* RFC 5321 4.1.2, with RFC 6531 3.3's UTF-8. */
static bool
is_value(int c)
{
	return c > ' ' && c != '=' && c != 127;
}

/* The next of *(SP keyword ["=" value]); false at the end, or, with c not at its end, at a fault. */
static bool
param(struct cur *c, struct span *key, struct span *value, bool *has)
{
	struct cur t = *c;

	if (cur_while(&t, is_space).n == 0 || cur_end(&t)) {
		*c = t;
		return false;
	}
	*key = cur_while(&t, is_keyword);
	*value = SPAN("");
	*has = cur_ch(&t, '=');
	if (*has)
		*value = cur_while(&t, is_value);
	if (key->n == 0 || key->p[0] == '-' || (*has && value->n == 0) ||
	    (!cur_end(&t) && !is_space(cur_peek(&t))))
		return false;
	*c = t;
	return true;
}

static bool
number(struct span value, uint64_t max, uint64_t *out)
{
	struct cur c = cur_span(value);

	return cur_u64(&c, max, out) && cur_end(&c);
}

bool
esmtp_notify_ok(struct span value)
{
	struct cur c = cur_span(value);

	if (span_ieq(value, SPAN("NEVER")))
		return true;
	do {
		struct span word = cur_until(&c, ',');

		if (!span_ieq(word, SPAN("SUCCESS")) && !span_ieq(word, SPAN("FAILURE")) &&
		    !span_ieq(word, SPAN("DELAY")))
			return false;
	} while (cur_ch(&c, ','));
	return true;
}

bool
esmtp_orcpt_ok(struct span value, bool smtputf8)
{
	struct cur c = cur_span(value);
	struct buf decoded = BUF_INIT;
	struct span type, rest;
	bool ok, utf8;

	if (value.n > ESMTP_ORCPT_MAX)
		return false;
	type = cur_while(&c, is_keyword);
	if (type.n == 0 || !cur_ch(&c, ';') || cur_end(&c))
		return false;
	rest = cur_rest(&c);
	/* RFC 6533 3: without SMTPUTF8 only the form that is ASCII may be used. */
	for (size_t i = 0; i < rest.n && !smtputf8; i++)
		if ((unsigned char)rest.p[i] > 126)
			return false;
	utf8 = span_ieq(type, SPAN("utf-8"));
	ok = utf8 ? xtext_utf8_decode(rest, &decoded) : xtext_ok(rest);
	buf_free(&decoded);
	return ok;
}

/* by-value = by-time ";" by-mode [by-trace]    RFC 2852 4 */
bool
esmtp_by_parse(struct span value, int64_t *by_s, enum esmtp_by *by, bool *trace)
{
	struct cur c = cur_span(value);
	bool minus = cur_ch(&c, '-');
	uint64_t v;

	if (!minus)
		cur_ch(&c, '+');
	if (!cur_u64(&c, ESMTP_BY_MAX, &v) || !cur_ch(&c, ';'))
		return false;
	*by_s = minus ? -(int64_t)v : (int64_t)v;
	*by = cur_lit(&c, "N") ? ESMTP_BY_NOTIFY : cur_lit(&c, "R") ? ESMTP_BY_RETURN : ESMTP_BY_NONE;
	*trace = cur_lit(&c, "T");
	return *by != ESMTP_BY_NONE && cur_end(&c) && (*by != ESMTP_BY_RETURN || *by_s > 0);
}

/* -9 to 9    RFC 6710 3 */
bool
esmtp_priority_parse(struct span value, int *priority)
{
	struct cur c = cur_span(value);
	bool minus = cur_ch(&c, '-');

	if (cur_rest(&c).n != 1 || !is_digit(cur_peek(&c)) || (minus && *c.p == '0'))
		return false;
	*priority = minus ? -(*c.p - '0') : *c.p - '0';
	return true;
}

/* --- MAIL */

enum mail_key { SIZE, BODY, SMTPUTF8, RET, ENVID, AUTH, REQUIRETLS, HOLDFOR, HOLDUNTIL, BY,
	PRIORITY, MAIL_KEYS };

static const struct {
	const char *name;
	bool wants_value;
	const char *wrong; /* what is said where the value is */
} mail_keys[MAIL_KEYS] = {
    [SIZE] = {"SIZE", true, "SIZE is not a number of bytes"},
    [BODY] = {"BODY", true, "BODY is neither 7BIT nor 8BITMIME"},
    [SMTPUTF8] = {"SMTPUTF8", false, "SMTPUTF8 takes no value"},
    [RET] = {"RET", true, "RET is neither FULL nor HDRS"},
    [ENVID] = {"ENVID", true, "ENVID is not xtext of 1 to 100 characters"},
    [AUTH] = {"AUTH", true, "AUTH is neither <> nor xtext of an address"},
    [REQUIRETLS] = {"REQUIRETLS", false, "REQUIRETLS takes no value"},
    [HOLDFOR] = {"HOLDFOR", true, "HOLDFOR is not a number of seconds"},
    [HOLDUNTIL] = {"HOLDUNTIL", true, "HOLDUNTIL is not a date and time"},
    [BY] = {"BY", true, "BY is not SECONDS;N or SECONDS;R"},
    [PRIORITY] = {"MT-PRIORITY", true, "MT-PRIORITY is not -9 to 9"},
};

static bool
body_value(struct span value, struct esmtp_mail *m)
{
	m->body = span_ieq(value, SPAN("7BIT"))       ? ESMTP_7BIT
		  : span_ieq(value, SPAN("8BITMIME")) ? ESMTP_8BITMIME
						      : ESMTP_BODY_NONE;
	return m->body != ESMTP_BODY_NONE;
}

/* 1*20DIGIT    RFC 1870 3: more than 64 bits can hold is well written, and over any limit. */
static bool
size_value(struct span value, struct esmtp_mail *m)
{
	struct cur c = cur_span(value);

	if (value.n > 20 || number(value, UINT64_MAX, &m->size))
		return value.n <= 20;
	m->size = UINT64_MAX;
	return cur_while(&c, is_digit).n > 0 && cur_end(&c);
}

static bool
ret_value(struct span value, struct esmtp_mail *m)
{
	m->ret = span_ieq(value, SPAN("FULL"))   ? ESMTP_RET_FULL
		 : span_ieq(value, SPAN("HDRS")) ? ESMTP_RET_HDRS
						 : ESMTP_RET_NONE;
	return m->ret != ESMTP_RET_NONE;
}

/* RFC 4954 5: "<>" or the xtext of a mailbox. */
static bool
auth_value(struct span value, struct esmtp_mail *m)
{
	struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	struct addr a;
	struct cur c;
	bool ok = span_eq(value, SPAN("<>"));

	if (!ok && xtext_decode(value, &text)) {
		if (span_eq((struct span){text.s, text.len}, SPAN("<>"))) { /* xtext of it: seen, too */
			ok = true;
		} else {
			c = cur_of(text.s, text.len);
			ok = addr_mailbox(&c, &a, &e) == 0 && cur_end(&c) && a.domain.n > 0;
		}
	}
	m->has_auth = ok;
	m->auth = value;
	err_free(&e);
	buf_free(&text);
	return ok;
}

static bool
mail_value(enum mail_key key, struct span value, struct esmtp_mail *m)
{
	switch (key) {
	case SIZE:
		m->has_size = true;
		return size_value(value, m);
	case BODY: return body_value(value, m);
	case SMTPUTF8: return m->smtputf8 = true;
	case RET: return ret_value(value, m);
	case ENVID:
		m->envid = value;
		return value.n <= ESMTP_ENVID_MAX && xtext_ok(value);
	case AUTH: return auth_value(value, m);
	case REQUIRETLS: return m->requiretls = true;
	case HOLDFOR: return number(value, ESMTP_HOLD_MAX, &m->hold_s) && m->hold_s > 0;
	case HOLDUNTIL: return date_iso_parse(value, &m->hold_until_s) && m->hold_until_s > 0;
	case BY: return esmtp_by_parse(value, &m->by_s, &m->by, &m->by_trace);
	case PRIORITY: m->has_priority = true; return esmtp_priority_parse(value, &m->priority);
	case MAIL_KEYS: break;
	}
	return false;
}

static void
mail_params(struct cur *c, struct esmtp_mail *m, struct esmtp_refusal *why)
{
	bool seen[MAIL_KEYS] = {false}, has;
	struct span key, value;
	unsigned k;

	while (!why->code && param(c, &key, &value, &has)) {
		for (k = 0; k < MAIL_KEYS && !span_ieq(key, span_of(mail_keys[k].name)); k++)
			continue;
		if (k == MAIL_KEYS)
			REFUSE(why, 555, "5.5.4", "MAIL: a parameter that is not known here");
		else if (seen[k])
			REFUSE(why, 501, "5.5.4", "MAIL: a parameter that is given twice");
		else if (has != mail_keys[k].wants_value || !mail_value(k, value, m))
			REFUSE(why, 501, "5.5.4", mail_keys[k].wrong);
		else
			seen[k] = true;
	}
	if (!why->code && !cur_end(c))
		REFUSE(why, 501, "5.5.4", "MAIL: what follows the address is no parameter");
	else if (!why->code && m->hold_s && m->hold_until_s)
		REFUSE(why, 501, "5.5.4", "HOLDFOR and HOLDUNTIL exclude each other");
}

/* "FROM:" or "TO:" and a path.  A blank behind the colon is not RFC 5321's, but widespread. */
static bool
path(struct cur *c, const char *word, struct addr *a, bool *null, struct esmtp_refusal *why)
{
	struct err e = ERR_INIT;
	int rc;

	cur_while(c, is_space);
	if (!cur_lit(c, word)) {
		REFUSE(why, 501, "5.5.4",
		    *word == 'F' ? "syntax: MAIL FROM:<address>" : "syntax: RCPT TO:<address>");
		return false;
	}
	cur_while(c, is_space);
	rc = addr_path(c, a, null, &e);
	if (rc)
		REFUSE(why, 553, *word == 'F' ? "5.1.7" : "5.1.3", "not an address in angle brackets");
	err_free(&e);
	return rc == 0;
}

static bool
is_utf8(const struct addr *a)
{
	return a->utf8 || a->utf8_domain;
}

void
esmtp_mail(struct span args, struct esmtp_mail *out, struct esmtp_refusal *why)
{
	struct cur c = cur_span(args);

	*out = (struct esmtp_mail){.body = ESMTP_BODY_NONE};
	*why = (struct esmtp_refusal){0};
	if (!path(&c, "FROM:", &out->from, &out->null, why))
		return;
	mail_params(&c, out, why);
	if (!why->code && !out->null && is_utf8(&out->from) && !out->smtputf8)
		REFUSE(why, 553, "5.6.7", "an international address needs SMTPUTF8"); /* RFC 6531 3.5 */
}

/* --- RCPT */

static void
rcpt_params(struct cur *c, bool smtputf8, struct esmtp_rcpt *r, struct esmtp_refusal *why)
{
	struct span key, value;
	bool has;

	while (!why->code && param(c, &key, &value, &has)) {
		bool notify = span_ieq(key, SPAN("NOTIFY"));

		if (!notify && !span_ieq(key, SPAN("ORCPT")))
			REFUSE(why, 555, "5.5.4", "RCPT: a parameter that is not known here");
		else if ((notify ? r->notify : r->orcpt).n > 0)
			REFUSE(why, 501, "5.5.4", "RCPT: a parameter that is given twice");
		else if (notify && !esmtp_notify_ok(value))
			REFUSE(why, 501, "5.5.4", "NOTIFY is neither NEVER nor of SUCCESS, FAILURE, DELAY");
		else if (!notify && !esmtp_orcpt_ok(value, smtputf8))
			REFUSE(why, 501, "5.5.4", "ORCPT is not TYPE;xtext");
		else
			*(notify ? &r->notify : &r->orcpt) = value;
	}
	if (!why->code && !cur_end(c))
		REFUSE(why, 501, "5.5.4", "RCPT: what follows the address is no parameter");
}

void
esmtp_rcpt(struct span args, bool smtputf8, struct esmtp_rcpt *out, struct esmtp_refusal *why)
{
	struct cur c = cur_span(args);
	bool null = false;

	*out = (struct esmtp_rcpt){0};
	*why = (struct esmtp_refusal){0};
	if (!path(&c, "TO:", &out->to, &null, why))
		return;
	if (null)
		REFUSE(why, 553, "5.1.3", "<> is no recipient");
	else
		rcpt_params(&c, smtputf8, out, why);
	if (!why->code && is_utf8(&out->to) && !smtputf8)
		REFUSE(why, 553, "5.6.7", "an international address needs SMTPUTF8");
}
