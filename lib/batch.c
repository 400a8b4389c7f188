#include "batch.h"

#include "addr.h"
#include "date.h"
#include "esmtp.h"
#include "io.h"
#include "json.h"
#include "prog.h"
#include "xtext.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct batch_pending { /* a message whose result was not told yet */
	size_t n_entries; /* 0: refused */
	size_t rcpts;
	int code;
	const char *status;
	char *text;
};

/* --- results */

static struct batch_pending *
new_pending(struct batch *b)
{
	if (b->n == b->cap) {
		b->cap = b->cap ? 2 * b->cap : BATCH_GROUP;
		b->pending = mem_grow(b->pending, b->cap, sizeof *b->pending);
	}
	if (b->n == 0)
		b->since_ms = io_now_ms();
	b->pending[b->n] = (struct batch_pending){0};
	return &b->pending[b->n++];
}

static int
tell(struct batch *b, const struct batch_pending *p, struct span ids, int sync_failed,
    const struct err *why, struct err *e)
{
	struct batch_result r = {p->code, p->status, span_of(p->text), ids, p->rcpts};

	if (p->n_entries > 0 && !sync_failed)
		r = (struct batch_result){250, "2.0.0", SPAN(""), ids, p->rcpts};
	else if (p->n_entries > 0)
		r = (struct batch_result){451, "4.3.0", span_of(err_text(why)), SPAN(""), p->rcpts};
	if (r.code == 250)
		b->queued++;
	else if (r.code < 500)
		b->deferred++;
	else
		b->refused++;
	return b->result(b->arg, &r, e);
}

void
batch_text(const struct batch_result *r, bool json, struct buf *out)
{
	if (json) {
		struct cur c = cur_span(r->ids);

		json_open(out);
		json_num(out, "code", r->code);
		json_str(out, "enhanced_code", span_of(r->status));
		json_arr(out, "ids");
		for (; !cur_end(&c); cur_ch(&c, ' '))
			json_text(out, cur_until(&c, ' '));
		json_arr_end(out);
		json_num(out, "recipients", (int64_t)r->rcpts);
		if (r->code != 250)
			json_str(out, "content", r->text);
		json_close(out);
	} else {
		buf_fmt(out, "%d %s ", r->code, r->status);
		prog_escape(out, r->code == 250 ? r->ids : r->text);
		buf_str(out, r->code == 250 ? " queued" : "");
	}
}

/* Makes all that is linked safe, then tells the results in order. */
static int
flush(struct batch *b, struct err *e)
{
	struct buf ids = BUF_INIT;
	struct err why = ERR_INIT;
	size_t at = 0;
	int failed, rc = 0;

	if (b->n == 0)
		return 0;
	for (size_t i = 0; i < b->submit->n; i++)
		buf_fmt(&ids, "%s ", b->submit->puts[i].id);
	failed = submit_sync(b->submit, &why);
	for (size_t i = 0; i < b->n; i++) {
		size_t n = b->pending[i].n_entries * (ENTRY_ID + 1);
		struct span mine = {ids.s + at, n ? n - 1 : 0};

		at += n;
		if (!rc)
			rc = tell(b, &b->pending[i], mine, failed, &why, e);
		free(b->pending[i].text);
	}
	b->n = 0;
	buf_free(&ids);
	err_free(&why);
	return !rc && b->synced ? b->synced(b->arg, e) : rc;
}

static int
before_read(void *arg, struct err *e)
{
	struct batch *b = arg;

	if (b->n > 0 && (!io_ready(b->in->fd, POLLIN) || io_now_ms() - b->since_ms >= BATCH_MS))
		return flush(b, e);
	return 0;
}

/* The first refusal of a transaction is its result. */
static void
refuse(struct batch *b, int code, const char *status, const char *text)
{
	if (b->code)
		return;
	b->code = code;
	b->status = status;
	buf_cut(&b->text, 0);
	buf_str(&b->text, text);
}

static void
refuse_err(struct batch *b, const char *status, struct err *e)
{
	if (e->code == EX_DATAERR)
		refuse(b, 550 + (status[2] == '1' ? 3 : 4), status, err_text(e));
	else if (e->code == EX_NOUSER)
		refuse(b, 550, "5.7.1", err_text(e));
	else
		refuse(b, 451, "4.3.0", err_text(e));
	err_free(e);
}

/* The transaction is over; what was refused in it is told. */
static void
close_transaction(struct batch *b)
{
	if (b->code) {
		struct batch_pending *p = new_pending(b);

		*p = (struct batch_pending){.rcpts = b->m.rcpts.n, .code = b->code, .status = b->status,
		    .text = mem_dup(b->text.s, b->text.len)};
	}
	rcpts_clear(&b->m.rcpts);
	b->open = false;
	b->code = 0;
}

/* --- parameters, RFC 5321 4.1.1.11: SP keyword [ "=" value ] */

static bool
is_keyword(int c)
{
	return is_alnum(c) || c == '-';
}

static bool
is_value(int c)
{
	return c > ' ' && c != '=' && c != 127;
}

static bool
next_param(struct cur *c, struct span *key, struct span *value)
{
	struct cur t = *c;

	if (cur_while(&t, is_space).n == 0)
		return false;
	*key = cur_while(&t, is_keyword);
	*value = SPAN("");
	if (cur_ch(&t, '='))
		*value = cur_while(&t, is_value);
	if (key->n == 0)
		return false;
	*c = t;
	return true;
}

/* RFC 3461 4: the next server would refuse it, for all recipients and for good. */
static bool
is_twice(struct cur all, struct span key)
{
	struct span before, value;

	while (next_param(&all, &before, &value) && before.p < key.p)
		if (span_ieq(before, key))
			return true;
	return false;
}

static void
keep_param(struct buf *out, struct span key, struct span value)
{
	if (out->len)
		buf_ch(out, ' ');
	buf_add(out, key.p, key.n);
	buf_ch(out, '=');
	buf_add(out, value.p, value.n);
}

static bool
mail_hold(struct batch *b, struct span key, struct span value)
{
	struct cur c = cur_span(value);
	uint64_t now_s = io_time_us() / 1000000, v = 0;

	if (span_ieq(key, SPAN("HOLDUNTIL")))
		return date_iso_parse(value, &b->m.hold_until_s) &&
		    b->m.hold_until_s <= ENTRY_DUE_MAX;
	if (!cur_u64(&c, 999999999, &v) || !cur_end(&c))
		return false;
	b->m.hold_until_s = now_s + v;
	return true;
}

/* False: refused. */
static bool
mail_param(struct batch *b, struct span key, struct span value)
{
	struct cur c = cur_span(value);
	uint64_t size = 0;

	if (span_ieq(key, SPAN("SIZE"))) {
		if (!cur_u64(&c, UINT64_MAX, &size) || !cur_end(&c))
			refuse(b, 501, "5.5.4", "SIZE: not a number");
		else if (size > b->submit->conf->max_message_bytes)
			refuse(b, 552, "5.3.4", "SIZE: over the limit");
	} else if (span_ieq(key, SPAN("BODY"))) {
		if (!span_ieq(value, SPAN("7BIT")) && !span_ieq(value, SPAN("8BITMIME")))
			refuse(b, 555, "5.5.4", "BODY: neither 7BIT nor 8BITMIME");
	} else if (span_ieq(key, SPAN("SMTPUTF8"))) {
		b->m.smtputf8 = true;
	} else if (span_ieq(key, SPAN("RET"))) {
		if (!span_ieq(value, SPAN("FULL")) && !span_ieq(value, SPAN("HDRS")))
			refuse(b, 501, "5.5.4", "RET: neither FULL nor HDRS");
		keep_param(&b->params, SPAN("RET"), value);
	} else if (span_ieq(key, SPAN("ENVID"))) {
		if (value.n == 0 || value.n > 100 || !xtext_ok(value)) /* RFC 3461 4.4 */
			refuse(b, 501, "5.5.4", "ENVID: not xtext of 1 to 100 characters");
		keep_param(&b->params, SPAN("ENVID"), value);
	} else if (span_ieq(key, SPAN("HOLDFOR")) || span_ieq(key, SPAN("HOLDUNTIL"))) {
		if (!mail_hold(b, key, value))
			refuse(b, 501, "5.5.4", "HOLDFOR wants seconds, HOLDUNTIL a date");
	} else if (!span_ieq(key, SPAN("AUTH"))) {
		return false;
	}
	return true;
}

static bool
rcpt_param(struct batch *b, struct span key, struct span value, struct buf *params)
{
	if (span_ieq(key, SPAN("NOTIFY"))) {
		if (!esmtp_notify_ok(value))
			refuse(b, 501, "5.5.4", "NOTIFY: not NEVER, nor of SUCCESS, FAILURE, DELAY");
		keep_param(params, SPAN("NOTIFY"), value);
	} else if (span_ieq(key, SPAN("ORCPT"))) {
		if (!esmtp_orcpt_ok(value, true))
			refuse(b, 501, "5.5.4", "ORCPT: not type;xtext");
		keep_param(params, SPAN("ORCPT"), value);
	} else {
		return false;
	}
	return true;
}

/* --- commands */

/* "FROM:" or "TO:", then a path into out: "" for <>. */
static bool
path(struct batch *b, struct cur *c, const char *word, bool may_be_null, const char *status,
    struct buf *out)
{
	struct err e = ERR_INIT;
	struct addr a;
	bool null = false;
	int rc;

	cur_while(c, is_space);
	if (!cur_lit(c, word)) {
		refuse(b, 501, "5.5.4", "syntax: MAIL FROM:<address> or RCPT TO:<address>");
		return false;
	}
	cur_while(c, is_space); /* not RFC 5321's, but widespread */
	buf_cut(out, 0);
	rc = addr_path(c, &a, &null, &e);
	if (!rc && null && !may_be_null)
		rc = err_set(&e, EX_DATAERR, "<> is no recipient");
	if (rc) {
		refuse_err(b, status, &e);
		return false;
	}
	if (!null) {
		addr_put(&a, out);
		if (a.domain.n == 0)
			buf_fmt(out, "@%s", b->submit->conf->domain);
	}
	return true;
}

static void
mail(struct batch *b, struct cur c, uint64_t hold_until_s)
{
	struct span key, value;
	struct cur all;

	if (b->open) {
		refuse(b, 503, "5.5.1", "MAIL inside a transaction");
		return;
	}
	b->open = true;
	b->m.smtputf8 = false;
	b->m.hold_until_s = hold_until_s;
	buf_cut(&b->params, 0);
	if (!path(b, &c, "FROM:", true, "5.1.7", &b->sender))
		return;
	for (all = c; !b->code && next_param(&c, &key, &value);)
		if (is_twice(all, key))
			refuse(b, 501, "5.5.4", "MAIL: a parameter that is given twice");
		else if (!mail_param(b, key, value))
			refuse(b, 555, "5.5.4", "MAIL: a parameter that is not known here");
	cur_while(&c, is_space);
	if (!cur_end(&c))
		refuse(b, 501, "5.5.4", "MAIL: something behind its parameters");
}

static void
rcpt(struct batch *b, struct cur c)
{
	struct buf addr = BUF_INIT, params = BUF_INIT;
	struct err e = ERR_INIT;
	struct span key, value;
	struct cur all;

	if (!b->open) {
		b->open = true;
		refuse(b, 503, "5.5.1", "RCPT without MAIL");
	}
	if (!b->code && path(b, &c, "TO:", false, "5.1.3", &addr)) {
		for (all = c; !b->code && next_param(&c, &key, &value);)
			if (is_twice(all, key))
				refuse(b, 501, "5.5.4", "RCPT: a parameter that is given twice");
			else if (!rcpt_param(b, key, value, &params))
				refuse(b, 555, "5.5.4", "RCPT: a parameter that is not known here");
		cur_while(&c, is_space);
		if (!cur_end(&c))
			refuse(b, 501, "5.5.4", "RCPT: something behind its parameters");
		if (rcpts_add(&b->m.rcpts, (struct span){addr.s, addr.len},
		    (struct span){params.s, params.len}, &e))
			refuse_err(b, "5.5.3", &e);
	}
	buf_free(&addr);
	buf_free(&params);
}

/* The message up to its final dot: queued, or skipped where something was refused before. */
static int
data(struct batch *b, struct err *e)
{
	struct err why = ERR_INIT;
	int rc;

	if (!b->open)
		refuse(b, 503, "5.5.1", "DATA without MAIL");
	else if (b->m.rcpts.n == 0)
		refuse(b, 554, "5.5.1", "no recipients");
	intake_begin(b->in, INTAKE_SMTP);
	b->m.sender = (struct span){b->sender.s, b->sender.len};
	b->m.params = (struct span){b->params.s, b->params.len};
	if (!b->code && submit_message(b->submit, &b->m, b->in, &why) == 0) {
		struct batch_pending *p = new_pending(b);

		p->n_entries = b->m.n_entries;
		p->rcpts = b->m.rcpts.n;
	} else if (!b->code && b->in->eof && b->in->over) {
		refuse(b, 451, "4.4.2", err_text(&why)); /* what was cut off may come again whole */
	} else if (!b->code) {
		refuse_err(b, "5.6.0", &why);
	}
	rc = b->code ? intake_body(b->in, NULL, NULL, e) : 0;
	if (rc == EX_DATAERR)
		rc = 0; /* the input ended first: told already */
	close_transaction(b);
	err_free(&why);
	return rc;
}

/* RFC 3030: its bytes are not commands, so they are passed over, whatever becomes of them. */
static int
bdat(struct batch *b, struct cur c, struct err *e)
{
	uint64_t n = 0;
	struct span word;

	cur_while(&c, is_space);
	if (!cur_u64(&c, UINT64_MAX, &n))
		n = 0;
	cur_while(&c, is_space);
	word = cur_while(&c, is_alpha);
	refuse(b, 502, "5.5.1", "BDAT is not for batches: use DATA");
	b->open = !span_ieq(word, SPAN("LAST"));
	if (!b->open)
		close_transaction(b);
	return intake_skip_bytes(b->in, n, e);
}

static bool
is_verb(struct span verb, const char *name)
{
	return span_ieq(verb, span_of(name));
}

/* A line that is none of ours: in a transaction it refuses it; outside one result speaks for all
 * such lines up to the next command. */
static void
unknown(struct batch *b)
{
	refuse(b, 500, "5.5.2", "command not recognized");
	if (b->open)
		return;
	if (b->unknown)
		b->code = 0;
	close_transaction(b);
	b->unknown = true;
}

static int
command(struct batch *b, struct span line, uint64_t hold_until_s, bool *quit, struct err *e)
{
	struct cur c = cur_span(line);
	struct span verb = cur_while(&c, is_alpha);
	bool was_unknown = b->unknown;

	b->unknown = false;
	if (memchr(line.p, '\0', line.n) || memchr(line.p, '\r', line.n))
		verb = SPAN("");
	if (is_verb(verb, "MAIL"))
		mail(b, c, hold_until_s);
	else if (is_verb(verb, "RCPT"))
		rcpt(b, c);
	else if (is_verb(verb, "DATA"))
		return data(b, e);
	else if (is_verb(verb, "BDAT"))
		return bdat(b, c, e);
	else if (is_verb(verb, "RSET") || is_verb(verb, "EHLO") || is_verb(verb, "HELO") ||
	    is_verb(verb, "LHLO"))
		close_transaction(b);
	else if (is_verb(verb, "QUIT"))
		*quit = true;
	else if (!is_verb(verb, "NOOP") && !is_verb(verb, "VRFY")) {
		b->unknown = was_unknown;
		unknown(b);
	}
	return 0;
}

static int
next_command(struct batch *b, uint64_t hold_until_s, bool *quit, struct err *e)
{
	struct span line;
	bool more = true;
	int rc = intake_line(b->in, BATCH_LINE_MAX, &line, &more, e);

	if (rc == EX_DATAERR) {
		refuse(b, 500, "5.5.2", "line too long");
		if (!b->open)
			close_transaction(b);
		return intake_skip_line(b->in, e);
	}
	if (rc || !more) {
		*quit = true;
		return rc;
	}
	if (line.n == 0 || line.p[0] == '#')
		return 0;
	return command(b, line, hold_until_s, quit, e);
}

int
batch_run(struct batch *b, struct err *e)
{
	uint64_t hold_until_s = b->m.hold_until_s;
	struct err later = ERR_INIT;
	bool quit = false;
	int rc = 0, last;

	b->in->before_read = before_read;
	b->in->arg = b;
	while (!quit && !rc) {
		rc = next_command(b, hold_until_s, &quit, e);
		if (b->submit->n >= BATCH_GROUP || b->n >= BATCH_GROUP)
			rc = rc ? rc : flush(b, e);
	}
	if (b->open)
		refuse(b, 451, "4.4.2", "input ended inside a transaction");
	close_transaction(b);
	/* Whatever ended the reading: what was linked becomes safe, and is told. */
	last = flush(b, rc ? &later : e);
	err_free(&later);
	free(b->pending);
	b->pending = NULL;
	rcpts_free(&b->m.rcpts);
	buf_free(&b->sender);
	buf_free(&b->params);
	buf_free(&b->text);
	return rc ? rc : last;
}
