#include "local.h"

#include "addr.h"
#include "io.h"
#include "letter.h"
#include "locals.h"
#include "mailbox.h"
#include "maildir.h"
#include "msg.h"
#include "net.h"
#include "sandbox.h"
#include "spawn.h"
#include "sysexit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USUAL_DELIMITER "+"

struct local {
	const struct conf *conf;
	struct locals *locals; /* NULL: no domain is called ours; for their delimiters */
	struct spawn *spawn;
	const struct conf_route **programs; /* whose programs the spawner knows, in its order */
	uint32_t n;
};

/* --- at the start */

int
local_confine(const struct conf *c, struct err *e)
{
	struct sandbox_drop *drops = mem_alloc((c->n_routes + 1) * sizeof *drops);
	struct sandbox_also also = {.drops = drops};
	struct net_addr a;
	char **dirs = mem_alloc((c->n_routes + 1) * sizeof *dirs);
	int rc;

	for (size_t i = 0; i < c->n_routes; i++) {
		const struct conf_route *r = &c->routes[i];
		struct buf dir = BUF_INIT;

		if (r->maildir) {
			mailbox_base(r->maildir, &dir);
			dirs[also.n_drops] = buf_steal(&dir);
			drops[also.n_drops] = (struct sandbox_drop){dirs[also.n_drops], r->create};
			also.n_drops++;
		}
		also.unix_sockets |= r->lmtp && net_addr_unix(&a, span_of(r->lmtp));
	}
	rc = sandbox_enter_also(c->queue, &also, e);
	for (size_t i = 0; i < also.n_drops; i++)
		free(dirs[i]);
	free(dirs);
	free(drops);
	return rc;
}

static int
start_spawner(struct local *l, struct err *e)
{
	const struct conf *c = l->conf;
	char ***words = mem_alloc((c->n_routes + 1) * sizeof *words);
	const char *const **programs = mem_alloc((c->n_routes + 1) * sizeof *programs);
	int rc = 0;

	for (size_t i = 0; i < c->n_routes && !rc; i++) {
		if (!c->routes[i].pipe)
			continue;
		rc = spawn_words(c->routes[i].pipe, &words[l->n], e);
		if (rc)
			err_in(e, "route \"%s\": pipe", c->routes[i].match);
		programs[l->n] = (const char *const *)words[l->n];
		l->programs[l->n++] = &c->routes[i];
	}
	if (!rc && l->n > 0)
		rc = spawn_start(&l->spawn, programs, l->n, e);
	for (uint32_t i = 0; i < l->n; i++)
		free(words[i]);
	free(words);
	free(programs);
	return rc;
}

int
local_open(struct local **out, const struct conf *c, struct err *e)
{
	struct local *l = mem_alloc(sizeof *l);
	int rc;

	l->conf = c;
	l->programs = mem_alloc((c->n_routes + 1) * sizeof *l->programs);
	rc = locals_open(&l->locals, &c->sections, e);
	if (!rc)
		rc = start_spawner(l, e);
	*out = NULL;
	if (rc)
		local_close(l);
	else
		*out = l;
	return rc;
}

void
local_close(struct local *l)
{
	if (!l)
		return;
	spawn_stop(l->spawn);
	locals_free(l->locals);
	free(l->programs);
	free(l);
}

int
local_end_fd(const struct local *l)
{
	return spawn_end_fd(l->spawn);
}

int
local_ready(const struct conf_route *r, struct err *e)
{
	struct buf base = BUF_INIT;
	int fd, rc = 0;

	if (!r->maildir)
		return 0;
	mailbox_base(r->maildir, &base);
	fd = open(base.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		err_sys(e, "maildirs in %s", base.s);
		rc = e->code = EX_TEMPFAIL;
	} else {
		close(fd);
	}
	buf_free(&base);
	return rc;
}

/* The route's own, or what smtp-serve goes by when it asks who is there: it need not be said twice. */
static const char *
delimiter(const struct locals *l, const struct conf_route *r, struct span rcpt)
{
	const char *of_domain = l ? locals_delimiter(l, addr_domain(rcpt)) : NULL;

	return r->delimiter ? r->delimiter : of_domain ? of_domain : USUAL_DELIMITER;
}

/* --- one recipient */

struct delivery {
	struct local *l;
	const struct conf_route *r;
	struct smtp_mail *m;
	struct smtp_rcpt *to;
	struct mailbox box;
	struct letter letter;
	struct buf head;
	const char **halt;
};

static void
say(struct smtp_rcpt *to, enum smtp_is is, const char *status, struct span text)
{
	to->is = is;
	to->code = 0;
	memcpy(to->status, status, strlen(status) + 1);
	buf_cut(&to->text, 0);
	buf_add(&to->text, text.p, text.n);
}

/* This recipient's own copy said so before: RFC 5321 6.3 leaves the means to us, and this is that of
 * qmail and Postfix. */
static int
loops(struct delivery *d, bool *yes, struct err *e)
{
	struct span header;
	struct msg_field f;
	struct cur c;
	bool bad = false;
	int rc = letter_header(&d->letter, (size_t)d->l->conf->max_header_bytes, &header, e);

	*yes = false;
	if (rc)
		return rc;
	c = cur_span(header);
	while (!*yes && msg_field(&c, &f, &bad))
		*yes = span_ieq(f.name, SPAN("Delivered-To")) && span_ieq(span_trim(f.value), d->to->addr);
	letter_rewind(&d->letter);
	return 0;
}

/* RFC 2852 4.1.4: what was to be returned by then is not delivered any more. */
static bool
over(const struct smtp_mail *m)
{
	const struct entry_wish *w = m->wish;

	return w && w->by_s > 0 && w->by_return && w->by_s <= m->now_s;
}

static int
ask_sending(void *arg, struct err *e)
{
	struct delivery *d = arg;

	if (d->m->asked)
		return 0;
	d->m->asked = true;
	return d->m->sending ? d->m->sending(d->m->arg, e) : 0;
}

/* --- into a maildir */

/* With its extension, where there is a folder of that name; senders make none. */
static int
find_path(const char *pattern, const struct mailbox *m, struct buf *path, struct err *e)
{
	struct err none = ERR_INIT;
	bool there = mailbox_has_extension(pattern) && m->extension.len > 0 &&
	    mailbox_path(pattern, m, true, path, &none) == 0 && access(path->s, X_OK) == 0;

	err_free(&none);
	if (there)
		return 0;
	buf_cut(path, 0);
	return mailbox_path(pattern, m, false, path, e);
}

static int
into_maildir(struct delivery *d, struct err *e)
{
	struct maildir_letter l = {.letter = &d->letter, .id = d->m->id, .number = d->to->number,
	    .time_s = entry_id_us(d->m->id.p) / 1000000, .host = d->l->conf->hostname,
	    .again = d->to->again, .create = d->r->create, .sure = ask_sending, .arg = d};
	struct buf path = BUF_INIT, base = BUF_INIT, name = BUF_INIT;
	char status[12] = "";
	int rc = find_path(d->r->maildir, &d->box, &path, e);

	if (rc) {
		say(d->to, SMTP_FAILED, "5.1.1", span_of(err_text(e)));
		rc = 0;
	} else {
		mailbox_base(d->r->maildir, &base);
		l.base = base.len;
		rc = maildir_put(path.s, &l, &name, status, e);
		if (!rc) {
			say(d->to, SMTP_DELIVERED, "2.0.0", SPAN("delivered as "));
			buf_add(&d->to->text, name.s, name.len);
		} else if (status[0]) {
			say(d->to, SMTP_DEFERRED, status, span_of(err_text(e)));
			if (strcmp(status, "4.3.1") == 0)
				*d->halt = "its disk is full";
			rc = 0;
		}
	}
	buf_free(&path);
	buf_free(&base);
	buf_free(&name);
	return rc;
}

/* --- to a program */

static int
next_block(void *arg, struct span *block, struct err *e)
{
	return letter_next(arg, block, e);
}

static void
judge(struct delivery *d, int status, bool late, const struct buf *printed)
{
	static const enum smtp_is as[] = {[SYSEXIT_DELIVERED] = SMTP_DELIVERED,
	    [SYSEXIT_DEFERRED] = SMTP_DEFERRED, [SYSEXIT_FAILED] = SMTP_FAILED};
	struct sysexit s;

	sysexit_judge(&s, status, late, (struct span){printed->s, printed->len});
	say(d->to, as[s.is], s.status, (struct span){s.text.s, s.text.len});
	if (sysexit_not_started(status))
		*d->halt = "the program cannot be started";
	sysexit_free(&s);
}

/* "NAME=value" each, with its NUL; RFC 5321's paths have none. */
static void
set_env(const struct delivery *d, struct buf *texts, const char *env[], size_t n)
{
	const struct mailbox *b = &d->box;
	const struct {
		const char *name;
		struct span value;
	} v[] = {{"SENDER", d->m->sender}, {"RECIPIENT", d->to->addr}, {"USER", {b->user.s, b->user.len}},
	    {"DOMAIN", {b->domain.s, b->domain.len}}, {"EXTENSION", {b->extension.s, b->extension.len}},
	    {"QUEUE_ID", d->m->id}};
	size_t at[sizeof v / sizeof v[0]];

	for (size_t i = 0; i < n; i++) {
		at[i] = texts->len;
		buf_fmt(texts, "%s=%.*s", v[i].name, SPAN_ARG(v[i].value));
		buf_ch(texts, '\0');
	}
	for (size_t i = 0; i < n; i++)
		env[i] = texts->s + at[i];
}

#define N_ENV 6

static int
to_program(struct delivery *d, struct err *e)
{
	const char *env[N_ENV + 1] = {NULL};
	struct spawn_job j = SPAWN_JOB_INIT;
	struct buf texts = BUF_INIT, printed = BUF_INIT;
	int status = 0, rc;

	while (d->l->programs[j.program] != d->r)
		j.program++;
	set_env(d, &texts, env, N_ENV);
	j.env = env;
	j.next = next_block;
	j.arg = &d->letter;
	j.out_max = LOCAL_PRINTED_MAX;
	j.err_too = j.cut = true;
	j.grace_ms = LOCAL_GRACE_MS;
	j.deadline_ms = io_now_ms() + (int64_t)d->r->pipe_time_s * 1000;
	rc = ask_sending(d, e);
	if (!rc && spawn_run(d->l->spawn, &j, &printed, &status, e))
		say(d->to, SMTP_DEFERRED, "4.3.0", span_of(err_text(e)));
	else if (!rc)
		judge(d, status, io_now_ms() >= j.deadline_ms, &printed);
	buf_free(&texts);
	buf_free(&printed);
	return rc;
}

/* --- looking */

static int
nowhere(char status[12], const char *code, int rc, struct err *e)
{
	memcpy(status, code, strlen(code) + 1);
	return e->code = rc;
}

static bool
is_maildir(const char *path)
{
	struct buf b = BUF_INIT;
	bool yes;

	buf_fmt(&b, "%s/new", path);
	yes = access(b.s, W_OK | X_OK) == 0;
	buf_free(&b);
	return yes;
}

int
local_look(const struct conf *c, const struct conf_route *r, struct span rcpt, struct buf *where,
    char status[12], struct err *e)
{
	struct mailbox m = MAILBOX_INIT;
	struct locals *locals;
	int rc = 0;

	buf_cut(where, 0);
	if (locals_open(&locals, &c->sections, e)) {
		rc = nowhere(status, "4.3.5", EX_TEMPFAIL, e);
	} else if (mailbox_of(rcpt, delimiter(locals, r, rcpt), &m, e)) {
		rc = nowhere(status, "5.1.3", EX_NOUSER, e);
	} else if (r->maildir && find_path(r->maildir, &m, where, e)) {
		rc = nowhere(status, "5.1.1", EX_NOUSER, e);
	} else if (r->maildir && !r->create && !is_maildir(where->s)) {
		err_sys(e, "maildir %s", where->s);
		rc = nowhere(status, "4.2.1", EX_TEMPFAIL, e);
	} else if (r->pipe) {
		buf_add(where, r->pipe, strcspn(r->pipe, " \t"));
	}
	mailbox_free(&m);
	locals_free(locals);
	return rc;
}

/* --- the transaction */

static int
deliver(struct delivery *d, struct err *e)
{
	bool again;
	int rc = mailbox_of(d->to->addr, delimiter(d->l->locals, d->r, d->to->addr), &d->box, e);

	if (rc) {
		say(d->to, SMTP_FAILED, "5.1.3", span_of(err_text(e)));
		return 0;
	}
	rc = loops(d, &again, e);
	if (rc)
		say(d->to, SMTP_DEFERRED, "4.3.0", span_of(err_text(e)));
	else if (again)
		say(d->to, SMTP_FAILED, "5.4.6", SPAN("it has been delivered to this recipient before: a loop"));
	else if (over(d->m))
		say(d->to, SMTP_FAILED, "5.4.7", SPAN("the time to deliver it by is over"));
	else
		return d->r->maildir ? into_maildir(d, e) : to_program(d, e);
	return 0;
}

int
local_send(struct local *l, const struct conf_route *r, struct smtp_mail *m, const char **halt,
    struct err *e)
{
	struct delivery d = {.l = l, .r = r, .m = m, .to = &m->rcpts[0], .box = MAILBOX_INIT,
	    .letter = {.content = m->content, .file = m->file, .off = m->off, .size = m->size,
	        .crlf = r->pipe && r->pipe_line_ends == CONF_CRLF, .raw = BUF_INIT, .out = BUF_INIT},
	    .head = BUF_INIT, .halt = halt};
	struct err why = ERR_INIT;
	int rc;

	m->asked = m->in_doubt = m->stale = m->useless = m->unfit = false;
	*halt = NULL;
	for (size_t i = 0; i < m->n; i++)
		m->rcpts[i].is = i == 0 ? SMTP_UNDECIDED : SMTP_AGAIN;
	buf_fmt(&d.head, "Return-Path: <%.*s>\r\nDelivered-To: %.*s\r\n", SPAN_ARG(m->sender),
	    SPAN_ARG(d.to->addr));
	d.letter.head = (struct span){d.head.s, d.head.len};
	rc = deliver(&d, &why);
	if (rc)
		err_set(e, rc, "%s", err_text(&why));
	mailbox_free(&d.box);
	letter_free(&d.letter);
	buf_free(&d.head);
	err_free(&why);
	return rc;
}
