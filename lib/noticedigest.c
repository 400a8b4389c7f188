#include "noticedigest.h"

#include "entry.h"
#include "io.h"
#include "json.h"
#include "jsonread.h"
#include "noticelimit.h"
#include "noticeput.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES 65536

/* --- a line */

static void
put_rcpt(struct buf *out, const struct notice_rcpt *r)
{
	json_open(out);
	json_str(out, "rcpt", r->addr);
	json_str(out, "orcpt", r->orcpt);
	json_num(out, "action", r->action);
	json_str(out, "status", r->status);
	json_str(out, "said", r->said);
	json_num(out, "code", r->code);
	json_str(out, "text", r->text);
	json_str(out, "remote", r->remote);
	json_num(out, "at", (int64_t)r->at_s);
	json_close(out);
}

void
noticedigest_line(struct buf *out, const struct notice *n, struct span stream, bool requiretls)
{
	size_t start = out->len;

	json_open(out);
	json_str(out, "do", SPAN("keep"));
	json_str(out, "id", n->id);
	json_str(out, "to", n->to);
	json_str(out, "sender", n->sender);
	json_str(out, "about", n->about);
	json_str(out, "stream", stream);
	json_num(out, "until", (int64_t)n->until_s);
	json_num(out, "tls", requiretls);
	json_arr(out, "rcpts");
	for (size_t i = 0; i < n->n; i++)
		put_rcpt(out, &n->rcpts[i]);
	json_arr_end(out);
	journal_seal(out, start);
}

/* --- a file, read line by line */

struct lines {
	int fd;
	uint64_t off;
	struct buf in;
	size_t at;
	bool eof;
};

/* The next whole line, with its LF; false at the end, or with *rc. */
static bool
next_line(struct lines *l, struct span *line, int *rc, struct err *e)
{
	for (;;) {
		const char *lf = memchr(l->in.s + l->at, '\n', l->in.len - l->at);
		size_t got = 0;

		if (lf) {
			*line = (struct span){l->in.s + l->at, (size_t)(lf + 1 - l->in.s) - l->at};
			l->at += line->n;
			return true;
		}
		if (l->eof || l->in.len - l->at > NOTICEDIGEST_LINE_MAX)
			return false;
		buf_drop(&l->in, l->at);
		l->at = 0;
		*rc = io_pread(l->fd, buf_room(&l->in, READ_BYTES), READ_BYTES, l->off, &got, e);
		if (*rc)
			return false;
		buf_grew(&l->in, got);
		l->off += got;
		l->eof = got == 0;
	}
}

/* The next of our lines; what is none is passed over. */
static struct json_doc *
next_doc(struct lines *l, int *rc, struct err *e)
{
	struct span text, line;

	while (next_line(l, &text, rc, e)) {
		struct cur c = cur_span(text);
		struct err ignored = ERR_INIT;
		struct json_doc *d = NULL;

		if (!journal_next(&c, &line) || json_doc_parse(&d, line, &ignored)) {
			json_doc_free(d);
			d = NULL;
		}
		err_free(&ignored);
		if (d)
			return d;
	}
	return NULL;
}

static void
lines_at(struct lines *l, int fd)
{
	*l = (struct lines){.fd = fd, .off = NOTICELIMIT_HEAD, .in = BUF_INIT};
}

/* --- a digest */

struct part {
	struct json_doc **docs; /* lend what the recipients are */
	size_t n_docs;
	struct notice_rcpt *rcpts;
	size_t n;
};

static void
clear(struct part *p)
{
	for (size_t i = 0; i < p->n_docs; i++)
		json_doc_free(p->docs[i]);
	free(p->docs);
	free(p->rcpts);
	*p = (struct part){.docs = NULL};
}

static struct span
id_of(const struct json_doc *d)
{
	return json_get_str(json_doc_root(d), "id");
}

/* Once, though a crash may have kept it twice. */
static void
add(struct part *p, struct json_doc *d)
{
	const struct json_val *root = json_doc_root(d), *list = json_get(root, "rcpts");
	size_t n = json_count(list);

	for (size_t i = 0; i < p->n_docs; i++)
		if (span_eq(id_of(p->docs[i]), id_of(d))) {
			json_doc_free(d);
			return;
		}
	p->docs = mem_grow(p->docs, p->n_docs + 1, sizeof *p->docs);
	p->docs[p->n_docs++] = d;
	p->rcpts = mem_grow(p->rcpts, p->n + n + 1, sizeof *p->rcpts);
	for (size_t i = 0; i < n; i++) {
		const struct json_val *r = json_at(list, i);
		int64_t action = json_get_num(r, "action", 0), at = json_get_num(r, "at", 0);

		p->rcpts[p->n++] = (struct notice_rcpt){.addr = json_get_str(r, "rcpt"),
		    .orcpt = json_get_str(r, "orcpt"),
		    .action = action >= NOTICE_FAILED && action <= NOTICE_DELIVERED
		        ? (enum notice_action)action : NOTICE_FAILED,
		    .status = json_get_str(r, "status"), .said = json_get_str(r, "said"),
		    .code = (int)json_get_num(r, "code", 0),
		    .text = json_get_str(r, "text"), .remote = json_get_str(r, "remote"),
		    .at_s = at > 0 ? (uint64_t)at : 0, .message = json_get_str(root, "about")};
	}
}

/* Lines up to the one with an id are told under that id, which they got before they were told for the first
 * time: what has come since gets another, at the end. */
struct ids {
	char (*v)[ENTRY_ID + 1];
	size_t n;
	bool more; /* there are lines behind the last of them */
};

static bool
is_a(const struct json_doc *d, struct span what)
{
	return span_eq(json_get_str(json_doc_root(d), "do"), what);
}

static bool
is_id_line(const struct json_doc *d)
{
	return is_a(d, SPAN("digest")) && entry_id_ok(id_of(d));
}

static char *
another(struct ids *ids)
{
	ids->v = mem_grow(ids->v, ids->n + 1, sizeof *ids->v);
	ids->more = false;
	return ids->v[ids->n++];
}

static int
find_ids(int fd, struct ids *ids, struct err *e)
{
	struct json_doc *d;
	struct lines l;
	int rc = 0;

	lines_at(&l, fd);
	while ((d = next_doc(&l, &rc, e))) {
		if (is_id_line(d))
			snprintf(another(ids), ENTRY_ID + 1, "%.*s", SPAN_ARG(id_of(d)));
		else
			ids->more |= is_a(d, SPAN("keep"));
		json_doc_free(d);
	}
	buf_free(&l.in);
	return rc;
}

/* For what has none, written down. */
static int
add_id(int fd, struct ids *ids, struct err *e)
{
	struct buf line = BUF_INIT;
	char *id = another(ids);
	int rc;

	entry_id(id, io_time_us(), (uint32_t)io_random());
	json_open(&line);
	json_str(&line, "do", SPAN("digest"));
	json_str(&line, "id", span_of(id));
	journal_seal(&line, 0);
	rc = noticelimit_add(fd, (struct span){line.s, line.len}, e);
	buf_free(&line);
	return rc;
}

static int
put_part(const struct noticedigest *d, const struct part *p, const char *id, struct err *e)
{
	const struct json_val *first = json_doc_root(p->docs[0]);
	struct notice n = {.host = d->host, .from = d->from, .to = json_get_str(first, "to"),
	    .id = span_of(id), .now_s = entry_id_us(id) / 1000000, .about = {"", 0},
	    .sender = json_get_str(first, "sender"), .envid = {"", 0}, .rcpts = p->rcpts, .n = p->n,
	    .original = {"", 0}, .text = d->text};
	struct noticeput w = {.q = d->q, .events = d->events, .reader = n.to,
	    .stream = json_get_str(first, "stream"), .id = id, .smtputf8 = notice_is_global(&n)};
	struct buf header = BUF_INIT, body = BUF_INIT;
	int rc;

	for (size_t i = 0; i < p->n_docs; i++) {
		w.requiretls |= json_get_num(json_doc_root(p->docs[i]), "tls", 0) != 0;
		n.last |= json_get_str(json_doc_root(p->docs[i]), "sender").n == 0;
	}
	notice_write(&n, &header, &body);
	w.header = (struct span){header.s, header.len};
	w.body = (struct span){body.s, body.len};
	rc = noticeput(&w, e);
	buf_free(&header);
	buf_free(&body);
	return rc;
}

/* Each part has the id of a microsecond later: the same ones, however often it is made. */
static int
end_part(const struct noticedigest *d, struct part *p, char id[ENTRY_ID + 1], struct err *e)
{
	int rc = p->n > 0 ? put_part(d, p, id, e) : 0;

	entry_id(id, entry_id_us(id) + 1, entry_id_random(id));
	clear(p);
	return rc;
}

static int
put_all(const struct noticedigest *d, int fd, struct ids *ids, struct err *e)
{
	struct part p = {.docs = NULL};
	struct json_doc *doc;
	struct lines l;
	size_t k = 0;
	int rc = 0;

	lines_at(&l, fd);
	while (!rc && k < ids->n && (doc = next_doc(&l, &rc, e))) {
		const struct json_val *list = json_get(json_doc_root(doc), "rcpts");

		if (is_a(doc, SPAN("keep"))) {
			if (p.n > 0 && p.n + json_count(list) > NOTICEDIGEST_RCPTS)
				rc = end_part(d, &p, ids->v[k], e);
			add(&p, doc);
			continue;
		}
		if (is_id_line(doc))
			rc = end_part(d, &p, ids->v[k++], e);
		json_doc_free(doc);
	}
	clear(&p);
	buf_free(&l.in);
	return rc;
}

int
noticedigest_make(void *arg, int fd, struct err *e)
{
	struct ids ids = {.n = 0};
	int rc = find_ids(fd, &ids, e);

	if (!rc && ids.more)
		rc = add_id(fd, &ids, e);
	if (!rc)
		rc = put_all(arg, fd, &ids, e);
	free(ids.v);
	return rc ? err_in(e, "digest") : 0;
}
