#include "submit.h"

#include "compose.h"
#include "io.h"
#include "mime.h"
#include "msg.h"
#include "xtext.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

struct sink { /* where content goes */
	struct queue_put *put;
	uint64_t max;
};

struct making { /* a message that is not linked yet */
	struct submit *s;
	struct submit_msg *m;
	struct queue_put *puts;
	size_t n, groups;
	struct entry_rcpt *rcpts; /* room for one entry's */
};

void
submit_free(struct submit *s)
{
	for (size_t i = 0; i < s->n; i++)
		queue_put_end(&s->puts[i]);
	free(s->puts);
	s->puts = NULL;
	s->n = s->cap = 0;
}

int
submit_rcpt(struct submit_msg *m, struct span mailbox, struct err *e)
{
	struct buf params = BUF_INIT;
	bool ascii = true;
	int rc;

	if (m->notify)
		buf_fmt(&params, "NOTIFY=%s", m->notify);
	/* RFC 6533 would want the type utf-8 for others; they go without. */
	for (size_t i = 0; i < mailbox.n; i++)
		ascii &= (unsigned char)mailbox.p[i] < 128;
	if (m->orcpt && ascii) {
		buf_str(&params, params.len ? " ORCPT=rfc822;" : "ORCPT=rfc822;");
		xtext_encode(mailbox, &params);
	}
	rc = rcpts_add(&m->rcpts, mailbox, (struct span){params.s, params.len}, e);
	buf_free(&params);
	return rc;
}

static int
header_rcpt(void *arg, struct span mailbox, struct err *e)
{
	return submit_rcpt(arg, mailbox, e);
}

/* --- entries */

/* How many recipients group g has, and where they begin. */
static size_t
group(const struct making *k, size_t g, size_t *from)
{
	size_t left = k->m->rcpts.n - g * ENTRY_RCPT_MAX;

	*from = g * ENTRY_RCPT_MAX;
	return left < ENTRY_RCPT_MAX ? left : ENTRY_RCPT_MAX;
}

static int
begin(struct making *k, size_t g, struct queue_put *p, struct err *e)
{
	const struct submit_msg *m = k->m;
	size_t from, n = group(k, g, &from);
	struct envelope v = {.sender = m->sender, .params = m->params, .rcpts = k->rcpts, .n = n,
	    .tag = m->tag, .hold_until_s = m->hold_until_s, .user = k->s->user, .smtputf8 = m->smtputf8};

	rcpts_get(&m->rcpts, from, n, k->rcpts);
	return queue_put_begin(k->s->q, p, &v, e);
}

static int
zone_minutes(struct submit *s, int64_t now_s)
{
	time_t t = (time_t)now_s;
	struct tm tm;

	if (s->zone_s != now_s) {
		s->zone_s = now_s;
		s->zone_minutes = localtime_r(&t, &tm) ? (int)(tm.tm_gmtoff / 60) : 0;
	}
	return s->zone_minutes;
}

static int
put_header(struct making *k, struct span header, struct err *e)
{
	struct submit *s = k->s;
	int64_t now_s = (int64_t)(io_time_us() / 1000000);
	struct compose c = {.host = s->conf->hostname, .domain = s->conf->domain,
	    .sender = k->m->sender, .name = k->m->name, .id = k->puts[0].id, .user = s->user,
	    .now_s = now_s, .zone_minutes = zone_minutes(s, now_s),
	    .fold = s->conf->long_lines == CONF_REPAIR};
	struct entry_rcpt only = {SPAN(""), SPAN("")};
	struct buf out = BUF_INIT;
	int rc;

	if (k->m->rcpts.n == 1)
		rcpts_get(&k->m->rcpts, 0, 1, &only);
	c.rcpt = only.addr;
	rc = compose_header(header, &c, &out, e);
	buf_add(&out, "\r\n", 2);
	/* A header in Latin-1 needs a peer that takes 8 bits, and SMTPUTF8 would not help it. */
	if (!rc)
		rc = queue_put_content(&k->puts[0], out.s, out.len,
		    utf8_valid((struct span){out.s, out.len}), e);
	buf_free(&out);
	return rc;
}

static int
put_body(void *arg, const void *p, size_t n, struct err *e)
{
	struct sink *k = arg;

	if (k->put->head.content_bytes + n > k->max)
		return err_set(e, EX_DATAERR, "message over %llu bytes", (unsigned long long)k->max);
	return queue_put_content(k->put, p, n, false, e);
}

/* The first entry with its long lines encoded takes its place, id and all. */
static int
encode_lines(struct making *k, struct err *e)
{
	struct queue_put *old = &k->puts[0], new;
	struct sink sink = {&new, k->s->conf->max_message_bytes};
	size_t size = (size_t)(queue_put_at(old) + old->head.content_bytes);
	struct span text;
	char *map;
	int rc = queue_put_flush(old, e);

	if (rc)
		return rc;
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, old->fd, 0);
	if (map == MAP_FAILED)
		return err_sys(e, "map of a new entry");
	rc = begin(k, 0, &new, e);
	if (!rc) {
		memcpy(new.id, old->id, sizeof new.id); /* the Received field tells it already */
		text = (struct span){map + queue_put_at(old), (size_t)old->head.content_bytes};
		rc = mime_shorten(text, put_body, &sink, e);
		new.head.utf8_header = old->head.utf8_header;
		queue_put_end(rc ? &new : old);
		if (!rc)
			*old = new;
	}
	munmap(map, size);
	return rc;
}

static int
content(struct making *k, struct intake *t, struct span header, struct err *e)
{
	struct sink sink = {&k->puts[0], k->s->conf->max_message_bytes};
	int rc = begin(k, 0, &k->puts[0], e);

	if (rc)
		return rc;
	k->n = 1;
	rc = put_header(k, header, e);
	if (!rc)
		rc = intake_body(t, put_body, &sink, e);
	if (!rc && k->puts[0].head.content_bytes > sink.max)
		rc = put_body(&sink, "", 0, e); /* a header alone */
	if (rc || !k->puts[0].head.long_lines)
		return rc;
	if (k->s->conf->long_lines == CONF_REFUSE)
		return err_set(e, EX_DATAERR, "line over %d bytes", MSG_LINE_MAX);
	return encode_lines(k, e);
}

static int
copies(struct making *k, struct err *e)
{
	int rc = 0;

	while (!rc && k->n < k->groups) {
		rc = begin(k, k->n, &k->puts[k->n], e);
		if (!rc)
			rc = queue_put_copy(&k->puts[k->n++], &k->puts[0], e);
	}
	return rc;
}

static int
link_all(struct making *k, struct err *e)
{
	struct span stream = k->m->stream.n ? k->m->stream : span_of(k->s->conf->stream);
	int rc = 0;

	for (size_t g = 0; g < k->groups && !rc; g++) {
		size_t from, n = group(k, g, &from);

		rc = queue_put_link(&k->puts[g], stream, rcpts_domain(&k->m->rcpts, from, n), e);
		buf_free(&k->puts[g].out); /* many may wait for their sync */
	}
	return rc;
}

/* Before anything is linked: to run out of memory then would leave what the caller sends again. */
static void
make_room(struct making *k)
{
	struct submit *s = k->s;

	if (s->n + k->n > s->cap) {
		s->cap = 2 * s->cap + k->n;
		s->puts = mem_grow(s->puts, s->cap, sizeof *s->puts);
	}
}

/* The message's entries become the last of those that wait for the sync. */
static void
keep(struct making *k)
{
	struct submit *s = k->s;

	memcpy(s->puts + s->n, k->puts, k->n * sizeof *k->puts);
	s->n += k->n;
	k->m->n_entries = k->n;
	k->n = 0;
}

int
submit_message(struct submit *s, struct submit_msg *m, struct intake *t, struct err *e)
{
	struct making k = {.s = s, .m = m};
	struct buf header = BUF_INIT;
	struct span fields;
	size_t from;
	int rc = intake_header(t, s->conf->max_header_bytes, &header, e);

	fields = (struct span){header.s, header.len};
	if (!rc && m->from_header)
		rc = compose_recipients(fields, s->conf->domain, header_rcpt, m, e);
	if (!rc && m->rcpts.n == 0)
		rc = err_set(e, EX_DATAERR, "no recipient is named");
	if (!rc) {
		k.groups = (m->rcpts.n + ENTRY_RCPT_MAX - 1) / ENTRY_RCPT_MAX;
		if (k.groups > 1)
			rcpts_group(&m->rcpts);
		k.puts = mem_alloc(k.groups * sizeof *k.puts);
		k.rcpts = mem_alloc(group(&k, 0, &from) * sizeof *k.rcpts);
		rc = content(&k, t, fields, e);
	}
	if (!rc)
		rc = copies(&k, e);
	if (!rc) {
		make_room(&k);
		rc = link_all(&k, e);
	}
	if (!rc)
		keep(&k);
	for (size_t i = 0; i < k.n; i++)
		queue_put_end(&k.puts[i]);
	free(k.puts);
	free(k.rcpts);
	buf_free(&header);
	return rc;
}

int
submit_sync(struct submit *s, struct err *e)
{
	int rc = queue_put_sync(s->puts, s->n, e);

	for (size_t i = 0; i < s->n; i++)
		queue_put_end(&s->puts[i]);
	s->n = 0;
	return rc;
}
