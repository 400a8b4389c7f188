#include "notify.h"

#include "addr.h"
#include "io.h"
#include "notice.h"
#include "noticedigest.h"
#include "noticegone.h"
#include "noticelimit.h"
#include "noticeput.h"
#include "retry.h"
#include "telling.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND_US 1000000
#define HEADER_READ 65536 /* of a header section beyond what goes back: Subject may stand there */

/* --- who */

unsigned
notify_wanted(struct span params)
{
	static const struct word {
		const char *word;
		unsigned is;
	} words[] = {{"FAILURE", NOTIFY_FAILURE}, {"DELAY", NOTIFY_DELAY}, {"SUCCESS", NOTIFY_SUCCESS}};
	struct cur c = cur_span(params);
	unsigned wanted = 0;

	for (; !cur_end(&c); cur_ch(&c, ' ')) {
		struct span one = cur_until(&c, ' ');
		struct cur list = cur_span(one);

		if (!cur_lit(&list, "NOTIFY="))
			continue;
		for (; !cur_end(&list); cur_ch(&list, ',')) {
			struct span word = cur_until(&list, ',');

			for (size_t i = 0; i < sizeof words / sizeof *words; i++)
				wanted |= span_ieq(word, span_of(words[i].word)) ? words[i].is : 0;
		}
		return wanted;
	}
	return NOTIFY_FAILURE | NOTIFY_DELAY; /* RFC 3461 5.2.2 and 4.1: FAILURE, and perhaps DELAY */
}

static struct span
param(struct span params, const char *name)
{
	struct cur c = cur_span(params);

	for (; !cur_end(&c); cur_ch(&c, ' ')) {
		struct span one = cur_until(&c, ' ');
		struct cur v = cur_span(one);

		if (cur_lit(&v, name))
			return cur_rest(&v);
	}
	return (struct span){"", 0};
}

static const struct noticeconf *
conf_of(const struct notify *n)
{
	return noticeconf_of(&n->conf->sections);
}

/* The stream's way, or else everybody's. */
static const char *
bounce_of(const struct notify *n, struct span stream)
{
	for (size_t i = 0; i < n->conf->n_streams; i++)
		if (n->conf->streams[i].bounce && span_eq(stream, span_of(n->conf->streams[i].name)))
			return n->conf->streams[i].bounce;
	return conf_of(n)->bounce;
}

/* RFC 5321 4.5.5: never to a null sender.  Empty: nobody is told. */
static struct span
reader_of(const struct notify *n, const struct queue_entry *t)
{
	const char *bounce = bounce_of(n, t->is.stream);

	if (t->env.sender.n == 0)
		return span_of(conf_of(n)->postmaster);
	if (strcmp(bounce, "none") == 0)
		return (struct span){"", 0};
	return strcmp(bounce, "sender") == 0 ? t->env.sender : span_of(bounce);
}

static enum journal_told
word_on(const struct journal_rcpt *r, unsigned wanted, bool late)
{
	if (journal_is_open(r))
		return late && !r->warned && (wanted & NOTIFY_DELAY) ? JOURNAL_TOLD_DELAYED
		                                                     : JOURNAL_TOLD_NOTHING;
	if (r->told)
		return JOURNAL_TOLD_NOTHING;
	if (r->is == JOURNAL_DELIVERED)
		return r->success;
	return wanted & NOTIFY_FAILURE ? JOURNAL_TOLD_FAILED : JOURNAL_TOLD_NOTHING;
}

/* Where it cannot be counted nobody is kept waiting for a digest. */
static bool
is_too_many(const struct notify *n, struct span reader, uint64_t now_s)
{
	uint64_t hourly = conf_of(n)->hourly;
	struct err e = ERR_INIT;
	bool over = false;

	if (hourly > 0 && noticelimit_take(queue_state_fd(n->q), reader, hourly, now_s, &over, &e))
		over = false;
	err_free(&e);
	return over;
}

bool
notify_choose(const struct notify *n, const struct queue_entry *t, const struct journal *j, bool late,
    struct journal_notice *out)
{
	struct span reader = reader_of(n, t);
	bool null = t->env.sender.n == 0;

	*out = (struct journal_notice){.at_us = io_time_us()};
	for (size_t i = 0; i < j->n && reader.n > 0; i++) {
		const struct entry_rcpt *r = &t->env.rcpts[i];
		unsigned wanted = null ? NOTIFY_FAILURE : notify_wanted(r->params);
		enum journal_told as = word_on(&j->rcpts[i], wanted, late && !null);

		/* What cannot reach the postmaster is not told to him. */
		if (as == JOURNAL_TOLD_NOTHING || (null && span_ieq(r->addr, reader)))
			continue;
		if ((out->n & (out->n - 1)) == 0)
			out->v = mem_grow(out->v, out->n * 2 + 1, sizeof *out->v);
		out->v[out->n++] = (struct journal_notice_rcpt){(uint32_t)i, as};
	}
	if (out->n == 0)
		return false;
	entry_id(out->id, out->at_us, (uint32_t)io_random());
	out->digest = is_too_many(n, reader, out->at_us / SECOND_US);
	return true;
}

void
notify_free(struct journal_notice *v)
{
	free(v->v);
	*v = (struct journal_notice){.v = NULL};
}

/* --- when */

static bool
is_late(const struct notify *n, uint64_t from_s, uint64_t now_s)
{
	uint64_t delay = conf_of(n)->delay_s;

	return delay > 0 && now_s >= from_s && now_s - from_s >= delay;
}

bool
notify_late(const struct notify *n, const struct queue_entry *t, uint64_t now_s)
{
	uint64_t born = entry_id_us(t->is.id.p) / SECOND_US;
	const struct entry_wish *w = &t->env.wish;

	if (!retry_born_ok(born, now_s))
		return false;
	/* RFC 2852 4.1.4: who asked to be told by then is. */
	if (w->by_s > 0 && !w->by_return && now_s >= w->by_s)
		return true;
	return is_late(n, envelope_begins_s(&t->env, t->is.id), now_s);
}

bool
notify_maybe_late(const struct notify *n, const struct entry_name *name, uint64_t now_s)
{
	return is_late(n, entry_id_us(name->id.p) / SECOND_US, now_s);
}

/* --- what */

static void
from_of(const struct notify *n, struct buf *out)
{
	const char *from = conf_of(n)->from;

	if (from)
		buf_str(out, from);
	else
		buf_fmt(out, "MAILER-DAEMON@%s", n->conf->domain);
}

bool
notify_from_here(const struct notify *n, const struct queue_entry *t, struct span domain)
{
	struct buf from = BUF_INIT;
	bool ours;

	from_of(n, &from);
	ours = t->env.sender.n == 0 && span_ieq(addr_domain((struct span){from.s, from.len}), domain);
	buf_free(&from);
	return ours;
}

struct work {
	const struct notify *n;
	const struct queue_entry *t;
	const struct journal *j;
	struct span reader;
	struct notice notice;
	struct notice_rcpt *rcpts;
	struct buf from, content, header, body;
};

static enum notice_action
action_of(enum journal_told as)
{
	return as == JOURNAL_TOLD_FAILED  ? NOTICE_FAILED
	    : as == JOURNAL_TOLD_DELAYED ? NOTICE_DELAYED
	    : as == JOURNAL_TOLD_RELAYED ? NOTICE_RELAYED
	                                 : NOTICE_DELIVERED;
}

static struct notice_rcpt
rcpt_of(const struct work *w, const struct journal_notice_rcpt *v)
{
	const struct entry_rcpt *r = &w->t->env.rcpts[v->i];
	const struct journal_reply *last = w->j->rcpts[v->i].last;
	struct notice_rcpt out = {.addr = r->addr, .orcpt = param(r->params, "ORCPT="),
	    .action = action_of(v->as), .status = {"", 0}, .said = {"", 0}, .text = {"", 0}, .remote = {"", 0},
	    .message = {"", 0}};

	if (!last)
		return out;
	out.status = span_of(last->status);
	out.said = span_of(last->said ? last->said : last->status);
	out.code = last->code;
	out.text = span_of(last->text);
	out.remote = last->peer[0] ? span_of(last->peer) : (struct span){"", 0};
	out.at_s = last->at_us / SECOND_US;
	return out;
}

/* What may go back: all of it, where it fits, is ours to show (RFC 8689 5) and comes through anywhere, or
 * was asked for; else as much as has the header section. */
static int
read_original(struct work *w, struct err *e)
{
	const struct noticeconf *c = conf_of(w->n);
	const struct entry_head *h = &w->t->head;
	struct span ret = param(w->t->env.params, "RET=");
	bool asked = span_ieq(ret, SPAN("FULL"));
	bool full = asked || (ret.n == 0 && c->returned == NOTICECONF_FULL && !h->eightbit);
	const char *content = queue_content(w->t);
	size_t n = c->returned_bytes + HEADER_READ, got = 0;
	int rc = 0;

	full = full && h->content_bytes <= c->returned_bytes && !h->long_lines && !w->t->env.wish.requiretls;
	if (n > h->content_bytes)
		n = (size_t)h->content_bytes;
	if (content) {
		w->notice.original = (struct span){content, n};
	} else {
		rc = io_pread(w->t->fd, buf_room(&w->content, n), n, w->t->content_off, &got, e);
		if (!rc && got < n)
			rc = err_set(e, EX_TEMPFAIL, "the queue file is shorter than it was");
		buf_grew(&w->content, got);
		w->notice.original = (struct span){w->content.s, got};
	}
	/* RFC 3461 4.3: only with news of a failure. */
	for (size_t i = 0; i < w->j->notice->n; i++)
		w->notice.whole |= full && w->j->notice->v[i].as == JOURNAL_TOLD_FAILED;
	return rc;
}

static int
write_notice(struct work *w, struct err *e)
{
	const struct journal_notice *v = w->j->notice;
	int rc = read_original(w, e);

	if (rc)
		return rc;
	from_of(w->n, &w->from);
	w->rcpts = mem_grow(NULL, v->n + 1, sizeof *w->rcpts);
	for (size_t i = 0; i < v->n; i++)
		w->rcpts[i] = rcpt_of(w, &v->v[i]);
	w->notice.host = span_of(w->n->conf->hostname);
	w->notice.from = (struct span){w->from.s, w->from.len};
	w->notice.to = w->reader;
	w->notice.id = span_of(v->id);
	w->notice.now_s = v->at_us / SECOND_US;
	w->notice.about = w->t->is.id;
	w->notice.last = w->t->env.sender.n == 0;
	w->notice.sender = w->t->env.sender;
	w->notice.envid = param(w->t->env.params, "ENVID=");
	w->notice.arrival_s = entry_id_us(w->t->is.id.p) / SECOND_US;
	w->notice.until_s = envelope_ends_s(&w->t->env, w->t->is.id, w->n->conf->lifetime_s);
	w->notice.rcpts = w->rcpts;
	w->notice.n = v->n;
	w->notice.returned_max = conf_of(w->n)->returned_bytes;
	w->notice.text = w->n->text;
	notice_write(&w->notice, &w->header, &w->body);
	return 0;
}

static void
free_work(struct work *w)
{
	free(w->rcpts);
	buf_free(&w->from);
	buf_free(&w->content);
	buf_free(&w->header);
	buf_free(&w->body);
}

/* --- telling it */

void
notify_delivered(const struct notify *n, const struct queue_entry *t)
{
	if (t->env.sender.n == 0)
		noticegone_add(n->gone, t->is.id.p);
}

static int
put(const struct work *w, struct err *e)
{
	if (noticegone_has(w->n->gone, w->j->notice->id))
		return 0;
	return noticeput(&(struct noticeput){.q = w->n->q, .events = w->n->events, .reader = w->reader,
	    .stream = w->t->is.stream, .id = w->j->notice->id, .requiretls = w->t->env.wish.requiretls,
	    .smtputf8 = notice_is_global(&w->notice), .header = {w->header.s, w->header.len},
	    .body = {w->body.s, w->body.len}}, e);
}

/* It is told with others. */
static int
keep(const struct work *w, struct err *e)
{
	struct buf line = BUF_INIT;
	int rc;

	noticedigest_line(&line, &w->notice, w->t->is.stream, w->t->env.wish.requiretls);
	/* Of the hour in which it was begun, so that what is kept twice is kept together. */
	rc = noticelimit_keep(queue_state_fd(w->n->q), w->reader, w->j->notice->at_us / SECOND_US,
	    (struct span){line.s, line.len}, e);
	buf_free(&line);
	return rc;
}

static void
tell(const struct work *w)
{
	static const char *const order[] = {"failed", "delayed", "relayed", "delivered"};
	struct buf text = BUF_INIT;

	for (int a = NOTICE_FAILED; a <= NOTICE_DELIVERED; a++) {
		size_t count = 0;

		for (size_t i = 0; i < w->notice.n; i++)
			count += w->rcpts[i].action == (enum notice_action)a;
		if (count > 0)
			buf_fmt(&text, "%s%s %zu", text.len > 0 ? ", " : "", order[a], count);
	}
	if (w->j->notice->digest)
		buf_str(&text, ", in a digest");
	tell_entry(w->n->events, w->t, (struct event){.type = EVENT_NOTIFIED, .rcpt = w->reader,
	    .domain = addr_domain(w->reader),
	    .notice = w->j->notice->digest ? (struct span){"", 0} : w->notice.id,
	    .text = {text.s, text.len}});
	buf_free(&text);
}

/* What has our mark was a notice of ours before somebody sent it round under his name. */
static bool
goes_round(const struct work *w)
{
	return w->t->env.sender.n == 0 ? notice_is_last(w->notice.original)
	                               : notice_has_mark(w->notice.original, w->notice.from);
}

int
notify_put(const struct notify *n, const struct queue_entry *t, const struct journal *j, struct err *e)
{
	struct work w = {.n = n, .t = t, .j = j, .reader = reader_of(n, t), .from = BUF_INIT,
	    .content = BUF_INIT, .header = BUF_INIT, .body = BUF_INIT};
	int rc;

	if (w.reader.n == 0)
		return 0; /* told otherwise since it was begun */
	rc = write_notice(&w, e);
	if (!rc && !goes_round(&w)) {
		rc = j->notice->digest ? keep(&w, e) : put(&w, e);
		if (!rc)
			tell(&w);
	}
	free_work(&w);
	return rc;
}

int
notify_digests(const struct notify *n, struct err *e)
{
	struct buf from = BUF_INIT;
	struct noticedigest d = {.q = n->q, .events = n->events, .text = n->text,
	    .host = span_of(n->conf->hostname)};
	int rc;

	from_of(n, &from);
	d.from = (struct span){from.s, from.len};
	rc = noticelimit_due(queue_state_fd(n->q), io_time_us() / SECOND_US, noticedigest_make, &d, e);
	buf_free(&from);
	return rc;
}
