#include "bouncekeep.h"

#include "charset.h"
#include "readable.h"

static size_t
keep_max(enum bouncekeep_kind kind)
{
	return kind == KEEP_STATUS ? BOUNCE_STATUS_MAX : BOUNCE_TEXT_MAX;
}

static void
finish_part(struct bouncekeep *k)
{
	if (k->raw.len > 0) {
		struct span charset = {k->charset.s, k->charset.len}, text = {k->raw.s, k->raw.len};

		if (!charset_utf8(charset, text, &k->kept[k->now]))
			readable_utf8(charset, text, &k->kept[k->now]);
		buf_ch(&k->kept[k->now], '\n');
	}
	buf_cut(&k->raw, 0);
}

static void
content(void *arg, struct span text)
{
	struct bouncekeep *k = arg;
	size_t used = k->kept[k->now].len + k->raw.len, max = keep_max(k->now);
	size_t n = used < max ? max - used : 0;

	if (n < text.n)
		k->cut = true;
	buf_add(&k->raw, text.p, n < text.n ? n : text.n);
}

static bool
keep_as(struct bouncekeep *k, enum bouncekeep_kind kind, struct span charset)
{
	k->now = kind;
	buf_cut(&k->charset, 0);
	buf_add(&k->charset, charset.p, charset.n);
	return true;
}

bool
bouncekeep_has_report(const struct bouncekeep *k)
{
	return k->kept[KEEP_STATUS].len > 0 || k->kept[KEEP_REPORT].len > 0;
}

static void
header(struct bouncekeep *k, const struct mimeread_part *p)
{
	struct span h = p->header;

	if (p->messages == 0)
		buf_add(&k->kept[KEEP_HEADER], h.p, h.n);
	else if (p->messages == 1 && !k->inner) {
		k->inner = true;
		buf_cut(&k->kept[KEEP_ORIGINAL], 0);
		buf_add(&k->kept[KEEP_ORIGINAL], h.p, h.n);
		k->attached = !bouncekeep_has_report(k) && !k->is_one(k->arg);
	} else if (p->messages == 2 && k->attached && k->kept[KEEP_INNER_ORIGINAL].len == 0)
		buf_add(&k->kept[KEEP_INNER_ORIGINAL], h.p, h.n);
}

static bool
part(void *arg, const struct mimeread_part *p)
{
	struct bouncekeep *k = arg;
	struct span none = {"", 0}, t = p->type;

	finish_part(k);
	if (p->message)
		header(k, p);
	if (span_eq(t, SPAN("message/delivery-status")) || span_eq(t, SPAN("message/global-delivery-status")))
		return k->kept[KEEP_STATUS].len == 0 && keep_as(k, KEEP_STATUS, none);
	if (span_eq(t, SPAN("message/feedback-report")))
		return k->kept[KEEP_REPORT].len == 0 && keep_as(k, KEEP_REPORT, none);
	if (p->messages == 1 && k->attached && p->kind == MIMEREAD_LEAF && !p->attachment)
		return (span_eq(t, SPAN("text/plain")) && keep_as(k, KEEP_INNER, p->charset)) ||
		    (span_eq(t, SPAN("text/html")) && keep_as(k, KEEP_INNER_HTML, p->charset));
	if (p->messages > 0)
		return false;
	if (span_eq(t, SPAN("text/rfc822-headers")) || span_eq(t, SPAN("text/rfc822")) || span_eq(t, SPAN("message/global-headers")) ||
	    span_eq(t, SPAN("message/rfc822")) || span_eq(t, SPAN("message/global")))
		return !k->inner && p->kind == MIMEREAD_LEAF && k->kept[KEEP_ORIGINAL].len == 0 &&
		    keep_as(k, KEEP_ORIGINAL, p->charset);
	if (p->kind == MIMEREAD_MULTIPART)
		return keep_as(k, KEEP_PREAMBLE, none);
	if (p->attachment)
		return false;
	if (span_eq(t, SPAN("text/html")))
		return keep_as(k, KEEP_HTML, p->charset);
	return span_ieq((struct span){t.p, t.n < 5 ? t.n : 5}, SPAN("text/")) &&
	    keep_as(k, KEEP_PLAIN, p->charset);
}

void
bouncekeep_init(struct bouncekeep *k, bool (*is_one)(void *arg), void *arg)
{
	struct mimeread_sink sink = {part, content, k};

	*k = (struct bouncekeep){.is_one = is_one, .arg = arg, .raw = BUF_INIT, .charset = BUF_INIT};
	for (size_t i = 0; i < KEEPS; i++)
		k->kept[i] = (struct buf)BUF_INIT;
	k->mime = mimeread_new(&sink);
}

void
bouncekeep_feed(struct bouncekeep *k, struct span piece)
{
	mimeread_feed(k->mime, piece);
}

void
bouncekeep_end(struct bouncekeep *k)
{
	mimeread_end(k->mime);
	finish_part(k);
	k->cut |= mimeread_cut(k->mime);
}

void
bouncekeep_reset(struct bouncekeep *k)
{
	for (size_t i = 0; i < KEEPS; i++)
		buf_cut(&k->kept[i], 0);
	k->inner = k->attached = k->cut = false;
}

void
bouncekeep_free(struct bouncekeep *k)
{
	mimeread_del(k->mime);
	for (size_t i = 0; i < KEEPS; i++)
		buf_free(&k->kept[i]);
	buf_free(&k->raw);
	buf_free(&k->charset);
}

void
bouncekeep_take_attached(struct bouncekeep *k)
{
	static const enum bouncekeep_kind pairs[][2] = {{KEEP_HEADER, KEEP_ORIGINAL}, {KEEP_PLAIN, KEEP_INNER},
	    {KEEP_HTML, KEEP_INNER_HTML}, {KEEP_ORIGINAL, KEEP_INNER_ORIGINAL}};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct buf t = k->kept[pairs[i][0]];

		k->kept[pairs[i][0]] = k->kept[pairs[i][1]];
		k->kept[pairs[i][1]] = t;
	}
	buf_cut(&k->kept[KEEP_PREAMBLE], 0);
}
