/* mimeread over any bytes: the same whole or in pieces, and within its limits. */
#include "fuzz.h"

#include "mimeread.h"
#include "readable.h"

#include <stdlib.h>
#include <string.h>

#define CONTENT_MAX (1 << 20)

struct seen {
	struct buf text; /* announced and decoded, one after another */
	size_t parts;
	bool wanted;
};

static void
want(bool good)
{
	if (!good)
		abort();
}

static bool
part(void *arg, const struct mimeread_part *p)
{
	struct seen *s = arg;

	want(++s->parts <= MIMEREAD_PARTS);
	want(p->depth < MIMEREAD_DEPTH && p->messages <= p->depth);
	want(p->header.n <= MIMEREAD_HEADER_MAX);
	want(memchr(p->type.p, '/', p->type.n) != NULL);
	buf_fmt(&s->text, "[%u %u %d %d %.*s]", p->depth, p->messages, (int)p->kind, p->message,
	    SPAN_ARG(p->type));
	buf_add(&s->text, p->header.p, p->header.n);
	return p->depth % 3 != 2; /* some are not wanted */
}

static void
data(void *arg, struct span text)
{
	struct seen *s = arg;

	if (s->text.len + text.n < CONTENT_MAX)
		buf_add(&s->text, text.p, text.n);
}

static void
read_in_pieces(struct mimeread *m, const char *p, size_t n, size_t piece)
{
	for (size_t at = 0; at < n; at += piece)
		mimeread_feed(m, (struct span){p + at, n - at < piece ? n - at : piece});
	mimeread_end(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct seen whole = {BUF_INIT, 0, false}, pieces = {BUF_INIT, 0, false};
	struct mimeread_sink a = {part, data, &whole}, b = {part, data, &pieces};
	struct mimeread *m = mimeread_new(&a), *k = mimeread_new(&b);
	struct buf words = BUF_INIT;

	read_in_pieces(m, (const char *)p, n, n ? n : 1);
	read_in_pieces(k, (const char *)p, n, n > 4096 ? 1000 : 1);
	want(whole.text.len == pieces.text.len);
	want(memcmp(whole.text.s, pieces.text.s, whole.text.len) == 0);
	want(mimeread_cut(m) == mimeread_cut(k));
	mimeread_words((struct span){(const char *)p, n}, NULL, &words);
	want(words.len <= 3 * n);
	buf_cut(&words, 0);
	readable_utf8(SPAN("iso-8859-1"), (struct span){(const char *)p, n}, &words);
	readable_utf8(SPAN("utf-16"), (struct span){(const char *)p, n}, &words);
	readable_utf8(SPAN("iso-2022-jp"), (struct span){(const char *)p, n}, &words);
	mimeread_del(m);
	mimeread_del(k);
	buf_free(&whole.text);
	buf_free(&pieces.text);
	buf_free(&words);
	return 0;
}
