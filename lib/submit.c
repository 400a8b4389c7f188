#include "submit.h"

#include "io.h"
#include "mime.h"
#include "msg.h"
#include "suppress.h"
#include "xtext.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define PART 1048576 /* bytes that are written at once */

struct sink { /* where content goes */
	struct queue_put *put;
	uint64_t max;
};

struct submit_work { /* a message that is not linked yet */
	struct submit *s;
	struct submit_msg *m;
	struct buf header;  /* as it comes */
	size_t looked;      /* at so much of it, in whole lines */
	size_t searched;    /* so much of it has no line end behind those */
	bool body;          /* the header section is over */
	bool eightbit;      /* a late header section has bytes over 127 */
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
group(const struct submit_work *k, size_t g, size_t *from)
{
	size_t left = k->m->rcpts.n - g * ENTRY_RCPT_MAX;

	*from = g * ENTRY_RCPT_MAX;
	return left < ENTRY_RCPT_MAX ? left : ENTRY_RCPT_MAX;
}

static int
begin(struct submit_work *k, size_t g, struct queue_put *p, struct err *e)
{
	const struct submit_msg *m = k->m;
	size_t from, n = group(k, g, &from);
	struct span stream = m->stream.n ? m->stream : span_of(k->s->conf->stream);
	bool verp = m->verp || (!m->received && conf_stream_verp(k->s->conf, stream));
	struct envelope v = {.sender = m->sender, .params = m->params, .rcpts = k->rcpts, .n = n,
	    .tag = m->tag, .hold_until_s = m->hold_until_s, .user = k->s->user, .smtputf8 = m->smtputf8,
	    .verp = verp && m->sender.n > 0, .received = m->received, .wish = m->wish};

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
put_header(struct submit_work *k, struct queue_put *put, struct span header, struct err *e)
{
	struct submit *s = k->s;
	int64_t now_s = (int64_t)(io_time_us() / 1000000);
	struct compose c = {.host = s->conf->hostname, .domain = s->conf->domain,
	    .sender = k->m->sender, .name = k->m->name, .id = put->id, .user = s->user,
	    .trace = k->m->trace, .as_is = k->m->as_is, .top = k->m->top, .forged = k->m->forged,
	    .now_s = now_s, .zone_minutes = zone_minutes(s, now_s),
	    .fold = s->conf->long_lines == CONF_REPAIR};
	struct entry_rcpt only = {SPAN(""), SPAN("")};
	struct buf out = BUF_INIT;
	int rc;

	if (k->m->told.n > 0)
		only.addr = k->m->told;
	else if (k->m->rcpts.n == 1)
		rcpts_get(&k->m->rcpts, 0, 1, &only);
	c.rcpt = only.addr;
	rc = compose_header(header, &c, &out, e);
	buf_add(&out, "\r\n", 2);
	/* A header in Latin-1 needs a peer that takes 8 bits, and SMTPUTF8 would not help it. */
	if (!rc)
		rc = queue_put_content(put, out.s, out.len,
		    utf8_valid((struct span){out.s, out.len}), e);
	buf_free(&out);
	return rc;
}

static int
sink_body(void *arg, const void *p, size_t n, struct err *e)
{
	struct sink *k = arg;

	if (k->put->head.content_bytes + n > k->max)
		return err_set(e, EX_DATAERR, "message over %llu bytes", (unsigned long long)k->max);
	return queue_put_content(k->put, p, n, false, e);
}

/* The content of an entry that is being written; from a file it is mapped, *map. */
static int
content_of(struct queue_put *p, struct span *text, char **map, struct err *e)
{
	size_t at = (size_t)queue_put_at(p), n = (size_t)p->head.content_bytes;

	*map = NULL;
	*text = (struct span){p->out.s + at, n};
	if (p->written == 0)
		return 0;
	if (queue_put_flush(p, e))
		return e->code;
	*map = mmap(NULL, at + n, PROT_READ, MAP_SHARED, p->fd, 0);
	if (*map == MAP_FAILED) {
		*map = NULL;
		return err_sys(e, "map of a new entry");
	}
	text->p = *map + at;
	return 0;
}

/* The first entry is written again by fill(), from what is in it, and takes its own place, id and all. */
static int
rewrite(struct submit_work *k,
    int (*fill)(struct submit_work *k, struct queue_put *new, struct span text, struct err *e),
    struct err *e)
{
	struct queue_put *old = &k->puts[0], new;
	struct span text;
	char *map;
	int rc = content_of(old, &text, &map, e);

	if (!rc)
		rc = begin(k, 0, &new, e);
	if (!rc) {
		memcpy(new.id, old->id, sizeof new.id); /* the Received field may tell it already */
		rc = fill(k, &new, text, e);
		queue_put_end(rc ? &new : old);
		if (!rc)
			*old = new;
	}
	if (map)
		munmap(map, (size_t)(text.p - map) + text.n);
	return rc;
}

/* Its long lines encoded. */
static int
encode_lines(struct submit_work *k, struct queue_put *new, struct span text, struct err *e)
{
	struct sink sink = {new, k->s->conf->max_message_bytes};
	int rc = mime_shorten(text, sink_body, &sink, e);

	new->head.utf8_header = k->puts[0].head.utf8_header;
	return rc;
}

/* A body behind its header section. */
static int
put_on_top(struct submit_work *k, struct queue_put *new, struct span text, struct err *e)
{
	int rc = put_header(k, new, (struct span){k->header.s, k->header.len}, e);

	while (!rc && text.n > 0) {
		size_t n = text.n < PART ? text.n : PART;

		rc = queue_put_content(new, text.p, n, false, e);
		text.p += n;
		text.n -= n;
	}
	return rc;
}

/* A message to many is taken if it can go to one: the others fail where it is delivered, with an event
 * and a notice each, as sendmail has it; so nobody sends all of it again for the sake of one. */
static int
ask_list(const struct submit_work *k, struct err *e)
{
	const struct submit *s = k->s;
	struct span stream = k->m->stream.n ? k->m->stream : span_of(s->conf->stream);
	struct entry_rcpt r = {{"", 0}, {"", 0}};
	struct buf why = BUF_INIT, text = BUF_INIT;
	size_t n = k->m->rcpts.n, on = 0;
	int rc = 0;

	for (size_t i = 0; s->list && i < n; i++) {
		rcpts_get(&k->m->rcpts, i, 1, &r);
		buf_cut(&text, 0);
		if (!suppress_asked(s->list, r.addr, stream, &text))
			continue;
		if (on++ == 0)
			buf_add(&why, text.s, text.len);
		if (s->suppressed && n > 1)
			s->suppressed(text.s);
	}
	if (on > 0 && on == n)
		rc = err_set(e, EX_NOUSER, "%s%s", n > 1 ? "no recipient is left: " : "", why.s);
	buf_free(&why);
	buf_free(&text);
	return rc;
}

/* The first entry is begun, with the header section. */
static int
start(struct submit_work *k, struct span header, struct err *e)
{
	size_t from;
	int rc;

	k->groups = (k->m->rcpts.n + ENTRY_RCPT_MAX - 1) / ENTRY_RCPT_MAX;
	if (k->groups == 0)
		return err_set(e, EX_DATAERR, "no recipient is named");
	rc = ask_list(k, e);
	if (rc)
		return rc;
	if (k->groups > 1)
		rcpts_group(&k->m->rcpts);
	k->puts = mem_alloc(k->groups * sizeof *k->puts);
	k->rcpts = mem_alloc(group(k, 0, &from) * sizeof *k->rcpts);
	rc = begin(k, 0, &k->puts[0], e);
	if (rc)
		return rc;
	k->n = 1;
	if (!k->m->late_top)
		return put_header(k, &k->puts[0], header, e);
	for (size_t i = 0; i < header.n; i++)
		k->eightbit |= (unsigned char)header.p[i] > 127;
	return 0;
}

static int
put_body(void *arg, const void *p, size_t n, struct err *e)
{
	struct submit_work *k = arg;
	struct sink sink = {&k->puts[0], k->s->conf->max_message_bytes};

	return sink_body(&sink, p, n, e);
}

static int
copies(struct submit_work *k, struct err *e)
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
link_all(struct submit_work *k, struct err *e)
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
make_room(struct submit_work *k)
{
	struct submit *s = k->s;

	if (s->n + k->n > s->cap) {
		s->cap = 2 * s->cap + k->n;
		s->puts = mem_grow(s->puts, s->cap, sizeof *s->puts);
	}
}

/* The message's entries become the last of those that wait for the sync. */
static void
keep(struct submit_work *k)
{
	struct submit *s = k->s;

	memcpy(s->puts + s->n, k->puts, k->n * sizeof *k->puts);
	s->n += k->n;
	k->m->n_entries = k->n;
	k->n = 0;
}

/* All of the content is there. */
static int
finish(struct submit_work *k, struct err *e)
{
	uint64_t max = k->s->conf->max_message_bytes;
	int rc = k->m->late_top ? rewrite(k, put_on_top, e) : 0;

	if (rc)
		return rc;
	if (k->puts[0].head.content_bytes > max) /* a header alone */
		return err_set(e, EX_DATAERR, "message over %llu bytes", (unsigned long long)max);
	if (k->puts[0].head.long_lines && k->s->conf->long_lines == CONF_REFUSE)
		return err_set(e, EX_DATAERR, "line over %d bytes", MSG_LINE_MAX);
	if (k->puts[0].head.long_lines && !k->m->received)
		rc = rewrite(k, encode_lines, e);
	if (!rc)
		rc = copies(k, e);
	if (!rc) {
		make_room(k);
		rc = link_all(k, e);
	}
	if (!rc)
		keep(k);
	return rc;
}

static void
release(struct submit_work *k)
{
	for (size_t i = 0; i < k->n; i++)
		queue_put_end(&k->puts[i]);
	free(k->puts);
	free(k->rcpts);
	buf_free(&k->header);
}

int
submit_message(struct submit *s, struct submit_msg *m, struct intake *t, struct err *e)
{
	struct submit_work k = {.s = s, .m = m, .header = BUF_INIT};
	struct span fields;
	int rc = intake_header(t, s->conf->max_header_bytes, &k.header, e);

	fields = (struct span){k.header.s, k.header.len};
	if (!rc && m->from_header)
		rc = compose_recipients(fields, s->conf->domain, header_rcpt, m, e);
	if (!rc)
		rc = start(&k, fields, e);
	if (!rc)
		rc = intake_body(t, put_body, &k, e);
	if (!rc)
		rc = finish(&k, e);
	release(&k);
	return rc;
}

/* --- in parts */

int
submit_begin(struct submit_work **w, struct submit *s, struct submit_msg *m, struct err *e)
{
	if (m->rcpts.n == 0)
		return err_set(e, EX_DATAERR, "no recipient is named");
	*w = mem_alloc(sizeof **w);
	**w = (struct submit_work){.s = s, .m = m, .header = BUF_INIT};
	return 0;
}

/* Where the header section ends in what has come: at the empty line, *blank, or before a line that is no
 * field.  false: later. */
static bool
header_end(struct submit_work *k, size_t *end, size_t *blank)
{
	const char *lf;

	while ((lf = memchr(k->header.s + k->searched, '\n', k->header.len - k->searched))) {
		const char *p = k->header.s + k->looked;
		struct span line = {p, (size_t)(lf - p)};

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		*end = k->looked;
		*blank = line.n == 0 ? (size_t)(lf + 1 - p) : 0;
		if (*blank || !msg_header_line(line, k->looked == 0))
			return true;
		k->looked = k->searched = (size_t)(lf + 1 - k->header.s);
	}
	k->searched = k->header.len; /* or a line that comes byte by byte is gone through for each of them */
	return false;
}

static int
end_header(struct submit_work *k, size_t end, size_t blank, struct err *e)
{
	size_t from = end + blank;
	int rc;

	k->body = true;
	rc = start(k, (struct span){k->header.s, end}, e);
	if (!rc && k->header.len > from)
		rc = put_body(k, k->header.s + from, k->header.len - from, e);
	buf_cut(&k->header, end); /* submit_header(), and what comes with late_top */
	return rc;
}

int
submit_content(struct submit_work *k, const void *p, size_t n, struct err *e)
{
	size_t max = (size_t)k->s->conf->max_header_bytes, end, blank;

	if (k->body)
		return put_body(k, p, n, e);
	buf_add(&k->header, p, n);
	if (header_end(k, &end, &blank))
		return end > max ? err_set(e, EX_DATAERR, "header section over %zu bytes", max)
				 : end_header(k, end, blank, e);
	if (k->header.len > max)
		return err_set(e, EX_DATAERR, "header section over %zu bytes", max);
	return 0;
}

bool
submit_header(const struct submit_work *k, struct span *header)
{
	*header = (struct span){k->header.s, k->header.len};
	return k->body;
}

bool
submit_eightbit(const struct submit_work *k)
{
	for (size_t i = 0; i < k->header.len; i++) /* nothing is stored of a header without a body */
		if ((unsigned char)k->header.s[i] > 127)
			return true;
	return k->n > 0 && (k->puts[0].head.eightbit || k->eightbit);
}

int
submit_end(struct submit_work *k, struct err *e)
{
	size_t end = k->header.len, blank;
	int rc = 0;

	/* A header section without a body; its last line may lack its line end, by BDAT. */
	if (!k->body) {
		if (end > 0 && k->header.s[end - 1] != '\n') {
			buf_add(&k->header, "\r\n", 2);
			end += 2;
		}
		if (!header_end(k, &end, &blank))
			end = k->header.len;
		rc = end_header(k, end, 0, e);
	}
	if (!rc)
		rc = finish(k, e);
	submit_drop(k);
	return rc;
}

void
submit_drop(struct submit_work *k)
{
	if (!k)
		return;
	release(k);
	free(k);
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
